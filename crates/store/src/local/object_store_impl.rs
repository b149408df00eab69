//! The trait of object stores over files.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt, future};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode,
    Result,
};

use super::list::{Walk, not_ours};
use super::upload::Upload;
use super::{LocalStore, Root};
use crate::listing::{Entry, Oddity};

/// Objects listed, or keys deleted, in one task of the blocking pool.
const BATCH: usize = 1024;

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let location = location.clone();
        self.run(move |root| root.put(&location, &payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload::start(self, location, options).await?))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (location, eager) = (location.clone(), !self.inline);
        self.run_short(move |root| root.get(&location, &options, eager)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (location, ranges) = (location.clone(), ranges.to_vec());
        self.run(move |root| root.get_ranges(&location, &ranges)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = |root: &Arc<Root>, location: Result<Path>| {
            let location = location?;
            root.delete(&location)?;
            Ok(location)
        };
        if self.inline {
            return locations.map(move |location| delete(&store.root, location)).boxed();
        }
        locations
            .ready_chunks(BATCH)
            .map(move |batch| {
                let store = store.clone();
                async move {
                    let work = move |root: &Arc<Root>| {
                        Ok(batch.into_iter().map(|location| delete(root, location)).collect())
                    };
                    match store.run(work).await {
                        Ok(outcomes) => outcomes,
                        Err(error) => vec![Err(error)],
                    }
                }
            })
            .buffered(2)
            .flat_map(stream::iter)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.run(move |root| root.level(&prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        self.run(move |root| root.copy(&from, &to, options.mode)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        let create = options.target_mode == RenameTargetMode::Create;
        self.run(move |root| root.rename(&from, &to, create)).await
    }
}

impl LocalStore {
    /// Those that a key can name. The trait has no way to tell of others and to go on; [`Provider::entries`](crate::Provider::entries) has.
    fn objects(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let entries = self.walk(prefix, after);
        let root = self.root.clone();
        let objects = entries.try_filter_map(move |entry| {
            future::ready(match entry {
                Ok(object) => Ok(Some(object)),
                Err(odd) if odd.oddity == Oddity::Unreadable => {
                    Err(not_ours(&root.path.join(&odd.key), &odd))
                }
                Err(odd) => {
                    let (file, why) = (odd.key.escape_debug(), odd.detail());
                    tracing::warn!(%file, "left out: {why}");
                    Ok(None)
                }
            })
        });
        objects.boxed()
    }

    /// All files below `prefix` that come after a key.
    pub(super) fn walk(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<Entry>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let after = after.map(ToString::to_string);
        if self.inline {
            let root = self.root.clone();
            // Nothing is read before the first poll.
            let start = stream::once(async move { root.walk(&prefix, after) });
            return start.flat_map(stream::iter).boxed();
        }
        let store = self.clone();
        let start = (prefix, after, None::<Walk>);
        let batches = stream::try_unfold(Some(start), move |state| {
            let store = store.clone();
            async move {
                let Some((prefix, after, walk)) = state else { return Ok(None) };
                let work = move |root: &Arc<Root>| {
                    let mut walk = walk.unwrap_or_else(|| root.walk(&prefix, after));
                    let batch: Vec<_> = walk.by_ref().take(BATCH).collect();
                    let more = batch.len() == BATCH;
                    Ok((batch, more.then(|| (Path::default(), None, Some(walk)))))
                };
                store.run(work).await.map(Some)
            }
        });
        batches.map_ok(stream::iter).try_flatten().boxed()
    }
}
