//! Where transformers fetch objects and deliver results: a listener of its own on the loopback address.
//!
//! Its paths begin with `/v1/etl/_object/NAME/SECRET/`, as in AIStore; the secret is the ETL's own and lives as long as the
//! server. Objects are fetched by their unique name. Results are delivered under a word that stands for one try of one
//! object: what comes late, or twice, has nowhere to go.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use futures::StreamExt as _;
use holdall_ais_wire::Bck;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

use super::Allowed;
use super::transform::Streamed;
use crate::engine::pour::pour;
use crate::engine::random;
use crate::engine::writer::Sealed;
use crate::engine::{Bucket, PutOptions, Work as _};
use crate::error::{Error, ErrorKind, Result};

type Reply = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// Results that are expected.
#[derive(Default)]
pub(super) struct Deliveries(Mutex<HashMap<String, Expected>>);

struct Expected {
    etl: String,
    bucket: Bucket,
    name: String,
    sealed: Option<Sealed>,
}

/// A result that is expected as long as this lives.
pub(super) struct Delivery {
    allowed: Arc<Allowed>,
    token: String,
}

impl Delivery {
    /// Expects a result for this object from this ETL.
    pub(super) fn expect(
        allowed: &Arc<Allowed>,
        etl: &str,
        bucket: &Bucket,
        name: &str,
    ) -> Result<Self> {
        let token = random::word()?;
        let expected = Expected {
            etl: etl.to_owned(),
            bucket: bucket.clone(),
            name: name.to_owned(),
            sealed: None,
        };
        allowed.deliveries.all().insert(token.clone(), expected);
        Ok(Self { allowed: Arc::clone(allowed), token })
    }

    /// The word that stands for it.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// What came, if it did.
    pub(super) fn take(&self) -> Option<Sealed> {
        self.allowed.deliveries.all().remove(&self.token)?.sealed
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let expected = self.allowed.deliveries.all().remove(&self.token);
        drop(expected);
    }
}

impl Deliveries {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Expected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers transformers, as long as the server lives.
pub(super) async fn serve(allowed: Weak<Allowed>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let allowed = Weak::clone(&allowed);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let allowed = Weak::clone(&allowed);
                async move { Ok::<_, Infallible>(answer(allowed, request).await) }
            });
            // Transformers that go away are what the supervisor looks after.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(allowed: Weak<Allowed>, request: Request<Incoming>) -> Reply {
    let Some(allowed) = allowed.upgrade() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the server ends");
    };
    match route(&allowed, request).await {
        Ok(reply) => reply,
        Err(error) => {
            let status =
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            text(status, error.message())
        }
    }
}

async fn route(allowed: &Arc<Allowed>, request: Request<Incoming>) -> Result<Reply> {
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix("/v1/etl/_object/").unwrap_or_default();
    let mut parts = rest.splitn(3, '/');
    let (name, secret, what) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let known = allowed.known().get(name).cloned();
    if !known.is_some_and(|etl| etl.is_secret(secret)) {
        return Err(Error::new(ErrorKind::Forbidden, "unrecognized request source"));
    }
    match *request.method() {
        Method::GET | Method::HEAD => fetch(allowed, request.method() == Method::HEAD, what).await,
        Method::PUT => deliver(allowed, name, what, request.into_body()).await,
        _ => Err(Error::new(ErrorKind::Method, "GET, HEAD, PUT")),
    }
}

async fn fetch(allowed: &Allowed, head: bool, uname: &str) -> Result<Reply> {
    let uname = percent_decode_str(uname.trim_start_matches('/')).decode_utf8();
    let uname = uname.map_err(|_| Error::invalid("the object's name is not UTF-8"))?;
    let (bck, object): (Bck, String) =
        Bck::parse_uname(&uname).map_err(|e| Error::invalid(e.to_string()))?;
    let engine = allowed.engine()?;
    let bucket = engine.bucket(&bck)?;
    let (meta, content) = engine.open(&bucket, &object).await?;
    let body = if head {
        empty()
    } else {
        let stream = content.stream(0..meta.size).map(|piece| piece.map(Frame::data));
        StreamBody::new(stream).boxed_unsync()
    };
    let mut reply = Response::new(body);
    reply.headers_mut().insert(http::header::CONTENT_LENGTH, meta.size.into());
    let octets = http::HeaderValue::from_static("application/octet-stream");
    reply.headers_mut().insert(http::header::CONTENT_TYPE, octets);
    Ok(reply)
}

async fn deliver(allowed: &Arc<Allowed>, etl: &str, token: &str, body: Incoming) -> Result<Reply> {
    let token = token.trim_start_matches('/');
    let late =
        || Error::not_found("nobody expects this result: it came too late, or it came before");
    let (bucket, name) = {
        let all = allowed.deliveries.all();
        let expected = all.get(token).filter(|expected| expected.etl == etl).ok_or_else(late)?;
        (expected.bucket.clone(), expected.name.clone())
    };
    let engine = allowed.engine()?;
    let pieces = body.into_data_stream().map(|piece| {
        piece.map_err(|e| Error::invalid("the result ended before it was whole").with_source(e))
    });
    let begin = {
        let engine = Arc::clone(&engine);
        move || engine.write_blocking(&bucket, &name, PutOptions::default())
    };
    let writer = pour(&mut Streamed(pieces), begin).await?;
    let sealed = engine.blocking(|_| writer.seal()).await?;
    let mut all = allowed.deliveries.all();
    let Some(expected) = all.get_mut(token) else {
        drop(all);
        return Err(late());
    };
    // The last one counts: a transformer that tries again has not heard of its first success.
    let before = expected.sealed.replace(sealed);
    drop(all);
    drop(before);
    Ok(Response::new(empty()))
}

fn empty() -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::default().map_err(|never| match never {}).boxed_unsync()
}

fn text(status: StatusCode, text: &str) -> Reply {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes())).map_err(|never| match never {});
    let mut reply = Response::new(body.boxed_unsync());
    *reply.status_mut() = status;
    reply
}
