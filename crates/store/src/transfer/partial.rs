//! A file on its way to its name.
//!
//! The bytes go to a hidden neighbour of the target, which takes its name in one step when it is whole. The name of the
//! neighbour follows from that of the target, so that the next process finds what a killed one has left: it goes on
//! with it or removes it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::{Attributes, CopyMode};
use rustix::fs::{FallocateFlags, fallocate, fstatfs};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::fetch::Grid;
use super::journal::{DownloadEntry, DownloadHead, Journal, open_left, open_locked};
use crate::checksum::{Algorithm, PartCrc};
use crate::error::{Error, ErrorKind, Result};
use crate::local;

/// Longest name of a file on the file systems in use.
const NAME_BYTES: usize = 255;

/// How long a neighbour that is locked is waited for: somebody who was told to end, and has not come to it yet, leaves what can
/// be gone on with.
const PATIENCE: Duration = Duration::from_millis(200);

/// How file systems in memory name themselves (`linux/magic.h`).
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// How the file takes its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Publication {
    pub(super) mode: CopyMode,
    pub(super) fsync: bool,
    /// Kept in extended attributes, when the target is a store's.
    pub(super) attributes: Attributes,
    /// Whether a file system that cannot keep them is an error.
    pub(super) needs_attributes: bool,
}

/// A file that is being filled. Dropped before it is published it disappears, unless it is kept.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) file: Arc<File>,
    path: PathBuf,
    target: PathBuf,
    journal: Option<Journal>,
    keep: bool,
    ended: bool,
}

impl Partial {
    /// Opens the neighbour of `target`, locked against other processes.
    pub(super) fn open(target: &Path) -> Result<Self> {
        let failed = |e: &io::Error| match e.kind() {
            io::ErrorKind::InvalidInput => {
                let shown = target.display().to_string();
                Error::new(ErrorKind::InvalidArgument, "download", shown, e.to_string())
            }
            _ => io_error("download", "create", target, e),
        };
        let opened = open_neighbour(target).or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            std::fs::create_dir_all(target.parent().unwrap_or(Path::new("/")))?;
            open_neighbour(target)
        });
        let (file, path) = opened.map_err(|e| failed(&e))?;
        let (file, target) = (Arc::new(file), target.to_owned());
        Ok(Self { file, path, target, journal: None, keep: false, ended: false })
    }

    fn journal_path(&self) -> PathBuf {
        journal_of(&self.path)
    }

    /// Makes room for the parts of `grid`, keeps a journal of them, and tells which of them an earlier process has left
    /// complete. Only with `resume` anything is taken over.
    pub(super) fn prepare(
        &mut self,
        head: &DownloadHead,
        grid: &Grid,
        resume: bool,
    ) -> Result<Vec<bool>> {
        let path = self.journal_path();
        let mut done = vec![false; grid.len()];
        let left: Option<(DownloadHead, Vec<DownloadEntry>)> = Journal::read(&path);
        let left = left.filter(|(found, _)| resume && found == head);
        let journal = match left {
            Some((_, parts)) => {
                for (index, crc) in parts {
                    if index < done.len() && self.has(grid, index, crc) {
                        done[index] = true;
                    }
                }
                match Journal::resume(path.clone()) {
                    // It was that of another process, which has just put its file in place and forgotten it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        Journal::create(path, head)
                    }
                    journal => journal,
                }
            }
            None => {
                self.file
                    .set_len(0)
                    .map_err(|e| io_error("download", "truncate", &self.path, &e))?;
                Journal::create(path, head)
            }
        };
        self.journal = Some(
            journal.map_err(|e| io_error("download", "keep a journal for", &self.target, &e))?,
        );
        self.keep = resume;
        self.allocate(head.size)?;
        Ok(done)
    }

    /// Reserves the space, so that a full disk shows before anything has moved.
    fn allocate(&self, size: u64) -> Result<()> {
        if fstatfs(&*self.file).is_ok_and(|fs| fs.f_type as u64 == TMPFS_MAGIC) {
            // There it means to write zeros, which takes as long as to write the content.
            return self
                .file
                .set_len(size)
                .map_err(|e| io_error("download", "extend", &self.path, &e));
        }
        match fallocate(&*self.file, FallocateFlags::empty(), 0, size) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                self.file.set_len(size).map_err(|e| io_error("download", "extend", &self.path, &e))
            }
            Err(e) => Err(io_error("download", "make room for", &self.target, &e.into())),
        }
    }

    /// Whether a part is in the file as the journal says: after a loss of power it may not be.
    fn has(&self, grid: &Grid, index: usize, expected: u32) -> bool {
        let range = grid.part(index);
        let Some(mut crc) = PartCrc::new(Algorithm::Crc32c) else { return false };
        let mut buffer = vec![0; 1024 * 1024];
        let mut at = range.start;
        while at < range.end {
            let length = (range.end - at).min(buffer.len() as u64) as usize;
            if self.file.read_exact_at(&mut buffer[..length], at).is_err() {
                return false;
            }
            crc.update(&buffer[..length]);
            at += length as u64;
        }
        crc.value() as u32 == expected
    }

    /// Notes a part that is in its place.
    pub(super) fn completed(&self, index: usize, crc: u32) -> Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let noted = journal.append(&(index, crc));
        noted.map_err(|e| io_error("download", "keep a journal for", &self.target, &e))
    }

    /// Forgets what was kept for later: it cannot be of use.
    pub(super) fn give_up(&mut self) {
        self.keep = false;
    }

    /// Writes the whole content of a small file.
    pub(super) fn fill(&self, pieces: &[Bytes]) -> Result<()> {
        let metadata =
            self.file.metadata().map_err(|e| io_error("download", "stat", &self.path, &e))?;
        if metadata.len() > 0 {
            // What an earlier process has left was another, larger version.
            drop(std::fs::remove_file(self.journal_path()));
            self.file.set_len(0).map_err(|e| io_error("download", "truncate", &self.path, &e))?;
        }
        let mut at = 0;
        for piece in pieces {
            self.file
                .write_all_at(piece, at)
                .map_err(|e| io_error("download", "write", &self.target, &e))?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when there is such a file and the mode is to create one.
    pub(super) fn publish(mut self, publication: &Publication) -> Result<String> {
        let failed = |e: object_store::Error| {
            Error::from_store("download", self.target.display().to_string(), e)
        };
        match local::write_attributes(&self.file, &publication.attributes) {
            Err(object_store::Error::NotSupported { .. }) if !publication.needs_attributes => {}
            written => written.map_err(failed)?,
        }
        if publication.fsync {
            self.file.sync_all().map_err(|e| io_error("download", "sync", &self.path, &e))?;
        }
        match publication.mode {
            CopyMode::Overwrite => std::fs::rename(&self.path, &self.target)
                .map_err(|e| io_error("download", "replace", &self.target, &e))?,
            CopyMode::Create => local::rename_new(&self.path, &self.target).map_err(failed)?,
        }
        self.ended = true;
        if let Some(journal) = self.journal.take() {
            journal.remove();
        }
        if publication.fsync {
            local::sync_parent(&self.target).map_err(failed)?;
        }
        let metadata =
            self.file.metadata().map_err(|e| io_error("download", "stat", &self.target, &e))?;
        Ok(local::e_tag(&metadata))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.ended || self.keep {
            return;
        }
        if let Some(journal) = self.journal.take() {
            journal.remove();
        }
        drop(std::fs::remove_file(&self.path));
    }
}

/// Opens the hidden neighbour in which a file is made before it takes the name `target`, and the neighbour's path. It is
/// locked against other processes, and holds what a killed one left there.
///
/// # Errors
/// [`NotFound`](io::ErrorKind::NotFound) when there is no such directory, [`InvalidInput`](io::ErrorKind::InvalidInput) when
/// something is there that a file must not replace, and what else the file system says.
pub fn open_neighbour(target: &Path) -> io::Result<(File, PathBuf)> {
    let name = target.file_name();
    let name =
        name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    local::check_replaceable(target)?;
    // Another process that makes the same file has a neighbour of its own: the last one that ends wins.
    for attempt in 0.. {
        let path = target.with_file_name(neighbour(name, attempt, local::PARTIAL));
        let patience = if attempt == 0 { PATIENCE } else { Duration::ZERO };
        let begun = Instant::now();
        loop {
            if let Some(file) = open_locked(&path)? {
                return Ok((file, path));
            }
            if begun.elapsed() >= patience {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    unreachable!("the loop has no end of its own")
}

/// Removes what killed processes have left of a file that another one has made: neighbours that nobody holds, and their
/// journals.
pub fn clear_neighbours(target: &Path) {
    let Some(name) = target.file_name() else { return };
    for attempt in 0.. {
        let path = target.with_file_name(neighbour(name, attempt, local::PARTIAL));
        match open_left(&path) {
            Ok(Some(_lock)) => {
                // They are hidden, and the next one tries again.
                drop(std::fs::remove_file(journal_of(&path)));
                drop(std::fs::remove_file(&path));
            }
            Ok(None) => {}
            // Whoever had the first place may be done, and the second not.
            Err(_) if attempt == 0 => {}
            Err(_) => return,
        }
    }
}

fn journal_of(neighbour: &Path) -> PathBuf {
    neighbour.with_extension(local::JOURNAL.trim_start_matches('.'))
}

/// The name of a neighbour: hidden, tied to the target, and short enough.
fn neighbour(name: &OsStr, attempt: u32, extension: &str) -> String {
    let hash = Sha256::digest(name.as_encoded_bytes());
    let hash: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let attempt = if attempt == 0 { String::new() } else { format!("-{attempt}") };
    let name = name.to_string_lossy();
    let room = NAME_BYTES - (2 + hash.len() + attempt.len() + extension.len());
    let short: String = name
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= room)
        .map(|(_, c)| c)
        .collect();
    format!(".{short}.{hash}{attempt}{extension}")
}

pub(super) fn io_error(
    operation: &'static str,
    what: &str,
    path: &Path,
    error: &io::Error,
) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::PermissionDenied
        }
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        _ => ErrorKind::Io,
    };
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull => "; make room and try again",
        _ => "",
    };
    let detail = format!("cannot {what} it: {error}{remedy}");
    Error::new(kind, operation, path.display().to_string(), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64) -> DownloadHead {
        DownloadHead {
            source: "s3://b/k".to_owned(),
            size,
            e_tag: Some("a".to_owned()),
            modified: String::new(),
            part_bytes: 4,
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_was_complete_is_taken_over_and_what_is_torn_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (target, grid) = (dir.path().join("t"), Grid::new(0..10, 4));
        let crc = |data: &[u8]| {
            let mut crc = PartCrc::new(Algorithm::Crc32c).unwrap();
            crc.update(data);
            crc.value() as u32
        };
        let mut first = Partial::open(&target).unwrap();
        assert_eq!(first.prepare(&head(10), &grid, true).unwrap(), [false; 3]);
        first.file.write_all_at(b"abcdefgh", 0).unwrap();
        first.completed(0, crc(b"abcd")).unwrap();
        first.completed(1, crc(b"EFGH")).unwrap();
        drop(first);
        let mut second = Partial::open(&target).unwrap();
        assert_eq!(second.prepare(&head(10), &grid, true).unwrap(), [true, false, false]);
        drop(second);
        let mut other = Partial::open(&target).unwrap();
        let newer = DownloadHead { e_tag: Some("b".to_owned()), ..head(10) };
        assert_eq!(other.prepare(&newer, &grid, true).unwrap(), [false; 3]);
        let publication = Publication { fsync: true, ..Publication::default() };
        other.publish(&publication).unwrap();
        assert_eq!(names(dir.path()), ["t"]);
    }

    #[test]
    fn what_somebody_leaves_who_is_about_to_end_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("t");
        let (first, path) = open_neighbour(&target).unwrap();
        let ending = std::thread::spawn(move || {
            std::thread::sleep(PATIENCE / 10);
            drop(first);
        });
        assert_eq!(open_neighbour(&target).unwrap().1, path);
        ending.join().unwrap();
    }

    #[test]
    fn two_at_once_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("n".repeat(255));
        let first = Partial::open(&target).unwrap();
        let second = Partial::open(&target).unwrap();
        assert_ne!(first.path, second.path);
        first.fill(&[Bytes::from_static(b"1")]).unwrap();
        second.fill(&[Bytes::from_static(b"2")]).unwrap();
        let create = Publication { mode: CopyMode::Create, ..Publication::default() };
        first.publish(&create).unwrap();
        let error = second.publish(&create).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&target).unwrap(), b"1");
        assert_eq!(names(dir.path()).len(), 1);
    }
}
