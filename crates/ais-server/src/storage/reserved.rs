//! Content that stays while somebody may still open it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::blobs::BlobId;

/// Removes a blob for good.
type Remove = dyn Fn(BlobId) -> io::Result<()> + Send + Sync;

/// Which blobs are reserved.
pub(super) struct Reserved {
    all: Mutex<HashMap<BlobId, Entry>>,
    /// Whether removing blocks.
    blocks: bool,
    remove: Box<Remove>,
}

#[derive(Default)]
struct Entry {
    reservations: usize,
    /// Whether it is to be removed with the last reservation.
    doomed: bool,
}

impl Reserved {
    pub(super) fn new(blocks: bool, remove: Box<Remove>) -> Arc<Self> {
        Arc::new(Self { all: Mutex::default(), blocks, remove })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BlobId, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the blob is reserved; then it is removed later.
    pub(super) fn doom(&self, id: BlobId) -> bool {
        match self.lock().get_mut(&id) {
            Some(entry) => {
                entry.doomed = true;
                true
            }
            None => false,
        }
    }

    pub(super) fn reserve(self: &Arc<Self>, ids: Vec<BlobId>) -> Held {
        let mut all = self.lock();
        for id in &ids {
            all.entry(*id).or_default().reservations += 1;
        }
        drop(all);
        Held { reserved: Arc::clone(self), ids }
    }

    /// Ends a reservation of these blobs; those that are to be removed now.
    fn release(&self, ids: &[BlobId]) -> Vec<BlobId> {
        let mut all = self.lock();
        let mut doomed = Vec::new();
        for id in ids {
            let Some(entry) = all.get_mut(id) else { continue };
            entry.reservations -= 1;
            if entry.reservations == 0 {
                if entry.doomed {
                    doomed.push(*id);
                }
                all.remove(id);
            }
        }
        doomed
    }

    fn remove(&self, ids: Vec<BlobId>) {
        for id in ids {
            if let Err(error) = (self.remove)(id) {
                tracing::warn!(%error, blob = id, "old content was not removed; the next start tries again");
            }
        }
    }
}

/// A reservation.
pub(super) struct Held {
    reserved: Arc<Reserved>,
    ids: Vec<BlobId>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let doomed = self.reserved.release(&self.ids);
        if doomed.is_empty() {
            return;
        }
        let reserved = Arc::clone(&self.reserved);
        // Readers end where nothing may block.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if reserved.blocks => {
                drop(runtime.spawn_blocking(move || reserved.remove(doomed)))
            }
            _ => reserved.remove(doomed),
        }
    }
}
