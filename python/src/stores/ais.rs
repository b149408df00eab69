//! A bucket of AIStore as a store.

use std::sync::Arc;

use holdall::ais::{self, AisStore as RustStore};
use holdall::store::object_store::path::Path;
use holdall::store::{OpenOptions, Store};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::{Handle, PyStore, classes, config};
use crate::ais::AisClient;
use crate::errors::StoreError;
use crate::ops::key;

/// A bucket of AIStore, or of a cloud behind it.
#[pyclass(frozen, subclass, extends = PyStore, module = "holdall.store")]
pub(crate) struct AISStore;

/// A bare name is that of a bucket in the cluster.
fn url_of(bucket: &str) -> String {
    if bucket.contains("://") { bucket.to_owned() } else { format!("ais://{bucket}") }
}

fn base(
    py: Python<'_>,
    store: &Store,
    url: &str,
    prefix: Path,
    kwargs: Bound<'_, PyDict>,
) -> PyResult<PyStore> {
    if !prefix.as_ref().is_empty() {
        kwargs.set_item("prefix", prefix.as_ref())?;
    }
    Ok(PyStore {
        handle: Handle::new(store.provider().clone(), prefix),
        args: PyTuple::new(py, [url])?.unbind(),
        kwargs: kwargs.unbind(),
    })
}

#[pymethods]
impl AISStore {
    #[new]
    #[pyo3(signature = (bucket, *, prefix = None, config = None, client_options = None, retry_config = None, **kwargs))]
    fn new(
        py: Python<'_>,
        bucket: &str,
        prefix: Option<Bound<'_, PyAny>>,
        config: Option<&Bound<'_, PyDict>>,
        client_options: Option<&Bound<'_, PyDict>>,
        retry_config: Option<&Bound<'_, PyDict>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let pairs = config::pairs(&[config, kwargs])?;
        let mut options = OpenOptions::default();
        options.config = pairs.iter().map(|(key, _, text)| (key.clone(), text.clone())).collect();
        options.client = config::client_options(client_options)?;
        options.retry = config::retry_config(retry_config)?;
        let url = url_of(bucket);
        let (store, below) = py.detach(|| ais::open(&url, &options)).map_err(StoreError)?;
        let prefix = match prefix {
            Some(prefix) => key::parse(&key::text(&prefix)?)?,
            None => Path::default(),
        };
        // What the URL says comes before the prefix that is given.
        let prefix = store.with_prefix(&below).full_path(&prefix);
        let root = match below.as_ref() {
            "" => url.trim_end_matches('/').to_owned(),
            _ => store.url(),
        };
        let given = PyDict::new(py);
        let all = PyDict::new(py);
        for (key, value, _) in pairs {
            all.set_item(key, value)?;
        }
        given.set_item("config", all)?;
        for (name, dict) in [("client_options", client_options), ("retry_config", retry_config)] {
            if let Some(dict) = dict {
                given.set_item(name, dict)?;
            }
        }
        let base = base(py, &store, &root, prefix, given)?;
        Ok(PyClassInitializer::from(base).add_subclass(Self))
    }

    /// Open the store that a URL names; the path becomes the prefix.
    #[classmethod]
    #[pyo3(signature = (url, *, config = None, client_options = None, retry_config = None, **kwargs))]
    fn from_url<'py>(
        cls: &Bound<'py, PyType>,
        url: &str,
        config: Option<&Bound<'py, PyDict>>,
        client_options: Option<&Bound<'py, PyDict>>,
        retry_config: Option<&Bound<'py, PyDict>>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let all = match kwargs {
            Some(kwargs) => kwargs.copy()?,
            None => PyDict::new(cls.py()),
        };
        all.set_item("config", config)?;
        all.set_item("client_options", client_options)?;
        all.set_item("retry_config", retry_config)?;
        cls.call((url,), Some(&all))
    }

    /// The store of a bucket over the connections of a client; `config` makes it again elsewhere.
    #[classmethod]
    fn _of<'py>(
        cls: &Bound<'py, PyType>,
        client: &Bound<'py, AisClient>,
        url: &str,
        config: Bound<'py, PyDict>,
        prefix: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = cls.py();
        let (bck, _) = ais::parse_url(url.strip_prefix("ais+").unwrap_or(url)).map_err(|e| {
            StoreError(holdall::store::Error::new(
                holdall::store::ErrorKind::InvalidUrl,
                "open",
                url,
                e.detail(),
            ))
        })?;
        let bucket = client.get().client.bucket_of(bck);
        let store = Store::new(Arc::new(RustStore::new(bucket)));
        let prefix = match prefix.filter(|prefix| !prefix.is_none()) {
            Some(prefix) => key::parse(&key::text(&prefix)?)?,
            None => Path::default(),
        };
        let kwargs = PyDict::new(py);
        kwargs.set_item("config", config)?;
        let base = base(py, &store, url, prefix, kwargs)?;
        Bound::new(py, PyClassInitializer::from(base).add_subclass(Self))
    }

    /// The URL of the bucket.
    #[getter]
    fn url<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.as_super().get().args.bind(slf.py()).get_item(0)
    }

    /// The settings that were given.
    #[getter]
    fn config<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        classes::kwarg(slf.as_super(), "config")
    }

    /// The prefix below which all operations happen, or None.
    #[getter]
    fn prefix<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        classes::kwarg(slf.as_super(), "prefix")
    }

    /// The settings of the HTTP client that were given, or None.
    #[getter]
    fn client_options<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        classes::kwarg(slf.as_super(), "client_options")
    }

    /// The retry settings that were given, or None.
    #[getter]
    fn retry_config<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        classes::kwarg(slf.as_super(), "retry_config")
    }

    /// The same store below a prefix, sharing connections.
    fn with_prefix<'py>(
        slf: &Bound<'py, Self>,
        prefix: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        let path = key::parse(&key::text(prefix)?)?;
        let base = slf.as_super().get();
        let kwargs = base.kwargs.bind(slf.py()).copy()?;
        kwargs.set_item("prefix", base.handle.store.full_path(&path).as_ref())?;
        let base = base.below(&path, base.args.bind(slf.py()).clone(), kwargs);
        Bound::new(slf.py(), PyClassInitializer::from(base).add_subclass(Self))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let store = &slf.as_super().get().handle.store;
        format!("{}(\"{}\")", classes::class_name(slf.as_any(), "AISStore"), store.url())
    }
}
