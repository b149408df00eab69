//! Clients: reading hrefs.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use holdall::stac::{AssetInfo, Body, Clients, Depth, Document, Head, info};
use pyo3::exceptions::{PyStopAsyncIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::sync::Mutex;

use super::errors::{StacError, exception};
use super::hints::{StacHints, location};
use super::run::StacRun;
use super::settings;
use crate::awaitable::future_into_py;
use crate::bytes::Bytes;
use crate::runtime::block_on;

/// Clients with one configuration: connections, stores and tokens are shared by all that they read.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct StacClients(pub(super) Clients);

#[pymethods]
impl StacClients {
    /// Makes clients from a configuration in JSON. No request is sent.
    #[new]
    fn new(config: &str) -> PyResult<Self> {
        let config: settings::Clients = settings::read(config)?;
        Ok(Self(Clients::new(config.config()?).map_err(StacError)?))
    }

    /// The name of the client that reads `href`.
    fn kind(&self, href: &str) -> PyResult<&'static str> {
        Ok(self.0.kind(href).map_err(StacError)?.name())
    }

    /// Starts jobs, which have what came of them at the end; `events` says whether anybody listens to what happens.
    fn run(
        &self,
        py: Python<'_>,
        jobs: Vec<Py<PyAny>>,
        options: &str,
        events: bool,
    ) -> PyResult<StacRun> {
        StacRun::start(py, &self.0, jobs, options, events)
    }

    /// Begins to read `href`; to be awaited.
    #[pyo3(signature = (href, content_type = None, hints = None))]
    fn open<'py>(
        &self,
        py: Python<'py>,
        href: String,
        content_type: Option<String>,
        hints: Option<&StacHints>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (clients, location) = (self.0.clone(), location(href, hints));
        let open = async move { clients.open(&location, content_type.as_deref()).await };
        future_into_py(py, false, open, |py, body| {
            let body = StacBody::new(body.map_err(StacError)?);
            Ok(Py::new(py, body)?.into_any())
        })
    }

    /// All bytes of `href`; to be awaited.
    fn read<'py>(&self, py: Python<'py>, href: String) -> PyResult<Bound<'py, PyAny>> {
        let (clients, location) = (self.0.clone(), location(href, None));
        let read = async move { clients.read(&location, 0, None).await };
        future_into_py(py, false, read, |py, data| {
            Ok(Py::new(py, Bytes(data.map_err(StacError)?))?.into_any())
        })
    }

    /// The bytes from `start` up to `end` of the file that `head_sync` found: its length and its tag are `version`. To be
    /// awaited.
    #[pyo3(signature = (href, version, start, end, hints = None))]
    fn read_range<'py>(
        &self,
        py: Python<'py>,
        href: String,
        version: (u64, Option<String>),
        start: u64,
        end: u64,
        hints: Option<&StacHints>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (clients, location, head) = (self.0.clone(), location(href, hints), found(version));
        let read = async move { clients.read_of(&head, &location, start, end).await };
        future_into_py(py, false, read, |py, data| {
            Ok(Py::new(py, Bytes(data.map_err(StacError)?))?.into_any())
        })
    }

    /// The bytes from `start` up to `end` of the file that `head_sync` found: its length and its tag are `version`.
    #[pyo3(signature = (href, version, start, end, hints = None))]
    fn read_range_sync(
        &self,
        py: Python<'_>,
        href: String,
        version: (u64, Option<String>),
        start: u64,
        end: u64,
        hints: Option<&StacHints>,
    ) -> PyResult<Bytes> {
        let location = location(href, hints);
        let data = block_on(py, self.0.read_of(&found(version), &location, start, end))?;
        Ok(Bytes(data.map_err(StacError)?))
    }

    /// The text of the document at `href` as one JSON object; to be awaited.
    fn read_document<'py>(&self, py: Python<'py>, href: String) -> PyResult<Bound<'py, PyAny>> {
        let clients = self.0.clone();
        let read = async move { clients.read_document(&href).await };
        future_into_py(py, false, read, |py, document| {
            let document = document.map_err(StacError)?;
            let text = document.detached().to_text(document.style());
            Ok(text.into_pyobject(py)?.into_any().unbind())
        })
    }

    /// The URL that is read for `href`, with the signature that this client adds; to be awaited.
    fn sign<'py>(&self, py: Python<'py>, href: String) -> PyResult<Bound<'py, PyAny>> {
        let (clients, location) = (self.0.clone(), location(href, None));
        let sign = async move { clients.signed(&location).await };
        future_into_py(py, false, sign, |py, url| {
            Ok(url.map_err(StacError)?.into_pyobject(py)?.into_any().unbind())
        })
    }

    /// What is known of the assets of a document (JSON text), as tuples: owner, key, href, client, media type, size,
    /// alternates, access, whether it exists, error, files (of a directory). `depth` is `document`, `existence`, `size` or `content`. To be awaited.
    #[pyo3(signature = (document, href, options, depth))]
    fn info<'py>(
        &self,
        py: Python<'py>,
        document: &str,
        href: Option<String>,
        options: &str,
        depth: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = settings::read::<settings::Plan>(options)?.options()?;
        let mut document = Document::parse(document).map_err(StacError)?;
        if let Some(href) = href {
            document = document.read_from(href);
        }
        let depth = match depth {
            "document" => Depth::Document,
            "existence" => Depth::Existence,
            "size" => Depth::Size,
            "content" => Depth::Content,
            other => return Err(PyValueError::new_err(format!("no depth is called {other:?}"))),
        };
        let clients = self.0.clone();
        let look = async move { info(&clients, &document, &options, depth).await };
        future_into_py(py, false, look, |py, found| {
            let found = found.map_err(StacError)?;
            let rows = found.iter().map(|asset| row(py, asset)).collect::<PyResult<Vec<_>>>()?;
            Ok(rows.into_pyobject(py)?.into_any().unbind())
        })
    }

    /// Fails where there is neither a file nor a directory at `href`; to be awaited.
    fn assert_exists<'py>(&self, py: Python<'py>, href: String) -> PyResult<Bound<'py, PyAny>> {
        let (clients, location) = (self.0.clone(), location(href, None));
        let exists = async move { clients.assert_exists(&location).await };
        future_into_py(py, false, exists, |py, head| {
            head.map_err(StacError)?;
            Ok(py.None())
        })
    }

    /// Length and media type of the file at `href`; to be awaited.
    #[pyo3(signature = (href, hints = None))]
    fn head<'py>(
        &self,
        py: Python<'py>,
        href: String,
        hints: Option<&StacHints>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (clients, location) = (self.0.clone(), location(href, hints));
        let head = async move { clients.head(&location).await };
        future_into_py(py, false, head, |py, head| {
            let head = head.map_err(StacError)?;
            Ok((head.size, head.media_type).into_pyobject(py)?.into_any().unbind())
        })
    }

    /// Length of the file at `href`, and what tells its version from others.
    #[pyo3(signature = (href, hints = None))]
    fn head_sync(
        &self,
        py: Python<'_>,
        href: String,
        hints: Option<&StacHints>,
    ) -> PyResult<(Option<u64>, Option<String>)> {
        let location = location(href, hints);
        let head = block_on(py, self.0.head(&location))?.map_err(StacError)?;
        Ok((head.size, head.tag))
    }
}

fn found((size, tag): (u64, Option<String>)) -> Head {
    Head { size: Some(size), tag, ..Head::default() }
}

fn row<'py>(py: Python<'py>, asset: &AssetInfo) -> PyResult<Bound<'py, PyTuple>> {
    let error = asset.error.as_ref().map(|error| exception(py, error)).transpose()?;
    (
        asset.owner.as_deref(),
        asset.key.as_str(),
        asset.href.as_deref(),
        asset.client,
        asset.media_type.as_deref(),
        asset.size,
        asset.alternates.clone(),
        asset.access.as_deref(),
        asset.exists,
        error,
        asset.files,
    )
        .into_pyobject(py)
}

type Pieces = BoxStream<'static, holdall::stac::Result<bytes::Bytes>>;

/// A body that arrives, for `async for`.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct StacBody {
    /// Its length in bytes, if the server says.
    #[pyo3(get)]
    size: Option<u64>,
    /// Its media type, if the server says.
    #[pyo3(get)]
    media_type: Option<String>,
    warning: Option<holdall::stac::Error>,
    pieces: Arc<Mutex<Pieces>>,
}

impl StacBody {
    fn new(body: Body) -> Self {
        let Body { size, media_type, warning, pieces, .. } = body;
        Self { size, media_type, warning, pieces: Arc::new(Mutex::new(pieces)) }
    }
}

#[pymethods]
impl StacBody {
    /// What is suspicious about the media type, as an exception that was not raised.
    #[getter]
    fn warning<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.warning.as_ref().map(|warning| exception(py, warning)).transpose()
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let pieces = self.pieces.clone();
        let next = async move { pieces.lock().await.next().await };
        future_into_py(py, false, next, |py, piece| match piece {
            Some(piece) => {
                let piece = piece.map_err(StacError)?;
                Ok(pyo3::types::PyBytes::new(py, &piece).into_any().unbind())
            }
            None => Err(PyStopAsyncIteration::new_err(())),
        })
    }
}
