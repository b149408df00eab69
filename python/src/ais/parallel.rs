//! Ranges of one object, read side by side.

use std::fs::File;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes as RustBytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use holdall::ais::{Client, Error, ErrorKind, ObjectAttributes, Request};
use http::HeaderValue;
use http::header::RANGE;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::Mutex;

use super::args::reading;
use super::client::AisClient;
use super::errors::to_py;
use crate::awaitable::future_into_py;
use crate::buffer::buffer_of;
use crate::runtime::{block_on, runtime};

/// Where content goes.
pub(super) struct Target {
    place: Place,
    length: usize,
}

enum Place {
    /// Memory of Python; the buffer keeps it where it is, and is none of memory that is kept otherwise.
    Memory { _buffer: Option<PyUntypedBuffer>, start: *mut u8 },
    /// What is behind memory that processes share. Writing to the file takes half the time that faulting its pages in
    /// does, and where there is no room for them it fails, where the memory would end the process.
    File(File),
}

#[expect(
    unsafe_code,
    reason = "the memory stays where it is while the buffer is held, and is written by ranges that do not meet"
)]
unsafe impl Send for Target {}
#[expect(unsafe_code, reason = "as above")]
unsafe impl Sync for Target {}

impl Target {
    /// The memory of an object that lets itself be written to.
    pub(super) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = buffer_of(object)?;
        if buffer.readonly() || !buffer.is_c_contiguous() {
            return Err(PyValueError::new_err("the buffer must be writable and contiguous"));
        }
        let (start, length) = (buffer.buf_ptr().cast::<u8>(), buffer.len_bytes());
        Ok(Self { place: Place::Memory { _buffer: Some(buffer), start }, length })
    }

    /// Memory of `length` bytes, which need not be initialised.
    ///
    /// # Safety
    /// It stays where it is as long as this lives.
    #[expect(unsafe_code, reason = "the caller answers for it")]
    pub(super) unsafe fn at(start: *mut u8, length: usize) -> Self {
        Self { place: Place::Memory { _buffer: None, start }, length }
    }

    /// The first `length` bytes of an open file, which is the caller's to close.
    fn of_file(descriptor: RawFd, length: usize) -> std::io::Result<Self> {
        #[expect(unsafe_code, reason = "the caller holds the file open, and it is duplicated here")]
        let file = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
        Ok(Self { place: Place::File(file.into()), length })
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Whether there is room for `count` bytes at an offset.
    pub(super) fn has_room(&self, at: usize, count: usize) -> bool {
        at.checked_add(count).is_some_and(|end| end <= self.length)
    }

    /// Writes at an offset.
    ///
    /// # Errors
    /// Where there is no room, here or in the file system.
    ///
    /// # Safety
    /// Nobody else may look at these bytes, or write to them, meanwhile.
    #[expect(unsafe_code, reason = "the caller answers for it; the range is checked")]
    pub(super) unsafe fn write(&self, at: usize, data: &[u8]) -> std::io::Result<()> {
        if !self.has_room(at, data.len()) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        match &self.place {
            Place::Memory { start, .. } => {
                unsafe {
                    std::ptr::copy_nonoverlapping(data.as_ptr(), start.add(at), data.len());
                }
                Ok(())
            }
            Place::File(file) => file.write_all_at(data, at as u64),
        }
    }
}

/// A read of an object of which every range must be of one version.
struct Plan {
    client: Client,
    request: Request,
    /// What tells the version, once a range has come.
    identity: std::sync::OnceLock<Option<String>>,
}

impl Plan {
    fn new(client: &Client, request: Request) -> Self {
        Self { client: client.clone(), request, identity: std::sync::OnceLock::new() }
    }

    fn error(&self, kind: ErrorKind, detail: String) -> Error {
        let (operation, target) = self.request.describe();
        Error::new(kind, operation, target, detail)
    }

    /// Begins to read a range.
    async fn open(
        &self,
        start: u64,
        end: u64,
    ) -> Result<BoxStream<'static, Result<RustBytes, Error>>, Error> {
        let mut request = self.request.clone();
        let value = format!("bytes={start}-{}", end.saturating_sub(1));
        let value = HeaderValue::from_str(&value)
            .map_err(|e| self.error(ErrorKind::InvalidArgument, e.to_string()))?;
        request.headers.insert(RANGE, value);
        let reader = self.client.read(request).await?;
        let status = reader.response().status();
        if status != 206 {
            let detail = format!("a range was asked for, and the server answers {status}");
            return Err(self.error(ErrorKind::Corrupt, detail));
        }
        let found = ObjectAttributes::of(reader.response().headers());
        let found = found.identity().map(|identity| format!("{identity} {}", found.size));
        if *self.identity.get_or_init(|| found.clone()) != found {
            let detail = "the object changed while it was read".to_owned();
            return Err(self.error(ErrorKind::Precondition, detail));
        }
        Ok(reader.stream())
    }

    async fn fill(&self, target: &Target, start: u64, end: u64) -> Result<(), Error> {
        let mut stream = self.open(start, end).await?;
        let mut at = start;
        while let Some(piece) = stream.try_next().await? {
            if at + piece.len() as u64 > end {
                return Err(self.error(ErrorKind::Corrupt, "a range is too long".to_owned()));
            }
            #[expect(
                unsafe_code,
                reason = "the ranges of a plan do not meet; the caller leaves the buffer alone"
            )]
            let written =
                unsafe { target.write(usize::try_from(at).unwrap_or(usize::MAX), &piece) };
            written.map_err(|e| {
                let detail = format!(
                    "there is no room for the content in shared memory (/dev/shm; read it in pieces): {e}"
                );
                self.error(ErrorKind::Other, detail)
            })?;
            at += piece.len() as u64;
        }
        match at == end {
            true => Ok(()),
            false => {
                Err(self.error(ErrorKind::Corrupt, format!("a range ended at byte {at} of {end}")))
            }
        }
    }

    async fn whole(&self, start: u64, end: u64) -> Result<RustBytes, Error> {
        let length = usize::try_from(end - start).unwrap_or_default();
        let mut stream = self.open(start, end).await?;
        let mut all = Vec::with_capacity(length);
        while let Some(piece) = stream.try_next().await? {
            all.extend_from_slice(&piece);
        }
        match all.len() == length {
            true => Ok(all.into()),
            false => {
                let detail = format!("a range has {} bytes instead of {length}", all.len());
                Err(self.error(ErrorKind::Corrupt, detail))
            }
        }
    }
}

fn ranges(start: u64, end: u64, chunk: u64) -> impl Iterator<Item = (u64, u64)> + Send + 'static {
    let chunk = chunk.max(1);
    (start..end)
        .step_by(usize::try_from(chunk).unwrap_or(usize::MAX))
        .map(move |begin| (begin, end.min(begin.saturating_add(chunk))))
}

/// Ends its task when it is dropped.
pub(super) struct Task<T>(pub(super) tokio::task::JoinHandle<Result<T, Error>>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Task<T> {
    pub(super) async fn join(mut self) -> Result<T, Error> {
        match (&mut self.0).await {
            Ok(done) => done,
            Err(error) => Err(Error::new(ErrorKind::Other, "get", "", error.to_string())),
        }
    }
}

/// Reads an object into a buffer of its size, in ranges of `chunk` bytes, `workers` at a time. `file` is the descriptor
/// of what is behind the buffer, where that is a file.
#[expect(clippy::too_many_arguments, reason = "what requests are made of")]
#[pyfunction]
pub(super) fn _ais_read_parallel(
    client: &Bound<'_, AisClient>,
    py: Python<'_>,
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    headers: Option<&Bound<'_, PyAny>>,
    endpoint: Option<&str>,
    buffer: &Bound<'_, PyAny>,
    file: Option<RawFd>,
    chunk: u64,
    workers: usize,
) -> PyResult<()> {
    let request = reading(path, params, headers, endpoint)?;
    let plan = Arc::new(Plan::new(&client.get().client, request));
    let mut target = Target::of(buffer)?;
    if let Some(file) = file {
        target = Target::of_file(file, target.len())?;
    }
    let target = Arc::new(target);
    let length = target.len() as u64;
    let filled = async {
        stream::iter(ranges(0, length, chunk))
            .map(|(start, end)| {
                let (plan, target) = (plan.clone(), target.clone());
                let task = async move { plan.fill(&target, start, end).await };
                Task(runtime().spawn(task)).join()
            })
            .buffer_unordered(workers.max(1))
            .try_collect::<()>()
            .await
    };
    let filled = block_on(py, filled);
    // Tasks that were given up may still be about to write: the buffer outlives them.
    drop(target);
    filled?.map_err(|e| to_py(&e))
}

/// The ranges of an object in their order, from `offset` on; `workers` are on their way at a time.
#[expect(clippy::too_many_arguments, reason = "what requests are made of")]
#[pyfunction]
pub(super) fn _ais_stream_parallel(
    client: &Bound<'_, AisClient>,
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    headers: Option<&Bound<'_, PyAny>>,
    endpoint: Option<&str>,
    offset: u64,
    size: u64,
    chunk: u64,
    workers: usize,
) -> PyResult<AisRanges> {
    let request = reading(path, params, headers, endpoint)?;
    let plan = Arc::new(Plan::new(&client.get().client, request));
    let pieces = stream::iter(ranges(offset, size, chunk))
        .map(move |(start, end)| {
            let plan = plan.clone();
            Task(runtime().spawn(async move { plan.whole(start, end).await })).join()
        })
        .buffered(workers.max(1))
        .boxed();
    Ok(AisRanges { pieces: Arc::new(Mutex::new(Some(pieces))) })
}

/// Ranges of an object, in their order.
#[pyclass(frozen, name = "_AisRanges", module = "holdall._holdall")]
pub(crate) struct AisRanges {
    pieces: Pieces,
}

type Pieces = Arc<Mutex<Option<BoxStream<'static, Result<RustBytes, Error>>>>>;

async fn next(pieces: Pieces) -> Result<Option<RustBytes>, Error> {
    let mut pieces = pieces.lock().await;
    let next = match pieces.as_mut() {
        Some(stream) => stream.next().await.transpose(),
        None => Ok(None),
    };
    if !matches!(next, Ok(Some(_))) {
        *pieces = None;
    }
    next
}

#[pymethods]
impl AisRanges {
    /// The next range; None at the end.
    fn piece<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let piece = block_on(py, next(self.pieces.clone()))?.map_err(|e| to_py(&e))?;
        Ok(piece.map(|piece| PyBytes::new(py, &piece)))
    }

    /// The same, to be awaited.
    fn piece_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        future_into_py(py, false, next(self.pieces.clone()), |py, piece| {
            let piece = piece.map_err(|e| to_py(&e))?;
            Ok(piece
                .map_or_else(|| py.None(), |piece| PyBytes::new(py, &piece).into_any().unbind()))
        })
    }

    /// Gives the rest up.
    fn close(&self) {
        if let Ok(mut pieces) = self.pieces.try_lock() {
            *pieces = None;
        }
    }
}
