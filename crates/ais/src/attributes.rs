//! What headers tell of an object.

use chrono::{DateTime, Utc};
use holdall_ais_wire::header as names;
use holdall_ais_wire::value::from_nanos;
use holdall_store::checksum::Checksum;
use http::HeaderMap;

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
        let mut found = Self { custom: custom(headers), ..Self::default() };
        let (mut whole, mut chunks) = (None, (None, 0));
        // Every read comes by here: one look at each of the few headers, not a search for each of the many names. The
        // first of a name counts.
        for name in headers.keys() {
            let Some(text) = headers.get(name).and_then(|value| value.to_str().ok()) else {
                continue;
            };
            let number = || text.trim().parse::<u64>().unwrap_or_default();
            match name.as_str() {
                "content-length" => found.size = number(),
                // Of a part, the whole's length stands behind the slash.
                "content-range" => {
                    whole = text.rsplit_once('/').and_then(|(_, size)| size.parse().ok());
                }
                "last-modified" => text.clone_into(&mut found.last_modified),
                "etag" => text.trim_matches('"').clone_into(&mut found.e_tag),
                names::CHECKSUM_TYPE => text.clone_into(&mut found.checksum_type),
                names::CHECKSUM_VALUE => text.clone_into(&mut found.checksum_value),
                names::ATIME => text.clone_into(&mut found.access_time),
                names::VERSION => text.clone_into(&mut found.version),
                names::PRESENT => found.present = text == "true",
                names::LOCATION => text.clone_into(&mut found.location),
                names::MIRROR_COPIES => found.mirror_copies = number(),
                names::MIRROR_PATHS => found.mirror_paths = paths(text),
                names::CHUNKS_COUNT => chunks.0 = Some(number()),
                names::CHUNKS_MAX_SIZE => chunks.1 = number(),
                _ => {}
            }
        }
        found.size = whole.unwrap_or(found.size);
        found.chunks = chunks.0.map(|count| (count, chunks.1));
        found
    }

    /// The checksum, where it is one that can be computed here.
    pub fn checksum(&self) -> Option<Checksum> {
        Checksum::of_aistore(&self.checksum_type, &self.checksum_value)
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

/// A list as Go prints it: `[/one,/two]`.
fn paths(text: &str) -> Vec<String> {
    let list = text.trim_start_matches('[').trim_end_matches(']');
    list.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect()
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
