//! Deleting many objects, with an outcome for each.

use std::collections::HashSet;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::error::{Error, ErrorKind, Result};
use crate::listing::{OddKey, ParallelOptions};
use crate::ops::directory;
use crate::store::Store;
use crate::transfer::Backoff;

/// Keys deleted together; S3 takes 1000 in one request.
const BATCH: usize = 1000;

/// Single deletions in flight: of what a batch has left, of markers.
const SINGLES: usize = 10;

/// How often a deletion without an answer is asked for again.
const REPEATS: u32 = 3;

/// What S3 and Cloud Storage, and what Azure say when it is the bucket that is missing, and not the object.
const NO_BUCKET: [&str; 2] =
    ["404 Not Found: NoSuchBucket", "The specified container does not exist"];

fn is_of_the_bucket(error: &object_store::Error) -> bool {
    let text = error.to_string();
    NO_BUCKET.iter().any(|said| text.contains(said))
}

/// What came of deleting many objects.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DeleteReport {
    /// How many are gone, those that were missing included.
    pub deleted: u64,
    /// The keys of those that are not gone, and why; also such as no path can hold.
    pub failed: Vec<(String, Error)>,
}

/// What came of deleting one thing that a listing had.
#[derive(Debug)]
#[non_exhaustive]
pub struct Deletion {
    /// Its key in the store, which no path need be able to hold.
    pub key: String,
    /// The same with the store: to be shown, not always to be opened.
    pub url: String,
    /// Why it is not gone.
    pub result: Result<()>,
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
        let mut finds_bucket = true;
        let mut gone = HashSet::new();
        if self.provider().scheme() == "s3" {
            let keys = stream::iter(batch.clone()).map(Ok).boxed();
            let mut answers = self.delete_stream(keys);
            while let Some(answer) = answers.next().await {
                match answer {
                    Ok(location) => drop(gone.insert(location)),
                    // Objects that are missing are none to this request: the bucket is, or the request itself.
                    Err(object_store::Error::NotFound { .. }) => finds_bucket = false,
                    // It may pass for one alone.
                    Err(_) => {}
                }
            }
        }
        let gone = &gone;
        stream::iter(batch)
            .map(|location| async move {
                let outcome = match finds_bucket {
                    _ if gone.contains(&location) => Ok(()),
                    true => self.delete_or_again(&location, REPEATS).await,
                    false => {
                        let deleted = self.delete(&location).await;
                        deleted.map_err(|error| self.error("delete", &location, error))
                    }
                };
                (location, outcome)
            })
            .buffered(SINGLES)
            .collect()
            .await
    }

    /// Deletes an object; one that does not exist counts as deleted, so that it can be asked for again where no answer came. The
    /// clients of the services do not do that.
    pub(crate) async fn delete_or_again(&self, location: &Path, retries: u32) -> Result<()> {
        let mut backoff = Backoff::new(retries);
        loop {
            match self.delete(location).await {
                Err(error @ object_store::Error::NotFound { .. }) if is_of_the_bucket(&error) => {
                    return Err(self.error("delete", location, error));
                }
                Ok(()) | Err(object_store::Error::NotFound { .. }) => return Ok(()),
                Err(error) => backoff.again(self.error("delete", location, error)).await?,
            }
        }
    }

    /// Deletes the marker of a directory that a listing of this store had ([`OddKey::is_marker`]), under its own key. One that
    /// does not exist counts as deleted.
    ///
    /// # Errors
    /// Those of the request, and [`ErrorKind::InvalidPath`] for what is no marker.
    pub async fn delete_marker(&self, marker: &OddKey) -> Result<()> {
        if !marker.is_marker() {
            let odd = Box::new(marker.clone());
            return Err(self.odd_key_below(odd).with_operation("delete"));
        }
        let key = format!("{}{}", directory(self.prefix()), marker.key);
        match self.provider().delete_marker(&key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::from_store("delete", self.url_of_key(&marker.key), error)),
        }
    }

    /// Deletes every object below `prefix` (whole segments), or of the whole store, the markers of directories included.
    ///
    /// # Errors
    /// When the listing fails, as in a bucket that is missing; objects that cannot be deleted are in the report.
    pub async fn delete_prefix(&self, prefix: Option<&Path>) -> Result<DeleteReport> {
        let mut report = DeleteReport::default();
        let any_order = ParallelOptions::default().with_sorted(false);
        let is_http = self.provider().scheme() == "http";
        let mut deletions = self.delete_listed(self.objects_parallel(prefix, any_order));
        while let Some(deletion) = deletions.next().await {
            match deletion {
                Ok(Deletion { result: Ok(()), .. }) => report.deleted += 1,
                Ok(Deletion { key, result: Err(error), .. }) => report.failed.push((key, error)),
                // A directory that is not there; elsewhere the bucket is missing.
                Err(error) if error.kind() == ErrorKind::NotFound && is_http => {}
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }

    /// Deletes what a listing of this store has, the markers of directories included, and tells of each. A failure does not
    /// stop the others; a listing that fails is an error of the stream, after what it had until then.
    pub fn delete_listed<'a>(
        &self,
        listing: impl Stream<Item = Result<ObjectMeta>> + Send + 'a,
    ) -> BoxStream<'a, Result<Deletion>> {
        let store = self.clone();
        let batches = listing.map(Found::of).try_chunks(BATCH).then(move |batch| {
            let store = store.clone();
            async move {
                let (found, error) = match batch {
                    Ok(found) => (found, None),
                    Err(stream::TryChunksError(found, error)) => (found, Some(error)),
                };
                let deletions = store.delete_found(found).await.into_iter().map(Ok);
                deletions.chain(error.map(Err)).collect::<Vec<_>>()
            }
        });
        batches.flat_map(stream::iter).boxed()
    }

    /// What [`delete_listed`](Self::delete_listed) would have tried, with nothing deleted.
    pub fn would_delete<'a>(
        &self,
        listing: impl Stream<Item = Result<ObjectMeta>> + Send + 'a,
    ) -> BoxStream<'a, Result<Deletion>> {
        let store = self.clone();
        let told = move |item| {
            Found::of(item).map(|found| match found {
                Found::Object(location) => store.deletion(location.into(), Ok(())),
                Found::Marker(marker) => store.deletion(marker.key, Ok(())),
                Found::Odd(key, error) => store.deletion(key, Err(error)),
            })
        };
        listing.map(told).boxed()
    }

    async fn delete_found(&self, found: Vec<Found>) -> Vec<Deletion> {
        let (mut keys, mut markers) = (Vec::with_capacity(found.len()), Vec::new());
        let mut deletions = Vec::with_capacity(found.len());
        for found in found {
            match found {
                Found::Object(key) => keys.push(key),
                Found::Marker(marker) => markers.push(marker),
                Found::Odd(key, error) => deletions.push(self.deletion(key, Err(error))),
            }
        }
        let deleted = self.delete_batch(keys).await;
        deletions.extend(deleted.into_iter().map(|(key, done)| self.deletion(key.into(), done)));
        let markers = stream::iter(markers).map(|marker| async move {
            let done = self.delete_marker(&marker).await;
            self.deletion(marker.key, done)
        });
        deletions.extend(markers.buffered(SINGLES).collect::<Vec<_>>().await);
        deletions
    }

    fn deletion(&self, key: String, result: Result<()>) -> Deletion {
        let url = self.url_of_key(&key);
        Deletion { key, url, result }
    }
}

/// What a listing finds to be deleted.
enum Found {
    Object(Path),
    Marker(Box<OddKey>),
    /// Nothing but a listing can name it.
    Odd(String, Error),
}

impl Found {
    fn of(item: Result<ObjectMeta>) -> Result<Self> {
        match item {
            Ok(meta) => Ok(Self::Object(meta.location)),
            Err(error) => match error.odd_key() {
                Some(odd) if odd.is_marker() => Ok(Self::Marker(Box::new(odd.clone()))),
                Some(odd) => Ok(Self::Odd(odd.key.clone(), error.with_operation("delete"))),
                None => Err(error),
            },
        }
    }
}
