//! A store behind a cache.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holdall::store::cache::{CacheOptions, CacheStats, CachedStore as RustCached};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::{Handle, PyStore, classes};
use crate::errors::StoreError;
use crate::ops::key;

/// A store that keeps what was read of another one, in memory and on disk.
#[pyclass(frozen, subclass, extends = PyStore, module = "holdall.store")]
pub(crate) struct CachedStore {
    cache: RustCached,
}

#[pymethods]
impl CachedStore {
    #[new]
    #[pyo3(signature = (store, *, block_bytes = None, memory_bytes = None, folder = None, disk_bytes = None, ttl = None,
        immutable = false, readahead = None))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        store: &Bound<'_, PyAny>,
        block_bytes: Option<u64>,
        memory_bytes: Option<u64>,
        folder: Option<PathBuf>,
        disk_bytes: Option<u64>,
        ttl: Option<&Bound<'_, PyAny>>,
        immutable: bool,
        readahead: Option<usize>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let kwargs = PyDict::new(py);
        let mut options = CacheOptions::default().with_immutable(immutable);
        if let Some(bytes) = block_bytes {
            options = options.with_block_bytes(bytes);
            kwargs.set_item("block_bytes", bytes)?;
        }
        if let Some(bytes) = memory_bytes {
            options = options.with_memory_bytes(bytes);
            kwargs.set_item("memory_bytes", bytes)?;
        }
        if let Some(folder) = folder {
            kwargs.set_item("folder", folder.clone())?;
            options = options.with_folder(folder);
        }
        if let Some(bytes) = disk_bytes {
            options = options.with_disk_bytes(bytes);
            kwargs.set_item("disk_bytes", bytes)?;
        }
        if let Some(ttl) = ttl {
            options = options.with_ttl(seconds(ttl)?);
            kwargs.set_item("ttl", ttl)?;
        }
        if immutable {
            kwargs.set_item("immutable", true)?;
        }
        if let Some(blocks) = readahead {
            options = options.with_readahead(blocks);
            kwargs.set_item("readahead", blocks)?;
        }
        let ours = py.import("holdall._foreign")?.call_method1("as_store", (store,))?;
        let inner = ours.cast::<PyStore>()?.get().handle.store.clone();
        let provider = inner.provider().clone();
        let cache = py.detach(|| RustCached::new(provider, options)).map_err(StoreError)?;
        let base = PyStore {
            handle: Handle::shared(Arc::new(cache.clone()), inner.prefix().clone()),
            args: PyTuple::new(py, [ours])?.unbind(),
            kwargs: kwargs.unbind(),
        };
        Ok(PyClassInitializer::from(base).add_subclass(Self { cache }))
    }

    /// The same cache below a prefix.
    fn with_prefix<'py>(
        slf: &Bound<'py, Self>,
        prefix: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let path = key::parse(&key::text(prefix)?)?;
        let base = slf.as_super().get();
        let inner = base.args.bind(py).get_item(0)?.call_method1("with_prefix", (prefix,))?;
        let kwargs = base.kwargs.bind(py).copy()?;
        let base = base.below(&path, PyTuple::new(py, [inner])?, kwargs);
        let cached = Self { cache: slf.get().cache.clone() };
        Bound::new(py, PyClassInitializer::from(base).add_subclass(cached))
    }

    /// The store behind the cache.
    #[getter]
    fn store<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.as_super().get().args.bind(slf.py()).get_item(0)
    }

    /// Forget what is known of an object: the next read asks the service.
    fn invalidate(slf: &Bound<'_, Self>, path: &Bound<'_, PyAny>) -> PyResult<()> {
        let path = key::parse(&key::text(path)?)?;
        let full = slf.as_super().get().handle.store.full_path(&path);
        slf.get().cache.invalidate(&full);
        Ok(())
    }

    /// What the cache has done in this process: counts by name.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let CacheStats { memory_hits, disk_hits, downloads, damaged, validations, .. } =
            self.cache.stats();
        let counts = PyDict::new(py);
        counts.set_item("memory_hits", memory_hits)?;
        counts.set_item("disk_hits", disk_hits)?;
        counts.set_item("downloads", downloads)?;
        counts.set_item("damaged", damaged)?;
        counts.set_item("validations", validations)?;
        Ok(counts)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else { return Ok(false) };
        slf.as_super().get().same_arguments(slf.py(), other.as_super().get())
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        Self::store(slf)?.hash()
    }

    fn __getnewargs_ex__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyTuple>, Bound<'py, PyDict>) {
        slf.as_super().get().arguments(slf.py())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let class = classes::class_name(slf.as_any(), "CachedStore");
        Ok(format!("{class}({})", Self::store(slf)?.repr()?))
    }
}

/// A number of seconds or a `timedelta`.
fn seconds(value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    if let Ok(span) = value.extract::<Duration>() {
        return Ok(span);
    }
    let seconds: f64 = value.extract().map_err(|_| {
        PyTypeError::new_err("'ttl' is a number of seconds or a datetime.timedelta")
    })?;
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        PyValueError::new_err(format!("'ttl' of {seconds} seconds: it cannot be negative"))
    })
}
