//! Where everything is kept: content as plain files (or in memory), and metadata in an embedded transactional store.
//!
//! A write goes to a new *blob* under a temporary name while it is hashed; then one transaction names the blob in the
//! object's metadata; then the blob is moved to its own place and the one that it replaces is removed. Metadata is the
//! truth: a blob that no metadata names is invisible, and the start removes it. Transactions of writers that come at the
//! same time are committed together, by one thread.
//!
//! What must survive what is [`Fsync`]'s to say. A killed process loses nothing that was acknowledged, in every mode.

mod blobs;
mod disk;
mod memory;
mod meta;
mod record;
mod reserved;

use std::path::Path;
use std::sync::Arc;

pub use blobs::{Blob, BlobId, BlobWriter, Blobs, Reservation, Space};
pub use meta::{Meta, Tx};
pub use record::{BucketRecord, Chunk, ObjectMeta};

use crate::error::Result;

/// What survives a loss of power. (A killed process loses nothing acknowledged in any mode.)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Content and metadata are on the disk before a write is acknowledged.
    Always,
    /// Metadata is on the disk before a write is acknowledged; content gets there when the system writes it, within
    /// half a minute. An object whose content did not is reported at its next read, by its length or checksum.
    #[default]
    Commit,
    /// Both get there when the system writes them. The whole folder may be damaged.
    Never,
}

impl std::str::FromStr for Fsync {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Self::Always),
            "commit" => Ok(Self::Commit),
            "never" => Ok(Self::Never),
            other => Err(format!("\"{other}\" is none of always, commit and never")),
        }
    }
}

/// Name of the file with the metadata.
const META: &str = "meta.redb";

/// Content and metadata.
pub struct Storage {
    meta: Arc<Meta>,
    blobs: Arc<dyn Blobs>,
}

impl Storage {
    /// Everything in memory, gone with this value.
    ///
    /// # Errors
    ///
    /// When the metadata store cannot be made.
    pub fn memory() -> Result<Self> {
        let blobs: Arc<dyn Blobs> = Arc::new(memory::MemoryBlobs::default());
        let meta = Arc::new(Meta::memory(Arc::clone(&blobs))?);
        Ok(Self { meta, blobs })
    }

    /// Everything in this folder, which is made if it is not there. What an interrupted process left is repaired.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or read, or another process uses it.
    pub fn open(folder: &Path, fsync: Fsync) -> Result<Self> {
        let disk = disk::DiskBlobs::open(folder, fsync)?;
        let blobs: Arc<dyn Blobs> = Arc::new(disk);
        let meta = Arc::new(Meta::open(&folder.join(META), fsync, Arc::clone(&blobs))?);
        Ok(Self { meta, blobs })
    }

    /// Lets nobody but the owner read the metadata in this folder, which from now on holds secrets.
    ///
    /// # Errors
    ///
    /// When the file is not ours.
    pub fn keep_private(folder: &Path) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;

        Ok(std::fs::set_permissions(folder.join(META), std::fs::Permissions::from_mode(0o600))?)
    }

    /// Metadata.
    pub fn meta(&self) -> &Arc<Meta> {
        &self.meta
    }

    /// Content.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }
}
