//! A transaction, as changes see it.

use std::collections::BTreeMap;
use std::ops::Bound;

use holdall_ais_wire::bucket::Bck;
use redb::{ReadableTable, WriteTransaction};

use super::table::Lazy;
use super::{BUCKETS, DOOMED, FACTS, FRESH, OBJECTS, STALE};
use crate::error::{Error, Result};
use crate::storage::blobs::BlobId;
use crate::storage::record::{BucketRecord, ObjectMeta};

/// A transaction that a change is applied in.
///
/// A change looks first and writes then: when it returns an error it must not have written anything, because the
/// changes of others are in the same transaction. It does not send changes itself, nor by dropping something that does:
/// in memory it would wait for itself.
pub struct Tx<'a> {
    buckets: Lazy<'a, &'static str, &'static [u8]>,
    pub(super) objects: Lazy<'a, &'static [u8], &'static [u8]>,
    pub(super) fresh: Lazy<'a, u64, ()>,
    pub(super) stale: Lazy<'a, u64, ()>,
    pub(super) doomed: Lazy<'a, u64, ()>,
    facts: Lazy<'a, &'static str, &'static [u8]>,
    /// Whether blobs outlive the process, so that what is under way with them has to be written down.
    lasting: bool,
    pub(super) published: Vec<BlobId>,
    pub(super) dropped: Vec<BlobId>,
    pub(super) buckets_doomed: bool,
}

pub(super) fn key(bid: u64, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + name.len());
    key.extend(bid.to_be_bytes());
    key.extend(name.as_bytes());
    key
}

pub(super) fn name_of(key: &[u8]) -> Result<String> {
    let name = key.get(8..).unwrap_or_default().to_vec();
    String::from_utf8(name)
        .map_err(|e| Error::internal("the name of an object is damaged").with_source(e))
}

/// All keys of a bucket come before this one.
pub(super) fn end_of(bid: u64) -> Option<Vec<u8>> {
    Some(bid.checked_add(1)?.to_be_bytes().to_vec())
}

pub(super) fn bounds(
    from: Bound<&Vec<u8>>,
    end: Option<&Vec<u8>>,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    (from.cloned(), end.map_or(Bound::Unbounded, |end| Bound::Excluded(end.clone())))
}

pub(super) fn with_prefix(
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

impl<'a> Tx<'a> {
    pub(super) fn of(transaction: &'a WriteTransaction, lasting: bool) -> Self {
        Self {
            buckets: Lazy::new(transaction, BUCKETS),
            objects: Lazy::new(transaction, OBJECTS),
            fresh: Lazy::new(transaction, FRESH),
            stale: Lazy::new(transaction, STALE),
            doomed: Lazy::new(transaction, DOOMED),
            facts: Lazy::new(transaction, FACTS),
            lasting,
            published: Vec::new(),
            dropped: Vec::new(),
            buckets_doomed: false,
        }
    }

    /// Makes the tables that are not there yet: readers open what is there.
    pub(super) fn make_tables(&mut self) -> Result<()> {
        self.buckets.opened()?;
        self.objects.opened()?;
        self.fresh.opened()?;
        self.stale.opened()?;
        self.doomed.opened()?;
        self.facts.opened()?;
        Ok(())
    }

    /// A bucket.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn bucket(&self, bck: &Bck) -> Result<Option<BucketRecord>> {
        match self.buckets.seen()?.get(bck.uname("").as_str())? {
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
            .opened()?
            .insert(record.bck.uname("").as_str(), serde_json::to_vec(record)?.as_slice())?;
        Ok(())
    }

    /// Forgets a bucket's name, and leaves its objects alone.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn forget_bucket(&mut self, bck: &Bck) -> Result<()> {
        self.buckets.opened()?.remove(bck.uname("").as_str())?;
        Ok(())
    }

    /// Removes a bucket's objects, after this transaction and in small steps.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn doom_objects(&mut self, bid: u64) -> Result<()> {
        self.doomed.opened()?.insert(bid, ())?;
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
            .seen()?
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
        let old = self.objects.opened()?.insert(key.as_slice(), encoded.as_slice())?;
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
        self.objects.opened()?.remove(key(from.0, from.1).as_slice())?;
        self.objects.opened()?.insert(key(to.0, to.1).as_slice(), meta.encode()?.as_slice())?;
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
        let old = self.objects.opened()?.remove(key(bid, name).as_slice())?;
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
        if self.lasting {
            self.fresh.opened()?.insert(blob, ())?;
        }
        self.published.push(blob);
        Ok(())
    }

    /// Removes a blob that nothing names any more, after this transaction.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn discard(&mut self, blob: BlobId) -> Result<()> {
        if self.lasting {
            self.fresh.opened()?.remove(blob)?;
            self.stale.opened()?.insert(blob, ())?;
        }
        self.dropped.push(blob);
        Ok(())
    }

    /// A fact.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn fact(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.facts.seen()?.get(name)?.map(|bytes| bytes.value().to_vec()))
    }

    /// All facts whose names begin with `prefix`, by the rest of their names.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn facts(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        with_prefix(self.facts.seen()?, prefix)
    }

    /// Sets a fact.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn put_fact(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.facts.opened()?.insert(name, value)?;
        Ok(())
    }

    /// Forgets a fact; tells whether it was there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn remove_fact(&mut self, name: &str) -> Result<bool> {
        Ok(self.facts.opened()?.remove(name)?.is_some())
    }
}
