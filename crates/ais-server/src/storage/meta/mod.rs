//! Metadata: buckets, objects and a few facts of the server, in tables of an embedded transactional store.
//!
//! One thread writes: it takes all changes that wait, applies them in one transaction, commits, and answers. In memory,
//! where a commit takes less time than waking a thread, whoever changes something commits it himself, one at a time.
//! Readers see the last commit and never wait.

mod table;
mod tx;
mod unsynced;
mod writer;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use tokio::sync::oneshot;

pub use self::tx::Tx;
use self::tx::{bounds, end_of, key, name_of, with_prefix};
use self::unsynced::Unsynced;
use self::writer::Writer;
use super::Fsync;
use super::blobs::Blobs;
use super::record::{BucketRecord, ObjectMeta};
use crate::error::{Error, Result};

/// Unique name of a bucket to its record.
const BUCKETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("buckets");
/// Bucket's id (eight bytes, big end first) and name of an object, to the object.
const OBJECTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("objects");
/// Blobs that are named by an object and may still be temporary.
const FRESH: TableDefinition<'_, u64, ()> = TableDefinition::new("fresh");
/// Blobs that nothing names any more and that may still be there.
const STALE: TableDefinition<'_, u64, ()> = TableDefinition::new("stale");
/// Ids of destroyed buckets that may still have objects.
const DOOMED: TableDefinition<'_, u64, ()> = TableDefinition::new("doomed");
/// Facts of the server.
const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");

/// Memory for pages of the metadata store, bytes.
const CACHE: usize = 64 << 20;

/// The metadata store.
pub struct Meta {
    db: Arc<Database>,
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
        let db =
            Database::builder().set_cache_size(CACHE).create_with_backend(InMemoryBackend::new())?;
        Self::start(db, blobs)
    }

    pub(super) fn open(path: &Path, fsync: Fsync, blobs: Arc<dyn Blobs>) -> Result<Self> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE);
        let db = if fsync == Fsync::Never {
            let file = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            builder.create_with_backend(Unsynced(FileBackend::new(file)?))?
        } else {
            builder.create(path)?
        };
        Self::start(db, blobs)
    }

    fn start(db: Database, blobs: Arc<dyn Blobs>) -> Result<Self> {
        let db = Arc::new(db);
        let writer = Writer::new(Arc::clone(&db), Arc::clone(&blobs))?;
        let writer = Arc::new(Mutex::new(writer));
        let (sender, receiver) = mpsc::channel();
        let own = Arc::clone(&writer);
        let thread = std::thread::Builder::new()
            .name("ais-metadata".into())
            .spawn(move || writer::run(&own, &receiver))?;
        Ok(Self { db, blobs, writer, thread: Mutex::new(Some((sender, thread))) })
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
        let table = self.db.begin_read()?.open_table(BUCKETS)?;
        let mut all = BTreeMap::new();
        for row in table.iter()? {
            let (name, bytes) = row?;
            all.insert(name.value().to_owned(), serde_json::from_slice(bytes.value())?);
        }
        Ok(all)
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn object(&self, bid: u64, name: &str) -> Result<Option<ObjectMeta>> {
        let table = self.db.begin_read()?.open_table(OBJECTS)?;
        let found = table.get(key(bid, name).as_slice())?;
        found.map(|bytes| ObjectMeta::decode(bytes.value())).transpose()
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
        let table = self.db.begin_read()?.open_table(OBJECTS)?;
        let find = |(bid, name)| {
            let found = table.get(key(bid, name).as_slice())?;
            found.map(|bytes| ObjectMeta::decode(bytes.value())).transpose()
        };
        places.into_iter().map(find).collect()
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
        let mut rows = Vec::new();
        self.walk(bid, from, prefix, |name, bytes| {
            if rows.len() == limit {
                return Ok(false);
            }
            rows.push((name, ObjectMeta::decode(bytes)?));
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
        let end = end_of(bid);
        let table = self.db.begin_read()?.open_table(OBJECTS)?;
        let (from, to) = bounds(first.as_ref(), end.as_ref());
        let from = from.as_ref().map(Vec::as_slice);
        let to = to.as_ref().map(Vec::as_slice);
        for row in table.range::<&[u8]>((from, to))? {
            let (found, bytes) = row?;
            if !found.value().starts_with(&start) || !visit(name_of(found.value())?, bytes.value())?
            {
                break;
            }
        }
        Ok(())
    }

    /// A fact of the server.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn fact(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let table = self.db.begin_read()?.open_table(FACTS)?;
        Ok(table.get(name)?.map(|bytes| bytes.value().to_vec()))
    }

    /// All facts whose names begin with `prefix`, by the rest of their names.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn facts(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        with_prefix(&self.db.begin_read()?.open_table(FACTS)?, prefix)
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
