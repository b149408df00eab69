//! What reading an object returns.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes as RustBytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use holdall::store::checksum::Checksum;
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{Attributes, GetResult as RustGetResult, ObjectMeta, Result};
use holdall::store::transfer::{Transfer, has_ranges, stated_checksum};
use holdall::store::{Error, ErrorKind, Store};
use pyo3::exceptions::{PyStopAsyncIteration, PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::body::Body;
use super::{meta, options};
use crate::awaitable::future_into_py;
use crate::bytes::Bytes;
use crate::errors::{StoreError, to_py};
use crate::runtime::{Driver, block_with, follow, quick_or_block_on, ready_or_block_on};
use crate::transfer::Room;

/// Smallest chunk of a stream, unless the caller asks for another, in bytes.
const MIN_CHUNK_BYTES: usize = 10 * 1024 * 1024;

/// Bodies of this length are read by several requests at once.
const LARGE_BYTES: u64 = 16 * 1024 * 1024;

/// An object that has been asked for: its description at once, its body when it is read.
///
/// The body can be read once, by `bytes()`, by `stream()` or by iterating; the properties stay valid.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct GetResult {
    body: Mutex<Option<Body>>,
    meta: ObjectMeta,
    range: (u64, u64),
    attributes: Attributes,
    url: Url,
    /// Whether reading the body works on the thread that asks.
    local: bool,
    ready: bool,
    /// What drives the connection that the body comes through.
    driver: Driver,
    /// Whether the rest of the body is worth several requests, and can be had by them.
    is_large: bool,
    /// What a large body amounts to, if the service states it.
    expected: Option<Checksum>,
}

/// The URL of an object, put together when an error needs it.
#[derive(Clone)]
pub(super) struct Url(Store, Path);

impl Url {
    pub(super) fn new(store: &Store, path: Path) -> Self {
        Self(store.clone(), path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.1
    }

    pub(super) fn error(&self, error: holdall::store::object_store::Error) -> Error {
        self.0.error("get", &self.1, error)
    }
}

impl Drop for GetResult {
    fn drop(&mut self) {
        let Some(driver) = &self.driver else { return };
        let unread = self.body.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if unread.is_some() {
            drop(unread);
            driver.settle();
        }
    }
}

impl GetResult {
    /// `is_present` says that no version was asked for: ranges are of the present one.
    pub(super) fn new(
        result: RustGetResult,
        url: Url,
        sync: bool,
        driver: Driver,
        is_present: bool,
    ) -> Self {
        let scheme = url.0.provider().scheme();
        let is_large = is_present
            && result.range.end - result.range.start >= LARGE_BYTES
            && !matches!(scheme, "memory" | "file")
            && has_ranges(&url.0, &result);
        let expected = if is_large { stated_checksum(&result) } else { None };
        let RustGetResult { payload, meta, range, attributes, .. } = result;
        Self {
            meta,
            range: (range.start, range.end),
            attributes,
            url,
            local: scheme == "memory" || (sync && scheme == "file"),
            ready: scheme == "memory",
            body: Mutex::new(Some(Body::new(payload, range))),
            driver,
            is_large,
            expected,
        }
    }

    /// Goes on with the body of a large object by several requests at once, all of one version.
    fn finish(
        &self,
        body: Body,
    ) -> impl Future<Output = Result<RustBytes, Error>> + Send + 'static {
        let (url, meta, range) = (self.url.clone(), self.meta.clone(), self.range.0..self.range.1);
        let expected = self.expected.clone();
        async move {
            match body {
                Body::Stream(stream, _) => {
                    Transfer::new().finish_read(&url.0, &meta, range, stream, expected).await
                }
                body => body.bytes().await.map_err(|e| url.error(e)),
            }
        }
    }

    /// Reads the body into a buffer, which is given back with the count of bytes.
    fn fill(
        &self,
        buffer: &Bound<'_, PyAny>,
    ) -> PyResult<impl Future<Output = Result<(usize, Room), Error>> + Send + 'static> {
        let mut room = Room::of(buffer)?;
        let length = self.range.1 - self.range.0;
        if (room.len() as u64) < length {
            let detail =
                format!("it has {length} bytes, and the buffer has room for {}", room.len());
            let url = self.url.0.url_of(self.url.path());
            return Err(to_py(&Error::new(ErrorKind::InvalidArgument, "get", url, detail)));
        }
        let (body, is_large) = (self.take()?, self.is_large);
        let (url, meta, range) = (self.url.clone(), self.meta.clone(), self.range.0..self.range.1);
        let expected = self.expected.clone();
        Ok(async move {
            let length = length as usize;
            let target = &mut room.as_mut_slice()[..length];
            match body {
                Body::Stream(stream, _) if is_large => {
                    let transfer = Transfer::new();
                    transfer
                        .finish_read_into(&url.0, &meta, range, stream, expected, target)
                        .await?;
                }
                body => body.read_into(target).await.map_err(|e| url.error(e))?,
            }
            Ok((length, room))
        })
    }

    fn take(&self) -> PyResult<Body> {
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        body.ok_or_else(|| {
            PyValueError::new_err("Result has already been disposed: the body can be read once")
        })
    }
}

#[pymethods]
impl GetResult {
    /// Attributes of the object: content type, user metadata and so on.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        options::attributes_out(py, &self.attributes)
    }

    /// Path, time of modification, size in bytes, entity tag and version of the object.
    #[getter]
    fn meta<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        meta::object(py, &self.meta)
    }

    /// The range that the body covers: start and end in bytes, the end exclusive.
    #[getter]
    fn range(&self) -> (u64, u64) {
        self.range
    }

    /// The whole body.
    fn bytes(&self, py: Python<'_>) -> PyResult<Bytes> {
        let body = self.take()?;
        if self.is_large {
            let read = block_with(py, &self.driver, false, self.finish(body))?;
            return Ok(Bytes(read.map_err(|e| to_py(&e))?));
        }
        let body = body.bytes();
        let read = match (self.ready, self.local) {
            (true, _) => quick_or_block_on(py, body)?,
            (_, true) => ready_or_block_on(py, body)?,
            _ => block_with(py, &self.driver, true, body)?,
        };
        Ok(Bytes(read.map_err(|e| to_py(&self.url.error(e)))?))
    }

    /// The whole body; the same as `bytes()`.
    fn buffer(&self, py: Python<'_>) -> PyResult<Bytes> {
        self.bytes(py)
    }

    /// The whole body, to be awaited.
    fn bytes_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (body, url, local) = (self.take()?, self.url.clone(), self.local && !self.ready);
        let driver = self.driver.clone();
        if self.is_large {
            let read = self.finish(body);
            let read = async move {
                match driver {
                    Some(driver) => follow(driver, false, read).await,
                    None => Ok(read.await),
                }
            };
            return future_into_py(py, false, read, move |py, read| {
                let read = read?.map_err(|e| to_py(&e))?;
                Ok(Bound::new(py, Bytes(read))?.into_any().unbind())
            });
        }
        let read = async move {
            match (driver, local) {
                (Some(driver), _) => follow(driver, true, body.bytes()).await,
                // The result of a synchronous call, read asynchronously: its file is read off the event loop.
                (None, true) => {
                    let runtime = tokio::runtime::Handle::current();
                    let read = move || runtime.block_on(body.bytes());
                    Ok(tokio::task::spawn_blocking(read).await.unwrap_or_else(|e| Err(e.into())))
                }
                (None, false) => Ok(body.bytes().await),
            }
        };
        future_into_py(py, self.ready, read, move |py, read| {
            let read = read?.map_err(|e| to_py(&url.error(e)))?;
            Ok(Bound::new(py, Bytes(read))?.into_any().unbind())
        })
    }

    /// The whole body, to be awaited; the same as `bytes_async()`.
    fn buffer_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.bytes_async(py)
    }

    /// Read the body into a writable buffer with room for it; returns how many bytes it has.
    fn readinto(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let read = self.fill(buffer)?;
        let read = match self.local {
            true => ready_or_block_on(py, read)?,
            false => block_with(py, &self.driver, !self.is_large, read)?,
        };
        let (length, _room) = read.map_err(|e| to_py(&e))?;
        Ok(length)
    }

    /// Read the body into a writable buffer, to be awaited. The buffer is held until then.
    fn readinto_async<'py>(
        &self,
        py: Python<'py>,
        buffer: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (read, driver, alone) = (self.fill(buffer)?, self.driver.clone(), !self.is_large);
        let read = async move {
            match driver {
                Some(driver) => follow(driver, alone, read).await,
                None => Ok(read.await),
            }
        };
        future_into_py(py, self.ready, read, move |py, read| {
            let (length, _room) = read?.map_err(|e| to_py(&e))?;
            Ok(length.into_pyobject(py)?.into_any().unbind())
        })
    }

    /// The body in chunks of at least `min_chunk_size` bytes, but for the last.
    #[pyo3(signature = (min_chunk_size = MIN_CHUNK_BYTES))]
    fn stream(&self, min_chunk_size: usize) -> PyResult<BytesStream> {
        let pieces = self.take()?.pieces(min_chunk_size);
        Ok(BytesStream {
            pieces: Arc::new(tokio::sync::Mutex::new(Some(pieces))),
            url: self.url.clone(),
            local: self.local,
            ready: self.ready,
            driver: self.driver.clone(),
        })
    }

    fn __iter__(&self) -> PyResult<BytesStream> {
        self.stream(MIN_CHUNK_BYTES)
    }

    fn __aiter__(&self) -> PyResult<BytesStream> {
        self.stream(MIN_CHUNK_BYTES)
    }

    fn __repr__(&self) -> String {
        let (start, end) = self.range;
        format!(
            "GetResult(path=\"{}\", size={}, range=({start}, {end}))",
            self.meta.location, self.meta.size
        )
    }
}

type Pieces = Option<BoxStream<'static, Result<RustBytes>>>;

/// The body of an object in chunks, for `for` and `async for`.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct BytesStream {
    pieces: Arc<tokio::sync::Mutex<Pieces>>,
    url: Url,
    local: bool,
    ready: bool,
    driver: Driver,
}

impl Drop for BytesStream {
    fn drop(&mut self) {
        let Some(driver) = &self.driver else { return };
        // Not there: read to its end, or being read by someone who keeps it.
        let left = self.pieces.try_lock().ok().and_then(|mut pieces| pieces.take());
        if left.is_some() {
            drop(left);
            driver.settle();
        }
    }
}

async fn next_piece(pieces: Arc<tokio::sync::Mutex<Pieces>>) -> Option<Result<RustBytes>> {
    let mut pieces = pieces.lock().await;
    let next = match pieces.as_mut() {
        Some(stream) => stream.next().await,
        None => None,
    };
    if !matches!(next, Some(Ok(_))) {
        *pieces = None;
    }
    next
}

#[pymethods]
impl BytesStream {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let next = next_piece(self.pieces.clone());
        let next = match self.local {
            true => ready_or_block_on(py, next)?,
            false => block_with(py, &self.driver, true, next)?,
        };
        match next {
            Some(piece) => Ok(PyBytes::new(py, &piece.map_err(|e| to_py(&self.url.error(e)))?)),
            None => Err(PyStopIteration::new_err(())),
        }
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (url, driver) = (self.url.clone(), self.driver.clone());
        let next = next_piece(self.pieces.clone());
        let next = async move {
            match driver {
                Some(driver) => follow(driver, true, next).await,
                None => Ok(next.await),
            }
        };
        future_into_py(py, self.ready, next, move |py, next| match next? {
            Some(piece) => {
                let piece = piece.map_err(|e| StoreError(url.error(e)))?;
                Ok(PyBytes::new(py, &piece).into_any().unbind())
            }
            None => Err(PyStopAsyncIteration::new_err(())),
        })
    }
}
