//! Archives taken apart while they are read from a Python file object.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use holdall::archive::{Error, Format, Reader};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::buffer::Input;

/// What is asked of the file object at once, unless the caller says otherwise.
const READ_BYTES: usize = 256 << 10;

/// Contents up to here are read straight into the `bytes` that Python gets; a larger size is believed only as the content
/// arrives, because it is but a number in a header.
const TRUSTED_BYTES: u64 = 64 << 20;

/// An exception that the file object raised, on its way around the reader.
type Failure = Arc<Mutex<Option<PyErr>>>;

/// A file object as a source of bytes.
struct Source {
    file: Py<PyAny>,
    ahead: bytes::Bytes,
    at_once: usize,
    failure: Failure,
}

impl Source {
    fn more(&self) -> PyResult<bytes::Bytes> {
        Python::attach(|py| {
            let piece = self.file.bind(py).call_method1("read", (self.at_once,))?;
            Ok(piece.extract::<Input>()?.0)
        })
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            self.ahead = self.more().map_err(|error| {
                let text = error.to_string();
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                io::Error::other(text)
            })?;
        }
        let count = self.ahead.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.ahead.split_to(count));
        Ok(count)
    }
}

/// The regular files of an archive, in its order: an iterator of names and contents.
///
/// The format is an extension (`.tar`, `.tgz`, `.tar.gz`, `.tar.lz4`, `.zip`). A zip is spooled to an unnamed temporary
/// file first, because its directory is at its end. `ValueError` says that the archive is damaged or cut short;
/// exceptions of the file object come out as they are.
#[pyclass(frozen, module = "holdall._holdall", name = "_ArchiveMembers")]
struct Members {
    state: Mutex<State>,
    failure: Failure,
}

enum State {
    New(Source, Format),
    Reading(Reader),
    Ended,
}

impl Members {
    fn raised(&self, error: &Error) -> PyErr {
        let raised = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        raised.unwrap_or_else(|| PyValueError::new_err(error.to_string()))
    }

    fn step<'py>(&self, py: Python<'py>, state: &mut State) -> PyResult<Option<Item<'py>>> {
        if let State::New(..) = state
            && let State::New(source, format) = std::mem::replace(state, State::Ended)
        {
            *state = State::Reading(Reader::stream(source, format).map_err(|e| self.raised(&e))?);
        }
        let State::Reading(reader) = state else { return Ok(None) };
        let Some(member) = reader.next_file().map_err(|e| self.raised(&e))? else {
            return Ok(None);
        };
        let content = content(py, reader, member.size);
        let content = content.map_err(|e| self.raised(&reader.explain(e)))?;
        Ok(Some((PyString::new(py, &member.name), content)))
    }
}

type Item<'py> = (Bound<'py, PyString>, Bound<'py, PyBytes>);

fn content<'py>(
    py: Python<'py>,
    reader: &mut Reader,
    size: u64,
) -> io::Result<Bound<'py, PyBytes>> {
    if size > TRUSTED_BYTES {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        return Ok(PyBytes::new(py, &bytes));
    }
    let mut failure = None;
    let length = usize::try_from(size).map_err(io::Error::other)?;
    let filled = PyBytes::new_with(py, length, |buffer| {
        reader.read_exact(buffer).map_err(|error| {
            failure = Some(error);
            PyRuntimeError::new_err(())
        })
    });
    match failure {
        Some(error) => Err(error),
        None => filled.map_err(|error| io::Error::other(error.to_string())),
    }
}

#[pymethods]
impl Members {
    #[new]
    #[pyo3(signature = (file, format, at_once = READ_BYTES))]
    fn new(file: Py<PyAny>, format: &str, at_once: usize) -> PyResult<Self> {
        let format = Format::of_mime(format).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let failure = Failure::default();
        let source = Source {
            file,
            ahead: bytes::Bytes::new(),
            at_once: at_once.max(1),
            failure: failure.clone(),
        };
        Ok(Self { state: Mutex::new(State::New(source, format)), failure })
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Item<'py>>> {
        let Ok(mut state) = self.state.try_lock() else {
            return Err(PyRuntimeError::new_err("this archive is being read already"));
        };
        let item = self.step(py, &mut state);
        if !matches!(item, Ok(Some(_))) {
            *state = State::Ended;
        }
        item
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Members>()
}
