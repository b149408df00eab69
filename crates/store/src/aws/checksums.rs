//! Checksums that S3 keeps of its objects and tells when asked.

use http::{Method, StatusCode};
use object_store::Result;
use object_store::path::Path;

use super::S3Store;
use crate::checksum::Checksum;
use crate::client::Integrity;

impl S3Store {
    /// Those of the whole content, which objects written in one piece have, and newer ones written in parts.
    pub(super) async fn stated_checksums(
        &self,
        path: &Path,
        e_tag: Option<&str>,
    ) -> Result<Vec<Checksum>> {
        let mut call = self.request(Method::HEAD, path, &[]).await?;
        call = call.header("x-amz-checksum-mode", "ENABLED")?;
        if let Some(tag) = e_tag {
            call = call.header("if-match", tag)?;
        }
        let call = call.headers(super::encryption::customer_key(self.settings())?);
        let reply = self.send(path, &call).await?;
        Ok(Integrity::of(StatusCode::OK, &reply.headers).checksums)
    }
}
