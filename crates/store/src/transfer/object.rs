//! The object that a transfer reads: opened once, then read in ranges of the same version.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{Attributes, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::{Transfer, TransferOptions, Verify};
use crate::checksum::{Algorithm, Checksum, cheapest};
use crate::client::{Integrity, is_one_piece, is_version, is_weak};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

/// A body slower than this over the time below counts as silent, and is asked for again from where it stopped.
const LEAST_BYTES_PER_SECOND: u64 = 1024;
const SLOW_FOR: Duration = Duration::from_secs(30);

/// Where a transfer reads.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) store: Store,
    pub(super) path: Path,
    /// A version other than the present one.
    pub(super) version: Option<String>,
    /// Its length, as far as it has been announced.
    pub(super) size: Arc<AtomicU64>,
    /// Bytes of it that have been counted as moved.
    pub(super) moved: Arc<AtomicU64>,
    /// Whether bytes have moved when they have been read, and not only when they have been written again.
    pub(super) counts: bool,
    /// Whether a reply has shown that the service gives no ranges of it, or none that can be put together, whatever others
    /// have looked like.
    no_ranges: Arc<AtomicBool>,
    /// Whether a body of it has broken off that nothing can go on with.
    broke_off: Arc<AtomicBool>,
}

/// An object that has answered.
pub(super) struct Opened {
    pub(super) meta: ObjectMeta,
    pub(super) attributes: Attributes,
    pub(super) integrity: Integrity,
    pub(super) body: Body,
    /// Whether the service gives ranges, all of one version.
    pub(super) has_ranges: bool,
}

/// Bytes on their way.
pub(super) struct Body {
    /// What is still to come.
    pub(super) range: Range<u64>,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    /// What has come and has not been taken.
    rest: Bytes,
}

impl Body {
    pub(super) fn new(
        range: Range<u64>,
        stream: BoxStream<'static, object_store::Result<Bytes>>,
    ) -> Self {
        Self { range, stream, rest: Bytes::new() }
    }

    fn of(result: GetResult) -> (ObjectMeta, Self) {
        let (meta, range) = (result.meta.clone(), result.range.clone());
        (meta, Self::new(range, result.into_stream()))
    }

    /// The next bytes, at most `limit`.
    async fn next(&mut self, limit: u64) -> Option<object_store::Result<Bytes>> {
        if self.rest.is_empty() {
            match self.stream.next().await? {
                Ok(piece) => self.rest = piece,
                Err(error) => return Some(Err(error)),
            }
        }
        let length = limit.min(self.rest.len() as u64) as usize;
        self.range.start += length as u64;
        Some(Ok(self.rest.split_to(length)))
    }
}

impl Opened {
    fn of(mut result: GetResult, has_ranges: bool) -> Self {
        let integrity = result.extensions.remove::<Integrity>().unwrap_or_default();
        let attributes = std::mem::take(&mut result.attributes);
        let (meta, body) = Body::of(result);
        Self { meta, attributes, integrity, body, has_ranges }
    }
}

impl Object {
    pub(super) fn new(store: &Store, path: &Path) -> Self {
        Self {
            store: store.clone(),
            path: path.clone(),
            version: None,
            size: Arc::default(),
            moved: Arc::default(),
            counts: true,
            no_ranges: Arc::default(),
            broke_off: Arc::default(),
        }
    }

    /// Whether there is but one way to read it: with one request, from the first byte to the last.
    pub(super) fn has_no_ranges(&self) -> bool {
        self.no_ranges.load(Ordering::Relaxed)
    }

    pub(super) fn found_without_ranges(&self) {
        self.no_ranges.store(true, Ordering::Relaxed);
    }

    /// The same error; remembers that the transfer has to begin anew if it is to succeed.
    fn broken_off(&self, error: Error) -> Error {
        self.broke_off.store(true, Ordering::Relaxed);
        error
    }

    /// Whether a body has broken off since this was asked.
    pub(super) fn has_broken_off(&self) -> bool {
        self.broke_off.swap(false, Ordering::Relaxed)
    }

    /// The same object, whose length has been announced.
    pub(super) fn of_size(self, size: Option<u64>) -> Self {
        self.size.store(size.unwrap_or(0), Ordering::Relaxed);
        self
    }

    /// The same object as the source of an upload, which counts what the target has.
    pub(super) fn uncounted(mut self) -> Self {
        self.counts = false;
        self
    }

    pub(super) fn url(&self) -> String {
        self.store.url_of(&self.path)
    }

    pub(super) fn error(&self, error: object_store::Error) -> Error {
        self.store.error("get", &self.path, error)
    }

    fn options(&self) -> GetOptions {
        GetOptions { version: self.version.clone(), ..GetOptions::default() }
    }

    /// Opens the object with its first `part` bytes on their way, or all bytes when it has no more than these, or
    /// gives no ranges. `size` is the length where a listing has told it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the reply has another length and the object itself still has the one that was told.
    pub(super) async fn open(&self, size: Option<u64>, part: u64) -> Result<Opened> {
        let opened = self.ask(size, part).await?;
        if let Some(told) = size.filter(|size| *size != opened.meta.size) {
            self.confirm(told, opened.meta.size).await?;
        }
        Ok(opened)
    }

    /// Whether a reply of another length than was told is of a newer version. Otherwise whoever answered has sent something
    /// else: an error page, or what a cache or another origin had of it.
    async fn confirm(&self, told: u64, sent: u64) -> Result<()> {
        let head = GetOptions { head: true, ..self.options() };
        let found = self.store.get_opts(&self.path, head).await.map_err(|e| self.error(e))?;
        if found.meta.size != told {
            return Ok(());
        }
        let detail = format!("it has {told} bytes, and the reply is one of {sent}");
        Err(Error::new(ErrorKind::Corrupt, "get", self.url(), detail))
    }

    async fn ask(&self, size: Option<u64>, part: u64) -> Result<Opened> {
        if self.has_no_ranges() {
            return self.open_whole(false).await;
        }
        if self.store.is_embedded() || size.is_some_and(|size| size <= part) {
            return self.open_whole(true).await;
        }
        let options =
            GetOptions { range: Some(GetRange::Bounded(0..part.max(1))), ..self.options() };
        match self.store.get_uncompared(&self.path, options).await {
            Ok(result) if is_one_piece(&result) => {
                self.found_without_ranges();
                match result.range == (0..result.meta.size) {
                    true => Ok(Opened::of(result, false)),
                    false => {
                        drop(result);
                        self.open_whole(false).await
                    }
                }
            }
            Ok(result) => Ok(Opened::of(result, true)),
            Err(error) => {
                let error = self.error(error);
                match error.status() {
                    // An empty object has no range that could be given.
                    Some(416) => self.open_whole(true).await,
                    None if matches!(
                        error.kind(),
                        ErrorKind::Corrupt | ErrorKind::NotSupported
                    ) =>
                    {
                        self.open_whole(false).await
                    }
                    None if error.kind() == ErrorKind::Other => self.open_whole(false).await,
                    _ => Err(error),
                }
            }
        }
    }

    async fn open_whole(&self, has_ranges: bool) -> Result<Opened> {
        let result = self.store.get_uncompared(&self.path, self.options()).await;
        let result = result.map_err(|e| self.error(e));
        let has_ranges = has_ranges && !result.as_ref().is_ok_and(is_one_piece);
        if !has_ranges {
            self.found_without_ranges();
        }
        Ok(Opened::of(result?, has_ranges))
    }

    /// Asks for a range of the version that `pin` describes.
    ///
    /// # Errors
    /// [`ErrorKind::Precondition`] when the object is another one by now, [`ErrorKind::NotSupported`] when nobody can say.
    pub(super) async fn range(&self, pin: &ObjectMeta, range: Range<u64>) -> Result<Body> {
        let mut options =
            GetOptions { range: Some(GetRange::Bounded(range.clone())), ..self.options() };
        // A weak tag never matches If-Match (RFC 9110, 13.1.1); it is compared below.
        options.if_match = pin.e_tag.clone().filter(|tag| !is_weak(tag));
        let result = self.store.get_uncompared(&self.path, options).await;
        let result = result.map_err(|e| self.error(e))?;
        if is_one_piece(&result) {
            let detail = "the server gives no ranges of it that can be put together";
            return Err(Error::new(ErrorKind::NotSupported, "get", self.url(), detail));
        }
        let (meta, body) = Body::of(result);
        self.check(pin, &meta)?;
        match body.range == range {
            true => Ok(body),
            false => {
                let detail = format!("asked for bytes {range:?}, got {:?}", body.range);
                Err(Error::new(ErrorKind::Corrupt, "get", self.url(), detail))
            }
        }
    }

    /// Whether `meta` is of the version that `pin` describes.
    pub(super) fn check(&self, pin: &ObjectMeta, meta: &ObjectMeta) -> Result<()> {
        if is_version(pin, meta) {
            return Ok(());
        }
        let detail = format!("it changed while it was read: {}, then {}", shown(pin), shown(meta));
        Err(Error::new(ErrorKind::Precondition, "get", self.url(), detail))
    }

    /// What the content must amount to: the cheapest of the checksums that the service states.
    pub(super) async fn checksum(
        &self,
        stated: &Integrity,
        meta: &ObjectMeta,
        options: &TransferOptions,
    ) -> Result<Option<Checksum>> {
        let (verify, part) = (options.verify, options.part());
        if verify == Verify::Length {
            return Ok(None);
        }
        let mut found = cheapest(&stated.checksums);
        let is_cheap = |sum: &Checksum| sum.algorithm().is_combinable();
        // A server without ranges has said of the whole what it has to say.
        let is_worth_it = meta.size > part && !self.has_no_ranges() || verify == Verify::Required;
        if !found.as_ref().is_some_and(is_cheap) && is_worth_it {
            // One request more, which is worth it for many bytes.
            let kept = self.store.checksums(&self.path, meta.e_tag.as_deref()).await;
            found = cheapest(&kept.unwrap_or_default()).or(found);
        }
        let found = found.or_else(|| self.md5_tag(stated, meta));
        if found.is_none() && verify == Verify::Required {
            let detail = "the service states no checksum of it, and one is required";
            return Err(Error::new(ErrorKind::NotSupported, "verify", self.url(), detail));
        }
        Ok(found)
    }

    /// The entity tag of S3 for an object that was written in one piece, and is not encrypted with a key of its own.
    fn md5_tag(&self, stated: &Integrity, meta: &ObjectMeta) -> Option<Checksum> {
        let tag = meta.e_tag.as_deref()?.trim_matches('"');
        let is_md5 = self.store.provider().scheme() == "s3" && !stated.is_encrypted;
        is_md5.then(|| Checksum::from_hex(Algorithm::Md5, tag)).flatten()
    }
}

fn ended_early(object: &Object, left: &Range<u64>) -> Error {
    let detail = format!("the body ended at byte {} of {}", left.start, left.end);
    Error::new(ErrorKind::Corrupt, "get", object.url(), detail)
}

/// A place for the bytes of one range, in order.
pub(super) trait Accept {
    /// Takes the next bytes. After an error of the source, those that were taken stay.
    async fn accept(&mut self, piece: Bytes) -> Result<()>;
}

impl Transfer {
    /// Opens an object, see [`Object::open`].
    pub(super) async fn open(
        &self,
        object: &Object,
        size: Option<u64>,
        part: u64,
    ) -> Result<Opened> {
        self.hedged(&object.store, || object.open(size, part)).await
    }

    /// Asks a store once; a second time when the answer takes longer than the options say and the budget has a request to
    /// spare. The first good answer counts, and the other request is given up.
    async fn hedged<T, F>(&self, store: &Store, ask: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let Some(patience) = self.options.hedge else { return ask().await };
        let mut first = Box::pin(ask());
        if let Ok(answer) = tokio::time::timeout(patience, &mut first).await {
            return answer;
        }
        let Some(_spare) = self.budget.spare_request(store) else { return first.await };
        match select(first, Box::pin(ask())).await {
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
            Either::Left((answer, _)) | Either::Right((answer, _)) => answer,
        }
    }

    /// Reads a range of an object, to its last byte or an error: what breaks off is continued from the last good byte.
    ///
    /// A body that comes in is used, and stays when it reaches beyond the range.
    pub(super) async fn read_range(
        &self,
        object: &Object,
        pin: &ObjectMeta,
        range: Range<u64>,
        body: &mut Option<Body>,
        sink: &mut impl Accept,
    ) -> Result<()> {
        let mut backoff = Backoff::new(self.options.retries);
        let mut at = range.start;
        loop {
            let before = at;
            let error = match self.read_once(object, pin, &mut at, range.end, body, sink).await {
                Ok(_) if at == range.end => return Ok(()),
                // What had been asked for is complete; the range goes on.
                Ok(true) if at > before => continue,
                Ok(_) => ended_early(object, &(at..range.end)),
                Err(Broken::Source(error)) => error,
                Err(Broken::Sink(error)) => return Err(error),
            };
            if object.has_no_ranges() {
                // Only whoever can take back what has arrived can try again.
                return Err(object.broken_off(error));
            }
            if at > before {
                backoff.progressed();
            }
            backoff.again(error).await?;
            self.events.retried();
        }
    }

    /// The next bytes of a body that goes to the end of its object; none there.
    pub(super) async fn piece(&self, object: &Object, body: &mut Body) -> Result<Option<Bytes>> {
        match body.next(u64::MAX).await {
            Some(piece) => {
                let piece = piece.map_err(|e| object.broken_off(object.error(e)))?;
                self.pace(object, &piece).await;
                Ok(Some(piece))
            }
            None if body.range.is_empty() => Ok(None),
            None => Err(object.broken_off(ended_early(object, &body.range))),
        }
    }

    /// Waits for the turn of a piece. What is sent on waits there: each byte of an object counts once.
    async fn pace(&self, object: &Object, piece: &Bytes) {
        if object.counts {
            self.budget.pace(piece.len()).await;
        }
    }

    /// Reads from one body; whether that body is complete.
    async fn read_once(
        &self,
        object: &Object,
        pin: &ObjectMeta,
        at: &mut u64,
        end: u64,
        kept: &mut Option<Body>,
        sink: &mut impl Accept,
    ) -> Result<bool, Broken> {
        let mut body = match kept.take() {
            Some(body) => body,
            None => {
                let range = *at..end;
                let ask = || object.range(pin, range.clone());
                self.hedged(&object.store, ask).await.map_err(Broken::Source)?
            }
        };
        let mut pulse = Pulse::new();
        while *at < end {
            let Some(piece) = body.next(end - *at).await else { break };
            let piece = piece.map_err(|e| Broken::Source(object.error(e)))?;
            pulse.beat(piece.len(), object).map_err(Broken::Source)?;
            self.pace(object, &piece).await;
            let length = piece.len() as u64;
            sink.accept(piece).await.map_err(Broken::Sink)?;
            *at += length;
            if object.counts {
                object.moved.fetch_add(length, Ordering::Relaxed);
                self.events.moved(length);
            }
        }
        let is_complete = body.range.is_empty();
        if !is_complete && *at == end {
            *kept = Some(body);
        }
        Ok(is_complete)
    }
}

/// On which side a transfer broke.
enum Broken {
    Source(Error),
    Sink(Error),
}

/// Notices a body that moves so slowly that it might as well stand still.
struct Pulse {
    since: Instant,
    bytes: u64,
}

impl Pulse {
    fn new() -> Self {
        Self { since: Instant::now(), bytes: 0 }
    }

    fn beat(&mut self, bytes: usize, object: &Object) -> Result<()> {
        self.bytes += bytes as u64;
        if self.since.elapsed() < SLOW_FOR {
            return Ok(());
        }
        if self.bytes < LEAST_BYTES_PER_SECOND * SLOW_FOR.as_secs() {
            let detail = format!("{} bytes in {} s", self.bytes, SLOW_FOR.as_secs());
            return Err(Error::new(ErrorKind::Timeout, "get", object.url(), detail));
        }
        *self = Self::new();
        Ok(())
    }
}

/// A version as messages tell of it.
fn shown(meta: &ObjectMeta) -> String {
    let tag = meta.e_tag.as_deref().unwrap_or("none");
    // Where a server says nothing of the time, it is the beginning of all times.
    let when = Some(meta.last_modified).filter(|when| *when != DateTime::UNIX_EPOCH);
    let when = when.map_or_else(String::new, |when| format!(", modified {when}"));
    format!("{} bytes, ETag {tag}{when}", meta.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_by_what_is_known_of_it() {
        let mut meta = ObjectMeta {
            location: Path::from("k"),
            last_modified: DateTime::UNIX_EPOCH,
            size: 5,
            e_tag: Some("\"t\"".to_owned()),
            version: None,
        };
        assert_eq!(shown(&meta), "5 bytes, ETag \"t\"");
        meta.last_modified += chrono::TimeDelta::days(20_000);
        assert!(shown(&meta).ends_with(", modified 2024-10-04 00:00:00 UTC"), "{}", shown(&meta));
    }
}
