//! Plans for documents, and small helpers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdall::stac::multihash::Multihash;
use holdall::stac::{
    ClientKind, Document, Done, Error, ErrorKind, Format, Job, Outcome, Place, Plan, Written,
    check_written, rewrite::rewrite, write_catalog,
};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::errors::{StacError, exception};
use super::hints::StacHints;
use super::settings;
use crate::awaitable::future_into_py;

/// What will be moved where for a document, and the document afterwards.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct StacPlan {
    document: Mutex<Document>,
    plan: Arc<Plan>,
    directory: Place,
}

#[pymethods]
impl StacPlan {
    /// Plans the assets of a document (JSON text) into a directory.
    #[new]
    #[pyo3(signature = (document, href, directory, options))]
    fn new(document: &str, href: Option<String>, directory: &str, options: &str) -> PyResult<Self> {
        let settings = settings::read::<settings::Plan>(options)?;
        let directory = settings::place(directory, &settings.target_config)?;
        let options = settings.options()?;
        let mut document = Document::parse(document).map_err(StacError)?;
        if let Some(href) = href {
            document = document.read_from(href);
        }
        let plan = Plan::make(&document, &directory, &options).map_err(StacError)?;
        Ok(Self { document: Mutex::new(document), plan: Arc::new(plan), directory })
    }

    /// The jobs, as `StacClients.run` takes them, each with the number of the job that does the same or `None`, and why it fails
    /// without being tried or `None`.
    fn jobs<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.plan.jobs.iter().map(|job| job_out(py, job)).collect()
    }

    /// Refuses a name for the document under which it cannot be written, or for a catalog of its items.
    fn check_written(&self, name: String, is_catalog: bool) -> PyResult<()> {
        let document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        let written = if is_catalog { Written::Catalog(name) } else { Written::Document(name) };
        let checked = check_written(&document, &self.directory, &self.plan, &written);
        Ok(checked.map_err(StacError)?)
    }

    /// The name under which the document is written when none is given.
    fn file_name(&self) -> PyResult<String> {
        let document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(holdall::stac::default_file_name(&document).map_err(StacError)?)
    }

    /// Writes the items after their jobs are done, and a catalog of them with this name. To be awaited; the names of the files.
    fn write_catalog<'py>(
        &self,
        py: Python<'py>,
        outcomes: Vec<Option<(u64, Option<String>)>>,
        options: &str,
        name: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = settings::read::<settings::Rewrite>(options)?.options()?;
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(outcome_in).collect();
        let mut document = self.document.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (plan, directory) = (self.plan.clone(), self.directory.clone());
        let write = async move {
            rewrite(&mut document, &plan, &outcomes, &options);
            write_catalog(&mut document, &directory, &plan, &name).await
        };
        future_into_py(py, false, write, |py, written| {
            let written = written.map_err(StacError)?;
            Ok(written.into_pyobject(py)?.into_any().unbind())
        })
    }

    /// The document after its jobs are done. `outcomes` has `(bytes, checksum)` for each that was, `None` for each that
    /// failed.
    fn finish(
        &self,
        py: Python<'_>,
        outcomes: Vec<Option<(u64, Option<String>)>>,
        options: &str,
    ) -> PyResult<String> {
        let options = settings::read::<settings::Rewrite>(options)?.options()?;
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(outcome_in).collect();
        let mut document = self.document.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(py.detach(|| {
            rewrite(&mut document, &self.plan, &outcomes, &options);
            document.to_text()
        }))
    }
}

fn outcome_in(outcome: Option<(u64, Option<String>)>) -> Outcome {
    let Some((bytes, checksum)) = outcome else {
        return Err(Error::new(ErrorKind::Store, "download", "", "it failed"));
    };
    let checksum = checksum.as_deref().and_then(Multihash::parse);
    Ok(Done { bytes, checksum, ..Done::default() })
}

fn job_out<'py>(py: Python<'py>, job: &Job) -> PyResult<Bound<'py, PyTuple>> {
    let places: Vec<(&str, Bound<'py, StacHints>)> = job
        .sources
        .iter()
        .map(|place| Ok((place.href.as_str(), Bound::new(py, StacHints(place.hints.clone()))?)))
        .collect::<PyResult<_>>()?;
    let known = job.checksum.as_ref().map(ToString::to_string);
    let checksum = known.or_else(|| job.unknown_checksum.clone());
    let target = job.target.href();
    let (key, owner) = (job.key.as_str(), job.owner.as_deref());
    let media_type = job.media_type.as_deref();
    let refused = job.refused.as_ref().map(|error| exception(py, error)).transpose()?;
    (key, owner, places, target, media_type, job.size, checksum, job.same_as, refused)
        .into_pyobject(py)
}

/// Refuses a name that leads out of its directory.
#[pyfunction]
pub(super) fn stac_check_name(name: &str, of: &str) -> PyResult<()> {
    Ok(holdall::stac::check_name(name, of).map_err(StacError)?)
}

/// Whether a `file:checksum` is one with which something can be compared.
#[pyfunction]
pub(super) fn stac_is_checksum(written: &str) -> bool {
    Multihash::parse(written).is_some()
}

/// Compares a media type with the expected one.
#[pyfunction]
pub(super) fn stac_check_media_type(actual: &str, expected: &str) -> PyResult<()> {
    Ok(holdall::stac::media_type::check("", actual, expected).map_err(StacError)?)
}

/// The name of the client that reads `href` when nobody says another.
#[pyfunction]
pub(super) fn stac_client_name(href: &str) -> PyResult<&'static str> {
    Ok(ClientKind::of_href(href).map_err(StacError)?.name())
}

/// Writes a document in the form that the name of the place stands for, visible when it is whole; to be awaited.
#[pyfunction]
#[pyo3(signature = (place, text, config = None))]
pub(super) fn stac_write(
    py: Python<'_>,
    place: String,
    text: String,
    config: Option<BTreeMap<String, String>>,
) -> PyResult<Bound<'_, PyAny>> {
    let name = place;
    let place = Arc::new(settings::place(&name, &config.unwrap_or_default())?);
    let write = async move {
        if Format::of_name(&name) == Format::Json && !Format::is_packed(&name) {
            return place.write(text, "application/json").await;
        }
        let (content, media_type) = Document::parse(&text)?.to_file(&name)?;
        place.write(content, media_type).await
    };
    future_into_py(py, false, write, |py, written| {
        written.map_err(StacError)?;
        Ok(py.None())
    })
}
