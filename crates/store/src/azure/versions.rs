//! Versions of blobs: listing and deletion.

use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use http::Method;
use object_store::path::Path;
use object_store::{Error, Result};
use serde::Deserialize;

use super::AzureStore;
use crate::cloud::versions::{Version, entries, following, newest_first};
use crate::provider::VersionEntry;

impl AzureStore {
    /// The versions of the blob `prefix`, then those of the blobs below it. A deletion leaves no version behind.
    pub(super) fn versions(
        &self,
        prefix: Option<&Path>,
    ) -> BoxStream<'static, Result<VersionEntry>> {
        let Some(prefix) = prefix.map(ToString::to_string).filter(|prefix| !prefix.is_empty())
        else {
            return entries(newest_first(self.version_pages(String::new())));
        };
        let below = self.version_pages(format!("{prefix}/"));
        // The shortest name with the prefix comes first: what follows it belongs to others.
        let exact = self
            .version_pages(prefix.clone())
            .try_take_while(move |version| futures::future::ok(version.key == prefix));
        entries(newest_first(exact.chain(below).boxed()))
    }

    fn version_pages(&self, prefix: String) -> BoxStream<'static, Result<Version>> {
        let store = self.clone();
        let pages = stream::try_unfold(Some(String::new()), move |marker| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let Some(marker) = marker else { return Ok(None) };
                let page = store.version_page(&prefix, &marker).await?;
                let next = page.next_marker.filter(|marker| !marker.is_empty());
                let next = following(&marker, next)?;
                let versions: Vec<_> =
                    page.blobs.blobs.into_iter().map(Blob::into_version).collect();
                Ok::<_, Error>(Some((versions, next)))
            }
        });
        pages.map_ok(stream::iter).try_flatten().boxed()
    }

    async fn version_page(&self, prefix: &str, marker: &str) -> Result<Document> {
        let mut query = vec![("restype", "container"), ("comp", "list"), ("include", "versions")];
        query.extend(
            [("prefix", prefix), ("marker", marker)].into_iter().filter(|q| !q.1.is_empty()),
        );
        let call = self.request(Method::GET, &Path::default(), &query);
        self.send(&Path::from(prefix), &call).await?.xml("Azure")
    }

    /// Deletes one version for good. The current one can only be deleted by deleting the blob.
    pub(super) async fn delete_one_version(&self, location: &Path, version: &str) -> Result<()> {
        let call = self.request(Method::DELETE, location, &[("versionid", version)]);
        self.send(location, &call).await.map(drop)
    }
}

/// `EnumerationResults`.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Blobs", default)]
    blobs: Blobs,
    #[serde(rename = "NextMarker")]
    next_marker: Option<String>,
}

#[derive(Default, Deserialize)]
struct Blobs {
    #[serde(rename = "Blob", default)]
    blobs: Vec<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blob {
    name: String,
    version_id: Option<String>,
    is_current_version: Option<bool>,
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(rename = "Last-Modified")]
    last_modified: String,
    #[serde(rename = "Etag")]
    e_tag: Option<String>,
    #[serde(rename = "Content-Length", default)]
    length: u64,
}

impl Blob {
    fn into_version(self) -> Result<Version> {
        let bad = |e: &dyn std::fmt::Display| Error::Generic {
            store: "Azure",
            source: format!("Got invalid XML in the response body: Last-Modified: {e}").into(),
        };
        let time = DateTime::parse_from_rfc2822(&self.properties.last_modified);
        let time: DateTime<Utc> = time.map_err(|e| bad(&e))?.to_utc();
        // Accounts without versions have blobs without identifiers.
        let id = self.version_id.unwrap_or_default();
        let is_latest = self.is_current_version.unwrap_or(id.is_empty());
        Ok(Version {
            key: self.name,
            id,
            is_latest,
            last_modified: time,
            e_tag: self.properties.e_tag,
            size: self.properties.length,
            is_delete_marker: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        let text = "<?xml version=\"1.0\"?><EnumerationResults><Prefix>a</Prefix><Blobs>\
            <Blob><Name>a b</Name><VersionId>2024-01-01T00:00:00.1Z</VersionId><Properties>\
            <Last-Modified>Mon, 01 Jan 2024 00:00:00 GMT</Last-Modified><Etag>0x1</Etag>\
            <Content-Length>3</Content-Length><Content-Type>x</Content-Type></Properties><OrMetadata/></Blob>\
            <Blob><Name>a b</Name><VersionId>2024-01-02T00:00:00.1Z</VersionId>\
            <IsCurrentVersion>true</IsCurrentVersion><Properties>\
            <Last-Modified>Tue, 02 Jan 2024 00:00:00 GMT</Last-Modified></Properties></Blob>\
            </Blobs><NextMarker/></EnumerationResults>";
        let document: Document = quick_xml::de::from_str(text).unwrap();
        let versions: Vec<_> =
            document.blobs.blobs.into_iter().map(|blob| blob.into_version().unwrap()).collect();
        assert_eq!(versions[0].id, "2024-01-01T00:00:00.1Z");
        assert_eq!((versions[0].size, versions[0].is_latest), (3, false));
        assert!(versions[1].is_latest);
    }
}
