//! A transfer that is waited for or awaited, and that tells how far it is.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use holdall::store::transfer::{Action, Events, Need, Reason, Report};
use holdall::store::{Error, ErrorKind, Oddity, Result};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::room::Room;
use crate::awaitable::future_into_py;
use crate::errors::to_py;
use crate::runtime::{block_on, runtime};

/// What a transfer ends with.
pub(super) enum Value {
    Report(Report),
    /// Bytes that were read into a buffer, which is released on the thread of the caller.
    Read(usize, Room),
    Many(Many),
    Plan(Vec<Action>),
}

/// What became of many objects.
#[derive(Default)]
pub(super) struct Many {
    /// Those that nobody took meanwhile.
    pub(super) done: Vec<Done>,
    pub(super) skipped: u64,
    pub(super) skipped_bytes: u64,
    /// Why no more objects were looked for.
    pub(super) broken: Option<Error>,
}

/// What became of one of them.
pub(super) struct Done {
    pub(super) action: &'static str,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) size: u64,
    pub(super) result: Result<Report>,
}

/// Where outcomes go: to whoever takes them while the transfer runs, or into its result.
pub(super) struct Outcomes(Option<mpsc::Sender<Done>>);

/// Outcomes that wait to be taken, at most; then the transfer waits, so that memory is bounded.
const UNTAKEN: usize = 1024;

/// Outcomes that are taken at a time: who is told of them may take a while over each, and has progress to show, too.
const TAKEN: usize = 64;

impl Outcomes {
    pub(super) async fn add(&self, many: &mut Many, done: Done) {
        match &self.0 {
            None => many.done.push(done),
            // Nobody takes the outcomes of a transfer that is given up.
            Some(taker) => drop(taker.send(done).await),
        }
    }
}

type Work = BoxFuture<'static, Result<Value>>;

/// A transfer. It begins when it is waited for.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct Operation {
    events: Events,
    work: Mutex<Option<Work>>,
    /// Outcomes that are to be taken meanwhile.
    told: Option<Arc<tokio::sync::Mutex<mpsc::Receiver<Done>>>>,
}

impl Operation {
    pub(super) fn new(
        events: &Events,
        work: impl Future<Output = Result<Value>> + Send + 'static,
    ) -> Self {
        let counted = async {
            let _running = Running::begin();
            work.await
        };
        Self { events: events.clone(), work: Mutex::new(Some(counted.boxed())), told: None }
    }

    /// A transfer of many objects; when it `tells`, outcomes are taken while it runs and are not in its result.
    pub(super) fn of_many<W>(events: &Events, tells: bool, work: impl FnOnce(Outcomes) -> W) -> Self
    where
        W: Future<Output = Result<Value>> + Send + 'static,
    {
        let (teller, told) = mpsc::channel(UNTAKEN);
        let told = tells.then(|| Arc::new(tokio::sync::Mutex::new(told)));
        let operation = Self::new(events, work(Outcomes(tells.then_some(teller))));
        Self { told, ..operation }
    }

    fn take(&self) -> PyResult<Work> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.ok_or_else(|| PyRuntimeError::new_err("this transfer has already begun"))
    }
}

#[pymethods]
impl Operation {
    /// How far it is: objects, done, failed; bytes, done, resumed; retries; seconds.
    fn snapshot(&self) -> (u64, u64, u64, u64, u64, u64, u64, f64) {
        let now = self.events.snapshot();
        (
            now.objects,
            now.objects_done,
            now.objects_failed,
            now.bytes,
            now.bytes_done,
            now.bytes_resumed,
            now.retries,
            now.elapsed.as_secs_f64(),
        )
    }

    /// Runs it to its end; calls `tell` every `interval` seconds meanwhile, and `take` with outcomes as they come, where
    /// the transfer tells them. When a signal handler or one of these raises, the transfer is given up, and has ended when
    /// this returns.
    fn wait(
        &self,
        py: Python<'_>,
        tell: Option<&Bound<'_, PyAny>>,
        interval: f64,
        take: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let mut task = Task(runtime().spawn(self.take()?));
        let ended = self.follow(py, &mut task, tell, interval, take);
        if ended.is_err() {
            task.give_up(py);
        }
        ended
    }

    /// The next outcomes, to be awaited; none when there will be no more of them.
    fn outcomes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let told = self.told.clone();
        let next = async move { untaken(told.as_ref()).await };
        future_into_py(py, false, next, |py, outcomes| outcomes_out(py, outcomes)?.into_py_any(py))
    }

    /// Begins it, to be awaited; `convert` makes the result.
    fn start<'py>(&self, py: Python<'py>, convert: Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
        future_into_py(py, false, self.take()?, move |py, ended| {
            convert.call1(py, (value_out(py, ended)?,))
        })
    }
}

impl Operation {
    fn follow(
        &self,
        py: Python<'_>,
        task: &mut Task,
        tell: Option<&Bound<'_, PyAny>>,
        interval: f64,
        take: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let mut told = self.told.clone();
        let interval = Duration::try_from_secs_f64(interval).unwrap_or(Duration::MAX);
        let (ticks, mut ticked) = (tell.is_some(), Instant::now());
        loop {
            // Outcomes that come all the time must not put the next tick off.
            let left = interval.saturating_sub(ticked.elapsed());
            let next = async {
                tokio::select! {
                    biased;
                    outcomes = untaken(told.as_ref()), if told.is_some() => Event::Told(outcomes),
                    ended = &mut *task => Event::Ended(ended),
                    () = tokio::time::sleep(left), if ticks => Event::Time,
                }
            };
            match (block_on(py, next)?, take) {
                (Event::Ended(ended), _) => return value_out(py, ended),
                (Event::Time, _) => {}
                (Event::Told(outcomes), Some(take)) if !outcomes.is_empty() => {
                    drop(take.call1((outcomes_out(py, outcomes)?,))?);
                }
                // There will be no more of them.
                (Event::Told(_), _) => told = None,
            }
            if let Some(tell) = tell
                && ticked.elapsed() >= interval
            {
                drop(tell.call0()?);
                ticked = Instant::now();
            }
        }
    }
}

/// What a wait ends with.
enum Event {
    Told(Vec<Done>),
    Ended(Result<Value>),
    Time,
}

/// The outcomes that are there; waits for one, or for the end of all.
async fn untaken(told: Option<&Arc<tokio::sync::Mutex<mpsc::Receiver<Done>>>>) -> Vec<Done> {
    let mut outcomes = Vec::new();
    if let Some(told) = told {
        told.lock().await.recv_many(&mut outcomes, TAKEN).await;
    }
    outcomes
}

/// How many transfers run, cancelled ones included that have not heard of it yet; and how many uploads that were
/// cancelled are still being aborted in the background.
#[pyfunction]
pub(crate) fn _unsettled() -> (usize, usize) {
    (RUNNING.load(Ordering::Acquire), holdall::store::transfer::aborting())
}

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// A transfer that has begun and not ended.
struct Running;

impl Running {
    fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A task that ends when nobody waits for it any more.
struct Task(JoinHandle<Result<Value>>);

impl Future for Task {
    type Output = Result<Value>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = std::task::ready!(self.0.poll_unpin(context));
        Poll::Ready(joined.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Join, "transfer", "", error.to_string()))
        }))
    }
}

impl Task {
    /// Ends it, and waits until nothing of it is left: whoever gave it up may want to clear its place, or to begin anew there.
    fn give_up(mut self, py: Python<'_>) {
        if self.0.is_finished() {
            return;
        }
        self.0.abort();
        // An interrupt ends this wait too; what led here is what the caller hears of.
        drop(block_on(py, &mut self));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn value_out(py: Python<'_>, ended: Result<Value>) -> PyResult<Py<PyAny>> {
    match ended.map_err(|e| to_py(&e))? {
        Value::Report(report) => report_out(py, &report),
        Value::Read(bytes, _room) => bytes.into_py_any(py),
        Value::Many(many) => many_out(py, many),
        Value::Plan(actions) => {
            let actions = actions.iter().map(|action| action_out(py, action));
            PyList::new(py, actions.collect::<PyResult<Vec<_>>>()?)?.into_py_any(py)
        }
    }
}

fn report_out(py: Python<'_>, report: &Report) -> PyResult<Py<PyAny>> {
    let checksum = report.checksum.as_ref().map(ToString::to_string);
    let report =
        (report.bytes, report.server_side, report.resumed_bytes, checksum, report.e_tag.as_deref());
    report.into_py_any(py)
}

fn outcomes_out(py: Python<'_>, outcomes: Vec<Done>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for one in outcomes {
        let (report, error) = match &one.result {
            Ok(report) => (report_out(py, report)?, py.None()),
            Err(error) => (py.None(), to_py(error).into_value(py).into_any()),
        };
        list.append((one.action, one.from, one.to, one.size, report, error))?;
    }
    Ok(list)
}

fn many_out(py: Python<'_>, many: Many) -> PyResult<Py<PyAny>> {
    let done = outcomes_out(py, many.done)?;
    let broken = match &many.broken {
        Some(error) => to_py(error).into_value(py).into_any(),
        None => py.None(),
    };
    (done, many.skipped, many.skipped_bytes, broken).into_py_any(py)
}

/// Why nothing is done of an object.
const ODD_KEY: &str = "odd_key";
const BROKEN_LINK: &str = "broken_link";
const UNREADABLE: &str = "unreadable";

/// The reason of that name.
pub(super) fn oddity(reason: &str) -> Option<Oddity> {
    match reason {
        ODD_KEY => Some(Oddity::OddKey),
        BROKEN_LINK => Some(Oddity::BrokenLink),
        UNREADABLE => Some(Oddity::Unreadable),
        _ => None,
    }
}

fn action_out<'py>(py: Python<'py>, action: &Action) -> PyResult<Bound<'py, PyTuple>> {
    let (kind, path, size, reason) = match action {
        Action::Copy { path, size, reason: Reason::Missing } => {
            ("copy", path.as_ref(), size, Some("missing"))
        }
        Action::Copy { path, size, reason: Reason::Different } => {
            ("copy", path.as_ref(), size, Some("different"))
        }
        Action::Skip { path, size } => ("skip", path.as_ref(), size, None),
        Action::Delete { path, size } => ("delete", path.as_ref(), size, None),
        Action::Refuse { needs, path, size, reason } => {
            let needs = match needs {
                Need::Copy => "copy",
                Need::Delete => "delete",
            };
            let reason = match reason {
                Oddity::BrokenLink => BROKEN_LINK,
                Oddity::Unreadable => UNREADABLE,
                _ => ODD_KEY,
            };
            (needs, &**path, size, Some(reason))
        }
    };
    (kind, path, *size, reason).into_pyobject(py)
}
