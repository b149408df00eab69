//! A backend that is a piece of memory: it counts what it is asked for, waits where it is told to, and fails where it is told
//! to.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use holdall_ais_server::{Backends, Options};
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::list::PaginatedListStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use holdall_store::{OddKey, OddKeys, OpenOptions, Provider, Store};
use tokio::sync::Semaphore;

/// What is counted and told.
#[derive(Default)]
pub(crate) struct Control {
    /// Reads of content.
    pub(crate) reads: AtomicUsize,
    /// HEADs.
    pub(crate) heads: AtomicUsize,
    /// Listings.
    pub(crate) lists: AtomicUsize,
    /// Writes.
    pub(crate) writes: AtomicUsize,
    /// Bytes of a body after which it waits for [`go`](Self::go); 0 for never.
    pub(crate) wait_after: AtomicU64,
    /// Bytes of a body after which it fails; 0 for never.
    pub(crate) fail_after: AtomicU64,
    /// Whether writes fail.
    pub(crate) refuse_writes: AtomicBool,
    /// Keys that no path can hold and that are at the end of every listing.
    pub(crate) odd: Mutex<Vec<&'static str>>,
    gate: Gate,
    buckets: Mutex<HashMap<String, MemoryStore>>,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Control {
    /// Lets bodies that wait go on, and all later ones.
    pub(crate) fn go(&self) {
        self.wait_after.store(0, Ordering::SeqCst);
        self.gate.0.close();
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    /// The bucket of this name, which is there from now on.
    pub(crate) fn bucket(self: &Arc<Self>, name: &str) -> MemoryStore {
        self.buckets.lock().expect("no panic").entry(name.to_owned()).or_default().clone()
    }

    /// Writes an object past the server.
    pub(crate) async fn put(
        self: &Arc<Self>,
        bucket: &str,
        key: &str,
        content: impl Into<PutPayload>,
    ) {
        self.bucket(bucket).put(&Path::from(key), content.into()).await.expect("written");
    }

    /// Deletes an object past the server.
    pub(crate) async fn delete(self: &Arc<Self>, bucket: &str, key: &str) {
        self.bucket(bucket).delete(&Path::from(key)).await.expect("deleted");
    }

    /// What an object holds.
    pub(crate) async fn content(self: &Arc<Self>, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let found = self.bucket(bucket).get(&Path::from(key)).await.ok()?;
        Some(found.bytes().await.expect("bytes").to_vec())
    }

    fn open(self: &Arc<Self>, url: &str, _: &OpenOptions) -> holdall_store::Result<(Store, Path)> {
        let name = url.split("://").nth(1).unwrap_or_default().trim_end_matches('/').to_owned();
        let store = Standin { name, control: Arc::clone(self) };
        Ok((Store::new(Arc::new(store)), Path::default()))
    }
}

/// A backend for `aws`, and what steers it.
pub(crate) fn backend() -> (Arc<Control>, Backends) {
    let control = Arc::<Control>::default();
    let opens = Arc::clone(&control);
    let backends = Backends::with_opener(Arc::new(move |url, options| opens.open(url, options)));
    (control, backends.with("aws".parse().expect("a backend")))
}

/// Options of a server with such a backend, whose bucket `b` is there.
pub(crate) fn options() -> (Arc<Control>, Options) {
    let (control, backends) = backend();
    control.bucket("b");
    (control, Options { backends, ..Options::default() })
}

struct Standin {
    name: String,
    control: Arc<Control>,
}

impl Standin {
    fn inner(&self) -> Result<MemoryStore> {
        let missing = || Error::NotFound { path: self.name.clone(), source: "NoSuchBucket".into() };
        self.control.buckets.lock().expect("no panic").get(&self.name).cloned().ok_or_else(missing)
    }

    fn refuse(&self) -> Result<()> {
        self.control.writes.fetch_add(1, Ordering::SeqCst);
        match self.control.refuse_writes.load(Ordering::SeqCst) {
            true => Err(Error::Generic { store: "standin", source: "out of order".into() }),
            false => Ok(()),
        }
    }

    /// The body, with the waits and failures that it was told.
    fn steered(&self, result: GetResult) -> GetResult {
        let (meta, range) = (result.meta.clone(), result.range.clone());
        let (attributes, extensions) = (result.attributes.clone(), result.extensions.clone());
        let control = Arc::clone(&self.control);
        let body = async_stream(result.into_stream(), range.start, control);
        GetResult { payload: GetResultPayload::Stream(body), meta, range, attributes, extensions }
    }
}

fn async_stream(
    body: BoxStream<'static, Result<bytes::Bytes>>,
    start: u64,
    control: Arc<Control>,
) -> BoxStream<'static, Result<bytes::Bytes>> {
    // Small pieces, so that a wait is where it was told to be.
    let pieces = body.flat_map(|piece| match piece {
        Ok(bytes) => {
            let all: Vec<_> =
                bytes.chunks(64 << 10).map(bytes::Bytes::copy_from_slice).map(Ok).collect();
            futures::stream::iter(all)
        }
        Err(error) => futures::stream::iter(vec![Err(error)]),
    });
    let state = (pieces.boxed(), start, control);
    futures::stream::unfold(Some(state), |state| async move {
        let (mut pieces, at, control) = state?;
        let wait = control.wait_after.load(Ordering::SeqCst);
        if wait > 0 && at >= wait {
            // Closed when all may go on.
            let _ = control.gate.0.acquire().await;
        }
        let fail = control.fail_after.load(Ordering::SeqCst);
        if fail > 0 && at >= fail {
            let error = Error::NotSupported { source: "the body broke off".into() };
            return Some((Err(error), None));
        }
        let piece = pieces.next().await?;
        let at = at + piece.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Some((piece, Some((pieces, at, control))))
    })
    .boxed()
}

impl fmt::Debug for Standin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standin").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Display for Standin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Standin({})", self.name)
    }
}

#[async_trait]
impl ObjectStore for Standin {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.refuse()?;
        self.inner()?.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.refuse()?;
        self.inner()?.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            self.control.heads.fetch_add(1, Ordering::SeqCst);
            return self.inner()?.get_opts(location, options).await;
        }
        self.control.reads.fetch_add(1, Ordering::SeqCst);
        Ok(self.steered(self.inner()?.get_opts(location, options).await?))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.refuse().and_then(|()| self.inner()) {
            Ok(inner) => inner.delete_stream(locations),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.control.lists.fetch_add(1, Ordering::SeqCst);
        match self.inner() {
            Ok(inner) => inner.list(prefix),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner()?.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner()?.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl PaginatedListStore for Standin {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: holdall_store::object_store::list::PaginatedListOptions,
    ) -> Result<holdall_store::object_store::list::PaginatedListResult> {
        self.control.lists.fetch_add(1, Ordering::SeqCst);
        let inner = self.inner()?;
        let pages = inner.paginated().expect("memory has pages");
        let (asks, levels) =
            (options.extensions.get::<OddKeys>().is_some(), options.delimiter.is_some());
        let mut page = pages.list_paginated(prefix, options).await?;
        let keys = self.control.odd.lock().expect("no panic").clone();
        if page.page_token.is_none() && !keys.is_empty() {
            assert!(asks, "the listing would fail");
            drop(page.result.extensions.insert(odd(&keys, prefix.unwrap_or_default(), levels)));
        }
        Ok(page)
    }
}

/// Those of the keys that have the prefix; one level.
fn odd(keys: &[&str], prefix: &str, levels: bool) -> OddKeys {
    let mut found = OddKeys::default();
    for key in keys {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        match rest.split_once('/').filter(|_| levels) {
            Some((level, _)) => found.prefixes.push(format!("{prefix}{level}/")),
            None => found.objects.push((0, OddKey::new((*key).to_owned(), 7))),
        }
    }
    found
}

#[async_trait]
impl Provider for Standin {
    fn scheme(&self) -> &'static str {
        "s3"
    }

    fn location(&self) -> String {
        format!("s3://{}", self.name)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(self)
    }
}
