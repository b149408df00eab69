//! A request, taken apart.

use std::net::SocketAddr;
use std::sync::Arc;

use holdall_ais_wire::action::ActMsg;
use holdall_ais_wire::bucket::{Bck, Namespace, Provider};
use holdall_ais_wire::name::check_bucket;
use holdall_ais_wire::query;
use holdall_ais_wire::value::truthy;
use http::header::AsHeaderName;
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::body::Input;
use crate::engine::{Bucket, Engine};
use crate::error::{Error, Result};

/// Most bytes of a control message: lists of names may be long.
pub(crate) const MAX_MESSAGE: usize = 64 << 20;

/// Parameters of a query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    fn parse(query: &str) -> Result<Self> {
        let decode = |text: &str| {
            check_escapes(text)?;
            let text = text.replace('+', " ");
            let decoded = percent_decode_str(&text).decode_utf8();
            decoded
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| Error::invalid("the query is not UTF-8"))
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        });
        pairs.collect::<Result<_>>().map(Self)
    }

    /// Names and values of a query; none of one that cannot be read.
    pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
        Self::parse(query).unwrap_or_default().0
    }

    /// The parameter, as text; empty when it is missing. Clients send empty ones for missing ones.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether the parameter is there, be it empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// All parameters but these.
    pub(crate) fn others<'a>(
        &'a self,
        known: &'a [&str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        all.filter(move |(key, _)| !known.contains(key))
    }

    /// The parameter as a boolean.
    pub(crate) fn flag(&self, name: &str) -> bool {
        truthy(self.get(name))
    }

    /// The bucket of this name that the parameters say.
    pub(crate) fn bck(&self, name: &str) -> Result<Bck> {
        let provider = self.get(query::PROVIDER);
        let provider: Provider = provider.parse().map_err(|_| invalid_provider(provider))?;
        if !name.is_empty() {
            check_bucket(name)?;
        }
        Ok(Bck {
            name: name.to_owned(),
            provider,
            namespace: Namespace::parse(self.get(query::NAMESPACE)),
        })
    }

    /// The destination bucket (and object) of a parameter that holds a unique name.
    pub(crate) fn uname(&self, name: &str) -> Result<(Bck, String)> {
        let text = self.get(name);
        if text.is_empty() {
            return Err(Error::invalid(format!("missing \"{name}\" query parameter")));
        }
        Bck::parse_uname(text).map_err(|e| Error::invalid(e.to_string()))
    }
}

fn invalid_provider(provider: &str) -> Error {
    Error::invalid(format!(
        "invalid backend provider \"{provider}\": must be one of [ais, aws (s3://), gcp (gs://), azure (az://), oci (oc://)]"
    ))
    .with_code("ErrInvalidBackendProvider")
}

fn check_escapes(text: &str) -> Result<()> {
    let bytes = text.as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%') {
        let digits =
            bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        if !digits {
            return Err(Error::invalid(format!("invalid URL escape in {text:?}")));
        }
    }
    Ok(())
}

/// A request.
pub(crate) struct Request {
    /// The server.
    pub(crate) engine: Arc<Engine>,
    /// Method.
    pub(crate) method: Method,
    /// The decoded path, such as `/v1/buckets/b`.
    pub(crate) path: String,
    /// Parameters.
    pub(crate) params: Params,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// Body.
    pub(crate) body: Input,
    /// Who asks.
    pub(crate) remote: SocketAddr,
    /// The path and query as they came.
    pub(crate) target: String,
    /// Whether the connection is encrypted.
    pub(crate) tls: bool,
}

impl Request {
    pub(super) fn new(
        engine: Arc<Engine>,
        parts: Parts,
        body: Input,
        (remote, tls): (SocketAddr, bool),
    ) -> Result<Self> {
        let raw = parts.uri.path();
        check_escapes(raw)?;
        let target = parts.uri.path_and_query().map_or(raw, |target| target.as_str()).to_owned();
        let path = percent_decode_str(raw).decode_utf8();
        let path = path.map_err(|_| Error::invalid("the path is not UTF-8"))?.into_owned();
        let params = Params::parse(parts.uri.query().unwrap_or_default())?;
        // AIStore dropped this provider: it is there only for servers that were told so.
        let ht = Provider::Ht.as_str();
        if params.get(query::PROVIDER) == ht && !engine.backends().has(Provider::Ht) {
            return Err(invalid_provider(ht));
        }
        Ok(Self {
            engine,
            method: parts.method,
            path,
            params,
            headers: parts.headers,
            body,
            remote,
            target,
            tls,
        })
    }

    /// A header as text; empty when it is missing or no text.
    pub(crate) fn header(&self, name: impl AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let body = self.body.all(MAX_MESSAGE).await?;
        self.parse(&body)
    }

    /// The body as JSON, or none when it is empty.
    pub(crate) async fn json_or_none<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let body = self.body.all(MAX_MESSAGE).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        self.parse(&body).map(Some)
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T> {
        let ours = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
        let failed = |reason: &dyn std::fmt::Display| {
            Error::invalid(format!("failed to unmarshal [{ours}] ({}), err: {reason}", self.method))
        };
        // Lists would be read as structs, too.
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => Err(failed(&"EOF")),
            Some(b'{') => serde_json::from_slice(body).map_err(|e| failed(&e).with_source(e)),
            Some(_) => Err(failed(&"expecting a JSON object")),
        }
    }

    /// The body as an action message.
    pub(crate) async fn action(&mut self) -> Result<ActMsg> {
        self.json().await
    }

    /// The bucket of this name; an error when there is none.
    pub(crate) fn bucket(&self, name: &str) -> Result<Bucket> {
        let bck = self.params.bck(name)?;
        self.engine.bucket(&bck)
    }
}

/// The value of an action as a `T`.
///
/// # Errors
///
/// When it is none.
pub(crate) fn value<T: DeserializeOwned + Default>(message: &ActMsg) -> Result<T> {
    message.value_as().map_err(|e| {
        Error::invalid(format!("failed to unmarshal the value of \"{}\", err: {e}", message.action))
            .with_source(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn queries() {
        let params =
            Params::parse("a=1&b=x%20y+z&c&keep=True&provider=s3&namespace=%40u%23n").unwrap();
        assert_eq!((params.get("a"), params.get("b"), params.get("c")), ("1", "x y z", ""));
        assert!(params.has("c") && !params.has("d") && params.flag("keep"));
        let bck = params.bck("b").unwrap();
        assert_eq!(bck.cname(), "s3://@u#n/b");
        for bad in ["a=%", "a=%2", "%zz=1", "a=%ff"] {
            assert!(Params::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn queries_never_panic(text in "\\PC{0,60}") {
            let _ = Params::parse(&text);
        }
    }
}
