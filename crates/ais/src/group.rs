//! Operations on many objects, which run as jobs.

use holdall_ais_wire::action::names;
pub use holdall_ais_wire::multi::Selection;
use holdall_ais_wire::multi::{ArchiveMsg, CopyMsg, EtlMsg, EvdMsg, ObjectsCopyMsg, PrefetchMsg};
use holdall_ais_wire::template::Template;
use http::Method;
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::error::{Error, ErrorKind, Result};
use crate::job::Job;

/// Names, or a template of names, in a bucket.
#[derive(Debug, Clone)]
pub struct ObjectGroup {
    bucket: Bucket,
    selection: Selection,
}

impl ObjectGroup {
    pub(crate) fn new(bucket: Bucket, selection: Selection) -> Self {
        Self { bucket, selection }
    }

    /// The bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The names, as far as they can be told without the server: a list, or a template of ranges.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for templates that are prefixes or open, and for those that are none.
    pub fn names(&self) -> Result<Vec<String>> {
        if self.selection.is_list() {
            return Ok(self.selection.objnames.clone());
        }
        let wrong = |detail: String| {
            Error::new(
                ErrorKind::InvalidArgument,
                "expand",
                self.selection.template.clone(),
                detail,
            )
        };
        match Template::parse(&self.selection.template).map_err(|e| wrong(e.to_string()))? {
            Template::Ranges(ranges) if !ranges.is_open() => Ok(ranges.names().collect()),
            _ => Err(wrong("only the server knows which names these are".to_owned())),
        }
    }

    async fn run(
        &self,
        operation: &'static str,
        method: Method,
        action: &str,
        value: &impl serde::Serialize,
    ) -> Result<Vec<Job>> {
        let call = self.bucket.call(operation, method).action(action, value);
        let ids = self.bucket.client.transport.text(&call).await?;
        // Targets may answer with several jobs.
        Ok(ids.split(',').map(|id| self.bucket.client.job(id.trim(), action)).collect())
    }

    async fn run_one(
        &self,
        operation: &'static str,
        method: Method,
        action: &str,
        value: &impl serde::Serialize,
    ) -> Result<Job> {
        let call = self.bucket.call(operation, method).action(action, value);
        self.bucket.job(&call, action).await
    }

    /// Deletes the objects.
    ///
    /// # Errors
    /// Those of the server; what becomes of single objects is the job's to tell.
    pub async fn delete(&self) -> Result<Job> {
        let value = EvdMsg { selection: self.selection.clone(), ..EvdMsg::default() };
        self.run_one("delete objects", Method::DELETE, names::DELETE_OBJECTS, &value).await
    }

    /// Removes what the cluster holds of the objects of a remote bucket.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for buckets that are not remote.
    pub async fn evict(&self) -> Result<Job> {
        let value = EvdMsg { selection: self.selection.clone(), ..EvdMsg::default() };
        self.run_one("evict objects", Method::DELETE, names::EVICT_OBJECTS, &value).await
    }

    /// Fetches the objects of a remote bucket into the cluster. The selection in `options` is replaced by this one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for buckets that are not remote.
    pub async fn prefetch(&self, options: &PrefetchMsg) -> Result<Job> {
        let value = PrefetchMsg { selection: self.selection.clone(), ..options.clone() };
        self.run_one("prefetch objects", Method::POST, names::PREFETCH, &value).await
    }

    /// Copies the objects into another bucket, which is made when it is missing.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn copy(&self, to: &Bucket, options: &CopyMsg) -> Result<Vec<Job>> {
        let message = ObjectsCopyMsg {
            selection: self.selection.clone(),
            copy: options.clone(),
            etl: EtlMsg::default(),
            tobck: to.bck().clone(),
        };
        let mut value = serde_json::to_value(message).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            ["id", "request_timeout", "pipeline"].iter().for_each(|key| drop(fields.remove(*key)));
            fields.insert("coer".to_owned(), json!(options.coer));
        }
        self.run("copy objects", Method::POST, names::COPY_OBJECTS, &value).await
    }

    /// Transforms the objects into another bucket.
    ///
    /// # Errors
    /// [`ErrorKind::EtlNotFound`].
    pub async fn transform(&self, to: &Bucket, etl: &EtlMsg, options: &CopyMsg) -> Result<Job> {
        let value = ObjectsCopyMsg {
            selection: self.selection.clone(),
            copy: options.clone(),
            etl: etl.clone(),
            tobck: to.bck().clone(),
        };
        self.run_one("transform objects", Method::POST, names::ETL_OBJECTS, &value).await
    }

    /// Packs the objects into an archive. Selection and bucket of `options` are replaced: the selection by this one, the
    /// bucket by `to`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the name or the format of the archive cannot be.
    pub async fn archive(&self, to: &Bucket, options: &ArchiveMsg) -> Result<Vec<Job>> {
        let value = ArchiveMsg {
            selection: self.selection.clone(),
            tobck: to.bck().clone(),
            ..options.clone()
        };
        self.run("archive objects", Method::PUT, names::ARCHIVE, &value).await
    }

    /// The value that the server gets to know the selection by, for requests of one's own.
    pub fn as_value(&self) -> Value {
        serde_json::to_value(&self.selection).unwrap_or_default()
    }
}
