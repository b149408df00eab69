//! Operations on stores, as methods of their base class.

pub(crate) mod get;
pub(crate) mod key;
pub(crate) mod put;

mod body;
mod functions;
mod list;
mod many;
pub(crate) mod meta;
mod methods;
mod options;

use pyo3::prelude::*;

pub(crate) use meta::time_in;
pub(crate) use options::{attributes_in, tags_in};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<get::GetResult>()?;
    module.add_class::<get::BytesStream>()?;
    module.add_class::<list::ListStream>()?;
    module.add_function(wrap_pyfunction!(functions::get, module)?)?;
    module.add_function(wrap_pyfunction!(functions::head, module)?)?;
    module.add_function(wrap_pyfunction!(methods::parse_scheme, module)?)
}
