//! ETL: transformers of objects.

use std::collections::BTreeMap;
use std::time::Duration;

use holdall_ais_wire::etl::{Details, Info, InitMsg, Logs};
use holdall_ais_wire::query;
use http::Method;

use crate::call::{Call, encode_path};
use crate::client::Client;
use crate::error::Result;
use crate::job::Job;

/// How to transform on the way: names of ETLs, and arguments of the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EtlOptions {
    /// The ETL.
    pub name: String,
    /// ETLs that follow.
    pub pipeline: Vec<String>,
    /// Arguments, as text; a JSON object without spaces.
    pub args: String,
}

impl EtlOptions {
    /// One ETL without arguments.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    pub(crate) fn query(&self) -> Vec<(String, String)> {
        let mut pairs = vec![(query::ETL_NAME.to_owned(), self.name.clone())];
        if !self.pipeline.is_empty() {
            pairs.push((query::ETL_PIPELINE.to_owned(), self.pipeline.join(",")));
        }
        if !self.args.is_empty() {
            pairs.push((query::ETL_ARGS.to_owned(), self.args.clone()));
        }
        pairs
    }
}

/// An ETL by its name.
#[derive(Debug, Clone)]
pub struct Etl {
    client: Client,
    name: String,
}

impl Etl {
    pub(crate) fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn call(&self, operation: &'static str, method: Method, below: &str) -> Call {
        let path = format!("/v1/etl/{}{below}", encode_path(&self.name));
        Call::new(operation, self.name.clone(), method, path)
    }

    /// Starts a new ETL. Waits for the transformer as long as the message's `init_timeout` says.
    ///
    /// # Errors
    /// [`EtlExists`](crate::ErrorKind::EtlExists); [`NotSupported`](crate::ErrorKind::NotSupported) where there is no
    /// Kubernetes.
    pub async fn init(&self, message: &InitMsg) -> Result<Job> {
        let message = InitMsg { name: self.name.clone(), ..message.clone() };
        let mut call =
            Call::new("init ETL", self.name.clone(), Method::PUT, "/v1/etl").json(&message);
        let limit = holdall_ais_wire::value::parse_duration(&message.init_timeout);
        call.timeout = limit.ok().filter(|limit| *limit > Duration::ZERO);
        call.idempotent = false;
        let id = self.client.transport.text(&call).await?;
        Ok(self.client.job(id, "etl-inline"))
    }

    /// How it was made, and which objects it could not transform; `job` may be empty.
    ///
    /// # Errors
    /// [`EtlNotFound`](crate::ErrorKind::EtlNotFound).
    pub async fn view(&self, job: &str) -> Result<Details> {
        let call = self.call("view ETL", Method::GET, "").query(query::UUID, job);
        self.client.transport.json(&call).await
    }

    /// Starts it again.
    ///
    /// # Errors
    /// [`EtlNotFound`](crate::ErrorKind::EtlNotFound).
    pub async fn start(&self) -> Result<()> {
        self.client.transport.fetch(&self.call("start ETL", Method::POST, "/start")).await.map(drop)
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`EtlNotFound`](crate::ErrorKind::EtlNotFound).
    pub async fn stop(&self) -> Result<()> {
        self.client.transport.fetch(&self.call("stop ETL", Method::POST, "/stop")).await.map(drop)
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`EtlNotFound`](crate::ErrorKind::EtlNotFound).
    pub async fn delete(&self) -> Result<()> {
        self.client.transport.fetch(&self.call("delete ETL", Method::DELETE, "")).await.map(drop)
    }

    /// What the transformers printed: by target, or of one.
    ///
    /// # Errors
    /// [`EtlNotFound`](crate::ErrorKind::EtlNotFound).
    pub async fn logs(&self, target: &str) -> Result<BTreeMap<String, String>> {
        use base64::Engine as _;
        let below = match target {
            "" => "/logs".to_owned(),
            target => format!("/logs/{}", encode_path(target)),
        };
        let value: serde_json::Value =
            self.client.transport.json(&self.call("ETL logs", Method::GET, &below)).await?;
        // Of one target, servers send one, or a list of one.
        let list = match value {
            serde_json::Value::Array(list) => list,
            one => vec![one],
        };
        let logs = list.into_iter().filter_map(|v| serde_json::from_value::<Logs>(v).ok());
        let text = |logs: &str| {
            let bytes = base64::prelude::BASE64_STANDARD.decode(logs).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok(logs.map(|logs| (logs.target_id, text(&logs.logs))).collect())
    }
}

impl Client {
    /// All ETLs.
    ///
    /// # Errors
    /// [`NotSupported`](crate::ErrorKind::NotSupported) where there is no Kubernetes.
    pub async fn list_etls(&self) -> Result<Vec<Info>> {
        let call = Call::new("list ETLs", "", Method::GET, "/v1/etl");
        Ok(self.transport.json::<Option<Vec<Info>>>(&call).await?.unwrap_or_default())
    }
}
