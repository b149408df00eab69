//! Copies inside the blob service, of any size and between accounts.

use std::time::Duration;

use http::{HeaderMap, Method};
use object_store::azure::AzureCredential;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{CopyMode, Error, Result};
use url::Url;

use super::AzureStore;
use crate::config::AzureKey;
use crate::provider::CopyOutcome;

/// How long the service of another account may read the source.
const SOURCE_URL_VALID: Duration = Duration::from_secs(24 * 3600);

/// How often a copy that goes on in the background is asked after; the wait grows to the second number.
const POLL: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

impl AzureStore {
    /// Copies between two containers, of one account or of two.
    pub(super) async fn copy_from_container(
        &self,
        source: &Self,
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> Result<CopyOutcome> {
        source.check_key(from)?;
        self.check_key(to)?;
        let keyed = |store: &Self| store.settings.get(AzureKey::EncryptionKey).is_some();
        if keyed(self) || keyed(source) {
            return Ok(CopyOutcome::NotPossible);
        }
        let url = match self.is_beside(source) {
            true => source.own_url(source.place.url(from)).await?,
            false => match source.signed_url(Method::GET, from, SOURCE_URL_VALID).await {
                Ok(url) => url,
                // Whoever cannot hand out the right to read must read himself.
                Err(_) => return Ok(CopyOutcome::NotPossible),
            },
        };
        self.copy_url(&url, from, to, mode).await?;
        Ok(CopyOutcome::Copied)
    }

    pub(super) async fn copy_in_container(
        &self,
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> Result<()> {
        let url = self.own_url(self.place.url(from)).await?;
        self.copy_url(&url, from, to, mode).await
    }

    /// Copies a version over the blob, where it becomes the current one.
    pub(super) async fn restore(&self, location: &Path, version: &str) -> Result<()> {
        self.without_customer_key("restore_version")?;
        let mut url = self.place.url(location);
        url.query_pairs_mut().append_pair("versionid", version);
        let url = self.own_url(url).await?;
        self.copy_url(&url, location, location, CopyMode::Overwrite).await
    }

    async fn copy_url(&self, source: &Url, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        let mut call =
            self.request(Method::PUT, to, &[]).header("x-ms-copy-source", source.as_str())?;
        if mode == CopyMode::Create {
            // A repetition would find the copy of its predecessor.
            call = call.header("if-none-match", "*")?.idempotent(false);
        }
        let reply = self.send(from, &call).await?;
        let id = text(&reply.headers, "x-ms-copy-id").map(str::to_owned);
        let mut headers = reply.headers;
        let mut pause = POLL.0;
        loop {
            match text(&headers, "x-ms-copy-status") {
                Some("pending") => {}
                Some(status @ ("failed" | "aborted")) => {
                    let why = text(&headers, "x-ms-copy-status-description").unwrap_or_default();
                    let source = format!("the service ended the copy as {status}: {why}").into();
                    return Err(Error::Generic { store: "Azure", source });
                }
                _ => return Ok(()),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL.1);
            headers = self.headers_of(to).await?;
            if text(&headers, "x-ms-copy-id").map(str::to_owned) != id {
                let source = "another writer replaced the target of the copy".into();
                return Err(Error::Precondition { path: to.to_string(), source });
            }
        }
    }

    /// A URL of this account as the service may read it: with the signature that stands for the identity, if there is
    /// one.
    async fn own_url(&self, mut url: Url) -> Result<Url> {
        if self.settings.flag(AzureKey::SkipSignature)? {
            return Ok(url);
        }
        let credential = self.inner.credentials().get_credential().await?;
        if let AzureCredential::SASToken(pairs) = &*credential {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        Ok(url)
    }

    fn is_beside(&self, other: &Self) -> bool {
        let place = |store: &Self| {
            let mut settings = store.settings.clone();
            settings.take(AzureKey::ContainerName);
            settings
        };
        let same_provider = match (&self.given, &other.given) {
            (None, None) => true,
            (Some(one), Some(two)) => std::sync::Arc::ptr_eq(one, two),
            _ => false,
        };
        same_provider && place(self) == place(other)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
