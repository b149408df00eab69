//! Tags of objects.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use md5::{Digest, Md5};
use object_store::path::Path;
use object_store::{Error, Result};

use super::S3Store;
use crate::cloud::send::Refused;
use crate::cloud::tags::{from_document, to_document};
use crate::config::S3Key;
use crate::provider::Tags;

impl S3Store {
    pub(super) async fn tags(&self, location: &Path) -> Result<Tags> {
        self.check_tagging()?;
        let call = self.request(Method::GET, location, &[("tagging", "")]).await?;
        match self.send(location, &call).await {
            Ok(reply) => from_document("S3", &reply),
            Err(error) if Refused::of(&error).is_some_and(|r| r.code == "NoSuchTagSet") => {
                Ok(Tags::new())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn replace_tags(&self, location: &Path, tags: &Tags) -> Result<()> {
        self.check_tagging()?;
        if tags.is_empty() {
            let call = self.request(Method::DELETE, location, &[("tagging", "")]).await?;
            return self.send(location, &call).await.map(drop);
        }
        let body = to_document("Tagging", tags);
        let call = self
            .request(Method::PUT, location, &[("tagging", "")])
            .await?
            .header("content-type", "application/xml")?
            .header("content-md5", &BASE64_STANDARD.encode(Md5::digest(body.as_bytes())))?
            .body(body);
        self.send(location, &call).await.map(drop)
    }

    fn check_tagging(&self) -> Result<()> {
        if self.settings().flag(S3Key::DisableTagging)? {
            let source = "`disable_tagging` is set: this store has no tags";
            return Err(Error::NotSupported { source: source.into() });
        }
        Ok(())
    }
}
