//! PUT with `append_type`: collect bytes under a handle, and make them the object.

use std::time::Instant;

use holdall_ais_wire::{header, query};

use super::counted;
use super::put::{SMALL, checksum};
use crate::engine::pour::pour;
use crate::engine::{Append, Bucket, Op};
use crate::error::{Error, Result};
use crate::http::reply::{ok, set};
use crate::http::{Reply, Request};

pub(super) async fn put(mut request: Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    let handle = request.params.get(query::APPEND_HANDLE).to_owned();
    match request.params.get(query::APPEND_TYPE) {
        "append" => {
            let started = Instant::now();
            let appended = append(&mut request, bucket, name, &handle).await;
            let (append, bytes) = counted(&request, Op::Append, appended)?;
            request.engine.counters().done(Op::Append, bytes, started.elapsed());
            let mut reply = ok();
            set(&mut reply, header::APPEND_HANDLE, append.handle());
            Ok(reply)
        }
        "flush" => {
            // AIStore does not look at what is sent along.
            request.body.drain().await?;
            if handle.is_empty() {
                return Err(Error::invalid(
                    "failed to finalize append-file operation: empty source in the handle",
                ));
            }
            let append = request.engine.take_append(bucket, name, &handle).await?;
            request.engine.flush(bucket, name, append, checksum(&request)?).await?;
            Ok(ok())
        }
        other => Err(Error::invalid(format!(
            "invalid operation \"{other}\" (expecting either \"append\" or \"flush\") - check \"append_type\" query"
        ))),
    }
}

/// Adds the body: a short one after it was read, a long one as a piece of its own, so that a body that breaks off adds
/// nothing.
async fn append(
    request: &mut Request,
    bucket: &Bucket,
    name: &str,
    handle: &str,
) -> Result<(Append, u64)> {
    let engine = request.engine.clone();
    let append = engine.take_append(bucket, name, handle).await?;
    let len = if request.body.len().is_some_and(|len| len <= SMALL) {
        let content = request.body.all(SMALL as usize).await?;
        let len = content.len() as u64;
        engine.append(&append, content).await?;
        len
    } else {
        let piece = engine.piece().await?;
        let piece = pour(&mut request.body, move || Ok(piece)).await?;
        let len = piece.size();
        engine.append_piece(&append, piece).await?;
        len
    };
    Ok((append, len))
}
