//! Deleting many objects, with an outcome for each.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::{Error, ErrorKind, Result};
use crate::listing::ParallelOptions;
use crate::store::Store;

/// Keys deleted together; S3 takes 1000 in one request.
const BATCH: usize = 1000;

/// Single deletions in flight when a batch has failed as a whole.
const SINGLES: usize = 10;

/// What came of deleting many objects.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DeleteReport {
    /// How many are gone, those that were missing included.
    pub deleted: u64,
    /// The keys of those that are not gone, and why; also such as no path can hold.
    pub failed: Vec<(String, Error)>,
}

impl Store {
    /// Deletes the objects of a stream of keys and reports on each, in the order of the keys. An object that does not
    /// exist counts as deleted. A failure does not stop the others.
    pub fn delete_many(
        &self,
        locations: BoxStream<'static, Path>,
    ) -> BoxStream<'static, (Path, Result<()>)> {
        let store = self.clone();
        locations
            .ready_chunks(BATCH)
            .then(move |batch| {
                let store = store.clone();
                async move { store.delete_batch(batch).await }
            })
            .flat_map(stream::iter)
            .boxed()
    }

    async fn delete_batch(&self, batch: Vec<Path>) -> Vec<(Path, Result<()>)> {
        if self.provider().scheme() == "s3" {
            let keys = stream::iter(batch.clone()).map(Ok).boxed();
            if self.delete_stream(keys).try_collect::<Vec<_>>().await.is_ok() {
                return batch.into_iter().map(|location| (location, Ok(()))).collect();
            }
            // The bulk request does not say in the trait's terms which keys failed: ask for each.
        }
        stream::iter(batch)
            .map(|location| async move {
                let outcome = match self.delete(&location).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                    Err(error) => Err(self.error("delete", &location, error)),
                };
                (location, outcome)
            })
            .buffered(SINGLES)
            .collect()
            .await
    }

    /// Deletes every object below `prefix` (whole segments), or of the whole store.
    ///
    /// # Errors
    /// When the listing fails; objects that cannot be deleted are in the report.
    pub async fn delete_prefix(&self, prefix: Option<&Path>) -> Result<DeleteReport> {
        let mut report = DeleteReport::default();
        let any_order = ParallelOptions::default().with_sorted(false);
        let listing = self.objects_parallel(prefix, any_order);
        let mut listing = listing.map_ok(|meta| meta.location).try_chunks(BATCH);
        while let Some(batch) = listing.next().await {
            let (batch, error) = match batch {
                Ok(batch) => (batch, None),
                Err(stream::TryChunksError(batch, error)) => (batch, Some(error)),
            };
            for (location, outcome) in self.delete_batch(batch).await {
                match outcome {
                    Ok(()) => report.deleted += 1,
                    Err(error) => report.failed.push((location.into(), error)),
                }
            }
            let Some(error) = error else { continue };
            match error.odd_key().map(|odd| odd.key.clone()) {
                Some(key) => report.failed.push((key, error.with_operation("delete"))),
                None if error.kind() == ErrorKind::NotFound => {}
                None => return Err(error),
            }
        }
        Ok(report)
    }
}
