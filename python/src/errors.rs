//! Rust errors as the exceptions of `holdall.exceptions`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use holdall::store::{Error, object_store};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

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
    Python::attach(|py| match make(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    })
}

/// As `_make` of `holdall.exceptions` does, at a third of the cost: programs that try and see meet many exceptions.
fn make<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let spec = spec(py, error.kind().as_str(), error.operation())?;
    let message = PyString::new(py, &error.to_string());
    let target = PyString::new(py, error.target());
    let cls = spec.cls.bind(py);
    let exception = match spec.number {
        Some(number) => cls.call1((number, message, target))?,
        None => {
            let exception = cls.call1((message,))?;
            exception.setattr(intern!(py, "target"), target)?;
            exception
        }
    };
    // What is as the class says is not said again.
    if spec.kind_differs {
        exception.setattr(intern!(py, "kind"), error.kind().as_str())?;
    }
    exception.setattr(intern!(py, "operation"), &spec.operation)?;
    if let Some(status) = error.status() {
        exception.setattr(intern!(py, "status"), status)?;
    }
    if error.is_retryable() {
        exception.setattr(intern!(py, "retryable"), true)?;
    }
    Ok(exception)
}

/// What all errors of one kind and operation have in common.
struct Spec {
    cls: Py<PyAny>,
    number: Option<i32>,
    kind_differs: bool,
    operation: Py<PyString>,
}

type Specs = HashMap<(&'static str, &'static str), Arc<Spec>>;

static SPECS: LazyLock<ArcSwap<Specs>> = LazyLock::new(ArcSwap::default);

fn spec(py: Python<'_>, kind: &'static str, operation: &'static str) -> PyResult<Arc<Spec>> {
    if let Some(known) = SPECS.load().get(&(kind, operation)) {
        return Ok(known.clone());
    }
    let made = py.import("holdall.exceptions")?.getattr("_spec")?.call1((kind, operation))?;
    let (cls, number): (Bound<'_, PyAny>, Option<i32>) = made.extract()?;
    let spec = Arc::new(Spec {
        number,
        kind_differs: cls.getattr("kind")?.extract::<String>()? != kind,
        operation: PyString::intern(py, operation).unbind(),
        cls: cls.unbind(),
    });
    SPECS.rcu(|specs| {
        let mut specs = Specs::clone(specs);
        specs.insert((kind, operation), spec.clone());
        specs
    });
    Ok(spec)
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
