//! The native half of the `holdall` Python package.
//!
//! | module | subject |
//! |---|---|
//! | `runtime` | the process's runtime, synchronous waiting, forks, signals |
//! | `awaitable` | awaitables and their delivery to event loops |
//! | `errors` | Rust errors as Python exceptions |
//! | `bytes`, `buffer` | bytes out and in, without copies where that is safe |
//! | `archive` | archives taken apart while they are read |
//! | `arrow` | listings as Arrow arrays |
//! | `stores` | the store classes, their settings and credentials |
//! | `ops` | operations on stores |
//! | `ais` | the client of AIStore |
//! | `ais_server` | the AIS server in this process |
//! | `files` | the cores of file objects |
//! | `stac` | STAC documents and their assets |
//! | `transfer` | downloads, uploads, copies, synchronisations |

use pyo3::prelude::*;

mod ais;
mod ais_server;
mod archive;
mod arrow;
mod awaitable;
mod buffer;
mod bytes;
mod errors;
mod files;
mod ops;
mod runtime;
mod stac;
mod stores;
mod transfer;

/// The system's allocator gives every large buffer back to the system and faults its pages in anew for the next one,
/// which costs more than the copy into it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The version of the Rust crate that stores are made of.
const OBJECT_STORE_VERSION: &str = "0.14.2";

#[pymodule(gil_used = false)]
fn _holdall(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Every scheme of URLs that this library has, also for parts of it that open URLs themselves.
    holdall::registry();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("_object_store_version", OBJECT_STORE_VERSION)?;
    module.add("_object_store_source", "registry")?;
    module.add("_debug_build", cfg!(debug_assertions))?;
    module.add_function(wrap_pyfunction!(runtime::_after_fork, module)?)?;
    module.add_class::<bytes::Bytes>()?;
    module.add_class::<awaitable::Awaitable>()?;
    ais::register(module)?;
    ais_server::register(module)?;
    archive::register(module)?;
    arrow::register(module)?;
    stores::register(module)?;
    ops::register(module)?;
    files::register(module)?;
    stac::register(module)?;
    transfer::register(module)
}
