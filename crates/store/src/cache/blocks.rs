//! Where blocks and descriptions are: in memory, on disk, or on their way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::disk::{DESCRIPTION, Disk, Found};
use super::flight::Flights;
use super::known::{Digest, Known};
use super::lru::Lru;
use super::{CacheOptions, CacheStats};
use crate::client;
use crate::error::Result;

/// Descriptions kept in memory.
const DESCRIPTIONS: u64 = 100_000;

/// Blocks on their way to the disk; readers wait for more.
const WRITES: usize = 8;

/// A block: the version of the content it belongs to, and its number.
pub(super) type BlockKey = (Digest, u64);

/// What one process has of a cache.
pub(super) struct State {
    generation: u64,
    memory: Mutex<Lru<BlockKey, Bytes>>,
    known: Mutex<Lru<Digest, Arc<Known>>>,
    disk: Option<Arc<Disk>>,
    writes: Arc<Semaphore>,
    pub(super) downloads: Flights<BlockKey, Bytes>,
    pub(super) validations: Flights<Digest, Arc<Known>>,
    changes: Arc<Changes>,
    counters: [AtomicU64; 5],
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Count {
    MemoryHit,
    DiskHit,
    Download,
    Damaged,
    Validation,
}

impl State {
    pub(super) fn new(options: &CacheOptions) -> Result<Self> {
        let disk = match &options.folder {
            Some(folder) => Some(Arc::new(Disk::open(folder, options.disk_bytes)?)),
            None => None,
        };
        Ok(Self::with(disk, options))
    }

    fn with(disk: Option<Arc<Disk>>, options: &CacheOptions) -> Self {
        Self {
            generation: client::generation(),
            memory: Mutex::new(Lru::new(options.memory_bytes)),
            known: Mutex::new(Lru::new(DESCRIPTIONS)),
            disk,
            writes: Arc::new(Semaphore::new(WRITES)),
            downloads: Flights::new(),
            validations: Flights::new(),
            changes: Arc::default(),
            counters: Default::default(),
        }
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.generation == client::generation()
    }

    /// A new state for a forked child; without the disk in the case that its folder has become unusable.
    pub(super) fn in_child(&self, options: &CacheOptions) -> Self {
        let folder = options.folder.as_ref();
        let disk = folder.and_then(|folder| Disk::open(folder, options.disk_bytes).ok());
        Self::with(disk.map(Arc::new), options)
    }

    pub(super) fn count(&self, what: Count) {
        self.counters[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> CacheStats {
        let count = |what: Count| self.counters[what as usize].load(Ordering::Relaxed);
        CacheStats {
            memory_hits: count(Count::MemoryHit),
            disk_hits: count(Count::DiskHit),
            downloads: count(Count::Download),
            damaged: count(Count::Damaged),
            validations: count(Count::Validation),
        }
    }

    /// A block that is in memory.
    pub(super) fn at_hand(&self, key: &BlockKey) -> Option<Bytes> {
        let block = locked(&self.memory).get(key)?;
        self.count(Count::MemoryHit);
        Some(block)
    }

    /// A block that is on disk, which then is in memory too.
    pub(super) async fn on_disk(&self, key: &BlockKey, length: u64) -> Option<Bytes> {
        let block = self.file(key.0, key.1).await?;
        if block.len() as u64 != length {
            return None;
        }
        self.count(Count::DiskHit);
        self.hold(key, &block);
        Some(block)
    }

    async fn file(&self, digest: Digest, number: u64) -> Option<Bytes> {
        let disk = self.disk.clone()?;
        if disk.is_first_use() {
            // What killed processes have left is cleared away even by one that finds all it needs and writes nothing.
            let disk = disk.clone();
            drop(tokio::task::spawn_blocking(move || disk.evict()));
        }
        let found = tokio::task::spawn_blocking(move || disk.read(&digest, number)).await;
        match found {
            Ok(Found::Whole(body)) => Some(body),
            Ok(Found::Damaged) => {
                self.count(Count::Damaged);
                None
            }
            _ => None,
        }
    }

    fn hold(&self, key: &BlockKey, block: &Bytes) {
        // An empty block has a weight too.
        locked(&self.memory).insert(*key, block.clone(), block.len() as u64 + 64);
    }

    /// Keeps a block that was downloaded.
    pub(super) async fn keep(&self, key: &BlockKey, block: &Bytes) {
        self.hold(key, block);
        self.write(key.0, key.1, block.clone()).await;
    }

    /// Begins to write a block; waits only while many others are being written.
    async fn write(&self, digest: Digest, number: u64, body: Bytes) {
        let Some(disk) = self.disk.clone() else { return };
        let Ok(permit) = self.writes.clone().acquire_owned().await else { return };
        drop(tokio::task::spawn_blocking(move || {
            disk.write(&digest, number, &body);
            drop(permit);
        }));
    }

    /// Begins to write a description, which comes to nothing when there is a change before it is written.
    async fn describe(&self, name: Digest, body: Bytes, before: u64) {
        let Some(disk) = self.disk.clone() else { return };
        let Ok(permit) = self.writes.clone().acquire_owned().await else { return };
        let changes = self.changes.clone();
        drop(tokio::task::spawn_blocking(move || {
            // Whoever forgets counts first and removes the file under the same lock: an old description cannot come
            // back after that.
            let descriptions = locked(&changes.descriptions);
            if changes.count() == before {
                disk.write(&name, DESCRIPTION, &body);
            }
            drop((descriptions, permit));
        }));
    }

    /// What is known of an object in memory, else on disk.
    pub(super) async fn known(&self, name: &Digest) -> Option<Arc<Known>> {
        if let Some(known) = locked(&self.known).get(name) {
            return Some(known);
        }
        let before = self.changes();
        let known = Arc::new(Known::from_bytes(&self.file(*name, DESCRIPTION).await?)?);
        (self.changes() == before).then(|| {
            locked(&self.known).insert(*name, known.clone(), 1);
            known
        })
    }

    /// The number of writes until now.
    pub(super) fn changes(&self) -> u64 {
        self.changes.count()
    }

    /// Keeps a description that was asked for after `before` writes, unless there were more meanwhile.
    pub(super) async fn learn(&self, name: &Digest, known: &Arc<Known>, before: u64) {
        if self.changes() != before {
            return;
        }
        locked(&self.known).insert(*name, known.clone(), 1);
        if let Some(bytes) = known.to_bytes() {
            self.describe(*name, bytes, before).await;
        }
        if self.changes() != before {
            self.forget(name);
        }
    }

    /// Forgets the description of an object.
    pub(super) fn forget(&self, name: &Digest) {
        self.changes.add();
        if let Some(disk) = &self.disk {
            let descriptions = locked(&self.changes.descriptions);
            disk.remove(name, DESCRIPTION);
            drop(descriptions);
            // For those who have read the file meanwhile.
            self.changes.add();
        }
        locked(&self.known).remove(name);
    }
}

/// Counts writes: a description that was asked for before one may be older than it.
#[derive(Debug, Default)]
struct Changes {
    count: AtomicU64,
    /// Held while the file of a description is written or removed.
    descriptions: Mutex<()>,
}

impl Changes {
    fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    fn add(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
