//! GET: the object, a range of it, or members of an archive.

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use futures::StreamExt as _;
use holdall_ais_wire::{header, query};
use http::StatusCode;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, RANGE};

use super::{cname, counted, set_custom, set_etag, set_version};
use crate::engine::checksum::Hasher;
use crate::engine::remote::{STREAMING_COLD_GET, Want};
use crate::engine::{Bucket, Op, Reading, Work as _};
use crate::error::{Error, ErrorKind, Result};
use crate::http::reply::{ok, set};
use crate::http::{Body, Reply, Request, archive, etl, range, remote};
use crate::storage::ObjectMeta;

pub(super) async fn get(request: Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    if !request.params.get(query::ETL_NAME).is_empty() {
        let reply = etl::get(&request, bucket, name).await;
        return counted(&request, Op::Get, reply);
    }
    if bucket.is_remote() && remote::want(&request, bucket).latest {
        // Not only compared here: what follows reads what was found to be the latest.
        request.engine.bring(bucket, name, &remote::want(&request, bucket)).await?;
    }
    if let Some(reply) = archive::get(&request, bucket, name).await? {
        return Ok(reply);
    }
    if bucket.is_remote() {
        let arriving = coming(&request, bucket, name).await;
        if let Some(reply) = counted(&request, Op::Get, arriving)? {
            return Ok(reply);
        }
    }
    let reply = whole_or_range(&request, bucket, name).await;
    counted(&request, Op::Get, reply)
}

/// Answers with an object that is on its way; none when it is here.
async fn coming(request: &Request, bucket: &Bucket, name: &str) -> Result<Option<Reply>> {
    let started = Instant::now();
    if let Some(options) = remote::blob_headers(request)? {
        if request.engine.find(bucket, name).await?.is_none() {
            request.engine.bring_blob(bucket, name, options).await?;
        }
        return Ok(None);
    }
    if bucket.props().features & STREAMING_COLD_GET == 0 {
        return Ok(None);
    }
    let asked = range::parse(request.header(RANGE.as_str()), &cname(bucket, name))?;
    let want = Want::default();
    let Some(arriving) = request.engine.arrive(bucket, name, &want).await? else {
        return Ok(None);
    };
    let meta = arriving.meta().clone();
    let range = match asked.map_or(Ok(0..meta.size), |asked| asked.resolve(meta.size)) {
        Ok(range) => range,
        Err(error) => return Ok(Some(unsatisfiable(request, meta.size, &error))),
    };
    let mut reply = ok();
    describe(&mut reply, &meta, &range, asked.is_some());
    let len = range.end - range.start;
    *reply.body_mut() = Body::stream(arriving.stream(range), Some(len));
    request.engine.counters().done(Op::Get, len, started.elapsed());
    Ok(Some(reply))
}

async fn whole_or_range(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    let started = Instant::now();
    let asked = range::parse(request.header(RANGE.as_str()), &cname(bucket, name))?;
    let (size, seen) = (
        std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0)),
        std::sync::atomic::Ordering::Relaxed,
    );
    let told = std::sync::Arc::clone(&size);
    let read = request.engine.read(bucket, name, move |meta| {
        told.store(meta.size, seen);
        asked.map_or(Ok(0..meta.size), |asked| asked.resolve(meta.size))
    });
    let reading = match read.await {
        Ok(reading) => reading,
        Err(error) if error.kind() == ErrorKind::Range => {
            return Ok(unsatisfiable(request, size.load(seen), &error));
        }
        Err(error) => return Err(error),
    };
    let reply = reply(request, bucket, reading, asked.is_some()).await?;
    let len = http_body::Body::size_hint(reply.body()).exact().unwrap_or(0);
    request.engine.counters().done(Op::Get, len, started.elapsed());
    Ok(reply)
}

async fn reply(
    request: &Request,
    bucket: &Bucket,
    reading: Reading,
    partial: bool,
) -> Result<Reply> {
    let mut reply = ok();
    let meta = &reading.meta;
    set(&mut reply, header::ATIME, meta.atime.to_string());
    describe(&mut reply, meta, &reading.range, partial);
    if partial && bucket.props().checksum.enable_read_range {
        let sum = range_checksum(request, &reading).await?;
        set(&mut reply, header::CHECKSUM_TYPE, &meta.checksum_type);
        set(&mut reply, header::CHECKSUM_VALUE, sum);
    } else {
        super::set_checksum(&mut reply, meta);
    }
    *reply.body_mut() = body(reading);
    Ok(reply)
}

/// The headers that tell of an object and the range of it that follows.
fn describe(reply: &mut Reply, meta: &ObjectMeta, range: &Range<u64>, partial: bool) {
    set_version(reply, meta);
    set_custom(reply, meta);
    set(reply, CONTENT_TYPE, "application/octet-stream");
    set_etag(reply, meta);
    if partial {
        *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
        set(reply, ACCEPT_RANGES, "bytes");
        let (start, end) = (range.start, range.end.saturating_sub(1));
        set(reply, CONTENT_RANGE, format!("bytes {start}-{end}/{}", meta.size));
    }
}

/// The bytes that were read, and then the rest.
pub(crate) fn body(reading: Reading) -> Body {
    if reading.is_whole() {
        return Body::whole(reading.first);
    }
    let Reading { range, first, content, lock, .. } = reading;
    let rest = content.stream(range.start + first.len() as u64..range.end);
    let all = futures::stream::iter([Ok::<Bytes, std::io::Error>(first)]).chain(rest);
    // The object is read until the stream is gone.
    let all = all.inspect(move |_| {
        let _reading = &lock;
    });
    Body::stream(all, Some(range.end - range.start))
}

async fn range_checksum(request: &Request, reading: &Reading) -> Result<String> {
    let (content, range) = (reading.content.clone(), reading.range.clone());
    let mut hasher = Hasher::new(&reading.meta.checksum_type)?;
    request
        .engine
        .heavy(move |_| {
            let mut at = range.start;
            while at < range.end {
                let len = usize::try_from(range.end - at)
                    .unwrap_or(usize::MAX)
                    .min(crate::engine::content::PIECE);
                let piece = content.read_at(at, len)?;
                at += piece.len() as u64;
                hasher.update(&piece);
            }
            Ok(hasher.finish().value)
        })
        .await
}

fn unsatisfiable(request: &Request, size: u64, error: &Error) -> Reply {
    let mut reply = crate::http::error_reply(request, error);
    set(&mut reply, CONTENT_RANGE, format!("bytes */{size}"));
    reply
}
