//! Where the real services are: `services/up` writes their endpoints into the environment.

use std::sync::Arc;

use holdall_store::client::ClientOptions;
use holdall_store::http::HttpStore;
use holdall_store::object_store::RetryConfig;
use holdall_store::{OpenOptions, Registry, Store};

#[expect(clippy::print_stderr, reason = "what did not run has to be said")]
/// A variable that `services/up` sets; `None`, with a line that says which suite does not run, when it is not set.
pub(crate) fn endpoint(variable: &str, suite: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if found.is_none() {
        eprintln!(
            "SKIPPED {suite}: {variable} is not set (run services/up and source .services/env)"
        );
    }
    found
}

/// A store on an S3 service, in a key space of its own.
pub(crate) fn s3(variable: &str, suite: &str, bucket: &str) -> Option<Store> {
    let endpoint = endpoint(variable, suite)?;
    let options = OpenOptions::default()
        .with("endpoint", endpoint)
        .with("allow_http", "true")
        .with("access_key_id", "holdall")
        .with("secret_access_key", "holdall-secret")
        .with("region", "us-east-1")
        .with("copy_if_not_exists", "multipart");
    Some(unique(&options, &format!("s3://{bucket}")))
}

/// A store on Azurite.
pub(crate) fn azure(suite: &str) -> Option<Store> {
    azure_container(suite, "test-container")
}

/// A store on one of Azurite's containers.
pub(crate) fn azure_container(suite: &str, container: &str) -> Option<Store> {
    azure_with(suite, container, &[])
}

/// The same, with further settings.
pub(crate) fn azure_with(suite: &str, container: &str, settings: &[(&str, &str)]) -> Option<Store> {
    let endpoint = endpoint("HOLDALL_TEST_AZURE_ENDPOINT", suite)?;
    let options = OpenOptions::default()
        .with("account_name", "devstoreaccount1")
        .with("account_key", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
        .with("endpoint", endpoint)
        .with("allow_http", "true");
    let options = settings.iter().fold(options, |options, (key, value)| options.with(*key, *value));
    Some(unique(&options, &format!("az://{container}")))
}

/// A store on the stand-in for Google Cloud Storage.
pub(crate) fn gcs(suite: &str) -> Option<Store> {
    gcs_bucket(suite, "test-bucket")
}

/// A store on one of the stand-in's buckets.
pub(crate) fn gcs_bucket(suite: &str, bucket: &str) -> Option<Store> {
    let endpoint = endpoint("HOLDALL_TEST_GCS_ENDPOINT", suite)?;
    let key = format!(
        r#"{{"gcs_base_url":"{endpoint}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
    );
    let options = OpenOptions::default()
        .with("service_account_key", key)
        .with("base_url", endpoint)
        .with("allow_http", "true");
    Some(unique(&options, &format!("gs://{bucket}")))
}

/// A store on nginx with WebDAV.
pub(crate) fn webdav(suite: &str) -> Option<Store> {
    let endpoint = endpoint("HOLDALL_TEST_WEBDAV_URL", suite)?;
    Some(unique(&OpenOptions::default(), &endpoint))
}

/// The same, opened at a directory of the server.
pub(crate) fn webdav_directory(suite: &str) -> Option<Store> {
    let endpoint = endpoint("HOLDALL_TEST_WEBDAV_URL", suite)?;
    let url = format!("{endpoint}/conformance %2B-{:08x}/", fastrand::u32(..));
    let store = HttpStore::open(&url, ClientOptions::default(), RetryConfig::default());
    Some(Store::new(Arc::new(store.expect("the URL is right"))))
}

fn unique(options: &OpenOptions, url: &str) -> Store {
    let (store, path) = Registry::default().open(url, options).expect("the settings are right");
    let space = format!("conformance-{}-{:08x}", std::process::id(), fastrand::u32(..));
    store.with_prefix(&path).with_prefix(&space.into())
}
