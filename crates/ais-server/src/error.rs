//! Errors of the server as data: a kind, AIStore's name for it, and the text that clients get.

use std::fmt;
use std::io;

use holdall_ais_wire::bucket::Bck;
use holdall_ais_wire::error::code;
use holdall_ais_wire::name::InvalidName;

/// A result of the server.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by what a client can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request cannot be meant: 400.
    Invalid,
    /// Nobody knows who asks: 401.
    Unauthorized,
    /// Not allowed here: 403.
    Forbidden,
    /// The bucket, object, job or upload is not there: 404.
    NotFound,
    /// The path does not know this method: 405.
    Method,
    /// It is there already, or is busy: 409.
    Conflict,
    /// The body is too large: 413.
    TooLarge,
    /// The range lies outside the object: 416.
    Range,
    /// The content does not have the checksum that was sent along; AIStore answers 500.
    Checksum,
    /// Too often: 429.
    TooMany,
    /// This server does not do it: 501.
    Unsupported,
    /// The client took too long: 408.
    Timeout,
    /// A transformer failed, or said so: this status.
    Transformer(u16),
    /// The disk is full: 507.
    NoSpace,
    /// The server failed: 500.
    Internal,
    /// A backend did not answer, or failed: 502. Clients may try again.
    Backend,
    /// The object is gone at its backend: 410.
    Gone,
}

/// An error of the server.
///
/// Its text is AIStore's, because clients read it. It names the operation's target.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind with this text.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, code: "", message: message.into(), source: None }
    }

    /// [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// [`ErrorKind::NotFound`], under AIStore's name for what is missing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message).with_code(code::NOT_FOUND)
    }

    /// [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message).with_code(code::UNSUPPORTED)
    }

    /// [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// A bucket that is not there, in the words for its provider.
    pub fn no_bucket(bck: &Bck) -> Self {
        let what = if bck.provider.is_cloud() {
            format!("{} bucket", bck.provider)
        } else if bck.is_remote_ais() {
            "remote bucket".to_owned()
        } else {
            "bucket".to_owned()
        };
        let name = if bck.is_remote() { code::REMOTE_BCK_NOT_FOUND } else { code::BCK_NOT_FOUND };
        Self::new(ErrorKind::NotFound, format!("{what} \"{bck}\" does not exist")).with_code(name)
    }

    /// The same with AIStore's name for the error.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// AIStore's name for the error; empty if it has none.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The text for clients.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self.kind {
            ErrorKind::Invalid => 400,
            ErrorKind::Unauthorized => 401,
            ErrorKind::Forbidden => 403,
            ErrorKind::NotFound => 404,
            ErrorKind::Method => 405,
            ErrorKind::Timeout => 408,
            ErrorKind::Conflict => 409,
            ErrorKind::TooLarge => 413,
            ErrorKind::Range => 416,
            ErrorKind::TooMany => 429,
            ErrorKind::Checksum | ErrorKind::Internal => 500,
            ErrorKind::Unsupported => 501,
            ErrorKind::NoSpace => 507,
            ErrorKind::Transformer(status) => status,
            ErrorKind::Backend => 502,
            ErrorKind::Gone => 410,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        // An engine error may have travelled through a reader or writer.
        if error.get_ref().is_some_and(|inner| inner.is::<Self>()) {
            if let Some(inner) = error.into_inner().and_then(|inner| inner.downcast::<Self>().ok())
            {
                return *inner;
            }
            return Self::internal("an error without a text");
        }
        let kind = match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => ErrorKind::NoSpace,
            io::ErrorKind::TimedOut => ErrorKind::Timeout,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, format!("storage: {error}")).with_source(error)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::NoSpace => io::ErrorKind::StorageFull,
            ErrorKind::Invalid => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<InvalidName> for Error {
    fn from(error: InvalidName) -> Self {
        let name = match error {
            InvalidName::Object(_) | InvalidName::ObjectTooLong(_) | InvalidName::Prefix(_) => {
                code::INVALID_PATH
            }
            _ => "",
        };
        Self::invalid(error.to_string()).with_code(name)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::invalid(format!("failed to parse the request's JSON: {error}"))
    }
}

/// Errors of the metadata store.
macro_rules! from_redb {
    ($($name:ident),*) => {$(
        impl From<redb::$name> for Error {
            fn from(error: redb::$name) -> Self {
                Self::from_metadata(error.into())
            }
        }
    )*};
}

from_redb!(StorageError, TableError, TransactionError, CommitError, DatabaseError);

impl Error {
    fn from_metadata(error: redb::Error) -> Self {
        let full = matches!(&error, redb::Error::Io(io) if io.kind() == io::ErrorKind::StorageFull);
        let kind = if full { ErrorKind::NoSpace } else { ErrorKind::Internal };
        Self::new(kind, format!("metadata: {error}")).with_source(error)
    }
}
