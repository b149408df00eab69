//! dSort: shards sorted into new shards.

use std::time::{Duration, Instant};

use holdall_ais_wire::dsort::{JobInfo, JobInfos};
use holdall_ais_wire::query;
use http::Method;
use serde::Serialize;

use crate::call::Call;
use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::job::Pause;

/// A dSort job.
#[derive(Debug, Clone)]
pub struct Dsort {
    client: Client,
    id: String,
}

impl Dsort {
    pub(crate) fn new(client: Client, id: impl Into<String>) -> Self {
        Self { client, id: id.into() }
    }

    /// The id; empty of a job that has not been started.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn call(&self, operation: &'static str, method: Method, path: &str) -> Call {
        Call::new(operation, self.id.clone(), method, path).query(query::UUID, &self.id)
    }

    /// Starts a job: a [`Spec`](holdall_ais_wire::dsort::Spec), or any JSON that the server understands.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for specifications that cannot be; [`ErrorKind::NotSupported`] where the server has
    /// no dSort.
    pub async fn start(&self, spec: &(impl Serialize + Sync)) -> Result<Self> {
        let call = Call::new("start dsort", "", Method::POST, "/v1/sort").json(spec);
        Ok(Self::new(self.client.clone(), self.client.transport.text(&call).await?))
    }

    /// Stops the job.
    ///
    /// # Errors
    /// [`ErrorKind::JobNotFound`].
    pub async fn abort(&self) -> Result<()> {
        let call = self.call("stop dsort", Method::DELETE, "/v1/sort/abort");
        self.client.transport.fetch(&call).await.map(drop)
    }

    /// Forgets a job that has ended.
    ///
    /// # Errors
    /// [`ErrorKind::JobNotFound`].
    pub async fn remove(&self) -> Result<()> {
        let call = self.call("remove dsort", Method::DELETE, "/v1/sort");
        self.client.transport.fetch(&call).await.map(drop)
    }

    /// How far each target is.
    ///
    /// # Errors
    /// [`ErrorKind::JobNotFound`].
    pub async fn info(&self) -> Result<JobInfos> {
        self.client.transport.json(&self.call("dsort", Method::GET, "/v1/sort")).await
    }

    /// Waits for the end on all targets, and tells how far they are then.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`]; [`ErrorKind::JobNotFound`].
    pub async fn wait(&self, timeout: Duration) -> Result<JobInfos> {
        let begin = Instant::now();
        let mut pause = Pause::new(Duration::from_secs(1));
        loop {
            let infos = self.info().await?;
            let metrics = || infos.values().filter_map(|info| info.metrics.as_ref());
            let aborted = infos.values().any(|info| info.aborted) || metrics().any(|m| m.aborted);
            let finished = metrics().count() == infos.len()
                && metrics().all(|metrics| metrics.shard_creation.phase.finished);
            if aborted || (finished && !infos.is_empty()) {
                return Ok(infos);
            }
            if begin.elapsed() >= timeout {
                let call = self.call("dsort", Method::GET, "/v1/sort");
                let detail = format!("it did not end within {timeout:?}");
                return Err(call.error(ErrorKind::Timeout, detail));
            }
            pause.wait().await;
        }
    }
}

impl Client {
    /// All dSort jobs whose description matches, or all.
    ///
    /// # Errors
    /// [`ErrorKind::NotSupported`] where the server has no dSort.
    pub async fn list_dsorts(&self, regex: &str, only_active: bool) -> Result<Vec<JobInfo>> {
        let call = Call::new("list dsorts", "", Method::GET, "/v1/sort")
            .query(query::REGEX, regex)
            .query(query::ONLY_ACTIVE, only_active.to_string());
        Ok(self.transport.json::<Option<Vec<JobInfo>>>(&call).await?.unwrap_or_default())
    }
}
