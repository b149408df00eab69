//! Tables in a file, by redb.

use std::cell::OnceCell;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    AccessGuard, Database, Key, ReadOnlyTable, ReadableDatabase as _, ReadableTable,
    TableDefinition, Value, WriteTransaction,
};

use super::table::{Rows, RowsMut, Table, Tables, Visit};
use super::unsynced::Unsynced;
use crate::error::Result;
use crate::storage::Fsync;

const BUCKETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("buckets");
const OBJECTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("objects");
const FRESH: TableDefinition<'_, u64, ()> = TableDefinition::new("fresh");
const STALE: TableDefinition<'_, u64, ()> = TableDefinition::new("stale");
const DOOMED: TableDefinition<'_, u64, ()> = TableDefinition::new("doomed");
const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");

/// A table of a transaction that reads, or of one that writes; redb has no name for both.
macro_rules! open {
    ($transaction:expr, $table:expr) => {{
        let transaction = $transaction;
        match $table {
            Table::Buckets => Box::new(transaction.open_table(BUCKETS)?),
            Table::Objects => Box::new(transaction.open_table(OBJECTS)?),
            Table::Fresh => Box::new(transaction.open_table(FRESH)?),
            Table::Stale => Box::new(transaction.open_table(STALE)?),
            Table::Doomed => Box::new(transaction.open_table(DOOMED)?),
            Table::Facts => Box::new(transaction.open_table(FACTS)?),
        }
    }};
}

/// Memory for pages, bytes.
const CACHE: usize = 64 << 20;

/// Tables in a file.
pub(super) struct Disk(Database);

impl Disk {
    pub(super) fn open(path: &Path, fsync: Fsync) -> Result<Self> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE);
        if fsync != Fsync::Never {
            return Ok(Self(builder.create(path)?));
        }
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Self(builder.create_with_backend(Unsynced(FileBackend::new(file)?))?))
    }

    pub(super) fn rows(&self, table: Table) -> Result<Box<dyn Rows>> {
        Ok(open!(self.0.begin_read()?, table))
    }

    pub(super) fn change<T>(&self, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        let mut transaction = self.0.begin_write()?;
        // The next start after a kill takes milliseconds, however much there is.
        transaction.set_quick_repair(true);
        let value = work(&mut Opened { transaction: &transaction, tables: Default::default() })?;
        transaction.commit()?;
        Ok(value)
    }
}

/// The tables of a transaction. One that is not there is made, and none is opened before somebody looks: most changes
/// need one of six.
struct Opened<'a> {
    transaction: &'a WriteTransaction,
    tables: [OnceCell<Box<dyn RowsMut + 'a>>; Table::ALL.len()],
}

impl<'a> Opened<'a> {
    fn open(&self, table: Table) -> Result<Box<dyn RowsMut + 'a>> {
        Ok(open!(self.transaction, table))
    }
}

impl Tables for Opened<'_> {
    fn rows(&self, table: Table) -> Result<&dyn Rows> {
        let cell = &self.tables[table as usize];
        if let Some(rows) = cell.get() {
            return Ok(&**rows);
        }
        let rows = self.open(table)?;
        Ok(&**cell.get_or_init(|| rows))
    }

    fn rows_mut(&mut self, table: Table) -> Result<&mut dyn RowsMut> {
        self.rows(table)?;
        let rows = self.tables[table as usize].get_mut().expect("it was opened just now");
        Ok(&mut **rows)
    }
}

impl<K: Key + 'static, V: Value + 'static> Rows for ReadOnlyTable<K, V> {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        get(self, key)
    }

    fn walk(&self, from: Bound<&[u8]>, visit: Visit<'_>) -> Result<()> {
        walk(self, from, visit)
    }
}

impl<K: Key + 'static, V: Value + 'static> Rows for redb::Table<'_, K, V> {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        get(self, key)
    }

    fn walk(&self, from: Bound<&[u8]>, visit: Visit<'_>) -> Result<()> {
        walk(self, from, visit)
    }
}

impl<K: Key + 'static, V: Value + 'static> RowsMut for redb::Table<'_, K, V> {
    fn insert(&mut self, key: &[u8], row: &[u8]) -> Result<Option<Arc<[u8]>>> {
        let old = redb::Table::insert(self, K::from_bytes(key), V::from_bytes(row))?;
        Ok(old.map(|row| copy(&row)))
    }

    fn remove(&mut self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        let old = redb::Table::remove(self, K::from_bytes(key))?;
        Ok(old.map(|row| copy(&row)))
    }
}

fn get<K: Key + 'static, V: Value + 'static>(
    table: &impl ReadableTable<K, V>,
    key: &[u8],
) -> Result<Option<Arc<[u8]>>> {
    Ok(table.get(K::from_bytes(key))?.map(|row| copy(&row)))
}

fn walk<K: Key + 'static, V: Value + 'static>(
    table: &impl ReadableTable<K, V>,
    from: Bound<&[u8]>,
    visit: Visit<'_>,
) -> Result<()> {
    let from = from.map(|key| K::from_bytes(key));
    for row in table.range::<K::SelfType<'_>>((from, Bound::Unbounded))? {
        let (key, row) = row?;
        if !visit(K::as_bytes(&key.value()).as_ref(), V::as_bytes(&row.value()).as_ref())? {
            break;
        }
    }
    Ok(())
}

fn copy<V: Value + 'static>(row: &AccessGuard<'_, V>) -> Arc<[u8]> {
    V::as_bytes(&row.value()).as_ref().into()
}
