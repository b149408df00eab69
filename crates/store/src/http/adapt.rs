//! What plain servers need beyond what `object_store` sends and expects: the query and the user of the base URL with
//! every request, a length for every reply, and the range that was asked for also of those that give none.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_RANGE, RANGE,
    TRANSFER_ENCODING,
};
use http::{HeaderValue, Method, StatusCode, Uri};
use http_body_util::BodyExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use percent_encoding::percent_decode_str;
use url::Url;

use super::taken::{Asked, name_range};
use crate::client::document::expect_multistatus;
use crate::client::file_body::{FileBody, TemporaryFile};
use crate::client::{ContentRange, Integrity, is_loose, is_weak};

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

    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut reply = self.http.execute(request).await?;
        if reply.status() == StatusCode::NOT_IMPLEMENTED {
            // `object_store` asks again after every 5xx; a server that does not know a method will not know it then.
            *reply.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        }
        if reply.status() == StatusCode::ACCEPTED && reads {
            return Err(not_yet());
        }
        Ok(reply)
    }

    /// Asks what an object is, by the first byte of it where the head does not say.
    async fn head(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let again = again(&request, Method::GET);
        let reply = self.execute(request).await?;
        // Many servers say 0 of what they make when it is asked for.
        let length = length_of(reply.headers()).filter(|length| *length > 0);
        if reply.status().is_success() && length.is_some() || !may_be_there(reply.status()) {
            return Ok(reply);
        }
        let probed = self.probe(again).await?;
        let says_empty = reply.status().is_success() && length_of(reply.headers()).is_some();
        Ok(if says_empty && !probed.status().is_success() { reply } else { probed })
    }

    /// Asks for the first byte, in place of the head that the server does not give or that lacks the length.
    async fn probe(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let whole = again(&request, Method::GET);
        request.headers_mut().insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        let (mut parts, body) = self.execute(request).await?.into_parts();
        let length = match parts.status {
            StatusCode::PARTIAL_CONTENT => {
                match ContentRange::of(parts.status, &parts.headers)?.and_then(|range| range.total)
                {
                    Some(length) => length,
                    None => self.length_of_whole(whole).await?,
                }
            }
            // Nothing can be asked for of an object without a byte.
            StatusCode::RANGE_NOT_SATISFIABLE => 0,
            StatusCode::OK | StatusCode::NO_CONTENT => match length_of(&parts.headers) {
                Some(length) => length,
                // Only the end tells.
                None => count(body).await?,
            },
            status => {
                if status.is_success() {
                    parts.status = StatusCode::NOT_FOUND;
                }
                return Ok(HttpResponse::from_parts(parts, body));
            }
        };
        if parts.status == StatusCode::PARTIAL_CONTENT {
            // They may be of the one byte.
            for name in ["content-md5", "ais-checksum-type", "ais-checksum-value"] {
                parts.headers.remove(HeaderName::from_static(name));
            }
            parts.extensions.remove::<Integrity>();
        }
        parts.status = StatusCode::OK;
        parts.headers.remove(CONTENT_RANGE);
        parts.headers.insert(CONTENT_LENGTH, length.into());
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(Bytes::new())))
    }

    /// The length of an object whose server leaves it out of replies with a range.
    async fn length_of_whole(&self, request: HttpRequest) -> Result<u64, HttpError> {
        let reply = self.execute(request).await?;
        match (reply.status(), length_of(reply.headers())) {
            (StatusCode::OK, Some(length)) => Ok(length),
            (StatusCode::OK, None) => count(reply.into_body()).await,
            _ => Err(broken("the server does not give the length of the object")),
        }
    }

    /// Asks for the properties of what is in a directory. What says that it lists them does so, to the end: a part of it
    /// would be taken for a server that does not speak WebDAV.
    async fn properties(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut reply = self.execute(request).await?;
        if reply.status() == StatusCode::NOT_FOUND {
            // `object_store` makes an empty directory of it. There may be none, or a server that does not know the method.
            *reply.status_mut() = StatusCode::GONE;
        }
        if reply.status() != StatusCode::MULTI_STATUS {
            return Ok(reply);
        }
        let (parts, body) = reply.into_parts();
        let listing = body.collect().await?.to_bytes();
        expect_multistatus(&listing)?;
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(listing)))
    }

    async fn get(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asked = Asked::of(&request);
        let head = asked.map(|_| again(&request, Method::HEAD));
        let mut reply = self.execute(request).await?;
        if !reply.status().is_success() {
            return Ok(reply);
        }
        if length_of(reply.headers()).is_none() {
            reply = with_length(reply).await?;
        }
        mark(&mut reply);
        set_weak_tag_aside(&mut reply);
        let range = ContentRange::of(reply.status(), reply.headers())?;
        match (range, asked, head) {
            (Some(ContentRange { first, last, total: None }), _, Some(head)) => {
                let of_whole = self.head(head).await?;
                let total =
                    length_of(of_whole.headers()).filter(|_| of_whole.status().is_success());
                let Some(total) = total.filter(|total| *total > last) else {
                    return Err(broken("the server does not give the length of the object"));
                };
                name_range(reply.headers_mut(), &(first..last + 1), total);
                Ok(reply)
            }
            (None, Some(asked), _) if reply.status() == StatusCode::OK => Ok(asked.take_out(reply)),
            _ => Ok(reply),
        }
    }
}

/// Whether there may be an object all the same: the server may not know HEAD, or the signature in the query may be for GET
/// alone, whatever is said of it then.
fn may_be_there(head: StatusCode) -> bool {
    head.is_success()
        || matches!(
            head,
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
        )
}

/// The same request with another method, for the whole.
fn again(request: &HttpRequest, method: Method) -> HttpRequest {
    let mut again = HttpRequest::new(HttpRequestBody::empty());
    *again.method_mut() = method;
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    for name in [RANGE, IF_RANGE] {
        again.headers_mut().remove(name);
    }
    again
}

/// An entity tag that `object_store` is not to go by: it would ask for the rest of a body that breaks off, which may be of
/// another content with the same weak tag.
#[derive(Clone)]
pub(super) struct WeakTag(pub(super) String);

/// Keeps with a reply whether its version can be told from others.
fn mark(reply: &mut HttpResponse) {
    if is_loose(reply.headers()) {
        reply.extensions_mut().get_or_insert_default::<Integrity>().is_loose = true;
    }
}

fn set_weak_tag_aside(reply: &mut HttpResponse) {
    let tag = reply.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    if let Some(tag) = tag.filter(|tag| is_weak(tag)).map(|tag| WeakTag(tag.to_owned())) {
        reply.headers_mut().remove(ETAG);
        reply.extensions_mut().insert(tag);
    }
}

#[async_trait]
impl HttpService for Adapter {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.amend(&mut request)?;
        match *request.method() {
            Method::HEAD => {
                let mut reply = self.head(request).await?;
                if reply.status().is_success() {
                    mark(&mut reply);
                }
                Ok(reply)
            }
            Method::GET => self.get(request).await,
            ref method if method.as_str() == "PROPFIND" => self.properties(request).await,
            _ => self.execute(request).await,
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

pub(super) fn broken(text: &'static str) -> HttpError {
    HttpError::new(HttpErrorKind::Decode, std::io::Error::other(text))
}

pub(super) fn length_of(headers: &http::HeaderMap) -> Option<u64> {
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
