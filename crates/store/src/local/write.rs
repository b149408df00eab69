//! Writing: staged, then published under the final name in one step.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use object_store::path::Path;
use object_store::{CopyMode, Error, PutMode, PutOptions, PutPayload, PutResult, Result};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use super::paths::{STORE, io_error, staged_name};
use super::read::e_tag;
use super::{Root, attributes};
use crate::memory::tags_of;

/// How a staged file takes its final name.
pub(super) enum Publish {
    Replace,
    Create,
    Update(Option<String>),
}

impl From<PutMode> for Publish {
    fn from(mode: PutMode) -> Self {
        match mode {
            PutMode::Overwrite => Self::Replace,
            PutMode::Create => Self::Create,
            PutMode::Update(version) => Self::Update(version.e_tag),
        }
    }
}

impl From<CopyMode> for Publish {
    fn from(mode: CopyMode) -> Self {
        match mode {
            CopyMode::Overwrite => Self::Replace,
            CopyMode::Create => Self::Create,
        }
    }
}

/// A file that is being written; removed when it is dropped before it was published.
pub(super) struct Staged {
    pub(super) file: File,
    path: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Staged {
    pub(super) fn new(target: PathBuf) -> Result<Self> {
        check_target(&target)?;
        let parent = target.parent().unwrap_or(FilePath::new("/")).to_owned();
        let mut made_parent = false;
        loop {
            let path = target.with_file_name(staged_name());
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    // Tells `remove_if_stale` that there is somebody who writes; not all file systems have locks.
                    let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
                    return Ok(Self { file, path, target, published: false });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound && !made_parent => {
                    std::fs::create_dir_all(&parent).map_err(|e| io_error("make", &parent, e))?;
                    made_parent = true;
                }
                Err(e) => return Err(io_error("create", &path, e)),
            }
        }
    }

    pub(super) fn write_payload(&self, payload: &PutPayload, mut at: u64) -> Result<()> {
        use std::os::unix::fs::FileExt;
        for piece in payload {
            self.file.write_all_at(piece, at).map_err(|e| io_error("write", &self.path, e))?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    pub(super) fn publish(mut self, mode: Publish, fsync: bool) -> Result<PutResult> {
        if fsync {
            self.file.sync_all().map_err(|e| io_error("sync", &self.path, e))?;
        }
        let metadata = self.file.metadata().map_err(|e| io_error("stat", &self.path, e))?;
        match mode {
            Publish::Replace => {
                std::fs::rename(&self.path, &self.target)
                    .map_err(|e| io_error("replace", &self.target, e))?;
            }
            Publish::Create => rename_new(&self.path, &self.target)?,
            Publish::Update(expected) => self.update(expected)?,
        }
        self.published = true;
        if fsync {
            sync_parent(&self.target)?;
        }
        let e_tag = Some(e_tag(&metadata));
        Ok(PutResult { e_tag, version: None, extensions: Default::default() })
    }

    fn update(&self, expected: Option<String>) -> Result<()> {
        let changed = |found: &str| Error::Precondition {
            path: self.target.display().to_string(),
            source: format!(
                "the ETag is {found}, expected {}",
                expected.as_deref().unwrap_or("one, and none was given")
            )
            .into(),
        };
        let present = File::open(&self.target).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => changed("none"),
            _ => io_error("open", &self.target, e),
        })?;
        flock(&present, FlockOperation::LockExclusive)
            .map_err(|e| io_error("lock", &self.target, e.into()))?;
        // Another writer may have replaced the file while this one waited: the name counts, not the descriptor.
        let now = std::fs::metadata(&self.target).map_err(|e| io_error("stat", &self.target, e))?;
        let found = e_tag(&now);
        let locked = present.metadata().map_err(|e| io_error("stat", &self.target, e))?;
        if expected.as_deref() != Some(&found) || e_tag(&locked) != found {
            return Err(changed(&found));
        }
        std::fs::rename(&self.path, &self.target).map_err(|e| io_error("replace", &self.target, e))
    }
}

impl Staged {
    /// Removes it now, whoever still writes to it.
    pub(super) fn discard(&self) {
        // A leftover is hidden from listings, which remove it when it is old.
        drop(std::fs::remove_file(&self.path));
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            self.discard();
        }
    }
}

/// After this time without a write, a staged file may be one that a killed process has left.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Removes a staged file that nobody writes any more: nothing was written for a day, and no process holds its lock.
pub(super) fn remove_if_stale(path: &FilePath) {
    let is_old = |file: &File| {
        let written = file.metadata().and_then(|metadata| metadata.modified());
        written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > STALE))
    };
    // Whatever cannot be looked at, or removed, stays.
    if let Ok(file) = File::open(path)
        && is_old(&file)
        && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && std::fs::remove_file(path).is_ok()
    {
        tracing::debug!(path = %path.display(), "removed what a killed process had left");
    }
}

/// Refuses to put a file in the place of a device, a pipe or a socket, which a rename would take away from everybody; or of a
/// name that stands for an open file of some process (`/dev/stdout`).
pub(crate) fn check_replaceable(target: &FilePath) -> io::Result<()> {
    // What cannot be looked at is told of by whoever writes there.
    let Ok(there) = std::fs::symlink_metadata(target) else { return Ok(()) };
    let is_special = |metadata: &std::fs::Metadata| !metadata.is_file() && !metadata.is_dir();
    let special = match there.is_symlink() {
        false => is_special(&there),
        true => {
            std::fs::metadata(target).is_ok_and(|behind| is_special(&behind))
                || std::fs::read_link(target).is_ok_and(|to| to.starts_with("/proc"))
        }
    };
    match special {
        true => Err(io::Error::new(io::ErrorKind::InvalidInput, NOT_REPLACED)),
        false => Ok(()),
    }
}

/// Why nothing is published there.
const NOT_REPLACED: &str =
    "it is a device, a pipe or a socket, whose place a file would take; write to it as a stream";

fn check_target(target: &FilePath) -> Result<()> {
    check_replaceable(target)
        .map_err(|e| Error::NotSupported { source: format!("{}: {e}", target.display()).into() })
}

/// Renames in one step unless the target exists.
pub(crate) fn rename_new(from: &FilePath, to: &FilePath) -> Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // File systems without the flag: a second name, then the first one goes.
        Err(Errno::INVAL | Errno::NOSYS) => {
            std::fs::hard_link(from, to).map_err(|e| io_error("create", to, e))?;
            std::fs::remove_file(from).map_err(|e| io_error("remove", from, e))
        }
        Err(error) => Err(io_error("create", to, error.into())),
    }
}

pub(crate) fn sync_parent(path: &FilePath) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let synced = File::open(parent).and_then(|dir| dir.sync_all());
    synced.map_err(|e| io_error("sync", parent, e))
}

impl Root {
    pub(super) fn put(
        &self,
        location: &Path,
        payload: &PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let staged = Staged::new(self.file_path(location)?)?;
        staged.write_payload(payload, 0)?;
        attributes::write(&staged.file, &options.attributes, &tags_of(&options.tags))?;
        staged.publish(options.mode.into(), self.options.fsync)
    }

    /// A new file with the same content, not a second name of the same file: a change in place of one must not show
    /// in the other. File systems that can share blocks do.
    pub(super) fn copy(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        let (source, metadata) = self.open_file(from)?;
        let staged = Staged::new(self.file_path(to)?)?;
        let mut reader = &source;
        let copied = io::copy(&mut reader, &mut &staged.file)
            .map_err(|e| io_error("copy", &staged.target, e))?;
        if copied != metadata.len() {
            let detail = format!("{from} changed while it was copied");
            return Err(Error::Generic { store: STORE, source: detail.into() });
        }
        attributes::copy(&source, &staged.file)?;
        staged.publish(mode.into(), self.options.fsync).map(drop)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path, create: bool) -> Result<()> {
        let (source, target) = (self.file_path(from)?, self.file_path(to)?);
        let metadata = std::fs::metadata(&source).map_err(|e| io_error("stat", &source, e))?;
        if metadata.is_dir() {
            let detail = "it is a directory".into();
            return Err(Error::NotFound { path: source.display().to_string(), source: detail });
        }
        check_target(&target)?;
        let attempt = || match create {
            true => rename_new(&source, &target),
            false => std::fs::rename(&source, &target).map_err(|e| io_error("rename", &target, e)),
        };
        match attempt() {
            Err(Error::NotFound { .. }) if source.exists() => {
                let parent = target.parent().unwrap_or(FilePath::new("/"));
                std::fs::create_dir_all(parent).map_err(|e| io_error("make", parent, e))?;
                attempt()
            }
            other => other,
        }?;
        if self.options.automatic_cleanup {
            self.remove_empty_parents(&source);
        }
        Ok(())
    }

    pub(super) fn delete(&self, location: &Path) -> Result<()> {
        let path = self.file_path(location)?;
        std::fs::remove_file(&path).map_err(|e| match e.kind() {
            io::ErrorKind::IsADirectory => Error::NotFound {
                path: path.display().to_string(),
                source: "it is a directory".into(),
            },
            _ => io_error("delete", &path, e),
        })?;
        if self.options.automatic_cleanup {
            self.remove_empty_parents(&path);
        }
        Ok(())
    }

    fn remove_empty_parents(&self, path: &FilePath) {
        let below = path.ancestors().skip(1).take_while(|dir| *dir != self.path);
        for dir in below.filter(|dir| dir.starts_with(&self.path)) {
            // Fails on the first directory that is not empty, which ends the clean-up.
            if std::fs::remove_dir(dir).is_err() {
                return;
            }
        }
    }
}
