//! `/v1/objects`: one file per kind of request.

mod act;
mod append;
mod get;
mod head;
mod multipart;
mod put;

pub(crate) use get::body as body_of;
pub(crate) use head::etag;
use holdall_ais_wire::header;
use holdall_ais_wire::name::check_object;
use http::Method;

use super::reply::{add, not_allowed, ok, set};
use super::{Reply, Request, too_short};
use crate::engine::{Bucket, Op};
use crate::error::{Error, Result};
use crate::storage::ObjectMeta;

const METHODS: &str = "DELETE, GET, HEAD, PATCH, POST, PUT";

pub(super) async fn route(request: Request, rest: &str) -> Result<Reply> {
    let (bucket, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (bucket, name) = (bucket.to_owned(), name.to_owned());
    // Promotion and downloads name the object in the message.
    let whole_bucket = request.method == Method::POST && !bucket.is_empty();
    if name.is_empty() && !whole_bucket {
        return Err(too_short(&request, 4));
    }
    if request.method == Method::POST {
        return act::post(request, &bucket, &name).await;
    }
    let bucket = super::remote::bucket(&request, &bucket).await?;
    check_object(&name)?;
    match request.method {
        Method::GET => get::get(request, &bucket, &name).await,
        Method::HEAD => head::head(&request, &bucket, &name).await,
        Method::PUT => put::put(request, &bucket, &name).await,
        Method::PATCH => act::patch(request, &bucket, &name).await,
        Method::DELETE => act::delete(request, &bucket, &name).await,
        Method::OPTIONS => {
            let mut reply = ok();
            set(&mut reply, http::header::ALLOW, METHODS);
            Ok(reply)
        }
        _ => Err(not_allowed(METHODS)),
    }
}

/// Names of headers, read when this is compiled: every reply of an object has them.
mod named {
    use holdall_ais_wire::header;
    use http::HeaderName;

    pub(super) const ATIME: HeaderName = HeaderName::from_static(header::ATIME);
    pub(super) const CHECKSUM_TYPE: HeaderName = HeaderName::from_static(header::CHECKSUM_TYPE);
    pub(super) const CHECKSUM_VALUE: HeaderName = HeaderName::from_static(header::CHECKSUM_VALUE);
    pub(super) const CUSTOM_MD: HeaderName = HeaderName::from_static(header::CUSTOM_MD);
    pub(super) const VERSION: HeaderName = HeaderName::from_static(header::VERSION);
}

/// The headers that tell of an object's checksum, access, version and custom properties.
fn set_object(reply: &mut Reply, meta: &ObjectMeta) {
    set(reply, named::ATIME, meta.atime.to_string());
    set_checksum(reply, meta);
    set_version(reply, meta);
    set_custom(reply, meta);
}

fn set_checksum(reply: &mut Reply, meta: &ObjectMeta) {
    if meta.checksum_type != "none" && !meta.checksum.is_empty() {
        set(reply, named::CHECKSUM_TYPE, &meta.checksum_type);
        set(reply, named::CHECKSUM_VALUE, &meta.checksum);
    }
}

fn set_version(reply: &mut Reply, meta: &ObjectMeta) {
    if meta.version > 0 {
        set(reply, named::VERSION, meta.version.to_string());
    } else if let Some(version) = remote_version(meta) {
        set(reply, named::VERSION, version);
    }
}

/// The version that a backend has given.
pub(super) fn remote_version(meta: &ObjectMeta) -> Option<&str> {
    meta.custom("source").and(meta.custom("version"))
}

fn set_custom(reply: &mut Reply, meta: &ObjectMeta) {
    for (key, value) in &meta.custom {
        add(reply, header::CUSTOM_MD, &format!("{key}={value}"));
    }
}

/// The entity tag that a backend has given.
fn set_etag(reply: &mut Reply, meta: &ObjectMeta) {
    if let Some(etag) = meta.custom("ETag") {
        set(reply, http::header::ETAG, etag);
    }
}

/// Counts an operation that failed, and passes the error on.
fn counted<T>(request: &Request, op: Op, result: Result<T>) -> Result<T> {
    if result.is_err() {
        request.engine.counters().failed(op);
    }
    result
}

/// Custom properties of the request's headers.
fn custom(request: &Request) -> Result<Vec<(String, String)>> {
    let mut custom = Vec::new();
    for value in request.headers.get_all(named::CUSTOM_MD) {
        let text = std::str::from_utf8(value.as_bytes());
        let text = text.map_err(|_| Error::invalid("a custom property is not UTF-8"))?;
        let (key, value) = text.split_once('=').ok_or_else(|| {
            Error::invalid(format!("invalid custom property \"{text}\": expecting key=value"))
        })?;
        custom.push((key.to_owned(), value.to_owned()));
    }
    Ok(custom)
}

/// The name of an object in messages.
fn cname(bucket: &Bucket, name: &str) -> String {
    format!("{}/{name}", bucket.bck())
}
