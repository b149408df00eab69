//! Python buffers as owned bytes.

use bytes::Bytes as RustBytes;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView};

use crate::bytes::Bytes;

/// The content of a Python buffer. `bytes` and our own `Bytes` cannot change and are shared; all other exporters are
/// copied, because their owner may go on writing into them.
pub(crate) struct Input(pub(crate) RustBytes);

impl<'py> FromPyObject<'_, 'py> for Input {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(ours) = object.cast::<Bytes>() {
            return Ok(Self(ours.get().0.clone()));
        }
        if object.is_instance_of::<PyBytes>() {
            let backed: PyBackedBytes = object.extract()?;
            return Ok(Self(RustBytes::from_owner(backed)));
        }
        with_slice(&object, |data| Self(RustBytes::copy_from_slice(data)))
    }
}

/// The memory that an object shows, whatever its items are; but not pointers to other objects.
pub(crate) fn buffer_of(object: &Bound<'_, PyAny>) -> PyResult<PyUntypedBuffer> {
    // Arrays of ctypes do not say how far their items are apart, which a view of them works out.
    let buffer =
        PyUntypedBuffer::get(object).or_else(|error| match PyMemoryView::from(object) {
            Ok(view) => PyUntypedBuffer::get(&view),
            Err(_) => Err(error),
        })?;
    if buffer.format().to_bytes().contains(&b'O') {
        return Err(PyTypeError::new_err("the buffer holds Python objects, not bytes"));
    }
    Ok(buffer)
}

/// Looks at the bytes of a buffer, whatever its items are.
pub(crate) fn with_slice<T>(
    object: &Bound<'_, PyAny>,
    look: impl FnOnce(&[u8]) -> T,
) -> PyResult<T> {
    let buffer = buffer_of(object)?;
    if !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err("the buffer must be contiguous"));
    }
    #[expect(
        unsafe_code,
        reason = "the buffer is held while it is read, and this thread does not release the interpreter"
    )]
    let data = unsafe {
        match buffer.len_bytes() {
            0 => &[],
            count => std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), count),
        }
    };
    Ok(look(data))
}
