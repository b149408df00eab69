//! The native half of `holdall.stac`.
//!
//! Settings and documents cross as JSON, which both sides have; bytes, jobs and events as objects.

mod clients;
mod documents;
mod errors;
mod hints;
mod plan;
mod run;
mod settings;

use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<clients::StacClients>()?;
    module.add_class::<clients::StacBody>()?;
    module.add_class::<documents::StacCrawl>()?;
    module.add_class::<documents::StacPages>()?;
    module.add_class::<hints::StacHints>()?;
    module.add_class::<plan::StacPlan>()?;
    module.add_class::<run::StacRun>()?;
    module.add_function(wrap_pyfunction!(plan::stac_check_name, module)?)?;
    module.add_function(wrap_pyfunction!(plan::stac_is_checksum, module)?)?;
    module.add_function(wrap_pyfunction!(plan::stac_check_media_type, module)?)?;
    module.add_function(wrap_pyfunction!(plan::stac_client_name, module)?)?;
    module.add_function(wrap_pyfunction!(plan::stac_write, module)?)?;
    Ok(())
}
