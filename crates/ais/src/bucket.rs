//! Buckets.

use std::time::Duration;

use holdall_ais_wire::action::{ActMsg, names};
use holdall_ais_wire::multi::{BucketCopyMsg, CopyMsg, EtlMsg};
use holdall_ais_wire::props::BucketProps;
use holdall_ais_wire::summary::{Summary, SummaryMsg};
use holdall_ais_wire::{Bck, header, query};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::group::{ObjectGroup, Selection};
use crate::job::{Job, Pause};
use crate::object::Object;
use crate::store::AisStore;

/// A bucket of a cluster. A cheap handle: that there is such a bucket shows when something is done.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(crate) client: Client,
    pub(crate) bck: Bck,
}

/// What [`Bucket::info`] tells.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketInfo {
    /// The properties as JSON, as the server sent them.
    pub props: String,
    /// The summary; none when the server made none.
    pub summary: Option<Summary>,
}

impl Bucket {
    pub(crate) fn new(client: Client, bck: Bck) -> Self {
        Self { client, bck }
    }

    /// Name, provider and namespace.
    pub fn bck(&self) -> &Bck {
        &self.bck
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// An object.
    pub fn object(&self, name: impl Into<String>) -> Object {
        Object::new(self.clone(), name.into())
    }

    /// Many objects, for operations that run as jobs.
    pub fn objects(&self, selection: Selection) -> ObjectGroup {
        ObjectGroup::new(self.clone(), selection)
    }

    /// The bucket as an object store.
    pub fn as_store(&self) -> holdall_store::Store {
        holdall_store::Store::new(std::sync::Arc::new(AisStore::new(self.clone())))
    }

    pub(crate) fn call(&self, operation: &'static str, method: Method) -> Call {
        let path = format!("/v1/buckets/{}", crate::call::encode_path(&self.bck.name));
        Call::new(operation, self.bck.cname(), method, path).bck(&self.bck)
    }

    pub(crate) async fn job(&self, call: &Call, kind: &str) -> Result<Job> {
        let id = self.client.transport.text(call).await?;
        Ok(self.client.job(id, kind))
    }

    /// Makes the bucket, with these properties changed from the defaults (`null` for none); a bucket of a cloud
    /// becomes known to the cluster.
    ///
    /// # Errors
    /// [`ErrorKind::BucketExists`].
    pub async fn create(&self, props: Value) -> Result<()> {
        let call = self.call("create bucket", Method::POST).action(names::CREATE_BCK, &props);
        self.client.transport.fetch(&call).await.map(drop)
    }

    /// The same, where a bucket that is there already is fine. Whether it was made.
    ///
    /// # Errors
    /// Those of the server but [`ErrorKind::BucketExists`].
    pub async fn create_if_missing(&self, props: Value) -> Result<bool> {
        match self.create(props).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BucketExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes the bucket and all in it.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`].
    pub async fn delete(&self) -> Result<()> {
        let call =
            self.call("delete bucket", Method::DELETE).action(names::DESTROY_BCK, &Value::Null);
        self.client.transport.fetch(&call).await.map(drop)
    }

    /// Renames the bucket. The job moves the objects; this handle keeps the old name.
    ///
    /// # Errors
    /// [`ErrorKind::BucketExists`], [`ErrorKind::BucketNotFound`].
    pub async fn rename(&self, to: &str) -> Result<Job> {
        let target = Bck { name: to.to_owned(), ..self.bck.clone() };
        let call = self
            .call("rename bucket", Method::POST)
            .query(query::BCK_TO, target.uname(""))
            .action(names::MOVE_BCK, &Value::Null);
        self.job(&call, "move-bck").await
    }

    /// Removes what the cluster holds of a remote bucket; with `keep_md`, it still knows the bucket.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for buckets that are not remote.
    pub async fn evict(&self, keep_md: bool) -> Result<()> {
        let call = self
            .call("evict bucket", Method::DELETE)
            .query(query::KEEP_MD, keep_md.to_string())
            .action(names::EVICT_REMOTE_BCK, &Value::Null);
        self.client.transport.fetch(&call).await.map(drop)
    }

    /// The headers that the server answers a HEAD with.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`].
    pub async fn head(&self) -> Result<HeaderMap> {
        let call = self.call("head bucket", Method::HEAD);
        Ok(self.client.transport.fetch(&call).await?.0)
    }

    /// The properties.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`]; [`ErrorKind::Corrupt`] when they cannot be read.
    pub async fn props(&self) -> Result<BucketProps> {
        let headers = self.head().await?;
        let text =
            headers.get(header::BUCKET_PROPS).and_then(|v| v.to_str().ok()).unwrap_or_default();
        serde_json::from_str(text).map_err(|e| {
            Error::new(
                ErrorKind::Corrupt,
                "head bucket",
                self.bck.cname(),
                format!("the properties cannot be read: {e}"),
            )
        })
    }

    /// Changes properties: nested objects, of which what is not named stays. The id of the job, where it takes one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for properties that cannot be.
    pub async fn set_props(&self, changes: &Value) -> Result<String> {
        let call = self.call("set properties", Method::PATCH).action(names::SET_BPROPS, changes);
        self.client.transport.text(&call).await
    }

    /// Sets all properties back to the cluster's defaults.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`].
    pub async fn reset_props(&self) -> Result<String> {
        let call =
            self.call("reset properties", Method::PATCH).action(names::RESET_BPROPS, &Value::Null);
        self.client.transport.text(&call).await
    }

    /// Copies all objects, or those with [`CopyMsg::prefix`], into another bucket, which is made when it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a copy onto itself.
    pub async fn copy(&self, to: &Bucket, options: &CopyMsg) -> Result<Job> {
        let message = BucketCopyMsg { copy: options.clone(), etl: EtlMsg::default() };
        let mut value = serde_json::to_value(message).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            ["id", "request_timeout", "pipeline"].iter().for_each(|key| drop(fields.remove(*key)));
        }
        let call = self
            .call("copy bucket", Method::POST)
            .query(query::BCK_TO, to.bck.uname(""))
            .action(names::COPY_BCK, &value);
        self.job(&call, "copy-bck").await
    }

    /// Transforms all objects into another bucket.
    ///
    /// # Errors
    /// [`ErrorKind::EtlNotFound`].
    pub async fn transform(&self, to: &Bucket, etl: &EtlMsg, options: &CopyMsg) -> Result<Job> {
        let message = BucketCopyMsg { copy: options.clone(), etl: etl.clone() };
        let call = self
            .call("transform bucket", Method::POST)
            .query(query::BCK_TO, to.bck.uname(""))
            .action(names::ETL_BCK, &message);
        self.job(&call, "etl-bck").await
    }

    /// Counts objects and bytes; `None` for `message.uuid` starts. Waits for the end.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`].
    pub async fn summary(&self, prefix: &str, cached: bool, present: bool) -> Result<Summary> {
        let message =
            |uuid: String| SummaryMsg { uuid, prefix: prefix.to_owned(), cached, present };
        let ask = |uuid: String| {
            self.call("summary", Method::GET).action(names::SUMMARY_BCK, &message(uuid))
        };
        let (_, status, id) = self.client.transport.fetch(&ask(String::new())).await?;
        let unexpected = |status: StatusCode| {
            let detail = format!("the server answered {status} while it counted");
            Error::new(ErrorKind::Corrupt, "summary", self.bck.cname(), detail)
        };
        if status != StatusCode::ACCEPTED {
            return Err(unexpected(status));
        }
        let call = ask(String::from_utf8_lossy(&id).trim().to_owned());
        let mut pause = Pause::new(Duration::from_secs(10));
        loop {
            let (_, status, body) = self.client.transport.fetch(&call).await?;
            match status {
                StatusCode::OK => {
                    let found: Vec<Summary> = serde_json::from_slice(&body)
                        .map_err(|e| call.error(ErrorKind::Corrupt, e.to_string()))?;
                    let first = found.into_iter().next();
                    return first.ok_or_else(|| call.error(ErrorKind::Corrupt, "it is empty"));
                }
                StatusCode::ACCEPTED | StatusCode::PARTIAL_CONTENT => pause.wait().await,
                other => return Err(unexpected(other)),
            }
        }
    }

    /// Properties and summary, by the server's own way for them. `presence` is 0 to 5: which objects count.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`].
    pub async fn info(&self, presence: u8, remote: bool, prefix: &str) -> Result<BucketInfo> {
        let ask = |prefix: &str| {
            let mut call = self
                .call("bucket info", Method::HEAD)
                .query(query::PRESENCE, presence.to_string())
                .query(query::BSUMM_REMOTE, remote.to_string());
            if !prefix.is_empty() {
                call.path = format!("{}/{}", call.path, crate::call::encode_path(prefix));
            }
            call
        };
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (mut headers, mut status, _) = self.client.transport.fetch(&ask(prefix)).await?;
        let id = text(&headers, header::XACTION_ID);
        let mut pause = Pause::new(Duration::from_secs(10));
        while matches!(status, StatusCode::ACCEPTED | StatusCode::PARTIAL_CONTENT) {
            pause.wait().await;
            let call = ask("").query(query::UUID, id.clone());
            (headers, status, _) = self.client.transport.fetch(&call).await?;
        }
        let summary = serde_json::from_str(&text(&headers, header::BUCKET_SUMM)).ok();
        Ok(BucketInfo { props: text(&headers, header::BUCKET_PROPS), summary })
    }

    /// Makes an inventory of a remote bucket: a list of its objects that listings read from.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for buckets that are not remote.
    pub async fn create_inventory(&self, options: &Value) -> Result<Job> {
        let call =
            self.call("create inventory", Method::POST).action(names::INVENTORY_CREATE, options);
        self.job(&call, "create-inventory").await
    }

    /// Removes an inventory, or all when `name` is empty.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn destroy_inventory(&self, name: &str) -> Result<()> {
        let call = self
            .call("destroy inventory", Method::DELETE)
            .json(&named(names::INVENTORY_DESTROY, name));
        self.client.transport.fetch(&call).await.map(drop)
    }

    /// What inventories there are, by the names of their objects: one, or all when `name` is empty.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn show_inventory(&self, name: &str) -> Result<Value> {
        let call =
            self.call("show inventory", Method::GET).json(&named(names::INVENTORY_SHOW, name));
        self.client.transport.json(&call).await
    }
}

fn named(action: &str, name: &str) -> ActMsg {
    ActMsg { name: name.to_owned(), ..ActMsg::new(action, Value::Null) }
}
