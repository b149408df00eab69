//! Many objects from one store to another.
//!
//! A plan is a stream of data ([`Job`], [`Action`]); running it gives an outcome per object. Nothing here prints.

mod compare;
mod filter;
mod sync;

use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::CopyMode;
use object_store::path::Path;

pub use compare::Compare;
pub use filter::Filter;
pub use sync::{Action, Reason, SyncOptions, plan};

use crate::error::Result;
use crate::ops::CopyReport;
use crate::store::Store;

/// One object to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its key in the source.
    pub from: Path,
    /// Its key in the target.
    pub to: Path,
    /// Its length in bytes.
    pub size: u64,
}

/// What came of a job.
#[derive(Debug)]
pub struct Outcome {
    /// The job.
    pub job: Job,
    /// The report, or why it failed.
    pub result: Result<CopyReport>,
}

/// What a job does with its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Copy it.
    Copy,
    /// Copy it, then delete it in the source.
    Move,
}

/// How jobs are run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TransferOptions {
    /// Jobs at once. Default 8.
    pub workers: usize,
    /// Whether an object in the target is replaced. Default yes.
    pub mode: CopyMode,
    /// Copy or move. Default copy.
    pub verb: Verb,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self { workers: 8, mode: CopyMode::Overwrite, verb: Verb::Copy }
    }
}

impl TransferOptions {
    /// Sets [`workers`](Self::workers).
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Sets [`mode`](Self::mode).
    #[must_use]
    pub fn with_mode(mut self, mode: CopyMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets [`verb`](Self::verb).
    #[must_use]
    pub fn with_verb(mut self, verb: Verb) -> Self {
        self.verb = verb;
        self
    }
}

/// Runs jobs, several at once, and gives their outcomes as they end. A failure does not stop the others.
pub fn run(
    source: Store,
    target: Store,
    jobs: BoxStream<'static, Job>,
    options: TransferOptions,
) -> BoxStream<'static, Outcome> {
    jobs.map(move |job| {
        let (source, target) = (source.clone(), target.clone());
        async move {
            let result = match options.verb {
                Verb::Copy => source.copy_to(&job.from, &target, &job.to, options.mode).await,
                Verb::Move => source.move_to(&job.from, &target, &job.to, options.mode).await,
            };
            Outcome { job, result }
        }
    })
    .buffer_unordered(options.workers)
    .boxed()
}

/// Runs one job.
pub async fn run_one(source: Store, target: Store, job: Job, options: TransferOptions) -> Outcome {
    let mut outcomes = run(source, target, stream::iter([job]).boxed(), options);
    outcomes.next().await.expect("one job has one outcome")
}
