//! Generations of objects: listing and deletion.

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use http::Method;
use object_store::Result;
use object_store::path::Path;

use super::GcsStore;
use crate::cloud::versions::{Document, Markers, Page, Version, entries, following, newest_first};
use crate::provider::VersionEntry;

impl GcsStore {
    /// The generations of the object `prefix`, then those of the objects below it.
    pub(super) fn versions(
        &self,
        prefix: Option<&Path>,
    ) -> BoxStream<'static, Result<VersionEntry>> {
        let Some(prefix) = prefix.map(ToString::to_string).filter(|prefix| !prefix.is_empty())
        else {
            return entries(newest_first(self.version_pages(String::new())));
        };
        let below = self.version_pages(format!("{prefix}/"));
        // The shortest key with the prefix comes first: what follows it belongs to others.
        let exact = self
            .version_pages(prefix.clone())
            .try_take_while(move |version| futures::future::ok(version.key == prefix));
        entries(newest_first(exact.chain(below).boxed()))
    }

    fn version_pages(&self, prefix: String) -> BoxStream<'static, Result<Version>> {
        let store = self.clone();
        let pages = stream::try_unfold(Some(Markers::default()), move |markers| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let Some(markers) = markers else { return Ok(None) };
                let page = store.version_page(&prefix, &markers).await?;
                let next = following(&markers, page.next)?;
                Ok::<_, object_store::Error>(Some((page.versions, next)))
            }
        });
        pages.map_ok(|versions| stream::iter(versions.into_iter().map(Ok))).try_flatten().boxed()
    }

    async fn version_page(&self, prefix: &str, markers: &Markers) -> Result<Page> {
        let mut query = vec![("versions", ""), ("prefix", prefix)];
        if let Some(key) = &markers.key {
            query.push(("key-marker", key));
        }
        if let Some(generation) = &markers.version {
            query.push(("generation-marker", generation));
        }
        let call = self.request(Method::GET, &Path::default(), &query)?;
        let reply = self.send(&Path::from(prefix), &call).await?;
        let document: Document = reply.xml("GCS")?;
        Page::of(document, "GCS")
    }

    /// Deletes one generation for good.
    pub(super) async fn delete_generation(&self, location: &Path, generation: &str) -> Result<()> {
        let call = self.request(Method::DELETE, location, &[("generation", generation)])?;
        self.send(location, &call).await.map(drop)
    }
}
