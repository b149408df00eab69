//! Requests to HTTP servers.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, LAST_MODIFIED,
    RANGE, RETRY_AFTER,
};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use holdall_store::client::{ClientOptions, ParsedUrl};
use holdall_store::http::HttpStore;
use holdall_store::object_store::RetryConfig;
use holdall_store::object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
};
use holdall_store::object_store::path::Path;
use holdall_store::{Store, redacted};
use http_body_util::{BodyDataStream, BodyExt};
use serde::de::DeserializeOwned;
use url::Url;

use super::{Opened, Span, Version, pause};
use crate::clients::{Guard, Head};
use crate::error::{Error, ErrorKind, Result};

/// Most bytes of a refusal that are read for its reason.
const REASON_BYTES: usize = 4096;

/// A file of a server.
#[derive(Clone)]
pub(crate) struct HttpSource {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) http: HttpClient,
    /// Whether a wrong media type is an error.
    pub(crate) asserts_type: bool,
    pub(crate) attempts: u32,
    pub(crate) client: ClientOptions,
    pub(crate) guard: Guard,
}

impl std::fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HttpSource").field(&self.name()).finish()
    }
}

impl HttpSource {
    /// What a service is asked for.
    pub(crate) fn of_service(
        url: Url,
        headers: HeaderMap,
        http: HttpClient,
        attempts: u32,
    ) -> Self {
        Self {
            url,
            headers,
            http,
            asserts_type: false,
            attempts: attempts.max(1),
            client: ClientOptions::default(),
            guard: Guard::default(),
        }
    }

    pub(crate) fn name(&self) -> String {
        redacted(self.url.as_str())
    }

    pub(crate) fn engine_place(&self) -> Option<(Store, Path)> {
        let path = Path::from_url_path(self.url.path()).ok()?;
        let mut root = self.url.clone();
        root.set_path("");
        let mut again = root.clone();
        again.path_segments_mut().ok()?.pop_if_empty().extend(path.parts());
        if again != self.url {
            return None;
        }
        let mut client = self.client.clone();
        for (name, value) in &self.headers {
            client.add_header(name.as_str(), value.as_bytes()).ok()?;
        }
        let retry =
            RetryConfig { max_retries: self.attempts as usize - 1, ..RetryConfig::default() };
        let around = |http| self.guard.around(http);
        let store = HttpStore::open_through(root.as_str(), client, retry, around).ok()?;
        Some((Store::new(Arc::new(store)), path))
    }

    async fn send(
        &self,
        operation: &'static str,
        method: Method,
        headers: HeaderMap,
        body: Option<(&'static str, String)>,
    ) -> Result<HttpResponse> {
        let mut request = HttpRequest::new(match &body {
            Some((_, text)) => HttpRequestBody::from(text.clone()),
            None => HttpRequestBody::empty(),
        });
        *request.method_mut() = method;
        *request.uri_mut() = self.url.as_str().parse().map_err(|e: ::http::uri::InvalidUri| {
            Error::new(ErrorKind::Href, operation, self.name(), e.to_string())
        })?;
        request.extensions_mut().insert(ParsedUrl(self.url.clone()));
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(headers);
        if let Some((kind, _)) = body {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let reply = self.guard.execute(&self.http, request).await;
        let reply = reply.map_err(|error| transport(operation, &self.name(), &error))?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        Err(refused(operation, &self.name(), reply).await)
    }
}

fn transport(operation: &'static str, target: &str, error: &HttpError) -> Error {
    use holdall_store::ErrorKind as Store;
    let mut detail = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(e) = cause {
        let text = e.to_string();
        if !detail.contains(&text) {
            detail = format!("{detail}: {text}");
        }
        cause = e.source();
    }
    let (kind, passing) = match error.kind() {
        HttpErrorKind::Connect => (Store::Connection, true),
        HttpErrorKind::Timeout => (Store::Timeout, true),
        HttpErrorKind::Interrupted | HttpErrorKind::Request | HttpErrorKind::Decode => {
            (Store::Corrupt, true)
        }
        _ if detail.contains("certificate") => (Store::Connection, false),
        _ => (Store::Other, false),
    };
    let error = Error::from(holdall_store::Error::new(kind, operation, target, detail));
    if passing { error.passing() } else { error }
}

async fn refused(operation: &'static str, target: &str, reply: HttpResponse) -> Error {
    let status = reply.status();
    let wait = retry_after(reply.headers());
    let mut reason = Vec::new();
    let mut body = reply.into_body();
    while reason.len() < REASON_BYTES {
        match body.frame().await {
            Some(Ok(frame)) => {
                reason.extend_from_slice(frame.data_ref().map_or(&[][..], |d| &d[..]))
            }
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&reason[..reason.len().min(REASON_BYTES)]);
    let mut words = status.canonical_reason().unwrap_or_default().to_owned();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // A page for browsers says nothing in its first words.
    if !line.is_empty() && !line.starts_with('<') {
        words = format!("{words}: {}", line.chars().take(300).collect::<String>());
    }
    let error = Error::status_of(operation, target, status.as_u16(), &words).with_retry_after(wait);
    let denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if denied && text.contains("EULA") {
        return error.with_hint(
            "the data centre asks for an agreement (EULA) first: accept it in your profile at \
             https://urs.earthdata.nasa.gov",
        );
    }
    error
}

/// What `Retry-After` asks for: seconds, or a time.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.with_timezone(&Utc) - Utc::now()).to_std().unwrap_or_default())
}

pub(super) async fn open(source: &HttpSource, span: Span, version: Option<&str>) -> Result<Opened> {
    let mut headers = HeaderMap::new();
    if span != Span::default() {
        let end = span.end.map_or_else(String::new, |end| end.saturating_sub(1).to_string());
        let range = format!("bytes={}-{end}", span.start);
        headers.insert(RANGE, HeaderValue::from_str(&range).expect("digits"));
        if let Some(version) = version.and_then(|version| HeaderValue::from_str(version).ok()) {
            headers.insert(IF_RANGE, version);
        }
    }
    let reply = source.send("download", Method::GET, headers, None).await?;
    let (start, size) = match reply.status() {
        StatusCode::PARTIAL_CONTENT => content_range(reply.headers()).ok_or_else(|| {
            let detail = "the server sent a part of the file and does not say which";
            Error::new(ErrorKind::Integrity, "download", source.name(), detail).passing()
        })?,
        // Archives answer so for what they have to fetch from tapes, and the body says when (RFC 9110, 15.3.3).
        StatusCode::ACCEPTED => {
            let detail = "Accepted: the server does not have the file yet, ask again later";
            return Err(Error::status_of("download", &source.name(), 202, detail));
        }
        // What is there has bytes, or says that it has none.
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => {
            let detail = "the server has no content to send, which is not an empty file";
            let status = reply.status().as_u16();
            return Err(Error::status_of("download", &source.name(), status, detail));
        }
        _ => (0, length(reply.headers())),
    };
    let headers = reply.headers();
    let ranges = text(headers, ACCEPT_RANGES).is_none_or(|unit| unit != "none");
    let version = tag(headers, version).filter(|_| ranges).map(|tag| Version { tag, size });
    let media_type = text(headers, CONTENT_TYPE);
    let url = source.url.clone();
    let body = BodyDataStream::new(reply.into_body())
        .map(move |piece| {
            piece.map_err(|error| transport("download", &redacted(url.as_str()), &error))
        })
        .boxed();
    Ok(Opened { start, size, media_type, version, body })
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// What tells a version of a file from others, of the kind of `before`: a server may give a date with HEAD, and a tag with GET.
fn tag(headers: &HeaderMap, before: Option<&str>) -> Option<String> {
    // A weak tag or a date can hide a change, but a server that gives no better is asked with the date.
    let strong = || text(headers, ETAG).filter(|tag| !tag.starts_with("W/"));
    let date = || text(headers, LAST_MODIFIED);
    match before {
        Some(before) if before.starts_with('"') => strong(),
        Some(_) => date(),
        None => strong().or_else(date),
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Start and total length out of `bytes 5-9/10`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, total) = text.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// What a server says of a file. Where HEAD is refused (a URL signed for GET, an old server), the first byte is asked
/// for instead.
pub(super) async fn head(source: &HttpSource) -> Result<Head> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let error = match head_once(source).await {
            Ok(head) => return Ok(head),
            Err(error) => error,
        };
        if !error.is_retryable() || attempt >= source.attempts {
            return Err(error.after_attempts(attempt));
        }
        tokio::time::sleep(pause(attempt, error.retry_after())).await;
    }
}

async fn head_once(source: &HttpSource) -> Result<Head> {
    let head = |size: Option<u64>, headers: &HeaderMap| Head {
        size,
        media_type: text(headers, CONTENT_TYPE),
        tag: tag(headers, None),
        ..Head::default()
    };
    match source.send("head", Method::HEAD, HeaderMap::new(), None).await {
        Ok(reply) => Ok(head(length(reply.headers()), reply.headers())),
        Err(error) if matches!(error.status(), Some(401 | 403 | 405 | 501)) => {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
            match source.send("head", Method::GET, headers, None).await {
                Ok(reply) => {
                    let size = match reply.status() {
                        StatusCode::PARTIAL_CONTENT => {
                            content_range(reply.headers()).and_then(|r| r.1)
                        }
                        _ => length(reply.headers()),
                    };
                    Ok(head(size, reply.headers()))
                }
                // No byte can be asked for of an empty file.
                Err(error) if error.status() == Some(416) => {
                    Ok(Head { size: Some(0), ..Head::default() })
                }
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// The JSON document of a service, repeated after passing failures.
pub(crate) async fn read_json<T: DeserializeOwned>(
    source: &HttpSource,
    operation: &'static str,
) -> Result<T> {
    json(source, operation, Method::GET, None).await
}

/// The JSON answer to a form.
pub(crate) async fn post_json<T: DeserializeOwned>(
    source: &HttpSource,
    operation: &'static str,
    form: Option<&str>,
) -> Result<T> {
    let body = form.map(|form| ("application/x-www-form-urlencoded", form.to_owned()));
    json(source, operation, Method::POST, body).await
}

/// The JSON answer to a request with a body of a media type.
pub(crate) async fn json<T: DeserializeOwned>(
    source: &HttpSource,
    operation: &'static str,
    method: Method,
    body: Option<(&'static str, String)>,
) -> Result<T> {
    let data = answer(source, operation, method, body).await?;
    serde_json::from_slice(&data).map_err(|error| {
        let detail = format!("the answer is not the JSON that was expected: {error}");
        Error::new(ErrorKind::Document, operation, source.name(), detail)
    })
}

/// The whole answer to a request, repeated after passing failures.
pub(crate) async fn answer(
    source: &HttpSource,
    operation: &'static str,
    method: Method,
    body: Option<(&'static str, String)>,
) -> Result<Bytes> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let sent = source.send(operation, method.clone(), HeaderMap::new(), body.clone()).await;
        let read = match sent {
            Ok(reply) => match reply.into_body().collect().await {
                Ok(body) => Ok(body.to_bytes()),
                Err(error) => Err(transport(operation, &source.name(), &error)),
            },
            Err(error) => Err(error),
        };
        match read {
            Ok(data) => return Ok(data),
            Err(error) if error.is_retryable() && attempt < source.attempts => {
                tokio::time::sleep(pause(attempt, error.retry_after())).await;
            }
            Err(error) => return Err(error.after_attempts(attempt)),
        }
    }
}
