//! Commits.

use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use super::table::{Rows, Store, Table, number, number_of};
use super::tx::{Tx, key, name_of};
use super::{Change, Done};
use crate::error::{Error, Result};
use crate::storage::blobs::{BlobId, Blobs};

/// Most changes in one commit.
const GROUP: usize = 512;
/// Objects of a destroyed bucket removed in one commit.
const SLICE: usize = 1024;

/// Who writes: one at a time.
pub(super) struct Writer {
    store: Arc<Store>,
    blobs: Arc<dyn Blobs>,
    /// Whether blobs outlive the process.
    lasting: bool,
    /// Blobs published since the last commit.
    settled: Vec<BlobId>,
    /// Blobs removed since the last commit.
    cleaned: Vec<BlobId>,
}

/// Commits what comes, and removes what destroyed buckets had, until there is nobody who sends.
pub(super) fn run(writer: &Mutex<Writer>, changes: &mpsc::Receiver<Change>) {
    let mut more = lock(writer).has_doomed();
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
        let mut writer = lock(writer);
        more = writer.commit(group) || (more && writer.remove_slice());
    }
    lock(writer).settle();
}

pub(super) fn lock(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    // After a panic the transaction is undone, and the rest is never half changed.
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// Repairs what an interrupted process left.
    pub(super) fn new(store: Arc<Store>, blobs: Arc<dyn Blobs>) -> Result<Self> {
        let lasting = !blobs.inline();
        let (settled, cleaned) = (Vec::new(), Vec::new());
        let mut writer = Self { store, blobs, lasting, settled, cleaned };
        writer.repair()?;
        Ok(writer)
    }

    /// Applies and commits a group; returns whether a bucket was destroyed in it.
    pub(super) fn commit(&mut self, group: Vec<Change>) -> bool {
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
                tx.tables.rows_mut(Table::Fresh)?.remove(&number(*blob))?;
            }
            for blob in &cleaned {
                tx.tables.rows_mut(Table::Stale)?.remove(&number(*blob))?;
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

    fn transaction<T>(&mut self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.store.change(|tables| work(&mut Tx::of(tables, self.lasting)))
    }

    /// After a commit: new blobs get their place, old ones go.
    fn settle_blobs(&mut self, fresh: Vec<BlobId>, stale: Vec<BlobId>) {
        for blob in fresh {
            match self.blobs.publish(&[blob]) {
                Ok(()) if self.lasting => self.settled.push(blob),
                Ok(()) => {}
                // It can be read where it is; the next start tries again.
                Err(error) if !stale.contains(&blob) => {
                    tracing::warn!(%error, blob, "new content stays where it was written")
                }
                Err(_) => {}
            }
        }
        for blob in stale {
            match self.blobs.remove(blob) {
                Ok(true) if self.lasting => self.cleaned.push(blob),
                // Somebody may still open it. Should the process be killed before it goes, the next start removes it.
                Ok(_) => {}
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
        let look = || first_doomed(&*self.store.rows(Table::Doomed)?);
        matches!(look(), Ok(Some(_)))
    }

    /// Removes some objects of a destroyed bucket; returns whether there is more to do.
    fn remove_slice(&mut self) -> bool {
        let outcome = self.transaction(|tx| {
            let Some(bid) = first_doomed(tx.tables.rows(Table::Doomed)?)? else {
                return Ok((Vec::new(), false));
            };
            let start = key(bid, "");
            let mut names = Vec::with_capacity(SLICE);
            let objects = tx.tables.rows(Table::Objects)?;
            objects.walk(Bound::Included(&start), &mut |key, _| {
                if names.len() == SLICE || !key.starts_with(&start) {
                    return Ok(false);
                }
                names.push(name_of(key)?);
                Ok(true)
            })?;
            for name in &names {
                tx.delete_object(bid, name)?;
            }
            if names.len() < SLICE {
                tx.tables.rows_mut(Table::Doomed)?.remove(&number(bid))?;
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
            // Readers open what is there.
            for table in Table::ALL {
                tx.tables.rows(table)?;
            }
            let fresh = numbers(tx.tables.rows(Table::Fresh)?)?;
            let stale = numbers(tx.tables.rows(Table::Stale)?)?;
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

fn first_doomed(doomed: &dyn Rows) -> Result<Option<u64>> {
    let mut first = None;
    doomed.walk(Bound::Unbounded, &mut |key, _| {
        first = Some(number_of(key)?);
        Ok(false)
    })?;
    Ok(first)
}

fn numbers(rows: &dyn Rows) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    rows.walk(Bound::Unbounded, &mut |key, _| {
        numbers.push(number_of(key)?);
        Ok(true)
    })?;
    Ok(numbers)
}
