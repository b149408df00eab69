//! Amazon S3 and services that speak its protocol.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use object_store::client::HttpClient;
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::signer::Signer;

use crate::client::{SharedConnector, shared_client};
use crate::cloud::{CloudOptions, delegate_object_store, open_error};
use crate::config::{ConfigKey, S3Key, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::Provider;

/// How to open an S3 store.
pub type S3Options = CloudOptions<S3Key, AwsCredentialProvider>;

/// A bucket of S3 or of a service that speaks its protocol.
#[derive(Debug, Clone)]
pub struct S3Store {
    inner: Arc<AmazonS3>,
    http: HttpClient,
    bucket: String,
    settings: Settings<S3Key>,
}

impl S3Store {
    /// Opens the bucket that the settings name. No request is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when no bucket is named or a value does not fit its key.
    pub fn open(options: S3Options) -> Result<Self> {
        let (settings, client) = options.resolve()?;
        let bucket = settings.get(S3Key::Bucket).unwrap_or_default().to_owned();
        let target = format!("s3://{bucket}");
        if bucket.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "open",
                "s3://",
                "no bucket is named (source: MissingBucketName): give `bucket`, a URL, or AWS_BUCKET",
            ));
        }
        let mut builder = AmazonS3Builder::new()
            .with_client_options(client.to_object_store())
            .with_http_connector(SharedConnector::new(client.clone()))
            .with_retry(options.retry.clone());
        for (key, value) in settings.iter() {
            if let Some(key) = upstream(key) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(credentials) = &options.credentials {
            builder = builder.with_credentials(credentials.clone());
        }
        let inner = builder.build().map_err(|e| open_error(&target, e))?;
        Ok(Self { inner: Arc::new(inner), http: shared_client(&client)?, bucket, settings })
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The settings in force: explicit ones, those of the URL, those of the environment.
    pub fn settings(&self) -> &Settings<S3Key> {
        &self.settings
    }
}

/// The key of `object_store` for one of ours; `None` for keys that it does not have.
fn upstream(key: S3Key) -> Option<AmazonS3ConfigKey> {
    format!("aws_{}", key.name()).parse().ok()
}

delegate_object_store!(S3Store);

#[async_trait]
impl Provider for S3Store {
    fn scheme(&self) -> &'static str {
        "s3"
    }

    fn location(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(&*self.inner)
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(&*self.inner)
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(&*self.inner)
    }
}
