//! Running jobs.

use std::sync::{Arc, Mutex, PoisonError};

use holdall::stac::multihash::Multihash;
use holdall::stac::{Clients, Event, Job, Outcome, Place, Stores, run::run};
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::sync::Notify;

use super::errors::{StacError, exception};
use super::hints::{StacHints, location};
use super::settings;
use crate::awaitable::future_into_py;

/// What is read of a job of Python's.
#[derive(FromPyObject)]
struct JobIn<'py> {
    key: Option<String>,
    owner_id: Option<String>,
    href: String,
    hints: Option<Bound<'py, StacHints>>,
    others: Vec<(String, Option<Bound<'py, StacHints>>)>,
    target: String,
    media_type: Option<String>,
    size: Option<u64>,
    checksum: Option<String>,
}

impl JobIn<'_> {
    fn job(self, stores: &Stores, settings: &[(String, String)]) -> PyResult<Job> {
        let places = std::iter::once((self.href, self.hints)).chain(self.others);
        let places = places.map(|(href, hints)| location(href, hints.as_ref().map(Bound::get)));
        let checksum = self.checksum.as_deref().and_then(Multihash::parse);
        Ok(Job {
            object: 0,
            owner: self.owner_id,
            key: self.key.unwrap_or_default(),
            sources: places.collect(),
            target: Place::open_among(stores, &self.target, settings).map_err(StacError)?,
            media_type: self.media_type,
            size: self.size,
            unknown_size: None,
            unknown_checksum: self.checksum.filter(|_| checksum.is_none()),
            checksum,
            same_as: None,
            refused: None,
        })
    }
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
    /// Starts jobs, which have what came of them at the end; `events` says whether anybody listens.
    pub(super) fn start(
        py: Python<'_>,
        clients: &Clients,
        given: Vec<Py<PyAny>>,
        options: &str,
        events: bool,
    ) -> PyResult<Self> {
        let settings = settings::read::<settings::Run>(options)?;
        let target_config: Vec<_> = settings.target_config.clone().into_iter().collect();
        let stores = Stores::default();
        let jobs = given
            .iter()
            .map(|one| one.extract::<JobIn<'_>>(py)?.job(&stores, &target_config))
            .collect::<PyResult<Vec<_>>>()?;
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
        let result = future_into_py(py, false, work, move |py, outcomes| {
            let outcomes = outcomes.map_err(StacError)?;
            let mut warnings = Vec::new();
            for (job, outcome) in given.iter().zip(&outcomes) {
                warnings.extend(tell(job.bind(py), outcome)?);
            }
            Ok(warnings.into_pyobject(py)?.into_any().unbind())
        })?;
        Ok(Self { queue, result: Mutex::new(Some(result.unbind())) })
    }
}

/// Tells a job of Python's what came of it, as far as it does not think so anyway. Returns the warning, if there is one.
fn tell<'py>(job: &Bound<'py, PyAny>, outcome: &Outcome) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = job.py();
    let done = match outcome {
        Ok(done) => done,
        Err(error) => {
            job.setattr(intern!(py, "error"), exception(py, error)?)?;
            return Ok(None);
        }
    };
    job.setattr(intern!(py, "bytes"), done.bytes)?;
    if done.skipped {
        job.setattr(intern!(py, "skipped"), true)?;
    }
    if let Some(checksum) = &done.checksum {
        job.setattr(intern!(py, "digest"), checksum.to_string())?;
    }
    if let Some(media_type) = &done.media_type {
        job.setattr(intern!(py, "server_media_type"), media_type)?;
    }
    done.warning.as_ref().map(|warning| exception(py, warning)).transpose()
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

    /// The warnings of all jobs, which know then what came of them. To be awaited once; who stops waiting stops the jobs.
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
