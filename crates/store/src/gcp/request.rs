//! Requests of our own to Cloud Storage, in its XML API.

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use object_store::client::HttpRequest;
use object_store::path::Path;
use object_store::{Error, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

use super::GcsStore;
use crate::cloud::send::{Call, Reply, Signing, Unsigned};
use crate::config::{GcsKey, Settings};

/// A key as it stands in a URL and in `x-goog-copy-source`.
pub(super) fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

/// The URL of the service: the setting, what the service account says, the public one; as `object_store` has it.
pub(super) fn base_url(settings: &Settings<GcsKey>) -> String {
    #[derive(Deserialize)]
    struct Account {
        gcs_base_url: Option<String>,
    }
    let account = || {
        let file = settings.get(GcsKey::ServiceAccount);
        let text = match settings.get(GcsKey::ServiceAccountKey) {
            Some(text) => text.to_owned(),
            None => std::fs::read_to_string(file?).ok()?,
        };
        serde_json::from_str::<Account>(&text).ok()?.gcs_base_url
    };
    let given = settings.get(GcsKey::BaseUrl).map(str::to_owned).or_else(account);
    given.unwrap_or_else(|| "https://storage.googleapis.com".to_owned())
}

impl GcsStore {
    /// A request for an object, or for the bucket when `path` is empty.
    pub(super) fn request(
        &self,
        method: Method,
        path: &Path,
        query: &[(&str, &str)],
    ) -> Result<Call> {
        self.request_key(method, path.as_ref(), query)
    }

    /// The same for a key that no path need be able to hold.
    pub(super) fn request_key(
        &self,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
    ) -> Result<Call> {
        let mut text = format!("{}/{}", self.base_url.trim_end_matches('/'), encoded(&self.bucket));
        if !key.is_empty() {
            text = format!("{text}/{}", encoded(key));
        }
        for (index, (name, value)) in query.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            text = format!("{text}{mark}{name}={}", encoded(value));
        }
        let url = Url::parse(&text)
            .map_err(|e| Error::Generic { store: "GCS", source: format!("{e}: {text}").into() })?;
        Ok(Call::new(method, url))
    }

    pub(super) async fn send(&self, path: &Path, call: &Call) -> Result<Reply> {
        if self.settings.flag(GcsKey::SkipSignature)? {
            return self.sender.send(path.as_ref(), call, &Unsigned).await;
        }
        self.sender.send(path.as_ref(), call, &Bearer(self)).await
    }

    pub(super) async fn headers_of(&self, path: &Path) -> Result<HeaderMap> {
        let call = self.request(Method::HEAD, path, &[])?;
        Ok(self.send(path, &call).await?.headers)
    }
}

struct Bearer<'a>(&'a GcsStore);

#[async_trait]
impl Signing for Bearer<'_> {
    async fn sign(&self, request: &mut HttpRequest) -> Result<()> {
        let credential = self.0.inner.credentials().get_credential().await?;
        let value = HeaderValue::from_str(&format!("Bearer {}", credential.bearer));
        let mut value = value.map_err(|_| Error::Generic {
            store: "GCS",
            source: "the bearer token has characters that headers cannot have".into(),
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }
}
