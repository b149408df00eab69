//! The traits of `object_store`, handed to the client of the bucket once its region is known.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use http::Method;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

use super::{Opened, S3Store, crypto};
use crate::Provider as _;
use crate::client::expect_object;
use crate::cloud::attributes;
use crate::config::S3Key;

impl S3Store {
    /// A stream of the client; it begins with asking for the region when that is not known.
    fn stream<T: Send + 'static>(
        &self,
        open: impl FnOnce(&Opened) -> BoxStream<'static, Result<T>> + Send + 'static,
    ) -> BoxStream<'static, Result<T>> {
        if let Some(opened) = self.ready() {
            return open(opened);
        }
        let store = self.clone();
        let opening = async move { store.opened().await.map(open) };
        stream::once(opening).try_flatten().boxed()
    }

    /// Makes a request that carries `payload`.
    async fn signed<T>(&self, payload: PutPayload, request: impl Future<Output = T>) -> T {
        match self.signs_content() {
            true => crypto::signed(payload, request).await,
            false => request.await,
        }
    }
}

impl std::fmt::Display for S3Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::Provider::location(self))
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        attributes::check(location, &opts.attributes)?;
        let put = self.opened().await?.s3.put_opts(location, payload.clone(), opts);
        self.signed(payload, put).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        attributes::check(location, &opts.attributes)?;
        self.opened().await?.s3.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let reply = self.opened().await?.s3.get_opts(location, options).await?;
        expect_object("S3", &reply.meta)?;
        Ok(reply)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let set = |key| self.settings().flag(key).unwrap_or(false);
        match set(S3Key::DisableBulkDelete) || set(S3Key::S3Express) {
            true => self.stream(move |opened| opened.s3.delete_stream(locations)),
            false => self.delete_together(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned();
        self.stream(move |opened| opened.s3.list(prefix.as_ref()))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        self.stream(move |opened| opened.s3.list_with_offset(prefix.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.opened().await?.s3.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match options.mode {
            CopyMode::Overwrite if !self.settings().flag(S3Key::S3Express)? => {
                self.copy_in_bucket(from, to).await
            }
            CopyMode::Create
                if self.settings().get(S3Key::CopyIfNotExists) == Some("multipart") =>
            {
                self.copy_new_in_bucket(from, to).await
            }
            _ => self.opened().await?.s3.copy_opts(from, to, options).await,
        }
    }
}

#[async_trait]
impl Signer for S3Store {
    async fn signed_url(&self, method: Method, path: &Path, expires_in: Duration) -> Result<Url> {
        self.signing().await?.signed_url(method, path, expires_in).await
    }

    async fn signed_url_opts(
        &self,
        method: Method,
        path: &Path,
        expires_in: Duration,
        options: &SignedUrlOptions,
    ) -> Result<Url> {
        self.signing().await?.signed_url_opts(method, path, expires_in, options).await
    }

    async fn signed_urls(
        &self,
        method: Method,
        paths: &[Path],
        expires_in: Duration,
    ) -> Result<Vec<Url>> {
        self.signing().await?.signed_urls(method, paths, expires_in).await
    }
}

#[async_trait]
impl MultipartStore for S3Store {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.opened().await?.s3.create_multipart(path).await
    }

    async fn create_multipart_opts(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<MultipartId> {
        attributes::check(path, &opts.attributes)?;
        self.opened().await?.s3.create_multipart_opts(path, opts).await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let put = self.opened().await?.s3.put_part(path, id, part_idx, data.clone());
        self.signed(data, put).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        // An upload without parts gets an empty one.
        if parts.is_empty() || self.settings().flag(S3Key::S3Express)? {
            return self.opened().await?.s3.complete_multipart(path, id, parts).await;
        }
        self.complete(path, id, &parts, CopyMode::Overwrite).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.opened().await?.s3.abort_multipart(path, id).await
    }
}

#[async_trait]
impl PaginatedListStore for S3Store {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        opts: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        self.opened().await?.s3.list_paginated(prefix, opts).await
    }
}
