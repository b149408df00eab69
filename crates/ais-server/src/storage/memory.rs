//! Blobs in memory.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use super::blobs::{Blob, BlobId, BlobWriter, Blobs, Reservation, Space};
use super::reserved::Reserved;

type Map = HashMap<BlobId, Bytes>;

/// Blobs in memory.
pub(super) struct MemoryBlobs {
    shared: Arc<Shared>,
    reserved: Arc<Reserved>,
}

impl Default for MemoryBlobs {
    fn default() -> Self {
        let shared = Arc::<Shared>::default();
        let of = Arc::clone(&shared);
        let remove = move |id| {
            of.remove(id);
            Ok(())
        };
        Self { shared, reserved: Reserved::new(false, Box::new(remove)) }
    }
}

#[derive(Default)]
struct Shared {
    next: AtomicU64,
    used: AtomicU64,
    blobs: Mutex<Map>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Map> {
        // No code panics while it holds the lock, and a map is never half changed.
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn remove(&self, id: BlobId) {
        let removed = self.lock().remove(&id);
        // Freed here, after the lock.
        if let Some(bytes) = removed {
            self.used.fetch_sub(bytes.len() as u64, Ordering::Relaxed);
        }
    }
}

impl Blobs for MemoryBlobs {
    fn inline(&self) -> bool {
        true
    }

    fn path(&self) -> &str {
        "/memory"
    }

    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Box::new(MemoryWriter {
            id,
            whole: None,
            buffer: BytesMut::new(),
            watched: None,
            shared: Arc::clone(&self.shared),
        }))
    }

    fn open(&self, id: BlobId, _size: u64) -> io::Result<Arc<dyn Blob>> {
        let bytes = self.shared.lock().get(&id).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(MemoryBlob(bytes)))
    }

    fn publish(&self, _ids: &[BlobId]) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, id: BlobId) -> io::Result<bool> {
        if self.reserved.doom(id) {
            return Ok(false);
        }
        self.shared.remove(id);
        Ok(true)
    }

    fn reserve(&self, ids: Vec<BlobId>) -> Reservation {
        Reservation(Some(Box::new(self.reserved.reserve(ids))))
    }

    fn sweep(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space {
            used: self.shared.used.load(Ordering::Relaxed),
            avail: available_memory(),
            fs_type: "memory".into(),
        })
    }
}

/// Bytes that the system can still give; a guess where it does not tell.
fn available_memory() -> u64 {
    let tell = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    tell().map_or(1 << 30, |kib| kib * 1024)
}

struct MemoryWriter {
    id: BlobId,
    /// The first bytes, as long as there are no others.
    whole: Option<Bytes>,
    buffer: BytesMut,
    /// Where the content is instead, once somebody reads it while it is written.
    watched: Option<Arc<Mutex<BytesMut>>>,
    shared: Arc<Shared>,
}

impl BlobWriter for MemoryWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    fn reader(&mut self) -> io::Result<Arc<dyn Blob>> {
        if self.watched.is_none() {
            self.write(&[])?;
            self.watched = Some(Arc::new(Mutex::new(std::mem::take(&mut self.buffer))));
        }
        let content = self.watched.clone().unwrap_or_default();
        Ok(Arc::new(GrowingBlob(content)))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(watched) = &self.watched {
            grown(watched).extend_from_slice(bytes);
            return Ok(());
        }
        if let Some(whole) = self.whole.take() {
            self.buffer.extend_from_slice(&whole);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        if self.whole.is_none() && self.buffer.is_empty() && self.watched.is_none() {
            self.whole = Some(bytes);
            return Ok(());
        }
        self.write(&bytes)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let bytes = match (self.whole.take(), self.watched.take()) {
            // A small slice must not keep a large buffer of the connection alive.
            (Some(whole), _) => Bytes::copy_from_slice(&whole),
            // Who reads goes on doing so.
            (None, Some(watched)) => Bytes::copy_from_slice(&grown(&watched)),
            (None, None) => std::mem::take(&mut self.buffer).freeze(),
        };
        self.shared.used.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.shared.lock().insert(self.id, bytes);
        Ok(())
    }
}

fn grown(content: &Mutex<BytesMut>) -> MutexGuard<'_, BytesMut> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of `range` that lies within `length` bytes.
fn within(length: usize, offset: u64, len: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(length);
    start..start.saturating_add(len).min(length)
}

/// Content that is still being written.
struct GrowingBlob(Arc<Mutex<BytesMut>>);

impl Blob for GrowingBlob {
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let content = grown(&self.0);
        let range = within(content.len(), offset, len);
        Ok(Bytes::copy_from_slice(&content[range]))
    }

    fn read_into(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let content = grown(&self.0);
        let range = within(content.len(), offset, into.len());
        into[..range.len()].copy_from_slice(&content[range.clone()]);
        Ok(range.len())
    }
}

struct MemoryBlob(Bytes);

impl Blob for MemoryBlob {
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        Ok(self.0.slice(within(self.0.len(), offset, len)))
    }

    fn read_into(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let range = within(self.0.len(), offset, into.len());
        let bytes = &self.0[range];
        into[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_can_be_read() {
        crate::storage::blobs::tests::read_while_written(&MemoryBlobs::default());
        crate::storage::blobs::tests::reserved(&MemoryBlobs::default());
    }
}
