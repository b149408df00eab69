//! Attributes of blobs: properties, metadata and tier, each with a request of its own.

use std::borrow::Cow;

use http::Method;
use object_store::path::Path;
use object_store::{Attribute, Attributes, Error, Result};

use super::AzureStore;
use crate::cloud::attributes::check;

impl AzureStore {
    /// Replaces properties and metadata. When another writer comes between the requests, the operation fails and the
    /// blob has the new properties with the metadata of that writer.
    pub(super) async fn replace_attributes(
        &self,
        location: &Path,
        attributes: &Attributes,
    ) -> Result<()> {
        self.without_customer_key("put_attributes")?;
        check(location, attributes)?;
        let mut properties = self.request(Method::PUT, location, &[("comp", "properties")]);
        let mut metadata = self.request(Method::PUT, location, &[("comp", "metadata")]);
        let mut tier = None;
        for (attribute, value) in attributes {
            let name = header(attribute)?;
            match attribute {
                Attribute::StorageClass => tier = Some(value.as_ref()),
                Attribute::Metadata(_) => metadata = metadata.header(&name, value)?,
                _ => properties = properties.header(&name, value)?,
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

/// The header that sets an attribute of a blob that is written.
pub(super) fn header(attribute: &Attribute) -> Result<Cow<'static, str>> {
    Ok(match attribute {
        Attribute::CacheControl => "x-ms-blob-cache-control".into(),
        Attribute::ContentDisposition => "x-ms-blob-content-disposition".into(),
        Attribute::ContentEncoding => "x-ms-blob-content-encoding".into(),
        Attribute::ContentLanguage => "x-ms-blob-content-language".into(),
        Attribute::ContentType => "x-ms-blob-content-type".into(),
        Attribute::StorageClass => "x-ms-access-tier".into(),
        Attribute::Metadata(key) => format!("x-ms-meta-{key}").into(),
        other => {
            let source = format!("the attribute {other:?} cannot be set here").into();
            return Err(Error::NotSupported { source });
        }
    })
}
