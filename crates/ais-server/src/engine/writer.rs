//! A write: bytes to a new blob, then one commit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::Engine;
use super::begun::Ends;
use super::bucket::Bucket;
use super::checksum::{self, Checksum, Hasher};
use super::content::Content;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Blob, BlobWriter, Chunk, ObjectMeta};

/// What comes with a write.
#[derive(Debug, Clone, Default)]
pub struct PutOptions {
    /// The content's checksum, to be checked.
    pub checksum: Option<Checksum>,
    /// Custom properties.
    pub custom: Vec<(String, String)>,
    /// The version to give; the next one when not told.
    pub version: Option<u64>,
    /// Time of the last access to record, nanoseconds since 1970; now when not told.
    pub atime: Option<i64>,
    /// Time of the write to record, nanoseconds since 1970; now when not told.
    pub mtime: Option<i64>,
}

/// Writes one object. Nothing is visible before [`finish`](Self::finish); dropped before, nothing stays.
pub struct Writer {
    engine: Arc<Engine>,
    bucket: Bucket,
    name: String,
    options: PutOptions,
    blob: Box<dyn BlobWriter>,
    size: u64,
    hasher: Hasher,
    /// Computes the checksum to be checked, when it is of another type.
    second: Option<Hasher>,
}

impl Writer {
    pub(super) fn new(
        engine: Arc<Engine>,
        bucket: Bucket,
        name: String,
        options: PutOptions,
    ) -> Result<Self> {
        let blob = engine.storage().blobs().create()?;
        let hasher = Hasher::new(bucket.checksum_type())?;
        let second = match &options.checksum {
            Some(checksum) if checksum.kind != hasher.kind() => Some(Hasher::new(&checksum.kind)?),
            _ => None,
        };
        Ok(Self { engine, bucket, name, options, blob, size: 0, hasher, second })
    }

    /// Adds bytes. May block.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.blob.write(bytes)?;
        self.passed(bytes);
        Ok(())
    }

    /// Adds bytes that need not be copied. May block.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.passed(&bytes);
        self.blob.write_bytes(bytes)
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.hasher.update(bytes);
        if let Some(second) = &mut self.second {
            second.update(bytes);
        }
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A view of what has been written, for who reads along.
    pub(super) fn reader(&mut self) -> io::Result<Arc<dyn Blob>> {
        self.blob.reader()
    }

    /// Checks the checksum and ends the blob. May block.
    ///
    /// # Errors
    ///
    /// A checksum that differs; those of the file system.
    pub fn seal(self) -> Result<Sealed> {
        let Self { engine, bucket, name, options, blob, size, hasher, second } = self;
        let checksum = hasher.finish();
        if let Some(expected) = &options.checksum {
            let have = second.map_or_else(|| checksum.clone(), Hasher::finish);
            checksum::check(expected, &have, &format!("{}/{name}", bucket.bck()))?;
        }
        let chunk = Chunk { blob: blob.id(), size };
        blob.finish()?;
        let now = super::now();
        let meta = ObjectMeta {
            size,
            checksum_type: checksum.kind,
            checksum: checksum.value,
            version: options.version.unwrap_or(0),
            atime: options.atime.unwrap_or(now),
            mtime: options.mtime.unwrap_or(now),
            custom: options.custom,
            content: vec![chunk],
            chunked: false,
        };
        Ok(Sealed {
            engine,
            bucket,
            name,
            meta,
            keep_version: options.version.is_some(),
            over: None,
            outdated: None,
            ends: None,
            cached: false,
            committed: false,
        })
    }

    /// [`seal`](Self::seal) and [`Sealed::commit_blocking`] in one.
    ///
    /// # Errors
    ///
    /// Those of both.
    pub fn finish(self) -> Result<ObjectMeta> {
        self.seal()?.commit_blocking()
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::write(self, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Content that is whole and only needs to be named. Dropped before that, it goes away.
pub struct Sealed {
    engine: Arc<Engine>,
    bucket: Bucket,
    name: String,
    meta: ObjectMeta,
    keep_version: bool,
    /// What has to be there still, when something has to be.
    over: Option<Vec<Chunk>>,
    /// Set once somebody else has changed what the content was made of.
    outdated: Option<Arc<AtomicBool>>,
    /// What it was made of, which the commit ends.
    ends: Option<Arc<Ends>>,
    /// Whether it is a copy of what a backend has.
    cached: bool,
    committed: bool,
}

impl Sealed {
    pub(super) fn new(engine: Arc<Engine>, bucket: Bucket, name: String, meta: ObjectMeta) -> Self {
        Self {
            engine,
            bucket,
            name,
            meta,
            keep_version: false,
            over: None,
            outdated: None,
            ends: None,
            cached: false,
            committed: false,
        }
    }

    /// The same, but only if the object is still the one that was read (none: if there is still none): for who writes
    /// what was made of it. Else the commit fails with [`ErrorKind::Conflict`].
    #[must_use]
    pub fn over(mut self, read: Option<&ObjectMeta>) -> Self {
        self.over = Some(read.map(|meta| meta.content.clone()).unwrap_or_default());
        self
    }

    /// The same, and the commit ends what the object was made of.
    #[must_use]
    pub(super) fn ending(mut self, ends: Ends) -> Self {
        self.ends = Some(Arc::new(ends));
        self
    }

    /// The same with these custom properties in place of those that it has.
    #[must_use]
    pub fn with_custom(mut self, custom: Vec<(String, String)>) -> Self {
        self.meta.custom = custom;
        self
    }

    /// The same, but only if `outdated` has not been set by then. Else the commit fails with [`ErrorKind::Conflict`].
    #[must_use]
    pub(super) fn unless(mut self, outdated: Arc<AtomicBool>) -> Self {
        self.outdated = Some(outdated);
        self
    }

    /// The content, to be read before it is committed. May block.
    pub(super) fn open(&self) -> Result<Content> {
        Ok(Content::open(&self.meta, self.engine.storage().blobs())?)
    }

    /// Adds custom properties, in place of those of the same names.
    pub(super) fn describe(&mut self, custom: Vec<(String, String)>) {
        self.meta.custom.retain(|(key, _)| !custom.iter().any(|(new, _)| new == key));
        self.meta.custom.extend(custom);
    }

    /// What will be written.
    pub fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    /// The bucket it goes to.
    pub(super) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The name it gets.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The same as a copy of what the bucket's backend has: it is committed here only.
    #[must_use]
    pub(super) fn cached(mut self) -> Self {
        self.cached = true;
        self.keep_version = true;
        self
    }

    /// Makes it the object's content. Objects of a backend are written there first.
    ///
    /// # Errors
    ///
    /// When the bucket has been destroyed; those of the store and of the backend.
    pub async fn commit(self) -> Result<ObjectMeta> {
        if self.bucket.is_remote() && !self.cached {
            return Arc::clone(&self.engine).write_through(self).await;
        }
        self.commit_now().await
    }

    /// [`commit`](Self::commit) here only.
    pub(super) async fn commit_now(mut self) -> Result<ObjectMeta> {
        let change = self.change();
        let meta = self.engine.storage().meta().write(change).await?;
        self.committed = true;
        Ok(meta)
    }

    /// [`commit`](Self::commit) for threads that may block.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn commit_blocking(mut self) -> Result<ObjectMeta> {
        if self.bucket.is_remote() && !self.cached {
            return super::remote::wait_blocking(Arc::clone(&self.engine).write_through(self));
        }
        let change = self.change();
        let meta = self.engine.storage().meta().write_blocking(change)?;
        self.committed = true;
        Ok(meta)
    }

    fn change(
        &self,
    ) -> impl FnOnce(&mut crate::storage::Tx<'_>) -> Result<ObjectMeta> + Send + 'static {
        let engine = Arc::clone(&self.engine);
        let (bucket, name, mut meta) = (self.bucket.clone(), self.name.clone(), self.meta.clone());
        let (keep_version, over) = (self.keep_version, self.over.clone());
        let (outdated, ends) = (self.outdated.clone(), self.ends.clone());
        move |tx| {
            engine.check_alive(&bucket)?;
            if outdated.is_some_and(|outdated| outdated.load(Ordering::Acquire)) {
                let text = format!("{}/{name} was changed meanwhile: try again", bucket.bck());
                return Err(Error::new(ErrorKind::Conflict, text));
            }
            let old = tx.object(bucket.bid(), &name)?;
            if let Some(over) = over
                && old.as_ref().map_or(&[][..], |meta| &meta.content) != over
            {
                let text = format!("{}/{name} was changed meanwhile: try again", bucket.bck());
                return Err(Error::new(ErrorKind::Conflict, text));
            }
            if let Some(ends) = &ends {
                ends.check(tx)?;
            }
            if !keep_version {
                meta.version = 0;
                if bucket.props().versioning.enabled {
                    meta.version = old.as_ref().map_or(0, |old| old.version) + 1;
                }
            }
            tx.replace_object(bucket.bid(), &name, old, &meta)?;
            if let Some(ends) = &ends {
                ends.end(tx, &meta)?;
            }
            Ok(meta)
        }
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        // Pieces belong to what was begun, until it ends.
        if self.committed || self.ends.as_ref().is_some_and(|ends| ends.owns_content()) {
            return;
        }
        // A commit whose waiter went away may still happen: then the blob must stay. So the writing thread looks,
        // after all that was sent before.
        let (bid, name) = (self.bucket.bid(), std::mem::take(&mut self.name));
        let content = std::mem::take(&mut self.meta.content);
        let blobs = Arc::clone(self.engine.storage().blobs());
        let meta = Arc::clone(self.engine.storage().meta());
        let _ = meta.send_quietly(move |tx| {
            let now = tx.object(bid, &name)?.map(|meta| meta.content).unwrap_or_default();
            for chunk in content {
                if !now.contains(&chunk) {
                    blobs.remove(chunk.blob)?;
                }
            }
            Ok(())
        });
    }
}
