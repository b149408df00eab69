//! The error type of this crate: data first, text second.

use std::fmt;

use holdall_store::redacted;

/// The result of an operation on documents and assets.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, grouped by what a caller would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not JSON, or not a STAC document of a kind that fits.
    Document,
    /// An href is missing, cannot be made absolute, or no client knows it.
    Href,
    /// An option, or a combination of options, is wrong.
    Config,
    /// Two assets would be written to the same place.
    AssetOverwrite,
    /// The name of an asset leads out of the directory.
    PathEscape,
    /// A path template names a variable that an item lacks, or is malformed.
    Template,
    /// The media type of what was received is not that of the asset.
    ContentType,
    /// What was received has another length or checksum than the document says.
    Integrity,
    /// There are no credentials, or the provider refused them.
    Authentication,
    /// A directory does not exist and was not to be made.
    Directory,
    /// A store or a server failed; see [`Error::store_kind`].
    Store,
}

impl ErrorKind {
    /// A stable machine-readable name, e.g. `"content_type"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Href => "href",
            Self::Config => "config",
            Self::AssetOverwrite => "asset_overwrite",
            Self::PathEscape => "path_escape",
            Self::Template => "template",
            Self::ContentType => "content_type",
            Self::Integrity => "integrity",
            Self::Authentication => "authentication",
            Self::Directory => "directory",
            Self::Store => "store",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed operation: what was attempted, on what, and why it failed.
///
/// The text is one line and holds no secret: hrefs lose their user information and the values of their query.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    target: String,
    detail: String,
    pair: Option<(String, String)>,
    status: Option<u16>,
    retryable: bool,
    retry_after: Option<std::time::Duration>,
    store: Option<holdall_store::ErrorKind>,
    of_target: bool,
}

impl Error {
    /// An error of this crate's own.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        target: impl AsRef<str>,
        detail: impl AsRef<str>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            target: redacted(target.as_ref()),
            detail: redacted(detail.as_ref()),
            pair: None,
            status: None,
            retryable: false,
            retry_after: None,
            store: None,
            of_target: false,
        }))
    }

    /// The media type is not the expected one.
    pub(crate) fn content_type(target: &str, actual: &str, expected: &str) -> Self {
        let detail = format!(
            "the actual content type does not match the expected: actual={actual}, expected={expected}"
        );
        let mut error = Self::new(ErrorKind::ContentType, "download", target, detail);
        error.0.pair = Some((actual.to_owned(), expected.to_owned()));
        error
    }

    /// A server answered with a status that is a failure.
    pub(crate) fn status_of(
        operation: &'static str,
        target: &str,
        status: u16,
        detail: &str,
    ) -> Self {
        let mut error = Self::from(holdall_store::Error::new(
            match status {
                401 => holdall_store::ErrorKind::Unauthenticated,
                403 => holdall_store::ErrorKind::PermissionDenied,
                404 | 410 => holdall_store::ErrorKind::NotFound,
                408 | 504 => holdall_store::ErrorKind::Timeout,
                412 => holdall_store::ErrorKind::Precondition,
                _ => holdall_store::ErrorKind::Other,
            },
            operation,
            target,
            if detail.is_empty() {
                format!("the server answered with status code: {status}")
            } else {
                format!("the server answered with status code: {status}: {detail}")
            },
        ));
        error.0.status = Some(status);
        error.0.retryable = matches!(status, 408 | 425 | 429) || status >= 500;
        error
    }

    /// Marks a failure as one that may pass.
    pub(crate) fn passing(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<std::time::Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Marks what is at the target as the reason, for which no other source makes a difference.
    pub(crate) fn of_target(mut self) -> Self {
        self.0.of_target = true;
        self
    }

    /// Whether other sources need not be tried.
    pub(crate) fn is_final(&self) -> bool {
        self.0.of_target || self.0.kind == ErrorKind::Directory
    }

    pub(crate) fn retry_after(&self) -> Option<std::time::Duration> {
        self.0.retry_after
    }

    /// Adds how often it was tried, when it was more than once.
    pub(crate) fn after_attempts(mut self, attempts: u32) -> Self {
        if attempts > 1 {
            self.0.detail.push_str(&format!(" (after {attempts} attempts)"));
        }
        self
    }

    /// The same error with more to say about the way out.
    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        self.0.detail.push_str(": ");
        self.0.detail.push_str(hint);
        self
    }

    pub(crate) fn with_target(mut self, target: &str) -> Self {
        self.0.target = redacted(target);
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    holdall_store::error_accessors!(ErrorKind);

    /// The HTTP status of the reply that caused the error, where there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Whether the same call may succeed later without a change.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// What a store or a server said, for [`ErrorKind::Store`] and what was made of it.
    pub fn store_kind(&self) -> Option<holdall_store::ErrorKind> {
        self.0.store
    }

    /// What was received and what was expected, where two values differ.
    pub fn actual_and_expected(&self) -> Option<(&str, &str)> {
        self.0.pair.as_ref().map(|(actual, expected)| (actual.as_str(), expected.as_str()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { operation, target, detail, .. } = &*self.0;
        f.write_str(operation)?;
        if !target.is_empty() {
            write!(f, " {target}")?;
        }
        write!(f, ": {detail}")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {}

impl From<holdall_store::Error> for Error {
    fn from(error: holdall_store::Error) -> Self {
        // The words of the kind stand between target and reason in the text of the store's error.
        let text = error.to_string();
        let prefix = match error.target() {
            "" => format!("{}: ", error.operation()),
            target => format!("{} {target}: ", error.operation()),
        };
        Self(Box::new(Inner {
            kind: ErrorKind::Store,
            operation: error.operation(),
            target: error.target().to_owned(),
            detail: redacted(text.strip_prefix(&prefix).unwrap_or(&text)),
            pair: None,
            status: error.status(),
            retryable: error.is_retryable(),
            retry_after: None,
            store: Some(error.kind()),
            of_target: false,
        }))
    }
}
