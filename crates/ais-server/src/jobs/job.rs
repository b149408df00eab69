//! One job.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use holdall_ais_wire::{
    Bck,
    job::{JobStatus, Kind, Snap, Stats, pack_workers},
};
use tokio::sync::watch;

use super::NewJob;
use super::keep::{JobRecord, Keeper};
use crate::error::{Error, Result};

/// Why a job that a user stopped ended, in AIStore's words.
pub(super) const USER_ABORT: &str = "user abort";

/// A job. Clones are the same.
#[derive(Clone)]
pub struct Job(Arc<Inner>);

struct Inner {
    id: String,
    kind: Kind,
    new: NewJob,
    started: DateTime<Utc>,
    objects: AtomicI64,
    bytes: AtomicI64,
    state: Mutex<State>,
    stop: watch::Sender<bool>,
    /// None where nothing survives the process.
    keeper: Option<Arc<Keeper>>,
}

#[derive(Default)]
struct State {
    /// When the work was done; none while it goes on. The instant is missing where that was before a restart.
    ended: Option<(DateTime<Utc>, Option<Instant>)>,
    /// Requests that are being worked on: see [`Job::enter`].
    inside: usize,
    /// The first error, and how many more there were.
    error: Option<(String, usize)>,
    /// Why it was stopped.
    stopped: Option<String>,
    about: Option<String>,
}

impl Job {
    pub(super) fn new(id: String, kind: Kind, new: NewJob, keeper: Option<Arc<Keeper>>) -> Self {
        Self(Arc::new(Inner {
            id,
            kind,
            new,
            started: Utc::now(),
            objects: AtomicI64::new(0),
            bytes: AtomicI64::new(0),
            state: Mutex::default(),
            stop: watch::channel(false).0,
            keeper,
        }))
    }

    /// A job of before a restart. It has ended.
    pub(super) fn restored(
        record: JobRecord,
        kind: Kind,
        new: NewJob,
        keeper: Arc<Keeper>,
    ) -> Self {
        let JobRecord { id, started, ended, objects, bytes, error, stopped, .. } = record;
        let ended = ended.map(|ended| (ended, None));
        Self(Arc::new(Inner {
            id,
            kind,
            new,
            started,
            objects: AtomicI64::new(objects),
            bytes: AtomicI64::new(bytes),
            stop: watch::channel(stopped.is_some()).0,
            state: Mutex::new(State { ended, error, stopped, ..State::default() }),
            keeper: Some(keeper),
        }))
    }

    /// What is kept of it.
    pub(super) fn record_now(&self) -> JobRecord {
        let (objects, bytes) = self.counted();
        let Inner { id, kind, new, started, .. } = &*self.0;
        let state = self.state();
        JobRecord {
            id: id.clone(),
            kind: kind.name.to_owned(),
            bck: new.bck.clone(),
            from: new.from.clone(),
            to: new.to.clone(),
            about: state.about.clone().unwrap_or_else(|| new.about.clone()),
            workers: new.workers,
            started: *started,
            ended: state.ended.map(|(ended, _)| ended),
            objects,
            bytes,
            error: state.error.clone(),
            stopped: state.stopped.clone(),
        }
    }

    /// Keeps what it is now.
    pub(super) fn keep(&self) {
        if let Some(keeper) = &self.0.keeper {
            keeper.keep(self);
        }
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The bucket it is about.
    pub fn bck(&self) -> Option<&Bck> {
        self.0.new.bck.as_ref()
    }

    /// When it began.
    pub fn started(&self) -> DateTime<Utc> {
        self.0.started
    }

    /// Counts one object of `bytes` as done.
    pub fn count(&self, bytes: u64) {
        self.0.objects.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Counts bytes of an object that is not done yet.
    pub fn add_bytes(&self, bytes: u64) {
        self.0.bytes.fetch_add(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// What was done so far: objects and bytes.
    pub fn counted(&self) -> (i64, i64) {
        (self.0.objects.load(Ordering::Relaxed), self.0.bytes.load(Ordering::Relaxed))
    }

    /// Records an error after which the job goes on.
    pub fn record(&self, error: &Error) {
        let mut state = self.state();
        match &mut state.error {
            Some((_, more)) => *more += 1,
            none => *none = Some((error.message().to_owned(), 0)),
        }
    }

    /// Replaces the text for people.
    pub fn set_about(&self, text: impl Into<String>) {
        self.state().about = Some(text.into());
    }

    /// Fails once the job is stopped. Work on threads asks often.
    ///
    /// # Errors
    ///
    /// When the job is stopped, in the words of whoever stopped it.
    pub fn check(&self) -> Result<()> {
        if !*self.0.stop.borrow() {
            return Ok(());
        }
        let reason = self.state().stopped.clone().unwrap_or_default();
        Err(Error::invalid(format!(
            "job {}[{}] was stopped: {reason}",
            self.0.kind.name, self.0.id
        )))
    }

    /// Waits until the job is stopped; for ever if it never is.
    pub async fn stopped(&self) {
        // The sender lives as long as this job.
        let _ = self.0.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Ends the job, unless it has ended. An error is recorded.
    pub fn finish(&self, result: Result<()>) {
        if let Err(error) = result {
            self.record(&error);
        }
        let mut state = self.state();
        if state.ended.is_none() {
            state.end();
            // Before anybody can see the end, so that whoever tells of it can wait until it is kept.
            self.keep();
        }
    }

    /// One more request that this job stands for begins; it ends when the guard is dropped.
    pub fn enter(&self) -> Inside {
        let mut state = self.state();
        state.inside += 1;
        state.ended = None;
        Inside(self.clone())
    }

    /// Stops the job if it works or idles; whether it did.
    pub(super) fn stop(&self, idle_time: Duration, reason: &str) -> bool {
        if !self.is_active(idle_time) {
            return false;
        }
        let mut state = self.state();
        state.stopped = Some(reason.to_owned());
        state.end();
        self.keep();
        drop(state);
        self.0.stop.send_replace(true);
        true
    }

    /// Whether it works, or idles.
    pub(super) fn is_active(&self, idle_time: Duration) -> bool {
        let state = self.state();
        match state.ended {
            _ if state.stopped.is_some() => false,
            None => true,
            Some((_, when)) => {
                self.0.kind.idles && when.is_some_and(|when| when.elapsed() < idle_time)
            }
        }
    }

    /// As `what=status` shows it.
    pub fn status(&self, idle_time: Duration) -> JobStatus {
        let active = self.is_active(idle_time);
        let state = self.state();
        let end = state.ended.and_then(|(end, _)| end.timestamp_nanos_opt());
        JobStatus {
            kind: self.0.kind.name.to_owned(),
            uuid: self.0.id.clone(),
            err: state.stopped.clone().unwrap_or_else(|| state.error_text()),
            end_time: end.unwrap_or(0),
            aborted: state.stopped.is_some(),
            is_idle: active && state.ended.is_some(),
        }
    }

    /// As `what=qryxstats` shows it.
    pub fn snap(&self) -> Snap {
        let (loc_objs, loc_bytes) = self.counted();
        let Inner { id, kind, new, started, .. } = &*self.0;
        let state = self.state();
        let about = state.about.clone().unwrap_or_else(|| new.about.clone());
        Snap {
            ext: serde_json::Value::Null,
            start_time: Some(*started),
            end_time: state.ended.map(|(end, _)| end),
            bck: new.bck.clone(),
            src_bck: new.from.clone(),
            dst_bck: new.to.clone(),
            id: id.clone(),
            kind: kind.name.to_owned(),
            ctlmsg: about,
            abort_err: state.stopped.clone().unwrap_or_default(),
            err: state.error_text(),
            packed: pack_workers(0, new.workers),
            stats: Stats { loc_objs, loc_bytes, ..Stats::default() },
            aborted: state.stopped.is_some(),
            is_idle: state.ended.is_some() && state.stopped.is_none(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self) {
        self.ended = Some((Utc::now(), Some(Instant::now())));
    }

    fn error_text(&self) -> String {
        match &self.error {
            None => String::new(),
            Some((first, 0)) => first.clone(),
            Some((first, 1)) => format!("{first} (and 1 more error)"),
            Some((first, more)) => format!("{first} (and {more} more errors)"),
        }
    }
}

/// A request that a [`Job`] stands for is being worked on.
pub struct Inside(Job);

impl Drop for Inside {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.inside -= 1;
        if state.inside == 0 && state.ended.is_none() {
            state.end();
        }
    }
}
