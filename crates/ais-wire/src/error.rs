//! Errors as AIStore sends them: JSON in the body, or in a header where there is no body.

use serde::{Deserialize, Serialize};

/// An error on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// Name of the error's type, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tcode: String,
    /// The text.
    #[serde(default)]
    pub message: String,
    /// Method of the request.
    #[serde(default)]
    pub method: String,
    /// Path of the request.
    #[serde(default)]
    pub url_path: String,
    /// Who asked.
    #[serde(default)]
    pub remote_addr: String,
    /// The node that asked on behalf of a client.
    #[serde(default)]
    pub caller: String,
    /// The node that answers.
    #[serde(default)]
    pub node: String,
    /// HTTP status.
    pub status: u16,
}

/// Names in [`WireError::tcode`] that servers give.
pub mod code {
    /// A bucket that is not there.
    pub const BCK_NOT_FOUND: &str = "ErrBckNotFound";
    /// A bucket of a cloud or another cluster that is not there.
    pub const REMOTE_BCK_NOT_FOUND: &str = "ErrRemoteBckNotFound";
    /// A bucket that is there already.
    pub const BCK_ALREADY_EXISTS: &str = "ErrBucketAlreadyExists";
    /// An object or another thing that is not there.
    pub const NOT_FOUND: &str = "ErrNotFound";
    /// A path or name that cannot be.
    pub const INVALID_PATH: &str = "errInvalidPath";
    /// Something not supported.
    pub const UNSUPPORTED: &str = "ErrUnsupp";
    /// A range that cannot be read.
    pub const RANGE: &str = "ErrRangeNotSatisfiable";
}
