//! Writing an object from whatever Python offers.

use std::fs::File;
use std::io::Read;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use holdall::store::local::has_no_length;
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{
    Attributes, ObjectStore, PutMode, PutOptions, PutPayload, PutResult, TagSet,
};
use holdall::store::transfer::{Report, Transfer, TransferOptions};
use holdall::store::{Error, ErrorKind, Store};
use pyo3::exceptions::{PyStopIteration, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::buffer::Input;
use crate::errors::to_py;

/// Bytes that are taken from a Python object at a time.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// What takes less time to read than a thread of its own takes to begin.
const SHORT_BYTES: u64 = 1024 * 1024;

/// Where the content comes from.
pub(crate) enum Source {
    Buffer(Bytes),
    File {
        /// Opened when its turn comes where there may be thousands.
        file: Option<Arc<File>>,
        path: PathBuf,
        length: u64,
    },
    /// An object with `read`.
    Reader(Py<PyAny>),
    Iterator(Py<PyAny>),
    AsyncIterator {
        iterator: Py<PyAny>,
        event_loop: Py<PyAny>,
    },
}

impl Source {
    /// Tells the kinds of input apart, in the order that obstore does.
    pub(crate) fn of(input: &Bound<'_, PyAny>, is_async: bool) -> PyResult<Self> {
        let py = input.py();
        if input.is_instance_of::<PyBytes>() {
            return Ok(Self::Buffer(input.extract::<Input>()?.0));
        }
        let is_path = input.is_instance_of::<PyString>()
            || (input.hasattr("__fspath__")? && !input.hasattr("read")?);
        if is_path {
            let path: PathBuf = input.extract()?;
            let metadata = std::fs::metadata(&path).map_err(|e| local_error(&path, &e))?;
            let is_made = || File::open(&path).is_ok_and(|file| has_no_length(&file, &metadata));
            if !metadata.is_file() || (metadata.len() == 0 && is_made()) {
                // A pipe, a device, or what the system makes below `/proc`: it is read to its end.
                let opened = py.import("builtins")?.getattr("open")?.call1((&path, "rb"))?;
                return Ok(Self::Reader(opened.unbind()));
            }
            let file = match is_async {
                true => None,
                false => Some(File::open(&path).map_err(|e| local_error(&path, &e))?),
            };
            return Ok(Self::File { file: file.map(Arc::new), path, length: metadata.len() });
        }
        if let Ok(Input(data)) = input.extract::<Input>() {
            return Ok(Self::Buffer(data));
        }
        if input.hasattr("read")? {
            return Ok(Self::Reader(input.clone().unbind()));
        }
        if input.hasattr("__aiter__")? && (is_async || !input.hasattr("__iter__")?) {
            if !is_async {
                return Err(PyValueError::new_err(
                    "an asynchronous iterator needs put_async or upload_async: a synchronous call has no event loop",
                ));
            }
            return Ok(Self::AsyncIterator {
                iterator: input.call_method0("__aiter__")?.unbind(),
                event_loop: py.import("asyncio")?.getattr("get_running_loop")?.call0()?.unbind(),
            });
        }
        match input.try_iter() {
            Ok(iterator) => Ok(Self::Iterator(iterator.into_any().unbind())),
            Err(_) => {
                let found = input.get_type().name()?;
                Err(PyTypeError::new_err(format!(
                    "cannot put a {found}: expected bytes, a buffer, a path, a file object or an iterable of buffers"
                )))
            }
        }
    }

    /// Whether no Python code runs while it is read.
    pub(crate) fn is_at_hand(&self) -> bool {
        matches!(self, Self::Buffer(_) | Self::File { .. })
    }

    /// How many bytes there are, where that is known.
    fn length(&self) -> Option<u64> {
        match self {
            Self::Buffer(data) => Some(data.len() as u64),
            Self::File { length, .. } => Some(*length),
            _ => None,
        }
    }

    /// The next `size` bytes or somewhat more, in the pieces they came in; empty at the end.
    pub(crate) async fn next(&mut self, offset: u64, size: usize) -> Result<Vec<Bytes>, Failure> {
        match self {
            Self::Buffer(data) => {
                let piece = data.split_to(size.min(data.len()));
                Ok(if piece.is_empty() { Vec::new() } else { vec![piece] })
            }
            Self::File { file, path, length } => {
                let end = (*length).min(offset.saturating_add(size as u64));
                if offset >= end {
                    return Ok(Vec::new());
                }
                let (opened, owned) = (file.clone(), path.clone());
                let read = move || {
                    let file = match opened {
                        Some(file) => file,
                        None => Arc::new(File::open(&owned).map_err(|e| failed(&owned, &e))?),
                    };
                    let read = holdall::store::local::read_at(&file, offset..end);
                    read.map_err(|e| Error::from_store("put", owned.display().to_string(), e))
                };
                let read = match end - offset <= SHORT_BYTES {
                    true => holdall::store::local::in_line(read).await.ok_or_else(no_runtime)?,
                    false => blocking(read).await?,
                };
                Ok(vec![read.map_err(Failure::Store)?])
            }
            Self::Reader(reader) => {
                let reader = Python::attach(|py| reader.clone_ref(py));
                Ok(blocking(move || read_some(&reader, size)).await??)
            }
            Self::Iterator(iterator) => {
                let iterator = Python::attach(|py| iterator.clone_ref(py));
                Ok(blocking(move || take_some(&iterator, size)).await??)
            }
            Self::AsyncIterator { iterator, event_loop } => {
                let (iterator, event_loop) =
                    Python::attach(|py| (iterator.clone_ref(py), event_loop.clone_ref(py)));
                Ok(blocking(move || take_some_async(&iterator, &event_loop, size)).await??)
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Failure::Store(Error::new(ErrorKind::Join, "put", "", e.to_string())))
}

fn no_runtime() -> Failure {
    Failure::Store(Error::new(ErrorKind::Join, "put", "", "the runtime has ended"))
}

fn local_error(path: &FilePath, error: &std::io::Error) -> PyErr {
    to_py(&failed(path, error))
}

fn failed(path: &FilePath, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Io,
    };
    Error::new(kind, "put", path.display().to_string(), error.to_string())
}

fn read_some(reader: &Py<PyAny>, size: usize) -> PyResult<Vec<Bytes>> {
    Python::attach(|py| {
        let (mut pieces, mut length) = (Vec::new(), 0);
        while length < size {
            let read = reader.bind(py).call_method1("read", (size - length,))?;
            let Input(piece) = read.extract()?;
            if piece.is_empty() {
                break;
            }
            length += piece.len();
            pieces.push(piece);
        }
        Ok(pieces)
    })
}

fn take_some(iterator: &Py<PyAny>, size: usize) -> PyResult<Vec<Bytes>> {
    Python::attach(|py| {
        let (mut pieces, mut length) = (Vec::new(), 0);
        while length < size {
            match iterator.bind(py).call_method0("__next__") {
                Ok(piece) => {
                    let Input(piece) = piece.extract()?;
                    length += piece.len();
                    pieces.push(piece);
                }
                Err(error) if error.is_instance_of::<PyStopIteration>(py) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(pieces)
    })
}

fn take_some_async(
    iterator: &Py<PyAny>,
    event_loop: &Py<PyAny>,
    size: usize,
) -> PyResult<Vec<Bytes>> {
    Python::attach(|py| {
        let take = py.import("holdall._loop")?.getattr("take")?;
        let taken = take.call1((event_loop, iterator, size))?;
        let taken = taken.cast::<PyList>()?;
        taken.iter().map(|piece| Ok(piece.extract::<Input>()?.0)).collect()
    })
}

/// Why a put failed: the store, or the Python object it read from.
pub(crate) enum Failure {
    Store(Error),
    Python(PyErr),
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => to_py(&error),
            Failure::Python(error) => error,
        }
    }
}

/// How an object is written.
pub(super) struct Put {
    pub(super) attributes: Attributes,
    pub(super) tags: TagSet,
    pub(super) mode: PutMode,
    pub(super) use_multipart: Option<bool>,
    pub(super) chunk_size: usize,
    pub(super) max_concurrency: usize,
}

impl Put {
    /// Whether the content goes in parts.
    pub(super) fn in_parts(&self, store: &Store, source: &Source) -> bool {
        // No service has conditional uploads in parts.
        if self.mode != PutMode::Overwrite {
            return false;
        }
        // HTTP servers have no uploads in parts: one request carries it all.
        let has_parts = store.provider().scheme() != "http";
        let long = source.length().is_none_or(|length| length > self.chunk_size as u64);
        self.use_multipart.unwrap_or(long && has_parts)
    }

    /// The content in one piece, where that takes no waiting: a buffer, or a file on a synchronous call.
    pub(super) fn whole(source: &mut Source) -> Option<std::io::Result<PutPayload>> {
        match source {
            Source::Buffer(data) => Some(Ok(std::mem::take(data).into())),
            Source::File { file: Some(file), length, .. } => {
                let mut data = Vec::with_capacity(usize::try_from(*length).unwrap_or_default());
                Some(file.as_ref().read_to_end(&mut data).map(|_| data.into()))
            }
            _ => None,
        }
    }

    pub(super) fn options(&self) -> PutOptions {
        PutOptions {
            mode: self.mode.clone(),
            tags: self.tags.clone(),
            attributes: self.attributes.clone(),
            ..Default::default()
        }
    }

    /// Reads the source to its end and writes it with one request.
    pub(super) async fn single(
        self,
        store: &Store,
        path: &Path,
        mut source: Source,
    ) -> Result<PutResult, Failure> {
        let (mut pieces, mut offset) = (Vec::new(), 0);
        loop {
            let more = source.next(offset, usize::MAX / 2).await?;
            if more.is_empty() {
                break;
            }
            offset += more.iter().map(Bytes::len).sum::<usize>() as u64;
            pieces.extend(more);
        }
        drop(source);
        let put = store.put_opts(path, PutPayload::from_iter(pieces), self.options()).await;
        put.map_err(|e| Failure::Store(store.error("put", path, e)))
    }

    /// Writes the source in parts, several at once.
    pub(super) async fn parts(
        self,
        store: &Store,
        path: &Path,
        source: Source,
    ) -> Result<PutResult, Failure> {
        let options = TransferOptions::default()
            .with_always_parts(self.use_multipart == Some(true))
            .with_part_bytes(self.chunk_size as u64)
            .with_parts(self.max_concurrency)
            // How often is asked again is for the store's own settings to say.
            .with_retries(0)
            .with_attributes(Some(self.attributes))
            .with_tags(self.tags);
        let sent = send(&Transfer::new().with_options(options), source, store, path).await;
        let report = sent.map_err(Failure::Store)?;
        Ok(PutResult {
            e_tag: report.e_tag,
            version: report.version,
            extensions: Default::default(),
        })
    }
}

/// Writes an object the way `transfer` does, from wherever its content comes.
pub(crate) async fn send(
    transfer: &Transfer,
    source: Source,
    store: &Store,
    path: &Path,
) -> holdall::store::Result<Report> {
    match source {
        Source::File { path: file, .. } => transfer.upload(file, store, path).await,
        Source::Buffer(data) => transfer.write(data, store, path).await,
        source => {
            let pieces = pieces(source, store.clone(), path.clone());
            transfer.upload_stream(pieces, store, path).await
        }
    }
}

/// What a Python object gives, as a stream.
fn pieces(
    source: Source,
    store: Store,
    path: Path,
) -> BoxStream<'static, holdall::store::Result<Bytes>> {
    let next = |(mut source, offset, store, path): (Source, u64, Store, Path)| async move {
        let pieces = source.next(offset, PIECE_BYTES).await.map_err(|failure| match failure {
            Failure::Store(error) => error,
            Failure::Python(error) => raised("put", &store, &path, error),
        })?;
        let length: usize = pieces.iter().map(Bytes::len).sum();
        let state = (source, offset + length as u64, store, path);
        Ok::<_, Error>((length > 0).then_some((stream::iter(pieces).map(Ok), state)))
    };
    stream::try_unfold((source, 0, store, path), next).try_flatten().boxed()
}

/// An exception of Python on its way through Rust.
pub(crate) fn raised(operation: &'static str, store: &Store, path: &Path, error: PyErr) -> Error {
    let source = Box::new(crate::errors::Raised(error));
    let source = holdall::store::object_store::Error::Generic { store: "python", source };
    Error::from_store(operation, store.url_of(path), source)
}
