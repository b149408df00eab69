//! The cache as a store: reads go through it, everything else goes to the store behind, and writes are remembered.

use std::any::Any;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::list::PaginatedListStore;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, RenameOptions, Result, UploadPart,
};

use super::CachedStore;
use crate::checksum::Checksum;
use crate::listing::Entry;
use crate::provider::{CopyOutcome, OpenUpload, Provider, Tags, VersionEntry};

impl CachedStore {
    pub(super) fn url_of(&self, location: &Path) -> String {
        crate::store::Store::new(self.inner.clone()).url_of(location)
    }

    /// Whatever came of a write, what was known before it is not known any more.
    fn after<T>(&self, location: &Path, outcome: Result<T>) -> Result<T> {
        self.invalidate(location);
        outcome
    }

    fn parts(&self) -> Result<&dyn MultipartStore> {
        self.inner.multipart().ok_or_else(|| self.not_supported("multipart"))
    }
}

impl std::fmt::Display for CachedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (cached)", self.inner)
    }
}

#[async_trait]
impl ObjectStore for CachedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let outcome = self.inner.put_opts(location, payload, options).await;
        self.after(location, outcome)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload { upload, store: self.clone(), location: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.read(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (before, after) = (self.clone(), self.clone());
        // Also those whose deletion fails or is not waited for.
        let locations = locations.inspect_ok(move |location| before.invalidate(location)).boxed();
        let deleted = self.inner.delete_stream(locations);
        deleted.inspect_ok(move |location| after.invalidate(location)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let outcome = self.inner.copy_opts(from, to, options).await;
        self.after(to, outcome)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let outcome = self.inner.rename_opts(from, to, options).await;
        self.invalidate(from);
        self.after(to, outcome)
    }
}

#[async_trait]
impl Provider for CachedStore {
    /// That of the store behind, but for embedded ones: they promise not to wait for anything, and a cache does.
    fn scheme(&self) -> &'static str {
        match self.inner.scheme() {
            "memory" | "file" => "cached",
            scheme => scheme,
        }
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn signer(&self) -> Option<&dyn Signer> {
        self.inner.signer()
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        self.inner.multipart().is_some().then_some(self)
    }

    async fn complete_new(
        &self,
        location: &Path,
        id: &MultipartId,
        parts: &[PartId],
    ) -> Result<Option<PutResult>> {
        let outcome = self.inner.complete_new(location, id, parts).await;
        self.after(location, outcome)
    }

    async fn open_uploads(&self, location: &Path) -> Result<Vec<OpenUpload>> {
        self.inner.open_uploads(location).await
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        self.inner.paginated()
    }

    async fn checksums(&self, location: &Path, e_tag: Option<&str>) -> Result<Vec<Checksum>> {
        self.inner.checksums(location, e_tag).await
    }

    fn signs_content(&self) -> bool {
        self.inner.signs_content()
    }

    fn lists_from_any_key(&self) -> bool {
        self.inner.lists_from_any_key()
    }

    fn entries(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<Entry>> {
        self.inner.entries(prefix, after)
    }

    fn list_versions(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<VersionEntry>> {
        self.inner.list_versions(prefix)
    }

    async fn delete_marker(&self, key: &str) -> Result<()> {
        self.inner.delete_marker(key).await
    }

    async fn delete_version(&self, location: &Path, version: &str) -> Result<()> {
        let outcome = self.inner.delete_version(location, version).await;
        self.state().forget(&self.name(location, Some(version)));
        self.after(location, outcome)
    }

    async fn restore_version(&self, location: &Path, version: &str) -> Result<()> {
        let outcome = self.inner.restore_version(location, version).await;
        self.after(location, outcome)
    }

    async fn get_tags(&self, location: &Path) -> Result<Tags> {
        self.inner.get_tags(location).await
    }

    async fn put_tags(&self, location: &Path, tags: &Tags) -> Result<()> {
        self.inner.put_tags(location, tags).await
    }

    async fn put_attributes(&self, location: &Path, attributes: Attributes) -> Result<()> {
        let outcome = self.inner.put_attributes(location, attributes).await;
        self.after(location, outcome)
    }

    async fn copy_from(
        &self,
        source: &dyn Provider,
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> Result<CopyOutcome> {
        let source = source.as_any().downcast_ref::<Self>().map_or(source, |cached| &*cached.inner);
        let outcome = self.inner.copy_from(source, from, to, mode).await;
        self.after(to, outcome)
    }

    fn not_supported(&self, operation: &str) -> Error {
        self.inner.not_supported(operation)
    }
}

#[async_trait]
impl MultipartStore for CachedStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.parts()?.create_multipart(path).await
    }

    async fn create_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<MultipartId> {
        self.parts()?.create_multipart_opts(path, options).await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.parts()?.put_part(path, id, part_idx, data).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let outcome = self.parts()?.complete_multipart(path, id, parts).await;
        self.after(path, outcome)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.parts()?.abort_multipart(path, id).await
    }
}

/// An upload whose end is remembered.
#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    store: CachedStore,
    location: Path,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let outcome = self.upload.complete().await;
        self.store.after(&self.location, outcome)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
