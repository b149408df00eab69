//! Uploads in parts that have begun and not ended.

use chrono::{DateTime, Utc};
use http::Method;
use object_store::Result;
use object_store::path::Path;
use serde::Deserialize;

use super::S3Store;
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

impl S3Store {
    /// The uploads to one key. A key that is the beginning of very many others with uploads may show only some of them.
    pub(super) async fn uploads_to(&self, location: &Path) -> Result<Vec<OpenUpload>> {
        let query = [("uploads", ""), ("prefix", location.as_ref())];
        let call = self.request(Method::GET, &Path::default(), &query).await?;
        let document: Document = self.send(location, &call).await?.xml("S3")?;
        let own = document.upload.into_iter().filter(|upload| upload.key == location.as_ref());
        Ok(own.map(|upload| OpenUpload { id: upload.upload_id, begun: upload.initiated }).collect())
    }
}
