//! Writing an object as a file: small writes are gathered; what fills a part goes to the engine, which sends parts side
//! by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes as RustBytes, BytesMut};
use futures::{StreamExt, stream};
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{
    Attributes, CopyMode, ObjectStore, PutMode, PutOptions, PutPayload, TagSet,
};
use holdall::store::transfer::{Report, Transfer, TransferOptions};
use holdall::store::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::awaitable::future_into_py;
use crate::buffer::with_slice;
use crate::errors::to_py;
use crate::ops::key::Key;
use crate::ops::{attributes_in, tags_in};
use crate::runtime::{block_on, generation, of_the_parent, runtime};
use crate::stores::{Handle, PyStore};

struct State {
    buffer: BytesMut,
    part_bytes: usize,
    position: u64,
    flow: Option<Flow>,
    ended: bool,
    /// A write has failed or was cancelled half-way: what is here has a hole, and must not appear.
    broken: bool,
}

/// What the upload is told.
enum Piece {
    More(Result<RustBytes>),
    /// That was all. Whoever goes away without it has been cancelled.
    End,
}

/// The upload, once there is enough for a part.
struct Flow {
    pieces: mpsc::Sender<Piece>,
    sent: JoinHandle<Result<Report>>,
}

impl Flow {
    /// Ends it: with what has been written, or with nothing when there is an error.
    async fn end(self, error: Option<Error>) -> Result<Report> {
        let last = error.map_or(Piece::End, |error| Piece::More(Err(error)));
        // An upload that has ended already needs to be told nothing.
        drop(self.pieces.send(last).await);
        let sent = self.sent.await;
        sent.unwrap_or_else(|e| Err(Error::new(ErrorKind::Join, "write", "", e.to_string())))
    }
}

struct Inner {
    handle: Handle,
    path: Path,
    attributes: Attributes,
    tags: TagSet,
    mode: CopyMode,
    max_concurrency: usize,
    /// The process that the parts are sent from.
    generation: u64,
    /// Writes that were called and have not ended well; cancelled ones stay here for ever.
    unfinished: AtomicUsize,
    state: Mutex<State>,
}

impl Inner {
    fn failed(&self, error: holdall::store::object_store::Error) -> Error {
        self.handle.store.error("write", &self.path, error)
    }

    /// Hands full parts to the upload.
    async fn send(&self, state: &mut State) -> Result<()> {
        while state.buffer.len() >= state.part_bytes {
            let part = state.buffer.split_to(state.part_bytes).freeze();
            // It stays there for whoever comes after one who is cancelled here.
            let flow = state.flow.get_or_insert_with(|| self.flow(state.part_bytes));
            if flow.pieces.send(Piece::More(Ok(part))).await.is_err() {
                // It takes no more because it has failed.
                if let Some(flow) = state.flow.take() {
                    flow.end(None).await?;
                }
                return Err(self.incomplete());
            }
        }
        Ok(())
    }

    /// Begins the upload.
    fn flow(&self, part_bytes: usize) -> Flow {
        let options = TransferOptions::default()
            .with_part_bytes(part_bytes as u64)
            .with_parts(self.max_concurrency)
            // How often is asked again is for the store's own settings to say.
            .with_retries(0)
            .with_mode(self.mode)
            .with_attributes(Some(self.attributes.clone()))
            .with_tags(self.tags.clone());
        let transfer = Transfer::new().with_options(options);
        let (store, path) = (self.handle.store.clone(), self.path.clone());
        let (pieces, taken) = mpsc::channel(1);
        let cut_off = self.incomplete();
        let taken = stream::unfold(Some((taken, cut_off)), |taken| async move {
            let (mut taken, cut_off) = taken?;
            match taken.recv().await {
                Some(Piece::More(piece)) => Some((piece, Some((taken, cut_off)))),
                Some(Piece::End) => None,
                None => Some((Err(cut_off), None)),
            }
        });
        let sent = async move { transfer.upload_stream(taken.boxed(), &store, &path).await };
        Flow { pieces, sent: runtime().spawn(sent) }
    }

    async fn write(&self, data: RustBytes) -> Result<()> {
        let state = &mut *self.state.lock().await;
        self.check(state)?;
        // Holds for a future that is dropped while it waits, too.
        state.broken = true;
        state.position += data.len() as u64;
        state.buffer.extend_from_slice(&data);
        self.send(state).await?;
        state.broken = false;
        self.unfinished.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    }

    fn incomplete(&self) -> Error {
        let url = self.handle.store.url_of(&self.path);
        let detail = "an earlier write failed or was cancelled: the object was left as it was";
        Error::new(ErrorKind::Io, "write", url, detail)
    }

    fn check(&self, state: &State) -> Result<()> {
        if state.broken {
            return Err(self.incomplete());
        }
        if !state.ended {
            return Ok(());
        }
        let url = self.handle.store.url_of(&self.path);
        Err(Error::new(ErrorKind::Io, "write", url, "I/O operation on closed file"))
    }

    /// Publishes the object; a second time does nothing.
    async fn close(&self) -> Result<()> {
        let state = &mut *self.state.lock().await;
        if std::mem::replace(&mut state.ended, true) {
            return Ok(());
        }
        if state.broken || self.unfinished.load(Ordering::Acquire) > 0 {
            state.buffer.clear();
            if let Some(flow) = state.flow.take() {
                // The failure of the write is the one to report.
                drop(flow.end(Some(self.incomplete())).await);
            }
            return Err(self.incomplete());
        }
        let rest = state.buffer.split().freeze();
        let Some(flow) = state.flow.take() else {
            let mode = match self.mode {
                CopyMode::Overwrite => PutMode::Overwrite,
                CopyMode::Create => PutMode::Create,
            };
            let options = PutOptions {
                mode,
                attributes: self.attributes.clone(),
                tags: self.tags.clone(),
                ..Default::default()
            };
            let put = self.handle.store.put_opts(&self.path, PutPayload::from(rest), options).await;
            return put.map(drop).map_err(|e| self.failed(e));
        };
        if !rest.is_empty() {
            // Should it take no more, its end tells why.
            drop(flow.pieces.send(Piece::More(Ok(rest))).await);
        }
        flow.end(None).await.map(drop)
    }

    /// Drops what was written.
    async fn abort(&self) {
        let state = &mut *self.state.lock().await;
        state.ended = true;
        state.buffer.clear();
        if let Some(flow) = state.flow.take() {
            drop(flow.end(Some(self.incomplete())).await);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(flow) = self.state.get_mut().flow.take() else { return };
        if self.generation != generation() {
            // The upload is the parent's, which may be going on with it.
            std::mem::forget(flow);
            return;
        }
        // Nobody waits for this: the service would keep, and charge for, the parts of an upload that nobody ends.
        let error = self.incomplete();
        runtime().spawn(flow.end(Some(error)));
    }
}

/// The writing core of a file object.
#[pyclass(frozen, module = "holdall")]
pub(super) struct Writer(Arc<Inner>);

impl Writer {
    /// The core, in the process that the file was opened in.
    fn own(&self) -> PyResult<&Arc<Inner>> {
        if self.0.generation == generation() { Ok(&self.0) } else { Err(of_the_parent()) }
    }

    fn start<'py>(
        &self,
        py: Python<'py>,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        future_into_py(py, self.0.handle.ready, work, |py, done| {
            done.map_err(|e| to_py(&e))?;
            Ok(py.None())
        })
    }

    /// Takes data that needs no part to be sent; false when one is due.
    fn gather(&self, data: &[u8]) -> bool {
        let Ok(mut state) = self.0.state.try_lock() else { return false };
        if state.ended || state.broken || state.buffer.len() + data.len() >= state.part_bytes {
            return false;
        }
        state.position += data.len() as u64;
        state.buffer.extend_from_slice(data);
        true
    }
}

#[pymethods]
impl Writer {
    #[new]
    #[pyo3(signature = (store, path, attributes, buffer_size, tags, max_concurrency, create=false))]
    fn new(
        store: &Bound<'_, PyStore>,
        path: Key,
        attributes: Option<&Bound<'_, PyDict>>,
        buffer_size: usize,
        tags: Option<&Bound<'_, PyDict>>,
        max_concurrency: usize,
        create: bool,
    ) -> PyResult<Self> {
        let state = State {
            buffer: BytesMut::new(),
            part_bytes: buffer_size.max(1),
            position: 0,
            flow: None,
            ended: false,
            broken: false,
        };
        Ok(Self(Arc::new(Inner {
            handle: store.get().handle.clone(),
            path: path.0,
            attributes: attributes_in(attributes)?,
            tags: tags_in(tags)?,
            mode: if create { CopyMode::Create } else { CopyMode::Overwrite },
            max_concurrency: max_concurrency.max(1),
            generation: generation(),
            unfinished: AtomicUsize::new(0),
            state: Mutex::new(state),
        })))
    }

    /// The URL of the object, without credentials.
    #[getter]
    fn url(&self) -> String {
        self.0.handle.store.url_of(&self.0.path)
    }

    /// How many bytes have been written.
    #[getter]
    fn position(&self) -> u64 {
        self.0.state.try_lock().map_or(0, |state| state.position)
    }

    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.own()?;
        let (length, copied) = with_slice(data, |data| match self.gather(data) {
            true => (data.len(), None),
            false => (data.len(), Some(RustBytes::copy_from_slice(data))),
        })?;
        if let Some(data) = copied {
            self.0.unfinished.fetch_add(1, Ordering::AcqRel);
            block_on(py, self.0.write(data))?.map_err(|e| to_py(&e))?;
        }
        Ok(length)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        block_on(py, self.own()?.close())?.map_err(|e| to_py(&e))
    }

    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        block_on(py, self.own()?.abort())
    }

    fn write_async<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let inner = self.own()?.clone();
        let data = with_slice(data, RustBytes::copy_from_slice)?;
        let length = data.len();
        inner.unfinished.fetch_add(1, Ordering::AcqRel);
        let work = async move { inner.write(data).await };
        future_into_py(py, self.0.handle.ready, work, move |py, done| {
            done.map_err(|e| to_py(&e))?;
            Ok(length.into_pyobject(py)?.into_any().unbind())
        })
    }

    fn close_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inner = self.own()?.clone();
        self.start(py, async move { inner.close().await })
    }

    fn abort_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inner = self.own()?.clone();
        self.start(py, async move {
            inner.abort().await;
            Ok(())
        })
    }
}
