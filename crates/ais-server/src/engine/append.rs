//! Appending: bytes are collected under a handle, and become the object when they are flushed.
//!
//! The handles live as long as the process, and are forgotten when nobody uses them for an hour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use holdall_ais_wire::id;
use holdall_ais_wire::name::check_object;

use super::checksum::Checksum;
use super::content::{Content, PIECE};
use super::piece::{Piece, SealedPiece};
use super::{Bucket, Engine, PutOptions, Work as _};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::ObjectMeta;

/// How long a handle lives without being used.
const LIFE: Duration = Duration::from_secs(3600);

/// All handles.
#[derive(Default)]
pub(super) struct Appends(Mutex<HashMap<String, Entry>>);

struct Entry {
    bid: u64,
    name: String,
    used: Instant,
    /// None while a request works on it.
    append: Option<Append>,
}

/// What has been appended so far.
pub struct Append {
    handle: String,
    /// The object as it was at the start.
    base: Option<Content>,
    sealed: Vec<SealedPiece>,
    open: Option<Piece>,
}

impl Append {
    /// The handle for the next request.
    pub fn handle(&self) -> &str {
        &self.handle
    }
}

impl Appends {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Begins to append, to what the object holds now, or goes on under a handle. Give it back with
    /// [`put_append`](Self::put_append).
    ///
    /// # Errors
    ///
    /// When the handle is unknown, belongs to another object, or is in use.
    pub async fn take_append(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        handle: &str,
    ) -> Result<Append> {
        check_object(name)?;
        if handle.is_empty() {
            return self.new_append(bucket, name).await;
        }
        let mut all = self.appends.lock();
        let entry =
            all.get_mut(handle).filter(|entry| entry.bid == bucket.bid() && entry.name == name);
        let entry =
            entry.ok_or_else(|| Error::invalid(format!("invalid APPEND handle: {handle:?}")))?;
        entry.used = Instant::now();
        entry.append.take().ok_or_else(|| {
            Error::new(
                ErrorKind::Conflict,
                format!("cannot append to {}/{name}: another request is appending", bucket.bck()),
            )
        })
    }

    async fn new_append(self: &Arc<Self>, bucket: &Bucket, name: &str) -> Result<Append> {
        let base = match self.open(bucket, name).await {
            Ok((_, content)) => Some(content),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let handle = format!("{}|{}", self.target_id(), id::new());
        let mut all = self.appends.lock();
        all.retain(|_, entry| entry.used.elapsed() < LIFE);
        let entry =
            Entry { bid: bucket.bid(), name: name.to_owned(), used: Instant::now(), append: None };
        all.insert(handle.clone(), entry);
        Ok(Append { handle, base, sealed: Vec::new(), open: None })
    }

    /// Gives back what [`take_append`](Self::take_append) gave.
    pub fn put_append(&self, append: Append) {
        if let Some(entry) = self.appends.lock().get_mut(&append.handle) {
            entry.append = Some(append);
        }
    }

    /// Adds a short content. The handle is lost when the disk fails.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub async fn append(self: &Arc<Self>, mut append: Append, content: Bytes) -> Result<Append> {
        self.blocking(move |engine| {
            let mut piece = match append.open.take() {
                Some(piece) => piece,
                None => Piece::create(engine.storage().blobs())?,
            };
            piece.write_bytes(content)?;
            append.open = Some(piece);
            Ok(append)
        })
        .await
    }

    /// Adds a piece that was written apart.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub async fn append_piece(
        self: &Arc<Self>,
        mut append: Append,
        piece: Piece,
    ) -> Result<Append> {
        self.blocking(move |_| {
            if let Some(open) = append.open.replace(piece) {
                append.sealed.push(open.seal()?);
            }
            Ok(append)
        })
        .await
    }

    /// Begins a piece.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub async fn piece(self: &Arc<Self>) -> Result<Piece> {
        self.blocking(|engine| Piece::create(engine.storage().blobs())).await
    }

    /// Makes what was appended the object. The handle ends, also with an error.
    ///
    /// # Errors
    ///
    /// A checksum that differs; those of the file system.
    pub async fn flush(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        append: Append,
        checksum: Option<Checksum>,
    ) -> Result<ObjectMeta> {
        self.appends.lock().remove(&append.handle);
        let (bucket, name) = (bucket.clone(), name.to_owned());
        let sealed = self.heavy(move |engine| {
            let Append { base, mut sealed, open, .. } = append;
            if let Some(open) = open {
                sealed.push(open.seal()?);
            }
            let mut writer = engine.write_blocking(
                &bucket,
                &name,
                PutOptions { checksum, ..PutOptions::default() },
            )?;
            if let Some(base) = base {
                let mut at = 0;
                while at < base.size() {
                    let bytes = base.read_at(at, PIECE)?;
                    at += bytes.len() as u64;
                    writer.write_bytes(bytes)?;
                }
            }
            for piece in sealed {
                let (blob, size) = (piece.open()?, piece.chunk().size);
                let mut at = 0;
                while at < size {
                    let bytes = blob.read_at(at, PIECE)?;
                    at += bytes.len() as u64;
                    writer.write_bytes(bytes)?;
                }
            }
            writer.seal()
        });
        sealed.await?.commit().await
    }
}
