//! Content: pieces of bytes with a number for a name, written once.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

/// Name of a blob.
pub type BlobId = u64;

/// Space, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Space {
    /// In use.
    pub used: u64,
    /// Free.
    pub avail: u64,
    /// Kind of file system.
    pub fs_type: String,
}

/// A store of blobs. All calls may block, except where [`inline`](Blobs::inline) says otherwise.
///
/// A blob that is being written is temporary: it is gone when the process ends. [`publish`](Blobs::publish) makes it
/// stay; it may be read before and after alike.
pub trait Blobs: Send + Sync {
    /// Whether no call ever blocks.
    fn inline(&self) -> bool;

    /// Where blobs are, as AIStore's mountpath. Does not block.
    fn path(&self) -> &str;

    /// Begins a blob.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn create(&self) -> io::Result<Box<dyn BlobWriter>>;

    /// Opens a finished blob of this many bytes.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] when it has been removed; [`io::ErrorKind::InvalidData`] when it has another
    /// length.
    fn open(&self, id: BlobId, size: u64) -> io::Result<Arc<dyn Blob>>;

    /// Makes finished blobs stay. Blobs that stay already are left alone.
    ///
    /// # Errors
    ///
    /// Those of the file system; [`io::ErrorKind::NotFound`] when one is nowhere.
    fn publish(&self, ids: &[BlobId]) -> io::Result<()>;

    /// Removes a blob. One that is not there is fine; who has it open can go on reading. False says that somebody
    /// [reserved](Self::reserve) it: then it goes with the last reservation, or at the next start.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn remove(&self, id: BlobId) -> io::Result<bool>;

    /// Lets blobs be opened until the reservation is dropped, even if they are removed meanwhile. Those that were
    /// removed before are gone nevertheless.
    fn reserve(&self, ids: Vec<BlobId>) -> Reservation;

    /// Removes all temporary blobs. For the start, after the published ones were published; returns how many.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn sweep(&self) -> io::Result<u64>;

    /// Space.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn space(&self) -> io::Result<Space>;
}

/// Blobs that stay as long as this value: see [`Blobs::reserve`].
pub struct Reservation(
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub(super)  Option<Box<dyn Send + Sync>>,
);

/// A blob that is being written. Dropped before [`finish`](BlobWriter::finish), it is removed.
pub trait BlobWriter: Send {
    /// Its name.
    fn id(&self) -> BlobId;

    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// A view of what has been written: reads beyond it give fewer bytes, and more later. It stays what it is after the
    /// end.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn reader(&mut self) -> io::Result<Arc<dyn Blob>>;

    /// Adds bytes that need not be copied.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.write(&bytes)
    }

    /// Ends it. It can be opened from now on.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A blob to read.
pub trait Blob: Send + Sync {
    /// Reads up to `len` bytes at `offset`; fewer only at the end.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes>;

    /// Reads into a buffer; 0 at the end.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    fn read_into(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn read_while_written(blobs: &dyn Blobs) {
        let mut writer = blobs.create().unwrap();
        writer.write_bytes(Bytes::from_static(b"ab")).unwrap();
        let reader = writer.reader().unwrap();
        assert_eq!(reader.read_at(1, 9).unwrap(), "b");
        writer.write_bytes(Bytes::from_static(b"cd")).unwrap();
        writer.write(b"e").unwrap();
        let mut two = [0; 2];
        assert_eq!(reader.read_into(3, &mut two).unwrap(), 2);
        assert_eq!(&two, b"de");
        let id = writer.id();
        writer.finish().unwrap();
        assert_eq!(reader.read_at(0, 9).unwrap(), "abcde");
        assert_eq!(blobs.open(id, 5).unwrap().read_at(0, 9).unwrap(), "abcde");
        assert!(reader.read_at(9, 1).unwrap().is_empty());
    }
    /// What is reserved can be opened until the last reservation ends.
    pub(crate) fn reserved(blobs: &dyn Blobs) {
        let mut writer = blobs.create().unwrap();
        writer.write(b"abc").unwrap();
        let id = writer.id();
        writer.finish().unwrap();
        let (one, other) = (blobs.reserve(vec![id]), blobs.reserve(vec![id]));
        assert!(!blobs.remove(id).unwrap());
        drop(one);
        assert_eq!(blobs.open(id, 3).unwrap().read_at(0, 9).unwrap(), "abc");
        drop(other);
        assert_eq!(blobs.open(id, 3).err().expect("gone").kind(), io::ErrorKind::NotFound);
    }
}
