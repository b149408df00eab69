//! One version of an object, read wherever it is wanted: what file objects read from.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::client::{is_one_piece, is_version, is_weak};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::transfer::{Transfer, has_ranges};
use crate::whole::stated_checksum;

/// Ranges of this length are read by several requests at once.
const LARGE_BYTES: u64 = 16 * 1024 * 1024;

/// An object whose ranges are read in any order, all of them of one version.
///
/// Where a server gives no ranges, or nothing tells its versions apart, the object is read forward with one request: what lies
/// between is dropped as it comes, and whoever goes back waits for all that is before.
pub struct Pinned {
    path: Path,
    /// As far as it is known: what was said of it at first need not be what replies say.
    size: AtomicU64,
    facts: Mutex<Facts>,
    forward: tokio::sync::Mutex<Option<Forward>>,
}

#[derive(Default)]
struct Facts {
    /// The version to be read.
    version: Option<ObjectMeta>,
    /// Whether a reply with bytes has confirmed it.
    is_settled: bool,
    /// Whether somebody has counted from its end.
    has_been_measured: bool,
    is_one_piece: bool,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Pinned {
    /// The present version of an object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none.
    pub async fn open(store: &Store, path: &Path) -> Result<Self> {
        let meta = store.head(path).await.map_err(|e| store.error("open", path, e))?;
        let mut pinned = Self::of_size(path, meta.size);
        pinned.facts.get_mut().unwrap_or_else(PoisonError::into_inner).version = Some(meta);
        Ok(pinned)
    }

    /// The version that the first reply will be of; it is said to have `size` bytes. No request is sent.
    pub fn of_size(path: &Path, size: u64) -> Self {
        Self {
            path: path.clone(),
            size: AtomicU64::new(size),
            facts: Mutex::default(),
            forward: tokio::sync::Mutex::default(),
        }
    }

    /// The key.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The entity tag of the version, once it is known.
    pub fn e_tag(&self) -> Option<String> {
        self.facts().version.as_ref()?.e_tag.clone()
    }

    /// The length of the object: as it was said to be at first, and as replies with its bytes say from the first of them on.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// The same for those who go by it from here on: another length is an error then.
    pub fn measure(&self) -> u64 {
        self.facts().has_been_measured = true;
        self.size()
    }

    /// Whether the length can be relied on. HTTP servers may say another one of an object than they send of it.
    pub fn is_settled(&self, store: &Store) -> bool {
        store.provider().scheme() != "http" || self.facts().is_settled
    }

    /// Whether it is read forward, with one request.
    pub fn is_one_piece(&self) -> bool {
        self.facts().is_one_piece
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure of the length, with a request unless it is certain.
    ///
    /// # Errors
    /// Those of [`fetch`](Self::fetch).
    pub async fn settle(&self, store: &Store) -> Result<()> {
        if self.is_settled(store) {
            return Ok(());
        }
        match self.ask(store, Some(0..1)).await {
            Ok(_) => {}
            // Nothing can be asked for of an object without a byte.
            Err(error) if error.status() == Some(416) => self.size.store(0, Ordering::Release),
            Err(error) => return Err(error),
        }
        self.facts().is_settled = true;
        Ok(())
    }

    /// The bytes of a range, as far as it lies within the object.
    ///
    /// # Errors
    /// [`ErrorKind::Precondition`] when the object is another one by now, [`ErrorKind::Corrupt`] when it has another length
    /// than it was said to have, and something of it has been read before.
    pub async fn fetch(&self, store: &Store, range: Range<u64>) -> Result<Bytes> {
        let data = match self.is_one_piece() {
            true => self.read_on(store, &range).await?,
            false => match self.read_range(store, &range).await? {
                Some(data) => data,
                None => self.read_on(store, &range).await?,
            },
        };
        let wanted = range.end.min(self.size()).saturating_sub(range.start);
        if data.len() as u64 != wanted {
            let detail = format!("the range {range:?} has {} bytes of {wanted}", data.len());
            return Err(self.error(store, ErrorKind::Corrupt, detail));
        }
        self.facts().is_settled = true;
        Ok(data)
    }

    /// One range with a request of its own, unless it has to be read forward.
    async fn read_range(&self, store: &Store, range: &Range<u64>) -> Result<Option<Bytes>> {
        let reply = self.ask(store, Some(range.clone())).await.map_err(|error| {
            match error.status() {
                Some(416) => {
                    let detail = format!("the range {range:?} lies outside of it: it is shorter than it was said to be");
                    self.error(store, ErrorKind::Corrupt, detail)
                }
                _ => error,
            }
        })?;
        if self.is_one_piece() && reply.range != (0..reply.meta.size) {
            return Ok(None);
        }
        let expected = range.start..range.end.min(self.size());
        if reply.range != expected {
            let detail = format!("asked for bytes {expected:?}, got {:?}", reply.range);
            return Err(self.error(store, ErrorKind::Corrupt, detail));
        }
        let is_large = expected.end - expected.start >= LARGE_BYTES && !store.is_embedded();
        if is_large && has_ranges(store, &reply) {
            let (meta, sum) = (reply.meta.clone(), stated_checksum(&reply));
            let stream = reply.into_stream();
            return Transfer::new()
                .finish_read(store, &meta, expected, stream, sum)
                .await
                .map(Some);
        }
        reply.bytes().await.map(Some).map_err(|e| store.error("read", &self.path, e))
    }

    /// The bytes of a range out of the body that is being read, or of a new one when that is beyond them.
    async fn read_on(&self, store: &Store, range: &Range<u64>) -> Result<Bytes> {
        let mut place = self.forward.lock().await;
        // Whoever is cancelled leaves none.
        let left = place.take().filter(|forward| forward.at <= range.start && forward.is_ours());
        let mut forward = match left {
            Some(forward) => forward,
            None => Forward::new(self.ask(store, None).await?),
        };
        let end = range.end.min(self.size());
        let failed = |e| store.error("read", &self.path, e);
        let mut data = BytesMut::new();
        while forward.at < end {
            let until = if forward.at < range.start { range.start } else { end };
            let is_wanted = forward.at >= range.start;
            match forward.next(until).await {
                Some(piece) if is_wanted => data.extend_from_slice(&piece.map_err(failed)?),
                Some(piece) => drop(piece.map_err(failed)?),
                None => break,
            }
        }
        if forward.at < self.size() {
            *place = Some(forward);
        } else if let Some(Err(error)) = forward.next(u64::MAX).await {
            // At its end, a body says whether it was what the reply said.
            return Err(failed(error));
        }
        Ok(data.freeze())
    }

    /// Asks for a range, or the whole, of the version that is read.
    async fn ask(&self, store: &Store, range: Option<Range<u64>>) -> Result<GetResult> {
        let tag = self.facts().version.as_ref().and_then(|version| version.e_tag.clone());
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            // A weak tag never matches (RFC 9110, 13.1.1).
            if_match: tag.filter(|tag| !is_weak(tag)),
            ..GetOptions::default()
        };
        let reply = store.get_opts(&self.path, options).await;
        let reply = reply.map_err(|e| store.error("read", &self.path, e))?;
        self.admit(store, &reply)?;
        Ok(reply)
    }

    /// Whether a reply is of the version that is read. As long as nothing has been, the first one says what that is.
    fn admit(&self, store: &Store, reply: &GetResult) -> Result<()> {
        let mut facts = self.facts();
        let meta = &reply.meta;
        facts.is_one_piece |= is_one_piece(reply);
        let said = facts.version.as_ref();
        let tags = said.and_then(|said| said.e_tag.as_ref().zip(meta.e_tag.as_ref()));
        let is_same = match said.filter(|_| facts.is_settled) {
            // The time that AIStore tells is that of the last read, where it knows no other.
            Some(said) if tags.is_none() && store.provider().scheme() == "ais" => {
                said.size == meta.size
            }
            Some(said) => is_version(said, meta),
            None if facts.has_been_measured && self.size() != meta.size => false,
            None => tags.is_none_or(|(one, other)| one == other),
        };
        if is_same {
            self.size.store(meta.size, Ordering::Release);
            facts.version = Some(meta.clone());
            return Ok(());
        }
        let other_tag = tags.is_some_and(|(one, other)| one != other);
        let (kind, what) = match !other_tag && self.size() != meta.size {
            true => (ErrorKind::Corrupt, "it has another length than it was said to have"),
            false => (ErrorKind::Precondition, "it changed while it was read"),
        };
        let detail = format!("{what}: {} bytes, then {}", self.size(), meta.size);
        Err(self.error(store, kind, detail))
    }

    fn error(&self, store: &Store, kind: ErrorKind, detail: String) -> Error {
        Error::new(kind, "read", store.url_of(&self.path), detail)
    }
}

/// A body that is read from its first byte on.
struct Forward {
    at: u64,
    body: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    rest: Bytes,
    process: u32,
}

impl Forward {
    fn new(reply: GetResult) -> Self {
        let body = Some(reply.into_stream());
        Self { at: 0, body, rest: Bytes::new(), process: std::process::id() }
    }

    fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// The next bytes, none of them at `until` or behind.
    async fn next(&mut self, until: u64) -> Option<object_store::Result<Bytes>> {
        while self.rest.is_empty() {
            match self.body.as_mut()?.next().await? {
                Ok(piece) => self.rest = piece,
                Err(error) => return Some(Err(error)),
            }
        }
        let length = (until - self.at).min(self.rest.len() as u64) as usize;
        self.at += length as u64;
        Some(Ok(self.rest.split_to(length)))
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        if !self.is_ours() {
            // The runtime of the parent does not exist in a forked child: its connections must not be touched.
            std::mem::forget(self.body.take());
        }
    }
}
