//! Cold reads: objects are brought here before they are read, once for all who ask.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use holdall_ais_wire::name::check_object;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{GetOptions, ObjectStore as _};
use holdall_store::transfer::{Events, Transfer, TransferOptions};

use super::flight::{Coming, Flight, Passenger, State, stream};
use super::{facts, wait_blocking};
use crate::engine::content::PIECE;
use crate::engine::writer::Sealed;
use crate::engine::{Bucket, Engine, PutOptions, Work as _, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::ObjectMeta;

/// Bytes of a request for an object that is read while it comes: what comes later is handed on later.
const STREAMED_CHUNK: u64 = 4 << 20;
/// How often a read looks again when others change the object meanwhile.
const ATTEMPTS: usize = 8;
/// The feature of a bucket that lets cold reads answer before the object is here: AIStore's bit.
pub const STREAMING_COLD_GET: u64 = 1 << 12;

/// The bytes of an object at a backend.
type Pieces = BoxStream<'static, Result<Bytes>>;

/// How an object is wanted.
#[derive(Debug, Clone, Default)]
pub struct Want {
    /// Whether what is here is compared with what is there.
    pub latest: bool,
    /// Whether what is gone there goes here, too.
    pub sync: bool,
    /// How to download it.
    pub how: How,
}

/// How an object is downloaded.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// Bytes of a request; the engine's default when not told.
    pub chunk_bytes: Option<u64>,
    /// Requests at once; the engine's default when not told.
    pub workers: Option<usize>,
    /// Who is told while bytes move.
    pub events: Events,
}

impl Want {
    /// The same with what the bucket's properties say of every read.
    pub(crate) fn of(bucket: &Bucket, latest: bool, sync: bool) -> Self {
        let versioning = &bucket.props().versioning;
        Self {
            latest: latest || sync || versioning.validate_warm_get || versioning.synchronize,
            sync: sync || versioning.synchronize,
            how: How::default(),
        }
    }
}

/// An object that is being downloaded and may be read already.
pub struct Arriving {
    coming: Arc<Coming>,
    passenger: Passenger,
}

impl Arriving {
    /// What the backend says of it.
    pub fn meta(&self) -> &ObjectMeta {
        &self.coming.meta
    }

    /// The bytes of a range. The stream ends with an error when the download fails.
    pub fn stream(
        self,
        range: Range<u64>,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        stream(self.coming, self.passenger, range)
    }
}

impl Engine {
    /// Brings an object here, unless it is here and nobody wants to know better; for buckets of this server it only
    /// looks.
    ///
    /// # Errors
    ///
    /// When it is nowhere; those of the backend and of the storage.
    pub async fn bring(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        want: &Want,
    ) -> Result<ObjectMeta> {
        if !bucket.is_remote() {
            return self.head(bucket, name).await;
        }
        let mut left = ATTEMPTS;
        loop {
            let replaced = match self.wanted(bucket, name, want).await? {
                Wanted::Here(meta) => return Ok(meta),
                Wanted::Fetch(replaced) => replaced,
            };
            let (passenger, begun) = self.board(bucket, name, replaced, want.how.clone());
            left -= 1;
            match passenger.landed().await {
                Err(error) if error.kind() == ErrorKind::Conflict && left > 0 => {}
                // Another's download may have begun before the version that is wanted was there.
                Ok(_) if want.latest && !begun && left > 0 => {}
                landed => return landed,
            }
        }
    }

    /// Brings an object of a backend here.
    ///
    /// # Errors
    ///
    /// As [`bring`](Self::bring).
    pub(crate) async fn bring_if_remote(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
    ) -> Result<()> {
        if bucket.is_remote() {
            self.bring(bucket, name, &Want::of(bucket, false, false)).await?;
        }
        Ok(())
    }

    /// The same as [`bring`](Self::bring) for threads that may block.
    ///
    /// # Errors
    ///
    /// As there; outside of a runtime.
    pub fn bring_blocking(self: &Arc<Self>, bucket: &Bucket, name: &str) -> Result<()> {
        if !bucket.is_remote() {
            return Ok(());
        }
        check_object(name)?;
        if !Want::of(bucket, false, false).latest
            && self.storage().meta().object(bucket.bid(), name)?.is_some()
        {
            return Ok(());
        }
        wait_blocking(self.bring(bucket, name, &Want::of(bucket, false, false))).map(drop)
    }

    /// Brings an object here as [`bring`](Self::bring) does, but answers as soon as it can be read, where the bucket's features
    /// say so: none when it is here.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn arrive(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        want: &Want,
    ) -> Result<Option<Arriving>> {
        if !bucket.is_remote() {
            return Ok(None);
        }
        if bucket.props().features & STREAMING_COLD_GET == 0 {
            self.bring(bucket, name, want).await?;
            return Ok(None);
        }
        let Wanted::Fetch(replaced) = self.wanted(bucket, name, want).await? else {
            return Ok(None);
        };
        let mut how = want.how.clone();
        how.chunk_bytes.get_or_insert(STREAMED_CHUNK);
        let (passenger, begun) = self.board(bucket, name, replaced, how);
        match passenger.moving().await {
            Ok(Some((coming, passenger))) if begun || !want.latest => {
                Ok(Some(Arriving { coming, passenger }))
            }
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            _ => self.bring(bucket, name, want).await.map(|_| None),
        }
    }

    async fn wanted(self: &Arc<Self>, bucket: &Bucket, name: &str, want: &Want) -> Result<Wanted> {
        let Some(here) = self.find(bucket, name).await? else { return Ok(Wanted::Fetch(None)) };
        if !want.latest {
            return Ok(Wanted::Here(here));
        }
        match self.head_backend(bucket, name).await? {
            Some(there) if facts::is_same(&here, &there) => Ok(Wanted::Here(here)),
            Some(_) => Ok(Wanted::Fetch(Some(here))),
            None => {
                if want.sync {
                    self.forget(bucket, vec![name.to_owned()]).await?;
                }
                Err(self.no_object(bucket, name))
            }
        }
    }

    /// Whether what is here is what the backend has; none when it has nothing.
    ///
    /// # Errors
    ///
    /// Those of the backend.
    pub async fn is_latest(
        &self,
        bucket: &Bucket,
        name: &str,
        here: &ObjectMeta,
    ) -> Result<Option<bool>> {
        let there = self.head_backend(bucket, name).await?;
        Ok(there.map(|there| facts::is_same(here, &there)))
    }

    /// An object as its backend describes it; none when it is not there.
    ///
    /// # Errors
    ///
    /// Those of the backend.
    pub async fn head_backend(&self, bucket: &Bucket, name: &str) -> Result<Option<ObjectMeta>> {
        let remote = self.remote(bucket)?;
        let path = key(bucket, name)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        match remote.store.get_opts(&path, options).await {
            Ok(found) => {
                Ok(Some(facts::of_remote(remote.provider, &found.meta, &found.attributes)))
            }
            Err(error) => {
                let error = remote.store.error("head", &path, error);
                match error.kind() {
                    holdall_store::ErrorKind::NotFound => Ok(None),
                    _ => Err(self.backend_error(bucket, name, &error)),
                }
            }
        }
    }

    fn board(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        replaced: Option<ObjectMeta>,
        how: How,
    ) -> (Passenger, bool) {
        let (engine, of, object) = (Arc::clone(self), bucket.clone(), name.to_owned());
        Passenger::board(self, bucket.bid(), name, move |flight| async move {
            engine.fly(of, object, flight, replaced, how).await
        })
    }

    /// Downloads an object.
    async fn fly(
        self: Arc<Self>,
        bucket: Bucket,
        name: String,
        flight: Arc<Flight>,
        replaced: Option<ObjectMeta>,
        how: How,
    ) -> Result<ObjectMeta> {
        let started = std::time::Instant::now();
        let opened = self.open_there(&bucket, &name, how).await?;
        let meta = &opened.0;
        let put = PutOptions {
            custom: meta.custom.clone(),
            version: Some(0),
            mtime: (meta.mtime != 0).then_some(meta.mtime),
            ..PutOptions::default()
        };
        let size = meta.size;
        let sealed = self.receive((&bucket, &name), put, opened, Some(&flight)).await?;
        let sealed = sealed.cached().over(replaced.as_ref()).unless(flight.outdated());
        let committed = sealed.commit().await?;
        self.counters().cold(size, started.elapsed());
        self.cached(size);
        Ok(committed)
    }

    /// Opens an object at its backend: what it is, and its bytes.
    async fn open_there(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        how: How,
    ) -> Result<(ObjectMeta, Pieces)> {
        let remote = self.remote(bucket)?;
        let path = key(bucket, name)?;
        let mut options = TransferOptions::default();
        if let Some(bytes) = how.chunk_bytes {
            options = options.with_part_bytes(bytes);
        }
        if let Some(workers) = how.workers {
            options = options.with_parts(workers);
        }
        let transfer = Transfer::new().with_options(options).with_events(how.events);
        let failed = |error| self.backend_error(bucket, name, &error);
        let opened = transfer.open_stream(&remote.store, &path).await.map_err(failed)?;
        let meta = facts::of_remote(remote.provider, &opened.meta, &opened.attributes);
        let errors = Arc::clone(self);
        let (of, object) = (bucket.clone(), name.to_owned());
        let content = opened
            .content
            .map(move |piece| piece.map_err(|error| errors.backend_error(&of, &object, &error)));
        // A stream that has ended is asked again by who collects pieces.
        Ok((meta, content.fuse().boxed()))
    }

    /// Copies an object from its backend to another bucket, and keeps nothing of it in its own: none when what is here is
    /// what is wanted.
    pub(in crate::engine) async fn copy_from_there(
        self: &Arc<Self>,
        (source, name): (&Bucket, &str),
        (destination, to): (&Bucket, &str),
        want: &Want,
    ) -> Result<Option<ObjectMeta>> {
        if let Wanted::Here(_) = self.wanted(source, name, want).await? {
            return Ok(None);
        }
        if source.bid() == destination.bid() && name == to {
            return self.bring(source, name, want).await.map(Some);
        }
        let opened = self.open_there(source, name, How::default()).await?;
        let put = PutOptions {
            custom: opened.0.own_custom(),
            version: Some(u64::from(destination.props().versioning.enabled)),
            ..PutOptions::default()
        };
        let sealed = self.receive((destination, to), put, opened, None).await?;
        sealed.commit().await.map(Some)
    }

    async fn receive_small(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        put: PutOptions,
        mut content: Pieces,
    ) -> Result<Sealed> {
        let mut pieces = Vec::new();
        while let Some(piece) = content.next().await {
            pieces.push(piece?);
        }
        let (bucket, name) = (bucket.clone(), name.to_owned());
        self.blocking(move |engine| {
            let mut writer = engine.write_blocking(&bucket, &name, put)?;
            for piece in pieces {
                writer.write_bytes(piece)?;
            }
            writer.seal()
        })
        .await
    }

    /// Receives an object. Of a large one a piece is written while the next one is collected.
    async fn receive(
        self: &Arc<Self>,
        (bucket, name): (&Bucket, &str),
        put: PutOptions,
        (meta, mut content): (ObjectMeta, Pieces),
        flight: Option<&Arc<Flight>>,
    ) -> Result<Sealed> {
        if meta.size <= PIECE as u64 {
            return self.receive_small(bucket, name, put, content).await;
        }
        let (bucket, name) = (bucket.clone(), name.to_owned());
        let begin = move |engine: &Arc<Self>| {
            let mut writer = engine.write_blocking(&bucket, &name, put)?;
            let reader = writer.reader()?;
            Ok((writer, reader))
        };
        let (mut writer, reader) = self.blocking(begin).await?;
        let coming = Arc::new(Coming { meta, reader });
        let tell = |written| {
            if let Some(flight) = flight {
                flight.tell(State::Moving { coming: Arc::clone(&coming), written });
            }
        };
        tell(0);
        let mut pieces = collect(&mut content).await?;
        while !pieces.is_empty() {
            let ready = std::mem::take(&mut pieces);
            let write = self.blocking(move |_| write_all(writer, ready));
            let (written, next) = tokio::join!(write, collect(&mut content));
            writer = written?;
            tell(writer.size());
            pieces = next?;
        }
        self.blocking(move |_| writer.seal()).await
    }
}

fn write_all(mut writer: Writer, pieces: Vec<Bytes>) -> Result<Writer> {
    for piece in pieces {
        writer.write_bytes(piece)?;
    }
    Ok(writer)
}

/// The next bytes, about a megabyte; nothing at the end.
async fn collect(content: &mut Pieces) -> Result<Vec<Bytes>> {
    let (mut pieces, mut bytes) = (Vec::new(), 0);
    while bytes < PIECE {
        let Some(piece) = content.next().await else { break };
        let piece = piece?;
        bytes += piece.len();
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Whether an object is here as it is wanted.
enum Wanted {
    Here(ObjectMeta),
    /// It has to be fetched, in place of this one.
    Fetch(Option<ObjectMeta>),
}

/// The key of an object at its backend.
pub(super) fn key(bucket: &Bucket, name: &str) -> Result<Path> {
    let cannot =
        |why: &str| format!("{}/{name}: no backend can hold this name: {why}", bucket.bck());
    if name.ends_with('/') {
        return Err(Error::invalid(cannot("it ends with a slash")));
    }
    Path::parse(name).map_err(|e| Error::invalid(cannot(&e.to_string())).with_source(e))
}
