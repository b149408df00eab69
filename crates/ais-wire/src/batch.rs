//! Get-batch: many objects, or parts of them, in one reply.

use serde::{Deserialize, Serialize};

use crate::value::null_default;

/// Folder of members that stand for what is missing.
pub const MISSING_DIR: &str = "__404__";

/// One entry of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct In {
    /// Object.
    #[serde(default, deserialize_with = "null_default")]
    pub objname: String,
    /// Its bucket; empty for the request's.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub bucket: String,
    /// The bucket's provider.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub provider: String,
    /// The bucket as a unique name.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub uname: String,
    /// Member of the object, which is an archive.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub archpath: String,
    /// What the client wants back, base64.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub opaque: String,
    /// First byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// Bytes; -1 to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<i64>,
}

/// The request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is wanted, in the order of the reply.
    #[serde(rename = "in", default, deserialize_with = "null_default")]
    pub entries: Vec<In>,
    /// Format of the reply: an archive's extension; `.tar` when empty.
    #[serde(default, deserialize_with = "null_default")]
    pub mime: String,
    /// Go on after errors.
    #[serde(default)]
    pub coer: bool,
    /// Members' names without the bucket's.
    #[serde(rename = "onob", default)]
    pub only_object_names: bool,
    /// The archive alone, while it is made.
    #[serde(rename = "strm", default)]
    pub streaming: bool,
    /// Where to assemble, 0 to 2; only a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coloc: Option<i64>,
}

/// One entry of the reply's first part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Out {
    /// Object.
    pub objname: String,
    /// Member.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub archpath: String,
    /// Bucket.
    pub bucket: String,
    /// Its provider.
    pub provider: String,
    /// Why it is missing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub err_msg: String,
    /// What the request gave.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub opaque: String,
    /// Bytes.
    pub size: i64,
}

/// The reply's first part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Id of the job.
    pub uuid: String,
    /// One for each entry, in the same order.
    pub out: Vec<Out>,
}
