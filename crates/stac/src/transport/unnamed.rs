//! A small file that has no name until it is whole: fewer steps than to make one of another name, which others could open and a
//! killed process would leave behind.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path as FsPath;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
use rustix::io::Errno;

use super::fetch::Wanted;
use super::file::{Hashing, checked, in_directory};
use crate::error::Result;
use crate::multihash::Multihash;

/// Whether no file system or kernel has refused so far: asking again would cost every file more than it saves.
static WORKS: AtomicBool = AtomicBool::new(true);

/// Writes `pieces` into a new file and checks them. `None` where that cannot be done, with nothing changed: the name is
/// taken, the file system has no files without a name (NFS), or the kernel lets nobody name them (Linux before 6.10, without
/// `CAP_DAC_READ_SEARCH`).
pub(super) fn write(
    target: &FsPath,
    pieces: &[Bytes],
    wanted: &Wanted,
) -> io::Result<Option<Result<Option<Multihash>>>> {
    if !WORKS.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let Some(mut file) = create(target, wanted)? else { return Ok(None) };
    let mut hashing = Hashing::new(wanted);
    for piece in pieces {
        file.write_all(piece)?;
        hashing.update(piece);
    }
    let checked = checked(hashing, target, wanted);
    if checked.is_err() {
        return Ok(Some(checked));
    }
    match linkat(&file, "", CWD, target, AtFlags::EMPTY_PATH) {
        Ok(()) => Ok(Some(checked)),
        Err(Errno::NOENT | Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::INVAL) => {
            Ok(refused())
        }
        // Whoever writes it by another name meets the same, and can say it.
        Err(_) => Ok(None),
    }
}

fn create(target: &FsPath, wanted: &Wanted) -> io::Result<Option<File>> {
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(FsPath::new("."));
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let created = in_directory(target, wanted, || {
        open(directory, flags, Mode::from_raw_mode(0o666)).map_err(io::Error::from)
    });
    match created {
        Ok(file) => Ok(Some(file.into())),
        // `EISDIR` and `EINVAL` are how older kernels and file systems say that they know no such files.
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(refused()),
            _ => Err(error),
        },
    }
}

fn refused<T>() -> Option<T> {
    WORKS.store(false, Ordering::Relaxed);
    None
}
