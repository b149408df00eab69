//! A small local file, visible when it is whole and right.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path as FsPath, PathBuf};

use bytes::Bytes;
use holdall_store::transfer::open_neighbour;

use super::fetch::Wanted;
#[cfg(target_os = "linux")]
use super::unnamed;
use super::{wrong_checksum, wrong_size};
use crate::error::{Error, ErrorKind, Result};
use crate::multihash::{Algorithm, Hasher, Multihash};

/// Received bytes are handed to the file in batches of this many: few hops to another thread, little memory.
const BATCH_BYTES: usize = 256 << 10;

/// Where one small download goes.
pub(super) struct Sink {
    path: PathBuf,
    wanted: Wanted,
    pending: Vec<Bytes>,
    pending_bytes: usize,
    written: u64,
    /// The batch that is being written while the next is received.
    writing: Option<tokio::task::JoinHandle<io::Result<Box<Temporary>>>>,
}

/// Checksums that are computed on the way.
#[derive(Default)]
pub(super) struct Hashing(Vec<Hasher>);

impl Hashing {
    pub(super) fn new(wanted: &Wanted) -> Self {
        let mut algorithms: Vec<Algorithm> =
            wanted.checksum.iter().map(Multihash::algorithm).chain(wanted.compute).collect();
        algorithms.dedup();
        Self(algorithms.into_iter().map(Hasher::new).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        self.0.iter_mut().for_each(|hasher| hasher.update(data));
    }

    pub(super) fn finish(self) -> Vec<Multihash> {
        self.0.into_iter().map(Hasher::finish).collect()
    }
}

/// A file next to its place, removed when it does not get there.
struct Temporary {
    file: File,
    path: PathBuf,
    hashing: Hashing,
    keep: bool,
    done: bool,
}

impl Temporary {
    fn create(target: &FsPath, wanted: &Wanted) -> io::Result<Box<Self>> {
        let (file, path) = in_directory(target, wanted, || open_neighbour(target))?;
        // What a killed process left is no beginning of this file.
        file.set_len(0)?;
        let (hashing, keep) = (Hashing::new(wanted), wanted.keep_partial);
        Ok(Box::new(Self { file, path, hashing, keep, done: false }))
    }

    fn write(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        for piece in pieces {
            self.file.write_all(piece)?;
            self.hashing.update(piece);
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.done && !self.keep {
            // The name is nobody else's; a directory that went away takes the file along.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Sink {
    pub(super) fn new(path: &FsPath, wanted: &Wanted) -> Self {
        Self {
            path: path.to_owned(),
            wanted: wanted.clone(),
            pending: Vec::new(),
            pending_bytes: 0,
            written: 0,
            writing: None,
        }
    }

    /// Bytes taken so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Forgets everything that was taken.
    pub(super) async fn restart(&mut self) -> Result<()> {
        self.pending.clear();
        (self.pending_bytes, self.written) = (0, 0);
        if let Some(writing) = self.writing.take() {
            drop(writing.await);
        }
        Ok(())
    }

    /// Gives up. The first error is the one to report, so what goes wrong here is not said.
    pub(super) async fn abandon(mut self) {
        drop(self.restart().await);
    }

    /// Takes the next piece.
    pub(super) async fn write(&mut self, piece: Bytes) -> Result<()> {
        self.written += piece.len() as u64;
        self.pending_bytes += piece.len();
        self.pending.push(piece);
        if let Some(size) = self.wanted.size
            && self.written > size
        {
            return Err(wrong_size(&self.name(), self.written, size));
        }
        if self.pending_bytes < BATCH_BYTES {
            return Ok(());
        }
        let pieces = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let file = self.file().await?;
        let (path, wanted) = (self.path.clone(), self.wanted.clone());
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let mut file = file.map_or_else(|| Temporary::create(&path, &wanted), Ok)?;
            file.write(&pieces)?;
            Ok(file)
        }));
        Ok(())
    }

    /// The file once the batch before is written.
    async fn file(&mut self) -> Result<Option<Box<Temporary>>> {
        let Some(writing) = self.writing.take() else { return Ok(None) };
        joined(writing.await).map(Some).map_err(|e| local_error(&self.path, &self.wanted, &e))
    }

    fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Checks length and checksum and shows the whole under its name.
    pub(super) async fn publish(mut self) -> Result<(u64, Option<Multihash>)> {
        if let Some(expected) = self.wanted.size.filter(|expected| *expected != self.written) {
            let error = wrong_size(&self.name(), self.written, expected);
            self.abandon().await;
            return Err(error);
        }
        let file = self.file().await?;
        let pieces = std::mem::take(&mut self.pending);
        let is_small = file.is_none();
        let (path, wanted) = (self.path.clone(), self.wanted.clone());
        let write = move || {
            #[cfg(target_os = "linux")]
            if is_small
                && !(wanted.replaces || wanted.keep_partial)
                && let Some(done) = unnamed::write(&path, &pieces, &wanted)?
            {
                return Ok(done);
            }
            let mut file = file.map_or_else(|| Temporary::create(&path, &wanted), Ok)?;
            file.write(&pieces)?;
            let checked = checked(std::mem::take(&mut file.hashing), &path, &wanted);
            if checked.is_ok() {
                fs::rename(&file.path, &path)?;
                file.done = true;
            }
            Ok(checked)
        };
        // It takes longer to ask another thread than to write a file of one batch.
        let done = match is_small {
            true => write(),
            false => joined(tokio::task::spawn_blocking(write).await),
        };
        let hash = done.map_err(|e| local_error(&self.path, &self.wanted, &e))??;
        Ok((self.written, hash))
    }
}

/// What `open` opens in the directory of `target`, which is made where it has to be.
pub(super) fn in_directory<T>(
    target: &FsPath,
    wanted: &Wanted,
    open: impl Fn() -> io::Result<T>,
) -> io::Result<T> {
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound && wanted.make_directory => {
            fs::create_dir_all(target.parent().unwrap_or(FsPath::new(".")))?;
            open()
        }
        other => other,
    }
}

/// The checksum of what was written, if it is the expected one.
pub(super) fn checked(
    hashing: Hashing,
    path: &FsPath,
    wanted: &Wanted,
) -> Result<Option<Multihash>> {
    let hashes = hashing.finish();
    match mismatch(&hashes, wanted) {
        Some((actual, expected)) => Err(wrong_checksum(&path.to_string_lossy(), actual, expected)),
        None => Ok(wanted_hash(hashes, wanted)),
    }
}

pub(super) fn local_error(path: &FsPath, wanted: &Wanted, error: &io::Error) -> Error {
    let target = path.to_string_lossy();
    if error.kind() == io::ErrorKind::NotFound && !wanted.make_directory {
        let parent = path.parent().unwrap_or(FsPath::new("."));
        let detail = format!("output directory does not exist: {}", parent.display());
        return Error::new(ErrorKind::Directory, "write", target, detail);
    }
    let kind = match error.kind() {
        io::ErrorKind::NotFound => holdall_store::ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => holdall_store::ErrorKind::PermissionDenied,
        _ => holdall_store::ErrorKind::Io,
    };
    Error::from(holdall_store::Error::new(kind, "write", target, error.to_string()))
        .with_kind(ErrorKind::Directory)
}

/// The computed and the expected checksum, when they differ.
pub(super) fn mismatch<'a>(
    hashes: &'a [Multihash],
    wanted: &'a Wanted,
) -> Option<(&'a Multihash, &'a Multihash)> {
    let expected = wanted.checksum.as_ref()?;
    let actual = hashes.iter().find(|hash| hash.algorithm() == expected.algorithm())?;
    (!expected.matches(actual)).then_some((actual, expected))
}

/// The checksum that was asked for, or else the one that was compared.
pub(super) fn wanted_hash(hashes: Vec<Multihash>, wanted: &Wanted) -> Option<Multihash> {
    hashes.into_iter().find(|hash| wanted.compute.is_none_or(|a| a == hash.algorithm()))
}

fn joined<T>(result: Result<io::Result<T>, tokio::task::JoinError>) -> io::Result<T> {
    result.unwrap_or_else(|error| Err(io::Error::other(error)))
}
