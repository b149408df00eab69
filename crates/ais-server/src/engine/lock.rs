//! Who reads and writes an object, for those who ask.
//!
//! Nothing here locks: an object is replaced in one step, and readers keep what they opened. Clients of AIStore ask
//! nevertheless, when a read took too long: whether the object is still on its way from its backend.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Bucket, Engine};

/// Whether an object is being read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Neither.
    Free,
    /// Somebody reads it.
    Read,
    /// It comes from its backend, or goes there.
    Write,
}

/// Reads that take a while, by bucket's id and name of the object.
#[derive(Default)]
pub(super) struct Readers(Mutex<HashMap<(u64, String), usize>>);

impl Readers {
    fn lock(&self) -> MutexGuard<'_, HashMap<(u64, String), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody reads an object, as long as this lives.
pub struct ReadGuard {
    engine: Arc<Engine>,
    key: (u64, String),
}

impl Drop for ReadGuard {
    fn drop(&mut self) {
        let mut all = self.engine.readers.lock();
        if let Some(readers) = all.get_mut(&self.key) {
            *readers -= 1;
            if *readers == 0 {
                all.remove(&self.key);
            }
        }
    }
}

impl Engine {
    /// Somebody reads an object from now on.
    pub(super) fn reads(self: &Arc<Self>, bucket: &Bucket, name: &str) -> ReadGuard {
        let key = (bucket.bid(), name.to_owned());
        *self.readers.lock().entry(key.clone()).or_default() += 1;
        ReadGuard { engine: Arc::clone(self), key }
    }

    /// Whether an object is being read or written. Reads that were answered in one piece are over.
    pub fn lock_of(&self, bucket: &Bucket, name: &str) -> Lock {
        let key = (bucket.bid(), name.to_owned());
        if self.remotes().is_moving(&key) {
            Lock::Write
        } else if self.readers.lock().contains_key(&key) {
            Lock::Read
        } else {
            Lock::Free
        }
    }
}
