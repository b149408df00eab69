//! What the metadata store keeps, and its binary form.

use holdall_ais_wire::bucket::Bck;
use holdall_ais_wire::props::BucketProps;
use serde::{Deserialize, Serialize};

use super::BlobId;
use crate::error::{Error, Result};

/// First byte of the binary form.
const FORMAT: u8 = 1;

/// A bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BucketRecord {
    /// Name, provider, namespace.
    pub bck: Bck,
    /// Properties; `bid` in them is the bucket's key for objects.
    pub props: BucketProps,
}

/// A piece of an object's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Where it is.
    pub blob: BlobId,
    /// Bytes.
    pub size: u64,
}

/// An object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// Bytes.
    pub size: u64,
    /// Type of the checksum; `none` without one.
    pub checksum_type: String,
    /// The checksum in hex.
    pub checksum: String,
    /// Version, from 1; 0 where versions are not counted.
    pub version: u64,
    /// Last access, nanoseconds since 1970.
    pub atime: i64,
    /// Last write, nanoseconds since 1970.
    pub mtime: i64,
    /// Custom properties, in the order in which they were given.
    pub custom: Vec<(String, String)>,
    /// Content, in order. An empty object has one empty chunk.
    pub content: Vec<Chunk>,
    /// Whether it was written in parts.
    pub chunked: bool,
}

impl ObjectMeta {
    /// Bytes for the metadata store.
    ///
    /// # Errors
    ///
    /// None that an object can cause.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![FORMAT];
        rmp_serde::encode::write(&mut bytes, self).map_err(|e| {
            Error::internal("metadata of an object cannot be written").with_source(e)
        })?;
        Ok(bytes)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// When the bytes are damaged, or of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => rmp_serde::from_slice(rest)
                .map_err(|e| Error::internal("metadata of an object is damaged").with_source(e)),
            _ => Err(Error::internal(
                "metadata of an object has an unknown form: was the folder written by a later version?",
            )),
        }
    }

    /// The custom properties that a copy has: what a backend said of the original is not true of it.
    pub fn own_custom(&self) -> Vec<(String, String)> {
        const OF_BACKEND: [&str; 6] =
            ["source", "ETag", "md5", "version", "LastModified", "Last-Modified"];
        if self.custom("source").is_none() {
            return self.custom.clone();
        }
        let own = |(key, _): &&(String, String)| !OF_BACKEND.contains(&key.as_str());
        self.custom.iter().filter(own).cloned().collect()
    }

    /// The value of a custom property.
    pub fn custom(&self, key: &str) -> Option<&str> {
        self.custom.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_read_back() {
        let meta = ObjectMeta {
            size: 3,
            checksum_type: "md5".into(),
            checksum: "00".into(),
            version: 7,
            atime: 1,
            mtime: -1,
            custom: vec![("k".into(), "v".into())],
            content: vec![Chunk { blob: 9, size: 3 }],
            chunked: true,
        };
        assert_eq!(ObjectMeta::decode(&meta.encode().unwrap()).unwrap(), meta);
        assert!(ObjectMeta::decode(&[]).is_err());
        assert!(ObjectMeta::decode(&[9, 1, 2]).is_err());
    }
}
