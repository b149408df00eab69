//! Versions of objects: listing and deletion.

use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use http::Method;
use object_store::Result;
use object_store::path::Path;
use serde::Deserialize;

use super::S3Store;
use crate::provider::ObjectVersion;

impl S3Store {
    /// The versions of the object `prefix`, then those of the objects below it.
    pub(super) fn versions(
        &self,
        prefix: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectVersion>> {
        let Some(prefix) = prefix.map(ToString::to_string).filter(|prefix| !prefix.is_empty())
        else {
            return self.version_pages(String::new()).boxed();
        };
        let below = self.version_pages(format!("{prefix}/"));
        // The shortest key with the prefix comes first: what follows it belongs to others.
        let exact = self.version_pages(prefix.clone()).try_take_while(move |version| {
            futures::future::ok(version.location.as_ref() == prefix)
        });
        exact.chain(below).boxed()
    }

    fn version_pages(
        &self,
        prefix: String,
    ) -> impl futures::Stream<Item = Result<ObjectVersion>> + Send + 'static {
        let store = self.clone();
        let pages = stream::try_unfold(Some(Markers::default()), move |markers| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let Some(markers) = markers else { return Ok(None) };
                let page = store.version_page(&prefix, &markers).await?;
                Ok::<_, object_store::Error>(Some((page.versions, page.next)))
            }
        });
        pages.map_ok(|versions| stream::iter(versions.into_iter().map(Ok))).try_flatten()
    }

    async fn version_page(&self, prefix: &str, markers: &Markers) -> Result<Page> {
        let mut query = vec![("versions", ""), ("prefix", prefix)];
        if let Some(key) = &markers.key {
            query.push(("key-marker", key));
        }
        if let Some(version) = &markers.version {
            query.push(("version-id-marker", version));
        }
        let bucket = Path::default();
        let call = self.request(Method::GET, &bucket, &query).await?;
        let reply = self.send(&Path::from(prefix), &call).await?;
        let document: Document = reply.xml("S3")?;
        Page::of(document)
    }

    /// Deletes one version for good.
    pub(super) async fn delete_one_version(&self, location: &Path, version: &str) -> Result<()> {
        let call = self.request(Method::DELETE, location, &[("versionId", version)]).await?;
        self.send(location, &call).await.map(drop)
    }
}

#[derive(Default)]
struct Markers {
    key: Option<String>,
    version: Option<String>,
}

struct Page {
    versions: Vec<ObjectVersion>,
    next: Option<Markers>,
}

impl Page {
    fn of(document: Document) -> Result<Self> {
        let (mut versions, mut truncated, mut next) = (Vec::new(), false, Markers::default());
        for child in document.children {
            match child {
                Child::Version(entry) => versions.push(entry.into_version(false)?),
                Child::DeleteMarker(entry) => versions.push(entry.into_version(true)?),
                Child::IsTruncated(text) => truncated = text == "true",
                Child::NextKeyMarker(key) => next.key = Some(key),
                Child::NextVersionIdMarker(version) => next.version = Some(version),
                Child::Other => {}
            }
        }
        let next = (truncated && next.key.is_some()).then_some(next);
        Ok(Self { versions, next })
    }
}

/// `ListVersionsResult`, whose versions and delete markers stand in any order.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "$value", default)]
    children: Vec<Child>,
}

#[derive(Deserialize)]
enum Child {
    Version(Entry),
    DeleteMarker(Entry),
    IsTruncated(String),
    NextKeyMarker(String),
    NextVersionIdMarker(String),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    key: String,
    #[serde(default)]
    version_id: String,
    #[serde(default)]
    is_latest: bool,
    last_modified: DateTime<Utc>,
    #[serde(rename = "ETag")]
    e_tag: Option<String>,
    #[serde(default)]
    size: u64,
}

impl Entry {
    fn into_version(self, is_delete_marker: bool) -> Result<ObjectVersion> {
        let location = Path::parse(&self.key)?;
        let mut version = ObjectVersion::new(location, self.version_id, self.last_modified);
        version.size = self.size;
        version.e_tag = self.e_tag;
        version.is_latest = self.is_latest;
        version.is_delete_marker = is_delete_marker;
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_markers_keep_their_order() {
        let text = "<ListVersionsResult xmlns=\"x\"><Name>b</Name><IsTruncated>true</IsTruncated>\
            <DeleteMarker><Key>a/b &amp; c</Key><VersionId>3</VersionId><IsLatest>true</IsLatest>\
            <LastModified>2024-01-03T00:00:00.000Z</LastModified><Owner><ID>1</ID></Owner></DeleteMarker>\
            <Version><ETag>&quot;e&quot;</ETag><Size>5</Size><Key>a/b &amp; c</Key><VersionId>2</VersionId>\
            <IsLatest>false</IsLatest><LastModified>2024-01-02T00:00:00.000Z</LastModified></Version>\
            <DeleteMarker><Key>z</Key><VersionId>1</VersionId><IsLatest>false</IsLatest>\
            <LastModified>2024-01-01T00:00:00.000Z</LastModified></DeleteMarker>\
            <NextKeyMarker>z</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker></ListVersionsResult>";
        let page = Page::of(quick_xml::de::from_str(text).unwrap()).unwrap();
        let seen: Vec<_> = page
            .versions
            .iter()
            .map(|v| (v.location.as_ref(), v.version.as_str(), v.size))
            .collect();
        assert_eq!(seen, [("a/b & c", "3", 0), ("a/b & c", "2", 5), ("z", "1", 0)]);
        assert!(page.versions[0].is_delete_marker && page.versions[0].is_latest);
        assert_eq!(page.versions[1].e_tag.as_deref(), Some("\"e\""));
        assert_eq!(page.next.unwrap().key.as_deref(), Some("z"));
    }

    #[test]
    fn an_empty_listing_is_no_error() {
        let text = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>";
        let page = Page::of(quick_xml::de::from_str(text).unwrap()).unwrap();
        assert!(page.versions.is_empty() && page.next.is_none());
    }
}
