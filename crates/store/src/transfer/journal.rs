//! What a transfer has achieved, on disk, so that another process can go on from there.
//!
//! A journal is a file of JSON lines: a head that says what is being transferred, then a line per part. A line that is
//! not whole is as good as absent. Whoever uses a journal holds a lock on it (or on the file it describes), which the
//! system releases when the process ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Journal {
    file: Mutex<File>,
    path: PathBuf,
}

impl Journal {
    /// What a journal holds; `None` when there is none, or not one of this kind.
    pub(super) fn read<H: DeserializeOwned, E: DeserializeOwned>(
        path: &Path,
    ) -> Option<(H, Vec<E>)> {
        let text = std::fs::read_to_string(path).ok()?;
        // What stands behind the last line break was cut off by the end of its process.
        let whole = text.rsplit_once('\n')?.0;
        let mut lines = whole.lines();
        let head = serde_json::from_str(lines.next()?).ok()?;
        let entries = lines.map_while(|line| serde_json::from_str(line).ok()).collect();
        Some((head, entries))
    }

    /// Begins a journal in place of whatever was there.
    pub(super) fn create(path: PathBuf, head: &impl Serialize) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        Self::begin(file, path.clone(), head).inspect_err(|_| {
            // The disk may be full. What cannot be removed either is begun anew by the next run.
            let _ = std::fs::remove_file(path);
        })
    }

    /// Begins a journal in a file that is open.
    pub(super) fn begin(file: File, path: PathBuf, head: &impl Serialize) -> io::Result<Self> {
        let journal = Self { file: Mutex::new(file), path };
        journal.restart(head)?;
        Ok(journal)
    }

    /// Forgets all but this.
    pub(super) fn restart(&self, head: &impl Serialize) -> io::Result<()> {
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.set_len(0)?;
            file.rewind()?;
        }
        self.append(head)
    }

    /// Goes on with a journal, whose torn last line is dropped.
    pub(super) fn resume(path: PathBuf) -> io::Result<Self> {
        Self::go_on(OpenOptions::new().write(true).open(&path)?, path)
    }

    /// Goes on with a journal in a file that is open.
    pub(super) fn go_on(mut file: File, path: PathBuf) -> io::Result<Self> {
        let text = std::fs::read(&path)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file: Mutex::new(file), path })
    }

    /// Adds a line.
    pub(super) fn append(&self, entry: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
    }

    /// The folder that it is kept in.
    pub(super) fn dir(&self) -> Option<&Path> {
        self.path.parent()
    }

    /// Ends it: the transfer needs it no more.
    pub(super) fn remove(self) {
        // A leftover is recognised by what it describes, and costs a few bytes until then.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Opens a file that no other process has, making it where needed; `None` when one has.
pub(super) fn open_locked(path: &Path) -> io::Result<Option<File>> {
    locked(path, File::options().read(true).write(true).create(true).truncate(false))
}

/// The same with a file that is there.
pub(super) fn open_left(path: &Path) -> io::Result<Option<File>> {
    locked(path, File::options().read(true).write(true))
}

fn locked(path: &Path, options: &OpenOptions) -> io::Result<Option<File>> {
    loop {
        let file = options.open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
        // The one before may have renamed or removed the file meanwhile: then this is not the one of that name.
        match std::fs::metadata(path) {
            Ok(now) if now.ino() == file.metadata()?.ino() => return Ok(Some(file)),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
}

/// A file in its directory that is being downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DownloadHead {
    pub(super) source: String,
    pub(super) size: u64,
    pub(super) e_tag: Option<String>,
    pub(super) modified: String,
    pub(super) part_bytes: u64,
}

/// A part of it that is in its place: index and CRC-32C.
pub(super) type DownloadEntry = (usize, u32);

/// An object that is being uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UploadHead {
    pub(super) target: String,
    /// What is uploaded, and which version of it.
    pub(super) source: String,
    pub(super) size: u64,
    pub(super) part_bytes: u64,
    /// The service's name for the upload; empty while it is being asked for.
    pub(super) upload: String,
    /// When it was asked for.
    pub(super) begun: DateTime<Utc>,
}

/// A part that the service has: index and the service's name for it.
pub(super) type UploadEntry = (usize, String);

/// The line behind all parts, once the service is asked to put them together.
pub(super) const COMPLETING: &str = "completing";

/// Ends the names of journals of uploads.
pub(super) const EXTENSION: &str = "journal";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_counts_as_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let journal = Journal::create(path.clone(), &"head").unwrap();
        journal.append(&(0, 7)).unwrap();
        journal.append(&(1, 8)).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"[2,").unwrap();
        let (head, parts): (String, Vec<DownloadEntry>) = Journal::read(&path).unwrap();
        assert_eq!((head.as_str(), parts.as_slice()), ("head", &[(0, 7), (1, 8)][..]));
        Journal::resume(path.clone()).unwrap().append(&(2, 9)).unwrap();
        let (_, parts): (String, Vec<DownloadEntry>) = Journal::read(&path).unwrap();
        assert_eq!(parts, [(0, 7), (1, 8), (2, 9)]);
    }
}
