//! Jobs of before a restart: what became of them.
//!
//! A job is kept as a fact of the metadata store when it begins, when it ends and now and then meanwhile. One that had no
//! end when the process ended was stopped by that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use holdall_ais_wire::{Bck, job::find_kind};
use serde::{Deserialize, Serialize};

use super::{Job, Jobs, NewJob};
use crate::error::Result;
use crate::storage::Meta;

/// What the names of the facts begin with. The time of the start follows, so that they are in that order, and the id.
const FACT: &str = "job/";
/// Why a job ended that was running when the server was killed.
const KILLED: &str = "the server was restarted while the job ran";

/// Keeps jobs.
pub(super) struct Keeper {
    /// Weak, because jobs may outlive the server, and whoever comes next wants its folder.
    meta: Weak<Meta>,
    /// Changes so far.
    changes: AtomicU64,
    /// Changes that are known to be committed.
    committed: AtomicU64,
}

/// A job as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct JobRecord {
    pub id: String,
    pub kind: String,
    pub bck: Option<Bck>,
    pub from: Option<Bck>,
    pub to: Option<Bck>,
    pub about: String,
    pub workers: u64,
    pub started: DateTime<Utc>,
    pub ended: Option<DateTime<Utc>>,
    pub objects: i64,
    pub bytes: i64,
    /// The first error, and how many more there were.
    pub error: Option<(String, usize)>,
    /// Why it was stopped.
    pub stopped: Option<String>,
}

impl JobRecord {
    fn fact(&self) -> String {
        fact(&self.started, &self.id)
    }

    /// The job again; none of a kind that this version does not know.
    fn restore(self, keeper: &Arc<Keeper>) -> Option<Job> {
        let kind = find_kind(&self.kind)?;
        let (bck, from, to) = (self.bck.clone(), self.from.clone(), self.to.clone());
        let (about, workers) = (self.about.clone(), self.workers);
        let new = NewJob { kind: kind.name, bck, from, to, about, workers };
        Some(Job::restored(self, kind, new, Arc::clone(keeper)))
    }
}

fn fact(started: &DateTime<Utc>, id: &str) -> String {
    format!("{FACT}{:020}/{id}", started.timestamp_nanos_opt().unwrap_or(0))
}

impl Keeper {
    /// Keeps what the job is when the change is applied. Does not wait for that.
    pub(super) fn keep(&self, job: &Job) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        let Some(meta) = self.meta.upgrade() else { return };
        let job = job.clone();
        let keep = meta.send_quietly(move |tx| {
            let record = job.record_now();
            tx.put_fact(&record.fact(), &serde_json::to_vec(&record)?)
        });
        if let Err(error) = keep {
            tracing::debug!(%error, "a job that ended last is not kept");
        }
    }

    fn forget(&self, job: &Job) {
        let Some(meta) = self.meta.upgrade() else { return };
        let name = fact(&job.started(), job.id());
        let forget = meta.send_quietly(move |tx| tx.remove_fact(&name).map(drop));
        if let Err(error) = forget {
            tracing::debug!(%error, "an old job is forgotten later");
        }
    }
}

impl Jobs {
    /// The jobs that this store has, and from now on all are kept there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn kept(meta: &Arc<Meta>, idle_time: Duration) -> Result<Self> {
        let (changes, committed) = (AtomicU64::new(0), AtomicU64::new(0));
        let keeper = Arc::new(Keeper { meta: Arc::downgrade(meta), changes, committed });
        let jobs = Self::with_keeper(idle_time, Some(Arc::clone(&keeper)));
        for (_, bytes) in meta.facts(FACT)? {
            let mut record: JobRecord = serde_json::from_slice(&bytes)?;
            let was_running = record.ended.is_none();
            if was_running {
                record.ended = Some(Utc::now());
                record.stopped = Some(KILLED.to_owned());
            }
            let Some(job) = record.restore(&keeper) else { continue };
            if was_running {
                keeper.keep(&job);
            }
            jobs.insert(job);
        }
        Ok(jobs)
    }

    /// Waits until all that happened to jobs so far is committed: what a reply tells of a job is true after a kill.
    pub async fn committed(&self) {
        let Some(keeper) = self.keeper() else { return };
        let changes = keeper.changes.load(Ordering::Acquire);
        if keeper.committed.load(Ordering::Acquire) >= changes {
            return;
        }
        let Some(meta) = keeper.meta.upgrade() else { return };
        // Changes are committed in their order.
        match meta.write(|_| Ok(())).await {
            Ok(()) => drop(keeper.committed.fetch_max(changes, Ordering::AcqRel)),
            Err(error) => tracing::warn!(%error, "jobs are not kept"),
        }
    }

    /// Keeps how far those are that run or idle.
    pub(crate) fn keep_running(&self) {
        if let Some(keeper) = self.keeper() {
            self.all().iter().filter(|job| self.is_running(job)).for_each(|job| keeper.keep(job));
        }
    }

    /// Forgets one that is not remembered any more.
    pub(super) fn forget_kept(&self, job: &Job) {
        if let Some(keeper) = self.keeper() {
            keeper.forget(job);
        }
    }
}
