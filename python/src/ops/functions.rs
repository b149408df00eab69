//! Functions over stores, for those that programs call and see fail most often.
//!
//! `holdall._ops` declares all of them. A function in Python costs a frame, and an exception that passes through it another
//! entry of the traceback: more than reading from memory does.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use super::key::Key;
use crate::stores::{
    AISStore, AzureStore, CachedStore, GCSStore, HTTPStore, LocalStore, MemoryStore, PyStore,
    S3Store,
};

/// The store of this package that stands behind an argument, where its methods are our own.
fn own<'a, 'py>(store: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyStore>> {
    static CLASSES: PyOnceLock<[Py<PyType>; 8]> = PyOnceLock::new();
    let py = store.py();
    let classes = CLASSES.get_or_init(py, || {
        [
            py.get_type::<AISStore>().unbind(),
            py.get_type::<MemoryStore>().unbind(),
            py.get_type::<LocalStore>().unbind(),
            py.get_type::<S3Store>().unbind(),
            py.get_type::<HTTPStore>().unbind(),
            py.get_type::<AzureStore>().unbind(),
            py.get_type::<GCSStore>().unbind(),
            py.get_type::<CachedStore>().unbind(),
        ]
    });
    let class = store.get_type();
    // Classes of programs that derive from ours may have methods of their own.
    let is_own = classes.iter().any(|own| own.bind(py).is(&class));
    if is_own { store.cast::<PyStore>().ok() } else { None }
}

/// The same for any argument: stores of other packages are rebuilt.
fn any<'py>(store: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static AS_STORE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = store.py();
    let as_store = AS_STORE.get_or_try_init(py, || {
        py.import("holdall._foreign")?.getattr("as_store").map(Bound::unbind)
    })?;
    as_store.bind(py).call1((store,))
}

/// Read an object.
///
/// The description arrives with the call; the body when it is read (``bytes()``, ``stream()``, iteration), once.
///
/// Args:
///     store: where the object is.
///     path: the key.
///     options: conditions, a range, a version, or ``head=True`` for a description without a body.
///
/// Raises:
///     NotFoundError: there is no such object (also a ``FileNotFoundError``).
///     PreconditionError, NotModifiedError: a condition did not hold.
#[pyfunction]
#[pyo3(signature = (store, path, *, options = None))]
pub(crate) fn get<'py>(
    py: Python<'py>,
    store: &Bound<'py, PyAny>,
    path: &Bound<'py, PyAny>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(store) = own(store) {
        let got = store.get().get(py, path.extract::<Key>()?, options)?;
        return Ok(Bound::new(py, got)?.into_any());
    }
    let named = PyDict::new(py);
    named.set_item(intern!(py, "options"), options)?;
    any(store)?.call_method(intern!(py, "get"), (path,), Some(&named))
}

/// Describe an object: path, last_modified, size in bytes, e_tag, version.
///
/// Raises:
///     NotFoundError: there is no such object.
#[pyfunction]
pub(crate) fn head<'py>(
    py: Python<'py>,
    store: &Bound<'py, PyAny>,
    path: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    match own(store) {
        Some(store) => Ok(store.get().head(py, path.extract::<Key>()?)?.into_bound(py)),
        None => any(store)?.call_method1(intern!(py, "head"), (path,)),
    }
}
