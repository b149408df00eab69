//! Metadata: buckets, objects and a few facts of the server, in tables that are changed in transactions: of an embedded
//! store (`disk`), or of maps where nothing has to last (`memory`).
//!
//! One thread writes: it takes all changes that wait, applies them in one transaction, commits, and answers. In memory,
//! where a commit takes less time than waking a thread, whoever changes something commits it himself, one at a time.
//! Readers see the last commit and never wait.

mod disk;
mod memory;
mod table;
#[cfg(test)]
mod tests;
mod tx;
mod unsynced;
mod writer;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use self::disk::Disk;
use self::memory::Memory;
use self::table::{Store, Table};
pub use self::tx::Tx;
use self::tx::{decoded, key, name_of, text, with_prefix};
use self::writer::Writer;
use super::Fsync;
use super::blobs::Blobs;
use super::record::{BucketRecord, ObjectMeta};
use crate::error::{Error, Result};

/// The metadata store.
pub struct Meta {
    store: Arc<Store>,
    blobs: Arc<dyn Blobs>,
    writer: Arc<Mutex<Writer>>,
    /// The thread that writes. None once the store is closed.
    thread: Mutex<Option<(mpsc::Sender<Change>, JoinHandle<()>)>>,
}

/// A change, and who waits for it.
struct Change {
    apply: Apply,
    done: Done,
}

type Apply = Box<dyn FnOnce(&mut Tx<'_>) -> Result<()> + Send>;
type Done = Box<dyn FnOnce(Result<()>) + Send>;

impl Meta {
    pub(super) fn memory(blobs: Arc<dyn Blobs>) -> Result<Self> {
        Self::start(Store::Memory(Memory::default()), blobs)
    }

    pub(super) fn open(path: &Path, fsync: Fsync, blobs: Arc<dyn Blobs>) -> Result<Self> {
        Self::start(Store::Disk(Disk::open(path, fsync)?), blobs)
    }

    fn start(store: Store, blobs: Arc<dyn Blobs>) -> Result<Self> {
        let store = Arc::new(store);
        let writer = Writer::new(Arc::clone(&store), Arc::clone(&blobs))?;
        let writer = Arc::new(Mutex::new(writer));
        let (sender, receiver) = mpsc::channel();
        let own = Arc::clone(&writer);
        let thread = std::thread::Builder::new()
            .name("ais-metadata".into())
            .spawn(move || writer::run(&own, &receiver))?;
        Ok(Self { store, blobs, writer, thread: Mutex::new(Some((sender, thread))) })
    }

    /// Applies a change and waits until it is committed.
    ///
    /// The change sees all changes before it. It must look first and write then: see [`Tx`].
    ///
    /// # Errors
    ///
    /// The change's own; those of the store; an error when the store is closed.
    pub async fn write<T, F>(&self, change: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (done, wait) = oneshot::channel();
        let result = self.send(change, move |outcome| drop(done.send(outcome)))?;
        wait.await.map_err(|_| closed())??;
        take(&result)
    }

    /// [`write`](Self::write) for threads that may block.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn write_blocking<T, F>(&self, change: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (done, wait) = mpsc::sync_channel(1);
        let result = self.send(change, move |outcome| drop(done.send(outcome)))?;
        wait.recv().map_err(|_| closed())??;
        take(&result)
    }

    /// Applies a change without waiting for it.
    ///
    /// # Errors
    ///
    /// When the store is closed.
    pub fn send_quietly<F>(&self, change: F) -> Result<()>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<()> + Send + 'static,
    {
        self.send(change, drop).map(drop)
    }

    fn send<T, F, D>(&self, change: F, done: D) -> Result<Arc<Mutex<Option<T>>>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
        D: FnOnce(Result<()>) + Send + 'static,
    {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        let apply = Box::new(move |tx: &mut Tx<'_>| {
            let value = change(tx)?;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        });
        let change = Change { apply, done: Box::new(done) };
        if !self.blobs.inline() {
            self.sender()?.send(change).map_err(|_| closed())?;
            return Ok(result);
        }
        let sender = self.sender()?;
        let is_doomed = writer::lock(&self.writer).commit(vec![change]);
        if is_doomed {
            // The objects of a destroyed bucket may be many; they are not for whoever destroyed it to wait for.
            let apply = Box::new(|tx: &mut Tx<'_>| {
                tx.buckets_doomed = true;
                Ok(())
            });
            sender.send(Change { apply, done: Box::new(drop) }).map_err(|_| closed())?;
        }
        Ok(result)
    }

    fn sender(&self) -> Result<mpsc::Sender<Change>> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().map(|(sender, _)| sender.clone()).ok_or_else(closed)
    }

    /// Runs what may block: at once where nothing does, else on a thread for such work.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub async fn blocking<T, F>(self: &Arc<Self>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T> + Send + 'static,
    {
        if self.blobs.inline() {
            return work(self);
        }
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&this))
            .await
            .map_err(|e| Error::internal("a task of the server ended early").with_source(e))?
    }

    /// All buckets, by unique name.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn buckets(&self) -> Result<BTreeMap<String, BucketRecord>> {
        let mut all = BTreeMap::new();
        self.store.rows(Table::Buckets)?.walk(Bound::Unbounded, &mut |name, bytes| {
            all.insert(text(name)?, serde_json::from_slice(bytes)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn object(&self, bid: u64, name: &str) -> Result<Option<ObjectMeta>> {
        decoded(self.store.rows(Table::Objects)?.get(&key(bid, name))?)
    }

    /// Objects of these buckets' ids and names, in their order and of one moment.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn objects<'a>(
        &self,
        places: impl IntoIterator<Item = (u64, &'a str)>,
    ) -> Result<Vec<Option<ObjectMeta>>> {
        let objects = self.store.rows(Table::Objects)?;
        let find = |(bid, name)| decoded(objects.get(&key(bid, name))?);
        places.into_iter().map(find).collect()
    }

    /// Whether all of these objects are there, by their buckets' ids and names, and at one moment.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn has_objects<'a>(
        &self,
        places: impl IntoIterator<Item = (u64, &'a str)>,
    ) -> Result<bool> {
        let objects = self.store.rows(Table::Objects)?;
        for (bid, name) in places {
            if objects.get(&key(bid, name))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Up to `limit` objects of a bucket in the order of their names (of their bytes), from `from` on, as long as
    /// `keep` says so.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn scan(
        &self,
        bid: u64,
        from: Bound<&str>,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(String, ObjectMeta)>> {
        self.scan_as(bid, from, prefix, limit, ObjectMeta::decode)
    }

    /// As [`scan`](Self::scan), with what `read` makes of the bytes of the metadata.
    ///
    /// # Errors
    ///
    /// Those of the store and of `read`.
    pub fn scan_as<T>(
        &self,
        bid: u64,
        from: Bound<&str>,
        prefix: &str,
        limit: usize,
        read: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<Vec<(String, T)>> {
        let mut rows = Vec::new();
        self.walk(bid, from, prefix, |name, bytes| {
            if rows.len() == limit {
                return Ok(false);
            }
            rows.push((name, read(bytes)?));
            Ok(true)
        })?;
        Ok(rows)
    }

    /// Calls `visit` with each name and the bytes of its metadata, in order, until it returns false. The names are
    /// those from `from` on that have the prefix. All are of one moment.
    ///
    /// # Errors
    ///
    /// Those of the store and of `visit`.
    pub fn walk<F>(&self, bid: u64, from: Bound<&str>, prefix: &str, mut visit: F) -> Result<()>
    where
        F: FnMut(String, &[u8]) -> Result<bool>,
    {
        let first = match from {
            Bound::Included(name) if name > prefix => Bound::Included(key(bid, name)),
            Bound::Excluded(name) if name >= prefix => Bound::Excluded(key(bid, name)),
            _ => Bound::Included(key(bid, prefix)),
        };
        let start = key(bid, prefix);
        let first = first.as_ref().map(Vec::as_slice);
        self.store.rows(Table::Objects)?.walk(first, &mut |key, bytes| {
            Ok(key.starts_with(&start) && visit(name_of(key)?, bytes)?)
        })
    }

    /// A fact of the server.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn fact(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found = self.store.rows(Table::Facts)?.get(name.as_bytes())?;
        Ok(found.map(|bytes| bytes.to_vec()))
    }

    /// All facts whose names begin with `prefix`, by the rest of their names.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn facts(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        with_prefix(&*self.store.rows(Table::Facts)?, prefix)
    }

    /// Commits what waits and refuses all that comes later.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((sender, thread)) = thread {
            drop(sender);
            // A panic of that thread has been reported to those who waited for it.
            let _ = thread.join();
        }
    }
}

impl Drop for Meta {
    fn drop(&mut self) {
        self.close();
    }
}

fn closed() -> Error {
    Error::internal("the server is shutting down")
}

fn take<T>(slot: &Mutex<Option<T>>) -> Result<T> {
    let value = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.ok_or_else(|| Error::internal("a change of metadata has no result"))
}
