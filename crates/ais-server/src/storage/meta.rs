//! Metadata: buckets, objects and a few facts of the server, in tables of an embedded transactional store.
//!
//! One thread writes: it takes all changes that wait, applies them in one transaction, commits, and answers. Readers see
//! the last commit and never wait.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use holdall_ais_wire::bucket::Bck;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, ReadableDatabase as _, ReadableTable, StorageBackend, TableDefinition};
use tokio::sync::oneshot;

use super::Fsync;
use super::blobs::{BlobId, Blobs};
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
/// Most changes in one commit.
const GROUP: usize = 512;
/// Objects of a destroyed bucket removed in one commit.
const SLICE: usize = 1024;

/// The metadata store.
pub struct Meta {
    db: Arc<Database>,
    blobs: Arc<dyn Blobs>,
    /// None once the store is closed.
    writer: Mutex<Option<(mpsc::Sender<Change>, JoinHandle<()>)>>,
}

/// A change, and who waits for it.
struct Change {
    apply: Apply,
    done: Done,
}

type Apply = Box<dyn FnOnce(&mut Tx<'_>) -> Result<()> + Send>;
type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// A transaction that a change is applied in.
///
/// A change looks first and writes then: when it returns an error it must not have written anything, because the
/// changes of others are in the same transaction.
pub struct Tx<'a> {
    buckets: redb::Table<'a, &'static str, &'static [u8]>,
    objects: redb::Table<'a, &'static [u8], &'static [u8]>,
    fresh: redb::Table<'a, u64, ()>,
    stale: redb::Table<'a, u64, ()>,
    doomed: redb::Table<'a, u64, ()>,
    facts: redb::Table<'a, &'static str, &'static [u8]>,
    published: Vec<BlobId>,
    dropped: Vec<BlobId>,
    buckets_doomed: bool,
}

fn key(bid: u64, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + name.len());
    key.extend(bid.to_be_bytes());
    key.extend(name.as_bytes());
    key
}

fn name_of(key: &[u8]) -> Result<String> {
    let name = key.get(8..).unwrap_or_default().to_vec();
    String::from_utf8(name)
        .map_err(|e| Error::internal("the name of an object is damaged").with_source(e))
}

/// All keys of a bucket come before this one.
fn end_of(bid: u64) -> Option<Vec<u8>> {
    Some(bid.checked_add(1)?.to_be_bytes().to_vec())
}

fn bounds(from: Bound<&Vec<u8>>, end: Option<&Vec<u8>>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    (from.cloned(), end.map_or(Bound::Unbounded, |end| Bound::Excluded(end.clone())))
}

impl Tx<'_> {
    /// A bucket.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn bucket(&self, bck: &Bck) -> Result<Option<BucketRecord>> {
        match self.buckets.get(bck.uname("").as_str())? {
            Some(bytes) => Ok(Some(serde_json::from_slice(bytes.value())?)),
            None => Ok(None),
        }
    }

    /// Sets a bucket.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn put_bucket(&mut self, record: &BucketRecord) -> Result<()> {
        self.buckets
            .insert(record.bck.uname("").as_str(), serde_json::to_vec(record)?.as_slice())?;
        Ok(())
    }

    /// Forgets a bucket's name, and leaves its objects alone.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn forget_bucket(&mut self, bck: &Bck) -> Result<()> {
        self.buckets.remove(bck.uname("").as_str())?;
        Ok(())
    }

    /// Removes a bucket's objects, after this transaction and in small steps.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn doom_objects(&mut self, bid: u64) -> Result<()> {
        self.doomed.insert(bid, ())?;
        self.buckets_doomed = true;
        Ok(())
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn object(&self, bid: u64, name: &str) -> Result<Option<ObjectMeta>> {
        self.objects
            .get(key(bid, name).as_slice())?
            .map(|bytes| ObjectMeta::decode(bytes.value()))
            .transpose()
    }

    /// Sets an object. Content that the object had and has no more goes away; new content stays.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn put_object(&mut self, bid: u64, name: &str, meta: &ObjectMeta) -> Result<()> {
        let encoded = meta.encode()?;
        let key = key(bid, name);
        let old = self.objects.insert(key.as_slice(), encoded.as_slice())?;
        let old = old.map(|bytes| ObjectMeta::decode(bytes.value())).transpose()?;
        let old = old.map(|old| old.content).unwrap_or_default();
        for chunk in &meta.content {
            if !old.iter().any(|before| before.blob == chunk.blob) {
                self.adopt(chunk.blob)?;
            }
        }
        for chunk in old {
            if !meta.content.iter().any(|now| now.blob == chunk.blob) {
                self.discard(chunk.blob)?;
            }
        }
        Ok(())
    }

    /// Moves an object to another name, over what is there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn move_object(
        &mut self,
        from: (u64, &str),
        to: (u64, &str),
        meta: &ObjectMeta,
    ) -> Result<()> {
        let replaced = self.object(to.0, to.1)?;
        self.objects.remove(key(from.0, from.1).as_slice())?;
        self.objects.insert(key(to.0, to.1).as_slice(), meta.encode()?.as_slice())?;
        for chunk in replaced.into_iter().flat_map(|meta| meta.content) {
            self.discard(chunk.blob)?;
        }
        Ok(())
    }

    /// Removes an object and its content; tells whether it was there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn delete_object(&mut self, bid: u64, name: &str) -> Result<Option<ObjectMeta>> {
        let old = self.objects.remove(key(bid, name).as_slice())?;
        let old = old.map(|bytes| ObjectMeta::decode(bytes.value())).transpose()?;
        for chunk in old.iter().flat_map(|meta| &meta.content) {
            self.discard(chunk.blob)?;
        }
        Ok(old)
    }

    /// Lets a finished blob stay that no object names yet: a fact that is written in the same transaction does.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn adopt(&mut self, blob: BlobId) -> Result<()> {
        self.fresh.insert(blob, ())?;
        self.published.push(blob);
        Ok(())
    }

    /// Removes a blob that nothing names any more, after this transaction.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn discard(&mut self, blob: BlobId) -> Result<()> {
        self.fresh.remove(blob)?;
        self.stale.insert(blob, ())?;
        self.dropped.push(blob);
        Ok(())
    }

    /// A fact.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn fact(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.facts.get(name)?.map(|bytes| bytes.value().to_vec()))
    }

    /// All facts whose names begin with `prefix`, by the rest of their names.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn facts(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        with_prefix(&self.facts, prefix)
    }

    /// Sets a fact.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn put_fact(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.facts.insert(name, value)?;
        Ok(())
    }

    /// Forgets a fact; tells whether it was there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn remove_fact(&mut self, name: &str) -> Result<bool> {
        Ok(self.facts.remove(name)?.is_some())
    }
}

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
        let mut writer = Writer {
            db: Arc::clone(&db),
            blobs: Arc::clone(&blobs),
            settled: Vec::new(),
            cleaned: Vec::new(),
        };
        writer.repair()?;
        let (sender, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("ais-metadata".into())
            .spawn(move || writer.run(&receiver))?;
        Ok(Self { db, blobs, writer: Mutex::new(Some((sender, thread))) })
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
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, _) = writer.as_ref().ok_or_else(closed)?;
        sender.send(Change { apply, done: Box::new(done) }).map_err(|_| closed())?;
        Ok(result)
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

    /// Objects of these names, in their order.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn objects(&self, bid: u64, names: &[String]) -> Result<Vec<Option<ObjectMeta>>> {
        let table = self.db.begin_read()?.open_table(OBJECTS)?;
        let find = |name: &String| {
            let found = table.get(key(bid, name).as_slice())?;
            found.map(|bytes| ObjectMeta::decode(bytes.value())).transpose()
        };
        names.iter().map(find).collect()
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
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((sender, thread)) = writer {
            drop(sender);
            // A panic of that thread has been reported to those who waited for it.
            let _ = thread.join();
        }
    }
}

fn with_prefix(
    facts: &impl ReadableTable<&'static str, &'static [u8]>,
    prefix: &str,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for row in facts.range(prefix..)? {
        let (name, bytes) = row?;
        let Some(rest) = name.value().strip_prefix(prefix) else { break };
        all.insert(rest.to_owned(), bytes.value().to_vec());
    }
    Ok(all)
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

/// The thread that writes.
struct Writer {
    db: Arc<Database>,
    blobs: Arc<dyn Blobs>,
    /// Blobs published since the last commit.
    settled: Vec<BlobId>,
    /// Blobs removed since the last commit.
    cleaned: Vec<BlobId>,
}

impl Writer {
    fn run(mut self, changes: &mpsc::Receiver<Change>) {
        let mut more = self.has_doomed();
        loop {
            let first = if more {
                match changes.try_recv() {
                    Ok(change) => Some(change),
                    Err(mpsc::TryRecvError::Empty) => None,
                    Err(mpsc::TryRecvError::Disconnected) => break,
                }
            } else {
                match changes.recv() {
                    Ok(change) => Some(change),
                    Err(mpsc::RecvError) => break,
                }
            };
            let mut group: Vec<Change> = first.into_iter().collect();
            while group.len() < GROUP {
                match changes.try_recv() {
                    Ok(change) => group.push(change),
                    Err(_) => break,
                }
            }
            more = self.commit(group) || (more && self.remove_slice());
        }
        self.settle();
    }

    /// Applies and commits a group; returns whether a bucket was destroyed in it.
    fn commit(&mut self, group: Vec<Change>) -> bool {
        if group.is_empty() {
            return false;
        }
        let (waiting, results, outcome) = self.apply(group);
        let (fresh, stale, doomed) = match outcome {
            Ok(after) => after,
            Err(error) => {
                tracing::error!(%error, "metadata was not committed");
                for done in waiting {
                    let kind = error.kind();
                    done(Err(Error::new(kind, format!("the change was not committed: {error}"))));
                }
                return false;
            }
        };
        for (done, result) in waiting.into_iter().zip(results) {
            done(result);
        }
        self.settle_blobs(fresh, stale);
        doomed
    }

    #[expect(
        clippy::type_complexity,
        reason = "the three parts are taken apart at once by the only caller"
    )]
    fn apply(
        &mut self,
        group: Vec<Change>,
    ) -> (Vec<Done>, Vec<Result<()>>, Result<(Vec<BlobId>, Vec<BlobId>, bool)>) {
        let mut waiting = Vec::with_capacity(group.len());
        let mut results = Vec::with_capacity(group.len());
        let (settled, cleaned) =
            (std::mem::take(&mut self.settled), std::mem::take(&mut self.cleaned));
        let outcome = self.transaction(|tx| {
            for blob in &settled {
                tx.fresh.remove(blob)?;
            }
            for blob in &cleaned {
                tx.stale.remove(blob)?;
            }
            for Change { apply, done } in group {
                waiting.push(done);
                results.push(apply(tx));
            }
            Ok((
                std::mem::take(&mut tx.published),
                std::mem::take(&mut tx.dropped),
                tx.buckets_doomed,
            ))
        });
        if outcome.is_err() {
            self.settled.extend(settled);
            self.cleaned.extend(cleaned);
        }
        (waiting, results, outcome)
    }

    fn transaction<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let mut transaction = self.db.begin_write()?;
        // The next start after a kill takes milliseconds, however much there is.
        transaction.set_quick_repair(true);
        let value = {
            let mut tx = Tx {
                buckets: transaction.open_table(BUCKETS)?,
                objects: transaction.open_table(OBJECTS)?,
                fresh: transaction.open_table(FRESH)?,
                stale: transaction.open_table(STALE)?,
                doomed: transaction.open_table(DOOMED)?,
                facts: transaction.open_table(FACTS)?,
                published: Vec::new(),
                dropped: Vec::new(),
                buckets_doomed: false,
            };
            work(&mut tx)?
        };
        transaction.commit()?;
        Ok(value)
    }

    /// After a commit: new blobs get their place, old ones go.
    fn settle_blobs(&mut self, fresh: Vec<BlobId>, stale: Vec<BlobId>) {
        for blob in fresh {
            match self.blobs.publish(&[blob]) {
                Ok(()) => self.settled.push(blob),
                // It can be read where it is; the next start tries again.
                Err(error) if !stale.contains(&blob) => {
                    tracing::warn!(%error, blob, "new content stays where it was written")
                }
                Err(_) => {}
            }
        }
        for blob in stale {
            match self.blobs.remove(blob) {
                Ok(()) => self.cleaned.push(blob),
                Err(error) => {
                    tracing::warn!(%error, blob, "old content was not removed; the next start tries again")
                }
            }
        }
    }

    fn settle(&mut self) {
        if self.settled.is_empty() && self.cleaned.is_empty() {
            return;
        }
        let (_, _, outcome) = self.apply(Vec::new());
        if let Err(error) = outcome {
            tracing::warn!(%error, "the next start has to look again at what was written last");
        }
    }

    fn has_doomed(&self) -> bool {
        let look =
            || -> Result<bool> { Ok(self.db.begin_read()?.open_table(DOOMED)?.first()?.is_some()) };
        look().unwrap_or(false)
    }

    /// Removes some objects of a destroyed bucket; returns whether there is more to do.
    fn remove_slice(&mut self) -> bool {
        let outcome = self.transaction(|tx| {
            let Some(bid) = tx.doomed.first()?.map(|(bid, _)| bid.value()) else {
                return Ok((Vec::new(), false));
            };
            let end = end_of(bid);
            let start = key(bid, "");
            let mut names = Vec::with_capacity(SLICE);
            {
                let (from, to) = bounds(Bound::Included(&start), end.as_ref());
                let from = from.as_ref().map(Vec::as_slice);
                let to = to.as_ref().map(Vec::as_slice);
                for row in tx.objects.range::<&[u8]>((from, to))?.take(SLICE) {
                    names.push(name_of(row?.0.value())?);
                }
            }
            for name in &names {
                tx.delete_object(bid, name)?;
            }
            if names.len() < SLICE {
                tx.doomed.remove(bid)?;
            }
            Ok((std::mem::take(&mut tx.dropped), true))
        });
        match outcome {
            Ok((stale, more)) => {
                self.settle_blobs(Vec::new(), stale);
                more
            }
            Err(error) => {
                tracing::warn!(%error, "objects of a destroyed bucket were not removed; the next start tries again");
                false
            }
        }
    }

    /// What a killed process left: new blobs get their place, old and temporary ones go.
    fn repair(&mut self) -> Result<()> {
        let (fresh, stale) = self.transaction(|tx| {
            let mut fresh = Vec::new();
            for row in tx.fresh.iter()? {
                fresh.push(row?.0.value());
            }
            let mut stale = Vec::new();
            for row in tx.stale.iter()? {
                stale.push(row?.0.value());
            }
            Ok((fresh, stale))
        })?;
        let (published, removed) = (fresh.len(), stale.len());
        for blob in fresh {
            match self.blobs.publish(&[blob]) {
                Ok(()) => self.settled.push(blob),
                Err(error) => tracing::error!(%error, blob, "content of an object is missing"),
            }
        }
        for blob in stale {
            self.blobs.remove(blob)?;
            self.cleaned.push(blob);
        }
        let swept = self.blobs.sweep()?;
        self.settle();
        if published + removed > 0 || swept > 0 {
            tracing::info!(published, removed, swept, "repaired what an interrupted process left");
        }
        Ok(())
    }
}

/// A file whose writes reach the disk when the system likes.
struct Unsynced(FileBackend);

impl fmt::Debug for Unsynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsynced")
    }
}

impl StorageBackend for Unsynced {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> std::io::Result<()> {
        self.0.close()
    }
}
