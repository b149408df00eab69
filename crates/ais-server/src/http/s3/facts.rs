//! What clients say of an object besides its content: kept as its custom properties, told again in headers.
//!
//! | property | what |
//! |---|---|
//! | `ETag` | MD5 of the content, or that of its parts' MD5s and their number |
//! | `Content-Type` and the like | the headers of the same names |
//! | `x-amz-meta-…` | the user's metadata |
//! | `x-amz-checksum-…` | the checksum that the client chose, in base64 |
//! | `x-amz-tagging` | tags, as a query |

use http::HeaderMap;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::checksum::{Algorithm, Sums, base64, hex};
use super::fault::{Fault, Result};
use crate::http::Reply;
use crate::http::objects::etag;
use crate::http::reply::set;
use crate::storage::ObjectMeta;

/// A name and its value.
pub(super) type Fact = (String, String);

/// Most bytes of the user's metadata, names and values, as in S3.
const MAX_METADATA: usize = 2048;
/// Most tags of an object, and the lengths of their names and values in characters, as in S3.
const MAX_TAGS: (usize, usize, usize) = (10, 128, 256);
/// Prefix of the user's metadata.
const META: &str = "x-amz-meta-";
/// The property that keeps tags, and the header that brings them.
pub(super) const TAGGING: &str = "x-amz-tagging";
/// The property that keeps the entity tag.
pub(super) const ETAG: &str = "ETag";

/// Headers that are told again as they came, and the parameters that replace them in a reply.
const KEPT: [(&str, &str); 6] = [
    ("Content-Type", "response-content-type"),
    ("Cache-Control", "response-cache-control"),
    ("Content-Disposition", "response-content-disposition"),
    ("Content-Encoding", "response-content-encoding"),
    ("Content-Language", "response-content-language"),
    ("Expires", "response-expires"),
];

/// Headers that ask for what this server does not do.
const REFUSED: [(&str, &str); 8] = [
    ("x-amz-server-side-encryption", "encryption at rest by request"),
    ("x-amz-server-side-encryption-customer-algorithm", "encryption with customers' keys"),
    (
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        "encryption with customers' keys",
    ),
    ("x-amz-object-lock-mode", "object locks"),
    ("x-amz-object-lock-legal-hold", "object locks"),
    ("x-amz-object-lock-retain-until-date", "object locks"),
    ("x-amz-website-redirect-location", "redirects of websites"),
    ("x-amz-write-offset-bytes", "appending: use AIStore's API for that"),
];

/// What the headers of a write say of the object.
///
/// # Errors
///
/// When they ask for what this server does not do, or say too much.
pub(super) fn of_headers(headers: &HeaderMap) -> Result<Vec<Fact>> {
    check_options(headers)?;
    let mut facts = Vec::new();
    for (name, _) in KEPT {
        let Some(value) = text(headers, name)? else { continue };
        let value = if name == "Content-Encoding" { plain_encoding(&value) } else { value };
        if !value.is_empty() {
            facts.push((name.to_owned(), value));
        }
    }
    let mut size = 0;
    for name in headers.keys().filter(|name| name.as_str().starts_with(META)) {
        let values: Result<Vec<String>> = headers
            .get_all(name)
            .iter()
            .map(|value| {
                String::from_utf8(value.as_bytes().to_vec()).map_err(|_| not_utf8(name.as_str()))
            })
            .collect();
        let value = values?.join(",");
        size += name.as_str().len() - META.len() + value.len();
        facts.push((name.as_str().to_owned(), value));
    }
    if size > MAX_METADATA {
        let text = format!("the metadata is {size} bytes; at most {MAX_METADATA} are allowed");
        return Err(Fault::new(400, "MetadataTooLarge", text));
    }
    if let Some(tags) = text(headers, TAGGING)? {
        facts.extend(tagging(&parse_tags(&tags)?)?);
    }
    Ok(facts)
}

/// Refuses what would be ignored.
pub(super) fn check_options(headers: &HeaderMap) -> Result<()> {
    if let Some((_, what)) = REFUSED.iter().find(|(name, _)| headers.contains_key(*name)) {
        return Err(Fault::unsupported(what));
    }
    if let Some(class) = text(headers, "x-amz-storage-class")?
        && class != "STANDARD"
    {
        let text = format!("there is no storage class {class:?} here, only STANDARD");
        return Err(Fault::new(400, "InvalidStorageClass", text));
    }
    check_acl(headers)
}

/// Refuses access control lists that say another thing than that the owner owns everything.
pub(super) fn check_acl(headers: &HeaderMap) -> Result<()> {
    let acl = text(headers, "x-amz-acl")?.unwrap_or_default();
    let harmless = ["", "private", "bucket-owner-full-control", "bucket-owner-read"];
    let grants = headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-"));
    if grants || !harmless.contains(&acl.as_str()) {
        let text = "this server has no access control lists: only x-amz-acl: private is possible";
        return Err(Fault::new(400, "AccessControlListNotSupported", text));
    }
    Ok(())
}

fn not_utf8(name: &str) -> Fault {
    Fault::invalid(format!("the header {name} is not UTF-8"))
}

fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| not_utf8(name))?;
    Ok(Some(text.trim().to_owned()))
}

/// Without the encoding that is of the transfer only.
fn plain_encoding(value: &str) -> String {
    let own =
        value.split(',').map(str::trim).filter(|name| !name.eq_ignore_ascii_case("aws-chunked"));
    own.collect::<Vec<_>>().join(",")
}

/// Whether a property is one that clients change by writing it anew: not what is known of the content.
pub(super) fn is_said(name: &str) -> bool {
    name != ETAG && Algorithm::of_header(name).is_none()
}

/// What is known of content from having seen it: the MD5 as its entity tag, if AIStore's checksum is none already, and
/// the checksum that the client chose.
pub(super) fn facts_of(meta: &ObjectMeta, sums: &Sums) -> Vec<Fact> {
    let md5 = hex(&sums.md5);
    let is_known = meta.checksum_type == "md5" && meta.checksum == md5;
    let tag = (!is_known).then(|| (ETAG.to_owned(), md5));
    let chosen = sums.chosen.as_ref();
    let chosen = chosen.map(|(kind, value)| (kind.header().to_owned(), base64(value)));
    tag.into_iter().chain(chosen).collect()
}

/// Tells it in the headers of a reply. `asks` are the parameters of the request.
pub(super) fn tell<'a>(
    reply: &mut Reply,
    meta: &ObjectMeta,
    asks: impl Fn(&str) -> &'a str,
    with_checksum: bool,
) {
    set(reply, http::header::ETAG, etag(meta));
    set(reply, http::header::LAST_MODIFIED, http_time(meta.mtime));
    set(reply, http::header::ACCEPT_RANGES, "bytes");
    set(reply, http::header::CONTENT_TYPE, "application/octet-stream");
    let mut tags = 0;
    for (name, value) in &meta.custom {
        let kept = KEPT.iter().any(|(kept, _)| kept.eq_ignore_ascii_case(name));
        if kept || name.starts_with(META) {
            set(reply, name.as_str(), value);
        } else if Algorithm::of_header(name).is_some() && with_checksum {
            set(reply, name.as_str(), value);
            let kind = if value.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" };
            set(reply, "x-amz-checksum-type", kind);
        } else if name == TAGGING {
            tags = value.split('&').filter(|tag| !tag.is_empty()).count();
        }
    }
    if tags > 0 {
        set(reply, "x-amz-tagging-count", tags.to_string());
    }
    for (name, asked) in KEPT {
        let value = asks(asked);
        if !value.is_empty() {
            set(reply, name, value);
        }
    }
}

/// A time in headers.
pub(super) fn http_time(nanos: i64) -> String {
    holdall_ais_wire::value::from_nanos(nanos).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Tags of the form `name=value&name=value`.
pub(super) fn parse_tags(text: &str) -> Result<Vec<Fact>> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let decoded = percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned);
        decoded.map_err(|_| invalid_tag("it is not UTF-8"))
    };
    let tags = text.split('&').filter(|tag| !tag.is_empty()).map(|tag| {
        let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
        Ok((decode(name)?, decode(value)?))
    });
    tags.collect()
}

fn invalid_tag(reason: &str) -> Fault {
    Fault::new(400, "InvalidTag", format!("the tag provided was not valid: {reason}"))
}

/// The property that keeps these tags; none for none.
///
/// # Errors
///
/// When there are too many, one comes twice, or is too long.
pub(super) fn tagging(tags: &[Fact]) -> Result<Option<Fact>> {
    let (most, longest_name, longest_value) = MAX_TAGS;
    if tags.len() > most {
        return Err(Fault::new(
            400,
            "BadRequest",
            format!("object tags cannot be more than {most}"),
        ));
    }
    for (at, (name, value)) in tags.iter().enumerate() {
        if name.is_empty() || name.chars().count() > longest_name {
            return Err(invalid_tag("a name has 1 to 128 characters"));
        }
        if value.chars().count() > longest_value {
            return Err(invalid_tag("a value has at most 256 characters"));
        }
        if tags[..at].iter().any(|(before, _)| before == name) {
            return Err(invalid_tag("a name comes twice"));
        }
    }
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> =
        tags.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    Ok((!pairs.is_empty()).then(|| (TAGGING.to_owned(), pairs.join("&"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_read_back() {
        let tags =
            vec![("a b".to_owned(), "1&2=é".to_owned()), ("empty".to_owned(), String::new())];
        let (_, text) = tagging(&tags).unwrap().unwrap();
        assert_eq!(parse_tags(&text).unwrap(), tags);
        assert!(tagging(&[]).unwrap().is_none());
        assert!(tagging(&[tags[0].clone(), tags[0].clone()]).is_err());
        assert!(tagging(&vec![tags[0].clone(); 11]).is_err());
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (name, value) in [
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-acl", "public-read"),
            ("x-amz-grant-read", "id=1"),
            ("x-amz-storage-class", "GLACIER"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert!(of_headers(&headers).is_err(), "{name}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", "aws-chunked, gzip".parse().unwrap());
        headers.insert("x-amz-acl", "private".parse().unwrap());
        let expected = vec![("Content-Encoding".to_owned(), "gzip".to_owned())];
        assert_eq!(of_headers(&headers).unwrap(), expected);
    }
}
