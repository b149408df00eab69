//! Buffers of Python objects that are filled from Rust.

use std::ptr::NonNull;

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::buffer::buffer_of;

/// The memory of a writable buffer. While this exists its exporter neither moves nor frees it: a `bytearray` cannot be
/// resized, an array not be reallocated.
pub(crate) struct Room {
    buffer: Option<PyUntypedBuffer>,
    start: NonNull<u8>,
    length: usize,
}

#[expect(unsafe_code, reason = "the memory of a buffer that is held")]
// SAFETY: the memory stays where it is while the buffer is held; its owner has handed it over to be written.
unsafe impl Send for Room {}

impl Room {
    /// Takes hold of a buffer of any item type.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = buffer_of(object).map_err(|error| {
            let found = object.get_type();
            let text = format!(
                "expected a writable buffer (bytearray, memoryview, numpy array, …), not {found}"
            );
            let wrong = PyTypeError::new_err(text);
            wrong.set_cause(object.py(), Some(error));
            wrong
        })?;
        if buffer.readonly() {
            return Err(PyValueError::new_err("the buffer is read-only"));
        }
        if !buffer.is_c_contiguous() {
            return Err(PyValueError::new_err("the buffer must be C-contiguous"));
        }
        let length = buffer.len_bytes();
        let start = NonNull::new(buffer.buf_ptr().cast()).filter(|_| length > 0);
        Ok(Self { start: start.unwrap_or(NonNull::dangling()), length, buffer: Some(buffer) })
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The memory.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        #[expect(unsafe_code, reason = "the memory of a buffer that is held")]
        // SAFETY: the buffer is held and has this length. Python code that looks at it while it is filled sees bytes
        // of both states, which is what the caller of a `readinto` has asked for.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length)
        }
    }
}

impl Drop for Room {
    /// Gives the buffer back. A transfer that was cancelled ends on a thread of the runtime, which must not wait for the
    /// interpreter.
    fn drop(&mut self) {
        let Some(buffer) = self.buffer.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(buffer))),
            Err(_) => drop(buffer),
        }
    }
}
