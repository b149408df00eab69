//! Eviction: objects go here and stay there.

use std::ops::Bound;
use std::sync::Arc;

use holdall_ais_wire::bucket::Bck;
use holdall_ais_wire::job::kind;
use holdall_ais_wire::multi::EvdMsg;

use crate::engine::multi::{Names, describe};
use crate::engine::{Bucket, Engine, Severity};
use crate::error::Result;
use crate::jobs::{Job, NewJob};

/// Objects that go in one commit.
const SLICE: usize = 1024;

impl Engine {
    /// Starts to evict objects; the id of the job.
    ///
    /// # Errors
    ///
    /// When the template is none.
    pub fn evict_objects(self: &Arc<Self>, bucket: &Bucket, message: &EvdMsg) -> Result<String> {
        // What is not here need not go: only what is here is looked at.
        let names = Names::new(&message.selection, !message.non_recursive)?.here();
        let new = NewJob::on(kind::EVICT_OBJECTS, bucket.bck()).about(describe(&message.selection));
        let (engine, bucket) = (Arc::clone(self), bucket.clone());
        Ok(self
            .jobs()
            .spawn(new, |job| async move { engine.evict_all(&job, &bucket, names).await }))
    }

    async fn evict_all(self: &Arc<Self>, job: &Job, bucket: &Bucket, names: Names) -> Result<()> {
        let mut names = Some(names);
        while let Some(source) = names.take() {
            let (page, rest) = source.page(self, bucket).await?;
            if page.is_empty() {
                break;
            }
            for (_, gone) in self.forget(bucket, page).await? {
                if let Some(meta) = gone {
                    job.count(meta.size);
                }
            }
            names = Some(rest);
        }
        Ok(())
    }

    /// Evicts a bucket: all of its objects, and what is known of it unless that is to stay.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn evict_bucket(self: &Arc<Self>, bck: &Bck, keep: bool) -> Result<()> {
        // AIStore does not mind a bucket that it does not know.
        let Ok(bucket) = self.bucket(bck) else { return Ok(()) };
        let new = NewJob::on(kind::EVICT_REMOTE_BCK, bucket.bck());
        let (job, result) = if keep {
            let job = self.jobs().begin(new);
            let result = self.evict_here(&job, &bucket).await;
            (job, result)
        } else {
            // Jobs of the bucket are stopped with it; this one begins after that.
            let result = self.drop_bucket(bucket.bck()).await;
            (self.jobs().begin(new), result)
        };
        let text = match &result {
            Ok(()) => format!("evicted bucket {bck}"),
            Err(error) => format!("bucket {bck} was not evicted: {error}"),
        };
        self.log().add(Severity::Info, text);
        job.finish(result.as_ref().copied().map_err(super::flight::repeated));
        result
    }

    async fn evict_here(self: &Arc<Self>, job: &Job, bucket: &Bucket) -> Result<()> {
        let bid = bucket.bid();
        loop {
            let meta = self.storage().meta();
            let page =
                meta.blocking(move |meta| meta.scan(bid, Bound::Unbounded, "", SLICE)).await?;
            if page.is_empty() {
                return Ok(());
            }
            let names = page.into_iter().map(|(name, _)| name).collect();
            for (_, gone) in self.forget(bucket, names).await? {
                if let Some(meta) = gone {
                    job.count(meta.size);
                }
            }
        }
    }
}
