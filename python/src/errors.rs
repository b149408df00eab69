//! Rust errors as the exceptions of `holdall.exceptions`.

use holdall::store::{Error, object_store};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The function of `holdall.exceptions` that makes an exception out of the facts.
static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Our error type, so that `?` turns errors of the store layer into exceptions.
pub(crate) struct StoreError(pub(crate) Error);

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<StoreError> for PyErr {
    fn from(error: StoreError) -> Self {
        to_py(&error.0)
    }
}

/// The exception for an error.
pub(crate) fn to_py(error: &Error) -> PyErr {
    // A Python exception that travelled through Rust comes out as itself.
    if let Some(raised) = error.store_error().and_then(original) {
        return raised;
    }
    Python::attach(|py| {
        let make = MAKE.get_or_try_init(py, || {
            py.import("holdall.exceptions")?.getattr("_make").map(Bound::unbind)
        });
        let made = make.and_then(|make| {
            make.bind(py).call1((
                error.kind().as_str(),
                error.to_string(),
                error.operation(),
                error.target(),
                error.status(),
                error.is_retryable(),
            ))
        });
        match made {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    })
}

/// Carries a Python exception through the error types of the stores.
#[derive(Debug)]
pub(crate) struct Raised(pub(crate) PyErr);

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Raised {}

fn original(error: &object_store::Error) -> Option<PyErr> {
    let object_store::Error::Generic { source, .. } = error else { return None };
    let raised = source.downcast_ref::<Raised>()?;
    Some(Python::attach(|py| raised.0.clone_ref(py)))
}
