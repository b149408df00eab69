//! Copies inside the service: in one request, or in parts where that is refused.

use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, Method};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Attributes, CopyMode, Error, Result};
use serde::Deserialize;

use super::S3Store;
use super::encryption;
use super::request::encoded;
use crate::cloud::attributes::to_headers;
use crate::cloud::send::{Call, Refused};
use crate::config::S3Key;
use crate::provider::CopyOutcome;

/// The largest object that one request copies, in bytes: 5 GiB.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub(super) const SINGLE_COPY_BYTES: u64 = 5 << 30;

/// The length of parts, in bytes; larger for objects that would have too many of them.
const PART_BYTES: u64 = 256 << 20;

/// Most parts of an upload.
const MOST_PARTS: u64 = 10_000;

/// Parts copied at a time.
const PARTS_IN_FLIGHT: usize = 8;

/// Headers of an object that go along with a copy in parts, which begins with a new object.
const KEPT: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// What is copied.
#[derive(Clone, Copy)]
struct Source<'a> {
    store: &'a S3Store,
    key: &'a Path,
    version: Option<&'a str>,
}

impl Source<'_> {
    fn header(&self) -> String {
        let version = self.version.map(|version| format!("?versionId={version}"));
        format!(
            "{}/{}{}",
            self.store.bucket(),
            encoded(self.key.as_ref()),
            version.unwrap_or_default()
        )
    }

    async fn headers(&self) -> Result<HeaderMap> {
        self.store.headers_of(self.key, self.version).await
    }
}

impl S3Store {
    /// The same store, which copies objects of more than `bytes` in parts of at most that length.
    ///
    /// The default is what the service allows, 5 GiB. The length of the source is then asked for before every copy.
    #[must_use]
    pub fn with_copy_limit(mut self, bytes: u64) -> Self {
        self.copy_limit = bytes;
        self
    }

    /// Copies between two buckets that share endpoint and credentials.
    pub(super) async fn copy_from_bucket(
        &self,
        source: &Self,
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> Result<CopyOutcome> {
        if !self.is_beside(source) {
            return Ok(CopyOutcome::NotPossible);
        }
        let source = Source { store: source, key: from, version: None };
        match mode {
            CopyMode::Overwrite => self.copy(source, to).await?,
            CopyMode::Create => self.copy_new(source, to).await?,
        }
        Ok(CopyOutcome::Copied)
    }

    pub(super) async fn copy_in_bucket(&self, from: &Path, to: &Path) -> Result<()> {
        self.copy(Source { store: self, key: from, version: None }, to).await
    }

    /// Creates a copy without replacing anything, by a multipart upload that is completed on that condition.
    pub(super) async fn copy_new_in_bucket(&self, from: &Path, to: &Path) -> Result<()> {
        self.copy_new(Source { store: self, key: from, version: None }, to).await
    }

    /// Copies a version onto its own key, where it becomes the newest.
    pub(super) async fn restore(&self, location: &Path, version: &str) -> Result<()> {
        self.copy(Source { store: self, key: location, version: Some(version) }, location).await
    }

    /// Copies an object onto itself with other attributes. It keeps its tags, and its storage class unless that is
    /// among the attributes.
    pub(super) async fn replace_attributes(
        &self,
        location: &Path,
        attributes: &Attributes,
    ) -> Result<()> {
        let source = Source { store: self, key: location, version: None };
        let present = source.headers().await?;
        let mut headers = to_headers(location, attributes, "x-amz-")?;
        if let Some(class) = present.get("x-amz-storage-class") {
            headers.entry("x-amz-storage-class").or_insert(class.clone());
        }
        if length(&present) > self.copy_limit {
            return self.copy_parts(source, location, &present, headers, CopyMode::Overwrite).await;
        }
        let mut call = self
            .copy_call(source, location)
            .await?
            .header("x-amz-metadata-directive", "REPLACE")?
            .headers(headers);
        if let Some(e_tag) = text(&present, "etag") {
            call = call.header("x-amz-copy-source-if-match", e_tag)?;
        }
        self.send(location, &call).await?.granted("S3")
    }

    async fn copy(&self, source: Source<'_>, to: &Path) -> Result<()> {
        if self.copy_limit < SINGLE_COPY_BYTES {
            let present = source.headers().await?;
            if length(&present) > self.copy_limit {
                return self.copy_parts_kept(source, to, &present, CopyMode::Overwrite).await;
            }
        }
        let call = self.copy_call(source, to).await?;
        match self.send(to, &call).await {
            Ok(reply) => reply.granted("S3"),
            // Nobody pays for a question about the length until a copy is refused for it.
            Err(error) if is_too_large(&error) => {
                let present = source.headers().await?;
                self.copy_parts_kept(source, to, &present, CopyMode::Overwrite).await
            }
            Err(error) => Err(error),
        }
    }

    async fn copy_new(&self, source: Source<'_>, to: &Path) -> Result<()> {
        // Asked first because it is cheap and because some services do not know the condition on completion.
        match self.headers_of(to, None).await {
            Ok(_) => return Err(exists(to, "the target exists")),
            // Who may not list is refused an answer about keys that do not exist.
            Err(Error::NotFound { .. } | Error::PermissionDenied { .. }) => {}
            Err(error) => return Err(error),
        }
        let present = source.headers().await?;
        self.copy_parts_kept(source, to, &present, CopyMode::Create).await
    }

    async fn copy_call(&self, source: Source<'_>, to: &Path) -> Result<Call> {
        let call = self
            .request(Method::PUT, to, &[])
            .await?
            .header("x-amz-copy-source", &source.header())?
            .headers(encryption::of_new_object(self.settings())?)
            .headers(encryption::customer_key_of_source(source.store.settings())?)
            .error_in_body();
        Ok(call)
    }

    /// Copies in parts, with the attributes and the tags of the source.
    async fn copy_parts_kept(
        &self,
        source: Source<'_>,
        to: &Path,
        present: &HeaderMap,
        mode: CopyMode,
    ) -> Result<()> {
        let kept = present.iter().filter(|(name, _)| {
            KEPT.contains(&name.as_str()) || name.as_str().starts_with("x-amz-meta-")
        });
        let headers = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.copy_parts(source, to, present, headers, mode).await
    }

    async fn copy_parts(
        &self,
        source: Source<'_>,
        to: &Path,
        present: &HeaderMap,
        mut headers: HeaderMap,
        mode: CopyMode,
    ) -> Result<()> {
        let tagged = text(present, "x-amz-tagging-count").is_some_and(|count| count != "0");
        if tagged && !self.settings().flag(S3Key::DisableTagging)? {
            let tags = source.store.tags(source.key).await?;
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            let form = form.extend_pairs(tags).finish();
            headers.insert(
                "x-amz-tagging",
                form.parse().map_err(|_| Error::Generic {
                    store: "S3",
                    source: "the tags cannot be sent".into(),
                })?,
            );
        }
        let call = self
            .request(Method::POST, to, &[("uploads", "")])
            .await?
            .headers(headers)
            .headers(encryption::of_new_object(self.settings())?);
        let begun: Begun = self.send(to, &call).await?.xml("S3")?;
        let copied = self.copy_all_parts(source, to, present, &begun.upload_id, mode).await;
        if copied.is_err() {
            // Best effort: what is left is removed by the bucket's rules for unfinished uploads.
            let query = [("uploadId", begun.upload_id.as_str())];
            if let Ok(call) = self.request(Method::DELETE, to, &query).await {
                let _ = self.send(to, &call).await;
            }
        }
        copied
    }

    async fn copy_all_parts(
        &self,
        source: Source<'_>,
        to: &Path,
        present: &HeaderMap,
        upload: &str,
        mode: CopyMode,
    ) -> Result<()> {
        let e_tag = text(present, "etag");
        let parts = parts(length(present), PART_BYTES.min(self.copy_limit));
        let mut done: Vec<(usize, String)> = stream::iter(parts.into_iter().enumerate())
            .map(|(index, range)| async move {
                let e_tag = self.copy_part(source, to, upload, index + 1, range, e_tag).await?;
                Ok::<_, Error>((index + 1, e_tag))
            })
            .buffer_unordered(PARTS_IN_FLIGHT)
            .try_collect()
            .await?;
        done.sort_unstable();
        let parts: Vec<_> = done.into_iter().map(|(_, content_id)| PartId { content_id }).collect();
        self.complete(to, upload, &parts, mode).await.map(drop)
    }

    async fn copy_part(
        &self,
        source: Source<'_>,
        to: &Path,
        upload: &str,
        number: usize,
        range: Option<(u64, u64)>,
        e_tag: Option<&str>,
    ) -> Result<String> {
        let number = number.to_string();
        let query = [("partNumber", number.as_str()), ("uploadId", upload)];
        let mut call = self
            .request(Method::PUT, to, &query)
            .await?
            .header("x-amz-copy-source", &source.header())?
            .headers(encryption::customer_key(self.settings())?)
            .headers(encryption::customer_key_of_source(source.store.settings())?)
            .error_in_body();
        if let Some((first, last)) = range {
            call = call.header("x-amz-copy-source-range", &format!("bytes={first}-{last}"))?;
        }
        // All parts come from one state of the source.
        if let Some(e_tag) = e_tag {
            call = call.header("x-amz-copy-source-if-match", e_tag)?;
        }
        let part: CopiedPart = self.send(to, &call).await?.xml("S3")?;
        Ok(part.e_tag)
    }

    /// Whether the service can read the other bucket for a request to this one: same endpoint, same identity.
    fn is_beside(&self, other: &Self) -> bool {
        let place = |store: &Self| {
            let mut settings = store.settings().clone();
            for key in [S3Key::Bucket, S3Key::Region, S3Key::DefaultRegion] {
                settings.take(key);
            }
            settings
        };
        let same_provider = match (&self.plan.credentials, &other.plan.credentials) {
            (None, None) => true,
            (Some(one), Some(two)) => std::sync::Arc::ptr_eq(one, two),
            _ => false,
        };
        same_provider && place(self) == place(other)
    }
}

/// First and last byte of each part; no range for a part that is the whole of a small object.
fn parts(length: u64, part_bytes: u64) -> Vec<Option<(u64, u64)>> {
    let part_bytes = part_bytes.max(length.div_ceil(MOST_PARTS)).max(1);
    if length <= part_bytes {
        return vec![None];
    }
    let starts = (0..length.div_ceil(part_bytes)).map(|index| index * part_bytes);
    starts.map(|first| Some((first, (first + part_bytes).min(length) - 1))).collect()
}

fn is_too_large(error: &Error) -> bool {
    Refused::of(error).is_some_and(|refused| {
        refused.code == "EntityTooLarge"
            || (refused.code == "InvalidRequest" && refused.detail().contains("copy source"))
    })
}

pub(super) fn exists(
    to: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::AlreadyExists { path: to.to_string(), source: source.into() }
}

fn length(headers: &HeaderMap) -> u64 {
    text(headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[derive(Deserialize)]
struct Begun {
    #[serde(rename = "UploadId")]
    upload_id: String,
}

#[derive(Deserialize)]
struct CopiedPart {
    #[serde(rename = "ETag")]
    e_tag: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_object_and_are_never_too_many() {
        assert_eq!(parts(0, 10), [None]);
        assert_eq!(parts(10, 10), [None]);
        assert_eq!(parts(25, 10), [Some((0, 9)), Some((10, 19)), Some((20, 24))]);
        let huge = parts(50 << 40, PART_BYTES);
        assert!(huge.len() as u64 <= MOST_PARTS);
        assert_eq!(huge.last().unwrap().unwrap().1, (50 << 40) - 1);
    }
}
