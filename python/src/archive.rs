//! Archives taken apart while they are read from a Python file object, or arrive as a reply.

use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use holdall::archive::{Error, Format, Reader};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::ais::AisReply;
use crate::buffer::Input;

/// What is asked of a file object at once, unless the caller says otherwise.
const READ_BYTES: usize = 256 << 10;

/// Contents up to here are read straight into the `bytes` that Python gets; a larger size is believed only as the content
/// arrives, because it is but a number in a header.
const TRUSTED_BYTES: u64 = 64 << 20;

/// An exception that the file object raised, on its way around the reader.
type Failure = Arc<Mutex<Option<PyErr>>>;

/// What may follow the end of an archive in a reply. Tars are padded, to 10 KiB as a rule.
const MOST_PADDING: usize = 1 << 20;

/// Where an archive comes from.
enum Origin {
    /// A file object, and how many bytes are asked for at once.
    File(Py<PyAny>, usize),
    /// The body of a reply, as it comes.
    Reply(Py<AisReply>),
}

impl Origin {
    fn more(&self, py: Python<'_>) -> PyResult<Bytes> {
        match self {
            Self::File(file, at_once) => {
                Ok(file.bind(py).call_method1("read", (*at_once,))?.extract::<Input>()?.0)
            }
            Self::Reply(reply) => Ok(reply.get().next(py)?.unwrap_or_default()),
        }
    }
}

/// An archive on its way.
struct Source {
    origin: Origin,
    ahead: Bytes,
    failure: Failure,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ahead.is_empty() {
            self.ahead = Python::attach(|py| self.origin.more(py)).map_err(|error| {
                let text = error.to_string();
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                io::Error::other(text)
            })?;
        }
        Ok(&self.ahead)
    }

    fn consume(&mut self, count: usize) {
        self.ahead.advance(count);
    }
}

/// The regular files of an archive, in its order: an iterator of names and contents.
///
/// It is read from a file object, `at_once` bytes at a time, or is the body of a reply, which is taken as it comes.
/// The format is an extension (`.tar`, `.tgz`, `.tar.gz`, `.tar.lz4`, `.zip`). A zip is spooled to an unnamed temporary
/// file first, because its directory is at its end. `ValueError` says that the archive is damaged or cut short;
/// exceptions of the file object come out as they are.
#[pyclass(frozen, module = "holdall._holdall", name = "_ArchiveMembers")]
struct Members {
    state: Mutex<State>,
    reply: Option<Py<AisReply>>,
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

    /// Reads a reply to its end: only then is it known to be whole, and its connection free.
    fn end_reply(&self, py: Python<'_>) -> PyResult<()> {
        let Some(reply) = &self.reply else { return Ok(()) };
        let mut left = MOST_PADDING;
        while let Some(piece) = reply.get().next(py)? {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn step<'py>(&self, py: Python<'py>, state: &mut State) -> PyResult<Option<Item<'py>>> {
        if let State::New(..) = state
            && let State::New(source, format) = std::mem::replace(state, State::Ended)
        {
            *state = State::Reading(Reader::stream(source, format).map_err(|e| self.raised(&e))?);
        }
        let State::Reading(reader) = state else { return Ok(None) };
        let Some(member) = reader.next_file().map_err(|e| self.raised(&e))? else {
            self.end_reply(py)?;
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
    fn new(file: Bound<'_, PyAny>, format: &str, at_once: usize) -> PyResult<Self> {
        let format = Format::of_mime(format).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let failure = Failure::default();
        let reply = file.cast::<AisReply>().ok().map(|reply| reply.clone().unbind());
        let origin = match &reply {
            Some(reply) => Origin::Reply(reply.clone_ref(file.py())),
            None => Origin::File(file.unbind(), at_once.max(1)),
        };
        let source = Source { origin, ahead: Bytes::new(), failure: failure.clone() };
        Ok(Self { state: Mutex::new(State::New(source, format)), reply, failure })
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
