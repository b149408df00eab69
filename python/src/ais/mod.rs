//! The client of AIStore: requests and replies, listings, files, ranges side by side.
//!
//! The classes of `holdall.aistore` say what is asked for; here it is sent, repeated and read.

mod args;
mod client;
mod errors;
mod files;
mod list;
mod parallel;
mod reply;

use holdall::ais::wire::hrw;
use pyo3::prelude::*;

pub(crate) use client::AisClient;
pub(crate) use reply::AisReply;

/// The digest of a unique name, by which objects are placed.
#[pyfunction]
fn _ais_digest(name: &str) -> u64 {
    hrw::node_digest(name)
}

/// The mixing of AIStore: 64 bits of 64 bits.
#[pyfunction]
fn _ais_xoshiro(seed: u64) -> u64 {
    hrw::mix(seed)
}

/// Which of the nodes with these digests has the object of the unique name.
#[pyfunction]
fn _ais_place(name: &str, digests: Vec<u64>) -> Option<usize> {
    let object = hrw::node_digest(name);
    let weights = digests.iter().map(|digest| hrw::mix(digest ^ object));
    // The first of equals, as everywhere else.
    weights.enumerate().rev().max_by_key(|(_, weight)| *weight).map(|(at, _)| at)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<AisClient>()?;
    module.add_class::<AisReply>()?;
    module.add_class::<list::BucketEntry>()?;
    module.add_class::<parallel::AisRanges>()?;
    module.add_function(wrap_pyfunction!(files::_ais_put_file, module)?)?;
    module.add_function(wrap_pyfunction!(files::_ais_put_file_async, module)?)?;
    module.add_function(wrap_pyfunction!(files::_ais_put_files, module)?)?;
    module.add_function(wrap_pyfunction!(files::_ais_put_files_async, module)?)?;
    module.add_function(wrap_pyfunction!(files::_ais_download, module)?)?;
    module.add_function(wrap_pyfunction!(files::_ais_download_async, module)?)?;
    module.add_function(wrap_pyfunction!(files::_ais_copy_astray, module)?)?;
    module.add_function(wrap_pyfunction!(files::_ais_copy_astray_async, module)?)?;
    module.add_function(wrap_pyfunction!(list::_ais_list, module)?)?;
    module.add_function(wrap_pyfunction!(list::_ais_list_async, module)?)?;
    module.add_function(wrap_pyfunction!(list::_ais_list_arrow, module)?)?;
    module.add_function(wrap_pyfunction!(list::_ais_list_arrow_async, module)?)?;
    module.add_function(wrap_pyfunction!(parallel::_ais_read_parallel, module)?)?;
    module.add_function(wrap_pyfunction!(parallel::_ais_stream_parallel, module)?)?;
    module.add_function(wrap_pyfunction!(_ais_digest, module)?)?;
    module.add_function(wrap_pyfunction!(_ais_xoshiro, module)?)?;
    module.add_function(wrap_pyfunction!(_ais_place, module)?)
}
