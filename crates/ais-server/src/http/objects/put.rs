//! PUT: write, append, a part of a multipart upload, or copy.

use std::time::Instant;

use holdall_ais_wire::query;
use http::StatusCode;
use http::header::LOCATION;

use super::head::base36;
use super::{append, counted, custom, multipart, named, set_etag, set_object};
use crate::engine::checksum::Checksum;
use crate::engine::pour::pour;
use crate::engine::{Bucket, Op, PutOptions, Work as _};
use crate::error::{Error, Result};
use crate::http::reply::{ok, set, status};
use crate::http::{Reply, Request, archive, etl, remote};
use crate::storage::ObjectMeta;

/// Bodies up to this length are read whole and written in one go.
pub(super) const SMALL: u64 = 1 << 20;

pub(super) async fn put(mut request: Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    if request.tls && !is_redirected(&request) {
        return redirect(&request);
    }
    if request.params.has(query::OBJECT_TO) {
        return copy(&request, bucket, name).await;
    }
    if let Some(reply) = archive::put(&mut request, bucket, name).await? {
        return Ok(reply);
    }
    if request.params.has(query::UPLOAD_ID) {
        return multipart::put(request, bucket, name).await;
    }
    if request.params.has(query::APPEND_TYPE) {
        return append::put(request, bucket, name).await;
    }
    let started = Instant::now();
    let result = write(&mut request, bucket, name).await;
    let meta = counted(&request, Op::Put, result)?;
    request.engine.counters().done(Op::Put, meta.size, started.elapsed());
    let mut reply = ok();
    set_object(&mut reply, &meta);
    set_etag(&mut reply, &meta);
    Ok(reply)
}

fn is_redirected(request: &Request) -> bool {
    request.params.has(query::PROXY_ID) && request.params.has(query::UNIX_TIME)
}

/// Sends the client here once more. Over HTTPS, clients of AIStore first ask where to, without the body that their
/// headers announce, and take every other answer for the result.
fn redirect(request: &Request) -> Result<Reply> {
    let host = request.header(http::header::HOST.as_str());
    let target = &request.target;
    let mark = if target.contains('?') { '&' } else { '?' };
    let (proxy, time) = (&request.engine.identity().proxy, base36(crate::engine::now()));
    let location = format!(
        "https://{host}{target}{mark}{}={proxy}&{}={time}",
        query::PROXY_ID,
        query::UNIX_TIME
    );
    let mut reply = status(StatusCode::TEMPORARY_REDIRECT);
    set(&mut reply, LOCATION, location);
    Ok(reply)
}

async fn write(request: &mut Request, bucket: &Bucket, name: &str) -> Result<ObjectMeta> {
    let options = PutOptions {
        checksum: checksum(request)?,
        custom: custom(request)?,
        ..PutOptions::default()
    };
    // What is here of a remote object says nothing of what is there.
    if let Some(sent) = options.checksum.as_ref().filter(|_| !bucket.is_remote())
        && let Some(present) = request.engine.find(bucket, name).await?
        && sent.matches(&present.checksum_type, &present.checksum)
    {
        // The same content is there: AIStore writes nothing, and keeps the version.
        request.body.drain().await?;
        return Ok(present);
    }
    if request.body.len().is_some_and(|len| len <= SMALL) {
        let content = request.body.all(SMALL as usize).await?;
        return request.engine.put(bucket, name, content, options).await;
    }
    stream(request, bucket, name, options).await
}

/// Writes a long body while it comes in.
async fn stream(
    request: &mut Request,
    bucket: &Bucket,
    name: &str,
    options: PutOptions,
) -> Result<ObjectMeta> {
    let (engine, bucket, name) = (request.engine.clone(), bucket.clone(), name.to_owned());
    let begin = move || engine.write_blocking(&bucket, &name, options);
    let writer = pour(&mut request.body, begin).await?;
    request.engine.blocking(|_| writer.seal()).await?.commit().await
}

/// The checksum that came with the body.
pub(super) fn checksum(request: &Request) -> Result<Option<Checksum>> {
    let (kind, value) =
        (request.header(named::CHECKSUM_TYPE), request.header(named::CHECKSUM_VALUE));
    if value.is_empty() || kind == "none" {
        return Ok(None);
    }
    if kind.is_empty() {
        return Err(Error::invalid("a checksum without its type: set Ais-Checksum-Type as well"));
    }
    Ok(Some(Checksum { kind: kind.to_owned(), value: value.to_owned() }))
}

async fn copy(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    let (bck, to) = request
        .params
        .uname(query::OBJECT_TO)
        .map_err(|_| Error::invalid("bucket name is missing"))?;
    remote::admit_named(request, &bck).await?;
    let destination = request.engine.bucket(&bck)?;
    let to = if to.is_empty() { name } else { &to };
    if request.params.get(query::ETL_NAME).is_empty() {
        let want = remote::want(request, bucket);
        request.engine.copy_wanted((bucket, name), (&destination, to), &want).await?;
    } else {
        etl::copy(request, (bucket, name), (&destination, to)).await?;
    }
    Ok(ok())
}
