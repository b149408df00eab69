//! Operations on one object: existence, versions, tags, attributes.

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{Attributes, ObjectStoreExt};

use super::list::directory;
use crate::checksum::Checksum;
use crate::error::{Error, Result};
use crate::provider::{ObjectVersion, Tags};
use crate::store::Store;

impl Store {
    /// Whether there is an object at `location`.
    ///
    /// # Errors
    /// Anything but a missing object, e.g. a denied request: "not allowed to know" is not "does not exist".
    pub async fn exists(&self, location: &Path) -> Result<bool> {
        match self.head(location).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.error("exists", location, error)),
        }
    }

    /// The checksums of the whole content that the service keeps; `e_tag` is the version that is meant.
    pub async fn checksums(&self, location: &Path, e_tag: Option<&str>) -> Result<Vec<Checksum>> {
        let stated = self.provider().checksums(&self.full_path(location), e_tag).await;
        stated.map_err(|e| self.error("checksums", location, e))
    }

    /// Every version of the object `prefix` and of every object below it, newest first for each key, delete markers
    /// included. One of an object whose key no path can hold is an [`Error::odd_key`], after which the listing goes on.
    ///
    /// # Errors
    /// [`NotSupported`](crate::ErrorKind::NotSupported) on stores without versions.
    pub fn list_versions(
        &self,
        prefix: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectVersion>> {
        let store = self.clone();
        let location = prefix.cloned().unwrap_or_default();
        let full = self.full_path(&location);
        self.provider()
            .list_versions((!full.as_ref().is_empty()).then_some(&full))
            .map(move |version| match version {
                Ok(Ok(mut version)) => {
                    version.location = store.relative_path(version.location);
                    Ok(version)
                }
                Ok(Err(odd)) => Err(store.odd_key(odd).with_operation("list_versions")),
                Err(error) => Err(store.error("list_versions", &location, error)),
            })
            .boxed()
    }

    /// Deletes one version for good. Reading a version is `get_opts` with `GetOptions::version`.
    pub async fn delete_version(&self, location: &Path, version: &str) -> Result<()> {
        let done = self.provider().delete_version(&self.full_path(location), version).await;
        done.map_err(|e| self.error("delete_version", location, e))
    }

    /// Makes `version` the current content again.
    pub async fn restore_version(&self, location: &Path, version: &str) -> Result<()> {
        let done = self.provider().restore_version(&self.full_path(location), version).await;
        done.map_err(|e| self.error("restore_version", location, e))
    }

    /// The tags of an object.
    pub async fn get_tags(&self, location: &Path) -> Result<Tags> {
        let tags = self.provider().get_tags(&self.full_path(location)).await;
        tags.map_err(|e| self.error("get_tags", location, e))
    }

    /// Replaces all tags of an object; an empty list removes them.
    pub async fn put_tags(&self, location: &Path, tags: &Tags) -> Result<()> {
        let done = self.provider().put_tags(&self.full_path(location), tags).await;
        done.map_err(|e| self.error("put_tags", location, e))
    }

    /// Replaces all attributes of an object without sending its content again.
    pub async fn put_attributes(&self, location: &Path, attributes: Attributes) -> Result<()> {
        let done = self.provider().put_attributes(&self.full_path(location), attributes).await;
        done.map_err(|e| self.error("put_attributes", location, e))
    }

    /// An error of the trait with the operation and the URL of the object it happened on.
    pub fn error(
        &self,
        operation: &'static str,
        location: &Path,
        source: object_store::Error,
    ) -> Error {
        Error::from_store(operation, self.url_of(location), source)
    }

    /// Whether there is any object below `prefix` (whole segments).
    pub async fn has_objects(&self, prefix: Option<&Path>) -> Result<bool> {
        match self.objects(prefix).next().await {
            None => Ok(false),
            Some(Err(error)) if error.odd_key().is_none() => Err(error),
            Some(_) => Ok(true),
        }
    }

    /// All objects below `prefix`, in the order of the back end.
    ///
    /// # Errors
    /// Those of the requests. An object whose key no path can hold is an [`Error::odd_key`], after which the listing goes on.
    pub fn objects(
        &self,
        prefix: Option<&Path>,
    ) -> BoxStream<'static, Result<object_store::ObjectMeta>> {
        if self.provider().paginated().is_some() && !self.is_embedded() {
            return self.list_pages(prefix.map(directory).unwrap_or_default(), None, false);
        }
        self.entries(prefix, None)
    }
}
