//! What plain servers need beyond what `object_store` sends and expects: the query and the user of the base URL with
//! every request, and a length for every reply.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, RANGE, TRANSFER_ENCODING};
use http::{HeaderValue, Method, StatusCode, Uri};
use http_body_util::BodyExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::client::file_body::{FileBody, TemporaryFile};

/// Replies without a length are kept in memory up to this many bytes, and in a temporary file from there on.
const IN_MEMORY_BYTES: usize = 8 << 20;

/// Sends every request of a store as its base URL asks for.
pub(super) struct Adapter {
    http: HttpClient,
    query: Option<String>,
    authorization: Option<HeaderValue>,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").finish_non_exhaustive()
    }
}

impl Adapter {
    /// Takes user and query off `url`, which `object_store` would not carry along.
    pub(super) fn new(http: HttpClient, url: &mut Url) -> Self {
        let query = url.query().filter(|query| !query.is_empty()).map(str::to_owned);
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (decoded(url.username()), url.password().map(decoded));
        let authorization = (!user.is_empty() || password.is_some()).then(|| {
            let pair = format!("{user}:{}", password.unwrap_or_default());
            let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
            let mut value = HeaderValue::from_str(&value).expect("base64 is plain text");
            value.set_sensitive(true);
            value
        });
        url.set_query(None);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Self { http, query, authorization }
    }

    fn amend(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        let Some(query) = &self.query else { return Ok(()) };
        let uri = request.uri().to_string();
        let mark = if uri.contains('?') { '&' } else { '?' };
        let uri = format!("{uri}{mark}{query}").parse::<Uri>();
        *request.uri_mut() = uri.map_err(|e| HttpError::new(HttpErrorKind::Request, e))?;
        Ok(())
    }

    /// Asks for the first byte, in place of the head that the server does not give or that lacks the length.
    async fn probe(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        *request.method_mut() = Method::GET;
        request.headers_mut().insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        let (mut parts, body) = self.http.execute(request).await?.into_parts();
        let length = match parts.status {
            StatusCode::PARTIAL_CONTENT => {
                let range = parts.headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
                range.and_then(|range| range.rsplit_once('/')?.1.parse::<u64>().ok())
            }
            // Nothing can be asked for of an object without a byte.
            StatusCode::RANGE_NOT_SATISFIABLE => {
                parts.status = StatusCode::OK;
                Some(0)
            }
            status if !status.is_success() => return Ok(HttpResponse::from_parts(parts, body)),
            _ => length_of(&parts.headers),
        };
        let length = match length {
            Some(length) => length,
            None if parts.status == StatusCode::PARTIAL_CONTENT => {
                let text = "the server does not give the length of the object";
                return Err(HttpError::new(HttpErrorKind::Decode, std::io::Error::other(text)));
            }
            // Only the end tells.
            None => count(body).await?,
        };
        parts.status = StatusCode::OK;
        parts.headers.remove(CONTENT_RANGE);
        parts.headers.insert(CONTENT_LENGTH, length.into());
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(Bytes::new())))
    }

    /// Whether a server answers GET where it does not answer HEAD: it may not know HEAD, or the signature in the query
    /// may be for GET alone.
    fn head_refused(&self, status: StatusCode) -> bool {
        matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
            || (status == StatusCode::FORBIDDEN && self.query.is_some())
    }
}

#[async_trait]
impl HttpService for Adapter {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.amend(&mut request)?;
        let again = (request.method() == Method::HEAD).then(|| {
            let mut again = HttpRequest::new(HttpRequestBody::empty());
            *again.uri_mut() = request.uri().clone();
            *again.headers_mut() = request.headers().clone();
            again
        });
        let read = request.method() == Method::GET;
        let mut reply = self.http.execute(request).await?;
        if reply.status() == StatusCode::NOT_IMPLEMENTED {
            // `object_store` asks again after every 5xx; a server that does not know a method will not know it then.
            *reply.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        }
        if reply.status() == StatusCode::ACCEPTED && (read || again.is_some()) {
            return Err(not_yet());
        }
        let known = length_of(reply.headers()).is_some();
        match again {
            Some(again) if self.head_refused(reply.status()) => self.probe(again).await,
            Some(again) if reply.status().is_success() && !known => self.probe(again).await,
            None if read && reply.status().is_success() && !known => with_length(reply).await,
            _ => Ok(reply),
        }
    }
}

/// Hands a client as it is to `object_store`.
#[derive(Debug)]
pub(super) struct Connector(pub(super) HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

/// The error for a reply whose body says when there might be an object (RFC 9110, 15.3.3): archives answer so for what they
/// have to fetch from tapes.
fn not_yet() -> HttpError {
    let text = "the server has taken the request and does not have the object yet (202 Accepted): ask again later";
    HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(text))
}

fn length_of(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn count(mut body: HttpResponseBody) -> Result<u64, HttpError> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(length)
}

/// Reads the body to its end to learn its length.
async fn with_length(reply: HttpResponse) -> Result<HttpResponse, HttpError> {
    let (mut parts, mut body) = reply.into_parts();
    let (mut memory, mut file, mut length) = (Vec::new(), None::<Arc<TemporaryFile>>, 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len() as u64;
        memory.extend_from_slice(&data);
        if memory.len() >= IN_MEMORY_BYTES {
            file = Some(spill(file, std::mem::take(&mut memory)).await?);
        }
    }
    let body = match file {
        None => HttpResponseBody::from(Bytes::from(memory)),
        Some(file) => {
            let file = spill(Some(file), memory).await?;
            HttpResponseBody::new(FileBody::new(file.file(), length))
        }
    };
    parts.headers.remove(TRANSFER_ENCODING);
    parts.headers.insert(CONTENT_LENGTH, length.into());
    Ok(HttpResponse::from_parts(parts, body))
}

async fn spill(
    file: Option<Arc<TemporaryFile>>,
    data: Vec<u8>,
) -> Result<Arc<TemporaryFile>, HttpError> {
    let write = move || {
        let file = file.map_or_else(|| TemporaryFile::create().map(Arc::new), Ok)?;
        file.append(&data)?;
        Ok(file)
    };
    let written = tokio::task::spawn_blocking(write).await;
    written.map_err(|e| local(std::io::Error::other(e)))?.map_err(local)
}

fn local(error: std::io::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}
