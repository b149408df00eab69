//! Index tags of blobs.

use http::Method;
use object_store::path::Path;
use object_store::{Error, Result};

use super::AzureStore;
use crate::cloud::tags::{from_document, to_document};
use crate::config::AzureKey;
use crate::provider::Tags;

impl AzureStore {
    pub(super) async fn tags(&self, location: &Path) -> Result<Tags> {
        self.check_tagging()?;
        let call = self.request(Method::GET, location, &[("comp", "tags")]);
        from_document("Azure", &self.send(location, &call).await?)
    }

    pub(super) async fn replace_tags(&self, location: &Path, tags: &Tags) -> Result<()> {
        self.check_tagging()?;
        let call = self
            .request(Method::PUT, location, &[("comp", "tags")])
            .header("content-type", "application/xml; charset=UTF-8")?
            .body(format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>{}",
                to_document("Tags", tags)
            ));
        self.send(location, &call).await.map(drop)
    }

    fn check_tagging(&self) -> Result<()> {
        if self.settings.flag(AzureKey::DisableTagging)? {
            let source = "`disable_tagging` is set: this store has no tags";
            return Err(Error::NotSupported { source: source.into() });
        }
        Ok(())
    }
}
