//! Attributes of objects as headers.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use object_store::path::Path;
use object_store::{Attribute, Attributes, Error, Result};

use crate::error::{Error as OurError, ErrorKind};

/// Headers of a request that sets attributes. `prefix` begins the provider's headers: `x-amz-`, `x-goog-`.
pub(crate) fn to_headers(
    location: &Path,
    attributes: &Attributes,
    prefix: &str,
) -> Result<HeaderMap> {
    check(location, attributes)?;
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

/// Refuses attributes that cannot be headers, or would not come back as they were: the services take printable ASCII alone, and
/// the client inside, which is not asked before, panics over some of the rest.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`], with the key and the attribute.
pub(crate) fn check(location: &Path, attributes: &Attributes) -> Result<()> {
    for (attribute, value) in attributes {
        let is_sent = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        let wrong = match attribute {
            Attribute::Metadata(key) if HeaderName::from_bytes(key.as_bytes()).is_err() => {
                "its key is to be of ASCII letters, digits and marks such as `-`, `_` and `.`"
            }
            _ if !value.bytes().all(is_sent) => {
                "values are printable ASCII in one line: percent-encode the rest, or leave the attribute out"
            }
            _ => continue,
        };
        let detail = format!("{} cannot be sent as a header: {wrong}", shown(attribute));
        return Err(
            OurError::new(ErrorKind::InvalidArgument, "put", location.to_string(), detail).into()
        );
    }
    Ok(())
}

fn shown(attribute: &Attribute) -> String {
    match attribute {
        Attribute::CacheControl => "Cache-Control".to_owned(),
        Attribute::ContentDisposition => "Content-Disposition".to_owned(),
        Attribute::ContentEncoding => "Content-Encoding".to_owned(),
        Attribute::ContentLanguage => "Content-Language".to_owned(),
        Attribute::ContentType => "Content-Type".to_owned(),
        Attribute::StorageClass => "the storage class".to_owned(),
        Attribute::Metadata(key) => format!("the metadata {key:?}"),
        other => format!("the attribute {other:?}"),
    }
}
