//! Writing an object: with one request, or in parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult,
};

use super::Transfer;
use super::backoff::Backoff;
use super::budget::Held;
use super::fetch::Grid;
use super::inspect::Inspected;
use super::multipart::Upload;
use super::source::{LocalFile, Source};
use super::whole::Whole;
use crate::checksum::{Algorithm, Checksum, Hasher, cheapest};
use crate::client::{Integrity, stated};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::CreateNew;
use crate::store::Store;

/// An object that is being written.
pub(super) struct Target<'a> {
    pub(super) transfer: &'a Transfer,
    pub(super) store: &'a Store,
    pub(super) path: &'a Path,
    pub(super) attributes: Attributes,
    /// Bytes of it that have been counted as moved.
    pub(super) moved: Arc<AtomicU64>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) e_tag: Option<String>,
    pub(super) version: Option<String>,
    pub(super) resumed: u64,
}

impl From<PutResult> for Sent {
    fn from(result: PutResult) -> Self {
        Self { e_tag: result.e_tag, version: result.version, resumed: 0 }
    }
}

impl Target<'_> {
    /// Counts bytes that the service has.
    pub(super) fn moved(&self, bytes: u64) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
        self.transfer.events.moved(bytes);
    }

    pub(super) fn error(&self, error: object_store::Error) -> Error {
        self.store.error("put", self.path, error)
    }

    /// Writes the object with one request.
    pub(super) async fn put(&self, payload: PutPayload) -> Result<Sent> {
        let length = payload.content_length() as u64;
        let creates = self.creates();
        // When the answer to a creation is lost, a second attempt would find the first one's object.
        let retries = if creates { 0 } else { self.transfer.options.retries };
        let mut backoff = Backoff::new(retries);
        loop {
            let request = self.transfer.budget.request(self.store).await;
            self.transfer.budget.pace(length as usize).await;
            let (result, said) = stated(self.put_with_fallback(payload.clone())).await;
            drop(request);
            let checked = match result {
                Ok(result) => self.check(&payload, &said, result.e_tag.as_deref()).map(|()| result),
                Err(error) => Err(self.error(error)),
            };
            match checked {
                Ok(result) => {
                    self.moved(length);
                    Upload::clear(self).await;
                    return Ok(result.into());
                }
                Err(error) => backoff.again(error).await?,
            }
            self.transfer.events.retried();
        }
    }

    fn put_options(&self) -> PutOptions {
        let mode = match self.transfer.options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        let tags = self.transfer.options.tags.clone();
        PutOptions { mode, attributes: self.attributes.clone(), tags, ..Default::default() }
    }

    /// Writes without attributes where the target can keep none and none were asked for by name.
    async fn put_with_fallback(&self, payload: PutPayload) -> object_store::Result<PutResult> {
        let full = self.put_options();
        let bare = PutOptions { mode: full.mode.clone(), ..Default::default() };
        let full = self.store.put_opts(self.path, payload.clone(), full).await;
        match full {
            Err(object_store::Error::NotSupported { .. })
                if self.may_drop_attributes() && bare.mode == PutMode::Overwrite =>
            {
                self.store.put_opts(self.path, payload, bare).await
            }
            done => done,
        }
    }

    pub(super) fn may_drop_attributes(&self) -> bool {
        let options = &self.transfer.options;
        options.attributes.is_none()
            && options.tags.encoded().is_empty()
            && !self.attributes.is_empty()
    }

    /// Compares what the service says it has received with what was sent.
    pub(super) fn check(
        &self,
        payload: &PutPayload,
        said: &Integrity,
        e_tag: Option<&str>,
    ) -> Result<()> {
        let provider = self.store.provider();
        let tag = e_tag.filter(|_| {
            // Services that check a signature over the content have found it right.
            provider.scheme() == "s3" && !provider.signs_content() && !said.is_encrypted
        });
        let tag = tag.and_then(|tag| Checksum::from_hex(Algorithm::Md5, tag.trim_matches('"')));
        let Some(stated) = cheapest(&said.checksums).or(tag) else { return Ok(()) };
        let mut hasher = Hasher::new(stated.algorithm());
        payload.iter().for_each(|piece| hasher.update(piece));
        let sent = hasher.finish();
        if sent == stated {
            return Ok(());
        }
        let detail = format!("what was sent has {sent}, what the service received has {stated}");
        Err(Error::new(ErrorKind::Corrupt, "put", self.store.url_of(self.path), detail))
    }

    /// Refuses to go on when an object is there that shall not be replaced.
    pub(super) async fn check_absent(&self) -> Result<()> {
        if self.creates() && self.store.exists(self.path).await? {
            let detail = "the target exists";
            let url = self.store.url_of(self.path);
            return Err(Error::new(ErrorKind::AlreadyExists, "copy", url, detail));
        }
        Ok(())
    }

    pub(super) fn multipart_options(&self, with_attributes: bool) -> PutMultipartOptions {
        let mut options = match with_attributes {
            true => PutMultipartOptions {
                attributes: self.attributes.clone(),
                tags: self.transfer.options.tags.clone(),
                ..Default::default()
            },
            false => PutMultipartOptions::default(),
        };
        // Services say it when they complete the upload.
        if self.creates() && self.store.provider().multipart().is_none() {
            options.extensions.insert(CreateNew);
        }
        options
    }

    /// Whether an object that is there is not to be replaced.
    pub(super) fn creates(&self) -> bool {
        self.transfer.options.mode == CopyMode::Create
    }

    /// Writes the object in parts, several at once.
    pub(super) async fn put_parts(
        &self,
        source: &Source,
        expected: Option<Checksum>,
        inspected: Inspected,
    ) -> Result<Sent> {
        self.check_absent().await?;
        let size = source.size();
        if let (Source::File(file), None) = (source, &expected)
            && !inspected.sees_content()
            && let Some(sent) = self.put_file(file).await?
        {
            source.check_unchanged()?;
            return inspected.finish().map(|()| sent);
        }
        let grid = Grid::new(0..size, self.transfer.options.upload_part(size));
        let mut sink = Sink::begin(self, source.identity(), &grid).await?;
        let missing: Vec<_> = (0..grid.len()).filter(|i| !sink.has(*i)).collect();
        let resumed = self.count_resumed(&grid, &missing);
        let whole = Whole::new(expected.as_ref(), inspected, &grid);
        let sent = async {
            match &mut sink {
                Sink::Service(upload) => {
                    // With a hash that needs all bytes in order, parts that the service has are read again.
                    let indexes =
                        if whole.in_order() { (0..grid.len()).collect() } else { missing };
                    let puts = stream::iter(indexes).map(|index| {
                        let (grid, upload, whole) = (&grid, &*upload, &whole);
                        async move {
                            let range = grid.part(index);
                            let held = self.transfer.budget.memory(range.end - range.start).await?;
                            let payload = source.part(self.transfer, range).await?;
                            whole.take(index, &payload).await;
                            match upload.has(index) {
                                true => Ok(()),
                                false => upload.put(self, index, payload, held).await,
                            }
                        }
                        .boxed()
                    });
                    let mut puts = puts.buffer_unordered(self.transfer.options.parts);
                    while let Some(put) = puts.next().await {
                        put?;
                    }
                }
                Sink::Whole(upload) => {
                    let parts = self.parts_in_order(source, &grid, &whole);
                    self.put_in_order(upload, parts).await?;
                }
            }
            source.check_unchanged()?;
            whole.check(expected.as_ref(), source)
        }
        .await;
        match sent {
            Ok(()) => {
                let done = sink.complete(self).await?;
                Ok(Sent { resumed, ..done })
            }
            Err(error) => {
                sink.abandon(self, &error).await;
                Err(error)
            }
        }
    }

    fn parts_in_order<'a>(
        &'a self,
        source: &'a Source,
        grid: &'a Grid,
        whole: &'a Whole,
    ) -> BoxStream<'a, Result<(PutPayload, Held)>> {
        let part = move |index| async move {
            if index == grid.len() {
                return Ok(None);
            }
            let range = grid.part(index);
            let held = self.transfer.budget.memory(range.end - range.start).await?;
            let payload = source.part(self.transfer, range).await?;
            whole.take(index, &payload).await;
            Ok(Some(((payload, held), index + 1)))
        };
        stream::try_unfold(0, part).boxed()
    }

    /// Writes a file with one request, whatever its size, to a service that has no parts.
    async fn put_file(&self, file: &LocalFile) -> Result<Option<Sent>> {
        let _request = self.transfer.budget.request(self.store).await;
        let (provider, full) = (self.store.provider(), self.store.full_path(self.path));
        let put = provider.put_file(&full, file.handle(), file.size(), self.put_options()).await;
        let put = put.map_err(|e| self.error(e))?;
        if put.is_some() {
            self.moved(file.size());
        }
        Ok(put.map(Sent::from))
    }

    fn count_resumed(&self, grid: &Grid, missing: &[usize]) -> u64 {
        let length = |i: &usize| grid.part(*i).end - grid.part(*i).start;
        let all = grid.range.end - grid.range.start;
        let resumed = all - missing.iter().map(length).sum::<u64>();
        self.moved.fetch_add(resumed, Ordering::Relaxed);
        self.transfer.events.resumed(resumed);
        resumed
    }

    /// Writes parts of a stream, whose end nobody knows.
    pub(super) async fn put_stream(
        &self,
        parts: impl futures::Stream<Item = Result<(PutPayload, Held)>> + Send,
    ) -> Result<Sent> {
        self.check_absent().await?;
        let mut sink = Sink::begin(self, None, &Grid::new(0..0, 1)).await?;
        let sent = match &mut sink {
            Sink::Service(upload) => {
                let upload = &*upload;
                let puts = parts.enumerate().map(|(index, part)| async move {
                    let (payload, held) = part?;
                    upload.put(self, index, payload, held).await
                });
                puts.buffer_unordered(self.transfer.options.parts).try_collect().await
            }
            Sink::Whole(upload) => self.put_in_order(upload, parts).await,
        };
        match sent {
            Ok(()) => sink.complete(self).await,
            Err(error) => {
                sink.abandon(self, &error).await;
                Err(error)
            }
        }
    }

    /// Hands parts to an upload that wants them in order.
    async fn put_in_order(
        &self,
        upload: &mut Box<dyn MultipartUpload>,
        parts: impl futures::Stream<Item = Result<(PutPayload, Held)>> + Send,
    ) -> Result<()> {
        let puts = parts.map(|part| {
            let put = part.map(|(payload, held)| {
                let length = payload.content_length() as u64;
                (upload.put_part(payload), held, length)
            });
            async move {
                let (put, _held, length) = put?;
                self.transfer.budget.pace(length as usize).await;
                put.await.map_err(|e| self.error(e))?;
                self.moved(length);
                Ok(())
            }
        });
        puts.buffer_unordered(self.transfer.options.parts).try_collect().await
    }
}

/// Where parts go: to a service that takes them in any order, or to a store that takes them one after another.
enum Sink {
    Service(Box<Upload>),
    Whole(Box<dyn MultipartUpload>),
}

impl Sink {
    async fn begin(target: &Target<'_>, identity: Option<String>, grid: &Grid) -> Result<Self> {
        if target.store.provider().multipart().is_some() {
            return Ok(Self::Service(Box::new(Upload::begin(target, identity, grid).await?)));
        }
        let options = target.multipart_options(true);
        let upload = match target.store.put_multipart_opts(target.path, options).await {
            Err(object_store::Error::NotSupported { .. }) if target.may_drop_attributes() => {
                let options = target.multipart_options(false);
                target.store.put_multipart_opts(target.path, options).await
            }
            begun => begun,
        };
        Ok(Self::Whole(upload.map_err(|e| target.error(e))?))
    }

    fn has(&self, index: usize) -> bool {
        matches!(self, Self::Service(upload) if upload.has(index))
    }

    async fn complete(self, target: &Target<'_>) -> Result<Sent> {
        match self {
            Self::Service(upload) => upload.complete(target).await,
            Self::Whole(mut upload) => {
                // Whether or not the store looks for it in the same step.
                if let Err(error) = target.check_absent().await {
                    drop(upload.abort().await);
                    return Err(error);
                }
                let done = upload.complete().await;
                done.map(Sent::from).map_err(|e| target.error(e))
            }
        }
    }

    /// Removes what has been written; keeps it when it is to be continued. The error that led here is the one to report.
    async fn abandon(self, target: &Target<'_>, why: &Error) {
        match self {
            Self::Service(upload) => upload.abandon(target, why).await,
            Self::Whole(mut upload) => drop(upload.abort().await),
        }
    }
}
