//! The cores of file objects; `holdall._files` dresses them as `io` objects.

mod reader;
mod writer;

use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<reader::Reader>()?;
    module.add_class::<writer::Writer>()
}
