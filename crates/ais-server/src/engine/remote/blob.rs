//! Blob downloads: large objects fetched in parts, as jobs that tell how far they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use holdall_ais_wire::job::kind;
use holdall_ais_wire::name::check_object;
use holdall_store::transfer::Events;

use super::{How, Want};
use crate::engine::{Bucket, Engine};
use crate::error::{Error, Result};
use crate::jobs::{Job, NewJob};
use crate::storage::ObjectMeta;

/// How often a job learns how far its download is.
const TOLD: Duration = Duration::from_millis(100);
/// Most workers: AIStore's.
const MOST_WORKERS: i64 = 128;
/// Least bytes of a chunk; AIStore's smallest.
const LEAST_CHUNK: u64 = 4 << 10;
/// Most bytes of a chunk: AIStore's largest.
const MOST_CHUNK: u64 = 64 << 20;

/// How a blob is downloaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlobOptions {
    /// Whether what is here is compared with what is there.
    pub latest: bool,
    /// Bytes of a chunk; 0 for the default.
    pub chunk_bytes: u64,
    /// Workers; 0 for the default, negative for one.
    pub workers: i64,
}

impl BlobOptions {
    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// When they are out of range.
    pub fn check(self) -> Result<Self> {
        if self.chunk_bytes > MOST_CHUNK {
            return Err(Error::invalid(format!(
                "blob-download: invalid chunk size {}: expecting at most {MOST_CHUNK} bytes",
                self.chunk_bytes
            )));
        }
        if !(-1..=MOST_WORKERS).contains(&self.workers) {
            return Err(Error::invalid(format!(
                "blob-download: invalid number of workers {}: expecting -1 to {MOST_WORKERS}",
                self.workers
            )));
        }
        Ok(self)
    }

    fn how(self, events: Events) -> How {
        let workers = match self.workers {
            0 => None,
            workers => Some(usize::try_from(workers).unwrap_or(1)),
        };
        let chunk_bytes = (self.chunk_bytes > 0).then(|| self.chunk_bytes.max(LEAST_CHUNK));
        How { chunk_bytes, workers, events }
    }
}

impl Engine {
    /// Starts to download an object; the id of the job.
    ///
    /// # Errors
    ///
    /// When the bucket is none of a backend, or the numbers cannot be.
    pub fn blob_download(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        options: BlobOptions,
    ) -> Result<String> {
        let options = options.check()?;
        check_object(name)?;
        self.remote(bucket)?;
        let (engine, of, object) = (Arc::clone(self), bucket.clone(), name.to_owned());
        let new = self.blob_job(bucket, name, options);
        Ok(self.jobs().spawn(new, |job| async move {
            engine.download_blob(&job, &of, &object, options).await.map(drop)
        }))
    }

    fn blob_job(&self, bucket: &Bucket, name: &str, options: BlobOptions) -> NewJob {
        let mut new = NewJob::on(kind::BLOB_DOWNLOAD, bucket.bck())
            .about(format!("blob-download {}/{name}", bucket.bck()));
        new.workers = u64::try_from(options.workers).unwrap_or(1).max(1);
        new
    }

    /// Brings an object here in parts, as a job of its own, and waits for it.
    ///
    /// # Errors
    ///
    /// Those of [`bring`](Self::bring).
    pub async fn bring_blob(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        options: BlobOptions,
    ) -> Result<ObjectMeta> {
        let options = options.check()?;
        let job = self.jobs().begin(self.blob_job(bucket, name, options));
        // Should whoever waits go away, the job ends all the same.
        let ends = Ends(job.clone());
        let result = self.download_blob(&job, bucket, name, options).await;
        job.finish(result.as_ref().map(drop).map_err(super::flight::repeated));
        drop(ends);
        result
    }

    async fn download_blob(
        self: &Arc<Self>,
        job: &Job,
        bucket: &Bucket,
        name: &str,
        options: BlobOptions,
    ) -> Result<ObjectMeta> {
        let told = Arc::new(AtomicU64::new(0));
        let (counted, progress) = (Arc::clone(&told), job.clone());
        let tell = move |snapshot: holdall_store::transfer::Snapshot| {
            let before = counted.fetch_max(snapshot.bytes_done, Ordering::Relaxed);
            progress.add_bytes(snapshot.bytes_done.saturating_sub(before));
        };
        let events = Events::listened(tell, TOLD);
        let want = Want { how: options.how(events), ..Want::of(bucket, options.latest, false) };
        let meta = tokio::select! {
            meta = self.bring(bucket, name, &want) => meta?,
            () = job.stopped() => return Err(job.check().err().unwrap_or_else(stopped)),
        };
        job.add_bytes(meta.size.saturating_sub(told.load(Ordering::Relaxed)));
        job.count(0);
        Ok(meta)
    }
}

fn stopped() -> Error {
    Error::invalid("the job was stopped")
}

/// Ends a job whose waiter has gone.
struct Ends(Job);

impl Drop for Ends {
    fn drop(&mut self) {
        if self.0.snap().end_time.is_none() {
            self.0.finish(Err(Error::invalid("the client went away")));
        }
    }
}
