//! Copies inside Cloud Storage.

use http::Method;
use object_store::path::Path;
use object_store::{Attributes, CopyMode, Error, Result};

use super::GcsStore;
use super::request::encoded;
use crate::cloud::attributes::to_headers;
use crate::cloud::send::Call;
use crate::config::GcsKey;
use crate::provider::CopyOutcome;

impl GcsStore {
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
        let mut call = self.copy_call(source, from, to)?;
        if mode == CopyMode::Create {
            // Generation 0 is an object that does not exist. A repetition would find the copy of its predecessor.
            call = call.header("x-goog-if-generation-match", "0")?.idempotent(false);
        }
        match self.send(to, &call).await {
            Ok(reply) => reply.granted("GCS").map(|()| CopyOutcome::Copied),
            Err(Error::Precondition { path, source }) if mode == CopyMode::Create => {
                Err(Error::AlreadyExists { path, source })
            }
            Err(error) => Err(error),
        }
    }

    /// Copies a generation onto its own key, where it becomes the newest.
    pub(super) async fn restore(&self, location: &Path, generation: &str) -> Result<()> {
        let call = self
            .copy_call(self, location, location)?
            .header("x-goog-copy-source-generation", generation)?;
        self.send(location, &call).await?.granted("GCS")
    }

    /// Copies an object onto itself with other attributes; it keeps its storage class unless that is among them.
    pub(super) async fn replace_attributes(
        &self,
        location: &Path,
        attributes: &Attributes,
    ) -> Result<()> {
        let present = self.headers_of(location).await?;
        let mut headers = to_headers(location, attributes, "x-goog-")?;
        if let Some(class) = present.get("x-goog-storage-class") {
            headers.entry("x-goog-storage-class").or_insert(class.clone());
        }
        let mut call = self
            .copy_call(self, location, location)?
            .header("x-goog-metadata-directive", "REPLACE")?
            .headers(headers);
        // The content must be the one that was asked about.
        if let Some(generation) = present.get("x-goog-generation").and_then(|g| g.to_str().ok()) {
            call = call.header("x-goog-if-generation-match", generation)?.idempotent(false);
        }
        self.send(location, &call).await?.granted("GCS")
    }

    fn copy_call(&self, source: &Self, from: &Path, to: &Path) -> Result<Call> {
        let from = format!("{}/{}", encoded(&source.bucket), encoded(from.as_ref()));
        Ok(self.request(Method::PUT, to, &[])?.header("x-goog-copy-source", &from)?.error_in_body())
    }

    fn is_beside(&self, other: &Self) -> bool {
        let place = |store: &Self| {
            let mut settings = store.settings.clone();
            settings.take(GcsKey::Bucket);
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
