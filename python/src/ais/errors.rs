//! What stood in the way of a request, as exceptions of `holdall.aistore.errors`.

use holdall::ais::{Error, ErrorKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The exception for an error that is not the refusal of a request: those are replies here.
pub(super) fn to_py(error: &Error) -> PyErr {
    Python::attach(|py| make(py, error).unwrap_or_else(|error| error))
}

fn make(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let kind = error.kind();
    if matches!(kind, ErrorKind::Config | ErrorKind::InvalidArgument) && error.status().is_none() {
        return Ok(PyValueError::new_err(error.to_string()));
    }
    let module = py.import("holdall.aistore.errors")?;
    let made = match error.refusal() {
        Some(refusal) => {
            let text = String::from_utf8_lossy(&refusal.body).into_owned();
            let arguments = (refusal.status, text, &refusal.url, error.detail());
            module.getattr("_refused")?.call1(arguments)?
        }
        None => module.getattr("_network_error")?.call1((kind.as_str(), error.to_string()))?,
    };
    made.setattr("operation", error.operation())?;
    made.setattr("target", error.target())?;
    made.setattr("kind", kind.as_str())?;
    Ok(PyErr::from_value(made))
}
