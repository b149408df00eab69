//! Where bytes end: a local file or an object, visible when it is whole and right.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path as FsPath, PathBuf};

use bytes::Bytes;
use holdall_store::Store;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, WriteMultipart,
};

use super::{Wanted, wrong_checksum, wrong_size};
use crate::error::{Error, ErrorKind, Result};
use crate::multihash::{Algorithm, Hasher, Multihash};
use crate::place::Place;

/// Received bytes are handed to the file in batches of this many: a hop to another thread for each is cheap then.
const BATCH_BYTES: usize = 1 << 20;

/// Objects up to this size are written with one request.
const SINGLE_PUT_BYTES: usize = 8 << 20;

/// Parts of one upload in flight.
const PARTS_IN_FLIGHT: usize = 4;

/// Where one download goes.
pub(crate) struct Sink {
    place: Place,
    wanted: Wanted,
    pending: Vec<Bytes>,
    pending_bytes: usize,
    written: u64,
    expected: Option<u64>,
    open: Option<Open>,
}

enum Open {
    /// The batch that is being written.
    Writing(tokio::task::JoinHandle<io::Result<Box<Temporary>>>),
    Upload(Box<WriteMultipart>, Box<Hashing>),
}

/// What is computed on the way.
#[derive(Default)]
struct Hashing(Vec<Hasher>);

impl Hashing {
    fn new(wanted: &Wanted) -> Self {
        let mut algorithms: Vec<Algorithm> =
            wanted.checksum.iter().map(Multihash::algorithm).chain(wanted.compute).collect();
        algorithms.dedup();
        Self(algorithms.into_iter().map(Hasher::new).collect())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.iter_mut().for_each(|hasher| hasher.update(data));
    }

    fn finish(self) -> Vec<Multihash> {
        self.0.into_iter().map(Hasher::finish).collect()
    }
}

/// A file next to its place, removed when it does not get there.
struct Temporary {
    file: File,
    path: PathBuf,
    hashing: Hashing,
    keep: bool,
    done: bool,
}

impl Temporary {
    fn create(target: &FsPath, wanted: &Wanted) -> io::Result<Box<Self>> {
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned());
        // Names near the limit of the file system leave no room for more.
        let name: String = name.unwrap_or_default().chars().take(40).collect();
        let path = target.with_file_name(format!(".{name}.{:016x}.part", fastrand::u64(..)));
        let open = || File::options().write(true).create_new(true).open(&path);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && wanted.make_directory => {
                fs::create_dir_all(target.parent().unwrap_or(FsPath::new(".")))?;
                open()?
            }
            other => other?,
        };
        let (hashing, keep) = (Hashing::new(wanted), wanted.keep_partial);
        Ok(Box::new(Self { file, path, hashing, keep, done: false }))
    }

    fn write(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        for piece in pieces {
            self.file.write_all(piece)?;
            self.hashing.update(piece);
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.done && !self.keep {
            // The name is nobody else's; a directory that went away takes the file along.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Sink {
    pub(crate) fn new(place: &Place, wanted: &Wanted) -> Self {
        Self {
            place: place.clone(),
            wanted: wanted.clone(),
            pending: Vec::new(),
            pending_bytes: 0,
            written: 0,
            expected: None,
            open: None,
        }
    }

    /// Bytes taken so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The length that the source announced.
    pub(crate) fn expect(&mut self, size: Option<u64>) {
        self.expected = size;
    }

    /// Forgets everything that was taken.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.pending.clear();
        (self.pending_bytes, self.written) = (0, 0);
        match self.open.take() {
            Some(Open::Writing(writing)) => drop(writing.await),
            Some(Open::Upload(upload, _)) => drop(upload.abort().await),
            _ => {}
        }
        Ok(())
    }

    /// Gives up. The first error is the one to report, so what goes wrong here is not said.
    pub(crate) async fn abandon(mut self) {
        drop(self.restart().await);
    }

    /// Takes the next piece.
    pub(crate) async fn write(&mut self, piece: Bytes) -> Result<()> {
        self.written += piece.len() as u64;
        self.pending_bytes += piece.len();
        self.pending.push(piece);
        if let Some(size) = self.wanted.size
            && self.written > size
        {
            return Err(wrong_size(
                &self.place.href(),
                self.expected.unwrap_or(self.written),
                size,
            ));
        }
        let limit = match self.place {
            Place::Local(_) => BATCH_BYTES,
            Place::Store(..) if self.open.is_some() => BATCH_BYTES,
            Place::Store(..) => SINGLE_PUT_BYTES,
        };
        if self.pending_bytes >= limit { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        let pieces = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        match self.place.clone() {
            Place::Local(path) => {
                // One batch is written while the next is received.
                let file = self.file().await?;
                let wanted = self.wanted.clone();
                self.open = Some(Open::Writing(tokio::task::spawn_blocking(move || {
                    let mut file = match file {
                        Some(file) => file,
                        None => Temporary::create(&path, &wanted)?,
                    };
                    file.write(&pieces)?;
                    Ok(file)
                })));
                Ok(())
            }
            Place::Store(store, key) => self.upload(&store, &key, pieces).await,
        }
    }

    /// The file once the batch before is written.
    async fn file(&mut self) -> Result<Option<Box<Temporary>>> {
        match self.open.take() {
            Some(Open::Writing(writing)) => {
                Ok(Some(joined(writing.await).map_err(|e| self.local_error(&e))?))
            }
            _ => Ok(None),
        }
    }

    async fn upload(&mut self, store: &Store, key: &Path, pieces: Vec<Bytes>) -> Result<()> {
        let failed = |e| Error::from(store.error("upload", key, e));
        if self.open.is_none() {
            let upload = start_upload(store, key, self.attributes(None)).await.map_err(failed)?;
            // Parts grow with the object so that their number stays below what services allow.
            let least = self.expected.unwrap_or(0).div_ceil(9_000);
            let part = usize::try_from(least).unwrap_or(usize::MAX).max(SINGLE_PUT_BYTES);
            let upload = WriteMultipart::new_with_chunk_size(upload, part);
            let hashing = Hashing::new(&self.wanted);
            self.open = Some(Open::Upload(Box::new(upload), Box::new(hashing)));
        }
        let Some(Open::Upload(upload, hashing)) = &mut self.open else { return Ok(()) };
        for piece in pieces {
            upload.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(failed)?;
            hashing.update(&piece);
            upload.put(piece);
        }
        Ok(())
    }

    fn attributes(&self, media_type: Option<&str>) -> Attributes {
        let mut attributes = Attributes::new();
        let kind = self.wanted.media_type.as_deref().or(media_type);
        if let Some(kind) = kind {
            attributes.insert(Attribute::ContentType, kind.to_owned().into());
        }
        attributes
    }

    /// Checks length and checksum and shows the whole under its name.
    pub(crate) async fn publish(
        mut self,
        media_type: Option<&str>,
    ) -> Result<(u64, Option<Multihash>)> {
        if let Some(expected) = self.wanted.size
            && expected != self.written
        {
            let error = wrong_size(&self.place.href(), self.written, expected);
            self.abandon().await;
            return Err(error);
        }
        let hashes = match self.place.clone() {
            Place::Local(path) => self.publish_file(path).await?,
            Place::Store(store, key) => self.publish_object(&store, &key, media_type).await?,
        };
        let computed = self.wanted.compute;
        let hash = hashes.into_iter().find(|hash| computed.is_none_or(|a| a == hash.algorithm()));
        Ok((self.written, hash))
    }

    async fn publish_file(&mut self, path: PathBuf) -> Result<Vec<Multihash>> {
        let file = self.file().await?;
        let (pieces, wanted) = (std::mem::take(&mut self.pending), self.wanted.clone());
        let write = move || {
            let mut file = match file {
                Some(file) => file,
                None => Temporary::create(&path, &wanted)?,
            };
            file.write(&pieces)?;
            let hashes = std::mem::take(&mut file.hashing).finish();
            if let Some((actual, expected)) = mismatch(&hashes, &wanted) {
                return Ok(Err(wrong_checksum(&path.to_string_lossy(), actual, expected)));
            }
            fs::rename(&file.path, &path)?;
            file.done = true;
            Ok(Ok(hashes))
        };
        joined(tokio::task::spawn_blocking(write).await).map_err(|e| self.local_error(&e))?
    }

    async fn publish_object(
        &mut self,
        store: &Store,
        key: &Path,
        media_type: Option<&str>,
    ) -> Result<Vec<Multihash>> {
        let failed = |e| Error::from(store.error("upload", key, e));
        let pieces = std::mem::take(&mut self.pending);
        if let Some(Open::Upload(..)) = self.open {
            self.upload(store, key, pieces).await?;
            let Some(Open::Upload(upload, hashing)) = self.open.take() else {
                return Ok(Vec::new());
            };
            let hashes = hashing.finish();
            if let Some((actual, expected)) = mismatch(&hashes, &self.wanted) {
                let error = wrong_checksum(&self.place.href(), actual, expected);
                drop(upload.abort().await);
                return Err(error);
            }
            upload.finish().await.map_err(failed)?;
            return Ok(hashes);
        }
        let mut hashing = Hashing::new(&self.wanted);
        pieces.iter().for_each(|piece| hashing.update(piece));
        let hashes = hashing.finish();
        if let Some((actual, expected)) = mismatch(&hashes, &self.wanted) {
            return Err(wrong_checksum(&self.place.href(), actual, expected));
        }
        let payload: PutPayload = pieces.into_iter().collect();
        let options =
            PutOptions { attributes: self.attributes(media_type), ..PutOptions::default() };
        match store.put_opts(key, payload.clone(), options).await {
            // Stores that keep no attributes get the content without them.
            Err(holdall_store::object_store::Error::NotSupported { .. }) => {
                store.put_opts(key, payload, PutOptions::default()).await.map_err(failed)?
            }
            other => other.map_err(failed)?,
        };
        Ok(hashes)
    }

    fn local_error(&self, error: &io::Error) -> Error {
        let target = self.place.href();
        if error.kind() == io::ErrorKind::NotFound && !self.wanted.make_directory {
            let parent = self.place.local().and_then(FsPath::parent).unwrap_or(FsPath::new("."));
            let detail = format!("output directory does not exist: {}", parent.display());
            return Error::new(ErrorKind::Directory, "write", target, detail);
        }
        let kind = match error.kind() {
            io::ErrorKind::NotFound => holdall_store::ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => holdall_store::ErrorKind::PermissionDenied,
            _ => holdall_store::ErrorKind::Io,
        };
        Error::from(holdall_store::Error::new(kind, "write", target, error.to_string()))
            .with_kind(ErrorKind::Directory)
    }
}

fn mismatch<'a>(
    hashes: &'a [Multihash],
    wanted: &'a Wanted,
) -> Option<(&'a Multihash, &'a Multihash)> {
    let expected = wanted.checksum.as_ref()?;
    let actual = hashes.iter().find(|hash| hash.algorithm() == expected.algorithm())?;
    (!expected.matches(actual)).then_some((actual, expected))
}

fn joined<T>(result: Result<io::Result<T>, tokio::task::JoinError>) -> io::Result<T> {
    result.unwrap_or_else(|error| Err(io::Error::other(error)))
}

async fn start_upload(
    store: &Store,
    key: &Path,
    attributes: Attributes,
) -> holdall_store::object_store::Result<Box<dyn MultipartUpload>> {
    let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
    match store.put_multipart_opts(key, options).await {
        Err(holdall_store::object_store::Error::NotSupported { .. }) => {
            store.put_multipart_opts(key, PutMultipartOptions::default()).await
        }
        other => other,
    }
}
