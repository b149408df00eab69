//! Inventories of buckets of backends: listings that a cluster makes and keeps.

use serde::{Deserialize, Serialize};

use crate::value::null_default;

/// Names in a chunk when the request does not say.
pub const DEFAULT_NAMES_PER_CHUNK: i64 = 20_000;
/// Fewest names in a chunk.
pub const MIN_NAMES_PER_CHUNK: i64 = 2;
/// Most names in a chunk.
pub const MAX_NAMES_PER_CHUNK: i64 = 640_000;
/// Properties that are kept when the request does not say.
pub const DEFAULT_PROPS: &str = "name,size,cached";

/// The value of `create-inventory`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryMsg {
    /// Its name; the id of the job when not told.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub name: String,
    /// Only names with this prefix.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub prefix: String,
    /// Properties to keep; [`DEFAULT_PROPS`] when not told.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub props: String,
    /// Names in a chunk; 0 for [`DEFAULT_NAMES_PER_CHUNK`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub names_per_chunk: i64,
    /// Replace the one that is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// An inventory, as `show-inventory` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InventoryInfo {
    /// The bucket, `s3://name`.
    pub bucket: String,
    /// Its name.
    pub name: String,
    /// The object that holds it.
    pub obj_name: String,
    /// Bytes of that object.
    pub size: i64,
    /// Only names with this prefix are in it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// When its making began: nanoseconds since 1970.
    #[serde(skip_serializing_if = "is_zero")]
    pub started: i64,
    /// When it ended.
    #[serde(skip_serializing_if = "is_zero")]
    pub finished: i64,
    /// Names in it.
    #[serde(skip_serializing_if = "is_zero")]
    pub ntotal: i64,
    /// Version of the cluster map at its making.
    #[serde(skip_serializing_if = "is_zero")]
    pub smap_ver: i64,
    /// Its chunks.
    #[serde(skip_serializing_if = "is_zero")]
    pub chunks: i64,
    /// Targets at its making.
    #[serde(skip_serializing_if = "is_zero")]
    pub nat: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded() {
        let text = r#"{"bucket":"s3://ais-remote","name":"named-inv","obj_name":"aws/@#/ais-remote/named-inv","size":0,"prefix":"p/","started":1795229775110123298,"finished":1795229775111538728,"smap_ver":4,"nat":1}"#;
        let info: InventoryInfo = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&info).unwrap(), text);
        let message: InventoryMsg = serde_json::from_str(r#"{"name":"n","force":true}"#).unwrap();
        assert!(message.force && message.names_per_chunk == 0);
        assert_eq!(serde_json::to_string(&message).unwrap(), r#"{"name":"n","force":true}"#);
    }
}
