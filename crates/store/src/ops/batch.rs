//! Many objects, or parts of them, with one call.

use std::ops::Range;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::Result;
use crate::store::Store;

/// How to read a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchOptions {
    /// Objects that are read at once, where the service has no batches of its own. Default 16.
    pub concurrency: usize,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self { concurrency: 16 }
    }
}

impl BatchOptions {
    /// Sets [`concurrency`](Self::concurrency), at least one.
    #[must_use]
    pub fn with_concurrency(mut self, objects: usize) -> Self {
        self.concurrency = objects.max(1);
        self
    }
}

/// The ranges of one object that stand next to each other in a batch's order, or the whole of it.
struct Read {
    location: Path,
    ranges: Vec<Option<Range<u64>>>,
}

impl Store {
    /// Reads objects, or ranges of them, and gives what came of each in the order of the entries: one that is missing is
    /// an error of its own, and the others still come. The service's own batches are used where it has them; elsewhere
    /// several objects are read at once, and ranges of one object that are near each other with one request.
    pub fn get_batch(
        &self,
        entries: Vec<(Path, Option<Range<u64>>)>,
        options: BatchOptions,
    ) -> BoxStream<'static, Result<Bytes>> {
        let full =
            |(path, range): &(Path, Option<Range<u64>>)| (self.full_path(path), range.clone());
        if let Some(batch) = self.provider().get_batch(entries.iter().map(full).collect()) {
            let store = self.clone();
            let named = batch.zip(stream::iter(entries));
            return named
                .map(move |(read, (path, _))| read.map_err(|e| store.error("get", &path, e)))
                .boxed();
        }
        let store = self.clone();
        stream::iter(reads(entries))
            .map(move |read| {
                let store = store.clone();
                async move { stream::iter(store.read_entries(read).await) }
            })
            .buffered(options.concurrency.max(1))
            .flatten()
            .boxed()
    }

    async fn read_entries(&self, read: Read) -> Vec<Result<Bytes>> {
        let Read { location, ranges } = read;
        let whole = |location| async move { self.get(location).await?.bytes().await };
        let error = |e| self.error("get", &location, e);
        if ranges.iter().all(Option::is_none) {
            let mut copies = Vec::with_capacity(ranges.len());
            let first = whole(&location).await;
            if let Ok(bytes) = &first {
                copies.extend((1..ranges.len()).map(|_| Ok(bytes.clone())));
                copies.push(Ok(bytes.clone()));
                return copies;
            }
            copies.push(first.map_err(error));
            for _ in 1..ranges.len() {
                copies.push(whole(&location).await.map_err(error));
            }
            return copies;
        }
        let wanted: Vec<_> = ranges.iter().flatten().cloned().collect();
        if wanted.len() == ranges.len()
            && let Ok(found) = self.get_ranges(&location, &wanted).await
        {
            return found.into_iter().map(Ok).collect();
        }
        // One range that does not fit fails all: by itself, each gets its own answer.
        let mut found = Vec::with_capacity(ranges.len());
        for range in ranges {
            let read = match range {
                Some(range) => self.get_range(&location, range).await,
                None => whole(&location).await,
            };
            found.push(read.map_err(error));
        }
        found
    }
}

/// Entries of the same object that follow each other are one read.
fn reads(entries: Vec<(Path, Option<Range<u64>>)>) -> Vec<Read> {
    let mut reads: Vec<Read> = Vec::new();
    for (location, range) in entries {
        match reads.last_mut() {
            Some(last)
                if last.location == location
                    && last.ranges.iter().all(|other| other.is_some() == range.is_some()) =>
            {
                last.ranges.push(range);
            }
            _ => reads.push(Read { location, ranges: vec![range] }),
        }
    }
    reads
}
