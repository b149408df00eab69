//! Keys from Python.

use holdall::store::object_store::path::Path;
use holdall::store::{Error, ErrorKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors::StoreError;

/// A key given as str or path object.
pub(crate) struct Key(pub(crate) Path);

impl<'py> FromPyObject<'_, 'py> for Key {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.extract::<&str>() {
            return parse(text).map(Self);
        }
        parse(&text(&object)?).map(Self)
    }
}

/// The text of a str or of a path object.
pub(crate) fn text(object: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = object.extract::<String>() {
        return Ok(text);
    }
    match object.call_method0("__fspath__").and_then(|path| path.extract()) {
        Ok(text) => Ok(text),
        Err(_) => {
            let found = object.get_type().name()?;
            Err(PyTypeError::new_err(format!("a path is a str or a path object, not {found}")))
        }
    }
}

/// Checks the text of a key.
pub(crate) fn parse(text: &str) -> PyResult<Path> {
    Path::parse(text).map_err(|error| {
        let detail = format!("Could not parse path: {error}");
        StoreError(Error::new(ErrorKind::InvalidPath, "parse", text, detail)).into()
    })
}
