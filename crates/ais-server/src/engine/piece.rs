//! Content that belongs to no object yet: parts of uploads, appended bytes.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::storage::{BlobWriter, Blobs, Chunk};

/// A piece being written.
pub struct Piece {
    writer: Box<dyn BlobWriter>,
    size: u64,
    blobs: Arc<dyn Blobs>,
}

impl Piece {
    /// Begins a piece. May block.
    pub(super) fn create(blobs: &Arc<dyn Blobs>) -> Result<Self> {
        Ok(Self { writer: blobs.create()?, size: 0, blobs: Arc::clone(blobs) })
    }

    /// Adds bytes. May block.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.writer.write_bytes(bytes)
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ends it. May block.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn seal(self) -> Result<SealedPiece> {
        let chunk = Chunk { blob: self.writer.id(), size: self.size };
        self.writer.finish()?;
        Ok(SealedPiece { chunk, blobs: self.blobs, kept: false })
    }
}

/// A piece that is whole. Dropped, it goes away, unless something names it.
pub struct SealedPiece {
    chunk: Chunk,
    blobs: Arc<dyn Blobs>,
    kept: bool,
}

impl SealedPiece {
    /// Where it is, and its size.
    pub fn chunk(&self) -> Chunk {
        self.chunk
    }

    /// Leaves the piece to what names it from now on.
    pub(super) fn keep(mut self) -> Chunk {
        self.kept = true;
        self.chunk
    }
}

impl Drop for SealedPiece {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (blobs, blob) = (Arc::clone(&self.blobs), self.chunk.blob);
        // What cannot be removed now is removed at the next start.
        let remove = move || drop(blobs.remove(blob));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !self.blobs.inline() => drop(runtime.spawn_blocking(remove)),
            _ => remove(),
        }
    }
}
