//! Errors in the words of S3.

use holdall_ais_wire::error::code;
use http::StatusCode;

use super::xml::Xml;
use crate::error::{Error, ErrorKind};
use crate::http::reply::{set, status};
use crate::http::{Body, Reply};

/// A result of this face.
pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

/// An error: a status, S3's name for it, a text.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Headers that go with it.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// What failed here, for the log.
    pub(crate) cause: Option<Box<Error>>,
}

impl Fault {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new(), cause: None }
    }

    /// A parameter or header that cannot be meant.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidArgument", message)
    }

    /// What this server does not do.
    pub(crate) fn unsupported(what: impl std::fmt::Display) -> Self {
        let text = format!("this server does not support {what}");
        Self::new(501, "NotImplemented", text)
    }

    /// A body that is no XML, or not the expected one.
    pub(crate) fn malformed(reason: impl std::fmt::Display) -> Self {
        Self::new(400, "MalformedXML", format!("the XML you provided is not valid: {reason}"))
    }

    /// A condition of the request that does not hold.
    pub(crate) fn precondition(condition: &str) -> Self {
        let text = format!("the pre-condition {condition} did not hold");
        Self::new(412, "PreconditionFailed", text)
    }

    /// No object of this name.
    pub(crate) fn no_key(key: &str) -> Self {
        Self::new(404, "NoSuchKey", format!("the key {key:?} does not exist"))
    }

    /// No upload of this id.
    pub(crate) fn no_upload(id: &str) -> Self {
        let text = format!("upload {id:?} not found: it was completed, aborted or never begun");
        Self::new(404, "NoSuchUpload", text)
    }

    /// With another header.
    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The reply. HEADs have no body.
    pub(crate) fn reply(&self, resource: &str, id: &str, is_head: bool) -> Reply {
        let mut reply =
            status(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        for (name, value) in &self.headers {
            set(&mut reply, *name, value);
        }
        // These have no body by HTTP's rules.
        if is_head || self.status == 304 {
            return reply;
        }
        let mut xml = Xml::bare("Error");
        xml.text("Code", self.code).text("Message", &self.message);
        xml.text("Resource", resource).text("RequestId", id);
        set(&mut reply, http::header::CONTENT_TYPE, "application/xml");
        *reply.body_mut() = Body::whole(xml.finish());
        reply
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = match (error.kind(), error.code()) {
            (ErrorKind::NotFound, code::BCK_NOT_FOUND | code::REMOTE_BCK_NOT_FOUND) => {
                "NoSuchBucket"
            }
            (ErrorKind::NotFound, _) => "NoSuchKey",
            (ErrorKind::Invalid, _) => "InvalidArgument",
            (ErrorKind::Forbidden, _) => "AccessDenied",
            (ErrorKind::Method, _) => "MethodNotAllowed",
            (ErrorKind::Conflict, _) => "OperationAborted",
            (ErrorKind::TooLarge, _) => "EntityTooLarge",
            (ErrorKind::Range, _) => "InvalidRange",
            (ErrorKind::Checksum, _) => "BadDigest",
            (ErrorKind::Timeout, _) => "RequestTimeout",
            (ErrorKind::Unsupported, _) => "NotImplemented",
            (ErrorKind::NoSpace, _) => "InsufficientStorage",
            _ if error.status() == 401 => "AccessDenied",
            _ => "InternalError",
        };
        // S3 has these for clients' errors, which are not worth another try.
        let status = match error.kind() {
            ErrorKind::Checksum | ErrorKind::Timeout => 400,
            _ => error.status(),
        };
        let message = error.message().to_owned();
        Self { status, code, message, headers: Vec::new(), cause: Some(Box::new(error)) }
    }
}
