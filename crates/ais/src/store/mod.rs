//! Buckets as object stores.
//!
//! What AIStore has no way for is refused, with an error that says so: writes and copies on a condition, versions other
//! than the present one, tags. Conditional reads are decided here, by what the reply states of the very content that it
//! carries.
//!
//! * Entity tags are made of version and checksum, which every reply states: `"3-0123456789abcdef"`.
//! * Times: of [`head`](object_store::ObjectStoreExt::head) the last write, to the second; reads and listings state only the last
//!   access, which is no earlier.
//! * Attributes are kept as custom properties: metadata under its own name, the others under those of their headers.

mod list;
mod meta;
mod open;
mod upload;

use std::any::Any;
use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use holdall_store::checksum::Checksum;
use holdall_store::client::{expect_object, state_checksum};
use holdall_store::object_store::list::PaginatedListStore;
use holdall_store::object_store::multipart::MultipartStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    self, Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, RenameTargetMode,
};
use holdall_store::{CopyOutcome, OpenUpload, Provider};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use tokio::sync::OnceCell;

pub use open::{open, register};

use crate::batch::{BatchEntry, BatchOptions};
use crate::bucket::Bucket;
use crate::object;

type Result<T> = object_store::Result<T>;

/// Requests of a deletion of many objects that run at once.
const DELETES_AT_ONCE: usize = 32;

/// A bucket as an object store.
#[derive(Debug, Clone)]
pub struct AisStore {
    bucket: Bucket,
    /// Whether replies with a range state the checksum of that range.
    ranges_have_checksums: std::sync::Arc<OnceCell<bool>>,
}

impl AisStore {
    /// The store of a bucket. No request is made.
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket, ranges_have_checksums: std::sync::Arc::default() }
    }

    /// The bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    fn object(&self, location: &Path) -> object::Object {
        self.bucket.object(location.as_ref())
    }

    fn refused(what: &str) -> Error {
        Error::NotSupported { source: format!("AIStore has no way to {what}").into() }
    }

    /// What the headers of a reply with a range say of the whole object's checksum may be about the range.
    async fn ranges_have_checksums(&self) -> bool {
        let ask = || async {
            // Where the properties are not to be had, the default is assumed.
            self.bucket.props().await.is_ok_and(|props| props.checksum.enable_read_range)
        };
        *self.ranges_have_checksums.get_or_init(ask).await
    }

    async fn read(&self, location: &Path, options: &GetOptions) -> Result<GetResult> {
        let mut call = self
            .object(location)
            .call("get", http::Method::GET)
            .read_of(&self.bucket.bck, location.as_ref());
        if let Some(range) = &options.range {
            call = call.header(RANGE, &range.to_string())?;
        }
        let response = self.bucket.client.transport.send(&call).await?;
        let is_part = response.status() == 206;
        if options.range.is_some() && !is_part {
            return Err(unexpected("the server ignores the range that was asked for"));
        }
        let mut of = crate::ObjectAttributes::of(response.headers());
        if is_part && self.ranges_have_checksums().await {
            of = self.object(location).head(meta::PROPS).await?;
        }
        let range = match is_part {
            true => part(response.headers().get(CONTENT_RANGE)).ok_or_else(|| {
                unexpected(
                    "Got invalid Content-Range: the server does not say which bytes it sends",
                )
            })?,
            false => 0..of.size,
        };
        if let Some(asked) = &options.range {
            let asked = asked.as_range(of.size).map_err(|e| unexpected(&e.to_string()))?;
            if asked != range {
                let detail = format!("the server sends bytes {range:?} and not {asked:?}");
                return Err(unexpected(&detail));
            }
        }
        let meta = meta::meta(location.clone(), &of);
        if of.access_time.is_empty() {
            expect_object("AIStore", &meta)?;
        }
        let mut extensions = response.head().extensions.clone();
        // Of all the bytes it is the same, whether the cluster means the object or the range.
        if is_part && range == (0..of.size) {
            of.checksum().into_iter().for_each(|sum| state_checksum(&mut extensions, sum));
        }
        let body = response.stream().map_err(Error::from).boxed();
        Ok(GetResult {
            payload: GetResultPayload::Stream(body),
            attributes: meta::attributes(&of.custom),
            meta,
            range,
            extensions,
        })
    }

    async fn head(&self, location: &Path) -> Result<GetResult> {
        let headers = self.object(location).headers(meta::PROPS).await?;
        let of = crate::ObjectAttributes::of(&headers);
        let meta = meta::meta(location.clone(), &of);
        if of.access_time.is_empty() && !of.present {
            expect_object("AIStore", &meta)?;
        }
        if !headers.contains_key(CONTENT_LENGTH) {
            return Err(unexpected("the server does not say how long the object is"));
        }
        Ok(GetResult {
            payload: GetResultPayload::Stream(futures::stream::empty().boxed()),
            attributes: meta::attributes(&of.custom),
            range: 0..meta.size,
            meta,
            extensions: Default::default(),
        })
    }
}

/// The error for a reply that cannot be that of a cluster.
fn unexpected(detail: &str) -> Error {
    Error::Generic { store: "AIStore", source: detail.into() }
}

/// The bytes of `bytes a-b/size`.
fn part(value: Option<&http::HeaderValue>) -> Option<Range<u64>> {
    let (range, _) = value?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    Some(start.parse().ok()?..end.parse::<u64>().ok()?.checked_add(1)?)
}

impl fmt::Display for AisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bucket.bck)
    }
}

#[async_trait]
impl ObjectStore for AisStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match options.mode {
            PutMode::Overwrite => {}
            PutMode::Create => return Err(Self::refused("create an object only if there is none")),
            PutMode::Update(_) => return Err(Self::refused("replace a certain version")),
        }
        let custom = meta::custom(options.attributes, &options.tags)?;
        let options = object::PutOptions { custom, checksum: None };
        let written = self.object(location).put(payload, &options).await?;
        Ok(meta::put_result(&written))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.begin_upload(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.version.is_some() {
            return Err(Self::refused("read a version that is not the present one"));
        }
        if options.head {
            let result = self.head(location).await?;
            options.check_preconditions(&result.meta)?;
            return Ok(result);
        }
        if options.if_modified_since.is_some() || options.if_unmodified_since.is_some() {
            // Reads do not state the time of the last write.
            let before = self.head(location).await?;
            options.check_preconditions(&before.meta)?;
            let result = self.read(location, &options).await?;
            return match result.meta.e_tag == before.meta.e_tag {
                true => Ok(result),
                false => Err(Error::Precondition {
                    path: location.to_string(),
                    source: "the object changed while its time was looked at".into(),
                }),
            };
        }
        let result = self.read(location, &options).await?;
        options.check_preconditions(&result.meta)?;
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let fetch = |range: Range<u64>| async move {
            let options = GetOptions {
                range: Some(object_store::GetRange::Bounded(range)),
                ..GetOptions::default()
            };
            self.get_opts(location, options).await?.bytes().await
        };
        object_store::coalesce_ranges(ranges, fetch, object_store::OBJECT_STORE_COALESCE_DEFAULT)
            .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .map(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    store.object(&location).delete().await?;
                    Ok(location)
                }
            })
            .buffered(DELETES_AT_ONCE)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_below(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_below(prefix, Some(offset.as_ref()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.list_level(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if options.mode == CopyMode::Create {
            return Err(Self::refused("copy an object only if there is none"));
        }
        self.object(from).copy(&self.object(to), &crate::CopyOptions::default()).await?;
        Ok(())
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        if options.target_mode == RenameTargetMode::Create {
            return Err(Self::refused("rename an object only if there is none of the new name"));
        }
        if from == to {
            self.head(from).await?;
            return Ok(());
        }
        if self.bucket.bck.is_remote() {
            self.copy_opts(from, to, CopyOptions::default()).await?;
            self.object(from).delete().await?;
            return Ok(());
        }
        self.object(from).rename(to.as_ref()).await?;
        Ok(())
    }
}

#[async_trait]
impl Provider for AisStore {
    fn scheme(&self) -> &'static str {
        "ais"
    }

    fn location(&self) -> String {
        let bck = &self.bucket.bck;
        match bck.provider.is_cloud() {
            // URLs of other schemes are those of the clouds themselves.
            true => format!("ais+{bck}"),
            false => bck.cname(),
        }
    }

    fn identity(&self) -> String {
        // Clusters can have buckets of the same name.
        format!("{} {}", self.location(), self.bucket.client.endpoint())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(self)
    }

    async fn open_uploads(&self, location: &Path) -> Result<Vec<OpenUpload>> {
        Ok(self.object(location).open_uploads().await?)
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(self)
    }

    async fn delete_marker(&self, key: &str) -> Result<()> {
        Ok(self.bucket.object(key).delete().await?)
    }

    async fn checksums(&self, location: &Path, e_tag: Option<&str>) -> Result<Vec<Checksum>> {
        let of = self.object(location).head("checksum,version").await?;
        let same = e_tag.is_none() || of.identity().as_deref() == e_tag;
        Ok(of.checksum().filter(|_| same).into_iter().collect())
    }

    async fn put_attributes(&self, location: &Path, attributes: Attributes) -> Result<()> {
        let custom = meta::custom(attributes, &Default::default())?;
        self.object(location).set_custom(&custom, true).await?;
        Ok(())
    }

    async fn copy_from(
        &self,
        source: &dyn Provider,
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> Result<CopyOutcome> {
        let Some(source) = source.as_any().downcast_ref::<Self>() else {
            return Ok(CopyOutcome::NotPossible);
        };
        if source.bucket.client.endpoint() != self.bucket.client.endpoint() {
            return Ok(CopyOutcome::NotPossible);
        }
        if mode == CopyMode::Create {
            return Err(Self::refused("copy an object only if there is none"));
        }
        if source.object(from).goes_astray(&self.object(to)).await {
            return Ok(CopyOutcome::NotPossible);
        }
        source.object(from).copy_inside(&self.object(to), &crate::CopyOptions::default()).await?;
        Ok(CopyOutcome::Copied)
    }

    fn get_batch(
        &self,
        entries: Vec<(Path, Option<Range<u64>>)>,
    ) -> Option<BoxStream<'static, Result<Bytes>>> {
        Some(self.batch(entries))
    }
}

impl AisStore {
    /// Reads by the server's own batches. What is missing makes servers end a batch after a few, so they are asked to go
    /// on, in requests of limited length.
    fn batch(&self, entries: Vec<(Path, Option<Range<u64>>)>) -> BoxStream<'static, Result<Bytes>> {
        let store = self.clone();
        let parts: Vec<Vec<_>> = entries.chunks(MOST_ENTRIES).map(<[_]>::to_vec).collect();
        futures::stream::iter(parts)
            .then(move |part| store.clone().one_batch(part))
            .flat_map(|items| items)
            .boxed()
    }

    async fn one_batch(
        self,
        part: Vec<(Path, Option<Range<u64>>)>,
    ) -> BoxStream<'static, Result<Bytes>> {
        let options = BatchOptions { streaming: false, ..BatchOptions::default() };
        let mut batch = self.bucket.client.batch(Some(&self.bucket)).with_options(options);
        for (path, range) in &part {
            let mut entry = BatchEntry::new(path.as_ref());
            if let Some(range) = range {
                let length = i64::try_from(range.end - range.start).unwrap_or(i64::MAX);
                entry = entry.with_range(range.start, length);
            }
            batch.add(entry);
        }
        let store = self.clone();
        match batch.get().await {
            Ok(items) => items
                .map(move |item| match item {
                    Ok(item) => item.content.map_err(|missing| Error::NotFound {
                        path: part[item.index].0.to_string(),
                        source: missing.into(),
                    }),
                    Err(error) => Err(error.into()),
                })
                .boxed(),
            // A range that does not fit, or too much that is missing, ends a batch as a whole: one by one tells which.
            Err(error) if !error.is_retryable() && error.status().is_some() => {
                futures::stream::iter(part)
                    .map(move |(path, range)| {
                        let store = store.clone();
                        async move {
                            let range = range.map(object_store::GetRange::Bounded);
                            let options = GetOptions { range, ..GetOptions::default() };
                            store.get_opts(&path, options).await?.bytes().await
                        }
                    })
                    .buffered(DELETES_AT_ONCE)
                    .boxed()
            }
            Err(error) => futures::stream::once(async { Err(error.into()) }).boxed(),
        }
    }
}

/// Most entries that one request asks for.
const MOST_ENTRIES: usize = 1024;
