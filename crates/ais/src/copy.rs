//! Copies and renames of one object.
//!
//! A target of AIStore 5.0 that sends a copy to another target puts the new name into a URL as it is. `%` and `?` mean
//! something there, and so does `#` where a space is near: the copy arrives under another name, over what has that name,
//! and the reply says that all is well. Such copies go through this process; those that stay on their target are the
//! cluster's.

use holdall_ais_wire::action::{ActMsg, names};
use holdall_ais_wire::{hrw, query};
use holdall_store::transfer::Transfer;
use http::Method;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::etl::EtlOptions;
use crate::object::Object;

/// How to copy an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// Compare with the remote version first.
    pub latest: bool,
    /// Also delete what is gone remotely.
    pub sync: bool,
    /// Transform on the way.
    pub etl: Option<EtlOptions>,
}

impl Object {
    /// Copies the object inside the cluster. The other bucket must exist.
    ///
    /// # Errors
    /// [`ErrorKind::ObjectNotFound`], [`ErrorKind::BucketNotFound`]; [`ErrorKind::InvalidArgument`] for options with a new
    /// name that the cluster mistakes for another one.
    pub async fn copy(&self, to: &Object, options: &CopyOptions) -> Result<()> {
        match self.copy_astray(to, options).await? {
            true => Ok(()),
            false => self.copy_inside(to, options).await,
        }
    }

    /// Copies through this process what would arrive under another name if the cluster copied it; whether that is so.
    ///
    /// # Errors
    /// As [`copy`](Self::copy).
    pub async fn copy_astray(&self, to: &Object, options: &CopyOptions) -> Result<bool> {
        if !self.goes_astray(to).await {
            return Ok(false);
        }
        if *options != CopyOptions::default() {
            return Err(self.mistaken("copy", to));
        }
        let (one, other) = (self.bucket().as_store(), to.bucket().as_store());
        Transfer::default().copy(&one, &self.path()?, &other, &to.path()?).await?;
        Ok(true)
    }

    /// Lets the cluster copy, to a name that does not [go astray](Self::goes_astray).
    pub(crate) async fn copy_inside(&self, to: &Object, options: &CopyOptions) -> Result<()> {
        let mut call = self
            .call("copy", Method::PUT)
            .query(query::OBJECT_TO, to.uname())
            .query(query::LATEST, options.latest.to_string())
            .query(query::SYNC, options.sync.to_string());
        if let Some(etl) = &options.etl {
            call.query.extend(etl.query());
        }
        self.transport().fetch(&call).await.map(drop)
    }

    /// Renames the object inside its bucket, over what has the new name. Buckets of this cluster only.
    ///
    /// # Errors
    /// [`ErrorKind::ObjectNotFound`]; [`ErrorKind::NotSupported`] for remote buckets.
    pub async fn rename(&self, to: &str) -> Result<()> {
        let other = self.bucket().object(to);
        if !self.bucket().bck().is_remote() && self.goes_astray(&other).await {
            let (one, two) = (self.bucket().as_store(), other.bucket().as_store());
            Transfer::default().rename(&one, &self.path()?, &two, &other.path()?).await?;
            return Ok(());
        }
        let message =
            ActMsg { name: to.to_owned(), ..ActMsg::new(names::RENAME_OBJECT, Value::Null) };
        let call = self.call("rename", Method::POST).json(&message);
        self.transport().fetch(&call).await.map(drop)
    }

    /// Whether a copy that the cluster makes would arrive under another name.
    pub(crate) async fn goes_astray(&self, to: &Object) -> bool {
        if !to.name().contains(['%', '?', '#']) {
            return false;
        }
        let transport = self.transport();
        transport.map.refresh(transport).await;
        // Where the map is not told, there may be many targets.
        let Some(map) = transport.map.get(transport).await else { return true };
        let target = |of: &Object| {
            hrw::target(&map, of.bucket().bck(), of.name()).map(|node| node.daemon_id.clone())
        };
        target(self) != target(to)
    }

    fn mistaken(&self, operation: &'static str, to: &Object) -> Error {
        let detail = format!(
            "targets of AIStore take the name {} for another one, because of its %, ? or #: choose another name, or copy \
             without ETL, `latest` and `sync`",
            to.cname()
        );
        Error::new(ErrorKind::InvalidArgument, operation, self.cname(), detail)
    }
}
