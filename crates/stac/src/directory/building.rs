//! A local directory that gets its name when all of its files are there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path as FsPath, PathBuf};

use holdall_store::ErrorKind as StoreKind;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::begun::token;
use crate::error::{Error, ErrorKind, Result};

/// How the neighbour is called that becomes the directory, behind what stands for its source.
const PART: &str = "part";

/// How much of the token of the source that is.
const TOKEN: usize = 8;

/// How the neighbour is called that was the directory.
const OLD: &str = "old";

/// A directory on its way to its name. Several processes can build the same one: each has a neighbour of its own, and the
/// last that ends wins.
#[derive(Debug)]
pub(super) struct Building {
    path: PathBuf,
    /// Where its files are put until then.
    work: PathBuf,
    /// Keeps others from that place; `None` where it is the directory itself.
    lock: Option<File>,
}

impl Building {
    /// What is there is completed in its place, unless it is to be replaced; what a killed run from `source` has left is
    /// taken over.
    pub(super) fn begin(path: &FsPath, source: &str, overwrite: bool) -> Result<Self> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if path.is_dir() && !overwrite {
            return Ok(Self { work: path.clone(), path, lock: None });
        }
        // What was begun from another source is none of this one's.
        let ending = format!("{}.{PART}", &token(source)[..TOKEN]);
        let mut attempt = 0;
        loop {
            let work = neighbour(&path, attempt, &ending);
            match claim(&work) {
                Ok(Some(lock)) => return Ok(Self { path, work, lock: Some(lock) }),
                Ok(None) => attempt += 1,
                Err(error) => return Err(failed(&path, &error)),
            }
        }
    }

    /// Where the files are to be put.
    pub(super) fn work(&self) -> &FsPath {
        &self.work
    }

    /// Whether nobody else knows of the files.
    pub(super) fn is_own(&self) -> bool {
        self.lock.is_some()
    }

    /// Gives the directory its name.
    pub(super) async fn publish(self) -> Result<()> {
        if !self.is_own() {
            return Ok(());
        }
        let path = self.path.clone();
        let named = tokio::task::spawn_blocking(move || {
            self.take_name()?;
            self.clear();
            Ok(())
        });
        let named = named.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        named.map_err(|error| failed(&path, &error))
    }

    fn take_name(&self) -> io::Result<()> {
        loop {
            match rename(&self.work, &self.path, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                Err(error) if has_no_flags(error) => return self.replace_in_two_steps(),
                renamed => return Ok(renamed?),
            }
            let old = match File::open(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            if !old.metadata()?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            // It is about to have our name, where another process would begin to build.
            if let Err(error) = old.lock()
                && error.kind() != io::ErrorKind::Unsupported
            {
                tracing::debug!("{}: cannot be locked: {error}", self.path.display());
            }
            if !is(&old, &self.path)? {
                continue;
            }
            match rename(&self.work, &self.path, RenameFlags::EXCHANGE) {
                Err(Errno::NOENT) => {}
                Err(error) if has_no_flags(error) => return self.replace_in_two_steps(),
                Err(error) => return Err(error.into()),
                Ok(()) => return self.bury(&self.work),
            }
        }
    }

    /// Where names cannot be exchanged, there is no directory for a moment.
    fn replace_in_two_steps(&self) -> io::Result<()> {
        if !self.path.is_dir() {
            return fs::rename(&self.work, &self.path);
        }
        let old = neighbour(&self.path, 0, OLD);
        remove(&old)?;
        fs::rename(&self.path, &old)?;
        fs::rename(&self.work, &self.path)?;
        remove(&old)
    }

    /// Removes what was the directory, under a name under which no run takes it for its own work if this one is killed.
    fn bury(&self, old: &FsPath) -> io::Result<()> {
        let mut attempt = 0;
        loop {
            let grave = neighbour(&self.path, attempt, OLD);
            match rename(old, &grave, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => attempt += 1,
                renamed => {
                    renamed?;
                    return remove(&grave);
                }
            }
        }
    }

    /// Removes what killed runs have left: it is of no use any more.
    fn clear(&self) {
        for left in neighbours(&self.path) {
            if let Err(error) = clear(&left)
                && error.kind() != io::ErrorKind::NotFound
            {
                // It is hidden, and the directory is whole.
                tracing::warn!("{}: cannot be removed: {error}", left.display());
            }
        }
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if self.is_own() {
            // Only what is empty can be removed so.
            drop(fs::remove_dir(&self.work));
        }
    }
}

/// Makes a directory and locks it against other processes; `None` if another one has it.
fn claim(dir: &FsPath) -> io::Result<Option<File>> {
    loop {
        fs::create_dir_all(dir)?;
        let lock = match File::open(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Some file systems of networks cannot lock directories.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        // The one before may have given it its name meanwhile.
        if is(&lock, dir)? {
            return Ok(Some(lock));
        }
    }
}

/// Removes a directory unless somebody is at work there.
fn clear(dir: &FsPath) -> io::Result<()> {
    let lock = File::open(dir)?;
    match lock.try_lock() {
        Ok(()) if is(&lock, dir)? => fs::remove_dir_all(dir),
        _ => Ok(()),
    }
}

/// Whether an open directory is the one of this name.
fn is(open: &File, path: &FsPath) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(now) => Ok(now.ino() == open.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn rename(from: &FsPath, to: &FsPath, flags: RenameFlags) -> std::result::Result<(), Errno> {
    renameat_with(CWD, from, CWD, to, flags)
}

/// Whether the file system can only rename.
fn has_no_flags(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}

fn remove(dir: &FsPath) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn neighbour(path: &FsPath, attempt: u32, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let attempt = if attempt == 0 { String::new() } else { format!("-{attempt}") };
    path.with_file_name(format!(".{name}{attempt}.{ending}"))
}

/// All neighbours of a path that runs have made.
fn neighbours(path: &FsPath) -> Vec<PathBuf> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let begin = format!(".{}", name.to_string_lossy());
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_one = |entry: &fs::DirEntry| {
        let entry = entry.file_name();
        entry.to_str().and_then(|entry| entry.strip_prefix(&begin)).is_some_and(is_ending)
    };
    entries.filter(is_one).map(|entry| entry.path()).collect()
}

/// Whether this is what [`neighbour`] puts behind a name: `-1.0123abcd.part`, `.old`.
fn is_ending(rest: &str) -> bool {
    let rest = rest
        .strip_prefix('-')
        .map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let Some(rest) = rest.strip_prefix('.') else { return false };
    let is_token = |text: &str| text.len() == TOKEN && text.bytes().all(|b| b.is_ascii_hexdigit());
    rest == OLD
        || rest.strip_suffix(PART).and_then(|rest| rest.strip_suffix('.')).is_some_and(is_token)
}

fn failed(path: &FsPath, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => StoreKind::PermissionDenied,
        _ => StoreKind::Io,
    };
    let error = holdall_store::Error::new(kind, "write", path.to_string_lossy(), error.to_string());
    Error::from(error).with_kind(ErrorKind::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &FsPath) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The neighbour of `x.zarr` for the source `s`.
    fn part(attempt: &str) -> String {
        format!(".x.zarr{attempt}.{}.part", &token("s")[..TOKEN])
    }

    fn write(building: &Building, name: &str) {
        fs::write(building.work().join(name), name).unwrap();
    }

    #[tokio::test]
    async fn two_at_once_do_not_meet_and_the_last_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.zarr");
        let (first, second) = (
            Building::begin(&path, "s", false).unwrap(),
            Building::begin(&path, "s", false).unwrap(),
        );
        assert_ne!(first.work(), second.work());
        write(&first, "a");
        write(&second, "b");
        first.publish().await.unwrap();
        assert_eq!(names(&path), ["a"]);
        assert_eq!(names(dir.path()), [part("-1"), "x.zarr".to_owned()]);
        // Whoever comes now completes what is there, or builds a third.
        assert!(!Building::begin(&path, "s", false).unwrap().is_own());
        let third = Building::begin(&path, "s", true).unwrap();
        write(&third, "c");
        second.publish().await.unwrap();
        assert_eq!(names(&path), ["b"]);
        third.publish().await.unwrap();
        assert_eq!(names(&path), ["c"]);
        assert_eq!(names(dir.path()), ["x.zarr"]);
    }

    #[tokio::test]
    async fn what_killed_runs_left_is_taken_over_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.zarr");
        let other = ".x.zarr.0123abcd.part/d".to_owned();
        let own = [part("") + "/a", part("-1") + "/b", ".x.zarr.old/c".to_owned(), other];
        let similar = [".x.zarr.part/e", ".x.zarr2.old/f"].map(str::to_owned);
        for left in own.into_iter().chain(similar) {
            let left = dir.path().join(left);
            fs::create_dir_all(left.parent().unwrap()).unwrap();
            fs::write(left, "left").unwrap();
        }
        let building = Building::begin(&path, "s", false).unwrap();
        building.publish().await.unwrap();
        assert_eq!(names(&path), ["a"]);
        assert_eq!(names(dir.path()), [".x.zarr.part", ".x.zarr2.old", "x.zarr"]);
    }

    #[test]
    fn nothing_empty_stays() {
        let dir = tempfile::tempdir().unwrap();
        drop(Building::begin(&dir.path().join("x.zarr"), "s", false).unwrap());
        assert!(names(dir.path()).is_empty());
    }

    #[tokio::test]
    async fn a_file_of_the_name_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.zarr");
        fs::write(&path, "file").unwrap();
        let error = Building::begin(&path, "s", false).unwrap().publish().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Directory);
        assert_eq!(fs::read_to_string(&path).unwrap(), "file");
    }
}
