//! What goes from one transformer to the next: content that is no object's, and is gone with its last reader.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::pour::Sink;
use crate::engine::{Content, Engine};
use crate::error::Result;
use crate::storage::BlobWriter;

/// Content that is being written.
pub(super) struct Spool {
    engine: Arc<Engine>,
    blob: Box<dyn BlobWriter>,
    size: u64,
}

impl Spool {
    /// Begins one. Blocks.
    pub(super) fn new(engine: &Arc<Engine>) -> Result<Self> {
        let blob = engine.storage().blobs().create()?;
        Ok(Self { engine: Arc::clone(engine), blob, size: 0 })
    }

    /// Ends it. Blocks.
    pub(super) fn finish(self) -> Result<Content> {
        let blobs = self.engine.storage().blobs();
        let id = self.blob.id();
        self.blob.finish()?;
        let opened = blobs.open(id, self.size);
        // Whoever has it open goes on reading.
        blobs.remove(id)?;
        Ok(Content::of_blob(opened?, self.size, blobs))
    }
}

impl Sink for Spool {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.blob.write_bytes(bytes)
    }
}
