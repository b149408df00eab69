//! Listings of versions.

use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt, future};
use object_store::Result;
use object_store::path::Path;
use serde::Deserialize;

use crate::listing::{OddKey, OddVersion};
use crate::ops::leads_to_itself;
use crate::provider::{ObjectVersion, VersionEntry};

/// Puts the versions of each key, which follow each other, in the order of time, newest first.
pub(crate) fn newest_first(
    versions: BoxStream<'static, Result<Version>>,
) -> BoxStream<'static, Result<Version>> {
    let groups = stream::try_unfold((versions, None), |(mut versions, first)| async move {
        let first: Option<Version> = match first {
            Some(first) => Some(first),
            None => versions.try_next().await?,
        };
        let Some(first) = first else { return Ok(None) };
        let mut group = vec![first];
        let mut next = None;
        while let Some(version) = versions.try_next().await? {
            if version.key != group[0].key {
                next = Some(version);
                break;
            }
            group.push(version);
        }
        group.reverse();
        group.sort_by_key(|version| (!version.is_latest, std::cmp::Reverse(version.last_modified)));
        let group = stream::iter(group.into_iter().map(Ok));
        Ok::<_, object_store::Error>(Some((group, (versions, next))))
    });
    groups.try_flatten().boxed()
}

/// Versions as those who list them see them.
pub(crate) fn entries(
    versions: BoxStream<'static, Result<Version>>,
) -> BoxStream<'static, Result<VersionEntry>> {
    versions.and_then(|version| future::ready(version.into_entry())).boxed()
}

/// What follows the page that `asked` named, so that listings end.
///
/// # Errors
/// When a page names itself.
pub(crate) fn following<M: PartialEq>(asked: &M, next: Option<M>) -> Result<Option<M>> {
    if next.as_ref() != Some(asked) {
        return Ok(next);
    }
    Err(leads_to_itself())
}

/// Where the next page begins.
#[derive(Default, PartialEq)]
pub(crate) struct Markers {
    pub(crate) key: Option<String>,
    pub(crate) version: Option<String>,
}

/// One page of a listing.
pub(crate) struct Page {
    pub(crate) versions: Vec<Version>,
    pub(crate) next: Option<Markers>,
}

impl Page {
    /// The page in a document of `store`, as errors call it.
    ///
    /// # Errors
    /// More follow, and it does not say where they begin.
    pub(crate) fn of(document: Document, store: &'static str) -> Result<Self> {
        let (mut versions, mut truncated, mut next) = (Vec::new(), false, Markers::default());
        for child in document.children {
            match child {
                Child::Version(version) => versions.push(version),
                Child::DeleteMarker(version) => {
                    versions.push(Version { is_delete_marker: true, ..version });
                }
                Child::IsTruncated(text) => truncated = text == "true",
                Child::NextKeyMarker(key) => next.key = Some(key),
                Child::NextVersionIdMarker(version) => next.version = Some(version),
                Child::Other => {}
            }
        }
        if truncated && next.key.is_none() {
            let source = "the page of versions says that more follow, and not where they begin";
            return Err(object_store::Error::Generic { store, source: source.into() });
        }
        Ok(Self { versions, next: truncated.then_some(next) })
    }
}

/// The listing of versions. Versions and delete markers stand in any order; Cloud Storage calls versions generations.
#[derive(Deserialize)]
pub(crate) struct Document {
    #[serde(rename = "$value", default)]
    children: Vec<Child>,
}

#[derive(Deserialize)]
enum Child {
    Version(Version),
    DeleteMarker(Version),
    IsTruncated(String),
    NextKeyMarker(String),
    #[serde(alias = "NextGenerationMarker")]
    NextVersionIdMarker(String),
    #[serde(other)]
    Other,
}

/// A version with its key as the service has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Version {
    pub(crate) key: String,
    #[serde(default, rename = "VersionId", alias = "Generation")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) is_latest: bool,
    pub(crate) last_modified: DateTime<Utc>,
    #[serde(rename = "ETag")]
    pub(crate) e_tag: Option<String>,
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(skip)]
    pub(crate) is_delete_marker: bool,
}

impl Version {
    fn into_entry(self) -> Result<VersionEntry> {
        let Self { key, id, is_latest, last_modified, e_tag, size, is_delete_marker } = self;
        if OddKey::is_odd(&key) {
            let mut odd = OddKey::new(key, size);
            odd.last_modified = last_modified;
            odd.e_tag = e_tag;
            odd.version = Some(OddVersion { id, is_latest, is_delete_marker });
            return Ok(Err(Box::new(odd)));
        }
        let mut version = ObjectVersion::new(Path::parse(&key)?, id, last_modified);
        version.size = size;
        version.e_tag = e_tag;
        version.is_latest = is_latest;
        version.is_delete_marker = is_delete_marker;
        Ok(Ok(version))
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
        let page = Page::of(quick_xml::de::from_str(text).unwrap(), "S3").unwrap();
        let seen: Vec<_> = page
            .versions
            .iter()
            .map(|version| (version.key.as_str(), version.id.as_str(), version.size))
            .collect();
        assert_eq!(seen, [("a/b & c", "3", 0), ("a/b & c", "2", 5), ("z", "1", 0)]);
        assert!(page.versions[0].is_delete_marker && page.versions[0].is_latest);
        assert_eq!(page.versions[1].e_tag.as_deref(), Some("\"e\""));
        assert_eq!(page.next.unwrap().key.as_deref(), Some("z"));
    }

    #[tokio::test]
    async fn each_key_has_its_newest_version_first() {
        let version = |key: &str, day: u32, is_latest| {
            Ok(Version {
                key: key.to_owned(),
                id: day.to_string(),
                is_latest,
                last_modified: format!("2024-01-0{day}T00:00:00Z").parse().unwrap(),
                e_tag: None,
                size: 0,
                is_delete_marker: false,
            })
        };
        let versions = [
            version("a", 1, false),
            version("a", 2, false),
            version("a", 3, true),
            version("b", 5, true),
            version("b", 4, false),
        ];
        let sorted: Vec<_> =
            newest_first(stream::iter(versions).boxed()).try_collect().await.unwrap();
        let order: Vec<_> = sorted.iter().map(|version| version.id.as_str()).collect();
        assert_eq!(order, ["3", "2", "1", "5", "4"]);
    }

    #[test]
    fn an_empty_listing_is_no_error() {
        let text = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>";
        let page = Page::of(quick_xml::de::from_str(text).unwrap(), "S3").unwrap();
        assert!(page.versions.is_empty() && page.next.is_none());
    }
}
