//! A store that keeps what was read of another one, in memory and on disk.
//!
//! [`CachedStore`] wraps any [`Provider`] and is one. Objects are read in blocks; a block is kept under the identity of the
//! store, the key, the version of the object (its entity tag; where there is none, its length and time of modification) and
//! its number. So a block is never wrong, it can only be of a version that nobody asks for any more, and only the
//! description of an object can be out of date:
//!
//! * A description is trusted for [`CacheOptions::ttl`] after the service gave it. Then the service is asked again (`HEAD`);
//!   when the object is the same, its blocks stay valid. Nothing older than that is served, also when the service is out of
//!   reach. With [`CacheOptions::immutable`] a description is trusted for ever.
//! * Reads with `If-None-Match` and other conditions on time ask the service; `If-Match` does when the version differs.
//! * A reader of one body sees one version: blocks are fetched with `If-Match` and checked against the description.
//! * Writes, copies and deletions through the same store are seen by its next read at once.
//!
//! Many readers that miss the same block wait for one download. On disk, each block is a file with a checksum over its
//! content and over what it is a block of. It gets its name when it is whole, so that a killed process leaves nothing that
//! could be read; a torn, flipped or foreign file counts as missing and is fetched again. Any number of processes can use one
//! folder; no lock is held while anything is downloaded. When the disk is full, reads go on without it.

mod blocks;
mod disk;
mod flight;
mod known;
mod lru;
mod provider;
mod read;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::provider::Provider;
use crate::store::Store;

/// What a cache keeps, where, and for how long it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheOptions {
    /// Bytes of a block. Default 4 MiB: at 100 MB/s it takes 40 ms, about as long as the service needs to begin to answer, so
    /// that larger blocks would hardly be read faster and smaller ones would mostly be waited for. For many small reads at
    /// random places, 256 KiB.
    pub block_bytes: u64,
    /// Bytes of blocks kept in memory. Default 128 MiB; 0 keeps none.
    pub memory_bytes: u64,
    /// The folder for blocks on disk, which any number of processes can share. Default none. Made when it is missing; on Unix
    /// only this user can read it then.
    pub folder: Option<PathBuf>,
    /// Bytes of files in the folder. What was not read for the longest time goes first. Default 10 GiB.
    pub disk_bytes: u64,
    /// How long the description of an object is trusted. Default 10 s; zero asks the service at every read.
    pub ttl: Duration,
    /// Objects never change under their keys: descriptions are trusted for ever, also by later processes that share the
    /// folder. Default false.
    pub immutable: bool,
    /// Blocks fetched at once for one body. Default 4.
    pub readahead: usize,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            block_bytes: 4 << 20,
            memory_bytes: 128 << 20,
            folder: None,
            disk_bytes: 10 << 30,
            ttl: Duration::from_secs(10),
            immutable: false,
            readahead: 4,
        }
    }
}

impl CacheOptions {
    /// Sets [`block_bytes`](Self::block_bytes).
    #[must_use]
    pub fn with_block_bytes(mut self, bytes: u64) -> Self {
        self.block_bytes = bytes;
        self
    }

    /// Sets [`memory_bytes`](Self::memory_bytes).
    #[must_use]
    pub fn with_memory_bytes(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Sets [`folder`](Self::folder).
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets [`disk_bytes`](Self::disk_bytes).
    #[must_use]
    pub fn with_disk_bytes(mut self, bytes: u64) -> Self {
        self.disk_bytes = bytes;
        self
    }

    /// Sets [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets [`immutable`](Self::immutable).
    #[must_use]
    pub fn with_immutable(mut self, immutable: bool) -> Self {
        self.immutable = immutable;
        self
    }

    /// Sets [`readahead`](Self::readahead).
    #[must_use]
    pub fn with_readahead(mut self, blocks: usize) -> Self {
        self.readahead = blocks;
        self
    }

    fn check(&self) -> Result<()> {
        let bad = |option: &str, detail: String| {
            Err(Error::new(ErrorKind::InvalidArgument, "cache", option, detail))
        };
        if !(LEAST_BLOCK..=MOST_BLOCK).contains(&self.block_bytes) {
            let (given, least, most) = (self.block_bytes, LEAST_BLOCK, MOST_BLOCK);
            let detail = format!("{given} bytes; a block has from {least} to {most}");
            return bad("block_bytes", detail);
        }
        if self.readahead == 0 {
            return bad("readahead", "at least 1 block is fetched at once".to_owned());
        }
        if self.folder.is_some() && self.disk_bytes < self.block_bytes {
            let detail = format!("{} bytes do not hold one block", self.disk_bytes);
            return bad("disk_bytes", detail);
        }
        Ok(())
    }
}

/// Smaller blocks cost more in requests and files than they save.
const LEAST_BLOCK: u64 = 4 << 10;

/// Larger ones would be held in memory as a whole all the same.
const MOST_BLOCK: u64 = 1 << 30;

/// What a cache has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Blocks found in memory.
    pub memory_hits: u64,
    /// Blocks found on disk.
    pub disk_hits: u64,
    /// Blocks downloaded.
    pub downloads: u64,
    /// Files on disk that were not what they should be, and were fetched again.
    pub damaged: u64,
    /// Times that the service was asked for the description of an object.
    pub validations: u64,
}

/// A read-through cache over another store; see [the module](self).
#[derive(Clone)]
pub struct CachedStore {
    inner: Arc<dyn Provider>,
    options: Arc<CacheOptions>,
    /// Of this process: a forked child begins with an empty memory.
    state: Arc<ArcSwap<blocks::State>>,
}

/// The store behind all caches.
pub(crate) fn behind(store: &dyn Provider) -> &dyn Provider {
    match store.as_any().downcast_ref::<CachedStore>() {
        Some(cache) => behind(&**cache.inner()),
        None => store,
    }
}

impl CachedStore {
    /// A cache over `inner`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for options out of range; [`ErrorKind::Io`] when the folder cannot be made.
    pub fn new(inner: Arc<dyn Provider>, options: CacheOptions) -> Result<Self> {
        options.check()?;
        let state = blocks::State::new(&options)?;
        let state = Arc::new(ArcSwap::from_pointee(state));
        Ok(Self { inner, options: Arc::new(options), state })
    }

    /// The store behind the cache.
    pub fn inner(&self) -> &Arc<dyn Provider> {
        &self.inner
    }

    /// What the cache has done in this process.
    pub fn stats(&self) -> CacheStats {
        self.state().stats()
    }

    /// Forgets what is known of the object at `location`: the next read asks the service.
    pub fn invalidate(&self, location: &Path) {
        self.state().forget(&self.name(location, None));
    }

    /// The state of this process. That of a parent is left alone: its locks may be held by threads that do not exist here.
    fn state(&self) -> Arc<blocks::State> {
        let state = self.state.load_full();
        if state.is_of_this_process() {
            return state;
        }
        let fresh = Arc::new(state.in_child(&self.options));
        std::mem::forget(self.state.swap(fresh.clone()));
        fresh
    }
}

impl std::fmt::Debug for CachedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedStore")
            .field("inner", &self.inner)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The same store behind a cache.
    ///
    /// # Errors
    /// Those of [`CachedStore::new`].
    pub fn cached(&self, options: CacheOptions) -> Result<Self> {
        let cached = CachedStore::new(self.provider().clone(), options)?;
        Ok(Self::new(Arc::new(cached)).at(self.prefix().clone()))
    }
}
