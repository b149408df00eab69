//! Headers that ask for encryption on the server.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::{Digest, Md5};

use crate::config::{ConfigKey, S3Key, Settings};
use crate::error::{Error, ErrorKind, Result};

const SSE: &str = "x-amz-server-side-encryption";
const CUSTOMER: &str = "x-amz-server-side-encryption-customer";
const SOURCE_CUSTOMER: &str = "x-amz-copy-source-server-side-encryption-customer";

/// For requests that make an object.
pub(super) fn of_new_object(settings: &Settings<S3Key>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let Some(kind) = settings.get(S3Key::ServerSideEncryption) else { return Ok(headers) };
    if kind == "sse-c" {
        return customer_key(settings);
    }
    let mut add = |name: &'static str, key: S3Key| match settings.get(key) {
        Some(text) => {
            headers.insert(HeaderName::from_static(name), value(key, text)?);
            Ok::<_, Error>(())
        }
        None => Ok(()),
    };
    add(SSE, S3Key::ServerSideEncryption)?;
    add("x-amz-server-side-encryption-aws-kms-key-id", S3Key::KmsKeyId)?;
    add("x-amz-server-side-encryption-bucket-key-enabled", S3Key::BucketKeyEnabled)?;
    Ok(headers)
}

/// For requests that read or extend an object encrypted with the customer's key.
pub(super) fn customer_key(settings: &Settings<S3Key>) -> Result<HeaderMap> {
    customer(settings, CUSTOMER)
}

/// For copies from such an object.
pub(super) fn customer_key_of_source(settings: &Settings<S3Key>) -> Result<HeaderMap> {
    customer(settings, SOURCE_CUSTOMER)
}

fn customer(settings: &Settings<S3Key>, prefix: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if settings.get(S3Key::ServerSideEncryption) != Some("sse-c") {
        return Ok(headers);
    }
    let key = S3Key::CustomerEncryptionKey;
    let text = settings.get(key).unwrap_or_default();
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| bad(key))?;
    let digest = BASE64_STANDARD.encode(Md5::digest(&bytes));
    for (part, text) in [("algorithm", "AES256"), ("key", text), ("key-md5", &digest)] {
        let name = HeaderName::try_from(format!("{prefix}-{part}")).map_err(|_| bad(key))?;
        let mut value = value(key, text)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn value(key: S3Key, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| bad(key))
}

fn bad(key: S3Key) -> Error {
    Error::new(ErrorKind::Config, "configure", key.name(), "the value cannot be sent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_s_key_is_sent_with_its_digest_and_hidden() {
        let settings = Settings::new()
            .with(S3Key::ServerSideEncryption, "sse-c")
            .with(S3Key::CustomerEncryptionKey, BASE64_STANDARD.encode([7; 32]));
        let headers = of_new_object(&settings).unwrap();
        assert_eq!(headers["x-amz-server-side-encryption-customer-algorithm"], "AES256");
        assert!(headers["x-amz-server-side-encryption-customer-key-md5"].is_sensitive());
        assert_eq!(customer_key_of_source(&settings).unwrap().len(), 3);
    }

    #[test]
    fn a_managed_key_is_named_only_when_objects_are_made() {
        let settings = Settings::new()
            .with(S3Key::ServerSideEncryption, "aws:kms")
            .with(S3Key::KmsKeyId, "arn:key");
        assert_eq!(of_new_object(&settings).unwrap().len(), 2);
        assert!(customer_key(&settings).unwrap().is_empty());
    }
}
