//! What listing returns.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use holdall::store::object_store::ObjectMeta;
use holdall::store::{Level, ObjectVersion, OddKey, Result, VersionEntry};
use pyo3::exceptions::{PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tokio::sync::Mutex;

use super::meta::{self, Entry, Row};
use crate::arrow;
use crate::awaitable::future_into_py;
use crate::errors::to_py;
use crate::runtime::{block_on, ready_or_block_on};

/// Something that listings are made of.
pub(super) trait Listed: Send + 'static {
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>>;
}

impl Listed for Entry {
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Row::of(self).to_dict(py)
    }
}

impl Listed for VersionEntry {
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        meta::version(py, self)
    }
}

/// Starts a listing; true for one that works on the thread that asks.
type Start = Box<dyn FnOnce(bool) -> BoxStream<'static, Result<ObjectMeta>> + Send>;

enum Chunks {
    Unstarted(Option<Start>),
    Objects(Option<BoxStream<'static, Result<ObjectMeta>>>),
    Versions(Option<BoxStream<'static, Result<ObjectVersion>>>),
}

enum Chunk {
    Objects(Vec<Entry>),
    Versions(Vec<VersionEntry>),
}

impl Chunks {
    /// The next entries, at most `count`; None at the end. After an error the listing is over.
    async fn next(&mut self, count: usize, inline: bool) -> Result<Option<Chunk>> {
        if let Self::Unstarted(start) = self {
            *self = Self::Objects(start.take().map(|start| start(inline)));
        }
        match self {
            Self::Unstarted(_) => Ok(None),
            Self::Objects(stream) => Ok(take(stream, count).await?.map(Chunk::Objects)),
            Self::Versions(stream) => Ok(take(stream, count).await?.map(Chunk::Versions)),
        }
    }
}

async fn take<T>(
    stream: &mut Option<BoxStream<'static, Result<T>>>,
    count: usize,
) -> Result<Option<Vec<std::result::Result<T, Box<OddKey>>>>> {
    let Some(entries) = stream else { return Ok(None) };
    let mut taken = Vec::with_capacity(count.min(1024));
    while taken.len() < count {
        match entries.next().await.map(OddKey::or_item) {
            Some(Ok(entry)) => taken.push(entry),
            Some(Err(error)) => {
                *stream = None;
                return Err(error);
            }
            None => {
                *stream = None;
                break;
            }
        }
    }
    Ok((!taken.is_empty()).then_some(taken))
}

/// A listing in chunks, for `for` and `async for`; `collect()` takes what is left at once.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct ListStream {
    chunks: Arc<Mutex<Chunks>>,
    chunk_size: usize,
    return_arrow: bool,
    /// Whether the listing works on the thread that asks, for synchronous and asynchronous callers.
    local: bool,
    ready: bool,
}

impl ListStream {
    pub(super) fn objects(
        start: impl FnOnce(bool) -> BoxStream<'static, Result<ObjectMeta>> + Send + 'static,
        chunk_size: usize,
        return_arrow: bool,
        scheme: &str,
    ) -> Self {
        Self {
            chunks: Arc::new(Mutex::new(Chunks::Unstarted(Some(Box::new(start))))),
            chunk_size: chunk_size.max(1),
            return_arrow,
            local: matches!(scheme, "memory" | "file"),
            ready: scheme == "memory",
        }
    }

    pub(super) fn versions(
        listing: BoxStream<'static, Result<ObjectVersion>>,
        chunk_size: usize,
    ) -> Self {
        Self {
            chunks: Arc::new(Mutex::new(Chunks::Versions(Some(listing)))),
            chunk_size: chunk_size.max(1),
            return_arrow: false,
            local: false,
            ready: false,
        }
    }

    fn take(&self, py: Python<'_>, count: usize) -> PyResult<Option<Chunk>> {
        let chunks = self.chunks.clone();
        let inline = self.local;
        let next = async move { chunks.lock().await.next(count, inline).await };
        let next = if self.local { ready_or_block_on(py, next)? } else { block_on(py, next)? };
        next.map_err(|e| to_py(&e))
    }

    fn take_async<'py>(
        &self,
        py: Python<'py>,
        count: usize,
        end: fn(Python<'_>, bool) -> PyResult<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (chunks, return_arrow) = (self.chunks.clone(), self.return_arrow);
        let inline = self.ready;
        let next = async move { chunks.lock().await.next(count, inline).await };
        future_into_py(py, self.ready, next, move |py, next| match next.map_err(|e| to_py(&e))? {
            Some(chunk) => chunk_out(py, chunk, return_arrow),
            None => end(py, return_arrow),
        })
    }
}

fn chunk_out(py: Python<'_>, chunk: Chunk, return_arrow: bool) -> PyResult<Py<PyAny>> {
    match chunk {
        Chunk::Objects(objects) if return_arrow => arrow::record_batch(py, &objects),
        Chunk::Objects(objects) => dicts(py, &objects),
        Chunk::Versions(versions) => dicts(py, &versions),
    }
}

fn dicts<T: Listed>(py: Python<'_>, entries: &[T]) -> PyResult<Py<PyAny>> {
    let list = PyList::empty(py);
    for entry in entries {
        list.append(entry.to_dict(py)?)?;
    }
    Ok(list.into_any().unbind())
}

fn empty(py: Python<'_>, return_arrow: bool) -> PyResult<Py<PyAny>> {
    chunk_out(py, Chunk::Objects(Vec::new()), return_arrow)
}

fn stop_async(_: Python<'_>, _: bool) -> PyResult<Py<PyAny>> {
    Err(PyStopAsyncIteration::new_err(()))
}

#[pymethods]
impl ListStream {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.take(py, self.chunk_size)? {
            Some(chunk) => chunk_out(py, chunk, self.return_arrow),
            None => Err(PyStopIteration::new_err(())),
        }
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.take_async(py, self.chunk_size, stop_async)
    }

    /// All entries that have not been taken yet.
    fn collect(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.take(py, usize::MAX)? {
            Some(chunk) => chunk_out(py, chunk, self.return_arrow),
            None => empty(py, self.return_arrow),
        }
    }

    /// All entries that have not been taken yet, to be awaited.
    fn collect_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.take_async(py, usize::MAX, empty)
    }
}

/// The result of listing one level: `common_prefixes` and `objects`.
pub(super) fn level(py: Python<'_>, found: Level, return_arrow: bool) -> PyResult<Py<PyAny>> {
    let dict = PyDict::new(py);
    let prefixes: Vec<&str> = found.common_prefixes.iter().map(AsRef::as_ref).collect();
    dict.set_item("common_prefixes", prefixes)?;
    let odd = found.odd.into_iter().map(|odd| Err(odd.into()));
    let objects: Vec<Entry> = found.objects.into_iter().map(Ok).chain(odd).collect();
    let objects = match return_arrow {
        true => arrow::table(py, &objects)?,
        false => dicts(py, &objects)?,
    };
    dict.set_item("objects", objects)?;
    Ok(dict.into_any().unbind())
}
