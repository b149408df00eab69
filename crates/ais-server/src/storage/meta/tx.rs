//! A transaction, as changes see it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use holdall_ais_wire::bucket::Bck;

use super::table::{Rows, Table, Tables, number};
use crate::error::{Error, Result};
use crate::storage::blobs::BlobId;
use crate::storage::record::{BucketRecord, ObjectMeta};

/// A transaction that a change is applied in.
///
/// A change looks first and writes then: when it returns an error it must not have written anything, because the
/// changes of others are in the same transaction. It does not send changes itself, nor by dropping something that does:
/// in memory it would wait for itself.
pub struct Tx<'a> {
    pub(super) tables: &'a mut dyn Tables,
    /// Whether blobs outlive the process, so that what is under way with them has to be written down.
    lasting: bool,
    pub(super) published: Vec<BlobId>,
    pub(super) dropped: Vec<BlobId>,
    pub(super) buckets_doomed: bool,
}

/// The key of an object.
pub(super) fn key(bid: u64, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + name.len());
    key.extend(bid.to_be_bytes());
    key.extend(name.as_bytes());
    key
}

/// The name of the object with this key.
pub(super) fn name_of(key: &[u8]) -> Result<String> {
    text(key.get(8..).unwrap_or_default())
}

/// A name, or a part of one.
pub(super) fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec())
        .map_err(|e| Error::internal("a name in the metadata is damaged").with_source(e))
}

pub(super) fn decoded(row: Option<Arc<[u8]>>) -> Result<Option<ObjectMeta>> {
    row.map(|bytes| ObjectMeta::decode(&bytes)).transpose()
}

pub(super) fn with_prefix(facts: &dyn Rows, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    facts.walk(Bound::Included(prefix.as_bytes()), &mut |name, bytes| {
        let Some(rest) = name.strip_prefix(prefix.as_bytes()) else { return Ok(false) };
        all.insert(text(rest)?, bytes.to_vec());
        Ok(true)
    })?;
    Ok(all)
}

impl<'a> Tx<'a> {
    pub(super) fn of(tables: &'a mut dyn Tables, lasting: bool) -> Self {
        Self { tables, lasting, published: Vec::new(), dropped: Vec::new(), buckets_doomed: false }
    }

    /// A bucket.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn bucket(&self, bck: &Bck) -> Result<Option<BucketRecord>> {
        let found = self.tables.rows(Table::Buckets)?.get(bck.uname("").as_bytes())?;
        Ok(found.map(|bytes| serde_json::from_slice(&bytes)).transpose()?)
    }

    /// Sets a bucket.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn put_bucket(&mut self, record: &BucketRecord) -> Result<()> {
        let encoded = serde_json::to_vec(record)?;
        let buckets = self.tables.rows_mut(Table::Buckets)?;
        buckets.insert(record.bck.uname("").as_bytes(), &encoded)?;
        Ok(())
    }

    /// Forgets a bucket's name, and leaves its objects alone.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn forget_bucket(&mut self, bck: &Bck) -> Result<()> {
        self.tables.rows_mut(Table::Buckets)?.remove(bck.uname("").as_bytes())?;
        Ok(())
    }

    /// Removes a bucket's objects, after this transaction and in small steps.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn doom_objects(&mut self, bid: u64) -> Result<()> {
        self.tables.rows_mut(Table::Doomed)?.insert(&number(bid), &[])?;
        self.buckets_doomed = true;
        Ok(())
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn object(&self, bid: u64, name: &str) -> Result<Option<ObjectMeta>> {
        decoded(self.tables.rows(Table::Objects)?.get(&key(bid, name))?)
    }

    /// Sets an object. Content that the object had and has no more goes away; new content stays.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn put_object(&mut self, bid: u64, name: &str, meta: &ObjectMeta) -> Result<()> {
        let old = self.object(bid, name)?;
        self.replace_object(bid, name, old, meta)
    }

    /// The same over what [`object`](Self::object) has just found there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn replace_object(
        &mut self,
        bid: u64,
        name: &str,
        old: Option<ObjectMeta>,
        meta: &ObjectMeta,
    ) -> Result<()> {
        let encoded = meta.encode()?;
        self.tables.rows_mut(Table::Objects)?.insert(&key(bid, name), &encoded)?;
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
        let encoded = meta.encode()?;
        let objects = self.tables.rows_mut(Table::Objects)?;
        objects.remove(&key(from.0, from.1))?;
        objects.insert(&key(to.0, to.1), &encoded)?;
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
        let old = decoded(self.tables.rows_mut(Table::Objects)?.remove(&key(bid, name))?)?;
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
            self.tables.rows_mut(Table::Fresh)?.insert(&number(blob), &[])?;
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
            self.tables.rows_mut(Table::Fresh)?.remove(&number(blob))?;
            self.tables.rows_mut(Table::Stale)?.insert(&number(blob), &[])?;
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
        let found = self.tables.rows(Table::Facts)?.get(name.as_bytes())?;
        Ok(found.map(|bytes| bytes.to_vec()))
    }

    /// All facts whose names begin with `prefix`, by the rest of their names.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn facts(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        with_prefix(self.tables.rows(Table::Facts)?, prefix)
    }

    /// Sets a fact.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn put_fact(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.tables.rows_mut(Table::Facts)?.insert(name.as_bytes(), value)?;
        Ok(())
    }

    /// Forgets a fact; tells whether it was there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn remove_fact(&mut self, name: &str) -> Result<bool> {
        Ok(self.tables.rows_mut(Table::Facts)?.remove(name.as_bytes())?.is_some())
    }
}
