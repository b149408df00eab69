//! The handle that users hold: a provider and a key prefix.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, RenameTargetMode,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::checksum::Checksum;
use crate::client::is_taken_out;
use crate::error::Error;
use crate::listing::OddKey;
use crate::provider::Provider;
use crate::whole;

/// Characters of keys that mean something else in a URL.
const MISREAD: &AsciiSet = &CONTROLS.add(b'%').add(b'#').add(b'?').add(b'\\');

/// A key as it stands in a URL.
fn in_url(key: &str) -> String {
    let end = key.trim_end_matches(' ');
    let encoded = utf8_percent_encode(end, MISREAD);
    format!("{encoded}{}", "%20".repeat(key.len() - end.len()))
}

/// Requests for ranges of one object that are on their way at once.
const RANGES_AT_ONCE: usize = 10;

/// Ranges close to each other, by their indices, and what they span.
struct Run {
    range: Range<u64>,
    members: Vec<usize>,
}

type StoreResult<T> = object_store::Result<T>;

/// A store: a back end and a key prefix below which everything happens.
///
/// Cloning is cheap and shares the back end with its connection pool and credentials; so does
/// [`with_prefix`](Self::with_prefix). Keys given to and returned by the store are relative to its prefix.
#[derive(Debug, Clone)]
pub struct Store {
    provider: Arc<dyn Provider>,
    prefix: Path,
}

impl Store {
    /// A store over the whole of `provider`.
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        Self { provider, prefix: Path::default() }
    }

    /// The same back end seen below `prefix`, which is appended to the present prefix.
    #[must_use]
    pub fn with_prefix(&self, prefix: &Path) -> Self {
        Self { provider: self.provider.clone(), prefix: self.full_path(prefix) }
    }

    /// The same back end with `prefix` in place of the present one.
    #[must_use]
    pub fn at(&self, prefix: Path) -> Self {
        Self { provider: self.provider.clone(), prefix }
    }

    /// The back end.
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// The prefix; empty when the store covers its whole bucket.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// A view for synchronous callers, ready at the first poll; see [`Provider::inline`].
    pub fn inline(&self) -> Option<Self> {
        Some(Self { provider: self.provider.inline()?, prefix: self.prefix.clone() })
    }

    /// The URL of the store, without credentials: `s3://bucket/prefix`.
    pub fn url(&self) -> String {
        self.url_of(&Path::default())
    }

    /// The URL of the object at `location`, without credentials. Characters that a URL reads otherwise (`%`, `#`, `?`, spaces
    /// at the end) are percent-encoded, so that [`StoreUrl::parse`](crate::url::StoreUrl::parse) finds the same key.
    pub fn url_of(&self, location: &Path) -> String {
        let full = self.full_path(location);
        let root = self.provider.location();
        match full.as_ref() {
            "" => root,
            key => format!("{root}/{}", in_url(key)),
        }
    }

    /// The key in the back end of the object at `location`.
    pub fn full_path(&self, location: &Path) -> Path {
        if self.prefix.as_ref().is_empty() {
            return location.clone();
        }
        if location.as_ref().is_empty() {
            return self.prefix.clone();
        }
        joined(format!("{}/{}", self.prefix, location))
    }

    /// The key relative to this store of an object with the key `full` in the back end.
    pub fn relative_path(&self, full: Path) -> Path {
        let prefix = self.prefix.as_ref();
        if prefix.is_empty() {
            return full;
        }
        match full.as_ref().strip_prefix(prefix) {
            Some(rest) => joined(rest.strip_prefix('/').unwrap_or(rest).to_owned()),
            None => full,
        }
    }

    /// Whether the store is part of this process or machine, with no service that could answer wrongly.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.provider.scheme(), "memory" | "file")
    }

    pub(crate) fn full_prefix(&self, prefix: Option<&Path>) -> Option<Path> {
        let full = match prefix {
            Some(prefix) => self.full_path(prefix),
            None => self.prefix.clone(),
        };
        (!full.as_ref().is_empty()).then_some(full)
    }

    /// The error of an object of the back end whose key no path can hold.
    pub(crate) fn odd_key(&self, mut odd: Box<OddKey>) -> Error {
        odd.key = self.relative_key(&odd.key).to_owned();
        self.odd_key_below(odd)
    }

    /// The same; the key is relative to this store.
    pub(crate) fn odd_key_below(&self, odd: Box<OddKey>) -> Error {
        Error::of_odd_key(self.url_of_key(&odd.key), odd)
    }

    /// What looks like the URL of a key that no path need be able to hold.
    pub(crate) fn url_of_key(&self, key: &str) -> String {
        format!("{}/{}", self.url(), in_url(key))
    }

    /// A key of the back end, which no path need be able to hold, relative to this store.
    pub(crate) fn relative_key<'a>(&self, full: &'a str) -> &'a str {
        match full.strip_prefix(self.prefix.as_ref()) {
            Some(rest) if !self.prefix.as_ref().is_empty() => {
                rest.strip_prefix('/').unwrap_or(rest)
            }
            _ => full,
        }
    }

    pub(crate) fn relative_meta(&self, mut meta: ObjectMeta) -> ObjectMeta {
        meta.location = self.relative_path(meta.location);
        meta
    }

    /// The same as `get_opts`, for those who compare checksums themselves.
    pub(crate) async fn get_uncompared(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> StoreResult<GetResult> {
        self.get_with(location, options, |_| None).await
    }

    /// Ranges of an object; those that are at most `near` bytes from each other with one request, `at_once` requests at once.
    /// What a range has behind the end of the object is left out.
    ///
    /// # Errors
    /// Those of a read; also when all of the ranges of a request lie behind the end.
    pub async fn read_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
        near: u64,
        at_once: usize,
    ) -> StoreResult<Vec<Bytes>> {
        let mut order: Vec<usize> = (0..ranges.len()).collect();
        order.sort_unstable_by_key(|&i| ranges[i].start);
        let mut runs: Vec<Run> = Vec::new();
        for i in order {
            match runs.last_mut() {
                Some(run) if ranges[i].start <= run.range.end.saturating_add(near) => {
                    run.range.end = run.range.end.max(ranges[i].end);
                    run.members.push(i);
                }
                _ => runs.push(Run { range: ranges[i].clone(), members: vec![i] }),
            }
        }
        let is_one = runs.len() == 1;
        let spans: Vec<_> = runs.iter().map(|run| run.range.clone()).collect();
        let asked = spans.into_iter().map(|span| async move {
            let options = GetOptions::new().with_range(Some(GetRange::Bounded(span)));
            let reply = self.get_opts(location, options).await?;
            // Without ranges, each of them would be a read of the whole.
            match is_one || !is_taken_out(&reply) {
                true => reply.bytes().await.map(Some),
                false => Ok(None),
            }
        });
        let mut asked = stream::iter(asked).buffered(at_once.max(1));
        let mut read = Vec::with_capacity(runs.len());
        while let Some(data) = asked.try_next().await? {
            let Some(data) = data else {
                drop(asked);
                read = self.take_out(location, &runs).await?;
                break;
            };
            read.push(data);
        }
        let mut found = vec![Bytes::new(); ranges.len()];
        for (run, data) in runs.iter().zip(read) {
            let within = |at: u64| data.len().min((at - run.range.start) as usize);
            for &i in &run.members {
                found[i] = data.slice(within(ranges[i].start)..within(ranges[i].end));
            }
        }
        Ok(found)
    }

    /// Takes runs of ranges out of the whole object, which streams by.
    async fn take_out(&self, location: &Path, runs: &[Run]) -> StoreResult<Vec<Bytes>> {
        let mut body = self.get(location).await?.into_stream();
        let (mut at, mut piece) = (0, Bytes::new());
        let mut found = Vec::with_capacity(runs.len());
        for Run { range, .. } in runs {
            let mut data = BytesMut::new();
            while at < range.end {
                if piece.is_empty() {
                    let Some(next) = body.try_next().await? else { break };
                    piece = next;
                }
                let until = if at < range.start { range.start } else { range.end };
                let taken = piece.split_to((until - at).min(piece.len() as u64) as usize);
                if at >= range.start {
                    data.extend_from_slice(&taken);
                }
                at += taken.len() as u64;
            }
            found.push(data.freeze());
        }
        Ok(found)
    }

    async fn get_with(
        &self,
        location: &Path,
        options: GetOptions,
        sum: impl FnOnce(&GetResult) -> Option<Checksum>,
    ) -> StoreResult<GetResult> {
        let head = options.head;
        let mut result = self.provider.get_opts(&self.full_path(location), options).await?;
        result.meta = self.relative_meta(result.meta);
        if !head && !self.is_embedded() {
            let sum = sum(&result);
            result = whole::checked(result, sum);
        }
        Ok(result)
    }
}

/// Builds a path out of pieces of valid paths, whose segments need no second check.
fn joined(path: String) -> Path {
    Path::parse(&path).unwrap_or_else(|_| Path::from(path))
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> StoreResult<PutResult> {
        self.provider.put_opts(&self.full_path(location), payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.provider.put_multipart_opts(&self.full_path(location), opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.get_with(location, options, whole::fast_checksum).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        if self.is_embedded() {
            return self.provider.get_ranges(&self.full_path(location), ranges).await;
        }
        // Through `get_opts`, which checks what comes back.
        let near = object_store::OBJECT_STORE_COALESCE_DEFAULT;
        let found = self.read_ranges(location, ranges, near, RANGES_AT_ONCE).await?;
        let is_outside =
            |(range, bytes): &(&Range<u64>, &Bytes)| range.start < range.end && bytes.is_empty();
        match ranges.iter().zip(&found).find(is_outside) {
            None => Ok(found),
            Some((range, _)) => Err(object_store::Error::Generic {
                store: "holdall",
                source: format!("the range {range:?} lies outside of the object").into(),
            }),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        let (before, after) = (self.clone(), self.clone());
        let full = locations.map_ok(move |location| before.full_path(&location)).boxed();
        self.provider.delete_stream(full).map_ok(move |full| after.relative_path(full)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let listing = self.provider.list(self.full_prefix(prefix).as_ref());
        if self.prefix.as_ref().is_empty() {
            return listing;
        }
        let store = self.clone();
        listing.map_ok(move |meta| store.relative_meta(meta)).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let offset = self.full_path(offset);
        let listing = self.provider.list_with_offset(self.full_prefix(prefix).as_ref(), &offset);
        let store = self.clone();
        listing.map_ok(move |meta| store.relative_meta(meta)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        let mut result =
            self.provider.list_with_delimiter(self.full_prefix(prefix).as_ref()).await?;
        result.objects = result.objects.into_iter().map(|meta| self.relative_meta(meta)).collect();
        result.common_prefixes =
            result.common_prefixes.into_iter().map(|full| self.relative_path(full)).collect();
        // WebDAV servers answer in any order; for the others this is a look.
        result.objects.sort_by(|a, b| a.location.cmp(&b.location));
        result.common_prefixes.sort();
        Ok(result)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.provider.copy_opts(&self.full_path(from), &self.full_path(to), options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> StoreResult<()> {
        if from == to {
            // Most services copy and delete, which would leave nothing.
            let there = self.head(from).await?;
            return match options.target_mode {
                RenameTargetMode::Overwrite => Ok(()),
                RenameTargetMode::Create => Err(object_store::Error::AlreadyExists {
                    path: there.location.to_string(),
                    source: "source and target are the same object".into(),
                }),
            };
        }
        self.provider.rename_opts(&self.full_path(from), &self.full_path(to), options).await
    }
}
