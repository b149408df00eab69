//! An object's content, open for reading.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;

use crate::error::Result;
use crate::storage::{Blob, Blobs, ObjectMeta};

/// Bytes that are read at once.
pub const PIECE: usize = 1 << 20;

/// An object's content. It is the content of the moment when it was opened, whatever happens to the object since.
#[derive(Clone)]
pub struct Content {
    parts: Arc<[Part]>,
    size: u64,
    /// Whether reading never blocks.
    inline: bool,
}

struct Part {
    start: u64,
    size: u64,
    blob: Arc<dyn Blob>,
}

impl Content {
    /// Opens what the metadata names. May block.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] when the object has been replaced or deleted meanwhile; others of the file system.
    pub(super) fn open(meta: &ObjectMeta, blobs: &dyn Blobs) -> io::Result<Self> {
        let mut start = 0;
        let mut parts = Vec::with_capacity(meta.content.len());
        for chunk in &meta.content {
            parts.push(Part { start, size: chunk.size, blob: blobs.open(chunk.blob, chunk.size)? });
            start += chunk.size;
        }
        Ok(Self { parts: parts.into(), size: start, inline: blobs.inline() })
    }

    /// One blob that is no object's.
    pub(super) fn of_blob(blob: Arc<dyn Blob>, size: u64, blobs: &dyn Blobs) -> Self {
        Self { parts: [Part { start: 0, size, blob }].into(), size, inline: blobs.inline() }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn part_at(&self, offset: u64) -> Option<&Part> {
        let after = self.parts.partition_point(|part| part.start <= offset);
        // Empty parts share their start with the next one, which is the one that holds the byte.
        self.parts[..after].last().filter(|part| offset < part.start + part.size)
    }

    /// Reads up to `len` bytes at `offset`: at least one, unless it is the end. May block.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let Some(part) = self.part_at(offset) else { return Ok(Bytes::new()) };
        let left = part.start + part.size - offset;
        let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
        let bytes = part.blob.read_at(offset - part.start, len)?;
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
        if len == 0 || self.inline {
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
        let Some(part) = self.content.part_at(self.at) else { return Ok(0) };
        let left = usize::try_from(part.start + part.size - self.at).unwrap_or(usize::MAX);
        let len = buffer.len().min(left);
        let read = part.blob.read_into(self.at - part.start, &mut buffer[..len])?;
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
}

impl Reading {
    pub(super) fn new(meta: ObjectMeta, range: Range<u64>, content: Content) -> Result<Self> {
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(PIECE);
        let first = content.read_at(range.start, len)?;
        Ok(Self { meta, range, first, content })
    }
}
