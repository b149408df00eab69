//! Directories in stores that have been begun.
//!
//! Files of a directory appear in a store one by one. What a run that was cut off has left there may be of another source, in
//! which files have the same names and lengths; so each run remembers its source until it ends.

use std::fs;
use std::io;
use std::path::{Path as FsPath, PathBuf};

use holdall_store::transfer::state_directory;
use sha2::{Digest, Sha256};

/// Where these are remembered, in the folder for state.
const FOLDER: &str = "directories";

/// A directory in a store that is being filled. Dropped without [`end`](Self::end), it is remembered.
#[derive(Debug)]
pub(super) struct Begun {
    /// `None` where nothing can be remembered.
    note: Option<PathBuf>,
    /// Whether a run from another source has begun it, and has not ended.
    pub(super) by_another: bool,
}

impl Begun {
    /// Remembers the source of the directory at `target`.
    pub(super) fn at(target: &str, source: &str) -> Self {
        Self::within(state_directory().map(|state| state.join(FOLDER)), target, source)
    }

    fn within(folder: Option<PathBuf>, target: &str, source: &str) -> Self {
        let Some(folder) = folder else { return Self { note: None, by_another: false } };
        let (note, source) = (folder.join(token(target)), token(source));
        let by_another = fs::read_to_string(&note).is_ok_and(|before| before != source);
        // Of another source until all of it is replaced: only then is it this one's.
        let kept = by_another || write(&folder, &note, &source).is_ok();
        Self { note: kept.then_some(note), by_another }
    }

    /// The directory is whole.
    pub(super) fn end(self) {
        if let Some(note) = self.note
            && let Err(error) = fs::remove_file(&note)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!("{}: cannot be removed: {error}", note.display());
        }
    }
}

fn write(folder: &FsPath, note: &FsPath, source: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(note, source)
}

/// What stands for a place: URLs can be long, and nobody is to read them.
pub(super) fn token(place: &str) -> String {
    Sha256::digest(place.as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_source_has_begun_is_known_until_it_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let begin = |source| Begun::within(Some(dir.path().join("d")), "s3://b/x.zarr", source);
        assert!(!begin("a").by_another);
        assert!(!begin("a").by_another, "it goes on with its own");
        assert!(begin("b").by_another);
        assert!(
            begin("b").by_another,
            "what was cut off again is half of the one, half of the other"
        );
        begin("b").end();
        let own = begin("b");
        assert!(!own.by_another);
        own.end();
        assert!(!begin("a").by_another);
        assert!(!Begun::within(None, "t", "a").by_another);
    }
}
