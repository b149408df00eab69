//! Jobs: start, stop, look, wait.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use holdall_ais_wire::action::names;
use holdall_ais_wire::job::{JobArgs, JobStatus, Snap, find_kind, kind};
use holdall_ais_wire::{Bck, query};
use http::Method;

use crate::call::Call;
use crate::client::Client;
use crate::error::{ErrorKind, Result};

/// How long to wait for jobs unless told otherwise.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(300);
/// The first pause between two looks at a job.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a job that may get more work has to be idle to count as done.
const IDLE_FOR: Duration = Duration::from_millis(100);

/// Snapshots of a job by target.
pub type Snaps = BTreeMap<String, Vec<Snap>>;

/// Pauses that begin with milliseconds and grow.
#[derive(Debug)]
pub(crate) struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    pub(crate) fn new(longest: Duration) -> Self {
        Self { next: FIRST_PAUSE, longest }
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = self.next.mul_f64(1.5).min(self.longest);
    }
}

/// A job, which AIStore calls xaction.
#[derive(Debug, Clone)]
pub struct Job {
    client: Client,
    id: String,
    kind: String,
}

/// What came of waiting for a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waited {
    /// Id.
    pub id: String,
    /// Whether it ended without an error and was not stopped.
    pub success: bool,
    /// What went wrong; empty if nothing did.
    pub error: String,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
}

impl Job {
    pub(crate) fn new(client: Client, id: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { client, id: id.into(), kind: kind.into() }
    }

    /// The id; empty of a job that has not been started.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The kind; empty where it is not known.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    fn args(&self) -> JobArgs {
        JobArgs { id: self.id.clone(), kind: self.kind.clone(), ..JobArgs::default() }
    }

    fn query(&self, what: &str) -> Call {
        Call::new("job", self.shown(), Method::GET, "/v1/cluster")
            .query(query::WHAT, what)
            .json(&self.args())
    }

    fn shown(&self) -> String {
        match self.id.as_str() {
            "" => self.kind.clone(),
            id => format!("{}[{id}]", self.kind),
        }
    }

    /// What became of it.
    ///
    /// # Errors
    /// [`ErrorKind::JobNotFound`].
    pub async fn status(&self) -> Result<JobStatus> {
        self.client.transport.json(&self.query("status")).await
    }

    /// How the targets see it.
    ///
    /// # Errors
    /// [`ErrorKind::JobNotFound`].
    pub async fn snapshots(&self) -> Result<Snaps> {
        let snaps: BTreeMap<String, Option<Vec<Snap>>> =
            self.client.transport.json(&self.query("qryxstats")).await?;
        Ok(snaps.into_iter().map(|(target, snaps)| (target, snaps.unwrap_or_default())).collect())
    }

    /// Starts a job of this kind, on one node and on buckets where they are told.
    ///
    /// # Errors
    /// [`ErrorKind::NotSupported`] for kinds that cannot be started by name.
    pub async fn start(&self, node: &str, force: bool, buckets: &[Bck]) -> Result<Self> {
        let mut args = JobArgs { node: node.to_owned(), ..self.args() };
        match buckets {
            [] => {}
            [one] => args.bck = Some(one.clone()),
            many => args.buckets = Some(many.to_vec()),
        }
        let mut call = Call::new("start job", self.shown(), Method::PUT, "/v1/cluster")
            .action(names::START, &args)
            .idempotent(false);
        if force {
            call = call.query(query::FORCE, "true");
        }
        let id = self.client.transport.text(&call).await?;
        Ok(Self { id, ..self.clone() })
    }

    /// Stops it: this job, or all of the kind when there is no id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] without id and kind.
    pub async fn abort(&self) -> Result<()> {
        let call = Call::new("stop job", self.shown(), Method::PUT, "/v1/cluster")
            .action(names::STOP, &self.args());
        self.client.transport.fetch(&call).await.map(drop)
    }

    /// Waits for the end, in the way that fits the kind: jobs that may get more work count as done when they are idle.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when it does not end in time; [`ErrorKind::JobNotFound`].
    pub async fn wait(&self, timeout: Duration) -> Result<Waited> {
        let mut kind = self.kind.clone();
        if kind.is_empty() {
            let snaps = self.snapshots().await?;
            kind = snaps.into_values().flatten().map(|snap| snap.kind).next().unwrap_or_default();
        }
        match find_kind(&kind) {
            Some(kind) if kind.idles => self.wait_for_idle(timeout).await,
            Some(kind) if matches!(kind.name, kind::BLOB_DOWNLOAD | kind::RESILVER) => {
                self.wait_single_node(timeout).await
            }
            _ => self.wait_for_end(timeout).await,
        }
    }

    async fn wait_for_end(&self, timeout: Duration) -> Result<Waited> {
        let mut watch = Watch::new(self, timeout);
        loop {
            let status = self.status().await?;
            if status.end_time != 0 {
                return Ok(Waited {
                    id: self.id.clone(),
                    success: status.err.is_empty() && !status.aborted,
                    error: match (status.err.is_empty(), status.aborted) {
                        (true, true) => "aborted".to_owned(),
                        _ => status.err,
                    },
                    end_time: Some(holdall_ais_wire::value::from_nanos(status.end_time)),
                });
            }
            watch.pause().await?;
        }
    }

    /// Waits until it has nothing to do on any target.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub async fn wait_for_idle(&self, timeout: Duration) -> Result<Waited> {
        let mut watch = Watch::new(self, timeout);
        let mut idle_since: Option<Instant> = None;
        loop {
            let snaps: Vec<Snap> = self.snapshots().await?.into_values().flatten().collect();
            let ended = |snap: &Snap| snap.end_time.is_some();
            let stopped = |snap: &Snap| snap.aborted || !snap.abort_err.is_empty();
            if snaps.iter().any(stopped) || (!snaps.is_empty() && snaps.iter().all(ended)) {
                return Ok(self.outcome(&snaps));
            }
            let idle = !snaps.is_empty() && snaps.iter().all(|s| s.is_idle || ended(s));
            idle_since = match (idle, idle_since) {
                (false, _) => None,
                (true, None) => Some(Instant::now()),
                (true, Some(since)) if since.elapsed() >= IDLE_FOR => {
                    return Ok(self.outcome(&snaps));
                }
                (true, since) => since,
            };
            watch.pause().await?;
        }
    }

    /// Waits until it has ended on any target: for jobs that run on one.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub async fn wait_single_node(&self, timeout: Duration) -> Result<Waited> {
        let mut watch = Watch::new(self, timeout);
        loop {
            let snaps: Vec<Snap> = self.snapshots().await?.into_values().flatten().collect();
            if snaps.iter().any(|snap| snap.end_time.is_some() || snap.aborted) {
                return Ok(self.outcome(&snaps));
            }
            watch.pause().await?;
        }
    }

    fn outcome(&self, snaps: &[Snap]) -> Waited {
        let texts = snaps.iter().flat_map(|snap| [&snap.err, &snap.abort_err]);
        let error = texts.into_iter().find(|text| !text.is_empty()).cloned();
        let aborted = snaps.iter().any(|snap| snap.aborted || !snap.abort_err.is_empty());
        let error = match (error, aborted) {
            (Some(error), _) => error,
            (None, true) => "aborted".to_owned(),
            (None, false) => String::new(),
        };
        Waited {
            id: self.id.clone(),
            success: error.is_empty(),
            error,
            end_time: snaps.iter().filter_map(|snap| snap.end_time).max(),
        }
    }

    /// The snapshots of jobs that began at `start` or later and, with `end`, ended by then.
    ///
    /// # Errors
    /// [`ErrorKind::JobNotFound`] when there is none.
    pub async fn within(
        &self,
        start: DateTime<Utc>,
        end: Option<DateTime<Utc>>,
    ) -> Result<Vec<Snap>> {
        let found: Vec<Snap> = self
            .snapshots()
            .await?
            .into_values()
            .flatten()
            .filter(|snap| snap.start_time.is_some_and(|at| at >= start))
            .filter(|snap| end.is_none_or(|end| snap.end_time.is_some_and(|at| at <= end)))
            .collect();
        match found.is_empty() {
            false => Ok(found),
            true => {
                Err(self.query("qryxstats").error(ErrorKind::JobNotFound, "no job in that time"))
            }
        }
    }

    /// From the first start to the last end; none while it runs somewhere.
    ///
    /// # Errors
    /// [`ErrorKind::JobNotFound`].
    pub async fn total_time(&self) -> Result<Option<Duration>> {
        let snaps: Vec<Snap> = self.snapshots().await?.into_values().flatten().collect();
        let ends: Option<Vec<_>> = snaps.iter().map(|snap| snap.end_time).collect();
        let first = snaps.iter().filter_map(|snap| snap.start_time).min();
        let last = ends.and_then(|ends| ends.into_iter().max());
        Ok(first.zip(last).and_then(|(first, last)| (last - first).to_std().ok()))
    }
}

/// Looks at a job again and again, and not for ever.
struct Watch<'a> {
    job: &'a Job,
    until: Option<Instant>,
    timeout: Duration,
    pause: Pause,
}

impl<'a> Watch<'a> {
    fn new(job: &'a Job, timeout: Duration) -> Self {
        let until = Instant::now().checked_add(timeout);
        Self { job, until, timeout, pause: Pause::new(LONGEST_PAUSE) }
    }

    async fn pause(&mut self) -> Result<()> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            let detail = format!("it did not end within {:?}", self.timeout);
            return Err(self.job.query("status").error(ErrorKind::Timeout, detail));
        }
        self.pause.wait().await;
        Ok(())
    }
}
