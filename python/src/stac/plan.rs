//! Plans for documents, and small helpers.

use std::sync::{Arc, Mutex, PoisonError};

use holdall::stac::multihash::Multihash;
use holdall::stac::{
    ClientKind, Document, Done, Error, ErrorKind, Job, Outcome, Place, Plan, rewrite::rewrite,
};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::errors::StacError;
use super::hints::StacHints;
use super::settings;
use crate::awaitable::future_into_py;

/// What will be moved where for a document, and the document afterwards.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct StacPlan {
    document: Mutex<Document>,
    plan: Plan,
}

#[pymethods]
impl StacPlan {
    /// Plans the assets of a document (JSON text) into a directory.
    #[new]
    #[pyo3(signature = (document, href, directory, options))]
    fn new(document: &str, href: Option<String>, directory: &str, options: &str) -> PyResult<Self> {
        let options = settings::read::<settings::Plan>(options)?.options()?;
        let directory = Place::parse(directory).map_err(StacError)?;
        let mut document = Document::parse(document).map_err(StacError)?;
        if let Some(href) = href {
            document = document.read_from(href);
        }
        let plan = Plan::make(&document, &directory, &options).map_err(StacError)?;
        Ok(Self { document: Mutex::new(document), plan })
    }

    /// The jobs, as `StacClients.run` takes them, each with the number of the job that does the same or `None`.
    fn jobs<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.plan.jobs.iter().map(|job| job_out(py, job)).collect()
    }

    /// The name under which the document is written when none is given.
    fn file_name(&self) -> PyResult<String> {
        let document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(holdall::stac::default_file_name(&document).map_err(StacError)?)
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
    let checksum = job.checksum.as_ref().map(ToString::to_string);
    let target = job.target.href();
    let (key, owner) = (job.key.as_str(), job.owner.as_deref());
    let media_type = job.media_type.as_deref();
    (key, owner, places, target, media_type, job.size, checksum, job.same_as).into_pyobject(py)
}

/// Refuses a name that leads out of its directory.
#[pyfunction]
pub(super) fn stac_check_name(name: &str, of: &str) -> PyResult<()> {
    Ok(holdall::stac::check_name(name, of).map_err(StacError)?)
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

/// Writes a small text, visible when it is whole; to be awaited.
#[pyfunction]
pub(super) fn stac_write(
    py: Python<'_>,
    place: String,
    text: String,
) -> PyResult<Bound<'_, PyAny>> {
    let place = Arc::new(Place::parse(&place).map_err(StacError)?);
    let write = async move { place.write(text, "application/json").await };
    future_into_py(py, false, write, |py, written| {
        written.map_err(StacError)?;
        Ok(py.None())
    })
}
