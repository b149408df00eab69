//! HTTP in and out: routes, parsing, headers, error JSON.
//!
//! A handler takes a [`Request`] and returns a [`Reply`] or an [`Error`](crate::Error); [`handle`] makes errors JSON.

mod access;
mod archive;
mod authn;
mod body;
mod buckets;
mod cluster;
mod etl;
mod faults;
mod list;
mod ml;
mod multi;
mod objects;
mod range;
mod remote;
mod reply;
mod request;
mod s3;
mod sort;
mod summary;
mod ui;

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;

pub(crate) use body::{Body, Input};
pub(crate) use reply::Reply;
pub(crate) use request::Request;

use crate::engine::{Engine, Severity};
use crate::error::{Error, Result};

/// Most bytes of a refused request's body that are read, to keep the connection.
const MAX_LEFT: usize = 1 << 20;

/// What a listener answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// The API of the cluster, and AuthN where it has no port of its own.
    Both,
    /// The API of the cluster.
    Cluster,
    /// AuthN.
    Authn,
}

/// Answers a request.
pub(crate) async fn handle(
    engine: Arc<Engine>,
    face: Face,
    request: http::Request<Incoming>,
    remote: SocketAddr,
    tls: bool,
) -> Reply {
    let (mut parts, body) = request.into_parts();
    let Some(plan) = engine.faults() else {
        return answer(engine, face, (parts, body), remote, tls).await;
    };
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let about = reply::About {
        method,
        path,
        remote: remote.to_string(),
        node: format!("t[{}]", engine.target_id()),
    };
    let mut planned = faults::Planned::of(plan, &parts);
    if let Err(refusal) = planned.before(&mut parts).await {
        let (body, left) = Input::new(body);
        drop(body);
        left.drain(MAX_LEFT).await;
        return in_place(about, refusal);
    }
    let reply = answer(engine, face, (parts, body), remote, tls).await;
    planned.after(reply).unwrap_or_else(|refusal| in_place(about, refusal))
}

/// The reply that a fault puts in the place of an answer, in the words of the face that was asked.
fn in_place(about: reply::About, refusal: faults::Refusal) -> Reply {
    let said = if s3::is_path(&about.path) {
        let is_head = about.method == http::Method::HEAD;
        s3::refuse(&about.path, is_head, Error::internal(refusal.text()))
    } else {
        reply::error_as(about, &Error::internal(refusal.text()), refusal.status())
    };
    refusal.finish(said)
}

async fn answer(
    engine: Arc<Engine>,
    face: Face,
    (parts, body): (http::request::Parts, Incoming),
    remote: SocketAddr,
    tls: bool,
) -> Reply {
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let asked = Arc::clone(&engine);
    let (body, left) = Input::new(body);
    let of_s3 = face != Face::Authn && s3::is_path(&path);
    let result = match Request::new(engine, parts, body, (remote, tls)) {
        Ok(request) if of_s3 => {
            let reply = s3::route(request).await;
            if reply.status().is_client_error() || reply.status().is_server_error() {
                left.drain(MAX_LEFT).await;
            }
            return reply;
        }
        Err(error) if of_s3 => {
            left.drain(MAX_LEFT).await;
            return s3::refuse(&path, method == http::Method::HEAD, error);
        }
        Ok(request) => route(request, face).await,
        Err(error) => Err(error),
    };
    let error = match result {
        Ok(reply) => return reply,
        Err(error) => error,
    };
    left.drain(MAX_LEFT).await;
    let status = error.status();
    if status == 500 || status > 501 {
        let (address, cause) = (remote.ip(), error.source().map(|cause| format!(" ({cause})")));
        let line = format!(
            "{method} {path} from {address}: {status} {error}{}",
            cause.unwrap_or_default()
        );
        asked.log().add(Severity::Error, line);
    } else {
        tracing::debug!(%method, path, status, %error, "request refused");
    }
    let identity = asked.identity();
    let node = if path.starts_with("/v1/objects") {
        format!("t[{}]", identity.target)
    } else if face != Face::Cluster && authn::is_ours(resource(&path).0) || face == Face::Authn {
        String::new()
    } else {
        format!("p[{}]", identity.proxy)
    };
    let path = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
    reply::error(reply::About { method, path, remote: remote.to_string(), node }, &error)
}

/// The second part of a path `/v1/RESOURCE/REST`, and the third.
fn resource(path: &str) -> (&str, &str) {
    let mut parts = path.trim_start_matches('/').splitn(3, '/').skip(1);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

async fn route(mut request: Request, face: Face) -> Result<Reply> {
    let path = request.path.clone();
    let version = path.trim_start_matches('/').split('/').next();
    let (resource, rest) = resource(&path);
    if face == Face::Authn {
        let resource = if version == Some("v1") { resource } else { "" };
        return authn::route(request, resource, rest).await;
    }
    if let Some(reply) = ui::welcome(&request) {
        return Ok(reply);
    }
    access::check(&mut request).await?;
    if version == Some("metrics") && resource.is_empty() {
        return cluster::metrics(&request);
    }
    if ui::is_path(&path) {
        return ui::route(request).await;
    }
    if version != Some("v1") {
        return Err(unknown(&request));
    }
    if resource == "objects" && request.method != http::Method::POST {
        // These tell nothing of jobs.
        return objects::route(request, rest).await;
    }
    let engine = Arc::clone(&request.engine);
    let reply = match resource {
        "objects" => objects::route(request, rest).await,
        "buckets" => buckets::route(request, rest).await,
        "health" => cluster::health(&request),
        "daemon" => cluster::daemon(&request),
        "cluster" => cluster::cluster(request).await,
        "etl" => etl::route(request, rest).await,
        "ml" => ml::route(request, rest).await,
        "sort" => sort::route(request, rest).await,
        "reverse" => cluster::reverse(&request, rest),
        // Clusters answer services about tokens, wherever AuthN is.
        "tokens" => authn::route(request, resource, rest).await,
        resource if face == Face::Both && authn::is_ours(resource) => {
            authn::route(request, resource, rest).await
        }
        _ => Err(unknown(&request)),
    };
    // What this tells of jobs has to be true after a kill, too.
    engine.jobs().committed().await;
    reply
}

fn unknown(request: &Request) -> Error {
    let Request { method, path, remote, .. } = request;
    Error::invalid(format!("invalid request URI: '{method} {path}' from {remote}"))
}

/// The error for a path with too few parts.
pub(crate) fn too_short(request: &Request, expected: usize) -> Error {
    let path = request.path.trim_start_matches('/');
    let have = path.split('/').filter(|part| !part.is_empty()).count();
    Error::invalid(format!("URL '{path}' is too short: expected {expected} items, got {have}"))
}

/// The reply for an error, for handlers that add something to it.
pub(crate) fn error_reply(request: &Request, error: &Error) -> Reply {
    let about = reply::About {
        method: request.method.clone(),
        path: request.path.clone(),
        remote: request.remote.to_string(),
        node: format!("t[{}]", request.engine.target_id()),
    };
    reply::error(about, error)
}
