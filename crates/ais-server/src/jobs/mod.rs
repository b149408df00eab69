//! Jobs: what runs in the background, and what ran.
//!
//! Work that AIStore does in the background is a job here, too: it has an id at once, counts what it does, can be stopped,
//! and can be asked about long after its end. Kinds that idle (copies of lists, archives, batches, …) count as running for
//! [`IDLE_TIME`] after their work, because clients look for them there; their end is the end of their work nevertheless, so
//! that clients of every generation see them end.
//!
//! Jobs of servers with a folder are known after a restart: see [`Jobs::kept`].

mod job;
mod keep;
mod query;

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use holdall_ais_wire::{
    Bck, id,
    job::{Kind, find_kind, kind},
};

pub use job::{Inside, Job};
pub use query::startable;

use crate::error::{Error, Result};

/// How long a kind that idles counts as running after its work: AIStore's default.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// How many jobs are remembered. The oldest that have ended are forgotten first.
const KEPT: usize = 10_000;

/// A job that is to start.
#[derive(Debug, Clone, Default)]
pub struct NewJob {
    /// One of [`kind`]'s names.
    pub kind: &'static str,
    /// The bucket it is about.
    pub bck: Option<Bck>,
    /// Where objects come from.
    pub from: Option<Bck>,
    /// Where they go.
    pub to: Option<Bck>,
    /// What was asked, for people.
    pub about: String,
    /// How many objects it works on at once.
    pub workers: u64,
}

impl NewJob {
    /// A job of this kind on this bucket.
    pub fn on(kind: &'static str, bck: &Bck) -> Self {
        Self { kind, bck: Some(bck.clone()), workers: 1, ..Self::default() }
    }

    /// A job of this kind from one bucket to another.
    pub fn between(kind: &'static str, from: &Bck, to: &Bck) -> Self {
        // As AIStore shows them: jobs on lists belong to the source, jobs on buckets to the destination.
        let bck = if find_kind(kind).is_some_and(|kind| kind.idles) { from } else { to };
        Self { from: Some(from.clone()), to: Some(to.clone()), ..Self::on(kind, bck) }
    }

    /// The same with a text for people.
    #[must_use]
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.about = text.into();
        self
    }
}

/// All jobs of a server. Clones are the same.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    idle_time: Duration,
    known: Mutex<Known>,
    /// None where nothing survives the process.
    keeper: Option<Arc<keep::Keeper>>,
}

#[derive(Default)]
struct Known {
    by_id: HashMap<String, Job>,
    /// From the oldest to the newest.
    order: VecDeque<Job>,
    /// The last one of a kind and bucket that [`Jobs::join`] gave.
    joined: HashMap<(&'static str, Option<Bck>), Job>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self::new(IDLE_TIME)
    }
}

impl Jobs {
    /// No jobs yet. `idle_time` is for tests; servers take [`IDLE_TIME`].
    pub fn new(idle_time: Duration) -> Self {
        Self::with_keeper(idle_time, None)
    }

    fn with_keeper(idle_time: Duration, keeper: Option<Arc<keep::Keeper>>) -> Self {
        Self(Arc::new(Inner { idle_time, known: Mutex::default(), keeper }))
    }

    fn keeper(&self) -> Option<&Arc<keep::Keeper>> {
        self.0.keeper.as_ref()
    }

    /// Begins a job that the caller works on, and ends with [`Job::finish`].
    pub fn begin(&self, new: NewJob) -> Job {
        let kind = kind_of(new.kind);
        let id = format!("{}{}", prefix(kind.name), id::new());
        let job = Job::new(id, kind, new, self.keeper().cloned());
        self.insert(job.clone());
        job.keep();
        job
    }

    /// The job of the same kind on the same bucket that runs or idles, or else a new one: for many short requests that
    /// are one job to those who look. [`Job::enter`] tells when one of them begins and ends.
    pub fn join(&self, new: NewJob) -> Job {
        let key = (new.kind, new.bck.clone());
        let known = self.known().joined.get(&key).cloned();
        if let Some(job) = known.filter(|job| self.is_running(job)) {
            return job;
        }
        let job = self.begin(new);
        // Until the first request enters, it idles.
        job.finish(Ok(()));
        let mut known = self.known();
        known.joined.retain(|_, job| job.is_active(self.0.idle_time));
        known.joined.insert(key, job.clone());
        job
    }

    /// Runs `work` as a job on the runtime of the caller; the id is there at once. Stopping the job drops the future
    /// at its next await; work on other threads has to look at [`Job::check`].
    pub fn spawn<F, W>(&self, new: NewJob, work: F) -> String
    where
        F: FnOnce(Job) -> W,
        W: Future<Output = Result<()>> + Send + 'static,
    {
        let job = self.begin(new);
        let id = job.id().to_owned();
        let running = AssertUnwindSafe(work(job.clone())).catch_unwind();
        tokio::spawn(async move {
            tokio::select! {
                () = job.stopped() => {}
                result = running => {
                    let ended = |_| Err(Error::internal("the job ended abnormally"));
                    job.finish(result.unwrap_or_else(ended));
                }
            }
        });
        id
    }

    /// The job with this id.
    pub fn get(&self, id: &str) -> Option<Job> {
        self.known().by_id.get(id).cloned()
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Vec<Job> {
        self.known().order.iter().cloned().collect()
    }

    /// Whether the job works, or idles.
    pub fn is_running(&self, job: &Job) -> bool {
        job.is_active(self.0.idle_time)
    }

    /// Stops all that run: the server ends.
    pub fn stop_all(&self) {
        for job in self.all() {
            job.stop(self.0.idle_time, "the server stops");
        }
    }

    /// Stops all that work on a bucket: it was destroyed.
    pub(crate) fn stop_of_bucket(&self, bck: &Bck) {
        for job in self.all().iter().filter(|job| job.bck() == Some(bck)) {
            job.stop(self.0.idle_time, &format!("bucket \"{bck}\" does not exist"));
        }
    }

    fn insert(&self, job: Job) {
        let mut known = self.known();
        if known.order.len() >= KEPT
            && let Some(at) = known.order.iter().position(|job| !job.is_active(self.0.idle_time))
            && let Some(old) = known.order.remove(at)
        {
            known.by_id.remove(old.id());
            self.forget_kept(&old);
        }
        known.by_id.insert(job.id().to_owned(), job.clone());
        known.order.push_back(job);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kind_of(name: &'static str) -> Kind {
    let unknown = Kind { name, display: name, idles: false, bucket: false, startable: false };
    find_kind(name).unwrap_or(unknown)
}

/// What the ids of some kinds begin with.
fn prefix(name: &str) -> &'static str {
    match name {
        kind::COPY_OBJECTS | kind::ETL_OBJECTS => "tco-",
        kind::ETL_INLINE => "etl-",
        kind::GET_BATCH => "gbt-",
        kind::DSORT => "srt-",
        kind::DOWNLOAD => "dnl-",
        kind::CREATE_INVENTORY => "inv-",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
