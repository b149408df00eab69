//! Names that are a file on one side of a synchronisation and a directory on the other.
//!
//! Services of objects can have both `a` and `a/b`. In a directory, one has to go before the other can come.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path as FilePath, PathBuf};

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use super::copy::as_local;
use super::place::blocking;
use super::postponed::Postponed;
use super::sync::{Action, Reason};
use crate::error::Result;
use crate::store::Store;

/// Copies to files that something stands in the way of, until that has gone.
#[derive(Debug)]
pub(super) struct Swaps {
    target: Store,
    /// The keys of what stands in the way.
    names: BTreeSet<Path>,
    copies: Postponed,
}

impl Swaps {
    /// Those of a target; none where it is no directory.
    pub(super) fn of(target: &Store) -> Option<Self> {
        as_local(target)?;
        let (names, copies) = (BTreeSet::new(), Postponed::default());
        Some(Self { target: target.clone(), names, copies })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Keeps the copy to `key` if something stands in its way; whether it does.
    pub(super) async fn keep(&mut self, key: &Path, size: u64) -> Result<bool> {
        let Some(name) = self.in_the_way(key) else { return Ok(false) };
        self.names.insert(name);
        self.copies.push(key.clone(), size).await?;
        Ok(true)
    }

    /// The directory that has this name, or the file that has the name of a directory above it.
    fn in_the_way(&self, key: &Path) -> Option<Path> {
        // A link to a directory is neither: what is behind it is not ours.
        match std::fs::symlink_metadata(self.file_path(key)?) {
            Ok(found) => found.is_dir().then(|| key.clone()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                above(key).find(|key| self.file_path(key).is_some_and(|path| path.is_file()))
            }
            Err(_) => None,
        }
    }

    /// Takes what stands in the way out of what is to be deleted.
    pub(super) async fn part(&self, deletions: &mut Postponed) -> Result<Postponed> {
        let (mut ours, mut others) = (Postponed::default(), Postponed::default());
        let mut all = deletions.take();
        while let Some((key, size)) = all.try_next().await? {
            let is_ours = std::iter::once(key.clone())
                .chain(above(&key))
                .any(|name| self.names.contains(&name));
            let to = if is_ours { &mut ours } else { &mut others };
            to.push(key, size).await?;
        }
        *deletions = others;
        Ok(ours)
    }

    /// Removes directories in which nothing is left, and gives the copies to be made.
    pub(super) async fn copies(mut self) -> Result<BoxStream<'static, Result<Action>>> {
        let paths: Vec<_> = self.names.iter().filter_map(|key| self.file_path(key)).collect();
        blocking(move || paths.iter().for_each(|path| remove_empty(path))).await?;
        let copy = |(path, size)| Action::Copy { path, size, reason: Reason::Missing };
        Ok(self.copies.take().map_ok(copy).boxed())
    }

    fn file_path(&self, key: &Path) -> Option<PathBuf> {
        as_local(&self.target)?.file_path(&self.target.full_path(key)).ok()
    }
}

/// The names of the directories in which a file of this key is, the nearest first.
fn above(key: &Path) -> impl Iterator<Item = Path> {
    let text = key.as_ref();
    text.rmatch_indices('/').map(|(end, _)| Path::from_iter(text[..end].split('/')))
}

/// Removes a directory if all that it has are directories that have nothing else.
fn remove_empty(dir: &FilePath) {
    // What is left makes the copy fail, with an error that names it.
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|of| of.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    drop(std::fs::remove_dir(dir));
}
