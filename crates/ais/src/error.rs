//! The error type of this crate: data first, text second.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use holdall_ais_wire::error::WireError;
use holdall_ais_wire::etl::REQUIRES_KUBERNETES;
use holdall_store::object_store;
use holdall_store::object_store::client::{HttpError, HttpErrorKind};
use http::{HeaderMap, Method, StatusCode};

use crate::tokens;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, grouped by what a caller would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such bucket.
    BucketNotFound,
    /// There is no such bucket in the cloud or the other cluster.
    RemoteBucketNotFound,
    /// There is no such object, or no such member of an archive.
    ObjectNotFound,
    /// There is no such ETL.
    EtlNotFound,
    /// There is no such job.
    JobNotFound,
    /// There is no such thing of another sort: a node, a user, a role, an upload.
    NotFound,
    /// There is such a bucket already.
    BucketExists,
    /// There is such an ETL already.
    EtlExists,
    /// Something else is in the way: a busy object, a running job, a user or role of that name.
    Conflict,
    /// A condition did not hold, or the object changed while it was read.
    Precondition,
    /// The range lies outside of the object.
    Range,
    /// The server does not accept the request as it is.
    InvalidArgument,
    /// No token, or one that is expired, revoked or malformed.
    Unauthenticated,
    /// The token is fine and does not allow this.
    PermissionDenied,
    /// The server, or this kind of bucket, has no such operation.
    NotSupported,
    /// The server is full.
    NoSpace,
    /// The server asks to come back later.
    Busy,
    /// Nothing moved, or nothing was finished, for longer than allowed.
    Timeout,
    /// The server could not be reached.
    Connection,
    /// The reply contradicts itself or the request: cut short, wrong checksum, malformed.
    Corrupt,
    /// The server redirects where this client does not go.
    Redirect,
    /// A setting is wrong.
    Config,
    /// Any other failure.
    Other,
}

impl ErrorKind {
    /// A stable machine-readable name, e.g. `"bucket_not_found"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BucketNotFound => "bucket_not_found",
            Self::RemoteBucketNotFound => "remote_bucket_not_found",
            Self::ObjectNotFound => "object_not_found",
            Self::EtlNotFound => "etl_not_found",
            Self::JobNotFound => "job_not_found",
            Self::NotFound => "not_found",
            Self::BucketExists => "bucket_exists",
            Self::EtlExists => "etl_exists",
            Self::Conflict => "conflict",
            Self::Precondition => "precondition",
            Self::Range => "range",
            Self::InvalidArgument => "invalid_argument",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotSupported => "not_supported",
            Self::NoSpace => "no_space",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Corrupt => "corrupt",
            Self::Redirect => "redirect",
            Self::Config => "config",
            Self::Other => "other",
        }
    }

    /// Whether something that was asked for is not there.
    pub fn is_not_found(self) -> bool {
        matches!(
            self,
            Self::BucketNotFound
                | Self::RemoteBucketNotFound
                | Self::ObjectNotFound
                | Self::EtlNotFound
                | Self::JobNotFound
                | Self::NotFound
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str().replace('_', " "))
    }
}

/// A failed operation: what was attempted, on what, and why it failed. One line of text, without secrets.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    target: String,
    detail: String,
    reply: Option<Refusal>,
    cause: Option<HttpError>,
    pause: Option<Duration>,
    at_named_node: bool,
}

/// A reply that refused a request.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The body as it came; of a HEAD, the error in its header.
    pub body: Bytes,
    /// The headers.
    pub headers: HeaderMap,
    /// Method of the request.
    pub method: Method,
    /// URL that answered, without the values of its query that could be secret.
    pub url: String,
    /// The body, where it is an error as AIStore sends them.
    pub wire: Option<WireError>,
}

impl Error {
    /// An error of `kind` in `operation` on `target`, with a sentence that says what was wrong and, where there is one,
    /// the remedy.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        target: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            target: holdall_store::redacted(&target.into()),
            detail: holdall_store::redacted(&detail.into()),
            reply: None,
            cause: None,
            pause: None,
            at_named_node: false,
        }))
    }

    pub(crate) fn refused(operation: &'static str, target: &str, reply: Refusal) -> Self {
        let detail = match &reply.wire {
            Some(wire) if !wire.message.is_empty() => wire.message.clone(),
            _ => short(&reply.body),
        };
        let detail = match detail.as_str() {
            "" => format!("the server answered {}", reply.status),
            _ => detail,
        };
        let mut error = Self::new(kind_of(&reply, &detail), operation, target, detail);
        if error.0.kind == ErrorKind::Connection {
            let cause = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            error.0.cause = Some(HttpError::new(HttpErrorKind::Connect, cause));
        }
        error.0.reply = Some(reply);
        error
    }

    pub(crate) fn transport(operation: &'static str, target: &str, cause: HttpError) -> Self {
        let kind = match cause.kind() {
            HttpErrorKind::Connect => ErrorKind::Connection,
            HttpErrorKind::Timeout => ErrorKind::Timeout,
            HttpErrorKind::Interrupted | HttpErrorKind::Decode => ErrorKind::Corrupt,
            _ => ErrorKind::Other,
        };
        let mut error = Self::new(kind, operation, target, chain(&cause));
        error.0.cause = Some(cause);
        error
    }

    holdall_store::error_accessors!(ErrorKind);

    /// The HTTP status of the reply, where there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.reply.as_ref().map(|reply| reply.status)
    }

    /// The reply that refused the request, where there was one.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.0.reply.as_ref()
    }

    /// Whether the same call may succeed later without a change. The client has used up its own retries already.
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Corrupt | ErrorKind::Busy => {
                true
            }
            _ => self.status().is_some_and(|s| matches!(s, 408 | 429 | 502 | 503 | 504)),
        }
    }

    /// How long the server asks to wait.
    pub(crate) fn asked_pause(&self) -> Option<Duration> {
        self.0.pause
    }

    /// Whether it happened at a node that another node of the cluster had named.
    pub(crate) fn is_at_named_node(&self) -> bool {
        self.0.at_named_node
    }

    pub(crate) fn at_named_node(mut self, at_named_node: bool) -> Self {
        self.0.at_named_node = at_named_node;
        self
    }

    pub(crate) fn retry_after(mut self, pause: Option<Duration>) -> Self {
        self.0.pause = pause;
        self
    }
}

/// Whether Go's words say that a node did not answer: a proxy tells of a target that died a little while ago that way.
fn is_gone(detail: &str) -> bool {
    let words =
        ["connection refused", "connection reset", "no route to host", "i/o timeout", "EOF"];
    words.iter().any(|words| detail.contains(words))
}

/// The kind of a refusal, by its status and its words, as the official clients tell them apart.
fn kind_of(reply: &Refusal, detail: &str) -> ErrorKind {
    let code = reply.wire.as_ref().map_or("", |wire| wire.tcode.as_str());
    let has = |words: &str| detail.contains(words);
    match reply.status {
        400 if has(REQUIRES_KUBERNETES) => ErrorKind::NotSupported,
        400 if has("already exists") && has("bucket") => ErrorKind::BucketExists,
        400 if code == "ErrFailedTo" && has("failed to call t[") && is_gone(detail) => {
            ErrorKind::Connection
        }
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::PermissionDenied,
        404 => missing(code, detail, &reply.url),
        408 | 504 => ErrorKind::Timeout,
        409 if has("etl job") => ErrorKind::EtlExists,
        409 if has("bucket \"") && has("already exists") => ErrorKind::BucketExists,
        409 => ErrorKind::Conflict,
        410 => ErrorKind::ObjectNotFound,
        412 => ErrorKind::Precondition,
        416 => ErrorKind::Range,
        405 | 501 => ErrorKind::NotSupported,
        423 => ErrorKind::Conflict,
        429 | 503 => ErrorKind::Busy,
        507 => ErrorKind::NoSpace,
        // A directory of the names of other objects, where a target keeps them; it has no attributes of an object.
        500 if has("no data available") && reply.url.contains("/v1/objects/") => {
            ErrorKind::ObjectNotFound
        }
        _ if has("BAD DATA CHECKSUM") => ErrorKind::Corrupt,
        400..=499 => ErrorKind::InvalidArgument,
        _ => ErrorKind::Other,
    }
}

fn missing(code: &str, detail: &str, url: &str) -> ErrorKind {
    use holdall_ais_wire::error::code as known;
    // The second is what a cluster says of buckets of clouds that it was not built or set up for.
    let is_bucket = detail.contains("bucket \"") || detail.contains("failed to lookup bucket ");
    match code {
        known::BCK_NOT_FOUND => return ErrorKind::BucketNotFound,
        known::REMOTE_BCK_NOT_FOUND => return ErrorKind::RemoteBucketNotFound,
        _ => {}
    }
    let of = |path: &str| url.contains(path);
    if detail.contains("etl job") || (detail.starts_with("ETL ") && detail.contains("exist")) {
        ErrorKind::EtlNotFound
    } else if is_bucket && (detail.contains("remote bucket") || !detail.contains("\"ais://")) {
        ErrorKind::RemoteBucketNotFound
    } else if is_bucket {
        ErrorKind::BucketNotFound
    } else if of("/v1/objects/") && !of("uploadId") {
        ErrorKind::ObjectNotFound
    } else if of("/v1/buckets/") {
        ErrorKind::BucketNotFound
    } else if (of("/v1/cluster") && !of("/v1/clusters")) || of("/v1/sort") {
        ErrorKind::JobNotFound
    } else if of("/v1/ml/") {
        ErrorKind::ObjectNotFound
    } else {
        ErrorKind::NotFound
    }
}

/// Longest text of a body without a message that is shown.
const SHOWN_CHARS: usize = 300;

fn short(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN_CHARS)]);
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_CHARS).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, target, detail, .. } = &*self.0;
        f.write_str(operation)?;
        if !target.is_empty() {
            write!(f, " {target}")?;
        }
        write!(f, ": {kind}: {detail}")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("target", &self.0.target)
            .field("status", &self.status())
            .field("detail", &self.0.detail)
            .finish()
    }
}

// No `source()`: the texts of causes are in ours already.
impl std::error::Error for Error {}

impl From<holdall_store::Error> for Error {
    /// From the transfer engine. What came from this crate comes back as it was.
    fn from(error: holdall_store::Error) -> Self {
        use holdall_store::ErrorKind as K;
        let kind = match error.kind() {
            K::NotFound => ErrorKind::ObjectNotFound,
            K::AlreadyExists => ErrorKind::Conflict,
            K::Precondition | K::NotModified => ErrorKind::Precondition,
            K::PermissionDenied => ErrorKind::PermissionDenied,
            K::Unauthenticated => ErrorKind::Unauthenticated,
            K::NotSupported => ErrorKind::NotSupported,
            K::InvalidPath | K::InvalidUrl | K::InvalidArgument => ErrorKind::InvalidArgument,
            K::UnknownConfigurationKey | K::Config => ErrorKind::Config,
            K::Connection => ErrorKind::Connection,
            K::Timeout => ErrorKind::Timeout,
            K::Corrupt => ErrorKind::Corrupt,
            _ => ErrorKind::Other,
        };
        let Some(own) = own(&error) else {
            return Self::new(kind, error.operation(), error.target(), error.detail());
        };
        let mut made = Self::new(own.kind(), error.operation(), error.target(), own.detail());
        made.0.reply.clone_from(&own.0.reply);
        made
    }
}

fn own(error: &holdall_store::Error) -> Option<&Error> {
    let mut cause = error.store_error().map(|e| e as &(dyn std::error::Error + 'static));
    while let Some(e) = cause {
        if let Some(shown) = e.downcast_ref::<Shown>() {
            return Some(&shown.error);
        }
        cause = e.source();
    }
    None
}

impl From<Error> for object_store::Error {
    fn from(error: Error) -> Self {
        let path = error.target().to_owned();
        let kind = error.kind();
        // The status would be all that counts; that of a target that is gone says nothing of it.
        let status = error.status().filter(|_| kind != ErrorKind::Connection);
        let source = Box::new(Shown { status, error });
        match kind {
            kind if kind.is_not_found() => Self::NotFound { path, source },
            ErrorKind::BucketExists | ErrorKind::EtlExists => Self::AlreadyExists { path, source },
            ErrorKind::Precondition => Self::Precondition { path, source },
            ErrorKind::Unauthenticated => Self::Unauthenticated { path, source },
            ErrorKind::PermissionDenied => Self::PermissionDenied { path, source },
            ErrorKind::NotSupported => Self::NotSupported { source },
            _ => Self::Generic { store: "AIStore", source },
        }
    }
}

/// An error inside one of `object_store`, which names operation and target itself and looks for the status in the text.
#[derive(Debug)]
struct Shown {
    status: Option<u16>,
    error: Error,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(status) = self.status {
            write!(f, "the server answered with status code: {status}: ")?;
        }
        f.write_str(self.error.detail())
    }
}

impl std::error::Error for Shown {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The classification of the store crate wants to see a failure of the transport.
        self.error.0.cause.as_ref().map(|cause| cause as _)
    }
}

pub(crate) fn refusal(
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    method: Method,
    url: &str,
) -> Refusal {
    let body = tokens::hidden(body);
    // Parsers of AIStore put bytes into their words that are no text.
    let wire = serde_json::from_str(&String::from_utf8_lossy(&body)).ok();
    Refusal {
        status: status.as_u16(),
        body,
        headers,
        method,
        url: holdall_store::redacted(url),
        wire,
    }
}
