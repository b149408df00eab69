//! Buckets become known when they are used: whoever names a bucket of a backend that has it can go on.

use holdall_ais_wire::bucket::{Bck, Provider};
use holdall_ais_wire::name::check_bucket;
use holdall_ais_wire::props::BucketProps;
use holdall_store::object_store::list::PaginatedListOptions;
use serde_json::{Value, json};

use super::{Remote, backends};
use crate::engine::{Bucket, Engine, Severity, now};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::BucketRecord;

/// How a bucket that is not known is treated.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Whether the backend is asked for it. Default true.
    pub look: bool,
    /// Whether it is remembered. Default true.
    pub remember: bool,
    /// Whether only known ones are meant. Default false.
    pub known_only: bool,
    /// The URL that a bucket of `ht` stands for.
    pub original_url: Option<String>,
}

impl Default for Admission {
    fn default() -> Self {
        Self { look: true, remember: true, known_only: false, original_url: None }
    }
}

impl Engine {
    /// The bucket; one of a backend that is not known yet becomes known.
    ///
    /// # Errors
    ///
    /// When there is no such bucket, here or there; those of the backend.
    pub async fn admit(&self, bck: &Bck, how: &Admission) -> Result<Bucket> {
        let bck = &*self.canonical(bck).await?;
        match self.bucket(bck) {
            Err(_) if bck.is_remote() && !how.known_only => {}
            found => return found,
        }
        check_bucket(&bck.name)?;
        let mut props = remote_props(bck);
        if let Some(url) = &how.original_url {
            props.extra["http"] = json!({"original_url": url});
        }
        let unknown = bck.provider == Provider::Ht && backends::original_url(&props).is_none();
        if unknown {
            return Err(Error::no_bucket(bck));
        }
        if how.look {
            self.look(bck, &props).await?;
        } else {
            self.remote_of(bck, &props)?;
        }
        let record = BucketRecord { bck: bck.clone(), props };
        if !how.remember {
            return Ok(Bucket::passing(record));
        }
        match self.add_bucket(record).await {
            // Another request was faster.
            Err(error) if error.kind() == ErrorKind::Conflict => self.bucket(bck),
            added => added,
        }
    }

    /// Adds a bucket of a backend with properties of its own.
    ///
    /// # Errors
    ///
    /// When the backend does not have it, or it is known already.
    pub(in crate::engine) async fn create_remote(
        &self,
        bck: &Bck,
        changes: &Value,
        look: bool,
    ) -> Result<Bucket> {
        let bck = &*self.canonical(bck).await?;
        let mut props = remote_props(bck);
        if !changes.is_null() {
            props = props.updated(changes).map_err(|e| Error::invalid(e.to_string()))?;
        }
        if self.bucket(bck).is_ok() {
            return Err(super::super::bucket::already_exists(bck));
        }
        let looked = match look {
            true => self.look(bck, &props).await,
            false => self.remote_of(bck, &props).map(drop),
        };
        looked.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::unsupported(format!(
                "cannot create bucket \"{bck}\": {error}, and buckets of backends are made with their own tools"
            )),
            _ => error,
        })?;
        self.add_bucket(BucketRecord { bck: bck.clone(), props }).await
    }

    async fn add_bucket(&self, record: BucketRecord) -> Result<Bucket> {
        let bucket = self.insert_bucket(record).await?;
        self.log().add(Severity::Info, format!("added bucket {}", bucket.bck()));
        Ok(bucket)
    }

    /// Asks the backend whether it has the bucket.
    pub(in crate::engine) async fn look(&self, bck: &Bck, props: &BucketProps) -> Result<()> {
        let Remote { store, provider } = self.remote_of(bck, props)?;
        // Whether an HTTP server has a page for its root says nothing of what is below.
        if provider == Provider::Ht {
            return Ok(());
        }
        let Some(listing) = store.provider().paginated() else { return Ok(()) };
        let options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
        let Err(error) = listing.list_paginated(None, options).await else { return Ok(()) };
        let error = store.error("look for", &Default::default(), error);
        let bucket = Bucket::passing(BucketRecord { bck: bck.clone(), props: props.clone() });
        let is_missing = error.kind() == holdall_store::ErrorKind::NotFound
            || matches!(error.status(), Some(400 | 404));
        Err(match is_missing {
            true => Error::no_bucket(bck).with_source(error),
            false => self.backend_error(&bucket, "", &error),
        })
    }
}

/// Properties of a bucket that a backend has.
fn remote_props(bck: &Bck) -> BucketProps {
    let mut props = BucketProps::new(bck, 0, now());
    // Versions are the backend's.
    props.versioning.enabled = false;
    props
}
