//! The tables, and what is done with them wherever they are kept.

use std::ops::Bound;
use std::sync::Arc;

use super::disk::Disk;
use super::memory::Memory;
use crate::error::{Error, Result};

/// A table: rows of bytes, by a key of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// Unique name of a bucket to its record.
    Buckets,
    /// Bucket's id (eight bytes, big end first) and name of an object, to the object.
    Objects,
    /// Numbers of blobs that are named by an object and may still be temporary.
    Fresh,
    /// Numbers of blobs that nothing names any more and that may still be there.
    Stale,
    /// Ids of destroyed buckets that may still have objects.
    Doomed,
    /// Facts of the server, by name.
    Facts,
}

impl Table {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 6] =
        [Self::Buckets, Self::Objects, Self::Fresh, Self::Stale, Self::Doomed, Self::Facts];
}

/// A number as a key: as redb keeps it. Rows of tables with such keys come in any order.
pub(super) fn number(key: u64) -> [u8; 8] {
    key.to_le_bytes()
}

/// What [`number`] made of a number.
pub(super) fn number_of(key: &[u8]) -> Result<u64> {
    let damaged = |e| Error::internal("a number in the metadata is damaged").with_source(e);
    Ok(u64::from_le_bytes(key.try_into().map_err(damaged)?))
}

/// Sees a key and its row; false ends the walk.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<bool>;

/// The rows of a table at one moment.
pub(super) trait Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>>;

    /// Visits the rows in the order of their keys, from this one on.
    fn walk(&self, from: Bound<&[u8]>, visit: Visit<'_>) -> Result<()>;
}

/// The rows of a table in a transaction.
pub(super) trait RowsMut: Rows {
    /// Returns the row that it replaces.
    fn insert(&mut self, key: &[u8], row: &[u8]) -> Result<Option<Arc<[u8]>>>;

    /// Returns what it removes.
    fn remove(&mut self, key: &[u8]) -> Result<Option<Arc<[u8]>>>;
}

/// The tables in a transaction, which sees its own changes.
pub(super) trait Tables {
    fn rows(&self, table: Table) -> Result<&dyn Rows>;

    fn rows_mut(&mut self, table: Table) -> Result<&mut dyn RowsMut>;
}

/// Where the tables are.
pub(super) enum Store {
    Disk(Disk),
    Memory(Memory),
}

impl Store {
    /// A table as the last commit left it, whatever is committed later. Waits for no transaction.
    pub(super) fn rows(&self, table: Table) -> Result<Box<dyn Rows>> {
        match self {
            Self::Disk(disk) => disk.rows(table),
            Self::Memory(memory) => Ok(memory.rows(table)),
        }
    }

    /// Works on the tables and commits. After an error or a panic nothing has happened. One at a time: what two do at
    /// the same time may be lost.
    pub(super) fn change<T>(&self, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        match self {
            Self::Disk(disk) => disk.change(work),
            Self::Memory(memory) => memory.change(work),
        }
    }
}
