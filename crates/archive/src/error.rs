//! The error type of this crate.

use std::{fmt, io};

use crate::Format;

/// The result of working on an archive.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, grouped by who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not an archive of that format, or are cut short or damaged.
    Malformed,
    /// The archive is in order but uses something that is not implemented (encryption, sparse members, …).
    Unsupported,
    /// A member cannot be written as asked: its content has another length, or its name cannot be stored.
    InvalidMember,
    /// The pattern of a [`crate::Selector`] is not a regular expression.
    InvalidPattern,
    /// Reading the source, or writing to the sink, failed.
    Io,
}

/// A failed operation on an archive.
///
/// The text says what was wrong with the archive; the name of the archive is the caller's to add. Never worth
/// a retry, unless the kind is [`ErrorKind::Io`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    format: Option<Format>,
    detail: String,
    source: Option<io::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, format: Format, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, format: Some(format), detail: detail.into(), source: None }))
    }

    pub(crate) fn malformed(format: Format, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, format, detail)
    }

    pub(crate) fn unsupported(format: Format, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, format, detail)
    }

    pub(crate) fn pattern(detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Inner {
            kind: ErrorKind::InvalidPattern,
            format: None,
            detail,
            source: None,
        }))
    }

    pub(crate) fn io(format: Format, source: io::Error) -> Self {
        let detail = source.to_string();
        Self(Box::new(Inner {
            kind: ErrorKind::Io,
            format: Some(format),
            detail,
            source: Some(source),
        }))
    }

    /// What a caller would do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The format that was being read or written.
    pub fn format(&self) -> Option<Format> {
        self.0.format
    }

    /// The kind of the failed read or write, when that is what happened.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.0.source.as_ref().map(io::Error::kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, format, detail, .. } = &*self.0;
        let format = format.map_or("", Format::extension).trim_start_matches('.');
        match kind {
            ErrorKind::Malformed => write!(f, "not a valid {format} archive: {detail}"),
            ErrorKind::Unsupported => write!(f, "unsupported {format} archive: {detail}"),
            ErrorKind::InvalidMember => write!(f, "cannot write {format} member: {detail}"),
            ErrorKind::InvalidPattern => write!(f, "error parsing regexp: {detail}"),
            ErrorKind::Io => write!(f, "{format} archive: {detail}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("format", &self.0.format)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish()
    }
}

// No `source()`: the text of an I/O error is already in ours.
impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Io => error.io_kind().unwrap_or(io::ErrorKind::Other),
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::InvalidPattern | ErrorKind::InvalidMember => io::ErrorKind::InvalidInput,
            ErrorKind::Malformed => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
