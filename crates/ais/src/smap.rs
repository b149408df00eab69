//! The cluster map, cached.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use holdall_ais_wire::cluster::{Smap, Snode};
use holdall_ais_wire::query;
use http::Method;
use url::{Origin, Url};

use crate::call::Call;
use crate::error::Result;
use crate::transport::Transport;

/// Where the map is asked for.
pub(crate) const MAP_PATH: &str = "/v1/daemon";
/// The least time between two requests for the map that nobody asked for by name.
const LEAST_AGE: Duration = Duration::from_secs(1);
/// How long a failure is remembered.
const FAILURE_AGE: Duration = Duration::from_secs(15);

/// The map as it was last seen.
#[derive(Default)]
pub(crate) struct ClusterMap {
    seen: RwLock<Seen>,
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Seen {
    map: Option<Arc<Smap>>,
    origins: Vec<Origin>,
    /// Those of targets.
    targets: Vec<Origin>,
    /// Whether those are all the endpoint.
    is_one_server: bool,
    at: Option<Instant>,
}

/// Where a node listens.
pub(crate) fn origins(node: &Snode) -> impl Iterator<Item = Origin> {
    [&node.public_net, &node.intra_control_net, &node.intra_data_net]
        .into_iter()
        .filter_map(|net| Url::parse(&net.direct_url).ok())
        .map(|url| url.origin())
        .collect::<Vec<_>>()
        .into_iter()
}

impl ClusterMap {
    /// The map; asked for when there is none yet. None when the cluster does not tell.
    pub(crate) async fn get(&self, transport: &Transport) -> Option<Arc<Smap>> {
        let (map, age) = self.seen();
        if map.is_some() || age.is_some_and(|age| age < FAILURE_AGE) {
            return map;
        }
        self.refresh(transport).await;
        self.seen().0
    }

    fn seen(&self) -> (Option<Arc<Smap>>, Option<Duration>) {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        (seen.map.clone(), seen.at.map(|at| at.elapsed()))
    }

    /// Whether a URL is that of a node.
    pub(crate) fn has(&self, url: &Url) -> bool {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.origins.contains(&url.origin())
    }

    /// Whether a URL is that of a target.
    pub(crate) fn has_target(&self, url: &Url) -> bool {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        !seen.targets.is_empty() && seen.targets.contains(&url.origin())
    }

    /// Whether all targets are behind the endpoint: a single server.
    pub(crate) fn is_one_server(&self) -> bool {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).is_one_server
    }

    /// Asks for the map unless that has just been done.
    pub(crate) fn refresh<'a>(&'a self, transport: &'a Transport) -> BoxFuture<'a, ()> {
        async move {
            let _one = self.refreshing.lock().await;
            if self.seen().1.is_some_and(|age| age < LEAST_AGE) {
                return;
            }
            if let Err(error) = self.fetch(transport).await {
                tracing::debug!(%error, "no cluster map");
                let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
                seen.at = Some(Instant::now());
            }
        }
        .boxed()
    }

    /// Asks for the map and keeps it.
    pub(crate) fn fetch<'a>(
        &'a self,
        transport: &'a Transport,
    ) -> BoxFuture<'a, Result<Arc<Smap>>> {
        async move {
            let call = Call::new("cluster map", transport.base().as_str(), Method::GET, MAP_PATH)
                .query(query::WHAT, "smap");
            let map = Arc::new(transport.json::<Smap>(&call).await?);
            let nodes = map.pmap.values().chain(map.tmap.values()).chain([&map.proxy_si]);
            let all = nodes.flat_map(origins).collect();
            let targets: Vec<_> = map.tmap.values().flat_map(origins).collect();
            let base = transport.base().origin();
            let is_one_server = !targets.is_empty() && targets.iter().all(|target| *target == base);
            let at = Some(Instant::now());
            let found = Seen { map: Some(map.clone()), origins: all, targets, is_one_server, at };
            *self.seen.write().unwrap_or_else(PoisonError::into_inner) = found;
            Ok(map)
        }
        .boxed()
    }
}
