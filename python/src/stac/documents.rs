//! Documents from anywhere: whole, page by page, link by link.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use holdall::stac::{Crawl, Document, Pages, Request};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tokio::sync::Mutex;

use super::clients::StacClients;
use super::errors::StacError;
use crate::awaitable::future_into_py;

/// The pages of a search.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct StacPages {
    pages: Arc<Mutex<Pages>>,
    position: Arc<StdMutex<Option<Request>>>,
}

#[pymethods]
impl StacPages {
    /// Begins with a request (JSON text of an object with `href` and, for POST, `body`). No request is sent.
    #[new]
    fn new(clients: &StacClients, request: &str) -> PyResult<Self> {
        let first: Request = serde_json::from_str(request)
            .map_err(|e| PyValueError::new_err(format!("this is no request of a search: {e}")))?;
        let position = Arc::new(StdMutex::new(Some(first.clone())));
        Ok(Self { pages: Arc::new(Mutex::new(Pages::new(clients.0.clone(), first))), position })
    }

    /// The text of the next page; `None` after the last. To be awaited.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (pages, position) = (self.pages.clone(), self.position.clone());
        let next = async move {
            let mut pages = pages.lock().await;
            let page = pages.next().await;
            *position.lock().unwrap_or_else(PoisonError::into_inner) = pages.position().cloned();
            page
        };
        future_into_py(py, false, next, |py, page| {
            let text = page.map_err(StacError)?.map(|page| page.to_text());
            Ok(text.into_pyobject(py)?.into_any().unbind())
        })
    }

    /// The request for the next page (JSON text); `None` after the last.
    #[getter]
    fn position(&self) -> PyResult<Option<String>> {
        let position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        let text = position.as_ref().map(serde_json::to_string).transpose();
        text.map_err(|e| PyValueError::new_err(e.to_string()))
    }
}

/// The items below a document.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct StacCrawl(Arc<Mutex<Crawl>>);

#[pymethods]
impl StacCrawl {
    /// Begins at a document (JSON text) that was read from `href`. No request is sent.
    #[new]
    #[pyo3(signature = (clients, document, href = None))]
    fn new(clients: &StacClients, document: &str, href: Option<String>) -> PyResult<Self> {
        let mut document = Document::parse(document).map_err(StacError)?;
        if let Some(href) = href {
            document = document.read_from(href);
        }
        Ok(Self(Arc::new(Mutex::new(Crawl::new(clients.0.clone(), document)))))
    }

    /// The text of the next item, with a link to where it is; `None` after the last. To be awaited.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let crawl = self.0.clone();
        let next = async move { crawl.lock().await.next().await };
        future_into_py(py, false, next, |py, item| {
            let item = item.map_err(StacError)?;
            let text = item.map(|item| item.detached().to_text(item.style()));
            Ok(text.into_pyobject(py)?.into_any().unbind())
        })
    }
}
