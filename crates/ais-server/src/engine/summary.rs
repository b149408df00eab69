//! Summaries of buckets: jobs whose result is fetched with their id.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use holdall_ais_wire::job::kind;
use holdall_ais_wire::summary::{ObjCount, ObjSize, Summary, TotalSize};

use super::remote::{RemoteQuery, wait_blocking};
use super::{Bucket, Engine};
use crate::error::{Error, Result};
use crate::jobs::{Job, NewJob};
use crate::storage::ObjectMeta;

/// Most results that are kept.
const KEPT: usize = 1000;
/// Objects between two looks at whether the job was stopped.
const STEP: u64 = 4096;

/// Results by id of their job.
#[derive(Default)]
pub(super) struct Summaries(Mutex<VecDeque<(String, Vec<Summary>)>>);

impl Engine {
    /// Starts to add up these buckets, and tells the id of the job; `there`: with what their backends have.
    pub fn start_summary(
        self: &Arc<Self>,
        buckets: Vec<Bucket>,
        prefix: &str,
        there: bool,
    ) -> String {
        let job = match &buckets[..] {
            [one] => NewJob::on(kind::SUMMARY_BCK, one.bck()),
            _ => NewJob { kind: kind::SUMMARY_BCK, workers: 1, ..NewJob::default() },
        };
        let (engine, prefix) = (Arc::clone(self), prefix.to_owned());
        self.jobs().spawn(job, |job| async move {
            let worker = job.clone();
            let adding = tokio::task::spawn_blocking(move || {
                let all: Result<Vec<_>> = buckets
                    .iter()
                    .map(|bucket| {
                        let mut summary = engine.summary(&worker, bucket, &prefix)?;
                        if there && bucket.is_remote() {
                            let adding = engine.add_there(&worker, bucket, &prefix, &mut summary);
                            wait_blocking(adding)?;
                        }
                        Ok(summary)
                    })
                    .collect();
                let mut results = engine.summaries.0.lock().unwrap_or_else(PoisonError::into_inner);
                results.push_back((worker.id().to_owned(), all?));
                if results.len() > KEPT {
                    results.pop_front();
                }
                Ok(())
            });
            adding.await.map_err(|e| Error::internal("adding up ended early").with_source(e))?
        })
    }

    /// The result of a summary; none while it runs.
    ///
    /// # Errors
    ///
    /// When there is no such job, or it failed.
    pub fn summary_result(&self, id: &str) -> Result<Option<Vec<Summary>>> {
        {
            let results = self.summaries.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, result)) = results.iter().find(|(of, _)| of == id) {
                return Ok(Some(result.clone()));
            }
        }
        let job = self.jobs().get(id).filter(|job| job.kind().name == kind::SUMMARY_BCK);
        let job =
            job.ok_or_else(|| Error::not_found(format!("x-summary-bck[{id}] does not exist")))?;
        let snap = job.snap();
        if snap.end_time.is_some() && !(snap.err.is_empty() && snap.abort_err.is_empty()) {
            return Err(Error::invalid(format!(
                "x-summary-bck[{id}] failed: {}{}",
                snap.err, snap.abort_err
            )));
        }
        Ok(None)
    }

    async fn add_there(
        self: &Arc<Self>,
        job: &Job,
        bucket: &Bucket,
        prefix: &str,
        summary: &mut Summary,
    ) -> Result<()> {
        let mut query =
            RemoteQuery { prefix: prefix.to_owned(), limit: 1000, ..RemoteQuery::default() };
        loop {
            job.check()?;
            let page = self.list_there(bucket, &query).await?;
            for there in page.entries.iter().filter_map(|entry| entry.there.as_ref()) {
                summary.count.remote += 1;
                summary.total.remote += there.size;
            }
            if page.token.is_empty() {
                return Ok(());
            }
            query.token = page.token;
        }
    }

    fn summary(&self, job: &Job, bucket: &Bucket, prefix: &str) -> Result<Summary> {
        let (mut count, mut total, mut min, mut max) = (0_u64, 0_u64, u64::MAX, 0_u64);
        self.storage().meta().walk(bucket.bid(), Bound::Unbounded, prefix, |_, bytes| {
            let size = ObjectMeta::decode(bytes)?.size;
            count += 1;
            total += size;
            min = min.min(size);
            max = max.max(size);
            if count % STEP == 0 {
                job.check()?;
            }
            Ok(true)
        })?;
        job.count(total);
        let signed = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
        let space = self.storage().blobs().space()?;
        let disks = space.used + space.avail;
        Ok(Summary {
            bck: bucket.bck().clone(),
            count: ObjCount { present: count, remote: 0 },
            size: match (total + count / 2).checked_div(count) {
                None => ObjSize::default(),
                Some(average) => {
                    ObjSize { min: signed(min), avg: signed(average), max: signed(max) }
                }
            },
            total: TotalSize { on_disk: total, present: total, remote: 0, disks },
            used_pct: total * 100 / disks.max(1),
            is_present: true,
        })
    }
}
