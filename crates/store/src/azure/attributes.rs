//! Attributes of blobs: properties, metadata and tier, each with a request of its own.

use http::Method;
use object_store::path::Path;
use object_store::{Attribute, Attributes, Error, Result};

use super::AzureStore;
use crate::cloud::send::Call;

impl AzureStore {
    /// Replaces properties and metadata. When another writer comes between the requests, the operation fails and the
    /// blob has the new properties with the metadata of that writer.
    pub(super) async fn replace_attributes(
        &self,
        location: &Path,
        attributes: &Attributes,
    ) -> Result<()> {
        self.without_customer_key("put_attributes")?;
        let mut properties = self.request(Method::PUT, location, &[("comp", "properties")]);
        let mut metadata = self.request(Method::PUT, location, &[("comp", "metadata")]);
        let mut tier = None;
        for (attribute, value) in attributes {
            let set = |call: Call, name: &str| call.header(name, value);
            match attribute {
                Attribute::CacheControl => properties = set(properties, "x-ms-blob-cache-control")?,
                Attribute::ContentDisposition => {
                    properties = set(properties, "x-ms-blob-content-disposition")?;
                }
                Attribute::ContentEncoding => {
                    properties = set(properties, "x-ms-blob-content-encoding")?;
                }
                Attribute::ContentLanguage => {
                    properties = set(properties, "x-ms-blob-content-language")?;
                }
                Attribute::ContentType => properties = set(properties, "x-ms-blob-content-type")?,
                Attribute::Metadata(key) => {
                    metadata = metadata.header(&format!("x-ms-meta-{key}"), value)?;
                }
                Attribute::StorageClass => tier = Some(value.as_ref()),
                other => {
                    let source = format!("the attribute {other:?} cannot be set here").into();
                    return Err(Error::NotSupported { source });
                }
            }
        }
        let reply = self.send(location, &properties).await?;
        if let Some(e_tag) = reply.header("etag") {
            // A repetition would not find the state that it changed itself.
            metadata = metadata.header("if-match", e_tag)?.idempotent(false);
        }
        self.send(location, &metadata).await?;
        if let Some(tier) = tier {
            let call = self.request(Method::PUT, location, &[("comp", "tier")]);
            self.send(location, &call.header("x-ms-access-tier", tier)?).await?;
        }
        Ok(())
    }
}
