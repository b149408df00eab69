//! Files that only the target has: of an older state of the source, or made beside its files.
//!
//! Whoever reads the directory reads them with the rest, a chunk of yesterday's among those of today. They are told, or they go
//! when all of the source is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, stream};
use holdall_store::Store;
use holdall_store::object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// What becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They stay and are told.
    Told,
    /// They go after everything else.
    Removed,
    /// They go while nobody but this run sees the directory.
    Unseen,
}

/// Such files by their keys, with their lengths: filled by the plan that finds them.
#[derive(Debug, Clone, Default)]
pub(super) struct Others(Arc<Mutex<BTreeMap<String, u64>>>);

impl Others {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, key: &str, size: u64) {
        self.files().insert(key.to_owned(), size);
    }

    /// The length of one.
    pub(super) fn size(&self, key: &Path) -> Option<u64> {
        self.files().get(key.as_ref()).copied()
    }

    /// The source has it.
    pub(super) fn forget(&self, key: &Path) {
        self.files().remove(key.as_ref());
    }

    /// Leaves out what other assets have put, or put, below the directory.
    pub(super) fn spare(&self, assets: impl FnOnce() -> Vec<String>) {
        let mut files = self.files();
        if files.is_empty() {
            return;
        }
        for asset in assets() {
            files.retain(|key, _| {
                key.strip_prefix(&asset)
                    .is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'))
            });
        }
    }

    /// What there is to say of them: an error where the document states a length that is not that of the directory for them, and
    /// a warning else.
    pub(super) fn tell(&self, target: &str, is_described: bool) -> Result<Option<Error>> {
        let files = self.files();
        let Some(first) = files.keys().next().map(|key| key.escape_debug()) else {
            return Ok(None);
        };
        let found = match files.len() {
            1 => format!("one file is there that the source does not have: {first}"),
            many => {
                format!("{many} files are there that the source does not have, the first: {first}")
            }
        };
        let bytes: u64 = files.values().sum();
        let is_wrong = is_described && bytes > 0;
        let stated = match is_wrong {
            true => format!(", by which the directory is {bytes} bytes longer than its file:size"),
            false => String::new(),
        };
        let detail = format!("{found}{stated}; --overwrite replaces the directory");
        let error = Error::new(ErrorKind::Integrity, "verify", target, detail);
        if is_wrong { Err(error) } else { Ok(Some(error)) }
    }

    /// Deletes them.
    pub(super) async fn remove(&self, target: &Store) -> Result<()> {
        let files = std::mem::take(&mut *self.files());
        let keys = files.into_keys().filter_map(|key| Path::parse(key).ok());
        let mut deleted = target.delete_many(stream::iter(keys).boxed());
        let (mut first, mut failed) = (None, 0);
        while let Some((_, result)) = deleted.next().await {
            if let Err(error) = result {
                failed += 1;
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), |error| Err(of_many(error, failed)))
    }
}

/// The first of `failed` failures of a directory's files.
pub(super) fn of_many(first: holdall_store::Error, failed: u64) -> Error {
    let error = Error::from(first);
    match failed {
        1 => error,
        failed => error.with_hint(&format!("and so did {} other files", failed - 1)),
    }
}
