//! Action messages: what a control request asks for.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of control requests, on every method.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ActMsg {
    /// One of the names below.
    #[serde(default, deserialize_with = "crate::value::null_default")]
    pub action: String,
    /// A name, for the actions that have one.
    #[serde(default, deserialize_with = "crate::value::null_default")]
    pub name: String,
    /// What belongs to the action.
    #[serde(default)]
    pub value: Value,
}

impl ActMsg {
    /// A message without a name.
    pub fn new(action: &str, value: Value) -> Self {
        Self { action: action.to_owned(), name: String::new(), value }
    }

    /// The value as a `T`; nothing stands for its default.
    ///
    /// # Errors
    ///
    /// When the value is no `T`.
    pub fn value_as<T: DeserializeOwned + Default>(&self) -> Result<T, serde_json::Error> {
        match &self.value {
            Value::Null => Ok(T::default()),
            value => T::deserialize(value),
        }
    }
}

/// Names of actions.
pub mod names {
    #![allow(missing_docs, reason = "the names are the wire's own words")]

    pub const CREATE_BCK: &str = "create-bck";
    pub const DESTROY_BCK: &str = "destroy-bck";
    pub const MOVE_BCK: &str = "move-bck";
    pub const COPY_BCK: &str = "copy-bck";
    pub const ETL_BCK: &str = "etl-bck";
    pub const EVICT_REMOTE_BCK: &str = "evict-remote-bck";
    pub const SUMMARY_BCK: &str = "summary-bck";
    pub const SET_BPROPS: &str = "set-bprops";
    pub const RESET_BPROPS: &str = "reset-bprops";
    pub const LIST: &str = "list";
    pub const INVENTORY_CREATE: &str = "create-inventory";
    pub const INVENTORY_DESTROY: &str = "destroy-inventory";
    pub const INVENTORY_SHOW: &str = "show-inventory";
    pub const MAKE_N_COPIES: &str = "make-n-copies";
    pub const EC_ENCODE: &str = "ec-encode";
    pub const RECHUNK: &str = "rechunk";
    pub const INDEX_SHARD: &str = "index-shard";
    pub const ADD_REMOTE_BCK: &str = "add-remote-bck";

    pub const PREFETCH: &str = "prefetch-listrange";
    pub const COPY_OBJECTS: &str = "copy-listrange";
    pub const ETL_OBJECTS: &str = "etl-listrange";
    pub const DELETE_OBJECTS: &str = "delete-listrange";
    pub const EVICT_OBJECTS: &str = "evict-listrange";
    pub const ARCHIVE: &str = "archive";

    pub const RENAME_OBJECT: &str = "rename-obj";
    pub const PROMOTE: &str = "promote";
    pub const BLOB_DOWNLOAD: &str = "blob-download";
    pub const CHECK_LOCK: &str = "check-lock";
    pub const MPT_UPLOAD: &str = "mpt-upload";
    pub const MPT_COMPLETE: &str = "mpt-complete";
    pub const MPT_ABORT: &str = "mpt-abort";

    pub const START: &str = "start";
    pub const STOP: &str = "stop";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_are_always_sent() {
        let message = ActMsg::new(names::DESTROY_BCK, Value::Null);
        assert_eq!(
            serde_json::to_string(&message).unwrap(),
            r#"{"action":"destroy-bck","name":"","value":null}"#
        );
    }

    #[test]
    fn missing_keys_are_read() {
        let message: ActMsg = serde_json::from_str(r#"{"action":"check-lock"}"#).unwrap();
        assert_eq!(message.action, names::CHECK_LOCK);
        assert_eq!(message.value_as::<Vec<u8>>().unwrap(), Vec::<u8>::new());
    }
}
