//! Times of access: collected in memory, and written together now and then.
//!
//! What a killed process had not written is lost, which costs nothing but the order of eviction.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::{Engine, now};
use crate::error::Result;
use crate::storage::{ObjectMeta, Tx};

/// An access that comes sooner after the last one is not recorded, nanoseconds.
const GRAIN: i64 = 10_000_000_000;
/// Accesses that wait at most.
const WAITING: usize = 4096;

/// Accesses that have not been written.
#[derive(Default)]
pub(super) struct Accesses(Mutex<HashMap<(u64, String), i64>>);

impl Accesses {
    fn lock(&self) -> MutexGuard<'_, HashMap<(u64, String), i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Records that an object was read. Does not block.
    pub fn accessed(&self, bid: u64, name: &str, meta: &ObjectMeta) {
        let now = now();
        if now - meta.atime < GRAIN {
            return;
        }
        let mut waiting = self.remotes().accesses.lock();
        waiting.insert((bid, name.to_owned()), now);
        if waiting.len() >= WAITING {
            let all = std::mem::take(&mut *waiting);
            drop(waiting);
            // A server that ends records no accesses.
            let _ = self.storage().meta().send_quietly(move |tx| record(tx, all));
        }
    }

    /// When an object was read last, if that has not been written yet.
    pub fn last_access(&self, bid: u64, name: &str) -> Option<i64> {
        let waiting = self.remotes().accesses.lock();
        if waiting.is_empty() {
            return None;
        }
        waiting.get(&(bid, name.to_owned())).copied()
    }

    /// Writes the accesses that wait.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn flush_accesses(&self) -> Result<()> {
        let all = std::mem::take(&mut *self.remotes().accesses.lock());
        if all.is_empty() {
            return Ok(());
        }
        self.storage().meta().write(move |tx| record(tx, all)).await
    }

    /// The same without waiting.
    pub(in crate::engine) fn flush_accesses_quietly(&self) {
        let all = std::mem::take(&mut *self.remotes().accesses.lock());
        if !all.is_empty() {
            let _ = self.storage().meta().send_quietly(move |tx| record(tx, all));
        }
    }
}

fn record(tx: &mut Tx<'_>, all: HashMap<(u64, String), i64>) -> Result<()> {
    for ((bid, name), time) in all {
        if let Some(mut meta) = tx.object(bid, &name)?
            && meta.atime < time
        {
            meta.atime = time;
            tx.put_object(bid, &name, &meta)?;
        }
    }
    Ok(())
}
