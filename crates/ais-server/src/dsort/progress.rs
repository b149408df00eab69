//! How far a job is, for those who ask.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use holdall_ais_wire::dsort::{JobInfo, Metrics, Phase};

use super::Plan;
use crate::{error::Error, jobs::Job};

/// The state of one job.
pub(crate) struct Progress(Mutex<State>);

struct State {
    info: JobInfo,
    metrics: Metrics,
}

impl Progress {
    /// Nothing done yet.
    pub(crate) fn new(plan: &Plan, job: &Job) -> Self {
        let info = JobInfo {
            id: job.id().to_owned(),
            src_bck: plan.input.clone(),
            dst_bck: plan.output.clone(),
            started_time: job.started(),
            finish_time: never(),
            extracted_ns: 0,
            sorted_ns: 0,
            created_ns: 0,
            objs: 0,
            bytes: 0,
            metrics: None,
            aborted: false,
            archived: false,
        };
        let phase = || Phase { started_time: never(), end_time: never(), ..Phase::default() };
        let mut metrics = Metrics { description: plan.description.clone(), ..Metrics::default() };
        metrics.local_extraction.phase = phase();
        metrics.meta_sorting.phase = phase();
        metrics.shard_creation.phase = phase();
        Self(Mutex::new(State { info, metrics }))
    }

    /// As clients see it.
    pub(crate) fn info(&self) -> JobInfo {
        let state = self.state();
        let mut metrics = state.metrics.clone();
        for phase in [
            &mut metrics.local_extraction.phase,
            &mut metrics.meta_sorting.phase,
            &mut metrics.shard_creation.phase,
        ] {
            if phase.running {
                phase.elapsed = (Utc::now() - phase.started_time).num_seconds();
            }
        }
        JobInfo {
            extracted_ns: took(&metrics.local_extraction.phase),
            sorted_ns: took(&metrics.meta_sorting.phase),
            created_ns: took(&metrics.shard_creation.phase),
            metrics: Some(metrics),
            ..state.info.clone()
        }
    }

    /// Extraction of this many shards begins.
    pub(super) fn extraction_begins(&self, shards: usize) {
        let mut state = self.state();
        state.metrics.local_extraction.total_count = number(shards);
        begin(&mut state.metrics.local_extraction.phase);
    }

    /// A shard of this size was read.
    pub(super) fn extracted(&self, size: u64, records: usize, spooled: Option<u64>) {
        let extraction = &mut self.state().metrics.local_extraction;
        extraction.extracted_count += 1;
        extraction.extracted_size += bytes(size);
        extraction.extracted_record_count += number(records);
        if let Some(spooled) = spooled {
            extraction.extracted_to_disk_count += 1;
            extraction.extracted_to_disk_size += bytes(spooled);
        }
    }

    /// Extraction ends.
    pub(super) fn extraction_ends(&self) {
        end(&mut self.state().metrics.local_extraction.phase);
    }

    /// Sorting begins, or ends.
    pub(super) fn sorting(&self, begins: bool) {
        let mut state = self.state();
        if begins {
            begin(&mut state.metrics.meta_sorting.phase);
        } else {
            end(&mut state.metrics.meta_sorting.phase);
        }
    }

    /// Creation of this many shards begins.
    pub(super) fn creation_begins(&self, shards: usize) {
        let mut state = self.state();
        state.metrics.shard_creation.to_create = number(shards);
        begin(&mut state.metrics.shard_creation.phase);
    }

    /// A shard of this size was written.
    pub(super) fn created(&self, size: u64) {
        let mut state = self.state();
        state.metrics.shard_creation.created_count += 1;
        state.info.objs += 1;
        state.info.bytes += bytes(size);
    }

    /// Warnings were given.
    pub(super) fn warn(&self, warnings: Vec<String>) {
        self.state().metrics.warnings.extend(warnings);
    }

    /// The job ends. A job that failed counts as aborted, as in AIStore: clients wait for either.
    pub(crate) fn end(&self, error: Option<&Error>) {
        let mut state = self.state();
        let now = Utc::now();
        state.info.finish_time = now;
        state.info.archived = true;
        state.metrics.archived = true;
        match error {
            None => {
                end(&mut state.metrics.shard_creation.phase);
            }
            Some(error) => {
                state.info.aborted = true;
                state.metrics.aborted = true;
                state.metrics.errors.push(error.message().to_owned());
                let metrics = &mut state.metrics;
                for phase in [
                    &mut metrics.local_extraction.phase,
                    &mut metrics.meta_sorting.phase,
                    &mut metrics.shard_creation.phase,
                ] {
                    if phase.running {
                        end(phase);
                        phase.finished = false;
                    }
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Go's zero time, which stands for "not yet".
fn never() -> DateTime<Utc> {
    // The year 1 can be expressed.
    DateTime::from_timestamp(-62_135_596_800, 0).unwrap_or_default()
}

fn begin(phase: &mut Phase) {
    phase.started_time = Utc::now();
    phase.running = true;
}

fn end(phase: &mut Phase) {
    phase.end_time = Utc::now();
    phase.elapsed = (phase.end_time - phase.started_time).num_seconds();
    phase.running = false;
    phase.finished = true;
}

fn took(phase: &Phase) -> i64 {
    let took = phase.end_time - phase.started_time;
    if phase.finished { took.num_nanoseconds().unwrap_or(i64::MAX) } else { 0 }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
