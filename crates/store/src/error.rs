//! The error type of this crate: data first, text second.

use std::fmt;

use crate::listing::{OddKey, Oddity};
use crate::redact;

/// The result of an operation on a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, grouped by what a caller would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no object, bucket, version or file of that name.
    NotFound,
    /// The target exists and the operation was asked not to replace it.
    AlreadyExists,
    /// A condition (`If-Match`, an expected version) did not hold.
    Precondition,
    /// The object has not changed (`If-None-Match`, `If-Modified-Since`).
    NotModified,
    /// The credentials are known but may not do this.
    PermissionDenied,
    /// The credentials are missing, expired, or could not be obtained.
    Unauthenticated,
    /// This store, or this service, has no such operation or option.
    NotSupported,
    /// The key is not one that a store can hold (empty or `..` segments, control characters).
    InvalidPath,
    /// The URL does not follow the grammar, or names an unknown scheme.
    InvalidUrl,
    /// An argument is out of its range.
    InvalidArgument,
    /// A configuration key is not known to the store.
    UnknownConfigurationKey,
    /// A configuration value, or a combination of values, is wrong.
    Config,
    /// The service could not be reached (refused, unknown host, TLS failure).
    Connection,
    /// Nothing moved for longer than the configured time.
    Timeout,
    /// The reply contradicts itself or the request: cut short, wrong range, malformed document.
    Corrupt,
    /// A background task was cancelled or ended abnormally.
    Join,
    /// The operating system refused a local operation.
    Io,
    /// Any other failure reported by the service.
    Other,
}

impl ErrorKind {
    /// A stable machine-readable name, e.g. `"not_found"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Precondition => "precondition",
            Self::NotModified => "not_modified",
            Self::PermissionDenied => "permission_denied",
            Self::Unauthenticated => "unauthenticated",
            Self::NotSupported => "not_supported",
            Self::InvalidPath => "invalid_path",
            Self::InvalidUrl => "invalid_url",
            Self::InvalidArgument => "invalid_argument",
            Self::UnknownConfigurationKey => "unknown_configuration_key",
            Self::Config => "config",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Corrupt => "corrupt",
            Self::Join => "join",
            Self::Io => "io",
            Self::Other => "other",
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::Precondition => "precondition failed",
            Self::NotModified => "not modified",
            Self::PermissionDenied => "permission denied",
            Self::Unauthenticated => "not authenticated",
            Self::NotSupported => "not supported",
            Self::InvalidPath => "invalid path",
            Self::InvalidUrl => "invalid URL",
            Self::InvalidArgument => "invalid argument",
            Self::UnknownConfigurationKey => "unknown configuration key",
            Self::Config => "invalid configuration",
            Self::Connection => "cannot connect",
            Self::Timeout => "timed out",
            Self::Corrupt => "corrupt reply",
            Self::Join => "task failed",
            Self::Io => "I/O error",
            Self::Other => "failed",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the errors of all crates of this project can be asked: accessors of the fields `kind`, `operation`, `target` and
/// `detail` of what is in the box of an error. For these crates alone.
#[doc(hidden)]
#[macro_export]
macro_rules! error_accessors {
    ($kind:ty) => {
        /// What went wrong.
        pub fn kind(&self) -> $kind {
            self.0.kind
        }

        /// The operation that failed, e.g. `"get"`.
        pub fn operation(&self) -> &'static str {
            self.0.operation
        }

        /// What the operation was applied to, without credentials.
        pub fn target(&self) -> &str {
            &self.0.target
        }

        /// The reason alone, without operation, target and kind; in the server's own words where it gave some.
        pub fn detail(&self) -> &str {
            &self.0.detail
        }
    };
}

/// A failed operation: what was attempted, on what, and why it failed.
///
/// The text is one line: `get s3://bucket/key: not found: …`. It never holds a secret: URLs lose their user
/// information and the values of their query.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    target: String,
    detail: String,
    status: Option<u16>,
    source: Option<object_store::Error>,
    odd_key: Option<Box<OddKey>>,
}

impl Error {
    /// An error of `kind` in `operation` on `target` (a URL, a key, a configuration key), with a sentence that says
    /// what was wrong and, where there is one, the remedy.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        target: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            target: redact::owned(target.into()),
            detail: redact::owned(detail.into()),
            status: None,
            source: None,
            odd_key: None,
        }))
    }

    /// The same error as one that ends a listing.
    pub(crate) fn ending(mut self) -> Self {
        self.0.odd_key = None;
        self
    }

    /// Wraps an error of the `object_store` vocabulary with the operation and the target it happened on.
    pub fn from_store(
        operation: &'static str,
        target: impl Into<String>,
        source: object_store::Error,
    ) -> Self {
        let facts = classify::Facts::of(&source);
        Self(Box::new(Inner {
            kind: facts.kind,
            operation,
            target: redact::owned(target.into()),
            detail: facts.detail,
            status: facts.status,
            source: Some(source),
            odd_key: None,
        }))
    }

    /// The error of an object that a listing found and no path can name, or that cannot be read.
    pub(crate) fn of_odd_key(target: String, odd: Box<OddKey>) -> Self {
        let kind = match odd.oddity {
            Oddity::OddKey | Oddity::Marker => ErrorKind::InvalidPath,
            Oddity::BrokenLink => ErrorKind::NotFound,
            Oddity::Unreadable => ErrorKind::PermissionDenied,
        };
        let mut error = Self::new(kind, "list", target, odd.detail());
        error.0.odd_key = Some(odd);
        error
    }

    /// The object that the error is about alone, where a listing found one that no path can name, or that cannot be read
    /// ([`OddKey::oddity`]). The listing goes on after it; all other errors end it.
    pub fn odd_key(&self) -> Option<&OddKey> {
        self.0.odd_key.as_deref()
    }

    /// The object of [`odd_key`](Self::odd_key), or else this error.
    pub(crate) fn into_odd_key(mut self) -> Result<Box<OddKey>> {
        self.0.odd_key.take().ok_or(self)
    }

    /// The same error in another operation, of which the failed one was a part.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = operation;
        self
    }

    /// What kind of failure an error of the `object_store` vocabulary is.
    pub(crate) fn kind_of(error: &object_store::Error) -> ErrorKind {
        classify::Facts::of(error).kind
    }

    crate::error_accessors!(ErrorKind);

    /// The HTTP status of the reply that caused the error, where there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Whether the same call may succeed later without a change (the store has already used up its own retries).
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Corrupt => true,
            _ => self.0.status.is_some_and(|s| s == 408 || s == 429 || s >= 500),
        }
    }

    /// The wrapped error of the `object_store` vocabulary, where the failure came from a store.
    pub fn store_error(&self) -> Option<&object_store::Error> {
        self.0.source.as_ref()
    }

    /// The same error with the target replaced, for callers that know a better name for it.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<String>) -> Self {
        self.0.target = redact::owned(target.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, target, detail, .. } = &*self.0;
        f.write_str(operation)?;
        if !target.is_empty() {
            f.write_str(" ")?;
            f.write_str(target)?;
        }
        f.write_str(": ")?;
        let phrase = kind.phrase();
        f.write_str(phrase)?;
        match detail.split_at_checked(phrase.len()) {
            // The operating system, and services, say it in the same words.
            Some((same, rest)) if same.eq_ignore_ascii_case(phrase) => f.write_str(rest),
            _ if detail.is_empty() => Ok(()),
            _ => write!(f, ": {detail}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("target", &self.0.target)
            .field("status", &self.0.status)
            .field("detail", &self.0.detail)
            .finish()
    }
}

impl std::error::Error for Error {}

impl From<object_store::path::Error> for Error {
    fn from(error: object_store::path::Error) -> Self {
        Self::new(ErrorKind::InvalidPath, "parse", "", error.to_string())
    }
}

impl From<Error> for object_store::Error {
    /// Back into the vocabulary of the trait, for implementations of `ObjectStore` that call our own operations.
    fn from(error: Error) -> Self {
        let path = error.0.target.clone();
        match error.0.kind {
            ErrorKind::NotFound => Self::NotFound { path, source: error.into() },
            ErrorKind::AlreadyExists => Self::AlreadyExists { path, source: error.into() },
            ErrorKind::Precondition => Self::Precondition { path, source: error.into() },
            ErrorKind::NotModified => Self::NotModified { path, source: error.into() },
            ErrorKind::PermissionDenied => Self::PermissionDenied { path, source: error.into() },
            ErrorKind::Unauthenticated => Self::Unauthenticated { path, source: error.into() },
            ErrorKind::NotSupported => Self::NotSupported { source: error.into() },
            _ => Self::Generic { store: "holdall", source: error.into() },
        }
    }
}

mod classify {
    //! Reads kind, status and reason out of an `object_store` error.

    use std::error::Error as StdError;

    use object_store::client::{HttpError, HttpErrorKind};

    use super::{Error, ErrorKind};
    use crate::redact;

    /// Longest reason kept; service error documents can run to kilobytes.
    const DETAIL_CHARS: usize = 600;

    /// What reqwest says of plain HTTP where only HTTPS is allowed.
    const PLAIN_HTTP: &str = "URL scheme is not allowed";

    pub(super) struct Facts {
        pub(super) kind: ErrorKind,
        pub(super) status: Option<u16>,
        pub(super) detail: String,
    }

    impl Facts {
        pub(super) fn of(error: &object_store::Error) -> Self {
            if let Some(ours) = find::<Error>(error) {
                return Self {
                    kind: ours.kind(),
                    status: ours.status(),
                    detail: ours.detail().to_owned(),
                };
            }
            let mut detail = shorten(reason(error));
            if detail.len() >= PLAIN_HTTP.len() && detail.contains(PLAIN_HTTP) {
                detail.push_str(" (plain http:// is refused unless `allow_http` is set)");
                return Self { kind: ErrorKind::Config, status: None, detail };
            }
            let status = status_in(&detail);
            let kind = kind(error, status, &detail);
            if kind == ErrorKind::AlreadyExists && status == Some(412) {
                // What the service says of the condition that was ours adds nothing.
                detail.clear();
            }
            Self { kind, status, detail }
        }
    }

    fn kind(error: &object_store::Error, status: Option<u16>, detail: &str) -> ErrorKind {
        use object_store::Error as E;
        match error {
            E::NotFound { .. } => ErrorKind::NotFound,
            E::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            E::Precondition { .. } => ErrorKind::Precondition,
            E::NotModified { .. } => ErrorKind::NotModified,
            E::PermissionDenied { .. } => ErrorKind::PermissionDenied,
            E::Unauthenticated { .. } => ErrorKind::Unauthenticated,
            E::NotSupported { .. } | E::NotImplemented { .. } => ErrorKind::NotSupported,
            E::InvalidPath { .. } => ErrorKind::InvalidPath,
            E::JoinError { .. } => ErrorKind::Join,
            E::UnknownConfigurationKey { .. } => ErrorKind::UnknownConfigurationKey,
            _ => generic_kind(error, status, detail),
        }
    }

    fn generic_kind(error: &object_store::Error, status: Option<u16>, detail: &str) -> ErrorKind {
        match status {
            Some(401) => return ErrorKind::Unauthenticated,
            Some(403) => return ErrorKind::PermissionDenied,
            // S3 calls credentials that have expired, or are none, a bad request.
            Some(400) if detail.contains("ExpiredToken") || detail.contains("InvalidToken") => {
                return ErrorKind::Unauthenticated;
            }
            Some(404 | 410) => return ErrorKind::NotFound,
            Some(408 | 504) => return ErrorKind::Timeout,
            Some(_) => return ErrorKind::Other,
            None => {}
        }
        if let Some(http) = find::<HttpError>(error) {
            return match http.kind() {
                HttpErrorKind::Connect => ErrorKind::Connection,
                HttpErrorKind::Timeout => ErrorKind::Timeout,
                // The connection ended before the reply began.
                HttpErrorKind::Request | HttpErrorKind::Interrupted
                    if detail.contains("connection closed before message completed")
                        || detail.contains("connection error")
                        || detail.contains("error sending request") =>
                {
                    ErrorKind::Connection
                }
                HttpErrorKind::Request | HttpErrorKind::Interrupted | HttpErrorKind::Decode => {
                    ErrorKind::Corrupt
                }
                _ => transport_kind(detail),
            };
        }
        if find::<std::io::Error>(error).is_some() {
            return ErrorKind::Io;
        }
        transport_kind(detail)
    }

    // The retry layer of object_store keeps its error types private: what it says is all there is to go by.
    fn transport_kind(detail: &str) -> ErrorKind {
        let has = |words: &[&str]| words.iter().any(|w| detail.contains(w));
        if has(&[
            "error trying to connect",
            "dns error",
            "tcp connect",
            "Connection refused",
            "certificate",
        ]) {
            ErrorKind::Connection
        } else if has(&["timed out", "timeout", "no data for"]) {
            ErrorKind::Timeout
        } else if has(&[
            "error decoding",
            "end of file",
            "connection closed before message completed",
            "Content-Range",
            "Content-Length",
            "invalid XML",
            "response body",
            "Requested ",
            "Error getting list response body",
            "Got invalid",
        ]) {
            ErrorKind::Corrupt
        } else {
            ErrorKind::Other
        }
    }

    fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
        let mut current = Some(error);
        while let Some(e) = current {
            if let Some(found) = e.downcast_ref::<T>() {
                return Some(found);
            }
            current = e.source();
        }
        None
    }

    /// The text of the first cause: object_store prints the cause inside each of its variants as well.
    fn reason(error: &object_store::Error) -> String {
        let mut text = match error {
            object_store::Error::UnknownConfigurationKey { .. }
            | object_store::Error::NotImplemented { .. } => error.to_string(),
            _ => error.source().map_or_else(|| error.to_string(), ToString::to_string),
        };
        // Causes that their parents do not print (reqwest and hyper keep them apart).
        let mut cause = error.source().and_then(StdError::source);
        while let Some(e) = cause {
            let next = e.to_string();
            if !text.contains(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = e.source();
        }
        text
    }

    fn shorten(text: String) -> String {
        // Errors on the way of programs that try and see are short lines already.
        let special = |byte: u8| matches!(byte, b'\n' | b'<' | b'@' | b'?');
        if text.len() < DETAIL_CHARS && !text.bytes().any(special) {
            return text;
        }
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = redact::text(&without_markup(&line));
        match line.char_indices().nth(DETAIL_CHARS) {
            Some((at, _)) => format!("{}…", &line[..at]),
            None => line,
        }
    }

    /// Code and message in place of the XML document that services send with a refusal.
    fn without_markup(text: &str) -> String {
        let Some(start) = text.find("<?xml").or_else(|| text.find("<Error>")) else {
            return text.to_owned();
        };
        let inside = |tag: &str| {
            let (_, rest) = text[start..].split_once(&format!("<{tag}>"))?;
            rest.split_once(&format!("</{tag}>")).map(|(inside, _)| inside)
        };
        match (inside("Code"), inside("Message")) {
            (Some(code), Some(message)) => format!("{}{code}: {message}", &text[..start]),
            (Some(code), None) => format!("{}{code}", &text[..start]),
            _ => text.to_owned(),
        }
    }

    fn status_in(text: &str) -> Option<u16> {
        // S3 begins to answer copies and completions before it knows how they end: an error that comes with status 200 is one
        // of the service's own.
        const LATE: u16 = 500;
        if text.contains("Server returned error response") {
            return Some(LATE);
        }
        // Most reasons of programs that try and see have no number at all.
        if !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let after =
            text.split_once("status code: ").or_else(|| text.split_once("response status of "))?.1;
        let status = after.get(..3)?.parse().ok()?;
        Some(if status == 200 { LATE } else { status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_operation_and_target_and_hides_secrets() {
        let error = Error::new(
            ErrorKind::NotFound,
            "get",
            "https://user:pw@host/key?sig=abc",
            "no such key",
        );
        let text = error.to_string();
        assert!(text.starts_with("get https://host/key?"), "{text}");
        assert!(!text.contains("pw") && !text.contains("abc"), "{text}");
    }

    #[test]
    fn what_the_kind_says_is_not_said_again() {
        let text = |detail: &str| {
            Error::new(ErrorKind::PermissionDenied, "get", "file:///k", detail).to_string()
        };
        let once = "get file:///k: permission denied (os error 13)";
        assert_eq!(text("Permission denied (os error 13)"), once);
        assert_eq!(text("é"), "get file:///k: permission denied: é");
        assert_eq!(text(""), "get file:///k: permission denied");
    }

    #[test]
    fn a_store_error_keeps_its_kind_through_both_conversions() {
        let original = Error::new(ErrorKind::Precondition, "put", "s3://b/k", "changed");
        let through: object_store::Error = original.into();
        let back = Error::from_store("copy", "s3://b/k", through);
        assert_eq!(back.kind(), ErrorKind::Precondition);
        assert_eq!(back.operation(), "copy");
        assert_eq!(back.detail(), "changed");
    }
}
