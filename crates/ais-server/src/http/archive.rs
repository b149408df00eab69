//! Reading members of archives, and appending to archives.

use std::io;

use bytes::Bytes;
use holdall_ais_wire::{header, query};
use holdall_archive::MatchMode;
use http::header::{CONTENT_TYPE, RANGE};
use tokio::sync::mpsc;

use super::reply::{ok, set};
use super::{Body, Input, Reply, Request};
use crate::engine::Bucket;
use crate::engine::archive::{IfPresent, PutMember};
use crate::error::{Error, Result};

/// Pieces of a body that wait to be written.
const WAITING: usize = 8;

/// What a request says of members.
struct Asked<'a> {
    path: &'a str,
    mime: &'a str,
    /// How to match, and what.
    pattern: Option<(MatchMode, &'a str)>,
}

impl<'a> Asked<'a> {
    /// None when the request is about the object. Clients send empty parameters, which mean nothing.
    fn new(request: &'a Request) -> Result<Option<Self>> {
        let params = &request.params;
        let wrong = |name: &str, reason: &str| {
            let value = params.get(name);
            Error::invalid(format!("dpq: '{name}={value}', err: {reason}"))
        };
        let path = params.get(query::ARCHPATH);
        let mime = params.get(query::ARCHMIME);
        let (mode, text) = (params.get(query::ARCHMODE), params.get(query::ARCHREGX));
        let many = params.has(query::ARCHMODE) && !(mode.is_empty() && text.is_empty());
        let parsed = mode.parse().map_err(|error: holdall_archive::UnknownMatchMode| {
            wrong(query::ARCHMODE, &error.to_string())
        })?;
        if many && !path.is_empty() {
            let reason = "dpq: archpath=\"archpath\" (match one) and archregx=\"archregx\" (match many) are mutually exclusive";
            return Err(wrong(query::ARCHMODE, reason));
        }
        if !many && path.is_empty() {
            return Ok(None);
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let leads_out = path.split('/').any(|part| part == "." || part == "..");
        if leads_out || path.contains('\0') {
            return Err(wrong(query::ARCHPATH, &format!("invalid archpath {path:?}")));
        }
        Ok(Some(Self { path, mime, pattern: many.then_some((parsed, text)) }))
    }
}

/// Answers a GET that asks for members; none when it asks for the object.
pub(crate) async fn get(request: &Request, bucket: &Bucket, name: &str) -> Result<Option<Reply>> {
    let Some(Asked { path, mime, pattern }) = Asked::new(request)? else { return Ok(None) };
    let range = request.header(RANGE.as_str());
    if !range.is_empty() {
        let what = match pattern {
            Some((mode, text)) => format!("(archregx={text}, archmode={mode})"),
            None => format!("(archpath={path})"),
        };
        // AIStore says "unsupported" with this status.
        return Err(Error::invalid(format!(
            "cannot range-read archived content range: {range}, arch query: {what} - operation not supported"
        ))
        .with_code("ErrUnsupp"));
    }
    let mut reply = ok();
    let engine = &request.engine;
    match pattern {
        Some((mode, text)) => {
            let stream = engine.open_selected(bucket, name, mime, mode, text).await?;
            set(&mut reply, CONTENT_TYPE, holdall_archive::Format::Tar.content_type());
            *reply.body_mut() = Body::stream(stream, None);
        }
        None => {
            let member = engine.open_member(bucket, name, mime, path).await?;
            set(&mut reply, CONTENT_TYPE, "application/octet-stream");
            *reply.body_mut() = Body::stream(member.stream, Some(member.size));
        }
    }
    Ok(Some(reply))
}

/// Answers a PUT that appends to an archive; none when it writes the object.
pub(crate) async fn put(
    request: &mut Request,
    bucket: &Bucket,
    name: &str,
) -> Result<Option<Reply>> {
    let Some(Asked { path, mime, pattern: None }) = Asked::new(request)? else { return Ok(None) };
    let fail = |reason: &str| {
        Error::invalid(format!("failed to archive {}/{name}: {reason}", bucket.bck()))
    };
    let flags = request.header(header::PUT_ARCHIVE);
    let append = match flags {
        "" | "0" => IfPresent::Replace,
        "1" => IfPresent::Existing,
        flags if flags.parse::<i64>().is_ok() => IfPresent::IfExists,
        flags => return Err(fail(&format!("invalid flags {flags:?} in the request"))),
    };
    // The path may begin with the archive's name.
    let path = path.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    let size = request.body.len().filter(|size| *size > 0);
    let size = size.ok_or_else(|| fail("missing \"Content-Length\" in the request"))?;
    let member = PutMember { path: path.to_owned(), size, mime: mime.to_owned(), append };
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let content = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let engine = request.engine.clone();
    let writing = engine.put_member(bucket, name, member, content);
    let (result, ()) = tokio::join!(writing, pass_on(&mut request.body, sender));
    result?;
    Ok(Some(ok()))
}

/// Sends the body on, until its end or until nobody wants it.
async fn pass_on(body: &mut Input, to: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let next = match body.next().await {
            Ok(None) => return,
            Ok(Some(bytes)) => Ok(bytes),
            Err(error) => Err(error.into()),
        };
        let failed = next.is_err();
        if to.send(next).await.is_err() || failed {
            return;
        }
    }
}
