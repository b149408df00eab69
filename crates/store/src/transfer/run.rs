//! Many objects.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use tokio::task::JoinHandle;

use super::cleaning::Cleaning;
use super::{Report, Transfer};
use crate::error::{Error, ErrorKind, Result};
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
        jobs.map(move |job| transfer.start(&source, &target, job)).buffer_unordered(workers).boxed()
    }

    /// Starts one job, on the Tokio runtime that this is called on: several jobs share its threads.
    pub fn start(&self, source: &Store, target: &Store, job: Job) -> Running {
        let cleared = Arc::new(Mutex::new(None));
        let (transfer, source, target) = (self.clone(), source.clone(), target.clone());
        let (own, until_cleared) = (job.clone(), cleared.clone());
        let task = tokio::spawn(async move {
            // Dropped after the job.
            let _until_cleared = until_cleared;
            transfer.run_one(&source, &target, &own).await
        });
        Running { job: Some(job), task, cleared }
    }

    /// Refuses what may not be written for the sake of the source ([`TransferOptions::spared`](super::TransferOptions::spared)).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub fn check_spared(&self, source: &Store, target: &Store, to: &Path) -> Result<()> {
        if !self.options.spared.as_ref().is_some_and(|spared| to.prefix_matches(spared)) {
            return Ok(());
        }
        let detail = format!(
            "it lies in the source {}, where it could take the place of what is still to be read",
            source.url()
        );
        Err(Error::new(ErrorKind::InvalidArgument, "copy", target.url_of(to), detail))
    }

    async fn run_one(&self, source: &Store, target: &Store, job: &Job) -> Result<Report> {
        let run = async {
            self.check_spared(source, target, &job.to)?;
            match self.options.verb {
                Verb::Copy => {
                    self.copy_known(source, &job.from, target, &job.to, Some(job.size)).await
                }
                Verb::Move => {
                    self.move_known(source, &job.from, target, &job.to, Some(job.size)).await
                }
            }
        };
        self.tracked(Some(job.size), run).await
    }
}

/// A job under way, whose outcome can be waited for. Dropped, it is cancelled.
#[derive(Debug)]
pub struct Running {
    /// Until it has ended.
    job: Option<Job>,
    task: JoinHandle<Result<Report>>,
    /// Where a cancelled job keeps what counts until it is cleared away.
    cleared: Arc<Mutex<Option<Cleaning>>>,
}

impl Future for Running {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let ended = ready!(Pin::new(&mut self.task).poll(cx));
        let job = self.job.take().expect("a future is not polled after its end");
        let result = ended.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => {
                let detail = error.to_string();
                Err(Error::new(ErrorKind::Join, "copy", job.from.as_ref(), detail))
            }
        });
        Poll::Ready(Outcome { job, result })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.job.is_some() {
            let cleaning = Some(Cleaning::begin());
            *self.cleared.lock().unwrap_or_else(PoisonError::into_inner) = cleaning;
            self.task.abort();
        }
    }
}
