//! Journals of uploads that nobody will ask for again.
//!
//! 1. A process is killed while the service completes its upload.
//! 2. The object is there, the upload is gone, and its journal stays: only the next upload to the same key would find it.
//! 3. That key is never written again.
//!
//! So, once a day, whoever begins an upload removes journals that are old: soon where the service had been asked for
//! completion, late where parts may still be with the service, which the next upload to that key would remove. The network
//! is not asked: the settings of other stores are not known here. A journal in use is locked, in other processes too, and is
//! left alone.

use std::fs::{Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use super::journal::{COMPLETING, EXTENSION};

/// How often is looked for them.
const EVERY: Duration = DAY;

/// When a journal is of no use whose upload was being completed: who wanted to go on with it has done so.
const COMPLETED: Duration = DAY;

/// When an upload is given up that was cut off earlier. Azure and Google Cloud Storage forget it after a week.
const CUT_OFF: Duration = Duration::from_secs(90 * DAY.as_secs());

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// In the directory for state, the file that was changed when it was last looked for them.
const LOOKED: &str = "uploads.swept";

/// Removes what is old of the journals in `uploads`, a folder of `state`, unless that was done not long ago.
pub(super) fn sweep(state: &Path, uploads: &Path) -> io::Result<()> {
    let now = SystemTime::now();
    let looked = state.join(LOOKED);
    if std::fs::metadata(&looked).is_ok_and(|file| is_younger(&file, EVERY, now)) {
        return Ok(());
    }
    // First, so that of many processes that begin together few look.
    OpenOptions::new().create(true).truncate(false).write(true).open(&looked)?.set_modified(now)?;
    for entry in std::fs::read_dir(uploads)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Err(error) = remove_if_old(&path, now)
        {
            tracing::debug!(%error, path = %path.display(), "a journal could not be looked at");
        }
    }
    Ok(())
}

fn remove_if_old(path: &Path, now: SystemTime) -> io::Result<()> {
    // Over a network file system only who may write can have a lock of its own.
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if is_younger(&file.metadata()?, COMPLETED, now)
        || flock(&file, FlockOperation::NonBlockingLockExclusive).is_err()
    {
        return Ok(());
    }
    // Whoever had the lock before may have gone on with it, or put another in its place.
    let locked = file.metadata()?;
    let is_the_same = std::fs::metadata(path).is_ok_and(|named| named.ino() == locked.ino());
    let text = std::fs::read_to_string(path)?;
    let asked = text.lines().any(|line| line.trim_matches('"') == COMPLETING);
    let keep = if asked || text.is_empty() { COMPLETED } else { CUT_OFF };
    match is_the_same && !is_younger(&locked, keep, now) {
        true => std::fs::remove_file(path),
        false => Ok(()),
    }
}

/// Whether a file was changed less than `age` ago, or in the future, as clocks see it that differ.
fn is_younger(file: &Metadata, age: Duration, now: SystemTime) -> bool {
    file.modified().is_ok_and(|at| now.duration_since(at).map_or(true, |passed| passed < age))
}
