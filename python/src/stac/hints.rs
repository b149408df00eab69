//! What a document says of access to an asset.

use holdall::stac::asset::AssetView;
use holdall::stac::json::Json;
use holdall::stac::{Hints, Location};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What a document says of access to one place of an asset: region, who pays, how to prove who one is.
#[pyclass(frozen, module = "holdall")]
#[derive(Clone)]
pub(crate) struct StacHints(pub(super) Hints);

#[pymethods]
impl StacHints {
    /// Reads the members of an item and of an asset (or one of its alternates) that speak of access.
    #[new]
    fn new(object: &str, asset: &str) -> PyResult<Self> {
        let parse = |text: &str| {
            Json::parse(text).map_err(|e| PyValueError::new_err(format!("not JSON: {e}")))
        };
        let context = Hints::of_object(&parse(object)?);
        let asset = AssetView::of(&parse(asset)?);
        Ok(Self(context.with(&asset.storage, &asset.auth).with_zarr(asset.is_zarr)))
    }
}

/// A place as Python has it: the href, and hints where there are any.
pub(super) fn location(href: String, hints: Option<&StacHints>) -> Location {
    Location { href, hints: hints.map(|hints| hints.0.clone()).unwrap_or_default() }
}
