//! Attributes of objects as headers.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use object_store::{Attribute, Attributes, Error, Result};

/// Headers of a request that sets attributes. `prefix` begins the provider's headers: `x-amz-`, `x-goog-`.
pub(crate) fn to_headers(attributes: &Attributes, prefix: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (attribute, value) in attributes {
        let name = match attribute {
            Attribute::CacheControl => CACHE_CONTROL,
            Attribute::ContentDisposition => CONTENT_DISPOSITION,
            Attribute::ContentEncoding => CONTENT_ENCODING,
            Attribute::ContentLanguage => CONTENT_LANGUAGE,
            Attribute::ContentType => CONTENT_TYPE,
            Attribute::StorageClass => name(&format!("{prefix}storage-class"))?,
            Attribute::Metadata(key) => name(&format!("{prefix}meta-{key}"))?,
            other => {
                let source = format!("the attribute {other:?} cannot be set here").into();
                return Err(Error::NotSupported { source });
            }
        };
        let value = HeaderValue::from_str(value).map_err(|_| bad(name.as_str()))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn name(text: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| bad(text))
}

fn bad(name: &str) -> Error {
    let source = format!("the attribute sent as `{name}` has characters that headers cannot have");
    Error::Generic { store: "holdall", source: source.into() }
}
