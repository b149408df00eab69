//! Connections that wait for their next request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::Uri;

use super::connection::Connection;
use crate::client::pool::generation;

/// How long a connection is kept, unless the options say otherwise; as long as reqwest's pools do.
const KEPT: Duration = Duration::from_secs(90);

/// After this time without use, a connection is looked at before it is used: the server may have closed it.
const STALE: Duration = Duration::from_micros(500);

/// The host and port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::client) struct Host(Arc<str>, u16);

impl Host {
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let name = uri.host()?;
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        (!name.is_empty()).then(|| Self(name.into(), uri.port_u16().unwrap_or(80)))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    pub(super) fn port(&self) -> u16 {
        self.1
    }
}

/// In boxes: each request takes one from here and brings it back.
type Connections = HashMap<Host, Vec<Box<Connection>>>;

#[derive(Default)]
struct Shelf {
    /// In which process the connections were opened.
    generation: u64,
    connections: Mutex<Connections>,
}

/// The idle connections of one pool, for all threads of the process.
#[derive(Clone)]
pub(super) struct Idle {
    shelf: Arc<ArcSwap<Shelf>>,
    kept: Duration,
    most: usize,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle").finish_non_exhaustive()
    }
}

impl Idle {
    pub(super) fn new(kept: Option<Duration>, most: Option<usize>) -> Self {
        Self { shelf: Arc::default(), kept: kept.unwrap_or(KEPT), most: most.unwrap_or(usize::MAX) }
    }

    /// The shelf of this process; a forked child leaves the parent's alone, whose lock may be held for ever.
    fn shelf(&self) -> Arc<Shelf> {
        let shelf = self.shelf.load_full();
        let now = generation();
        if shelf.generation == now {
            return shelf;
        }
        let new = Arc::new(Shelf { generation: now, connections: Mutex::default() });
        std::mem::forget(self.shelf.compare_and_swap(&shelf, new));
        std::mem::forget(shelf);
        self.shelf.load_full()
    }

    /// The connection that was used last and is still open.
    pub(super) fn take(&self, host: &Host) -> Option<Box<Connection>> {
        loop {
            let shelf = self.shelf();
            let mut connection = {
                let mut all = shelf.connections.lock().unwrap_or_else(PoisonError::into_inner);
                all.get_mut(host)?.pop()?
            };
            let idle = connection.idle_since.elapsed();
            if idle < STALE || (idle < self.kept && connection.is_open()) {
                return Some(connection);
            }
        }
    }

    pub(super) fn put(&self, host: &Host, mut connection: Box<Connection>) {
        connection.idle_since = Instant::now();
        let shelf = self.shelf();
        let mut ended = Vec::new();
        {
            let mut all = shelf.connections.lock().unwrap_or_else(PoisonError::into_inner);
            let of_host = match all.get_mut(host) {
                Some(of_host) => of_host,
                None => all.entry(host.clone()).or_default(),
            };
            // The first has been idle for the longest time.
            let surplus = (of_host.len() + 1).saturating_sub(self.most);
            let old = of_host.iter().take_while(|c| c.idle_since.elapsed() > self.kept).count();
            ended.extend(of_host.drain(..surplus.max(old).min(of_host.len())));
            if self.most > 0 {
                of_host.push(connection);
            }
        }
        drop(ended);
    }
}
