//! The cluster: its map, nodes, buckets and jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use holdall_ais_wire::action::names;
use holdall_ais_wire::cluster::Smap;
use holdall_ais_wire::job::{JobArgs, JobStatus};
use holdall_ais_wire::{Bck, Provider, header, query};
use http::{HeaderName, Method};
use serde_json::Value;
use url::Url;

use crate::call::Call;
use crate::client::Client;
use crate::error::{ErrorKind, Result};

/// Which nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// Proxies and targets.
    All,
    /// Proxies.
    Proxies,
    /// Targets.
    Targets,
}

/// The cluster of a client.
#[derive(Debug, Clone)]
pub struct Cluster {
    client: Client,
}

impl Cluster {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    fn call(&self, operation: &'static str, path: &str) -> Call {
        Call::new(operation, self.client.endpoint().as_str(), Method::GET, path)
    }

    /// The cluster map, as it is now.
    ///
    /// # Errors
    /// Those of the request.
    pub async fn info(&self) -> Result<Arc<Smap>> {
        self.client.smap(true).await
    }

    /// URL of the primary proxy.
    ///
    /// # Errors
    /// Those of the request.
    pub async fn primary_url(&self) -> Result<String> {
        Ok(self.info().await?.proxy_si.public_net.direct_url.clone())
    }

    /// The buckets of a provider, or of all.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn list_buckets(&self, provider: Option<Provider>) -> Result<Vec<Bck>> {
        let name = provider.map_or("", Provider::as_str);
        let call = self
            .call("list buckets", "/v1/buckets")
            .query(query::PROVIDER, name)
            .action(names::LIST, &Value::Null);
        Ok(self.client.transport.json::<Option<Vec<Bck>>>(&call).await?.unwrap_or_default())
    }

    /// Jobs of a kind, on a node; either may be empty for all.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn list_jobs(&self, kind: &str, node: &str) -> Result<Vec<JobStatus>> {
        let call = self.jobs_call("status_all", kind, node, false);
        Ok(self.client.transport.json::<Option<Vec<JobStatus>>>(&call).await?.unwrap_or_default())
    }

    /// Running jobs as `kind[id]`.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn list_running_jobs(&self, kind: &str, node: &str) -> Result<Vec<String>> {
        let call = self.jobs_call("running_all", kind, node, true);
        Ok(self.client.transport.json::<Option<Vec<String>>>(&call).await?.unwrap_or_default())
    }

    fn jobs_call(&self, what: &str, kind: &str, node: &str, active: bool) -> Call {
        let args = JobArgs {
            kind: kind.to_owned(),
            node: node.to_owned(),
            show_active: Some(active),
            ..JobArgs::default()
        };
        self.call("list jobs", "/v1/cluster").query(query::WHAT, what).json(&args)
    }

    /// Whether the primary proxy is ready. One attempt.
    pub async fn is_ready(&self) -> bool {
        let ready = async {
            let primary = Url::parse(&self.primary_url().await?).ok();
            let mut config = self.client.config().clone();
            config.retry.max_retries = 0;
            if let Some(primary) = primary {
                config.endpoint = primary.to_string();
            }
            let client = Client::new(config)?;
            client.set_token(self.client.token());
            let call = self.call("health", "/v1/health").query(query::PRIMARY_READY, "true");
            client.transport.fetch(&call).await
        };
        ready.await.is_ok()
    }

    fn node_call(&self, operation: &'static str, node: &str, what: &str) -> Result<Call> {
        self.call(operation, "/v1/reverse/daemon")
            .query(query::WHAT, what)
            .header(HeaderName::from_static(header::NODE_ID), node)
    }

    /// What each target tells of itself, as it came.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn performance(&self) -> Result<BTreeMap<String, Value>> {
        let mut all = BTreeMap::new();
        for id in self.info().await?.tmap.keys() {
            all.insert(id.clone(), self.node_status(id).await?);
        }
        Ok(all)
    }

    /// What a node tells of itself, as it came; servers before 4.0 are asked in their own way.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for nodes that are none.
    pub async fn node_status(&self, node: &str) -> Result<Value> {
        let status = self.node_call("node status", node, "node_status")?;
        match self.client.transport.json(&status).await {
            Err(error)
                if error.kind() == ErrorKind::InvalidArgument
                    && error.detail().contains("what=node_status") =>
            {
                self.client.transport.json(&self.node_call("node status", node, "status")?).await
            }
            done => done,
        }
    }

    /// The log of a node from this severity on: `info`, `warning` or `error`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for nodes that are none and logs that are not kept.
    pub async fn node_log(&self, node: &str, severity: &str) -> Result<String> {
        let call = self.node_call("node log", node, "log")?.query(query::SEVERITY, severity);
        let (_, _, body) = self.client.transport.fetch(&call).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// All logs of a node as a tar.gz.
    ///
    /// # Errors
    /// As [`Self::node_log`].
    pub async fn node_log_archive(&self, node: &str, severity: &str) -> Result<Bytes> {
        let call = self
            .node_call("node logs", node, "log")?
            .query(query::SEVERITY, severity)
            .query(query::ALL, "true");
        Ok(self.client.transport.fetch(&call).await?.2)
    }

    /// The logs of nodes, by their ids.
    ///
    /// # Errors
    /// As [`Self::node_log`].
    pub async fn logs(&self, severity: &str, nodes: Nodes) -> Result<BTreeMap<String, String>> {
        let map = self.info().await?;
        let proxies = map.pmap.keys().filter(|_| nodes != Nodes::Targets);
        let targets = map.tmap.keys().filter(|_| nodes != Nodes::Proxies);
        let mut logs = BTreeMap::new();
        for id in proxies.chain(targets) {
            logs.insert(id.clone(), self.node_log(id, severity).await?);
        }
        Ok(logs)
    }
}
