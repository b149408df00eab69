//! Prefetching: objects are brought here before anybody reads them.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use holdall_ais_wire::job::kind;
use holdall_ais_wire::multi::PrefetchMsg;
use holdall_store::OddKey;

use super::{BlobOptions, Want};
use crate::engine::multi::{Names, describe};
use crate::engine::{Bucket, Engine};
use crate::error::{ErrorKind, Result};
use crate::jobs::{Job, NewJob};

/// Objects at once, where the request does not say.
const WORKERS: usize = 16;
/// Most that a request can have.
const MOST_WORKERS: usize = 128;

struct Prefetching {
    engine: Arc<Engine>,
    job: Job,
    bucket: Bucket,
    message: PrefetchMsg,
    /// Whether a name that is not there is an error.
    strict: bool,
}

impl Engine {
    /// Starts to prefetch objects; the id of the job.
    ///
    /// # Errors
    ///
    /// When the bucket is none of a backend, or the template is none.
    pub fn prefetch(self: &Arc<Self>, bucket: &Bucket, message: PrefetchMsg) -> Result<String> {
        self.remote(bucket)?;
        let names = Names::new(&message.selection, true)?;
        let workers = match usize::try_from(message.num_workers) {
            Ok(0) => WORKERS,
            Ok(workers) => workers.min(MOST_WORKERS),
            // Negative: none beside the job's own.
            Err(_) => 1,
        };
        let mut new = NewJob::on(kind::PREFETCH, bucket.bck()).about(describe(&message.selection));
        new.workers = workers as u64;
        let (engine, bucket) = (Arc::clone(self), bucket.clone());
        Ok(self.jobs().spawn(new, |job| async move {
            let strict = names.is_list();
            let work = Prefetching { engine, job, bucket, message, strict };
            work.run(names, workers).await
        }))
    }
}

impl Prefetching {
    async fn run(self, mut names: Names, workers: usize) -> Result<()> {
        loop {
            let (page, rest) = names.page(&self.engine, &self.bucket).await?;
            if page.is_empty() {
                return Ok(());
            }
            names = rest;
            futures::stream::iter(page)
                .map(|name| self.one(name))
                .buffer_unordered(workers)
                .try_for_each(|()| async { Ok(()) })
                .await?;
        }
    }

    async fn one(&self, name: String) -> Result<()> {
        self.job.check()?;
        match self.fetch(&name).await {
            Ok(()) => Ok(()),
            // Of ranges not every name need be there.
            Err(error) if error.kind() == ErrorKind::NotFound && !self.strict => Ok(()),
            // As in AIStore, one that is missing does not keep the others from coming.
            // Nor does one that only a listing can tell.
            Err(error)
                if self.message.coer
                    || error.kind() == ErrorKind::NotFound
                    || OddKey::is_odd(&name) =>
            {
                self.job.record(&error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn fetch(&self, name: &str) -> Result<()> {
        let want = Want::of(&self.bucket, self.message.latest, false);
        let before = self.engine.find(&self.bucket, name).await?;
        if before.is_some() && !want.latest {
            return Ok(());
        }
        let meta = match self.threshold() {
            Some(threshold) if self.size(name).await? >= threshold => {
                let options = BlobOptions { latest: want.latest, ..BlobOptions::default() };
                self.engine.bring_blob(&self.bucket, name, options).await?
            }
            _ => self.engine.bring(&self.bucket, name, &want).await?,
        };
        // What was up to date already does not count.
        if before.is_none_or(|before| before.content != meta.content) {
            self.job.count(meta.size);
        }
        Ok(())
    }

    /// Bytes from which on objects are downloaded as blobs.
    fn threshold(&self) -> Option<u64> {
        u64::try_from(self.message.blob_threshold).ok().filter(|threshold| *threshold > 0)
    }

    async fn size(&self, name: &str) -> Result<u64> {
        let there = self.engine.head_backend(&self.bucket, name).await?;
        there.map(|meta| meta.size).ok_or_else(|| self.engine.no_object(&self.bucket, name))
    }
}
