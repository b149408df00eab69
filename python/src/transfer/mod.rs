//! Transfers: the engine behind `download`, `upload`, `copy`, `sync` and their kin.
//!
//! Each function makes an [`Operation`](operation::Operation), which a synchronous caller waits for and an asynchronous
//! one awaits; both can look how far it is. `holdall/_transfer.py` makes objects of the tuples that come out.

mod many;
mod one;
mod operation;
mod options;
mod room;

use pyo3::prelude::*;

pub(crate) use room::Room;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<operation::Operation>()?;
    module.add_function(wrap_pyfunction!(one::_download, module)?)?;
    module.add_function(wrap_pyfunction!(one::_download_to_writer, module)?)?;
    module.add_function(wrap_pyfunction!(one::_upload, module)?)?;
    module.add_function(wrap_pyfunction!(one::_copy, module)?)?;
    module.add_function(wrap_pyfunction!(one::_read_into, module)?)?;
    module.add_function(wrap_pyfunction!(many::_copy_prefix, module)?)?;
    module.add_function(wrap_pyfunction!(many::_plan, module)?)?;
    module.add_function(wrap_pyfunction!(many::_sync, module)?)?;
    module.add_function(wrap_pyfunction!(many::_follow, module)?)?;
    module.add_function(wrap_pyfunction!(options::_set_limits, module)?)?;
    module.add_function(wrap_pyfunction!(options::_limits, module)?)?;
    module.add_function(wrap_pyfunction!(operation::_unsettled, module)?)
}
