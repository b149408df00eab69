//! What a back end can do beyond the `ObjectStore` trait.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::list::PaginatedListStore;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attributes, CopyMode, Error, MultipartId, ObjectStore, PutOptions, PutResult, Result,
};

use crate::checksum::Checksum;
use crate::listing::{Entry, OddKey};

/// The tags of an object, in the order the service gives them.
pub type Tags = Vec<(String, String)>;

/// One version of an object in a store that keeps versions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectVersion {
    /// The key.
    pub location: Path,
    /// The identifier of the version, as `GetOptions::version` takes it.
    pub version: String,
    /// When this version was written.
    pub last_modified: DateTime<Utc>,
    /// Length in bytes; 0 for a delete marker.
    pub size: u64,
    /// The entity tag, where the service gives one.
    pub e_tag: Option<String>,
    /// Whether this is what a read without a version returns.
    pub is_latest: bool,
    /// Whether this version records a deletion and has no content.
    pub is_delete_marker: bool,
}

impl ObjectVersion {
    /// A version of `location` with an identifier and a time; the rest is set field by field.
    pub fn new(location: Path, version: String, last_modified: DateTime<Utc>) -> Self {
        Self {
            location,
            version,
            last_modified,
            size: 0,
            e_tag: None,
            is_latest: false,
            is_delete_marker: false,
        }
    }
}

/// An entry of a listing of versions: a version, also one of an object whose key no path can hold.
pub type VersionEntry = std::result::Result<ObjectVersion, Box<OddKey>>;

/// An upload in parts that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// The service's name for it.
    pub id: String,
    /// When it began, by the clock of the service.
    pub begun: Option<DateTime<Utc>>,
}

/// Among the extensions of `PutMultipartOptions`: the upload creates an object and replaces none. Whether one is there shows when
/// it is completed. For stores that have no [`multipart`](Provider::multipart); these have
/// [`complete_new`](Provider::complete_new).
#[derive(Debug, Clone, Copy)]
pub struct CreateNew;

/// What came of a request to copy inside a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyOutcome {
    /// The service made the copy; no byte passed through this process.
    Copied,
    /// These two stores cannot copy between each other: read from one and write to the other instead.
    NotPossible,
}

/// A back end: an [`ObjectStore`] and what its service offers beyond the trait.
///
/// Implementors provide [`scheme`](Self::scheme), [`location`](Self::location) and
/// [`as_any`](Self::as_any). All other methods have defaults that say so when the service has no such thing: an option
/// is honoured or refused, never ignored.
#[async_trait]
pub trait Provider: ObjectStore {
    /// The canonical URL scheme: `s3`, `gs`, `az`, `http`, `file`, `memory`, or that of an extension.
    fn scheme(&self) -> &'static str;

    /// The URL of the root of this store, without credentials and without a trailing slash: `s3://bucket`.
    fn location(&self) -> String;

    /// Text that tells this store from all others: caches keep what they know under it. By default the
    /// [`location`](Self::location); stores at an address of their own (an endpoint) add it.
    fn identity(&self) -> String {
        self.location()
    }

    /// For downcasts in [`copy_from`](Self::copy_from) and in code that knows the concrete store.
    fn as_any(&self) -> &dyn Any;

    /// A view of the same store whose futures and streams do their system calls on the thread that polls them and
    /// are ready at the first poll.
    ///
    /// `None` (the default) for stores that wait for a network. Synchronous callers use it to avoid a hop to another
    /// thread; asynchronous callers must not, because it blocks.
    fn inline(&self) -> Option<Arc<dyn Provider>> {
        None
    }

    /// Presigned URLs, where the service has them.
    fn signer(&self) -> Option<&dyn Signer> {
        None
    }

    /// Multipart uploads by explicit part number, where the service has them.
    fn multipart(&self) -> Option<&dyn MultipartStore> {
        None
    }

    /// Completes an upload in parts on the condition that there is no object; `None`, with the upload as it was, where the
    /// service knows no such condition.
    async fn complete_new(
        &self,
        _location: &Path,
        _id: &MultipartId,
        _parts: &[PartId],
    ) -> Result<Option<PutResult>> {
        Ok(None)
    }

    /// Writes the first `length` bytes of a file with one request, whatever its size; `None` where the service has a
    /// better way for large objects, or no such one.
    async fn put_file(
        &self,
        _location: &Path,
        _file: Arc<std::fs::File>,
        _length: u64,
        _options: PutOptions,
    ) -> Result<Option<PutResult>> {
        Ok(None)
    }

    /// The uploads in parts to one key that have begun and not ended; none where the service does not tell.
    async fn open_uploads(&self, _location: &Path) -> Result<Vec<OpenUpload>> {
        Ok(Vec::new())
    }

    /// Listing by page, substring prefix and delimiter, where the service has it. A page that is asked for with
    /// [`OddKeys`](crate::OddKeys) among its extensions has objects whose keys no path can hold among its own; any other page
    /// that should have one is an error.
    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        None
    }

    /// The checksums of the whole content that the service keeps and does not state with every read; `e_tag` is the
    /// version that is meant.
    async fn checksums(&self, _location: &Path, _e_tag: Option<&str>) -> Result<Vec<Checksum>> {
        Ok(Vec::new())
    }

    /// Whether the service checks a signature over the content of each write, so that it cannot arrive changed.
    fn signs_content(&self) -> bool {
        false
    }

    /// Whether [`paginated`](Self::paginated) gives keys in the order of their bytes, beginning after any key that is given
    /// as the offset, at the cost of one page. [`Store::list_parallel`](crate::Store::list_parallel) depends on it.
    fn lists_from_any_key(&self) -> bool {
        false
    }

    /// What [`ObjectStore::list`] lists, after the key `after`, and beside it the objects whose keys no path can hold. Asked of
    /// stores without [pages](Self::paginated), which tell of such keys beside each page ([`OddKeys`](crate::OddKeys)).
    fn entries(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<Entry>> {
        let listing = match after {
            Some(after) => self.list_with_offset(prefix, after),
            None => self.list(prefix),
        };
        listing.map_ok(Ok).boxed()
    }

    /// Deletes the marker of a directory ([`OddKey::is_marker`]), whose key ends with the slash that no path can hold.
    async fn delete_marker(&self, _key: &str) -> Result<()> {
        Err(self.not_supported("delete the marker of a directory"))
    }

    /// Every version of the object `prefix` and of every object below it, delete markers included, newest first for each
    /// key.
    fn list_versions(&self, _prefix: Option<&Path>) -> BoxStream<'static, Result<VersionEntry>> {
        stream::iter([Err(self.not_supported("list_versions"))]).boxed()
    }

    /// Deletes one version for good.
    async fn delete_version(&self, _location: &Path, _version: &str) -> Result<()> {
        Err(self.not_supported("delete_version"))
    }

    /// Makes `version` the current content again, as a new version.
    async fn restore_version(&self, _location: &Path, _version: &str) -> Result<()> {
        Err(self.not_supported("restore_version"))
    }

    /// The tags of an object.
    async fn get_tags(&self, _location: &Path) -> Result<Tags> {
        Err(self.not_supported("get_tags"))
    }

    /// Replaces all tags of an object; an empty list removes them.
    async fn put_tags(&self, _location: &Path, _tags: &Tags) -> Result<()> {
        Err(self.not_supported("put_tags"))
    }

    /// Replaces all attributes (content type, user metadata, …) of an object without sending its content again.
    async fn put_attributes(&self, _location: &Path, _attributes: Attributes) -> Result<()> {
        Err(self.not_supported("put_attributes"))
    }

    /// Copies `from` of another store to `to` of this one inside the provider, in parts where one request is limited
    /// (5 GB on S3).
    ///
    /// Returns [`CopyOutcome::NotPossible`], before anything was written, when the two stores do not share a
    /// provider and an endpoint.
    async fn copy_from(
        &self,
        _source: &dyn Provider,
        _from: &Path,
        _to: &Path,
        _mode: CopyMode,
    ) -> Result<CopyOutcome> {
        Ok(CopyOutcome::NotPossible)
    }

    /// Reads many objects, or ranges of them, with requests of the service's own for that: what there is for each entry, in
    /// their order. None (the default) where the service has no such thing.
    fn get_batch(
        &self,
        _entries: Vec<(Path, Option<Range<u64>>)>,
    ) -> Option<BoxStream<'static, Result<Bytes>>> {
        None
    }

    /// The error for an operation that this store does not have.
    fn not_supported(&self, operation: &str) -> Error {
        Error::NotSupported {
            source: format!("{} stores have no operation `{operation}`", self.scheme()).into(),
        }
    }
}
