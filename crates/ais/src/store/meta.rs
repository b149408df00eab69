//! Metadata: that of AIStore as that of object stores, and back.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{
    Attribute, Attributes, Error, ObjectMeta, PutResult, Result, TagSet,
};

use crate::attributes::ObjectAttributes;

/// What a HEAD is asked for.
pub(super) const PROPS: &str = "checksum,atime,version,custom,last-modified";

/// Names of the attributes that are headers elsewhere.
const NAMED: [(Attribute, &str); 5] = [
    (Attribute::CacheControl, "Cache-Control"),
    (Attribute::ContentDisposition, "Content-Disposition"),
    (Attribute::ContentEncoding, "Content-Encoding"),
    (Attribute::ContentLanguage, "Content-Language"),
    (Attribute::ContentType, "Content-Type"),
];

/// Custom properties that are the cluster's own: what it knows of an object of a cloud.
const OWN: [&str; 8] =
    ["ETag", "source", "web", "version", "crc32c", "md5", "orig_url", "LastModified"];

pub(super) fn meta(location: Path, of: &ObjectAttributes) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: of.modified().or(of.accessed()).unwrap_or(DateTime::<Utc>::UNIX_EPOCH),
        size: of.size,
        e_tag: of.identity(),
        // Only the present one can be read, so it is no version that could be asked for.
        version: None,
    }
}

pub(super) fn put_result(of: &ObjectAttributes) -> PutResult {
    PutResult { e_tag: of.identity(), version: None, extensions: Default::default() }
}

pub(super) fn attributes(custom: &[(String, String)]) -> Attributes {
    let known = custom.iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
    let pairs = known.map(|(key, value)| {
        let named =
            NAMED.iter().find(|(_, name)| name == key).map(|(attribute, _)| attribute.clone());
        let attribute = named.unwrap_or_else(|| Attribute::Metadata(Cow::Owned(key.clone())));
        (attribute, value.clone())
    });
    pairs.collect()
}

/// Attributes as custom properties.
pub(super) fn custom(attributes: Attributes, tags: &TagSet) -> Result<Vec<(String, String)>> {
    let refused = |what: &str| Error::NotSupported {
        source: format!("AIStore keeps no {what} of objects").into(),
    };
    if !tags.encoded().is_empty() {
        return Err(refused("tags"));
    }
    let pairs = attributes.iter().map(|(attribute, value)| {
        let key = match attribute {
            Attribute::Metadata(key) => key.to_string(),
            other => match NAMED.iter().find(|(named, _)| named == other) {
                Some((_, name)) => (*name).to_owned(),
                None => return Err(refused(&format!("attribute {other:?}"))),
            },
        };
        Ok((key, value.to_string()))
    });
    pairs.collect()
}
