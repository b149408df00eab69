//! Other clusters: their aliases and ids.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use holdall_ais_wire::Bck;
use holdall_ais_wire::cluster::Smap;
use holdall_store::Store;
use serde_json::{Value, json};

use super::Engine;
use crate::error::{Error, ErrorKind, Result};

/// The fact that holds clusters attached while the server ran.
const ATTACHED: &str = "remote-clusters";
/// Time for another cluster to tell who it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clusters that were attached while the server ran, and ids of all as far as they are known.
#[derive(Default)]
pub(super) struct Clusters {
    attached: RwLock<Option<BTreeMap<String, String>>>,
    /// Ids by alias.
    ids: RwLock<BTreeMap<String, String>>,
}

impl Engine {
    /// Clusters by alias, with their settings.
    fn clusters(&self) -> Result<BTreeMap<String, Vec<(String, String)>>> {
        let mut all = self.backends().clusters().clone();
        for (alias, url) in self.attached()? {
            all.insert(alias, vec![("endpoint".to_owned(), url)]);
        }
        Ok(all)
    }

    fn attached(&self) -> Result<BTreeMap<String, String>> {
        let known = &self.remotes().clusters.attached;
        if let Some(known) = &*known.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(known.clone());
        }
        let stored = match self.storage().meta().fact(ATTACHED)? {
            Some(bytes) => serde_json::from_slice(&bytes)?,
            None => BTreeMap::new(),
        };
        *known.write().unwrap_or_else(PoisonError::into_inner) = Some(stored.clone());
        Ok(stored)
    }

    async fn set_attached(&self, all: BTreeMap<String, String>) -> Result<()> {
        let bytes = serde_json::to_vec(&all)?;
        self.storage().meta().write(move |tx| tx.put_fact(ATTACHED, &bytes)).await?;
        let known = &self.remotes().clusters.attached;
        *known.write().unwrap_or_else(PoisonError::into_inner) = Some(all);
        Ok(())
    }

    /// Attaches another cluster under an alias.
    ///
    /// # Errors
    ///
    /// When it does not answer, or this server may not reach other clusters.
    pub async fn attach_cluster(&self, alias: &str, url: &str) -> Result<()> {
        if !self.backends().reaches_clusters() {
            return Err(no_clusters());
        }
        let good = !alias.is_empty()
            && alias.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !good {
            return Err(Error::invalid(format!(
                "invalid alias {alias:?} of a remote cluster: expecting letters, digits, dashes and underscores"
            )));
        }
        let id = ask_id(url).await?;
        if id == self.identity().uuid {
            return Err(Error::invalid(format!("cannot attach {url}: it is this very cluster")));
        }
        let mut all = self.attached()?;
        all.insert(alias.to_owned(), url.trim_end_matches('/').to_owned());
        self.set_attached(all).await?;
        self.learn(alias, &id);
        Ok(())
    }

    /// Forgets a cluster that was attached.
    ///
    /// # Errors
    ///
    /// When there is none of this alias.
    pub async fn detach_cluster(&self, alias: &str) -> Result<()> {
        let mut all = self.attached()?;
        if all.remove(alias).is_none() {
            let text =
                format!("remote cluster \"{alias}\" does not exist, or was attached by an option");
            return Err(Error::not_found(text));
        }
        self.remotes().stores.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.set_attached(all).await
    }

    /// The clusters, as AIStore tells them.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn remote_clusters(&self) -> Result<Value> {
        let mut all = Vec::new();
        for (alias, settings) in self.clusters()? {
            let url = endpoint(&settings).to_owned();
            let id = match self.id_of(&alias) {
                Some(id) => Some(id),
                None => ask_id(&url).await.ok(),
            };
            if let Some(id) = &id {
                self.learn(&alias, id);
            }
            all.push(
                json!({"url": url, "alias": alias, "uuid": id.unwrap_or_default(), "tmap": {}}),
            );
        }
        Ok(json!({"a": all, "ver": 1}))
    }

    fn learn(&self, alias: &str, id: &str) {
        let mut ids = self.remotes().clusters.ids.write().unwrap_or_else(PoisonError::into_inner);
        ids.insert(alias.to_owned(), id.to_owned());
    }

    fn id_of(&self, alias: &str) -> Option<String> {
        let ids = self.remotes().clusters.ids.read().unwrap_or_else(PoisonError::into_inner);
        ids.get(alias).cloned()
    }

    /// The bucket as it is kept: a bucket of another cluster under the alias of that, whichever way it was named.
    pub(in crate::engine) async fn canonical<'a>(&self, bck: &'a Bck) -> Result<Cow<'a, Bck>> {
        if !bck.is_remote_ais() {
            return Ok(Cow::Borrowed(bck));
        }
        let all = self.clusters()?;
        if all.is_empty() {
            return Err(no_clusters());
        }
        if all.contains_key(&bck.namespace.uuid) {
            return Ok(Cow::Borrowed(bck));
        }
        for (alias, settings) in &all {
            let id = match self.id_of(alias) {
                Some(id) => id,
                None => match ask_id(endpoint(settings)).await {
                    Ok(id) => {
                        self.learn(alias, &id);
                        id
                    }
                    Err(_) => continue,
                },
            };
            if id == bck.namespace.uuid {
                let mut named = bck.clone();
                named.namespace.uuid.clone_from(alias);
                return Ok(Cow::Owned(named));
            }
        }
        Err(Error::no_bucket(bck))
    }

    /// The bucket as it is kept, as far as that is known without asking anybody.
    pub(in crate::engine) fn canonical_now<'a>(&self, bck: &'a Bck) -> Cow<'a, Bck> {
        if !bck.is_remote_ais() {
            return Cow::Borrowed(bck);
        }
        let ids = self.remotes().clusters.ids.read().unwrap_or_else(PoisonError::into_inner);
        match ids.iter().find(|(_, id)| **id == bck.namespace.uuid) {
            Some((alias, _)) => {
                let mut named = bck.clone();
                named.namespace.uuid.clone_from(alias);
                Cow::Owned(named)
            }
            None => Cow::Borrowed(bck),
        }
    }

    /// Opens the store of a bucket of another cluster.
    pub(super) fn open_cluster(&self, bck: &Bck) -> Result<Store> {
        let all = self.clusters()?;
        let settings = all.get(&bck.namespace.uuid).ok_or_else(no_clusters)?;
        self.backends().open_ais(bck, settings)
    }
}

fn no_clusters() -> Error {
    Error::invalid("no remote ais clusters attached")
}

fn endpoint(settings: &[(String, String)]) -> &str {
    settings.iter().find(|(key, _)| key == "endpoint").map_or("", |(_, url)| url.as_str())
}

/// The id that the cluster at this URL has.
async fn ask_id(url: &str) -> Result<String> {
    let failed = |detail: String| {
        Error::new(ErrorKind::Invalid, format!("remote cluster at {url} does not answer: {detail}"))
    };
    let client =
        reqwest::Client::builder().timeout(PATIENCE).build().map_err(|e| failed(e.to_string()))?;
    let ask = client.get(format!("{}/v1/daemon?what=smap", url.trim_end_matches('/'))).send();
    let reply = ask.await.map_err(|e| failed(e.without_url().to_string()))?;
    let bytes = reply.bytes().await.map_err(|e| failed(e.without_url().to_string()))?;
    let smap: Smap = serde_json::from_slice(&bytes)
        .map_err(|_| failed("what it says is no cluster map of AIStore".to_owned()))?;
    Ok(smap.uuid)
}
