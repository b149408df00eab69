//! Google Cloud Storage.

mod copy;
mod request;
mod upload;
mod versions;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use http::Method;
use object_store::gcp::{
    GcpCredentialProvider, GoogleCloudStorage, GoogleCloudStorageBuilder, GoogleConfigKey,
};
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Attributes, CopyMode, CopyOptions, ObjectStore};

use crate::client::{SharedConnector, shared_client};
use crate::cloud::send::Sender;
use crate::cloud::{CloudOptions, delegate_object_store, open_error, uploads};
use crate::config::{ConfigKey, GcsKey, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::{CopyOutcome, OpenUpload, Provider, VersionEntry};

/// How to open a store on Google Cloud Storage.
pub type GcsOptions = CloudOptions<GcsKey, GcpCredentialProvider>;

/// A bucket of Google Cloud Storage.
#[derive(Debug, Clone)]
pub struct GcsStore {
    inner: Arc<GoogleCloudStorage>,
    sender: Sender,
    /// A provider of credentials that the caller gave.
    given: Option<GcpCredentialProvider>,
    base_url: String,
    bucket: String,
    settings: Settings<GcsKey>,
}

impl GcsStore {
    /// Opens the bucket that the settings name. No request is sent; credential files are read.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when no bucket is named, a credential file cannot be read, or a value does not fit its key.
    pub fn open(options: GcsOptions) -> Result<Self> {
        let (settings, client) = options.resolve()?;
        let bucket = settings.get(GcsKey::Bucket).unwrap_or_default().to_owned();
        let target = format!("gs://{bucket}");
        if bucket.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "open",
                "gs://",
                "no bucket is named (source: MissingBucketName): give `bucket`, a URL, or GOOGLE_BUCKET",
            ));
        }
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_client_options(client.to_object_store())
            .with_http_connector(SharedConnector::new(client.clone()))
            .with_retry(options.retry.clone());
        for (key, value) in settings.iter() {
            // A provider of credentials replaces those of the environment, which may not even be readable.
            let from_env = options.settings.get(key).is_none();
            if options.credentials.is_some() && from_env && is_credential(key) {
                continue;
            }
            if let Some(key) = upstream(key) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(credentials) = &options.credentials {
            builder = builder.with_credentials(credentials.clone());
        }
        let inner = builder.build().map_err(|e| open_error(&target, e))?;
        let sender = Sender::new(shared_client(&client)?, options.retry, "GCS");
        let (given, base_url) = (options.credentials, request::base_url(&settings));
        Ok(Self { inner: Arc::new(inner), sender, given, base_url, bucket, settings })
    }

    /// The service takes all keys as they are.
    fn check_key(&self, _: &Path) -> object_store::Result<()> {
        Ok(())
    }

    async fn copy_inside(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The settings in force: explicit ones, those of the URL, those of the environment.
    pub fn settings(&self) -> &Settings<GcsKey> {
        &self.settings
    }
}

fn is_credential(key: GcsKey) -> bool {
    matches!(
        key,
        GcsKey::ServiceAccount
            | GcsKey::ServiceAccountKey
            | GcsKey::ApplicationCredentials
            | GcsKey::BearerToken
    )
}

/// The key of `object_store` for one of ours; `None` for keys that it does not have.
fn upstream(key: GcsKey) -> Option<GoogleConfigKey> {
    format!("google_{}", key.name()).parse().ok()
}

delegate_object_store!(GcsStore);

#[async_trait]
impl Provider for GcsStore {
    fn scheme(&self) -> &'static str {
        "gs"
    }

    fn location(&self) -> String {
        format!("gs://{}", self.bucket)
    }

    fn identity(&self) -> String {
        format!("{} {}", self.location(), self.base_url)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(&*self.inner)
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(self)
    }

    async fn open_uploads(&self, location: &Path) -> object_store::Result<Vec<OpenUpload>> {
        let call = self.request(Method::GET, &Path::default(), &uploads::query(location))?;
        let listing = self.send(location, &call).await?;
        OpenUpload::of_listing(&listing.body, location.as_ref(), "GCS")
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(&*self.inner)
    }

    fn lists_from_any_key(&self) -> bool {
        true
    }

    fn list_versions(
        &self,
        prefix: Option<&Path>,
    ) -> BoxStream<'static, object_store::Result<VersionEntry>> {
        self.versions(prefix)
    }

    async fn delete_marker(&self, key: &str) -> object_store::Result<()> {
        let call = self.request_key(Method::DELETE, key, &[])?;
        self.send(&Path::from(key), &call).await.map(drop)
    }

    async fn delete_version(&self, location: &Path, version: &str) -> object_store::Result<()> {
        self.delete_generation(location, version).await
    }

    async fn restore_version(&self, location: &Path, version: &str) -> object_store::Result<()> {
        self.restore(location, version).await
    }

    async fn put_attributes(
        &self,
        location: &Path,
        attributes: Attributes,
    ) -> object_store::Result<()> {
        self.replace_attributes(location, &attributes).await
    }

    async fn copy_from(
        &self,
        source: &dyn Provider,
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> object_store::Result<CopyOutcome> {
        match source.as_any().downcast_ref::<Self>() {
            Some(source) => self.copy_from_bucket(source, from, to, mode).await,
            None => Ok(CopyOutcome::NotPossible),
        }
    }
}
