//! Keys and file names.

use std::io;
use std::path::PathBuf;

use object_store::path::{Error as PathError, Path};
use object_store::{Error, Result};

use super::Root;

pub(super) const STORE: &str = "LocalFileSystem";

impl Root {
    /// The file of a key. Keys are kept as they are: `%20` is three characters on the disk too.
    pub(super) fn file_path(&self, location: &Path) -> Result<PathBuf> {
        if location.as_ref().split('/').any(is_staged) {
            let path = location.to_string().into();
            return Err(Error::InvalidPath { source: PathError::InvalidPath { path } });
        }
        Ok(self.dir_path(location))
    }

    /// The directory of a prefix.
    pub(super) fn dir_path(&self, prefix: &Path) -> PathBuf {
        let mut path = self.path.clone();
        path.extend(prefix.as_ref().split('/').filter(|segment| !segment.is_empty()));
        path
    }
}

/// Ends the names of files that a transfer has not completed, and of the journals beside them.
pub(crate) const PARTIAL: &str = ".holdall-partial";
pub(crate) const JOURNAL: &str = ".holdall-journal";

/// Ends the names of files that are being written.
const STAGED: &str = ".holdall-staged";

/// Whether a name is that of a file on its way to another name.
pub(super) fn is_staged(name: &str) -> bool {
    name.starts_with('.') && [STAGED, PARTIAL, JOURNAL].iter().any(|end| name.ends_with(end))
}

/// A new name for a file that is being written. That it says nothing of the final name keeps it short.
pub(super) fn staged_name() -> String {
    format!(".{}-{:016x}{STAGED}", std::process::id(), fastrand::u64(..))
}

/// Whether [`staged_name`] made a name.
pub(super) fn is_staged_write(name: &str) -> bool {
    let inside = name.strip_prefix('.').and_then(|name| name.strip_suffix(STAGED));
    inside.and_then(|inside| inside.split_once('-')).is_some_and(|(process, number)| {
        process.parse::<u32>().is_ok()
            && number.len() == 16
            && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// An I/O error in the vocabulary of stores.
pub(super) fn io_error(what: &str, path: &std::path::Path, error: io::Error) -> Error {
    let shown = path.display().to_string();
    match error.kind() {
        // A file where a directory would have to be: nothing can be below it.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::NotFound { path: shown, source: error.into() }
        }
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path: shown, source: error.into() },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::PermissionDenied { path: shown, source: error.into() }
        }
        kind => Error::Generic {
            store: STORE,
            source: Box::new(io::Error::new(kind, format!("cannot {what} {shown}: {error}"))),
        },
    }
}

/// Where a file or directory is once links are followed, as far as it exists; absolute. None where nobody can tell.
pub fn real_path(path: &std::path::Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let (above, real) =
        path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)))?;
    Some(real.join(path.strip_prefix(above).ok()?).components().collect())
}
