//! Tables in memory: maps that share what they have in common with what they were before.
//!
//! A transaction begins with a copy of all maps, which costs a few pointers, and ends by putting it in the place of what
//! was committed. A change copies the way from the root to a row, some twenty small nodes for ten million of them. Who
//! reads keeps the map that he began with.

use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rpds::RedBlackTreeMapSync;

use super::table::{Rows, RowsMut, Table, Tables, Visit};
use crate::error::Result;

/// Tables in memory.
#[derive(Default)]
pub(super) struct Memory {
    /// As of the last commit. Held only while pointers are copied.
    committed: Mutex<Maps>,
}

#[derive(Clone, Default)]
struct Maps([Map; Table::ALL.len()]);

/// Keys and rows are behind one pointer in the map, so that they are not copied with the nodes.
#[derive(Clone, Default)]
struct Map(RedBlackTreeMapSync<Box<[u8]>, Arc<[u8]>>);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Maps> {
        // No code panics while it holds the lock.
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn rows(&self, table: Table) -> Box<dyn Rows> {
        Box::new(self.lock().0[table as usize].clone())
    }

    pub(super) fn change<T>(&self, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        let mut maps = self.lock().clone();
        let value = work(&mut maps)?;
        let before = std::mem::replace(&mut *self.lock(), maps);
        // What only it had is freed after the lock.
        drop(before);
        Ok(value)
    }
}

impl Tables for Maps {
    fn rows(&self, table: Table) -> Result<&dyn Rows> {
        Ok(&self.0[table as usize])
    }

    fn rows_mut(&mut self, table: Table) -> Result<&mut dyn RowsMut> {
        Ok(&mut self.0[table as usize])
    }
}

impl Rows for Map {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        Ok(self.0.get(key).cloned())
    }

    fn walk(&self, from: Bound<&[u8]>, visit: Visit<'_>) -> Result<()> {
        for (key, row) in self.0.range::<[u8], _>((from, Bound::Unbounded)) {
            if !visit(key, row)? {
                break;
            }
        }
        Ok(())
    }
}

impl RowsMut for Map {
    fn insert(&mut self, key: &[u8], row: &[u8]) -> Result<Option<Arc<[u8]>>> {
        let old = self.get(key)?;
        self.0.insert_mut(key.into(), row.into());
        Ok(old)
    }

    fn remove(&mut self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        let old = self.get(key)?;
        if old.is_some() {
            self.0.remove_mut(key);
        }
        Ok(old)
    }
}
