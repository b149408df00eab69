//! Writes and deletions, through to the backend.
//!
//! A write is whole here first; then it goes to the backend; then it is committed. It is acknowledged when both have it. A
//! process that is killed in between leaves what was here: reads that ask for the latest version, or come after an
//! eviction, find the new one.
//!
//! Writers of one object take turns, so that both sides see them in the same order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use holdall_store::Store;
use holdall_store::object_store::ObjectStoreExt as _;
use holdall_store::object_store::path::Path;
use holdall_store::transfer::{Report, Transfer, TransferOptions};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use super::facts;
use super::fetch::key;
use crate::engine::writer::Sealed;
use crate::engine::{Bucket, Content, Engine};
use crate::error::Result;
use crate::storage::ObjectMeta;

/// Content up to this length is read whole before it is sent.
const SMALL: u64 = 8 << 20;
/// Turns after which those that nobody waits for are forgotten.
const SWEEP: usize = 1024;

/// Who writes which object.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Key, Weak<Turn<()>>>>);

/// Bucket's id and name of an object.
type Key = (u64, String);

impl Turns {
    /// Whether somebody writes the object.
    pub(super) fn is_taken(&self, key: &Key) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).and_then(Weak::upgrade).is_some_and(|turn| turn.try_lock().is_err())
    }

    pub(super) async fn take(&self, bid: u64, name: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= SWEEP {
                all.retain(|_, turn| turn.strong_count() > 0);
            }
            let entry = all.entry((bid, name.to_owned())).or_default();
            entry.upgrade().unwrap_or_else(|| {
                let turn = Arc::new(Turn::new(()));
                *entry = Arc::downgrade(&turn);
                turn
            })
        };
        turn.lock_owned().await
    }
}

impl Engine {
    /// Writes an object to its backend, and then commits it.
    pub(in crate::engine) async fn write_through(
        self: &Arc<Self>,
        mut sealed: Sealed,
    ) -> Result<ObjectMeta> {
        let (bucket, name) = (sealed.bucket().clone(), sealed.name().to_owned());
        let _turn = self.remotes().writes.take(bucket.bid(), &name).await;
        let content = {
            let opened = move |_: &Arc<Self>| {
                let content = sealed.open()?;
                Ok((sealed, content))
            };
            let (kept, content) = super::super::Work::blocking(self, opened).await?;
            sealed = kept;
            content
        };
        let tag = self.send(&bucket, &name, sealed.meta(), content).await?;
        let provider = self.remote(&bucket)?.provider;
        let custom = match tag {
            Some(tag) => facts::of_put(provider, Some(&tag)),
            // Servers that say nothing of what they took are asked.
            None => match self.head_backend(&bucket, &name).await? {
                Some(there) => there.custom,
                None => facts::of_put(provider, None),
            },
        };
        sealed.describe(custom);
        // What is on its way here is what was there before.
        self.remotes().flights.outdate(bucket.bid(), &name);
        let meta = sealed.cached().commit_now().await?;
        self.cached(meta.size);
        Ok(meta)
    }

    async fn send(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        meta: &ObjectMeta,
        content: Content,
    ) -> Result<Option<String>> {
        let remote = self.remote(bucket)?;
        let path = key(bucket, name)?;
        let attributes = facts::attributes(remote.provider, meta);
        let mut options = TransferOptions::default();
        let described = !attributes.is_empty();
        if described {
            options = options.with_attributes(Some(attributes));
        }
        let mut sent = send(&remote.store, &path, options, &content).await;
        if described
            && sent.as_ref().is_err_and(|e| e.kind() == holdall_store::ErrorKind::NotSupported)
        {
            // Azure takes none with parts under a customer's key: the object is worth more than what is said of it.
            sent = send(&remote.store, &path, TransferOptions::default(), &content).await;
        }
        let report = sent.map_err(|error| self.backend_error(bucket, name, &error))?;
        Ok(report.e_tag)
    }

    /// Deletes objects there; for each whether it worked.
    pub(in crate::engine) async fn delete_there(
        &self,
        bucket: &Bucket,
        names: &[String],
    ) -> Result<Vec<Result<()>>> {
        let remote = self.remote(bucket)?;
        let mut results: Vec<Result<()>> = Vec::with_capacity(names.len());
        if let [name] = names {
            let path = key(bucket, name)?;
            let deleted = match remote.store.delete(&path).await {
                Err(holdall_store::object_store::Error::NotFound { .. }) => {
                    Err(self.no_object(bucket, name))
                }
                Err(error) => {
                    let error = remote.store.error("delete", &path, error);
                    Err(self.backend_error(bucket, name, &error))
                }
                Ok(()) => Ok(()),
            };
            return Ok(vec![deleted]);
        }
        let mut paths = Vec::with_capacity(names.len());
        for name in names {
            paths.push(key(bucket, name)?);
        }
        let mut deleted = remote.store.delete_many(futures::stream::iter(paths).boxed());
        while let Some((path, outcome)) = deleted.next().await {
            results.push(outcome.map_err(|e| self.backend_error(bucket, path.as_ref(), &e)));
        }
        Ok(results)
    }

    /// Takes the turn of an object, and makes what is on its way outdated.
    pub(in crate::engine) async fn before_delete(
        &self,
        bucket: &Bucket,
        name: &str,
    ) -> OwnedMutexGuard<()> {
        self.remotes().writes.take(bucket.bid(), name).await
    }

    /// After a deletion there: nothing that is on its way may be kept.
    pub(in crate::engine) fn outdate(&self, bucket: &Bucket, names: &[String]) {
        for name in names {
            self.remotes().flights.outdate(bucket.bid(), name);
        }
    }

    /// Forgets objects here, and leaves them alone there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(in crate::engine) async fn forget(
        &self,
        bucket: &Bucket,
        names: Vec<String>,
    ) -> Result<Vec<(String, Option<ObjectMeta>)>> {
        self.delete_here(bucket, names).await
    }
}

async fn send(
    store: &Store,
    path: &Path,
    options: TransferOptions,
    content: &Content,
) -> holdall_store::Result<Report> {
    let transfer = Transfer::new().with_options(options);
    let target = store.url_of(path);
    let failed = move |e: std::io::Error| {
        let kind = holdall_store::ErrorKind::Io;
        holdall_store::Error::new(kind, "put", target.clone(), e.to_string())
    };
    let stream = content.stream(0..content.size()).map_err(failed);
    if content.size() > SMALL {
        return transfer.upload_stream(stream.boxed(), store, path).await;
    }
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    let whole = match <[Bytes; 1]>::try_from(pieces) {
        Ok([one]) => one,
        Err(pieces) => pieces.concat().into(),
    };
    transfer.write(whole, store, path).await
}
