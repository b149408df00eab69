//! Requests of our own to the service of the bucket.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequest;
use object_store::path::Path;
use object_store::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::{Opened, S3Store};
use crate::cloud::send::{Call, Reply, Signing, Unsigned};
use crate::config::{S3Key, Settings};

/// What stays as it is in the keys of URLs: "unreserved" of RFC 3986, which signatures assume, and the slash.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const IN_QUERY: &AsciiSet = &IN_PATH.add(b'/');

/// The URL of a bucket, by the rules of `object_store`.
pub(super) fn bucket_url(
    settings: &Settings<S3Key>,
    bucket: &str,
    region: &str,
) -> crate::Result<String> {
    let endpoint = settings.get(S3Key::S3Endpoint).or_else(|| settings.get(S3Key::Endpoint));
    let endpoint = endpoint.map(|url| url.trim_end_matches('/'));
    let virtual_hosted = settings.flag(S3Key::VirtualHostedStyleRequest)?;
    Ok(match (endpoint, virtual_hosted) {
        (Some(endpoint), true) => endpoint.to_owned(),
        (Some(endpoint), false) => format!("{endpoint}/{bucket}"),
        (None, true) => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        (None, false) => format!("https://s3.{region}.amazonaws.com/{bucket}"),
    })
}

/// A key as it stands in a URL and in `x-amz-copy-source`.
pub(super) fn encoded(key: &str) -> impl std::fmt::Display {
    utf8_percent_encode(key, IN_PATH)
}

impl S3Store {
    /// A request for an object, or for the bucket when `path` is empty.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &Path,
        query: &[(&str, &str)],
    ) -> Result<Call> {
        self.request_key(method, path.as_ref(), query).await
    }

    /// The same for a key that no path need be able to hold.
    pub(super) async fn request_key(
        &self,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
    ) -> Result<Call> {
        if self.settings().flag(S3Key::S3Express)? {
            let source = "directory buckets have neither versions, tags nor copies of this kind";
            return Err(Error::NotSupported { source: source.into() });
        }
        let mut text = format!("{}/{}", self.opened().await?.bucket_url, encoded(key));
        for (index, (name, value)) in query.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(name);
            if !value.is_empty() {
                text.push('=');
                text.extend(utf8_percent_encode(value, IN_QUERY));
            }
        }
        let url = Url::parse(&text)
            .map_err(|e| Error::Generic { store: "S3", source: format!("{e}: {text}").into() })?;
        // Headers that the transport would add afterwards would not be covered by the signature.
        Ok(Call::new(method, url).headers(self.plan.client.header_map()))
    }

    pub(super) async fn send(&self, path: &Path, call: &Call) -> Result<Reply> {
        let opened = self.opened().await?;
        let settings = self.settings();
        if settings.flag(S3Key::SkipSignature)? {
            return self.plan.sender.send(path.as_ref(), call, &Unsigned).await;
        }
        let payer = settings.get(S3Key::RequestPayer);
        let signing = SignS3 {
            opened,
            sign_payload: !settings.flag(S3Key::UnsignedPayload)?,
            request_payer: match payer {
                Some(payer) if payer.eq_ignore_ascii_case("requester") => true,
                _ => settings.flag(S3Key::RequestPayer)?,
            },
        };
        self.plan.sender.send(path.as_ref(), call, &signing).await
    }

    /// The headers of an object, or of one of its versions.
    pub(super) async fn headers_of(&self, path: &Path, version: Option<&str>) -> Result<HeaderMap> {
        let query: Vec<_> = version.map(|version| ("versionId", version)).into_iter().collect();
        let call = self.request(Method::HEAD, path, &query).await?;
        let call = call.headers(super::encryption::customer_key(self.settings())?);
        Ok(self.send(path, &call).await?.headers)
    }
}

struct SignS3<'a> {
    opened: &'a Opened,
    sign_payload: bool,
    request_payer: bool,
}

#[async_trait]
impl Signing for SignS3<'_> {
    async fn sign(&self, request: &mut HttpRequest) -> Result<()> {
        let credential: Arc<AwsCredential> = self.opened.s3.credentials().get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &self.opened.region)
            .with_sign_payload(self.sign_payload)
            .with_request_payer(self.request_payer)
            .try_authorize(request, None)
    }
}
