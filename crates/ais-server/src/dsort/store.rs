//! What dSort needs of a store of objects.

use std::{io::Write, sync::Arc};

use holdall_archive::Source;

use crate::error::Result;

/// Where shards come from and go to. Calls may block.
pub(crate) trait Store: Send + Sync {
    /// Names in the input bucket with this prefix, in order.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// A shard of the input bucket as it is now, or nothing.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    fn shard(&self, name: &str) -> Result<Option<Box<dyn Shard>>>;

    /// Room for contents, for the time of the job.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    fn spool(&self) -> Result<Box<dyn Spool>>;

    /// Begins an object of the output bucket.
    ///
    /// # Errors
    ///
    /// Those of the storage; when the name cannot be one.
    fn create(&self, name: &str) -> Result<Box<dyn Output>>;

    /// Reads an external key map.
    ///
    /// # Errors
    ///
    /// When it cannot be had.
    fn key_map(&self, url: &str) -> Result<Vec<u8>>;
}

/// A shard that can be opened several times; each time the same bytes.
pub(crate) trait Shard: Send + Sync {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// Those of the storage; when it has been replaced or deleted.
    fn open(&self) -> Result<Arc<dyn Source>>;

    /// Bytes.
    fn size(&self) -> u64;
}

/// Contents that are kept for a while.
pub(crate) trait Spool: Write + Send {
    /// Ends writing. What was written is gone when the shard is dropped.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    fn finish(self: Box<Self>) -> Result<Box<dyn Shard>>;
}

/// An object that is being written. Dropped, it never was.
pub(crate) trait Output: Write + Send {
    /// Ends writing.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    fn finish(self: Box<Self>) -> Result<Box<dyn Pending>>;
}

/// A written object that nobody sees yet. Dropped, it never was.
pub(crate) trait Pending: Send {
    /// Makes it visible.
    ///
    /// # Errors
    ///
    /// Those of the storage; when the bucket is gone.
    fn commit(self: Box<Self>) -> Result<()>;

    /// Bytes.
    fn size(&self) -> u64;
}
