//! Blobs as files: `tmp/ID` while they are temporary, then `blobs/HH/HH/ID`, where `HHHH` are the last digits.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rustix::fs::{FlockOperation, RenameFlags};

use super::Fsync;
use super::blobs::{Blob, BlobId, BlobWriter, Blobs, Reservation, Space};
use super::reserved::Reserved;
use crate::error::{Error, ErrorKind, Result};

/// How long the server that had the folder before may take to let go of it.
const HANDOVER: Duration = Duration::from_secs(2);

/// Blobs in a folder.
pub(super) struct DiskBlobs {
    folder: PathBuf,
    /// The folder's absolute name.
    path: String,
    fsync: Fsync,
    /// Free bytes below which nothing is written any more.
    reserve: u64,
    next: AtomicU64,
    reserved: Arc<Reserved>,
    /// Locked as long as the process uses the folder.
    _lock: File,
}

/// Takes the lock of a folder. A server that has just ended, or was killed, may have it for a moment longer: a process
/// that it is starting holds all its files until it runs its own program.
fn locked(lock: &File) -> bool {
    let begin = Instant::now();
    loop {
        if rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return true;
        }
        if begin.elapsed() >= HANDOVER {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl DiskBlobs {
    pub(super) fn open(folder: &Path, fsync: Fsync) -> Result<Self> {
        let at = |path: &Path| {
            let path = path.display().to_string();
            move |e: io::Error| Error::internal(format!("cannot use the data folder {path}: {e}"))
        };
        for path in [folder.join("tmp"), folder.join("blobs")] {
            fs::create_dir_all(&path).map_err(at(&path))?;
        }
        let path = folder.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(at(&path))?;
        if !locked(&lock) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "another process uses the data folder {}: stop it, or choose another folder",
                    folder.display()
                ),
            ));
        }
        let next = AtomicU64::new(first_id(folder).map_err(at(folder))?);
        let path = fs::canonicalize(folder).map_err(at(folder))?.to_string_lossy().into_owned();
        let (folder, reserve) = (folder.to_owned(), RESERVE);
        let removed_from = folder.clone();
        let reserved = Reserved::new(true, Box::new(move |id| remove(&removed_from, id)));
        Ok(Self { folder, path, fsync, reserve, next, reserved, _lock: lock })
    }

    fn temporary(&self, id: BlobId) -> PathBuf {
        temporary(&self.folder, id)
    }

    fn place(&self, id: BlobId) -> PathBuf {
        place(&self.folder, id)
    }

    fn publish_one(&self, id: BlobId) -> io::Result<()> {
        let (from, to) = (self.temporary(id), self.place(id));
        let rename = || match rustix::fs::renameat_with(
            rustix::fs::CWD,
            &from,
            rustix::fs::CWD,
            &to,
            RenameFlags::NOREPLACE,
        ) {
            // Not every file system knows the flag.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(&from, &to),
            other => Ok(other?),
        };
        let folder = to.parent().unwrap_or(&self.folder);
        match rename() {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if to.try_exists()? {
                    return Ok(());
                }
                fs::create_dir_all(folder)?;
                rename()?;
            }
            Err(e) => return Err(e),
        }
        if self.fsync == Fsync::Always {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

fn temporary(folder: &Path, id: BlobId) -> PathBuf {
    folder.join("tmp").join(format!("{id:016x}"))
}

fn place(folder: &Path, id: BlobId) -> PathBuf {
    let [high, low] = [(id >> 8) & 0xff, id & 0xff];
    let folder = folder.join("blobs").join(format!("{high:02x}")).join(format!("{low:02x}"));
    folder.join(format!("{id:016x}"))
}

fn remove(folder: &Path, id: BlobId) -> io::Result<()> {
    for path in [place(folder, id), temporary(folder, id)] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Bytes that are left free: the metadata store does not recover from a full disk without a restart.
const RESERVE: u64 = 32 << 20;
/// Bytes of a long content between two looks at the free space.
const LOOK: u64 = 8 << 20;

fn check_space(folder: &Path, reserve: u64) -> io::Result<()> {
    let stat = rustix::fs::statvfs(folder)?;
    if stat.f_bavail * stat.f_frsize < reserve {
        return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
    }
    Ok(())
}

/// Names begin at the time in nanoseconds, so that no process gives a name that another has given; should the clock
/// have been set back, they begin well after those of the process before.
fn first_id(folder: &Path) -> io::Result<u64> {
    let path = folder.join("first-id");
    let before = fs::read_to_string(&path)
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok())
        .unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let now = u64::try_from(now).unwrap_or(0);
    let first = if now > before { now } else { before + (1 << 44) };
    let new = folder.join("first-id.new");
    let mut file = File::create(&new)?;
    writeln!(file, "{first}")?;
    file.sync_all()?;
    fs::rename(new, path)?;
    Ok(first)
}

impl Blobs for DiskBlobs {
    fn inline(&self) -> bool {
        false
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        check_space(&self.folder, self.reserve)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.temporary(id);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Box::new(DiskWriter {
            id,
            file,
            path,
            sync: self.fsync == Fsync::Always,
            reserve: self.reserve,
            unlooked: 0,
            finished: false,
        }))
    }

    fn open(&self, id: BlobId, size: u64) -> io::Result<Arc<dyn Blob>> {
        // It may be moved between the two looks, so the first place is looked at again.
        let file = File::open(self.place(id))
            .or_else(|_| File::open(self.temporary(id)))
            .or_else(|_| File::open(self.place(id)))?;
        let len = file.metadata()?.len();
        if len != size {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("content {id:016x} is damaged: {len} bytes instead of {size}"),
            ));
        }
        Ok(Arc::new(DiskBlob(file)))
    }

    fn publish(&self, ids: &[BlobId]) -> io::Result<()> {
        ids.iter().try_for_each(|&id| self.publish_one(id))
    }

    fn remove(&self, id: BlobId) -> io::Result<bool> {
        if self.reserved.doom(id) {
            return Ok(false);
        }
        remove(&self.folder, id).map(|()| true)
    }

    fn reserve(&self, ids: Vec<BlobId>) -> Reservation {
        Reservation(Some(Box::new(self.reserved.reserve(ids))))
    }

    fn sweep(&self) -> io::Result<u64> {
        let mut removed = 0;
        for entry in fs::read_dir(self.folder.join("tmp"))? {
            fs::remove_file(entry?.path())?;
            removed += 1;
        }
        Ok(removed)
    }

    fn space(&self) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(&self.folder)?;
        let avail = stat.f_bavail * stat.f_frsize;
        Ok(Space {
            used: (stat.f_blocks - stat.f_bfree) * stat.f_frsize,
            avail,
            fs_type: "local".into(),
        })
    }
}

struct DiskWriter {
    id: BlobId,
    file: File,
    path: PathBuf,
    sync: bool,
    reserve: u64,
    /// Bytes since the last look at the free space.
    unlooked: u64,
    finished: bool,
}

impl BlobWriter for DiskWriter {
    fn id(&self) -> BlobId {
        self.id
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unlooked += bytes.len() as u64;
        if self.unlooked >= LOOK {
            check_space(&self.path, self.reserve)?;
            self.unlooked = 0;
        }
        self.file.write_all(bytes)
    }

    fn reader(&mut self) -> io::Result<Arc<dyn Blob>> {
        Ok(Arc::new(DiskBlob(File::open(&self.path)?)))
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.sync {
            self.file.sync_data()?;
            let folder = self.path.parent().unwrap_or_else(|| Path::new(OsStr::new(".")));
            File::open(folder)?.sync_all()?;
        }
        self.finished = true;
        Ok(())
    }
}

impl Drop for DiskWriter {
    fn drop(&mut self) {
        if !self.finished {
            // What stays behind is swept at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

struct DiskBlob(File);

impl Blob for DiskBlob {
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut buffer = Vec::with_capacity(len);
        while buffer.len() < len {
            let at = offset + buffer.len() as u64;
            match rustix::io::pread(&self.0, rustix::buffer::spare_capacity(&mut buffer), at) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        buffer.truncate(len);
        Ok(Bytes::from(buffer))
    }

    fn read_into(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read_at(into, offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut blobs = DiskBlobs::open(folder.path(), Fsync::Never).unwrap();
        let mut long = blobs.create().unwrap();
        blobs.reserve = u64::MAX;
        let error = blobs.create().err().expect("no space");
        assert_eq!(Error::from(error).status(), 507);
        // What was begun before looks again after a while.
        let mut writer = DiskWriter {
            id: 0,
            file: File::create(folder.path().join("tmp/x")).unwrap(),
            path: folder.path().join("tmp/x"),
            sync: false,
            reserve: u64::MAX,
            unlooked: 0,
            finished: false,
        };
        writer.write(&[0; 1024]).unwrap();
        assert_eq!(
            writer.write(&vec![0; LOOK as usize]).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        long.write(b"x").unwrap();
    }

    #[test]
    fn what_is_being_written_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = DiskBlobs::open(folder.path(), Fsync::Never).unwrap();
        crate::storage::blobs::tests::read_while_written(&blobs);
        crate::storage::blobs::tests::reserved(&blobs);
    }

    #[test]
    fn blobs_move_to_their_place_and_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = DiskBlobs::open(folder.path(), Fsync::Commit).unwrap();
        let mut writer = blobs.create().unwrap();
        let id = writer.id();
        writer.write(b"abc").unwrap();
        writer.finish().unwrap();
        let _abandoned = blobs.create().unwrap();
        blobs.publish(&[id]).unwrap();
        blobs.publish(&[id]).unwrap();
        assert_eq!(blobs.sweep().unwrap(), 1);
        assert_eq!(blobs.open(id, 3).unwrap().read_at(1, 9).unwrap(), "bc");
        assert_eq!(blobs.open(id, 4).err().expect("damaged").kind(), io::ErrorKind::InvalidData);
        assert!(blobs.remove(id).unwrap());
        assert!(blobs.remove(id).unwrap());
        assert_eq!(blobs.open(id, 3).err().expect("gone").kind(), io::ErrorKind::NotFound);
    }
}
