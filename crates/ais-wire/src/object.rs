//! Values of actions on one object.

use serde::{Deserialize, Serialize};

use crate::value::null_default;

/// The value of `promote`: make objects of files on the server's machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromoteMsg {
    /// One target only.
    #[serde(default, deserialize_with = "null_default")]
    pub tid: String,
    /// The file or directory.
    #[serde(default, deserialize_with = "null_default")]
    pub src: String,
    /// Name of the object, or prefix of the names.
    #[serde(default, deserialize_with = "null_default")]
    pub obj: String,
    /// Also what is in sub-directories.
    #[serde(rename = "rcr", default)]
    pub recursive: bool,
    /// Replace objects.
    #[serde(rename = "ovw", default)]
    pub overwrite: bool,
    /// Delete the files.
    #[serde(rename = "dls", default)]
    pub delete_source: bool,
    /// The source is not shared between targets.
    #[serde(rename = "notshr", default)]
    pub not_shared: bool,
}

/// A part of `mpt-complete`'s value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Number, from 1.
    #[serde(rename = "part-number", default)]
    pub number: i64,
    /// Its ETag, where there is one.
    #[serde(default, deserialize_with = "null_default")]
    pub etag: String,
}

/// The value of `blob-download`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobMsg {
    /// Compare with the remote version first.
    #[serde(rename = "latest-ver", default)]
    pub latest: bool,
    /// Bytes of a chunk.
    #[serde(rename = "chunk-size", default, skip_serializing_if = "Option::is_none")]
    pub chunk_size: Option<i64>,
    /// Workers.
    #[serde(rename = "num-workers", default, skip_serializing_if = "Option::is_none")]
    pub num_workers: Option<i64>,
}
