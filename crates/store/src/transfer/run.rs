//! Many objects.

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;

use super::{Report, Transfer};
use crate::error::Result;
use crate::store::Store;

/// One object to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its key in the source.
    pub from: Path,
    /// Its key in the target.
    pub to: Path,
    /// Its length in bytes, as far as it is known; what arrives is checked against what the source says then.
    pub size: u64,
}

/// What came of a job.
#[derive(Debug)]
pub struct Outcome {
    /// The job.
    pub job: Job,
    /// The report, or why it failed.
    pub result: Result<Report>,
}

/// What a job does with its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Copy it.
    Copy,
    /// Copy it, then delete it in the source.
    Move,
}

impl Transfer {
    /// Runs jobs, several at once, and gives their outcomes as they end. A failure does not stop the others.
    pub fn run(
        &self,
        source: &Store,
        target: &Store,
        jobs: BoxStream<'static, Job>,
    ) -> BoxStream<'static, Outcome> {
        let (transfer, source, target) = (self.clone(), source.clone(), target.clone());
        let workers = self.options.workers;
        jobs.map(move |job| {
            let (transfer, source, target) = (transfer.clone(), source.clone(), target.clone());
            async move { transfer.run_one(&source, &target, job).await }
        })
        .buffer_unordered(workers)
        .boxed()
    }

    /// Runs one job.
    pub async fn run_one(&self, source: &Store, target: &Store, job: Job) -> Outcome {
        let run = async {
            match self.options.verb {
                Verb::Copy => {
                    self.copy_known(source, &job.from, target, &job.to, Some(job.size)).await
                }
                Verb::Move => {
                    self.move_known(source, &job.from, target, &job.to, Some(job.size)).await
                }
            }
        };
        let result = self.tracked(Some(job.size), run).await;
        Outcome { job, result }
    }
}
