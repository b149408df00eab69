//! Amazon S3 and services that speak its protocol.
//!
//! Credentials come from the first of: a provider given by the caller, keys (explicit or of the environment), the
//! profile that is named, what the environment says of web identity and containers, the profile `default`, the metadata
//! service of the machine. A profile that is named explicitly is stronger than keys of the environment.
//!
//! When nothing names a region and the endpoint is Amazon's, the bucket is asked for its region before the first request.

mod checksums;
mod complete;
mod copy;
mod crypto;
mod delete;
mod encryption;
mod forward;
mod open;
mod profile;
mod region;
mod request;
mod tags;
mod versions;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use http::Method;
use object_store::aws::{AmazonS3, AwsCredentialProvider};
use object_store::list::PaginatedListStore;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Attributes, CopyMode, MultipartId, PutResult, Result};

use self::open::Plan;
use crate::checksum::Checksum;
use crate::cloud::{CloudOptions, uploads};
use crate::config::{S3Key, Settings};
use crate::provider::{CopyOutcome, OpenUpload, Provider, Tags, VersionEntry};

/// How to open an S3 store.
pub type S3Options = CloudOptions<S3Key, AwsCredentialProvider>;

/// A bucket of S3 or of a service that speaks its protocol. Clones share connections, credentials and the region.
#[derive(Debug, Clone)]
pub struct S3Store {
    plan: Arc<Plan>,
    /// Larger objects are copied in parts.
    copy_limit: u64,
}

impl S3Store {
    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.plan.bucket
    }

    /// The settings in force: explicit ones, those of the URL, those of the environment, those of the profile.
    pub fn settings(&self) -> &Settings<S3Key> {
        &self.plan.settings
    }
}

/// The client of a bucket whose region is known.
#[derive(Debug)]
struct Opened {
    s3: AmazonS3,
    region: String,
    bucket_url: String,
}

#[async_trait]
impl Provider for S3Store {
    fn scheme(&self) -> &'static str {
        "s3"
    }

    fn location(&self) -> String {
        format!("s3://{}", self.plan.bucket)
    }

    fn identity(&self) -> String {
        let settings = self.settings();
        let given = |key| settings.get(key).unwrap_or_default();
        let endpoint = [S3Key::S3Endpoint, S3Key::Endpoint].map(given).join(" ");
        format!("{} {endpoint}", self.location())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(self)
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(self)
    }

    async fn complete_new(
        &self,
        location: &Path,
        id: &MultipartId,
        parts: &[PartId],
    ) -> Result<Option<PutResult>> {
        self.complete_if_new(location, id, parts).await
    }

    async fn open_uploads(&self, location: &Path) -> Result<Vec<OpenUpload>> {
        let call = self.request(Method::GET, &Path::default(), &uploads::query(location)).await?;
        let listing = self.send(location, &call).await?;
        OpenUpload::of_listing(&listing.body, location.as_ref(), "S3")
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(self)
    }

    async fn checksums(&self, location: &Path, e_tag: Option<&str>) -> Result<Vec<Checksum>> {
        self.stated_checksums(location, e_tag).await
    }

    fn signs_content(&self) -> bool {
        let set = |key| self.settings().flag(key).unwrap_or(false);
        !set(S3Key::UnsignedPayload) && !set(S3Key::SkipSignature)
    }

    fn lists_from_any_key(&self) -> bool {
        // Directory buckets list in no order and know no start key.
        matches!(self.settings().flag(S3Key::S3Express), Ok(false))
    }

    fn list_versions(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<VersionEntry>> {
        self.versions(prefix)
    }

    async fn delete_marker(&self, key: &str) -> Result<()> {
        let call = self.request_key(Method::DELETE, key, &[]).await?;
        self.send(&Path::from(key), &call).await.map(drop)
    }

    async fn delete_version(&self, location: &Path, version: &str) -> Result<()> {
        self.delete_one_version(location, version).await
    }

    async fn restore_version(&self, location: &Path, version: &str) -> Result<()> {
        self.restore(location, version).await
    }

    async fn get_tags(&self, location: &Path) -> Result<Tags> {
        self.tags(location).await
    }

    async fn put_tags(&self, location: &Path, tags: &Tags) -> Result<()> {
        self.replace_tags(location, tags).await
    }

    async fn put_attributes(&self, location: &Path, attributes: Attributes) -> Result<()> {
        self.replace_attributes(location, &attributes).await
    }

    async fn copy_from(
        &self,
        source: &dyn Provider,
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> Result<CopyOutcome> {
        match source.as_any().downcast_ref::<Self>() {
            Some(source) => self.copy_from_bucket(source, from, to, mode).await,
            None => Ok(CopyOutcome::NotPossible),
        }
    }
}
