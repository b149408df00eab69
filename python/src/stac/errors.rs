//! Errors of the STAC crate as the exceptions of `holdall.stac.errors`.

use holdall::stac::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The function of `holdall.stac.errors` that makes an exception out of the facts.
static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Our error type, so that `?` turns errors into exceptions.
pub(super) struct StacError(pub(super) Error);

impl From<Error> for StacError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<StacError> for PyErr {
    fn from(error: StacError) -> Self {
        Python::attach(|py| match exception(py, &error.0) {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        })
    }
}

/// The exception for an error.
pub(super) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let make = MAKE.get_or_try_init(py, || {
        py.import("holdall.stac.errors")?.getattr("_make").map(Bound::unbind)
    })?;
    make.bind(py).call1((
        error.kind().as_str(),
        error.store_kind().map(|kind| kind.as_str()),
        error.to_string(),
        error.operation(),
        error.target(),
        error.detail(),
        error.status(),
        error.is_retryable(),
        error.actual_and_expected(),
    ))
}
