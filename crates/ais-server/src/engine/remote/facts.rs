//! What a backend says of an object, as this server keeps it: custom properties and times.

use holdall_ais_wire::bucket::Provider;
use holdall_store::object_store::{self, Attribute, Attributes};

use crate::storage::ObjectMeta;

/// Names of metadata that this server writes with an object, so that its checksum is known before it is read.
const CHECKSUM_TYPE: &str = "ais-cksum-type";
const CHECKSUM_VALUE: &str = "ais-cksum-val";

/// The name of a metadata entry at a provider: Azure wants identifiers.
fn metadata_name(provider: Provider, name: &'static str) -> String {
    if provider == Provider::Azure { name.replace('-', "_") } else { name.to_owned() }
}

/// Attributes of a new object at its backend.
pub(super) fn attributes(provider: Provider, meta: &ObjectMeta) -> Attributes {
    let mut all = Attributes::new();
    if let Some(kind) = meta.custom("Content-Type") {
        all.insert(Attribute::ContentType, kind.to_owned().into());
    }
    let has_metadata = matches!(provider, Provider::Aws | Provider::Gcp | Provider::Azure);
    if has_metadata && meta.checksum_type != "none" && !meta.checksum.is_empty() {
        let mut put = |name, value: &str| {
            let name = metadata_name(provider, name);
            all.insert(Attribute::Metadata(name.into()), value.to_owned().into());
        };
        put(CHECKSUM_TYPE, &meta.checksum_type);
        put(CHECKSUM_VALUE, &meta.checksum);
    }
    all
}

/// The entity tag without quotes.
pub(super) fn plain_tag(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// What is known of an object after it was written to its backend.
pub(super) fn of_put(provider: Provider, tag: Option<&str>) -> Vec<(String, String)> {
    let mut custom = vec![("source".to_owned(), provider.to_string())];
    if let Some(tag) = tag {
        add_tag(provider, tag, &mut custom);
    }
    custom
}

fn add_tag(provider: Provider, tag: &str, custom: &mut Vec<(String, String)>) {
    let tag = plain_tag(tag);
    custom.push(("ETag".to_owned(), tag.to_owned()));
    let is_md5 = tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_md5 && provider == Provider::Aws {
        custom.push(("md5".to_owned(), tag.to_owned()));
    }
}

/// An object as its backend describes it, without content.
pub(super) fn of_remote(
    provider: Provider,
    meta: &object_store::ObjectMeta,
    attributes: &Attributes,
) -> ObjectMeta {
    let mut custom = vec![("source".to_owned(), provider.to_string())];
    if let Some(tag) = &meta.e_tag {
        add_tag(provider, tag, &mut custom);
    }
    if let Some(version) = meta.version.as_deref().filter(|version| !version.is_empty()) {
        custom.push(("version".to_owned(), version.to_owned()));
    }
    let modified = meta.last_modified;
    let known = modified.timestamp() != 0;
    if known {
        let text = modified.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        custom.push(("LastModified".to_owned(), text));
        let text = modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        custom.push(("Last-Modified".to_owned(), text));
    }
    let kind = attributes.get(&Attribute::ContentType).map(|kind| kind.to_string());
    if let Some(kind) = kind.filter(|kind| kind.len() <= 256 && !kind.chars().any(char::is_control))
    {
        custom.push(("Content-Type".to_owned(), kind));
    }
    let stated = |name| {
        let name = metadata_name(provider, name);
        attributes.get(&Attribute::Metadata(name.into())).map(|value| value.to_string())
    };
    let md5 = custom.iter().find(|(key, _)| key == "md5").map(|(_, value)| value.clone());
    let (checksum_type, checksum) = match (stated(CHECKSUM_TYPE), stated(CHECKSUM_VALUE), md5) {
        (Some(kind), Some(value), _) => (kind, value),
        (_, _, Some(md5)) => ("md5".to_owned(), md5),
        _ => ("none".to_owned(), String::new()),
    };
    let mtime = if known { modified.timestamp_nanos_opt().unwrap_or(0) } else { 0 };
    ObjectMeta { size: meta.size, checksum_type, checksum, mtime, custom, ..ObjectMeta::default() }
}

/// Whether what is here is what is there.
pub fn is_same(here: &ObjectMeta, there: &ObjectMeta) -> bool {
    if here.size != there.size {
        return false;
    }
    for key in ["ETag", "version", "LastModified"] {
        if let (Some(here), Some(there)) = (here.custom(key), there.custom(key)) {
            return here == there;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdall_store::object_store::path::Path;

    fn there(tag: &str) -> ObjectMeta {
        let meta = object_store::ObjectMeta {
            location: Path::from("o"),
            last_modified: chrono::DateTime::UNIX_EPOCH + chrono::Duration::seconds(5),
            size: 3,
            e_tag: Some(tag.to_owned()),
            version: None,
        };
        of_remote(Provider::Aws, &meta, &Attributes::new())
    }

    #[test]
    fn tags_that_are_checksums() {
        let meta = there("\"2813600f4621cc7e62c236213c8e8d20\"");
        assert_eq!(meta.custom("md5"), Some("2813600f4621cc7e62c236213c8e8d20"));
        assert_eq!(meta.checksum_type, "md5");
        assert_eq!(meta.custom("LastModified"), Some("1970-01-01T00:00:05Z"));
        assert_eq!(there("\"abc-2\"").checksum_type, "none");
    }

    #[test]
    fn versions_are_compared_by_tag_first() {
        assert!(is_same(&there("a"), &there("\"a\"")));
        assert!(!is_same(&there("a"), &there("b")));
        let mut untagged = there("a");
        untagged.custom.retain(|(key, _)| key != "ETag");
        assert!(is_same(&untagged, &there("b")), "times are the same");
        untagged.custom.clear();
        assert!(!is_same(&untagged, &there("b")), "nothing is known");
    }
}
