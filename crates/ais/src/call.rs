//! One request, and its reply.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use holdall_ais_wire::action::ActMsg;
use holdall_ais_wire::{Bck, query};
use holdall_store::object_store::PutPayload;
use holdall_store::object_store::client::{HttpResponse, HttpResponseBody};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::{Url, form_urlencoded};

use crate::error::{Error, ErrorKind, Result};

/// Characters of object names that go into paths as they are.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An object's name as it is written in a path: percent-encoded but for slashes.
pub fn encode_path(name: &str) -> String {
    utf8_percent_encode(name, PATH).to_string()
}

/// A request that is not sent yet.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    /// What errors name: `ais://bucket/object`.
    pub(crate) target: String,
    pub(crate) method: Method,
    /// Encoded, from `/v1` on.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: PutPayload,
    /// Whether the body is content of an object, which proxies do not take.
    pub(crate) is_data: bool,
    /// Whether a repetition does no harm.
    pub(crate) idempotent: bool,
    /// The object, of a read that targets answer too.
    pub(crate) object: Option<(Bck, String)>,
    /// Silence to bear in place of the client's.
    pub(crate) timeout: Option<Duration>,
    /// The node to ask in place of the client's endpoint.
    pub(crate) endpoint: Option<Url>,
}

impl Call {
    pub(crate) fn new(
        operation: &'static str,
        target: impl Into<String>,
        method: Method,
        path: impl Into<String>,
    ) -> Self {
        let idempotent = matches!(method, Method::GET | Method::HEAD | Method::PUT);
        Self {
            operation,
            target: target.into(),
            method,
            path: path.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: PutPayload::new(),
            is_data: false,
            idempotent,
            object: None,
            timeout: None,
            endpoint: None,
        }
    }

    pub(crate) fn query(mut self, key: &str, value: impl Into<String>) -> Self {
        self.query.push((key.to_owned(), value.into()));
        self
    }

    /// Names the bucket: its provider, and its namespace where it has one.
    pub(crate) fn bck(mut self, bck: &Bck) -> Self {
        self.query.extend(bck_query(bck));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let value = HeaderValue::from_str(value).map_err(|_| {
            let detail = format!("the value of header {name} cannot be sent");
            Error::new(ErrorKind::InvalidArgument, self.operation, self.target.clone(), detail)
        })?;
        self.headers.append(name, value);
        Ok(self)
    }

    pub(crate) fn body(mut self, body: impl Into<PutPayload>) -> Self {
        self.body = body.into();
        self
    }

    /// Content of an object as the body.
    pub(crate) fn data(mut self, body: impl Into<PutPayload>) -> Self {
        self.body = body.into();
        self.is_data = true;
        self
    }

    /// A message as the body.
    pub(crate) fn json(self, message: &impl Serialize) -> Self {
        let text = serde_json::to_vec(message).expect("messages have string keys");
        self.body(Bytes::from(text))
    }

    /// An action message as the body.
    pub(crate) fn action(self, action: &str, value: &impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("messages have string keys");
        self.json(&ActMsg::new(action, value))
    }

    pub(crate) fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// A read that targets answer too.
    pub(crate) fn read_of(mut self, bck: &Bck, object: &str) -> Self {
        self.object = Some((bck.clone(), object.to_owned()));
        self
    }

    pub(crate) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), self.path));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }

    /// The same, as it is sent.
    pub(crate) fn uri(&self, base: &Url) -> Result<Uri> {
        let is_plain = base.query().is_none() && base.fragment().is_none();
        let text = match is_plain && is_written_out(&self.path) {
            true => self.written(base),
            false => self.url(base).into(),
        };
        Uri::from_maybe_shared(Bytes::from(text)).map_err(|e| {
            let detail = format!("{} cannot be requested: {e}", self.path);
            self.error(ErrorKind::InvalidArgument, detail)
        })
    }

    /// Path and parameters behind the URL of a node.
    fn written(&self, base: &Url) -> String {
        let base = base.as_str().trim_end_matches('/');
        let mut text = String::with_capacity(base.len() + self.path.len() + 64);
        text.push_str(base);
        text.push_str(&self.path);
        if self.query.is_empty() {
            return text;
        }
        text.push('?');
        let start = text.len();
        form_urlencoded::Serializer::for_suffix(text, start).extend_pairs(&self.query).finish()
    }

    pub(crate) fn error(&self, kind: ErrorKind, detail: impl Into<String>) -> Error {
        Error::new(kind, self.operation, self.target.clone(), detail)
    }
}

/// Whether a URL parser would leave a path as it is: nothing to encode, no segments of dots.
fn is_written_out(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_~.%".contains(&byte);
    let has_dots = || ["/.", "%2e", "%2E"].into_iter().any(|dots| path.contains(dots));
    path.starts_with('/') && path.bytes().all(plain) && !has_dots()
}

/// The query parameters that name a bucket.
pub fn bck_query(bck: &Bck) -> Vec<(String, String)> {
    let mut pairs = vec![(query::PROVIDER.to_owned(), bck.provider.as_str().to_owned())];
    if !bck.namespace.is_global() {
        pairs.push((query::NAMESPACE.to_owned(), bck.namespace.uname()));
    }
    pairs
}

/// What comes before the body of a reply.
#[derive(Debug, Clone)]
pub struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
    pub(crate) uri: Uri,
    pub(crate) operation: &'static str,
    pub(crate) target: String,
}

impl Head {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Takes the headers out.
    pub fn into_headers(self) -> HeaderMap {
        self.headers
    }

    /// A header's text; none if it is missing or no text.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.headers.get(name.as_ref())?.to_str().ok()
    }

    /// The URL that answered, after redirects.
    pub fn url(&self) -> &Uri {
        &self.uri
    }
}

/// A reply whose head has come.
#[derive(Debug)]
pub struct Response {
    pub(crate) head: Head,
    pub(crate) body: HttpResponseBody,
}

impl Response {
    pub(crate) fn of(call: &Call, uri: Uri, reply: HttpResponse) -> Self {
        let (parts, body) = reply.into_parts();
        let head = Head {
            status: parts.status,
            headers: parts.headers,
            extensions: parts.extensions,
            uri,
            operation: call.operation,
            target: call.target.clone(),
        };
        Self { head, body }
    }

    /// What came before the body.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.head.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// A header's text; none if it is missing or no text.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.head.header(name)
    }

    /// The head, and the whole body.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn whole(self) -> Result<(Head, Bytes)> {
        let Self { head, body } = self;
        match body.bytes().await {
            Ok(all) => Ok((head, all)),
            Err(error) => Err(Error::transport(head.operation, &head.target, error)),
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn bytes(self) -> Result<Bytes> {
        Ok(self.whole().await?.1)
    }

    /// The whole body as text, which in AIStore's replies is the id of a job.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn text(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes().await?).trim().to_owned())
    }

    /// The whole body, read as JSON.
    ///
    /// # Errors
    /// When it breaks off or is something else.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let (head, body) = self.whole().await?;
        serde_json::from_slice(&body).map_err(|e| {
            let detail = format!("the reply is not what was expected: {e}");
            Error::new(ErrorKind::Corrupt, head.operation, head.target, detail)
        })
    }

    /// The body as it comes in.
    pub fn stream(self) -> BoxStream<'static, Result<Bytes>> {
        self.split().1
    }

    /// The head, and the body as it comes in.
    pub fn split(self) -> (Head, BoxStream<'static, Result<Bytes>>) {
        let (operation, target) = (self.head.operation, self.head.target.clone());
        let body = self.body.bytes_stream();
        let body = body.map_err(move |e| Error::transport(operation, &target, e)).boxed();
        (self.head, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdall_ais_wire::Namespace;

    #[test]
    fn names_and_namespaces_are_encoded() {
        let bck =
            Bck { namespace: Namespace { uuid: "U".into(), name: "N".into() }, ..Bck::ais("b") };
        let path = format!("/v1/objects/b/{}", encode_path("dir/a b#1?%25\\ü"));
        let call = Call::new("get", "", Method::GET, path).bck(&bck);
        let base = Url::parse("http://h:1/prefix/").unwrap();
        let written = "http://h:1/prefix/v1/objects/b/dir/a%20b%231%3F%2525%5C%C3%BC?provider=ais&namespace=%40U%23N";
        assert_eq!(call.url(&base).as_str(), written);
        assert_eq!(call.uri(&base).unwrap(), written);
    }

    #[test]
    fn what_is_sent_is_what_a_parser_of_urls_makes_of_it() {
        let base = Url::parse("http://h:1").unwrap();
        for path in
            ["/v1/a", "/v1/a//b/", "/v1/a/../b", "/v1/a/%2E%2e/b", "/v1/.a", "/v1/a b\"{é", "/v1/%"]
        {
            let call = Call::new("get", "", Method::GET, path).query("a b", "c&d=é");
            assert_eq!(call.uri(&base).unwrap(), call.url(&base).as_str(), "{path}");
        }
    }
}
