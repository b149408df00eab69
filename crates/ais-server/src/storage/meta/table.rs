//! Tables of a transaction, opened by whoever needs them first.

use std::cell::OnceCell;

use redb::{Key, Table, TableDefinition, Value, WriteTransaction};

use crate::error::Result;

/// A table that is not opened before somebody looks: most changes need one of six, and to open and to close the others
/// would take a third of a commit in memory (`bench`: `PUT, 1 KiB`).
pub(super) struct Lazy<'a, K: Key + 'static, V: Value + 'static> {
    transaction: &'a WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    table: OnceCell<Table<'a, K, V>>,
}

impl<'a, K: Key + 'static, V: Value + 'static> Lazy<'a, K, V> {
    pub(super) fn new(
        transaction: &'a WriteTransaction,
        definition: TableDefinition<'static, K, V>,
    ) -> Self {
        Self { transaction, definition, table: OnceCell::new() }
    }

    /// The table, to be read.
    pub(super) fn seen(&self) -> Result<&Table<'a, K, V>> {
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        let table = self.transaction.open_table(self.definition)?;
        Ok(self.table.get_or_init(|| table))
    }

    /// The table, to be changed.
    pub(super) fn opened(&mut self) -> Result<&mut Table<'a, K, V>> {
        self.seen()?;
        Ok(self.table.get_mut().expect("it was opened just now"))
    }
}
