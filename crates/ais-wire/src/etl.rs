//! ETL: transformers of objects.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::value::null_default;

/// Literal words of the refusal where there is no Kubernetes.
pub const REQUIRES_KUBERNETES: &str = "the operation requires Kubernetes";
/// Literal words of the refusal where there is no ETL at all.
pub const NOT_BUILT: &str =
    "cannot use ETL in a build without ETL support - operation not supported";
/// Object errors that are kept for one job.
pub const MAX_OBJECT_ERRORS: usize = 128;
/// Value of [`crate::header::ETL_RETRY_REASON`]: the result could not be delivered, and the object was not kept.
pub const DIRECT_PUT_TRANSIENT: &str = "direct-put-transient";

/// Checks the name of an ETL: 6 to 32 of `a-z`, `0-9` and `-`, with no mark at either end.
///
/// # Errors
///
/// What is wrong with it, in AIStore's words.
pub fn check_name(name: &str) -> Result<(), String> {
    let says = |what: &str| Err(format!("ETL name {name:?} {what}"));
    match name.len() {
        0 => return says("is empty"),
        1..6 => return says("is too short"),
        33.. => return says("is too long"),
        _ => {}
    }
    let inside = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !inside || name.starts_with('-') || name.ends_with('-') {
        return says(
            "is invalid: can only contain [a-z0-9-], and must start and end with a letter or a digit",
        );
    }
    Ok(())
}

/// How a target talks to a transformer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Communication {
    /// The target sends objects.
    #[default]
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
    /// Environment, whatever runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_default")]
    pub env: Vec<EnvVar>,
    /// Resources in Kubernetes' words: `{"limits": {"memory": "1Gi"}}`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub resources: Value,
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

/// Health of a transformer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// On this target.
    pub target_id: String,
    /// `Running`, or what it is instead.
    pub health_status: String,
}

/// What a transformer uses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// On this target.
    pub target_id: String,
    /// Processors, 1.0 for one that is busy all the time.
    pub cpu: f64,
    /// Memory, bytes.
    pub mem: i64,
}

/// The message before an object on a web socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketControl {
    /// Where to send the result, several with commas between.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pipeline: String,
    /// Arguments of the transformer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub etl_args: String,
    /// The file with the object, percent-encoded; then no content follows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fqn: String,
    /// The object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        assert!(
            ["abcdef", "etl-1x", "a23456789012345678901234567890-2"]
                .iter()
                .all(|n| check_name(n).is_ok())
        );
        for bad in [
            "",
            "short",
            "-abcdef",
            "abcdef-",
            "Abcdef",
            "abc_def",
            "a234567890123456789012345678901234",
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_of_the_python_client() {
        let text = r#"{"name":"etl-md5","communication":"hpush://","init_timeout":"5m","obj_timeout":"45s","support_direct_put":true,"runtime":{"image":"aistorage/runtime_python:3.11","env":[{"name":"ETL_CLASS_PAYLOAD","value":"gAWV"}]}}"#;
        let message: InitMsg = serde_json::from_str(text).unwrap();
        assert_eq!(message.communication, Some(Communication::Push));
        assert_eq!(message.runtime.as_ref().unwrap().env[0].value, "gAWV");
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
    }

    proptest! {
        #[test]
        fn messages_never_panic(text in "\\PC{0,80}") {
            drop(serde_json::from_str::<InitMsg>(&text));
            drop(check_name(&text));
        }
    }
}
