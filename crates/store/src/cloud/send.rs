//! Requests of our own to a provider's service: signed, repeated after passing failures, with typed errors.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use object_store::client::{HttpClient, HttpError, HttpErrorKind, HttpRequest};
use object_store::{Error, Result, RetryConfig};
use serde::Deserialize;
use url::Url;

use crate::client::ServiceWorks;
use crate::client::document;
use crate::client::file_body::UploadFile;
use crate::client::pacing::retry_after;

/// Adds the proof of identity to a request. Called for every attempt: signatures carry a time.
#[async_trait]
pub(crate) trait Signing: Send + Sync {
    async fn sign(&self, request: &mut HttpRequest) -> Result<()>;
}

/// Sends requests as they are.
pub(crate) struct Unsigned;

#[async_trait]
impl Signing for Unsigned {
    async fn sign(&self, _request: &mut HttpRequest) -> Result<()> {
        Ok(())
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    file: Option<UploadFile>,
    idempotent: bool,
    error_in_body: bool,
}

impl Call {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        let idempotent = method != Method::POST;
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { method, url, headers, body, file: None, idempotent, error_in_body: false }
    }

    /// Sets a header.
    ///
    /// # Errors
    /// When the name or the value holds characters that headers cannot have.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let bad = || Error::Generic {
            store: "holdall",
            source: format!("the value of header `{name}` cannot be sent").into(),
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        self.headers.insert(key, HeaderValue::from_str(value).map_err(|_| bad())?);
        Ok(self)
    }

    pub(crate) fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Takes the body from a file.
    pub(crate) fn file(mut self, file: UploadFile) -> Self {
        self.file = Some(file);
        self
    }

    /// Whether a repetition does no harm; by default true but for POST.
    pub(crate) fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// The service may answer 200 and describe a failure in the body, as S3 does for copies. Such a request takes as long
    /// as its work.
    pub(crate) fn error_in_body(mut self) -> Self {
        self.error_in_body = true;
        self
    }
}

/// A reply with its whole body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as an XML document.
    pub(crate) fn xml<T: serde::de::DeserializeOwned>(&self, store: &'static str) -> Result<T> {
        xml(&self.body, store)
    }

    /// Sees that the service answered, and nobody in its place: all that a copy comes to is in its document.
    pub(crate) fn granted(&self, store: &'static str) -> Result<()> {
        expect(&self.body, store)
    }
}

fn expect(body: &[u8], store: &'static str) -> Result<()> {
    document::expect(body).map_err(|e| Error::Generic { store, source: Box::new(e) })
}

/// The body of a reply as an XML document.
pub(super) fn xml<T: serde::de::DeserializeOwned>(body: &[u8], store: &'static str) -> Result<T> {
    expect(body, store)?;
    quick_xml::de::from_reader(body).map_err(|e| Error::Generic {
        store,
        source: format!("Got invalid XML in the response body: {e}").into(),
    })
}

/// The service refused the request.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the server answered with status code: {status}{}{detail}", if detail.is_empty() { "" } else { ": " })]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// The service's own name for the failure; empty when it gave none.
    pub(crate) code: String,
    detail: String,
}

impl Refused {
    fn new(status: StatusCode, body: &[u8]) -> Self {
        let mut document: ErrorDocument = quick_xml::de::from_reader(body).unwrap_or_default();
        if let Some(inner) = document.inner.take() {
            document = *inner;
        }
        let detail = match (document.code.as_str(), document.message.as_str()) {
            ("", "") => String::from_utf8_lossy(&body[..body.len().min(300)]).trim().to_owned(),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        };
        Self { status, code: document.code, detail }
    }

    /// The refusal of a part of what was asked for, in a reply to the rest.
    pub(crate) fn in_reply(code: String, message: String) -> Self {
        let detail = format!("{code}: {message}");
        Self { status: StatusCode::OK, code, detail }
    }

    /// The refusal inside an error of the trait.
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    fn passing(&self) -> bool {
        let status = self.status;
        status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT
            || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
            || matches!(self.code.as_str(), "InternalError" | "SlowDown" | "RequestTimeout")
    }

    pub(crate) fn into_error(self, store: &'static str, path: &str) -> Error {
        let path = path.to_owned();
        let source = Box::new(self);
        // The code decides where the status cannot: a copy may fail after 200 was sent.
        match (source.status, source.code.as_str()) {
            (StatusCode::NOT_FOUND | StatusCode::GONE, _) | (StatusCode::OK, "NoSuchKey") => {
                Error::NotFound { path, source }
            }
            (StatusCode::NOT_MODIFIED, _) => Error::NotModified { path, source },
            (StatusCode::PRECONDITION_FAILED, _) | (StatusCode::OK, "PreconditionFailed") => {
                Error::Precondition { path, source }
            }
            (StatusCode::CONFLICT, _) => Error::AlreadyExists { path, source },
            (StatusCode::UNAUTHORIZED, _) | (_, "ExpiredToken" | "ExpiredTokenException") => {
                Error::Unauthenticated { path, source }
            }
            (StatusCode::FORBIDDEN, _) | (StatusCode::OK, "AccessDenied") => {
                Error::PermissionDenied { path, source }
            }
            (StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED, _) => {
                Error::NotSupported { source }
            }
            _ => Error::Generic { store, source },
        }
    }
}

/// The error document of S3, GCS and Azure; that of AWS's other services has it one level deeper.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "Error")]
struct ErrorDocument {
    #[serde(rename = "Code", default)]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
    #[serde(rename = "Error")]
    inner: Option<Box<ErrorDocument>>,
}

/// Sends requests through one transport under one retry policy.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    http: HttpClient,
    retry: RetryConfig,
    store: &'static str,
}

enum Failure {
    Refused(Refused, Option<Duration>),
    Transport(HttpError),
}

impl Sender {
    pub(crate) fn new(http: HttpClient, retry: RetryConfig, store: &'static str) -> Self {
        Self { http, retry, store }
    }

    /// Sends `call` until it is answered or the retry policy is used up; `path` names the object in errors.
    pub(crate) async fn send(
        &self,
        path: &str,
        call: &Call,
        signing: &dyn Signing,
    ) -> Result<Reply> {
        let begin = Instant::now();
        let mut pause = self.retry.backoff.init_backoff;
        let mut attempts = 0;
        loop {
            let mut request = request(call);
            signing.sign(&mut request).await?;
            let failure = match self.attempt(request, call).await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            let asked = match &failure {
                Failure::Refused(_, asked) => asked.unwrap_or_default(),
                Failure::Transport(_) => Duration::ZERO,
            };
            let wait = pause.max(asked);
            let exhausted = attempts >= self.retry.max_retries
                || begin.elapsed() + wait > self.retry.retry_timeout;
            if exhausted || !worth_repeating(&failure, call.idempotent) {
                return Err(self.error(failure, path));
            }
            attempts += 1;
            tokio::time::sleep(wait).await;
            pause = self.next_pause(pause);
        }
    }

    async fn attempt(&self, request: HttpRequest, call: &Call) -> Result<Reply, Failure> {
        let response = self.http.execute(request).await.map_err(Failure::Transport)?;
        let (parts, body) = response.into_parts();
        if !parts.status.is_success() {
            let asked = retry_after(&parts.headers);
            let body = body.bytes().await.unwrap_or_default();
            return Err(Failure::Refused(Refused::new(parts.status, &body), asked));
        }
        let body = body.bytes().await.map_err(Failure::Transport)?;
        if call.error_in_body && document::is_failure(&body) {
            return Err(Failure::Refused(Refused::new(parts.status, &body), None));
        }
        Ok(Reply { headers: parts.headers, body })
    }

    /// Decorrelated jitter, as the stores themselves wait.
    fn next_pause(&self, last: Duration) -> Duration {
        let backoff = &self.retry.backoff;
        let low = backoff.init_backoff.as_secs_f64();
        let high = (last.as_secs_f64() * backoff.base).max(low);
        let next = low + fastrand::f64() * (high - low);
        Duration::from_secs_f64(next).min(backoff.max_backoff)
    }

    fn error(&self, failure: Failure, path: &str) -> Error {
        match failure {
            Failure::Refused(refused, _) => refused.into_error(self.store, path),
            Failure::Transport(error) => {
                Error::Generic { store: self.store, source: Box::new(error) }
            }
        }
    }
}

fn request(call: &Call) -> HttpRequest {
    let mut request = HttpRequest::new(call.body.clone().into());
    *request.method_mut() = call.method.clone();
    *request.headers_mut() = call.headers.clone();
    *request.uri_mut() = call.url.as_str().parse().expect("a URL of `url` is a URI");
    if !matches!(call.method, Method::GET | Method::HEAD) {
        let length = call.file.as_ref().map_or(call.body.len() as u64, |file| file.length);
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    if call.error_in_body {
        request.extensions_mut().insert(ServiceWorks);
    }
    if let Some(file) = &call.file {
        request.extensions_mut().insert(file.clone());
    }
    request
}

fn worth_repeating(failure: &Failure, idempotent: bool) -> bool {
    match failure {
        Failure::Refused(refused, _) => refused.passing(),
        Failure::Transport(error) => match error.kind() {
            HttpErrorKind::Connect => true,
            HttpErrorKind::Request | HttpErrorKind::Timeout | HttpErrorKind::Interrupted => {
                idempotent
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_status_code_and_message() {
        let body =
            b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>gone</Message></Error>";
        let refused = Refused::new(StatusCode::NOT_FOUND, body);
        assert_eq!(refused.code, "NoSuchKey");
        let error = crate::Error::from_store("get", "s3://b/k", refused.into_error("S3", "k"));
        assert_eq!(error.status(), Some(404));
        assert_eq!(error.kind(), crate::ErrorKind::NotFound);
        assert!(error.to_string().ends_with("NoSuchKey: gone"), "{error}");
    }

    #[test]
    fn documents_of_other_services_are_read_too() {
        let body = b"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>old</Message>\
            </Error></ErrorResponse>";
        let error = Refused::new(StatusCode::FORBIDDEN, body).into_error("STS", "role");
        assert!(matches!(error, Error::Unauthenticated { .. }), "{error:?}");
    }
}
