//! Uploads that have begun: remembered on disk, so that the next transfer to the same target finds what a killed one
//! has left with the service.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

use sha2::{Digest, Sha256};

use super::forgotten::sweep;
use super::journal::{EXTENSION, Journal, UploadEntry, UploadHead, open_locked};

/// The right to upload to one target, with what was left there.
#[derive(Debug)]
pub(super) struct Slot {
    path: PathBuf,
    /// The journal, locked for as long as the upload runs.
    file: File,
    /// The upload that an earlier process began and did not end, with the parts that the service has.
    pub(super) left: Option<(UploadHead, Vec<UploadEntry>)>,
}

impl Slot {
    /// Claims the journal for uploads to `target`; `None` when another process uploads there right now, or when no
    /// journal can be kept: then a kill leaves parts with the service, which its own rules have to remove.
    pub(super) fn claim(target: &str, state_dir: Option<PathBuf>) -> Option<Self> {
        let dir = state_dir.or_else(state_directory);
        Self::try_claim(target, dir.as_deref()).unwrap_or_else(|error| {
            not_remembered(dir.as_deref(), &error);
            None
        })
    }

    /// Whether there is a journal of an upload to `target`.
    pub(super) fn is_left(target: &str, state_dir: Option<&Path>) -> bool {
        let own = || state_directory().map(|dir| journal_of(target, &dir.join(UPLOADS)));
        let journal = state_dir.map(|dir| journal_of(target, &dir.join(UPLOADS))).or_else(own);
        journal.is_some_and(|journal| journal.exists())
    }

    fn try_claim(target: &str, state_dir: Option<&Path>) -> io::Result<Option<Self>> {
        let missing = "neither HOLDALL_STATE_DIR nor HOME is set";
        let dir = state_dir.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, missing))?;
        let uploads = dir.join(UPLOADS);
        std::fs::create_dir_all(&uploads)?;
        if let Err(error) = sweep(dir, &uploads) {
            tracing::debug!(%error, "old journals of uploads could not be looked for");
        }
        let path = journal_of(target, &uploads);
        let Some(file) = open_locked(&path)? else { return Ok(None) };
        let left = Journal::read(&path).filter(|(head, _): &(UploadHead, _)| head.target == target);
        Ok(Some(Self { path, file, left }))
    }

    /// Begins the journal of a new upload; `None` when it cannot be kept.
    pub(super) fn begin(&self, head: &UploadHead) -> Option<Journal> {
        let file = self.file.try_clone();
        let begun = file.and_then(|file| Journal::begin(file, self.path.clone(), head));
        begun.inspect_err(|error| not_remembered(self.path.parent(), error)).ok()
    }

    /// Goes on with the journal of the upload that was left.
    pub(super) fn resume(&self) -> io::Result<Journal> {
        Journal::go_on(self.file.try_clone()?, self.path.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Warns, once in a process, that a journal cannot be kept in its folder.
pub(super) fn not_remembered(dir: Option<&Path>, error: &io::Error) {
    static WARNED: Once = Once::new();
    let place = dir.map(|dir| format!(" in {}", dir.display())).unwrap_or_default();
    WARNED.call_once(|| {
        tracing::warn!(
            %error,
            "uploads are not remembered, should they be cut off: no place for their journals{place}; set \
             HOLDALL_STATE_DIR to a folder with room"
        );
    });
}

/// Where journals are, in the folder for state.
const UPLOADS: &str = "uploads";

fn journal_of(target: &str, uploads: &Path) -> PathBuf {
    let hash = Sha256::digest(target.as_bytes());
    let name: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    uploads.join(name).with_extension(EXTENSION)
}

/// Where processes remember what they have begun: `HOLDALL_STATE_DIR`, or a folder for it in the user's directory for state
/// (XDG base directories). `None` where there is neither. It need not exist.
pub fn state_directory() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("HOLDALL_STATE_DIR")
        .map(PathBuf::from)
        .or_else(|| set("XDG_STATE_HOME").map(|dir| PathBuf::from(dir).join("holdall")))
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".local/state/holdall")))
}
