//! Listing objects: the request, its flags, and the page in msgpack and JSON.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::value::decimal;

/// Names in a page when the request does not say: of ais buckets.
pub const DEFAULT_PAGE_SIZE: usize = 10_000;

/// The value of a `list` action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LsoMsg {
    /// Literal prefix of names.
    #[serde(default, deserialize_with = "crate::value::null_default")]
    pub prefix: String,
    /// Most names in a page; 0 for the default.
    #[serde(default)]
    pub pagesize: i64,
    /// Id of the listing, given with its first page.
    #[serde(default, deserialize_with = "crate::value::null_default")]
    pub uuid: String,
    /// Properties wanted, comma separated.
    #[serde(default, deserialize_with = "crate::value::null_default")]
    pub props: String,
    /// Where the previous page ended.
    #[serde(default, deserialize_with = "crate::value::null_default")]
    pub continuation_token: String,
    /// Bits of [`flag`], a decimal string.
    #[serde(default, with = "decimal")]
    pub flags: u64,
    /// List this target only.
    #[serde(default, deserialize_with = "crate::value::null_default")]
    pub target: String,
    /// Names after this one, exclusive.
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "crate::value::null_default"
    )]
    pub start_after: String,
    /// Go layout of access times.
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "crate::value::null_default"
    )]
    pub time_format: String,
}

impl LsoMsg {
    /// Whether all these bits are set.
    pub fn has(&self, flag: u64) -> bool {
        self.flags & flag == flag
    }

    /// Whether the property is wanted. Servers look for the word anywhere in the text.
    pub fn wants(&self, prop: &str) -> bool {
        self.props.contains(prop)
    }
}

/// Bits of [`LsoMsg::flags`], as AIStore 5.0 has them. SDK 1.10 has other names for bits 6, 7 and 9.
pub mod flag {
    /// Only what is in the cluster.
    pub const CACHED: u64 = 1;
    /// Also misplaced copies.
    pub const MISSING: u64 = 1 << 1;
    /// Also of destroyed buckets.
    pub const DELETED: u64 = 1 << 2;
    /// Look into archives.
    pub const ARCH_DIR: u64 = 1 << 3;
    /// Names only.
    pub const NAME_ONLY: u64 = 1 << 4;
    /// Names and sizes only.
    pub const NAME_SIZE: u64 = 1 << 5;
    /// The bucket must be known.
    pub const BCK_PRESENT: u64 = 1 << 6;
    /// Do not ask the backend for the bucket.
    pub const DONT_HEAD_REMOTE: u64 = 1 << 7;
    /// Do not remember the bucket.
    pub const DONT_ADD_REMOTE: u64 = 1 << 8;
    /// Only what is not in the cluster.
    pub const NOT_CACHED: u64 = 1 << 9;
    /// Only properties that the backend has.
    pub const ONLY_REMOTE_PROPS: u64 = 1 << 10;
    /// One level.
    pub const NO_RECURSION: u64 = 1 << 11;
    /// Compare with the backend.
    pub const DIFF: u64 = 1 << 12;
    /// No virtual directories.
    pub const NO_DIRS: u64 = 1 << 13;
    /// From S3.
    pub const IS_S3: u64 = 1 << 14;
    /// From an inventory.
    pub const NBI: u64 = 1 << 15;
}

/// Bits of [`Entry::flags`].
pub mod entry_flag {
    /// Status bits; zero is fine.
    pub const STATUS_MASK: u16 = 0x1f;
    /// In the cluster.
    pub const CACHED: u16 = 1 << 6;
    /// Member of an archive.
    pub const IN_ARCHIVE: u16 = 1 << 7;
    /// A virtual directory.
    pub const DIR: u16 = 1 << 8;
    /// An archive.
    pub const ARCHIVE: u16 = 1 << 9;
    /// The remote version differs.
    pub const VERSION_CHANGED: u16 = 1 << 10;
    /// Gone remotely.
    pub const VERSION_REMOVED: u16 = 1 << 11;
    /// The remote did not tell.
    pub const HEAD_FAILED: u16 = 1 << 12;
    /// Stored in chunks.
    pub const CHUNKED: u16 = 1 << 13;
}

/// One line of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Name.
    #[serde(rename = "n")]
    pub name: String,
    /// Checksum, without its type.
    #[serde(rename = "cs", skip_serializing_if = "String::is_empty")]
    pub checksum: String,
    /// Access time.
    #[serde(rename = "a", skip_serializing_if = "String::is_empty")]
    pub atime: String,
    /// Version.
    #[serde(rename = "v", skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Location, `t[ID]:/mountpath`.
    #[serde(rename = "t", skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// Custom properties, `[k1:v1 k2:v2]`.
    #[serde(rename = "m", skip_serializing_if = "String::is_empty")]
    pub custom: String,
    /// Bytes.
    #[serde(rename = "s", skip_serializing_if = "is_zero")]
    pub size: i64,
    /// Copies.
    #[serde(rename = "c", skip_serializing_if = "is_zero_16")]
    pub copies: i16,
    /// Bits of [`entry_flag`].
    #[serde(rename = "f", skip_serializing_if = "is_zero_u16")]
    pub flags: u16,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

fn is_zero_16(value: &i16) -> bool {
    *value == 0
}

fn is_zero_u16(value: &u16) -> bool {
    *value == 0
}

/// A page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Id of the listing.
    #[serde(rename = "UUID", default)]
    pub uuid: String,
    /// Where the next page begins; empty at the end.
    #[serde(rename = "ContinuationToken", default)]
    pub continuation_token: String,
    /// The lines.
    #[serde(rename = "Entries", default, deserialize_with = "crate::value::null_default")]
    pub entries: Vec<Entry>,
    /// Flags of the page.
    #[serde(rename = "Flags", default)]
    pub flags: u32,
}

impl Page {
    /// The page in msgpack, as clients of AIStore ask for.
    ///
    /// # Errors
    ///
    /// None that a page can cause; the encoder's signature has them.
    pub fn to_msgpack(&self) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        rmp_serde::to_vec_named(self)
    }

    /// Reads a page in msgpack.
    ///
    /// # Errors
    ///
    /// When the bytes are none.
    pub fn from_msgpack(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        rmp_serde::from_slice(bytes)
    }

    /// Id and continuation of a page in msgpack. They stand before the entries, so that the next page can be asked for
    /// while these are read.
    ///
    /// # Errors
    ///
    /// When the bytes are none.
    pub fn continuation_of_msgpack(
        bytes: &[u8],
    ) -> Result<(String, String), rmp_serde::decode::Error> {
        let mut found = Continuation::default();
        let mut page = rmp_serde::Deserializer::from_read_ref(bytes);
        let read = page.deserialize_map(&mut found);
        match found {
            // That the rest was not read is no error.
            Continuation { uuid: Some(uuid), token: Some(token) } => Ok((uuid, token)),
            Continuation { uuid, token } => {
                read.map(|()| (uuid.unwrap_or_default(), token.unwrap_or_default()))
            }
        }
    }

    /// The page in JSON, which has other names.
    pub fn to_json(&self) -> JsonPage {
        JsonPage {
            uuid: self.uuid.clone(),
            continuation_token: self.continuation_token.clone(),
            entries: (!self.entries.is_empty())
                .then(|| self.entries.iter().map(JsonEntry::from).collect()),
            flags: self.flags,
        }
    }
}

/// What [`Page::continuation_of_msgpack`] has found.
#[derive(Default)]
struct Continuation {
    uuid: Option<String>,
    token: Option<String>,
}

impl<'de> Visitor<'de> for &mut Continuation {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of a listing")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut page: A) -> Result<(), A::Error> {
        while self.uuid.is_none() || self.token.is_none() {
            match page.next_key::<&str>()? {
                Some("UUID") => self.uuid = Some(page.next_value()?),
                Some("ContinuationToken") => self.token = Some(page.next_value()?),
                Some(_) => drop(page.next_value::<IgnoredAny>()?),
                None => break,
            }
        }
        Ok(())
    }
}

/// [`Page`] in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JsonPage {
    /// As in [`Page`].
    pub uuid: String,
    /// As in [`Page`].
    pub continuation_token: String,
    /// As in [`Page`]; `null` when empty.
    pub entries: Option<Vec<JsonEntry>>,
    /// As in [`Page`].
    pub flags: u32,
}

/// [`Entry`] in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JsonEntry {
    /// As in [`Entry`].
    pub name: String,
    /// As in [`Entry`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub checksum: String,
    /// As in [`Entry`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub atime: String,
    /// As in [`Entry`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// As in [`Entry`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// As in [`Entry`].
    #[serde(rename = "custom-md", skip_serializing_if = "String::is_empty")]
    pub custom: String,
    /// As in [`Entry`], a decimal string.
    #[serde(with = "decimal", skip_serializing_if = "is_zero")]
    pub size: i64,
    /// As in [`Entry`].
    #[serde(skip_serializing_if = "is_zero_16")]
    pub copies: i16,
    /// As in [`Entry`].
    #[serde(skip_serializing_if = "is_zero_u16")]
    pub flags: u16,
}

impl From<&Entry> for JsonEntry {
    fn from(entry: &Entry) -> Self {
        Self {
            name: entry.name.clone(),
            checksum: entry.checksum.clone(),
            atime: entry.atime.clone(),
            version: entry.version.clone(),
            location: entry.location.clone(),
            custom: entry.custom.clone(),
            size: entry.size,
            copies: entry.copies,
            flags: entry.flags,
        }
    }
}

impl From<JsonPage> for Page {
    fn from(page: JsonPage) -> Self {
        Self {
            uuid: page.uuid,
            continuation_token: page.continuation_token,
            entries: page.entries.unwrap_or_default().into_iter().map(Entry::from).collect(),
            flags: page.flags,
        }
    }
}

impl From<JsonEntry> for Entry {
    fn from(entry: JsonEntry) -> Self {
        Self {
            name: entry.name,
            checksum: entry.checksum,
            atime: entry.atime,
            version: entry.version,
            location: entry.location,
            custom: entry.custom,
            size: entry.size,
            copies: entry.copies,
            flags: entry.flags,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msgpack_reads_back_and_leaves_out_what_is_empty() {
        let page = Page {
            uuid: "u".into(),
            continuation_token: String::new(),
            entries: vec![Entry {
                name: "a".into(),
                size: 3,
                flags: entry_flag::CACHED,
                ..Entry::default()
            }],
            flags: 0,
        };
        let bytes = page.to_msgpack().unwrap();
        assert_eq!(Page::from_msgpack(&bytes).unwrap(), page);
        // A map of four; the entry is a map of n, s and f.
        assert_eq!(bytes[0], 0x84);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("UUID") && text.contains("Flags") && !text.contains("cs"));
    }

    #[test]
    fn entries_may_be_null() {
        // {"UUID":"", "ContinuationToken":"", "Entries":nil, "Flags":0}
        let mut bytes = vec![0x84];
        for (key, value) in
            [("UUID", 0xa0), ("ContinuationToken", 0xa0), ("Entries", 0xc0), ("Flags", 0)]
        {
            bytes.push(0xa0 | u8::try_from(key.len()).unwrap());
            bytes.extend(key.bytes());
            bytes.push(value);
        }
        assert_eq!(Page::from_msgpack(&bytes).unwrap(), Page::default());
        assert_eq!(Page::continuation_of_msgpack(&bytes).unwrap(), Default::default());
    }

    #[test]
    fn where_the_next_page_begins() {
        let (uuid, token) = ("u".to_owned(), "last".to_owned());
        let page = Page {
            uuid: uuid.clone(),
            continuation_token: token.clone(),
            entries: vec![Entry { name: "last".into(), ..Entry::default() }],
            flags: 0,
        };
        let bytes = page.to_msgpack().unwrap();
        assert_eq!(Page::continuation_of_msgpack(&bytes).unwrap(), (uuid, token));
        // What follows is not read.
        assert!(Page::continuation_of_msgpack(&bytes[..31]).is_ok());
        assert!(Page::continuation_of_msgpack(&bytes[..30]).is_err());
        assert!(Page::continuation_of_msgpack(b"{}").is_err());
        // {"Entries":[nil],"ContinuationToken":"t","UUID":"u"}
        let mut other = vec![0x83, 0xa7];
        other.extend(b"Entries\x91\xc0\xb1ContinuationToken\xa1t\xa4UUID\xa1u");
        let found = Page::continuation_of_msgpack(&other).unwrap();
        assert_eq!(found, ("u".to_owned(), "t".to_owned()));
    }

    #[test]
    fn requests_of_the_python_client() {
        let text = r#"{"prefix":"","pagesize":0,"uuid":"","props":"","continuation_token":"","flags":"8","target":""}"#;
        let message: LsoMsg = serde_json::from_str(text).unwrap();
        assert!(message.has(flag::ARCH_DIR));
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
    }
}
