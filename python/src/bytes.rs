//! The class `Bytes`: memory of Rust seen as bytes of Python, without a copy.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

use bytes::Bytes as RustBytes;
use holdall::store::{LARGE_BYTES, use_large_pages};
use pyo3::basic::CompareOp;
use pyo3::exceptions::{
    PyAttributeError, PyIndexError, PyOverflowError, PyTypeError, PyValueError,
};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice, PyTuple, PyType};

use crate::buffer::{Input, with_slice};

/// Bytes held by Rust, behaving like `bytes`.
///
/// Supports the buffer protocol, so `memoryview(b)`, `numpy.frombuffer(b)` and the like share the memory. Slices with
/// step 1 share it too. It compares and hashes like `bytes`, and has all methods of `bytes`.
#[pyclass(frozen, sequence, module = "holdall")]
pub(crate) struct Bytes(pub(crate) RustBytes);

#[pymethods]
impl Bytes {
    #[new]
    #[pyo3(signature = (buf = None, /))]
    fn new(buf: Option<Input>) -> Self {
        Self(buf.map_or_else(RustBytes::new, |input| input.0))
    }

    /// `bytes`, so that `isinstance(b, bytes)` holds and code that asks for it (`json.loads`, say) takes the object;
    /// `type(b)` tells the truth.
    #[getter(__class__)]
    fn class<'py>(&self, py: Python<'py>) -> Bound<'py, PyType> {
        py.get_type::<PyBytes>()
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        Ok((py.get_type::<Self>(), PyTuple::new(py, [PyBytes::new(py, &self.0)])?))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        copied(py, &self.0)
    }

    /// A copy as `bytes`.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        copied(py, &self.0)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Bytes({})", PyBytes::new(py, &self.0).repr()?))
    }

    fn __str__(&self, py: Python<'_>) -> PyResult<String> {
        self.__repr__(py)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyBytes::new(py, &self.0).hash()
    }

    fn __richcmp__(&self, py: Python<'_>, other: &Bound<'_, PyAny>, op: CompareOp) -> Py<PyAny> {
        match with_slice(other, |other| self.0.as_ref().cmp(other)) {
            Ok(order) => op.matches(order).into_pyobject(py).map_or_else(
                |_| py.NotImplemented(),
                |result| result.to_owned().into_any().unbind(),
            ),
            Err(_) => py.NotImplemented(),
        }
    }

    fn __contains__(&self, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Ok(byte) = item.extract::<i64>() {
            let byte = u8::try_from(byte)
                .map_err(|_| PyValueError::new_err("byte must be in range(0, 256)"))?;
            return Ok(self.0.contains(&byte));
        }
        with_slice(item, |needle| {
            needle.is_empty() || self.0.windows(needle.len()).any(|window| window == needle)
        })
    }

    // No `__radd__`: Python asks it before `bytearray` extends itself in its place, and takes any buffer without it.
    fn __add__(&self, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        with_slice(other, |other| Self([self.0.as_ref(), other].concat().into()))
            .map_err(|_| PyTypeError::new_err("can only concatenate a bytes-like object"))
    }

    fn __mul__(&self, times: isize) -> PyResult<Self> {
        let times = usize::try_from(times).unwrap_or(0);
        match self.0.len().checked_mul(times) {
            Some(length) if length <= isize::MAX as usize => Ok(Self(self.0.repeat(times).into())),
            _ => Err(PyOverflowError::new_err("repeated bytes are too long")),
        }
    }

    fn __rmul__(&self, times: isize) -> PyResult<Self> {
        self.__mul__(times)
    }

    fn __mod__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        PyBytes::new(py, &self.0).rem(args)
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let length = self.0.len();
        if let Ok(slice) = key.cast::<PySlice>() {
            let found = slice.indices(isize::try_from(length).unwrap_or(isize::MAX))?;
            let (start, step) = (found.start, found.step);
            let data = match (step, found.slicelength) {
                (_, 0) => RustBytes::new(),
                (1, count) => self.0.slice(start as usize..start as usize + count),
                (step, count) => {
                    (0..count as isize).map(|i| self.0[(start + i * step) as usize]).collect()
                }
            };
            return Ok(Bound::new(py, Self(data))?.into_any());
        }
        let index: isize = key
            .extract()
            .map_err(|_| PyTypeError::new_err("byte indices must be integers or slices"))?;
        let at = if index < 0 { index + length as isize } else { index };
        let byte = usize::try_from(at).ok().and_then(|at| self.0.get(at));
        let byte = byte.ok_or_else(|| PyIndexError::new_err("index out of range"))?;
        Ok(byte.into_pyobject(py)?.into_any())
    }

    /// The bytes in lower case (ASCII letters only).
    fn lower(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into())
    }

    /// The bytes in upper case (ASCII letters only).
    fn upper(&self) -> Self {
        Self(self.0.to_ascii_uppercase().into())
    }

    /// Without `prefix`, where the bytes start with it.
    #[pyo3(signature = (prefix, /))]
    fn removeprefix(&self, prefix: Input) -> Self {
        let start = if self.0.starts_with(&prefix.0) { prefix.0.len() } else { 0 };
        Self(self.0.slice(start..))
    }

    /// Without `suffix`, where the bytes end with it.
    #[pyo3(signature = (suffix, /))]
    fn removesuffix(&self, suffix: Input) -> Self {
        let cut = if self.0.ends_with(&suffix.0) { suffix.0.len() } else { 0 };
        Self(self.0.slice(..self.0.len() - cut))
    }

    /// All other methods of `bytes`, on a copy.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if name.starts_with('_') {
            return Err(PyAttributeError::new_err(format!(
                "'Bytes' object has no attribute '{name}'"
            )));
        }
        PyBytes::new(py, &self.0).getattr(name).map_err(|_| {
            PyAttributeError::new_err(format!("'Bytes' object has no attribute '{name}'"))
        })
    }

    #[expect(
        unsafe_code,
        reason = "fills the view that the interpreter passes, which keeps the object alive"
    )]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let data = &slf.get().0;
        let read_only = 1;
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                data.as_ptr().cast_mut().cast::<c_void>(),
                data.len() as ffi::Py_ssize_t,
                read_only,
                flags,
            )
        };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// Bytes that are written before anybody sees them. Zeros that are overwritten cost a tenth of a long read.
#[expect(
    unsafe_code,
    reason = "a null pointer asks for memory that is not initialised, which nobody else has seen"
)]
pub(crate) fn uninitialised(py: Python<'_>, length: usize) -> PyResult<Bound<'_, PyBytes>> {
    let size = ffi::Py_ssize_t::try_from(length)
        .map_err(|_| PyValueError::new_err("the bytes are too many for this machine"))?;
    let made = unsafe {
        let made = ffi::PyBytes_FromStringAndSize(std::ptr::null(), size);
        Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked()
    };
    let content = start_of(&made).cast::<MaybeUninit<u8>>();
    use_large_pages(unsafe { std::slice::from_raw_parts_mut(content, length) });
    Ok(made)
}

/// Where the content of bytes lies; to be written only before anybody has seen it.
#[expect(unsafe_code, reason = "the object is one of bytes")]
pub(crate) fn start_of(bytes: &Bound<'_, PyBytes>) -> *mut u8 {
    unsafe { ffi::PyBytes_AsString(bytes.as_ptr()).cast() }
}

/// A copy as `bytes` of Python.
#[expect(unsafe_code, reason = "the memory is new, of this length, and nobody else has seen it")]
fn copied<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    if data.len() < LARGE_BYTES {
        return Ok(PyBytes::new(py, data));
    }
    let made = uninitialised(py, data.len())?;
    unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), start_of(&made), data.len()) };
    Ok(made)
}
