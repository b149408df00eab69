//! What headers tell of an object.

use chrono::{DateTime, Utc};
use holdall_ais_wire::header as names;
use holdall_ais_wire::value::from_nanos;
use holdall_store::checksum::{Algorithm, Checksum};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};

/// What a reply tells of an object. Empty and none where it does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectAttributes {
    /// Bytes of the whole object.
    pub size: u64,
    /// Type of the checksum: `xxhash2`, `md5`, `crc32c`, …
    pub checksum_type: String,
    /// Checksum of the whole object, in hex.
    pub checksum_value: String,
    /// Last access: nanoseconds since 1970, as text.
    pub access_time: String,
    /// Version; a decimal number in ais buckets.
    pub version: String,
    /// Custom properties in the server's order.
    pub custom: Vec<(String, String)>,
    /// Whether the object is in the cluster.
    pub present: bool,
    /// Where it is: `t[ID]:/mountpath`.
    pub location: String,
    /// Copies.
    pub mirror_copies: u64,
    /// Where they are.
    pub mirror_paths: Vec<String>,
    /// Last write, as an HTTP date.
    pub last_modified: String,
    /// Entity tag without its quotes.
    pub e_tag: String,
    /// Count of chunks and bytes of the largest, of objects that were written in parts.
    pub chunks: Option<(u64, u64)>,
}

impl ObjectAttributes {
    /// Reads headers of HEAD, GET and PUT.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let number = |name: &str| text(name).trim().parse::<u64>().unwrap_or_default();
        let paths = text(names::MIRROR_PATHS);
        let paths = paths.trim_start_matches('[').trim_end_matches(']');
        let chunks = headers
            .contains_key(names::CHUNKS_COUNT)
            .then(|| (number(names::CHUNKS_COUNT), number(names::CHUNKS_MAX_SIZE)));
        // Of a part, the whole's length stands behind the slash.
        let whole = text(CONTENT_RANGE.as_str());
        let whole = whole.rsplit_once('/').and_then(|(_, size)| size.parse().ok());
        Self {
            size: whole.unwrap_or_else(|| number(CONTENT_LENGTH.as_str())),
            checksum_type: text(names::CHECKSUM_TYPE),
            checksum_value: text(names::CHECKSUM_VALUE),
            access_time: text(names::ATIME),
            version: text(names::VERSION),
            custom: custom(headers),
            present: text(names::PRESENT) == "true",
            location: text(names::LOCATION),
            mirror_copies: number(names::MIRROR_COPIES),
            mirror_paths: paths
                .split(',')
                .filter(|path| !path.is_empty())
                .map(str::to_owned)
                .collect(),
            last_modified: text(LAST_MODIFIED.as_str()),
            e_tag: text(ETAG.as_str()).trim_matches('"').to_owned(),
            chunks,
        }
    }

    /// The checksum, where it is one that can be computed here.
    pub fn checksum(&self) -> Option<Checksum> {
        let algorithm = match self.checksum_type.as_str() {
            "xxhash" | "xxhash2" => Algorithm::XxHash64,
            "md5" => Algorithm::Md5,
            "crc32c" => Algorithm::Crc32c,
            "sha256" => Algorithm::Sha256,
            _ => return None,
        };
        Checksum::from_hex(algorithm, &self.checksum_value)
    }

    /// The last access.
    pub fn accessed(&self) -> Option<DateTime<Utc>> {
        self.access_time.parse().ok().filter(|nanos| *nanos > 0).map(from_nanos)
    }

    /// The last write, to the second.
    pub fn modified(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc2822(&self.last_modified).ok().map(|time| time.to_utc())
    }

    /// What tells this content from any other that the object may have: version and checksum. None where the server
    /// states neither.
    pub fn identity(&self) -> Option<String> {
        identity(&self.version, &self.checksum_value)
    }
}

/// See [`ObjectAttributes::identity`].
pub(crate) fn identity(version: &str, checksum: &str) -> Option<String> {
    match (version, checksum) {
        ("", "") => None,
        _ => Some(format!("\"{version}-{checksum}\"")),
    }
}

/// Custom properties: a header each, or several in one with commas between them, as proxies may join them.
fn custom(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let values = headers.get_all(names::CUSTOM_MD);
    let is_joined = values.iter().count() == 1;
    for value in values {
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else { continue };
        let pieces: Vec<&str> = match is_joined {
            true => text.split(", ").collect(),
            false => vec![text],
        };
        for piece in pieces {
            match (piece.split_once('='), found.last_mut()) {
                (Some((key, value)), _) => found.push((key.to_owned(), value.to_owned())),
                // A comma of the value itself.
                (None, Some((_, last))) => {
                    last.push_str(", ");
                    last.push_str(piece);
                }
                (None, None) => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn both_forms_of_custom_properties() {
        let apart = headers(&[("ais-custom-md", "a=1, 2"), ("ais-custom-md", "b=x=y")]);
        let joined = headers(&[("ais-custom-md", "a=1, 2, b=x=y")]);
        let expected =
            vec![("a".to_owned(), "1, 2".to_owned()), ("b".to_owned(), "x=y".to_owned())];
        assert_eq!(custom(&apart), expected);
        assert_eq!(custom(&joined), expected);
    }

    #[test]
    fn a_part_tells_of_the_whole() {
        let of = ObjectAttributes::of(&headers(&[
            ("content-length", "3"),
            ("content-range", "bytes 2-4/10"),
            ("ais-checksum-type", "xxhash2"),
            ("ais-checksum-value", "00000000000000ff"),
            ("ais-version", "3"),
            ("ais-mirror-paths", "[/a,/b]"),
        ]));
        assert_eq!((of.size, of.mirror_paths.len()), (10, 2));
        assert_eq!(of.checksum().unwrap().to_string(), "xxhash64:00000000000000ff");
        assert_eq!(of.identity().unwrap(), "\"3-00000000000000ff\"");
    }
}
