//! PUT of objects.

use std::io;
use std::time::Instant;

use bytes::Bytes;

use super::Call;
use super::checksum::{Announced, Digests, Sums, base64};
use super::conditions::{Conditions, OBJECT};
use super::facts;
use super::fault::Result;
use super::get::bad_key;
use super::payload::Payload;
use crate::ErrorKind;
use crate::engine::pour::{Sink, pour};
use crate::engine::writer::Sealed;
use crate::engine::{Bucket, Op, PutOptions, Work as _};
use crate::http::Reply;
use crate::http::objects::etag;
use crate::http::reply::{ok, set};
use crate::storage::ObjectMeta;

/// Content up to this length is read whole and written in one go.
pub(super) const SMALL: u64 = 1 << 20;

pub(super) async fn put(call: &mut Call) -> Result<Reply> {
    let started = Instant::now();
    let engine = call.request.engine.clone();
    let written = write(call).await;
    let (meta, sums) = match written {
        Ok(written) => written,
        Err(fault) => {
            engine.counters().failed(Op::Put);
            return Err(fault);
        }
    };
    engine.counters().done(Op::Put, meta.size, started.elapsed());
    let mut reply = ok();
    set(&mut reply, http::header::ETAG, etag(&meta));
    set(&mut reply, http::header::LAST_MODIFIED, facts::http_time(meta.mtime));
    tell_checksum(&mut reply, &sums);
    Ok(reply)
}

/// The checksum that the client chose, as it was computed.
pub(super) fn tell_checksum(reply: &mut Reply, sums: &Sums) {
    if let Some((algorithm, value)) = &sums.chosen {
        set(reply, algorithm.header(), base64(value));
        set(reply, "x-amz-checksum-type", "FULL_OBJECT");
    }
}

async fn write(call: &mut Call) -> Result<(ObjectMeta, Sums)> {
    let bucket = call.bucket()?;
    let mut said = facts::of_headers(&call.request.headers)?;
    let conditions = Conditions::of(&call.request.headers, &OBJECT);
    let present = present(call, &bucket, &conditions).await?;
    let (sealed, sums) = receive(call, &bucket).await?;
    said.extend(facts::facts_of(sealed.meta(), &sums));
    let sealed = sealed.with_custom(said);
    let meta = match present {
        None => sealed.commit().await?,
        Some(present) => match sealed.over(present.as_ref()).commit().await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                // Somebody was faster: what does the condition say now?
                let now = call.request.engine.find(&bucket, &call.key).await?;
                conditions.of_write(&call.key, now.as_ref())?;
                return Err(super::Fault::new(409, "ConditionalRequestConflict", error.message()));
            }
            other => other?,
        },
    };
    Ok((meta, sums))
}

/// What is there now, if it matters; outer none when it does not.
///
/// # Errors
///
/// When a condition does not hold.
pub(super) async fn present(
    call: &Call,
    bucket: &Bucket,
    conditions: &Conditions,
) -> Result<Option<Option<ObjectMeta>>> {
    if conditions.is_empty() {
        return Ok(None);
    }
    // Not what is known here, but what there is: buckets of other services may have more.
    let present = match call.request.engine.head(bucket, &call.key).await {
        Ok(meta) => Some(meta),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(bad_key(error)),
    };
    conditions.of_write(&call.key, present.as_ref())?;
    Ok(Some(present))
}

/// Something that is written to, and digests of that.
struct Digested<S>(S, Digests);

impl<S: Sink> Sink for Digested<S> {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.1.update(&bytes);
        self.0.write_bytes(bytes)
    }
}

/// Receives the content of a request into what `begin` makes, and compares it with what was announced.
///
/// # Errors
///
/// Those of `begin`, of the client's connection, and of content that differs.
pub(super) async fn receive_into<S: Sink>(
    call: &mut Call,
    announced: &Announced,
    begin: impl FnOnce() -> crate::Result<S> + Send + 'static,
) -> Result<(S, Sums)> {
    let chain = call.caller.chain.take();
    let mut payload = Payload::new(&call.request.headers, &mut call.request.body, chain)?;
    let digests = Digests::new(announced);
    let begin = move || Ok(Digested(begin()?, digests));
    let Digested(sink, digests) = if payload.len().is_some_and(|len| len <= SMALL) {
        let content = payload.all(SMALL as usize).await?;
        let write = move || {
            let mut sink = begin()?;
            sink.write_bytes(content)?;
            Ok(sink)
        };
        call.request.engine.blocking(move |_| write()).await.map_err(bad_key)?
    } else {
        match pour(&mut payload, begin).await {
            Ok(poured) => poured,
            Err(error) => return Err(payload.fault(error)),
        }
    };
    let sums = digests.finish();
    let trailers = payload.trailers().to_vec();
    announced.check(&sums, &trailers)?;
    Ok((sink, sums))
}

async fn receive(call: &mut Call, bucket: &Bucket) -> Result<(Sealed, Sums)> {
    let announced = Announced::of(&call.request.headers)?;
    let (engine, bucket, key) = (call.request.engine.clone(), bucket.clone(), call.key.clone());
    let begin = {
        let engine = engine.clone();
        move || engine.write_blocking(&bucket, &key, PutOptions::default())
    };
    let (writer, sums) = receive_into(call, &announced, begin).await?;
    let sealed = engine.blocking(|_| writer.seal()).await?;
    Ok((sealed, sums))
}
