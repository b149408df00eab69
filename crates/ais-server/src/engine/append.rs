//! Appending: bytes are collected under a handle, and become the object when they are flushed.
//!
//! What was acknowledged under a handle survives a restart. Handles are forgotten when nobody uses them for an hour.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use holdall_ais_wire::id;
use holdall_ais_wire::name::check_object;

use super::begun::{Begun, Ends, Header, Kind};
use super::checksum::Checksum;
use super::content::{Content, PIECE};
use super::piece::Piece;
use super::upload::PartFacts;
use super::{Bucket, Engine, PutOptions, Work as _};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Chunk, Meta, ObjectMeta};

/// Handles that were used since the start, each as long as it may be in use.
#[derive(Default)]
pub(super) struct Appends(Mutex<HashMap<String, Arc<Handle>>>);

struct Handle {
    begun: Begun,
    /// The object as it was at the start, if there was one. Open, so that it outlives its replacement.
    base: Option<(Vec<Chunk>, Content)>,
    /// Number of the next piece. One that was not added leaves a gap.
    next: AtomicU32,
    /// Whether a request works on it.
    busy: AtomicBool,
}

impl Handle {
    fn new(begun: Begun, base: Option<(Vec<Chunk>, Content)>, next: u32) -> Self {
        Self { begun, base, next: AtomicU32::new(next), busy: AtomicBool::new(false) }
    }
}

/// A handle that a request works on; dropped, it is free for the next one.
pub struct Append {
    id: String,
    handle: Arc<Handle>,
}

impl Append {
    /// The handle for the next request.
    pub fn handle(&self) -> &str {
        &self.id
    }
}

impl Drop for Append {
    fn drop(&mut self) {
        self.handle.busy.store(false, Ordering::Release);
    }
}

impl Appends {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Handle>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Begins to append, to what the object holds now, or goes on under a handle.
    ///
    /// # Errors
    ///
    /// When the handle is unknown, belongs to another object, or is in use; after a restart also when the object was
    /// replaced since the first append.
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
        let begun = Begun::new(Kind::Append, bucket, name, handle);
        let known = self.appends.lock().get(handle).cloned();
        let (meta, wanted) = (self.storage().meta(), begun.clone());
        let found = match known {
            Some(known) => {
                meta.blocking(move |meta| wanted.header(meta)).await?;
                known
            }
            None => {
                let find = move |meta: &Meta| Ok((wanted.header(meta)?, wanted.pieces(meta)?));
                let (header, pieces) = meta.blocking(find).await?;
                let base = self.base_again(bucket, name, header.base).await?;
                let next = pieces.last_key_value().map_or(0, |(number, _)| number + 1);
                self.known(handle, Handle::new(begun, base, next))
            }
        };
        if found.busy.swap(true, Ordering::AcqRel) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("cannot append to {}/{name}: another request is appending", bucket.bck()),
            ));
        }
        Ok(Append { id: handle.to_owned(), handle: found })
    }

    /// Remembers a handle, unless another request was faster.
    fn known(&self, id: &str, handle: Handle) -> Arc<Handle> {
        let mut all = self.appends.lock();
        Arc::clone(all.entry(id.to_owned()).or_insert_with(|| Arc::new(handle)))
    }

    async fn new_append(self: &Arc<Self>, bucket: &Bucket, name: &str) -> Result<Append> {
        let base = match self.open(bucket, name).await {
            Ok((meta, content)) => Some((meta.content, content)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let id = format!("{}|{}", self.target_id(), id::new());
        let begun = Begun::new(Kind::Append, bucket, name, &id);
        let handle = self.known(&id, Handle::new(begun, base, 0));
        handle.busy.store(true, Ordering::Release);
        Ok(Append { id, handle })
    }

    /// The content that a handle of before the start adds to.
    async fn base_again(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        base: Vec<Chunk>,
    ) -> Result<Option<(Vec<Chunk>, Content)>> {
        if base.is_empty() {
            return Ok(None);
        }
        match self.open(bucket, name).await {
            Ok((meta, content)) if meta.content == base => Ok(Some((base, content))),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "cannot append to {}/{name}: the object was changed after the first append, and the server was \
                     restarted since: append without a handle to begin again",
                    bucket.bck()
                ),
            )),
        }
    }

    /// Adds a short content.
    ///
    /// # Errors
    ///
    /// Those of the file system and the store: then nothing was added.
    pub async fn append(self: &Arc<Self>, append: &Append, content: Bytes) -> Result<()> {
        let write = move |engine: &Arc<Self>| {
            let mut piece = Piece::create(engine.storage().blobs())?;
            piece.write_bytes(content)?;
            Ok(piece)
        };
        let piece = self.blocking(write).await?;
        self.append_piece(append, piece).await
    }

    /// Adds a piece that was written apart.
    ///
    /// # Errors
    ///
    /// Those of the file system and the store: then nothing was added.
    pub async fn append_piece(self: &Arc<Self>, append: &Append, piece: Piece) -> Result<()> {
        let handle = &append.handle;
        let piece = self.blocking(|_| piece.seal()).await?;
        let number = handle.next.fetch_add(1, Ordering::Relaxed);
        // The first piece begins it: so what nobody got a handle of leaves nothing.
        let header = (number == 0).then(|| {
            let base = handle.base.as_ref().map(|(chunks, _)| chunks.clone());
            Header { base: base.unwrap_or_default(), ..Header::new(handle.begun.name()) }
        });
        handle.begun.add(self, number, piece, PartFacts::default(), header).await
    }

    /// Begins a piece.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub async fn piece(self: &Arc<Self>) -> Result<Piece> {
        self.blocking(|engine| Piece::create(engine.storage().blobs())).await
    }

    /// Makes what was appended the object, which ends the handle. After an error the handle goes on.
    ///
    /// # Errors
    ///
    /// A checksum that differs; those of the file system and the store.
    pub async fn flush(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        append: Append,
        checksum: Option<Checksum>,
    ) -> Result<ObjectMeta> {
        let (bucket, name) = (bucket.clone(), name.to_owned());
        let handle = Arc::clone(&append.handle);
        let sealed = self.heavy(move |engine| {
            let pieces = handle.begun.pieces(engine.storage().meta())?;
            let options = PutOptions { checksum, ..PutOptions::default() };
            let mut writer = engine.write_blocking(&bucket, &name, options)?;
            if let Some((_, base)) = &handle.base {
                let mut at = 0;
                while at < base.size() {
                    let bytes = base.read_at(at, PIECE)?;
                    at += bytes.len() as u64;
                    writer.write_bytes(bytes)?;
                }
            }
            let pieces: Vec<_> = pieces.into_values().map(|piece| piece.chunk).collect();
            engine.read_chunks(&pieces, |bytes| writer.write_bytes(bytes))?;
            let ends = Ends { begun: handle.begun.clone(), pieces: Default::default() };
            Ok(writer.seal()?.ending(ends))
        });
        let meta = sealed.await?.commit().await?;
        self.appends.lock().remove(&append.id);
        Ok(meta)
    }

    /// Forgets handles that have ended without a flush, and closes the objects that they add to.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(super) async fn sweep_appends(&self) -> Result<()> {
        let idle: Vec<_> = {
            let all = self.appends.lock();
            let idle = all.iter().filter(|(_, handle)| !handle.busy.load(Ordering::Acquire));
            idle.map(|(id, handle)| (id.clone(), handle.begun.clone())).collect()
        };
        let gone = move |meta: &Meta| {
            let gone = |(_, begun): &(String, Begun)| begun.header(meta).is_err();
            Ok(idle.into_iter().filter(gone).map(|(id, _)| id).collect::<Vec<_>>())
        };
        let gone = self.storage().meta().blocking(gone).await?;
        let mut all = self.appends.lock();
        for id in gone {
            // One that was taken meanwhile may be about to begin.
            if all.get(&id).is_some_and(|handle| !handle.busy.load(Ordering::Acquire)) {
                all.remove(&id);
            }
        }
        Ok(())
    }
}
