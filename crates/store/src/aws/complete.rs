//! The end of uploads in parts.

use http::Method;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{CopyMode, Error, PutResult, Result};
use quick_xml::escape::escape;
use serde::Deserialize;

use super::S3Store;
use super::copy::exists;
use crate::config::S3Key;

impl S3Store {
    /// Completes an upload of parts where there is no object; nothing when the service does not do that.
    pub(super) async fn complete_if_new(
        &self,
        location: &Path,
        upload: &str,
        parts: &[PartId],
    ) -> Result<Option<PutResult>> {
        let settings = self.settings();
        let has_conditions = settings.get(S3Key::ConditionalPut) != Some("disabled");
        if parts.is_empty() || !has_conditions || settings.flag(S3Key::S3Express)? {
            return Ok(None);
        }
        self.complete(location, upload, parts, CopyMode::Create).await.map(Some)
    }

    /// Completes an upload of these parts, from the first to the last.
    pub(super) async fn complete(
        &self,
        to: &Path,
        upload: &str,
        parts: &[PartId],
        mode: CopyMode,
    ) -> Result<PutResult> {
        let mut body = String::from("<CompleteMultipartUpload>");
        for (index, part) in parts.iter().enumerate() {
            body.push_str(&Part::of(part).element(index + 1));
        }
        body.push_str("</CompleteMultipartUpload>");
        let mut call = self
            .request(Method::POST, to, &[("uploadId", upload)])
            .await?
            .header("content-type", "application/xml")?
            .body(body)
            .error_in_body();
        call = match mode {
            // A repetition would find the object of its predecessor.
            CopyMode::Create => call.header("if-none-match", "*")?,
            CopyMode::Overwrite => call.idempotent(true),
        };
        let reply = match self.send(to, &call).await {
            Err(Error::Precondition { source, .. }) if mode == CopyMode::Create => {
                return Err(exists(to, source));
            }
            done => done?,
        };
        let completed: Completed = reply.xml("S3")?;
        Ok(PutResult {
            e_tag: Some(completed.e_tag),
            version: reply.header("x-amz-version-id").map(str::to_owned),
            extensions: Default::default(),
        })
    }
}

/// A part as `object_store` names it where it has asked for its checksum; else there is but the entity tag.
#[derive(Deserialize)]
struct Part {
    e_tag: String,
    checksum_sha256: Option<String>,
    checksum_crc64nvme: Option<String>,
}

impl Part {
    fn of(part: &PartId) -> Self {
        let alone = |_| Self {
            e_tag: part.content_id.clone(),
            checksum_sha256: None,
            checksum_crc64nvme: None,
        };
        quick_xml::de::from_str(&part.content_id).unwrap_or_else(alone)
    }

    fn element(&self, number: usize) -> String {
        let checksums = [
            ("ChecksumSHA256", &self.checksum_sha256),
            ("ChecksumCRC64NVME", &self.checksum_crc64nvme),
        ];
        let mut text =
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag>", escape(&self.e_tag));
        for (name, checksum) in checksums {
            if let Some(checksum) = checksum {
                text.push_str(&format!("<{name}>{}</{name}>", escape(checksum)));
            }
        }
        text.push_str("</Part>");
        text
    }
}

#[derive(Deserialize)]
struct Completed {
    #[serde(rename = "ETag")]
    e_tag: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_by_its_tag_and_the_checksum_it_has() {
        let element =
            |content_id: &str| Part::of(&PartId { content_id: content_id.into() }).element(2);
        assert_eq!(
            element("\"a<b\""),
            "<Part><PartNumber>2</PartNumber><ETag>&quot;a&lt;b&quot;</ETag></Part>"
        );
        let kept = "<PartMetadata><e_tag>&quot;a&quot;</e_tag><checksum_sha256>c=</checksum_sha256></PartMetadata>";
        assert_eq!(
            element(kept),
            "<Part><PartNumber>2</PartNumber><ETag>&quot;a&quot;</ETag><ChecksumSHA256>c=</ChecksumSHA256></Part>"
        );
    }
}
