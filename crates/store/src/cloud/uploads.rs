//! Uploads in parts that have begun and not ended, as the XML APIs of S3 and of Cloud Storage list them.

use chrono::{DateTime, Utc};
use object_store::Result;
use object_store::path::Path;
use serde::Deserialize;

use super::send::xml;
use crate::provider::OpenUpload;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    upload: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    key: String,
    upload_id: String,
    initiated: Option<DateTime<Utc>>,
}

/// The query that lists uploads to a key, on its bucket. It also lists those to keys that begin with this one, which come
/// after it: only of a key with more than a thousand uploads some are not seen.
pub(crate) fn query(location: &Path) -> [(&str, &str); 2] {
    [("uploads", ""), ("prefix", location.as_ref())]
}

impl OpenUpload {
    /// The uploads to one key in what a service lists of a bucket, as S3 does (`ListMultipartUploads`); `store` is what
    /// errors name.
    ///
    /// # Errors
    /// When the document is something else.
    pub fn of_listing(document: &[u8], key: &str, store: &'static str) -> Result<Vec<Self>> {
        let document: Document = xml(document, store)?;
        let own = document.upload.into_iter().filter(|upload| upload.key == key);
        Ok(own.map(|upload| Self { id: upload.upload_id, begun: upload.initiated }).collect())
    }
}
