//! ETL: transformers of objects.

use serde::{Deserialize, Serialize};

use crate::value::null_default;

/// Literal words of the refusal where there is no Kubernetes.
pub const REQUIRES_KUBERNETES: &str = "the operation requires Kubernetes";

/// How a target talks to a transformer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Communication {
    /// The target sends objects.
    #[serde(rename = "hpush://", alias = "hpush")]
    Push,
    /// The transformer fetches objects.
    #[serde(rename = "hpull://", alias = "hpull")]
    Pull,
    /// Over a web socket.
    #[serde(rename = "ws://", alias = "ws")]
    WebSocket,
}

/// A variable of the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Value.
    #[serde(default, deserialize_with = "null_default")]
    pub value: String,
}

/// What to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Container image.
    #[serde(default, deserialize_with = "null_default")]
    pub image: String,
    /// Command instead of the image's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_default")]
    pub command: Vec<String>,
    /// Environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_default")]
    pub env: Vec<EnvVar>,
}

/// The request that makes an ETL; fields of older clients are read too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitMsg {
    /// Name.
    #[serde(default, alias = "id", deserialize_with = "null_default")]
    pub name: String,
    /// How to talk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communication: Option<Communication>,
    /// Time to start, a Go duration.
    #[serde(default, alias = "timeout", deserialize_with = "null_default")]
    pub init_timeout: String,
    /// Time for one object, a Go duration.
    #[serde(default, deserialize_with = "null_default")]
    pub obj_timeout: String,
    /// The transformer may send its result to the destination.
    #[serde(default)]
    pub support_direct_put: bool,
    /// What to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// A Kubernetes specification, base64.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub spec: String,
    /// Pickled functions of clients before 1.15, base64; servers refuse them.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub code: String,
}

/// State of an ETL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Starting.
    Initializing,
    /// Ready.
    Running,
    /// Stopped.
    Aborted,
}

/// One ETL in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Name.
    pub id: String,
    /// State.
    pub stage: Stage,
    /// Its job.
    #[serde(default)]
    pub xaction_id: String,
    /// Objects transformed.
    #[serde(default)]
    pub obj_count: i64,
    /// Bytes read.
    #[serde(default)]
    pub in_bytes: i64,
    /// Bytes written.
    #[serde(default)]
    pub out_bytes: i64,
}

/// An object that was not transformed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectError {
    /// Its name.
    pub obj_name: String,
    /// Why.
    #[serde(default)]
    pub msg: String,
    /// HTTP status.
    #[serde(default)]
    pub ecode: i64,
}

/// The answer to a view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// How it was made.
    pub init_msg: InitMsg,
    /// What went wrong.
    #[serde(default, deserialize_with = "null_default")]
    pub obj_errors: Vec<ObjectError>,
}

/// Output of a transformer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// On this target.
    pub target_id: String,
    /// Text, base64.
    #[serde(default)]
    pub logs: String,
}
