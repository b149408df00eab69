//! Opening a bucket: which credentials, which endpoint, which region.

use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use object_store::client::HttpClient;
use tokio::sync::OnceCell;

use super::copy::SINGLE_COPY_BYTES;
use super::crypto::Crypto;
use super::profile::{Ambient, Profile};
use super::request::bucket_url;
use super::{Opened, S3Options, S3Store, region};
use crate::client::{ClientOptions, SharedConnector, shared_client};
use crate::cloud::open_error;
use crate::cloud::send::Sender;
use crate::config::{ConfigKey, S3Key, Settings};
use crate::error::{Error, ErrorKind, Result};

/// Keys that say where credentials come from on machines of the provider.
const MACHINE_KEYS: &[S3Key] = &[
    S3Key::WebIdentityTokenFile,
    S3Key::ContainerCredentialsRelativeUri,
    S3Key::ContainerCredentialsFullUri,
];

/// A bucket with all its settings, opened when the region is known.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) bucket: String,
    pub(super) settings: Settings<S3Key>,
    pub(super) client: ClientOptions,
    pub(super) sender: Sender,
    /// A provider of credentials that the caller gave.
    pub(super) credentials: Option<AwsCredentialProvider>,
    http: HttpClient,
    builder: AmazonS3Builder,
    opened: OnceCell<Opened>,
}

impl S3Store {
    /// Opens the bucket that the settings name. No request is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when no bucket is named, a profile is named that does not exist, or a value does not fit
    /// its key.
    pub fn open(options: S3Options) -> Result<Self> {
        let (mut settings, client) = options.resolve()?;
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
        let http = shared_client(&client)?;
        let mut builder = AmazonS3Builder::new()
            .with_client_options(client.to_object_store())
            .with_http_connector(SharedConnector::new(client.clone()))
            .with_crypto_provider(Arc::new(Crypto))
            .with_retry(options.retry.clone());
        let credentials = credentials(&options, &mut settings, &http, &builder)?;
        for (key, value) in settings.iter() {
            if let Some(key) = upstream(key) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(credentials) = credentials {
            builder = builder.with_credentials(credentials);
        }
        // Wrong settings show here and not at the first request, region or not.
        let s3 = builder.clone().build().map_err(|e| open_error(&target, e))?;
        let region = match (region(&settings), region::is_detectable(&settings)?) {
            (Some(region), _) => Some(region.to_owned()),
            (None, true) => region::remembered(&bucket),
            (None, false) => Some(region::FALLBACK.to_owned()),
        };
        let opened = match region {
            Some(region) => {
                let s3 = match region == region::FALLBACK {
                    true => s3,
                    false => {
                        let s3 = builder.clone().with_region(&region).build();
                        s3.map_err(|e| open_error(&target, e))?
                    }
                };
                let bucket_url = bucket_url(&settings, &bucket, &region)?;
                OnceCell::new_with(Some(Opened { s3, region, bucket_url }))
            }
            None => OnceCell::new(),
        };
        let sender = Sender::new(http.clone(), options.retry, "S3");
        let credentials = options.credentials;
        let plan = Plan { bucket, settings, client, sender, credentials, http, builder, opened };
        Ok(Self { plan: Arc::new(plan), copy_limit: SINGLE_COPY_BYTES })
    }

    /// The client, if the region is known already.
    pub(super) fn ready(&self) -> Option<&Opened> {
        self.plan.opened.get()
    }

    /// The client for presigned URLs. They need no service: where it is out of reach, they are made for the region
    /// that they would be made for without the question.
    pub(super) async fn signing(&self) -> object_store::Result<AmazonS3> {
        match self.opened().await {
            Ok(opened) => Ok(opened.s3.clone()),
            Err(object_store::Error::Generic { .. }) => {
                self.plan.builder.clone().with_region(region::FALLBACK).build()
            }
            Err(error) => Err(error),
        }
    }

    /// The client; the first call may have to ask for the region.
    pub(super) async fn opened(&self) -> object_store::Result<&Opened> {
        let plan = &self.plan;
        let open = async || {
            // Credentials that cannot be had are the caller's concern before any request is.
            if let Some(given) = &plan.credentials {
                given.get_credential().await?;
            }
            let region = region::of_bucket(&plan.http, &plan.bucket).await?;
            let s3 = plan.builder.clone().with_region(&region).build()?;
            let bucket_url = bucket_url(&plan.settings, &plan.bucket, &region)?;
            Ok(Opened { s3, region, bucket_url })
        };
        plan.opened.get_or_try_init(open).await
    }
}

fn region(settings: &Settings<S3Key>) -> Option<&str> {
    settings.get(S3Key::Region).or_else(|| settings.get(S3Key::DefaultRegion))
}

/// Credentials that `object_store` does not find by itself. Adds what the profile says to the settings.
fn credentials(
    options: &S3Options,
    settings: &mut Settings<S3Key>,
    http: &HttpClient,
    builder: &AmazonS3Builder,
) -> Result<Option<AwsCredentialProvider>> {
    let explicit = |key| options.settings.get(key).or(options.url_settings.get(key)).is_some();
    let explicit_profile = explicit(S3Key::Profile);
    if explicit_profile && !explicit(S3Key::AccessKeyId) {
        for key in [S3Key::AccessKeyId, S3Key::SecretAccessKey, S3Key::Token] {
            settings.take(key);
        }
    }
    let provided = options.credentials.is_some()
        || settings.get(S3Key::AccessKeyId).is_some()
        || settings.flag(S3Key::SkipSignature)?;
    let profile = match Profile::find(settings, options.use_env) {
        Ok(profile) => profile,
        // The environment may name a profile for other programs: only who needs it must have it.
        Err(_) if provided && !explicit_profile => None,
        Err(error) => return Err(error),
    };
    let Some(profile) = profile else { return Ok(options.credentials.clone()) };
    *settings = std::mem::take(settings).or(profile.settings());
    if provided {
        return Ok(options.credentials.clone());
    }
    let named = settings.get(S3Key::Profile).is_some();
    if !named && MACHINE_KEYS.iter().any(|key| settings.get(*key).is_some()) {
        return Ok(None);
    }
    let ambient = |source| ambient(source, settings, builder);
    profile.credentials(settings, http.clone(), options.retry.clone(), &ambient)
}

/// Credentials of the machine, from the chain of `object_store`.
fn ambient(
    source: Ambient,
    settings: &Settings<S3Key>,
    builder: &AmazonS3Builder,
) -> Result<AwsCredentialProvider> {
    let keys: &[S3Key] = match source {
        Ambient::Ec2InstanceMetadata => &[S3Key::MetadataEndpoint, S3Key::ImdsV1Fallback],
        Ambient::EcsContainer => &[
            S3Key::ContainerCredentialsRelativeUri,
            S3Key::ContainerCredentialsFullUri,
            S3Key::ContainerAuthorizationTokenFile,
        ],
    };
    let mut builder = builder.clone().with_bucket_name("credentials");
    for key in keys {
        if let (Some(upstream), Some(value)) = (upstream(*key), settings.get(*key)) {
            builder = builder.with_config(upstream, value);
        }
    }
    let s3 = builder.build().map_err(|e| open_error("s3://", e))?;
    Ok(s3.credentials().clone())
}

/// The key of `object_store` for one of ours; `None` for keys that it does not have.
fn upstream(key: S3Key) -> Option<AmazonS3ConfigKey> {
    format!("aws_{}", key.name()).parse().ok()
}
