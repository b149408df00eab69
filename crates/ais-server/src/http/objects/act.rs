//! POST, PATCH and DELETE.

use std::collections::BTreeMap;
use std::time::Instant;

use holdall_ais_wire::action::{ActMsg, names};
use holdall_ais_wire::object::PromoteMsg;
use holdall_ais_wire::query;
use http::StatusCode;
use serde_json::Value;

use super::{counted, multipart};
use crate::engine::lock::Lock;
use crate::engine::{Bucket, Op};
use crate::error::{Error, Result};
use crate::http::reply::{ok, status, text};
use crate::http::request::value;
use crate::http::{Reply, Request, remote};

pub(super) async fn post(mut request: Request, bucket: &str, name: &str) -> Result<Reply> {
    let message = request.action().await?;
    let bucket = remote::bucket(&request, bucket).await?;
    match message.action.as_str() {
        names::MPT_UPLOAD => multipart::create(&request, &bucket, name).await,
        names::MPT_COMPLETE => multipart::complete(&request, &bucket, name, &message).await,
        names::PROMOTE => promote(&request, &bucket, &message).await,
        names::BLOB_DOWNLOAD => remote::blob_download(&request, &bucket, &message),
        names::RENAME_OBJECT => rename(&request, &bucket, name, &message).await,
        names::CHECK_LOCK => check_lock(&request, &bucket, name).await,
        action => Err(Error::invalid(format!("invalid action \"{action}\""))),
    }
}

/// 423 while the object comes from its backend or goes there, 202 while it is read, and 200.
async fn check_lock(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    match request.engine.lock_of(bucket, name) {
        Lock::Write => Ok(status(StatusCode::LOCKED)),
        Lock::Read => Ok(status(StatusCode::ACCEPTED)),
        Lock::Free => request.engine.head(bucket, name).await.map(|_| ok()),
    }
}

async fn rename(request: &Request, bucket: &Bucket, name: &str, message: &ActMsg) -> Result<Reply> {
    let started = Instant::now();
    let renamed = request.engine.rename(bucket, name, &message.name).await;
    counted(request, Op::Rename, renamed)?;
    request.engine.counters().done(Op::Rename, 0, started.elapsed());
    Ok(ok())
}

pub(super) async fn patch(mut request: Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    let message = request.action().await?;
    let custom: BTreeMap<String, String> = match message.value {
        Value::Null => BTreeMap::new(),
        value => serde_json::from_value(value).map_err(|e| {
            Error::invalid(format!("failed to unmarshal set-custom, err: {e}")).with_source(e)
        })?,
    };
    let replace = request.params.flag(query::SET_NEW_CUSTOM);
    request.engine.set_custom(bucket, name, custom.into_iter().collect(), replace).await?;
    Ok(ok())
}

async fn promote(request: &Request, bucket: &Bucket, message: &ActMsg) -> Result<Reply> {
    let mut promote: PromoteMsg = value(message)?;
    if promote.src.is_empty() {
        promote.src.clone_from(&message.name);
    }
    if !message.name.is_empty() && message.name != promote.src {
        let text = format!(
            "invalid promote request: name \"{}\" is not the source \"{}\"",
            message.name, promote.src
        );
        return Err(Error::invalid(text));
    }
    let job = request.engine.promote(bucket, promote).await?;
    Ok(job.map_or_else(ok, text))
}

pub(super) async fn delete(request: Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    if request.params.has(query::UPLOAD_ID) {
        return multipart::abort(&request, bucket, name).await;
    }
    let started = Instant::now();
    let deleted = request.engine.delete(bucket, name).await;
    counted(&request, Op::Delete, deleted)?;
    request.engine.counters().done(Op::Delete, 0, started.elapsed());
    Ok(ok())
}
