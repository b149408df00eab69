//! Writing an object as a file: small writes are gathered, large ones go out as they are, parts fly in parallel.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes as RustBytes, BytesMut};
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{
    Attributes, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, TagSet,
};
use holdall::store::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::awaitable::future_into_py;
use crate::buffer::with_slice;
use crate::errors::to_py;
use crate::ops::key::Key;
use crate::ops::{attributes_in, tags_in};
use crate::runtime::{block_on, generation, of_the_parent, runtime};
use crate::stores::{Handle, PyStore};

/// The size of parts doubles after this many, so that 10,000 parts hold 5 TiB.
const PARTS_OF_A_SIZE: usize = 1000;

struct State {
    buffer: BytesMut,
    part_bytes: usize,
    count: usize,
    position: u64,
    upload: Option<Box<dyn MultipartUpload>>,
    parts: JoinSet<holdall::store::object_store::Result<()>>,
    ended: bool,
    /// A write has failed or was cancelled half-way: what is here has a hole, and must not appear.
    broken: bool,
}

struct Inner {
    handle: Handle,
    path: Path,
    attributes: Attributes,
    tags: TagSet,
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

    /// Sends full parts.
    async fn send(&self, state: &mut State) -> Result<()> {
        while state.buffer.len() >= state.part_bytes {
            let part = state.buffer.split_to(state.part_bytes).freeze();
            self.send_part(state, part).await?;
        }
        Ok(())
    }

    async fn send_part(&self, state: &mut State, part: RustBytes) -> Result<()> {
        if state.upload.is_none() {
            let options = PutMultipartOptions {
                attributes: self.attributes.clone(),
                tags: self.tags.clone(),
                ..Default::default()
            };
            let upload = self.handle.store.put_multipart_opts(&self.path, options).await;
            state.upload = Some(upload.map_err(|e| self.failed(e))?);
        }
        while state.parts.len() >= self.max_concurrency {
            self.joined(state.parts.join_next().await)?;
        }
        if let Some(upload) = &mut state.upload {
            let part = upload.put_part(PutPayload::from(part));
            state.parts.spawn(part);
        }
        state.count += 1;
        if state.count.is_multiple_of(PARTS_OF_A_SIZE) {
            state.part_bytes *= 2;
        }
        Ok(())
    }

    fn joined(
        &self,
        joined: Option<Result<holdall::store::object_store::Result<()>, tokio::task::JoinError>>,
    ) -> Result<()> {
        match joined {
            None => Ok(()),
            Some(Ok(sent)) => sent.map_err(|e| self.failed(e)),
            Some(Err(error)) => Err(self.failed(error.into())),
        }
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
            if let Some(mut upload) = state.upload.take() {
                state.parts.abort_all();
                // The failure of the write is the one to report.
                drop(upload.abort().await);
            }
            return Err(self.incomplete());
        }
        let rest = state.buffer.split().freeze();
        if state.upload.is_none() {
            let options = PutOptions {
                attributes: self.attributes.clone(),
                tags: self.tags.clone(),
                ..Default::default()
            };
            let put = self.handle.store.put_opts(&self.path, PutPayload::from(rest), options).await;
            return put.map(drop).map_err(|e| self.failed(e));
        }
        let sent = async {
            if !rest.is_empty() {
                self.send_part(state, rest).await?;
            }
            while let Some(joined) = state.parts.join_next().await {
                self.joined(Some(joined))?;
            }
            Ok(())
        }
        .await;
        let Some(mut upload) = state.upload.take() else { return sent };
        match sent {
            Ok(()) => upload.complete().await.map(drop).map_err(|e| self.failed(e)),
            Err(error) => {
                // The first error is the one to report.
                drop(upload.abort().await);
                Err(error)
            }
        }
    }

    /// Drops what was written.
    async fn abort(&self) -> Result<()> {
        let state = &mut *self.state.lock().await;
        state.ended = true;
        state.buffer.clear();
        state.parts.abort_all();
        while state.parts.join_next().await.is_some() {}
        match state.upload.take() {
            Some(mut upload) => upload.abort().await.map_err(|e| self.failed(e)),
            None => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let Some(mut upload) = state.upload.take() else { return };
        let mut parts = std::mem::take(&mut state.parts);
        if self.generation != generation() {
            // The upload is the parent's, which may be going on with it.
            std::mem::forget((upload, parts));
            return;
        }
        // Nobody waits for this: the service would keep, and charge for, the parts of an upload that nobody ends.
        runtime().spawn(async move {
            parts.abort_all();
            while parts.join_next().await.is_some() {}
            drop(upload.abort().await);
        });
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
    #[pyo3(signature = (store, path, attributes, buffer_size, tags, max_concurrency))]
    fn new(
        store: &Bound<'_, PyStore>,
        path: Key,
        attributes: Option<&Bound<'_, PyDict>>,
        buffer_size: usize,
        tags: Option<&Bound<'_, PyDict>>,
        max_concurrency: usize,
    ) -> PyResult<Self> {
        let state = State {
            buffer: BytesMut::new(),
            part_bytes: buffer_size.max(1),
            count: 0,
            position: 0,
            upload: None,
            parts: JoinSet::new(),
            ended: false,
            broken: false,
        };
        Ok(Self(Arc::new(Inner {
            handle: store.get().handle.clone(),
            path: path.0,
            attributes: attributes_in(attributes)?,
            tags: tags_in(tags)?,
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
        block_on(py, self.own()?.abort())?.map_err(|e| to_py(&e))
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
        self.start(py, async move { inner.abort().await })
    }
}
