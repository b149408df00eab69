//! Replies.

use holdall_ais_wire::error::WireError;
use holdall_ais_wire::header;
use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use crate::error::{Error, ErrorKind, Result};

/// A reply.
pub(crate) type Reply = Response<Body>;

/// 200 without a body.
pub(crate) fn ok() -> Reply {
    Response::new(Body::empty())
}

/// A status without a body.
pub(crate) fn status(status: StatusCode) -> Reply {
    let mut reply = ok();
    *reply.status_mut() = status;
    reply
}

/// Text: ids of jobs and uploads.
pub(crate) fn text(text: impl Into<String>) -> Reply {
    let mut reply = Response::new(Body::whole(text.into()));
    set(&mut reply, CONTENT_TYPE, "text/plain; charset=utf-8");
    reply
}

/// A value as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Reply> {
    let bytes = serde_json::to_vec(value)
        .map_err(|e| Error::internal("the reply cannot be written").with_source(e))?;
    let mut reply = Response::new(Body::whole(bytes));
    set(&mut reply, CONTENT_TYPE, "application/json; charset=utf-8");
    Ok(reply)
}

/// Sets a header. A value that no header can have is left out.
pub(crate) fn set(reply: &mut Reply, name: impl TryInto<HeaderName>, value: impl AsRef<[u8]>) {
    if let (Ok(name), Ok(value)) = (name.try_into(), HeaderValue::from_bytes(value.as_ref())) {
        reply.headers_mut().insert(name, value);
    }
}

/// Adds a header that may be there already.
pub(crate) fn add(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        reply.headers_mut().append(HeaderName::from_static(name), value);
    }
}

/// What an error reply tells of its request.
pub(super) struct About {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) remote: String,
    pub(super) node: String,
}

/// An error: JSON in the body, or in a header when the reply has no body.
pub(super) fn error(about: About, error: &Error) -> Reply {
    let code = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    error_as(about, error, code)
}

/// [`error`] with a status that is not the error's own.
pub(super) fn error_as(about: About, error: &Error, code: StatusCode) -> Reply {
    let mut reply = status(code);
    if error.kind() == ErrorKind::Method && error.code().is_empty() {
        // The message lists the methods that are allowed.
        set(&mut reply, ALLOW, error.message());
        set(&mut reply, CONTENT_TYPE, "text/plain; charset=utf-8");
        *reply.body_mut() = Body::whole("Method Not Allowed\n");
        return reply;
    }
    let head = about.method == Method::HEAD;
    let wire = WireError {
        tcode: error.code().to_owned(),
        message: error.message().to_owned(),
        method: about.method.to_string(),
        url_path: about.path,
        remote_addr: about.remote,
        caller: String::new(),
        node: about.node,
        status: code.as_u16(),
    };
    // A struct of strings and a number has a JSON form.
    let mut text = serde_json::to_string(&wire).unwrap_or_default();
    set(&mut reply, CONTENT_TYPE, "application/json");
    set(&mut reply, X_CONTENT_TYPE_OPTIONS, "nosniff");
    if error.kind() == ErrorKind::Unauthorized {
        set(&mut reply, WWW_AUTHENTICATE, "Bearer");
    }
    if head {
        set(&mut reply, header::ERROR, ascii(&text));
    } else {
        text.push('\n');
        *reply.body_mut() = Body::whole(text);
    }
    reply
}

/// JSON for a header: other characters than ASCII as `\uXXXX`.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// The reply to a HEAD says the length of what a GET would bring.
pub(crate) fn set_length(reply: &mut Reply, len: u64) {
    set(reply, CONTENT_LENGTH, len.to_string());
}

/// A method that the path does not know. `allowed` lists those that it does.
pub(crate) fn not_allowed(allowed: &str) -> Error {
    Error::new(ErrorKind::Method, allowed)
}
