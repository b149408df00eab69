//! Replies, and their bodies on the way.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes as RustBytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use holdall::ais::{Error, Head, Reader, Response};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Uri};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::Mutex as AsyncMutex;

use super::errors::to_py;
use super::parallel::Target;
use crate::awaitable::future_into_py;
use crate::bytes::{Bytes, start_of, uninitialised};
use crate::runtime::{Driver, block_with};

type Stream = BoxStream<'static, Result<RustBytes, Error>>;

/// Most memory that is taken at once for a body on the word of its server.
const TRUSTED_BYTES: u64 = 1 << 40;

/// A reply that has come.
pub(super) struct Got {
    status: u16,
    url: Address,
    headers: HeaderMap,
    pub(super) length: Option<u64>,
    kind: Option<&'static str>,
    pub(super) operation: &'static str,
    pub(super) target: String,
    body: Body,
}

/// The URL that answered. Few ask for it, and writing it out costs more than what else is looked at in a short reply.
enum Address {
    Of(Uri),
    /// As a refusal has it, without what could be secret.
    Told(String),
}

enum Body {
    Whole(RustBytes),
    Coming(Stream),
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Got {
    /// A reply whose body is still to come.
    pub(super) fn of(response: Response) -> Self {
        let (head, body) = response.split();
        Self::new(head, Body::Coming(body))
    }

    /// The same with the whole body.
    pub(super) async fn whole(response: Response) -> Result<Self, Error> {
        let (head, body) = response.whole().await?;
        Ok(Self::new(head, Body::Whole(body)))
    }

    /// Content of an object that is still to come.
    pub(super) fn of_reader(reader: Reader) -> Self {
        let head = reader.response().head().clone();
        Self::new(head, Body::Coming(reader.stream()))
    }

    /// The same with the whole content.
    pub(super) async fn whole_reader(reader: Reader) -> Result<Self, Error> {
        let (head, content) = reader.whole().await?;
        Ok(Self::new(head, Body::Whole(content)))
    }

    fn new(head: Head, body: Body) -> Self {
        let (status, url) = (head.status(), head.url().clone());
        let headers = head.into_headers();
        Self {
            status,
            url: Address::Of(url),
            length: length(&headers),
            headers,
            kind: None,
            operation: "request",
            target: String::new(),
            body,
        }
    }

    /// The reply of a refusal; other errors go on.
    pub(super) fn refused(error: Error) -> Result<Self, Error> {
        let Some(refusal) = error.refusal() else { return Err(error) };
        let is_head = refusal.method == http::Method::HEAD;
        Ok(Self {
            status: refusal.status,
            url: Address::Told(refusal.url.clone()),
            headers: refusal.headers.clone(),
            length: Some(refusal.body.len() as u64),
            kind: Some(error.kind().as_str()),
            operation: error.operation(),
            target: error.target().to_owned(),
            // The body of a HEAD is a header that stands in for it.
            body: Body::Whole(if is_head { RustBytes::new() } else { refusal.body.clone() }),
        })
    }
}

/// A body that is being read.
struct Reading {
    stream: Option<Stream>,
    /// What came and was not taken.
    left: RustBytes,
}

impl Reading {
    async fn more(&mut self) -> Result<bool, Error> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        loop {
            match stream.next().await {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.left = piece;
                    return Ok(true);
                }
                Some(Err(error)) => {
                    self.stream = None;
                    return Err(error);
                }
                None => {
                    self.stream = None;
                    return Ok(false);
                }
            }
        }
    }

    /// `size` bytes, fewer at the end only; whatever comes next where it is 0. None at the end.
    async fn piece(&mut self, size: usize) -> Result<Option<RustBytes>, Error> {
        if self.left.is_empty() && !self.more().await? {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(std::mem::take(&mut self.left)));
        }
        if self.left.len() >= size {
            return Ok(Some(self.left.split_to(size)));
        }
        let mut all = BytesMut::with_capacity(size);
        loop {
            let taken = self.left.len().min(size - all.len());
            all.extend_from_slice(&self.left.split_to(taken));
            if all.len() == size || !self.more().await? {
                return Ok(Some(all.freeze()));
            }
        }
    }

    /// The rest, into memory that has room for it; how much that was. None where there is no room.
    async fn fill(&mut self, target: &Target) -> Result<Option<usize>, Error> {
        let mut at = 0;
        loop {
            let count = self.left.len();
            #[expect(
                unsafe_code,
                reason = "whoever made the target leaves its memory alone until this returns"
            )]
            let written = unsafe { target.write(at, &self.left) };
            if written.is_err() {
                return Ok(None);
            }
            self.left.advance(count);
            at += count;
            if !self.more().await? {
                return Ok(Some(at));
            }
        }
    }

    async fn rest(&mut self) -> Result<RustBytes, Error> {
        let first = std::mem::take(&mut self.left);
        if !self.more().await? {
            return Ok(first);
        }
        let mut all = BytesMut::from(first);
        loop {
            all.extend_from_slice(&self.left);
            if !self.more().await? {
                self.left = RustBytes::new();
                return Ok(all.freeze());
            }
        }
    }
}

/// A reply: its head, and its body, which may still be on its way.
#[pyclass(frozen, name = "_AisReply", module = "holdall._holdall")]
pub(crate) struct AisReply {
    status: u16,
    url: Address,
    headers: HeaderMap,
    length: Option<u64>,
    kind: Option<&'static str>,
    operation: &'static str,
    target: String,
    /// Whether the body was there with the head.
    whole: Option<RustBytes>,
    reading: Arc<AsyncMutex<Reading>>,
    driver: Mutex<Driver>,
}

impl AisReply {
    pub(super) fn new(got: Got, driver: Driver) -> Self {
        let (whole, stream, left) = match got.body {
            Body::Whole(all) => (Some(all.clone()), None, all),
            Body::Coming(stream) => (None, Some(stream), RustBytes::new()),
        };
        Self {
            status: got.status,
            url: got.url,
            headers: got.headers,
            length: got.length,
            kind: got.kind,
            operation: got.operation,
            target: got.target,
            driver: Mutex::new(driver.filter(|_| stream.is_some())),
            whole,
            reading: Arc::new(AsyncMutex::new(Reading { stream, left })),
        }
    }

    fn driver(&self) -> Driver {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        read: impl Future<Output = Result<T, Error>> + Send,
    ) -> PyResult<T> {
        let driver = self.driver();
        let done = block_with(py, &driver, true, read)?;
        done.map_err(|e| to_py(&e))
    }

    /// Whatever comes next of the body, without a copy; None at the end.
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Option<RustBytes>> {
        self.wait(py, async { self.reading.lock().await.piece(0).await })
    }
}

pub(super) fn data(py: Python<'_>, bytes: &[u8]) -> Py<PyAny> {
    PyBytes::new(py, bytes).into_any().unbind()
}

#[pymethods]
impl AisReply {
    /// The HTTP status.
    #[getter]
    fn status_code(&self) -> u16 {
        self.status
    }

    /// The URL that answered.
    #[getter]
    fn url(&self) -> String {
        match &self.url {
            Address::Of(uri) => uri.to_string(),
            Address::Told(text) => text.clone(),
        }
    }

    /// What a refusal means; None of other replies.
    #[getter]
    fn kind(&self) -> Option<&'static str> {
        self.kind
    }

    /// What was asked for.
    #[getter]
    fn operation(&self) -> &'static str {
        self.operation
    }

    /// Of what it was asked for.
    #[getter]
    fn target(&self) -> &str {
        &self.target
    }

    /// Names and values of headers, in the order they came.
    #[getter]
    fn headers(&self) -> Vec<(&str, String)> {
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        self.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
    }

    /// The rest of the body.
    fn read(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(all) = &self.whole {
            let mut reading = self.reading.blocking_lock();
            let left = std::mem::take(&mut reading.left);
            // Most callers take the body as one.
            return Ok(data(py, if left.len() == all.len() { all } else { &left }));
        }
        let known = self.length.filter(|length| (1..TRUSTED_BYTES).contains(length));
        let fresh = self.reading.try_lock().is_ok_and(|reading| reading.left.is_empty());
        if let (Some(length), true) = (known, fresh) {
            return self.read_known(py, usize::try_from(length).unwrap_or(usize::MAX));
        }
        let all = self.wait(py, async { self.reading.lock().await.rest().await })?;
        Ok(data(py, &all))
    }

    /// The rest of the body, to be awaited.
    fn read_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let reading = self.reading.clone();
        let done = async move { reading.lock().await.rest().await };
        future_into_py(py, self.whole.is_some(), done, |py, all| {
            Ok(data(py, &all.map_err(|e| to_py(&e))?))
        })
    }

    /// The rest of the body without a copy.
    fn read_buffer(&self, py: Python<'_>) -> PyResult<Bytes> {
        Ok(Bytes(self.wait(py, async { self.reading.lock().await.rest().await })?))
    }

    /// The same, to be awaited.
    fn read_buffer_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let reading = self.reading.clone();
        let done = async move { reading.lock().await.rest().await };
        future_into_py(py, self.whole.is_some(), done, |py, all| {
            Ok(Bound::new(py, Bytes(all.map_err(|e| to_py(&e))?))?.into_any().unbind())
        })
    }

    /// The rest of the body into a buffer that can be written; how many bytes.
    fn read_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let target = Target::of(buffer)?;
        let size = target.len();
        let read = self.wait(py, async { self.reading.lock().await.fill(&target).await })?;
        read.ok_or_else(|| {
            PyValueError::new_err(format!("the content is longer than the buffer of {size} bytes"))
        })
    }

    /// The next `size` bytes, fewer at the end only; whatever comes next where it is 0; None at the end.
    fn piece(&self, py: Python<'_>, size: usize) -> PyResult<Option<Py<PyAny>>> {
        let piece = self.wait(py, async { self.reading.lock().await.piece(size).await })?;
        Ok(piece.map(|piece| data(py, &piece)))
    }

    /// The same, to be awaited.
    fn piece_async<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Bound<'py, PyAny>> {
        let reading = self.reading.clone();
        let done = async move { reading.lock().await.piece(size).await };
        future_into_py(py, self.whole.is_some(), done, |py, piece| {
            let piece = piece.map_err(|e| to_py(&e))?;
            Ok(piece.map_or_else(|| py.None(), |piece| data(py, &piece)))
        })
    }

    /// Gives the rest of the body up.
    fn close(&self) {
        if let Ok(mut reading) = self.reading.try_lock() {
            reading.stream = None;
            reading.left = RustBytes::new();
        }
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(local) = driver {
            local.settle();
        }
    }
}

impl AisReply {
    /// The whole body, of a length that is known, into the object that Python gets.
    fn read_known(&self, py: Python<'_>, length: usize) -> PyResult<Py<PyAny>> {
        let made = uninitialised(py, length)?;
        #[expect(
            unsafe_code,
            reason = "the object lives until this returns, and nobody else has seen it"
        )]
        let target = unsafe { Target::at(start_of(&made), length) };
        let read = self.wait(py, async { self.reading.lock().await.fill(&target).await })?;
        if read == Some(length) {
            return Ok(made.into_any().unbind());
        }
        let found = read.map_or("more than".to_owned(), |count| count.to_string());
        Err(PyRuntimeError::new_err(format!(
            "the body has another length than it was said to: {found} of {length} bytes"
        )))
    }
}
