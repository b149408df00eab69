//! Blocks and descriptions as files.
//!
//! A file has a head (a mark, what it is, its length, a checksum) and a body. It is written under a temporary name and
//! renamed, so that its name always stands for a whole file; a crash of the machine can still tear it, which the checksum
//! tells. Files are read and written as a whole, on the threads for blocking work.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;

use super::known::Digest;
use crate::error::{Error, ErrorKind, Result};

const MARK: &[u8; 8] = b"holdall1";

/// Mark, digest, number, length, checksum.
const HEAD_BYTES: usize = 8 + 32 + 8 + 8 + 8;

const TEMPORARY: &str = ".tmp-";

/// A temporary file that nobody finished for so long belongs to a process that is gone.
const ABANDONED: Duration = Duration::from_secs(15 * 60);

/// After a failed write the disk is left alone for a while.
const PAUSE: Duration = Duration::from_secs(30);

/// The time of last use is written at most so often.
const TOUCH: Duration = Duration::from_secs(60);

/// The number of the description of an object, which no block has.
pub(super) const DESCRIPTION: u64 = u64::MAX;

/// What came of looking for a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Whole(Bytes),
    Missing,
    /// It was not what its name says, and is gone.
    Damaged,
}

/// A folder of blocks.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    limit: u64,
    /// Bytes that this process wrote since it last looked at the whole folder.
    written: AtomicU64,
    looked: AtomicBool,
    paused: Mutex<Option<Instant>>,
}

impl Disk {
    /// Uses `root`, which is made when it is missing.
    pub(super) fn open(root: &Path, limit: u64) -> Result<Self> {
        let root = root.join("v1");
        make_private(&root).map_err(|e| {
            let target = root.display().to_string();
            let detail = format!("the folder of the cache cannot be made: {e}");
            Error::new(ErrorKind::Io, "cache", target, detail)
        })?;
        Ok(Self {
            root,
            limit,
            written: AtomicU64::new(0),
            looked: AtomicBool::new(false),
            paused: Mutex::default(),
        })
    }

    fn path(&self, digest: &Digest, number: u64) -> PathBuf {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = match number {
            DESCRIPTION => format!("{hex}.meta"),
            number => format!("{hex}.{number}"),
        };
        self.root.join(&hex[..2]).join(name)
    }

    /// Reads a file. Blocks.
    pub(super) fn read(&self, digest: &Digest, number: u64) -> Found {
        let path = self.path(digest, number);
        let Ok(mut file) = File::open(&path) else { return Found::Missing };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let mut data = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        if file.read_to_end(&mut data).is_err() {
            return Found::Missing;
        }
        match body(Bytes::from(data), digest, number) {
            Some(body) => {
                touch(&file);
                Found::Whole(body)
            }
            None => {
                drop(fs::remove_file(path));
                Found::Damaged
            }
        }
    }

    /// Writes a file; what cannot be written is not kept. Blocks.
    pub(super) fn write(&self, digest: &Digest, number: u64, body: &[u8]) {
        if self.is_paused() {
            return;
        }
        let path = self.path(digest, number);
        match self.publish(&path, &head(digest, number, body), body) {
            Ok(()) => self.count((HEAD_BYTES + body.len()) as u64),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "the cache cannot write; it goes on without the disk");
                *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        }
    }

    pub(super) fn remove(&self, digest: &Digest, number: u64) {
        drop(fs::remove_file(self.path(digest, number)));
    }

    fn is_paused(&self) -> bool {
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.is_some_and(|since| since.elapsed() < PAUSE)
    }

    fn publish(&self, path: &Path, head: &[u8], body: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.root);
        let name = format!("{TEMPORARY}{}-{:016x}", std::process::id(), fastrand::u64(..));
        let temporary = folder.join(name);
        let written = create(&temporary).and_then(|mut file| {
            file.write_all(head)?;
            file.write_all(body)?;
            drop(file);
            fs::rename(&temporary, path)
        });
        if written.is_err() {
            drop(fs::remove_file(&temporary));
        }
        written
    }

    /// Whether this process has not looked at the whole folder yet; whoever is told so looks.
    pub(super) fn is_first_use(&self) -> bool {
        !self.looked.swap(true, Ordering::Relaxed)
    }

    /// Looks at the whole folder at the first write and whenever this process may have filled a twentieth of it.
    fn count(&self, bytes: u64) {
        let written = self.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if (self.is_first_use() || written > self.limit / 20) && self.evict() {
            self.written.store(0, Ordering::Relaxed);
        }
    }

    /// Removes what was not used for the longest time, until a tenth of the room is free. Says whether it did, rather than
    /// another process that is at it.
    pub(super) fn evict(&self) -> bool {
        // One process at a time is enough; the lock goes with its process.
        let Ok(lock) = create_or_open(&self.root.join(".evict")) else { return false };
        if lock.try_lock().is_err() {
            return false;
        }
        let mut files = Vec::new();
        let mut total = 0;
        for folder in entries(&self.root).filter(|path| path.is_dir()) {
            for path in entries(&folder) {
                let Ok(metadata) = path.symlink_metadata() else { continue };
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if name.starts_with(TEMPORARY) {
                    if used.elapsed().is_ok_and(|age| age > ABANDONED) || is_orphan(name) {
                        drop(fs::remove_file(&path));
                    }
                    continue;
                }
                total += metadata.len();
                files.push((used, metadata.len(), path));
            }
        }
        if total <= self.limit {
            return true;
        }
        files.sort_unstable();
        for (_, length, path) in files {
            if total <= self.limit / 10 * 9 {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total -= length;
            }
        }
        true
    }
}

fn head(digest: &Digest, number: u64, body: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(MARK);
    head.extend_from_slice(digest);
    head.extend_from_slice(&number.to_le_bytes());
    head.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let sum = checksum(&head, body);
    head.extend_from_slice(&sum.to_le_bytes());
    head
}

fn checksum(head: &[u8], body: &[u8]) -> u64 {
    let mut digest = crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(head);
    digest.update(body);
    digest.finalize()
}

/// The body of a file, when it is what it should be.
fn body(data: Bytes, digest: &Digest, number: u64) -> Option<Bytes> {
    let body = data.get(HEAD_BYTES..)?;
    (data[..HEAD_BYTES] == head(digest, number, body)[..]).then(|| data.slice(HEAD_BYTES..))
}

fn touch(file: &File) {
    let used = file.metadata().and_then(|metadata| metadata.modified());
    if used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age > TOUCH)) {
        drop(file.set_modified(SystemTime::now()));
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Makes a file in a folder that may not exist yet.
fn create(path: &Path) -> io::Result<File> {
    match File::create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), make_private)?;
            File::create_new(path)
        }
        other => other,
    }
}

fn create_or_open(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// What was read with one user's credentials is not for others.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Whether the process that a temporary file is named after is gone. Where processes of several machines or containers share
/// a folder this can be wrong, and then the block is not kept.
fn is_orphan(name: &str) -> bool {
    let process = name.strip_prefix(TEMPORARY).and_then(|rest| rest.split('-').next());
    let Some(process) = process.and_then(|text| text.parse::<i32>().ok()) else { return true };
    #[cfg(unix)]
    {
        let process = rustix::process::Pid::from_raw(process);
        process.is_none_or(|process| {
            rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH)
        })
    }
    #[cfg(not(unix))]
    {
        let _ = process;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Digest = [7; 32];

    fn disk(limit: u64) -> (tempfile::TempDir, Disk) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), limit).unwrap();
        (folder, disk)
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let (_folder, disk) = disk(1 << 20);
        assert_eq!(disk.read(&NAME, 3), Found::Missing);
        disk.write(&NAME, 3, b"content");
        assert_eq!(disk.read(&NAME, 3), Found::Whole(Bytes::from("content")));
        assert_eq!(disk.read(&NAME, 4), Found::Missing);
        disk.remove(&NAME, 3);
        assert_eq!(disk.read(&NAME, 3), Found::Missing);
    }

    #[test]
    fn whatever_is_changed_in_a_file_is_noticed() {
        let (_folder, disk) = disk(1 << 20);
        disk.write(&NAME, 0, b"some content");
        let path = disk.path(&NAME, 0);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).unwrap();
            assert_eq!(disk.read(&NAME, 0), Found::Damaged, "byte {at}");
            assert_eq!(disk.read(&NAME, 0), Found::Missing);
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(disk.read(&NAME, 0), Found::Damaged, "cut at {at}");
        }
        disk.write(&NAME, 0, b"some content");
        fs::copy(&path, disk.path(&NAME, 1)).unwrap();
        assert_eq!(disk.read(&NAME, 1), Found::Damaged, "another block");
    }

    #[test]
    fn the_folder_stays_within_its_limit_and_keeps_what_is_used() {
        let (_folder, disk) = disk(100_000);
        let size = || -> u64 {
            let files = entries(&disk.root)
                .filter(|p| p.is_dir())
                .flat_map(|p| entries(&p).collect::<Vec<_>>());
            files.map(|path| path.metadata().unwrap().len()).sum()
        };
        for number in 0..100 {
            disk.write(&NAME, number, &[1; 5000]);
            let old = SystemTime::now() - Duration::from_secs(3600 - number);
            if number != 5 {
                File::open(disk.path(&NAME, number)).unwrap().set_modified(old).unwrap();
            }
            assert!(size() < 112_000, "{}", size());
        }
        assert!(matches!(disk.read(&NAME, 5), Found::Whole(_)));
        assert_eq!(disk.read(&NAME, 6), Found::Missing);
    }

    #[test]
    fn what_a_killed_process_left_is_cleared_away() {
        let (_folder, disk) = disk(100_000);
        disk.write(&NAME, 0, b"content");
        let folder = disk.path(&NAME, 0).parent().unwrap().to_owned();
        let left = folder.join(format!("{TEMPORARY}{}-1", i32::MAX));
        let ours = folder.join(format!("{TEMPORARY}{}-1", std::process::id()));
        fs::write(&left, "half").unwrap();
        fs::write(&ours, "half").unwrap();
        disk.evict();
        assert!(!left.exists() && ours.exists());
    }
}
