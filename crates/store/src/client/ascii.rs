//! Attributes in replies whose characters are not those of headers.
//!
//! Servers send file names in `Content-Disposition` as UTF-8 or Latin-1, and services give metadata back as it was written;
//! `object_store` makes no result of a reply with such a header. Nothing here is needed to read the bytes: the characters
//! that are not ASCII are percent-encoded in UTF-8, as URLs have them, whatever they came in.

use std::borrow::Cow;

use http::HeaderValue;
use object_store::client::HttpResponse;
use percent_encoding::{AsciiSet, utf8_percent_encode};

/// Headers that are attributes, besides metadata.
const ATTRIBUTES: [&str; 5] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
];

/// Begin the names of headers that are metadata.
const METADATA: [&str; 3] = ["x-amz-meta-", "x-goog-meta-", "x-ms-meta-"];

/// No character of ASCII is encoded; all others always are.
const NONE: &AsciiSet = &AsciiSet::EMPTY;

/// Makes the attributes of a reply ASCII.
pub(super) fn make_ascii(reply: &mut HttpResponse) {
    for (name, value) in reply.headers_mut() {
        let bytes = value.as_bytes();
        if bytes.is_ascii() || !is_attribute(name.as_str()) {
            continue;
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // Latin-1, whose characters are the first of Unicode.
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        };
        let encoded = utf8_percent_encode(&text, NONE).to_string();
        if let Ok(encoded) = HeaderValue::try_from(encoded) {
            *value = encoded;
        }
    }
}

fn is_attribute(name: &str) -> bool {
    ATTRIBUTES.contains(&name) || METADATA.iter().any(|prefix| name.starts_with(prefix))
}
