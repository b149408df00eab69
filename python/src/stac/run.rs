//! Running jobs.

use std::sync::{Arc, Mutex, PoisonError};

use holdall::stac::multihash::Multihash;
use holdall::stac::{Clients, Event, Job, Outcome, Place, Stores, run::run};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::sync::Notify;

use super::errors::{StacError, exception};
use super::hints::{StacHints, location};
use super::settings;
use crate::awaitable::future_into_py;

/// A job as Python gives it: key, owner, places (href and hints), target, media type, size, checksum.
pub(super) type JobIn<'py> = (
    String,
    Option<String>,
    Vec<(String, Option<Bound<'py, StacHints>>)>,
    String,
    Option<String>,
    Option<u64>,
    Option<String>,
);

fn job(
    (key, owner, places, target, media_type, size, checksum): JobIn<'_>,
    stores: &Stores,
    settings: &[(String, String)],
) -> PyResult<Job> {
    let places =
        places.into_iter().map(|(href, hints)| location(href, hints.as_ref().map(Bound::get)));
    Ok(Job {
        object: 0,
        owner,
        key,
        sources: places.collect(),
        target: Place::open_among(stores, &target, settings).map_err(StacError)?,
        media_type,
        size,
        checksum: checksum.as_deref().and_then(Multihash::parse),
        same_as: None,
        refused: None,
    })
}

/// Jobs that run. Events come in batches, results at the end, both to be awaited.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct StacRun {
    queue: Arc<Queue>,
    result: Mutex<Option<Py<PyAny>>>,
}

struct Queue {
    wanted: bool,
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Default)]
struct Waiting {
    events: Vec<(usize, Event)>,
    ended: bool,
}

impl Queue {
    fn push(&self, at: usize, event: Event) {
        if !self.wanted {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Pieces of one file that nobody has heard of yet are told as one.
        if let (Some((last, Event::Write(before))), Event::Write(now)) =
            (waiting.events.last_mut(), &event)
            && *last == at
        {
            *before += now;
            return;
        }
        waiting.events.push((at, event));
        drop(waiting);
        self.news.notify_one();
    }

    fn end(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.news.notify_one();
    }

    /// The next events; `None` after the last.
    async fn next(&self) -> Option<Vec<(usize, Event)>> {
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if !waiting.events.is_empty() {
                    return Some(std::mem::take(&mut waiting.events));
                }
                if waiting.ended {
                    return None;
                }
            }
            self.news.notified().await;
        }
    }
}

/// Ends the queue however the run ends.
struct AtEnd(Arc<Queue>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl StacRun {
    /// Starts jobs; `events` says whether anybody listens.
    pub(super) fn start<'py>(
        py: Python<'py>,
        clients: &Clients,
        jobs: Vec<JobIn<'py>>,
        options: &str,
        events: bool,
    ) -> PyResult<Self> {
        let settings = settings::read::<settings::Run>(options)?;
        let target_config: Vec<_> = settings.target_config.clone().into_iter().collect();
        let stores = Stores::default();
        let jobs = jobs.into_iter().map(|one| job(one, &stores, &target_config));
        let jobs = jobs.collect::<PyResult<Vec<_>>>()?;
        let options = settings.options()?;
        let queue =
            Arc::new(Queue { wanted: events, waiting: Mutex::default(), news: Notify::new() });
        let (clients, at_end, target) = (clients.clone(), AtEnd(queue.clone()), queue.clone());
        let work = async move {
            let observer: holdall::stac::Observer =
                Arc::new(move |at, event| target.push(at, event));
            let outcomes = run(&clients, Arc::new(jobs), &options, observer).await;
            drop(at_end);
            outcomes
        };
        let result = future_into_py(py, false, work, |py, outcomes| {
            let outcomes = outcomes.map_err(StacError)?;
            let outcomes = outcomes.iter().map(|outcome| outcome_out(py, outcome));
            Ok(outcomes.collect::<PyResult<Vec<_>>>()?.into_pyobject(py)?.into_any().unbind())
        })?;
        Ok(Self { queue, result: Mutex::new(Some(result.unbind())) })
    }
}

/// `(error, bytes, skipped, server_side, checksum, media_type, warning)`.
fn outcome_out<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyTuple>> {
    match outcome {
        Ok(done) => {
            let checksum = done.checksum.as_ref().map(ToString::to_string);
            let warning =
                done.warning.as_ref().map(|warning| exception(py, warning)).transpose()?;
            let media_type = done.media_type.as_deref();
            (py.None(), done.bytes, done.skipped, done.server_side, checksum, media_type, warning)
                .into_pyobject(py)
        }
        Err(error) => {
            let none = py.None();
            (exception(py, error)?, 0, false, false, &none, &none, &none).into_pyobject(py)
        }
    }
}

#[pymethods]
impl StacRun {
    /// What happened since the last call, as tuples that begin with the number of the job and the name of the event;
    /// `None` after the last. To be awaited.
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let queue = self.queue.clone();
        let next = async move { queue.next().await };
        future_into_py(py, false, next, |py, events| {
            let Some(events) = events else { return Ok(py.None()) };
            let events = events.into_iter().map(|(at, event)| event_out(py, at, event));
            Ok(events.collect::<PyResult<Vec<_>>>()?.into_pyobject(py)?.into_any().unbind())
        })
    }

    /// The outcomes of all jobs, in their order. To be awaited once; who stops waiting stops the jobs.
    fn result(&self) -> PyResult<Py<PyAny>> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.ok_or_else(|| PyRuntimeError::new_err("the result has been taken already"))
    }
}

fn event_out<'py>(py: Python<'py>, at: usize, event: Event) -> PyResult<Bound<'py, PyTuple>> {
    match event {
        Event::Start => (at, "start").into_pyobject(py),
        Event::Open(url, size) => (at, "open", url, size).into_pyobject(py),
        Event::Write(bytes) => (at, "write", bytes).into_pyobject(py),
        Event::Finish => (at, "finish").into_pyobject(py),
        Event::Skip => (at, "skip").into_pyobject(py),
        Event::Error(error) => (at, "error", exception(py, &error)?).into_pyobject(py),
        other => Err(PyRuntimeError::new_err(format!("unknown event {other:?}"))),
    }
}
