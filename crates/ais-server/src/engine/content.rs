//! An object's content, open for reading.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::Stream;

use super::lock::ReadGuard;
use crate::error::Result;
use crate::storage::{Blob, Blobs, Chunk, ObjectMeta, Reservation};

/// Bytes that are read at once.
pub const PIECE: usize = 1 << 20;

/// An object's content. It is the content of the moment when it was opened, whatever happens to the object since.
///
/// Of content in many parts one is open at a time, so that an object of ten thousand parts costs no more files than any
/// other; all of them are reserved.
#[derive(Clone)]
pub struct Content {
    inner: Arc<Inner>,
    size: u64,
}

struct Inner {
    /// Where the parts begin, and their blobs. The start of the first is 0.
    parts: Vec<(u64, Chunk)>,
    /// The part that was read last.
    open: Mutex<(usize, Arc<dyn Blob>)>,
    blobs: Arc<dyn Blobs>,
    _reserved: Option<Reservation>,
}

/// Where a byte is.
struct Place {
    blob: Arc<dyn Blob>,
    /// Its offset in the blob.
    at: u64,
    /// Bytes of the blob from there on.
    left: u64,
}

impl Content {
    /// Opens what the metadata names. May block.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] when the object has been replaced or deleted meanwhile; others of the file system.
    pub(super) fn open(meta: &ObjectMeta, blobs: &Arc<dyn Blobs>) -> io::Result<Self> {
        let mut start = 0;
        let mut parts = Vec::with_capacity(meta.content.len());
        for chunk in &meta.content {
            parts.push((start, *chunk));
            start += chunk.size;
        }
        let Some((_, first)) = parts.first().copied() else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "metadata names no content"));
        };
        // Parts of an object that was replaced are removed in their order: when the first is there after all were
        // reserved, all are.
        let ids = || parts.iter().map(|(_, chunk)| chunk.blob).collect();
        let reserved = (parts.len() > 1).then(|| blobs.reserve(ids()));
        let open = Mutex::new((0, blobs.open(first.blob, first.size)?));
        let blobs = Arc::clone(blobs);
        let inner = Inner { parts, open, blobs, _reserved: reserved };
        Ok(Self { inner: Arc::new(inner), size: start })
    }

    /// One blob that is no object's.
    pub(super) fn of_blob(blob: Arc<dyn Blob>, size: u64, blobs: &Arc<dyn Blobs>) -> Self {
        let inner = Inner {
            parts: vec![(0, Chunk { blob: 0, size })],
            open: Mutex::new((0, blob)),
            blobs: Arc::clone(blobs),
            _reserved: None,
        };
        Self { inner: Arc::new(inner), size }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The place of the byte at this offset; none at the end. May block.
    fn part_at(&self, offset: u64) -> io::Result<Option<Place>> {
        let parts = &self.inner.parts;
        let after = parts.partition_point(|(start, _)| *start <= offset);
        // Empty parts share their start with the next one, which is the one that holds the byte.
        let Some(index) = after.checked_sub(1) else { return Ok(None) };
        let (start, chunk) = parts[index];
        let at = offset - start;
        if at >= chunk.size {
            return Ok(None);
        }
        let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.0 != index {
            *open = (index, self.inner.blobs.open(chunk.blob, chunk.size)?);
        }
        Ok(Some(Place { blob: Arc::clone(&open.1), at, left: chunk.size - at }))
    }

    /// Reads up to `len` bytes at `offset`: at least one, unless it is the end. May block.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let Some(Place { blob, at, left }) = self.part_at(offset)? else { return Ok(Bytes::new()) };
        let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
        let bytes = blob.read_at(at, len)?;
        if bytes.is_empty() && len > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "content became shorter while it was read",
            ));
        }
        Ok(bytes)
    }

    /// Reads a range whole. May block.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn read_range(&self, range: Range<u64>) -> io::Result<Bytes> {
        let len =
            usize::try_from(range.end - range.start).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let first = self.read_at(range.start, len)?;
        if first.len() == len {
            return Ok(first);
        }
        let mut all = Vec::with_capacity(len);
        all.extend_from_slice(&first);
        while all.len() < len {
            let piece = self.read_at(range.start + all.len() as u64, len - all.len())?;
            if piece.is_empty() {
                break;
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }

    /// A reader for code that may block.
    pub fn reader(&self) -> ContentReader {
        ContentReader { content: self.clone(), at: 0 }
    }

    /// The bytes of a range as a stream, read ahead by one piece. Ends early with an error when the file system fails.
    pub fn stream(
        &self,
        range: Range<u64>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let content = self.clone();
        let next = content.begin(range.start, range.end);
        futures::stream::unfold((content, next, range), |(content, next, mut range)| async move {
            if range.is_empty() {
                return None;
            }
            let read = match next {
                Next::Ready(read) => read,
                Next::Running(task) => task.await.unwrap_or_else(|e| Err(io::Error::other(e))),
            };
            match read {
                Ok(bytes) if bytes.is_empty() => None,
                Ok(bytes) => {
                    range.start += bytes.len() as u64;
                    let next = content.begin(range.start, range.end);
                    Some((Ok(bytes), (content, next, range)))
                }
                Err(error) => {
                    range.start = range.end;
                    Some((Err(error), (content, Next::Ready(Ok(Bytes::new())), range)))
                }
            }
        })
    }

    fn begin(&self, start: u64, end: u64) -> Next {
        let len = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX).min(PIECE);
        if len == 0 || self.inner.blobs.inline() {
            return Next::Ready(self.read_at(start, len));
        }
        let content = self.clone();
        Next::Running(tokio::task::spawn_blocking(move || content.read_at(start, len)))
    }
}

enum Next {
    Ready(io::Result<Bytes>),
    Running(tokio::task::JoinHandle<io::Result<Bytes>>),
}

/// Content as [`io::Read`] and [`io::Seek`]. Blocks.
pub struct ContentReader {
    content: Content,
    at: u64,
}

impl io::Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(Place { blob, at, left }) = self.content.part_at(self.at)? else { return Ok(0) };
        let len = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = blob.read_into(at, &mut buffer[..len])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl io::Seek for ContentReader {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let at = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::End(offset) => self.content.size.checked_add_signed(offset),
            io::SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at =
            at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.at)
    }
}

/// An object that is being read: what it is, and the beginning of what was asked for.
pub struct Reading {
    /// The object.
    pub meta: ObjectMeta,
    /// What was asked for.
    pub range: Range<u64>,
    /// Its first bytes, up to [`PIECE`].
    pub first: Bytes,
    /// Everything.
    pub content: Content,
    /// Tells that the object is read, where that takes more than one piece.
    pub lock: Option<ReadGuard>,
}

impl Reading {
    /// Whether the first bytes are all that was asked for.
    pub fn is_whole(&self) -> bool {
        self.first.len() as u64 == self.range.end - self.range.start
    }

    pub(super) fn new(meta: ObjectMeta, range: Range<u64>, content: Content) -> Result<Self> {
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(PIECE);
        let first = content.read_at(range.start, len)?;
        Ok(Self { meta, range, first, content, lock: None })
    }
}
