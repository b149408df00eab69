//! Requests in the words of the protocol, for callers that speak it themselves.

use std::time::Duration;

use holdall_ais_wire::{Bck, Namespace, query};
use holdall_store::object_store::PutPayload;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::call::Call;

/// Where objects are.
const OBJECTS: &str = "/v1/objects/";

/// A request that is not sent yet.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method of HTTP.
    pub method: Method,
    /// Encoded, from `/v1` on.
    pub path: String,
    /// Parameters, not encoded.
    pub query: Vec<(String, String)>,
    /// Headers; the token, the length and, unless it is given, the type of the content are added.
    pub headers: HeaderMap,
    /// The body: content of an object where an object is put, and sent once then; a message elsewhere.
    pub body: PutPayload,
    /// Silence to bear in place of the client's.
    pub timeout: Option<Duration>,
    /// The node to ask in place of the client's endpoint.
    pub endpoint: Option<Url>,
}

impl Request {
    /// A request without a body. `path` is encoded and relative to `/v1/`, unless it begins with a slash.
    pub fn new(method: Method, path: &str) -> Self {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/v1/{path}"),
        };
        Self {
            method,
            path,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: PutPayload::new(),
            timeout: None,
            endpoint: None,
        }
    }

    fn parameter(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether the path is that of an object.
    pub fn is_of_object(&self) -> bool {
        self.path.strip_prefix(OBJECTS).is_some_and(|rest| rest.contains('/'))
    }

    /// The object that the path and the query name.
    pub fn object(&self) -> Option<(Bck, String)> {
        let (bucket, name) = self.path.strip_prefix(OBJECTS)?.split_once('/')?;
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Into::into);
        let provider = self.parameter(query::PROVIDER).unwrap_or("ais").parse().ok()?;
        let namespace = self.parameter(query::NAMESPACE).map(Namespace::parse).unwrap_or_default();
        Some((Bck { name: decode(bucket)?, provider, namespace }, decode(name)?))
    }

    /// What errors call it: what is done, and to what.
    pub fn describe(&self) -> (&'static str, String) {
        (self.operation(), self.target(self.object().as_ref()))
    }

    fn operation(&self) -> &'static str {
        match (&self.method, self.path.starts_with(OBJECTS)) {
            (&Method::GET, true) => "get",
            (&Method::PUT, true) => "put",
            (&Method::HEAD, true) => "head",
            (&Method::DELETE, true) => "delete",
            _ => "request",
        }
    }

    fn target(&self, object: Option<&(Bck, String)>) -> String {
        match object {
            Some((bck, name)) => format!("{bck}/{name}"),
            None => format!("{} {}", self.method, self.path),
        }
    }

    pub(crate) fn call(self) -> Call {
        let object = self.object();
        let (operation, target) = (self.operation(), self.target(object.as_ref()));
        // A repetition would append twice.
        let appends = self.parameter(query::APPEND_TYPE).is_some();
        let mut call = Call::new(operation, target, self.method, self.path).body(self.body);
        let reads = matches!(call.method, Method::GET | Method::HEAD);
        call.is_data = call.method == Method::PUT && object.is_some();
        call.object = object.filter(|_| reads);
        call.idempotent &= !appends;
        call.query = self.query;
        call.headers = self.headers;
        call.timeout = self.timeout;
        call.endpoint = self.endpoint;
        call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_of_a_request() {
        let mut request = Request::new(Method::GET, "objects/b/dir/a%20b");
        request.query.push(("provider".into(), "aws".into()));
        let (bck, name) = request.object().unwrap();
        assert_eq!((bck.cname().as_str(), name.as_str()), ("s3://b", "dir/a b"));
        assert_eq!(request.describe(), ("get", "s3://b/dir/a b".to_owned()));
        assert_eq!(Request::new(Method::GET, "objects/b").object(), None);
        assert_eq!(Request::new(Method::PUT, "/other").path, "/other");
    }

    #[test]
    fn an_append_is_not_repeated() {
        let mut request = Request::new(Method::PUT, "objects/b/o");
        assert!(request.clone().call().idempotent);
        request.query.push((query::APPEND_TYPE.into(), "append".into()));
        assert!(!request.call().idempotent);
    }
}
