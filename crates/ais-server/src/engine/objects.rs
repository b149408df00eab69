//! Objects: read, written, changed, copied, renamed and deleted.

use std::io;
use std::ops::{Bound, Range};
use std::sync::Arc;

use bytes::Bytes;
use holdall_ais_wire::name::check_object;

use super::bucket::Bucket;
use super::content::{Content, Reading};
use super::remote::Want;
use super::writer::{PutOptions, Sealed, Writer};
use super::{Engine, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Chunk, ObjectMeta};

/// How often a read looks again when the object is replaced while it is being opened.
const ATTEMPTS: usize = 16;
/// Most bytes of custom properties: keys and values together.
const MAX_CUSTOM: usize = 2048;

impl Engine {
    /// The error for an object that is not there.
    pub fn no_object(&self, bucket: &Bucket, name: &str) -> Error {
        Error::not_found(format!("t[{}]: {}/{name} does not exist", self.target_id(), bucket.bck()))
    }

    /// An object's metadata; of one that is only at a backend what that says.
    ///
    /// # Errors
    ///
    /// When it is not there, or the name cannot be; those of the backend.
    pub async fn head(&self, bucket: &Bucket, name: &str) -> Result<ObjectMeta> {
        if let Some(meta) = self.find(bucket, name).await? {
            return Ok(meta);
        }
        let there = if bucket.is_remote() { self.head_backend(bucket, name).await? } else { None };
        there.ok_or_else(|| self.no_object(bucket, name))
    }

    /// An object's metadata, if it is here.
    ///
    /// # Errors
    ///
    /// When the name cannot be.
    pub async fn find(&self, bucket: &Bucket, name: &str) -> Result<Option<ObjectMeta>> {
        check_key(name)?;
        let (bid, name) = (bucket.bid(), name.to_owned());
        self.storage().meta().blocking(move |meta| meta.object(bid, &name)).await
    }

    /// Opens an object for reading. Blocks.
    ///
    /// # Errors
    ///
    /// When it is not there; those of the file system.
    pub fn open_blocking(&self, bucket: &Bucket, name: &str) -> Result<(ObjectMeta, Content)> {
        self.open_known_blocking(bucket, name, None)
    }

    /// The same for who has looked it up a moment ago.
    pub(super) fn open_known_blocking(
        &self,
        bucket: &Bucket,
        name: &str,
        mut known: Option<ObjectMeta>,
    ) -> Result<(ObjectMeta, Content)> {
        check_key(name)?;
        let mut attempts = ATTEMPTS;
        loop {
            let found = match known.take() {
                Some(meta) => Some(meta),
                None => self.storage().meta().object(bucket.bid(), name)?,
            };
            let meta = found.ok_or_else(|| self.no_object(bucket, name))?;
            attempts -= 1;
            match Content::open(&meta, self.storage().blobs()) {
                Ok(content) => {
                    self.accessed(bucket.bid(), name, &meta);
                    return Ok((meta, content));
                }
                // Replaced since: look again.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts > 0 => {}
                Err(error) => {
                    return Err(Error::internal(format!(
                        "cannot read {}/{name}: {error}",
                        bucket.bck()
                    ))
                    .with_source(error));
                }
            }
        }
    }

    /// Opens an object for reading, and brings it here first where it is elsewhere.
    ///
    /// # Errors
    ///
    /// As [`open_blocking`](Self::open_blocking) and [`bring`](Self::bring).
    pub async fn open(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
    ) -> Result<(ObjectMeta, Content)> {
        if bucket.is_remote() {
            self.bring(bucket, name, &Want::of(bucket, false, false)).await?;
        }
        let (bucket, name) = (bucket.clone(), name.to_owned());
        self.blocking(move |engine| engine.open_blocking(&bucket, &name)).await
    }

    /// Opens an object and reads the beginning of what `select` says, in one go. One that is elsewhere is brought here
    /// first.
    ///
    /// # Errors
    ///
    /// As [`open_blocking`](Self::open_blocking) and [`bring`](Self::bring), and those of `select`.
    pub async fn read<F>(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        select: F,
    ) -> Result<Reading>
    where
        F: FnOnce(&ObjectMeta) -> Result<Range<u64>> + Send + 'static,
    {
        let want = Want::of(bucket, false, false);
        if want.latest && bucket.is_remote() {
            self.bring(bucket, name, &want).await?;
        }
        let (mut select, mut left) = (select, ATTEMPTS);
        loop {
            match self.read_here(bucket, name, select).await? {
                Ok(reading) => return Ok(reading),
                Err((error, unused)) if bucket.is_remote() && left > 0 => {
                    if error.kind() != ErrorKind::NotFound {
                        return Err(error);
                    }
                    select = unused;
                }
                Err((error, _)) => return Err(error),
            }
            // Not here yet, or not here any more.
            left -= 1;
            self.bring(bucket, name, &want).await?;
        }
    }

    /// Reads what is here. What cannot be opened is told together with the selection, which was not asked.
    async fn read_here<F>(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        select: F,
    ) -> Result<Result<Reading, (Error, F)>>
    where
        F: FnOnce(&ObjectMeta) -> Result<Range<u64>> + Send + 'static,
    {
        let (bucket, name) = (bucket.clone(), name.to_owned());
        self.blocking(move |engine| {
            let (meta, content) = match engine.open_blocking(&bucket, &name) {
                Ok(opened) => opened,
                Err(error) => return Ok(Err((error, select))),
            };
            let range = select(&meta)?;
            let mut reading = Reading::new(meta, range, content)?;
            if !reading.is_whole() {
                reading.lock = Some(engine.reads(&bucket, &name));
            }
            Ok(Ok(reading))
        })
        .await
    }

    /// Begins to write an object. Blocks.
    ///
    /// # Errors
    ///
    /// When the name or a custom property cannot be, or the checksum's type is unknown; those of the file system.
    pub fn write_blocking(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        options: PutOptions,
    ) -> Result<Writer> {
        check_key(name)?;
        check_custom(&options.custom)?;
        Writer::new(Arc::clone(self), bucket.clone(), name.to_owned(), options)
    }

    /// Writes an object whose content is there.
    ///
    /// # Errors
    ///
    /// As [`write_blocking`](Self::write_blocking), and a checksum that differs.
    pub async fn put(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        content: Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        let (bucket, name) = (bucket.clone(), name.to_owned());
        let sealed = self
            .blocking(move |engine| {
                let mut writer = engine.write_blocking(&bucket, &name, options)?;
                writer.write_bytes(content)?;
                writer.seal()
            })
            .await?;
        sealed.commit().await
    }

    /// Deletes an object; an error if it is not there.
    ///
    /// # Errors
    ///
    /// When it is not there, or the name cannot be.
    pub async fn delete(&self, bucket: &Bucket, name: &str) -> Result<ObjectMeta> {
        check_key(name)?;
        if bucket.is_remote() {
            let _turn = self.before_delete(bucket, name).await;
            let names = vec![name.to_owned()];
            let gone = self.delete_there(bucket, &names).await?.pop();
            if let Some(Err(error)) = gone {
                if error.kind() == ErrorKind::NotFound {
                    // It is not to be found here, either.
                    self.outdate(bucket, &names);
                    self.delete_here(bucket, names).await?;
                }
                return Err(error);
            }
            self.outdate(bucket, &names);
            let here = self.delete_here(bucket, names).await?.pop();
            return Ok(here.and_then(|(_, meta)| meta).unwrap_or_default());
        }
        let (bid, key) = (bucket.bid(), name.to_owned());
        let deleted = self.storage().meta().write(move |tx| tx.delete_object(bid, &key)).await?;
        deleted.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("{}/{name} doesn't exist", bucket.bck()))
        })
    }

    /// Deletes many objects: the metadata of each that was there. Of objects of a backend, which are deleted there first,
    /// it is that of the copy here, or empty.
    ///
    /// # Errors
    ///
    /// Those of the store and of the backend: the first one, after all have been tried.
    pub async fn delete_many(
        &self,
        bucket: &Bucket,
        names: Vec<String>,
    ) -> Result<Vec<(String, Option<ObjectMeta>)>> {
        if !bucket.is_remote() || names.is_empty() {
            return self.delete_here(bucket, names).await;
        }
        let (mut gone, mut missing, mut failed) = (Vec::new(), Vec::new(), None);
        let outcomes = self.delete_there(bucket, &names).await?;
        for (name, outcome) in names.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => gone.push(name),
                Err(error) if error.kind() == ErrorKind::NotFound => missing.push(name),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.outdate(bucket, &gone);
        self.outdate(bucket, &missing);
        let mut all = self.delete_here(bucket, gone).await?;
        for (_, meta) in &mut all {
            meta.get_or_insert_default();
        }
        all.extend(self.delete_here(bucket, missing).await?);
        match failed {
            Some(error) => Err(error),
            None => Ok(all),
        }
    }

    /// Deletes objects here in one commit.
    pub(super) async fn delete_here(
        &self,
        bucket: &Bucket,
        names: Vec<String>,
    ) -> Result<Vec<(String, Option<ObjectMeta>)>> {
        let bid = bucket.bid();
        self.storage()
            .meta()
            .write(move |tx| {
                names
                    .into_iter()
                    .map(|name| Ok((tx.delete_object(bid, &name)?, name)))
                    .map(|row| row.map(|(m, n)| (n, m)))
                    .collect()
            })
            .await
    }

    /// Adds custom properties, or replaces all.
    ///
    /// # Errors
    ///
    /// When the object is not there or the properties are too large.
    pub async fn set_custom(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        custom: Vec<(String, String)>,
        replace: bool,
    ) -> Result<ObjectMeta> {
        check_object(name)?;
        if bucket.is_remote() {
            // Properties are kept here, with the copy.
            self.bring(bucket, name, &Want::of(bucket, false, false)).await?;
        }
        let edit = move |all: &mut Vec<(String, String)>| {
            if replace {
                all.clear();
            }
            for (key, value) in custom {
                match all.iter_mut().find(|(name, _)| *name == key) {
                    Some(entry) => entry.1 = value,
                    None => all.push((key, value)),
                }
            }
            check_custom(all)
        };
        self.edit_custom(bucket, name, edit).await
    }

    /// Changes custom properties in one step.
    ///
    /// # Errors
    ///
    /// When the object is not there; those of `edit`.
    pub async fn edit_custom<F>(&self, bucket: &Bucket, name: &str, edit: F) -> Result<ObjectMeta>
    where
        F: FnOnce(&mut Vec<(String, String)>) -> Result<()> + Send + 'static,
    {
        check_key(name)?;
        let (bid, key) = (bucket.bid(), name.to_owned());
        let changed = self
            .storage()
            .meta()
            .write(move |tx| {
                let Some(mut meta) = tx.object(bid, &key)? else { return Ok(None) };
                edit(&mut meta.custom)?;
                tx.put_object(bid, &key, &meta)?;
                Ok(Some(meta))
            })
            .await?;
        changed.ok_or_else(|| self.no_object(bucket, name))
    }

    /// Deletes an object if it is still the one that was read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] when it is another one, or gone.
    pub async fn delete_over(&self, bucket: &Bucket, name: &str, read: &ObjectMeta) -> Result<()> {
        let (bid, key, content) = (bucket.bid(), name.to_owned(), read.content.clone());
        let deleted = self
            .storage()
            .meta()
            .write(move |tx| {
                let is_same = tx.object(bid, &key)?.is_some_and(|meta| meta.content == content);
                if is_same {
                    tx.delete_object(bid, &key)?;
                }
                Ok(is_same)
            })
            .await?;
        if deleted {
            return Ok(());
        }
        let text = format!("{}/{name} was changed meanwhile: try again", bucket.bck());
        Err(Error::new(ErrorKind::Conflict, text))
    }

    /// Renames an object within its bucket, over what is there.
    ///
    /// # Errors
    ///
    /// When it is not there, or the new name is the old one or cannot be.
    pub async fn rename(&self, bucket: &Bucket, from: &str, to: &str) -> Result<()> {
        check_object(from)?;
        check_object(to)?;
        if from == to {
            return Err(Error::invalid(format!(
                "cannot rename {}/{from} to self, nothing to do",
                bucket.bck()
            )));
        }
        if bucket.is_remote() {
            return Err(Error::unsupported(format!(
                "cannot rename {}/{from}: objects of remote buckets are copied and deleted - operation not supported",
                bucket.bck()
            )));
        }
        let (bid, old, new) = (bucket.bid(), from.to_owned(), to.to_owned());
        let moved = self
            .storage()
            .meta()
            .write(move |tx| {
                let Some(meta) = tx.object(bid, &old)? else { return Ok(false) };
                tx.move_object((bid, &old), (bid, &new), &meta)?;
                Ok(true)
            })
            .await?;
        if moved { Ok(()) } else { Err(self.no_object(bucket, from)) }
    }

    /// Copies an object. Nothing is copied, and the answer is none, when the destination has the same checksum
    /// already. An object that is not here is copied from its backend, and not kept.
    ///
    /// # Errors
    ///
    /// When the source is not there; those of the file system and of backends.
    pub async fn copy_object(
        self: &Arc<Self>,
        source: (&Bucket, &str),
        destination: (&Bucket, &str),
    ) -> Result<Option<ObjectMeta>> {
        let want = Want::of(source.0, false, false);
        self.copy_wanted(source, destination, &want).await
    }

    /// The same of the version that is wanted.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn copy_wanted(
        self: &Arc<Self>,
        (source, name): (&Bucket, &str),
        (destination, to): (&Bucket, &str),
        want: &Want,
    ) -> Result<Option<ObjectMeta>> {
        check_object(to)?;
        if source.is_remote() {
            check_object(name)?;
            let places = ((source, name), (destination, to));
            if let Some(meta) = self.copy_from_there(places.0, places.1, want).await? {
                return Ok(Some(meta));
            }
        }
        let (source, destination) = (source.clone(), destination.clone());
        let (name, to) = (name.to_owned(), to.to_owned());
        let sealed = self
            .heavy(move |engine| {
                let (meta, content) = engine.open_blocking(&source, &name)?;
                let present = engine.storage().meta().object(destination.bid(), &to)?;
                let same = |there: &ObjectMeta| {
                    meta.checksum_type != "none"
                        && there.size == meta.size
                        && (&there.checksum_type, &there.checksum)
                            == (&meta.checksum_type, &meta.checksum)
                };
                if present.as_ref().is_some_and(same) {
                    return Ok(None);
                }
                let custom = meta.own_custom();
                let version = destination.props().versioning.enabled.then_some(1);
                let version =
                    if source.bid() == destination.bid() { None } else { version.or(Some(0)) };
                let options = PutOptions { custom, version, ..PutOptions::default() };
                let mut writer = engine.write_blocking(&destination, &to, options)?;
                let mut at = 0;
                while at < content.size() {
                    let piece = content.read_at(at, super::content::PIECE)?;
                    at += piece.len() as u64;
                    writer.write_bytes(piece)?;
                }
                writer.seal().map(Some)
            })
            .await?;
        match sealed {
            Some(sealed) => sealed.commit().await.map(Some),
            None => Ok(None),
        }
    }

    /// Up to `limit` objects in the order of their names, after `after`, with this prefix.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn scan(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, ObjectMeta)>> {
        let (bid, prefix, after) = (bucket.bid(), prefix.to_owned(), after.map(str::to_owned));
        self.storage()
            .meta()
            .blocking(move |meta| {
                let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                meta.scan(bid, from, &prefix, limit)
            })
            .await
    }

    /// Makes an object of content that was written in parts.
    pub(super) fn assemble(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        content: Vec<Chunk>,
        checksum: super::checksum::Checksum,
        custom: Vec<(String, String)>,
    ) -> Sealed {
        let now = super::now();
        let meta = ObjectMeta {
            size: content.iter().map(|chunk| chunk.size).sum(),
            checksum_type: checksum.kind,
            checksum: checksum.value,
            version: 0,
            atime: now,
            mtime: now,
            custom,
            content,
            chunked: true,
        };
        Sealed::new(Arc::clone(self), bucket.clone(), name.to_owned(), meta)
    }
}

/// Checks the name of an object as the engine can keep it: that of [`check_object`], or one that ends with a slash, as
/// S3's clients name folders. AIStore's API refuses these before they come here.
///
/// # Errors
///
/// When it is none.
pub fn check_key(name: &str) -> Result<()> {
    let plain = name.strip_suffix('/').filter(|plain| !plain.is_empty() && !plain.ends_with('/'));
    Ok(check_object(plain.unwrap_or(name))?)
}

/// Checks custom properties.
///
/// # Errors
///
/// When they are more than 2 KiB together, or have what separates them on the wire.
pub fn check_custom(custom: &[(String, String)]) -> Result<()> {
    let size: usize = custom.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_CUSTOM {
        return Err(Error::invalid(format!(
            "custom metadata: total size {size} exceeds max {MAX_CUSTOM} bytes"
        )));
    }
    for (key, value) in custom {
        let odd = |text: &str| text.chars().any(char::is_control);
        if key.is_empty() || key.contains('=') || odd(key) || odd(value) {
            return Err(Error::invalid(format!(
                "invalid custom property \"{key}\": keys must not be empty or hold \"=\", and neither keys nor values may hold control characters"
            )));
        }
    }
    Ok(())
}

impl Work for Engine {
    fn inline(&self) -> bool {
        self.storage().blobs().inline()
    }
}
