//! `/v1/ml/moss`: get-batch.

use bytes::Bytes;
use futures::StreamExt as _;
use holdall_ais_wire::batch::Request as BatchRequest;
use holdall_ais_wire::{Bck, query};
use http::Method;
use http::header::CONTENT_TYPE;

use super::reply::{not_allowed, ok, set};
use super::{Body, Reply, Request};
use crate::engine::batch::Batch;
use crate::error::{Error, Result};

pub(super) async fn route(mut request: Request, rest: &str) -> Result<Reply> {
    if request.method != Method::GET {
        return Err(not_allowed("GET"));
    }
    let mut parts = rest.trim_end_matches('/').split('/');
    let (service, bucket, more) = (parts.next(), parts.next().unwrap_or_default(), parts.next());
    if service != Some("moss") || more.is_some() {
        let Request { path, remote, .. } = &request;
        return Err(Error::invalid(format!("invalid request URI: 'GET {path}' from {remote}")));
    }
    let default = match bucket {
        "" => None,
        name => Some(request.params.bck(name)?),
    };
    let message: BatchRequest = request.json().await?;
    check_coloc(&request, &message)?;
    for entry in &message.entries {
        let named = match entry.uname.is_empty() {
            true => entry
                .provider
                .parse()
                .map(|provider| Bck { provider, ..Bck::ais(&entry.bucket) })
                .ok(),
            false => Bck::parse_uname(&entry.uname).map(|(bck, _)| bck).ok(),
        };
        // What cannot be is told when the batch is made.
        if let Some(bck) = named.as_ref().filter(|bck| bck.is_remote() && !bck.name.is_empty()) {
            super::remote::admit_named(&request, bck).await?;
        }
    }
    if let Some(bck) = &default {
        super::remote::admit_named(&request, bck).await?;
    }
    let streaming = message.streaming;
    let batch = request.engine.batch(default.as_ref(), message)?;
    if streaming { stream(batch).await } else { multipart(batch).await }
}

/// Where the archive is put together: there is only one place here.
fn check_coloc(request: &Request, message: &BatchRequest) -> Result<()> {
    let said = request.params.get(query::COLOC);
    let parsed = if said.is_empty() { Ok(0) } else { said.parse::<i64>() };
    let good = |value: &i64| (0..=2).contains(value);
    if parsed.as_ref().is_ok_and(good) && message.coloc.as_ref().is_none_or(good) {
        return Ok(());
    }
    let said =
        message.coloc.filter(|value| !good(value)).map_or(said.to_owned(), |v| v.to_string());
    Err(Error::invalid(format!("invalid 'coloc={said}' (expecting 0, 1, or 2)")))
}

async fn stream(batch: Batch) -> Result<Reply> {
    let format = batch.format();
    let archive = batch.stream().await?;
    let mut reply = ok();
    set(&mut reply, CONTENT_TYPE, format.content_type());
    *reply.body_mut() = Body::stream(archive, None);
    Ok(reply)
}

/// Two parts: what there is of each entry, and the archive.
async fn multipart(batch: Batch) -> Result<Reply> {
    let boundary = format!("{:032x}{:028x}", fastrand::u128(..), fastrand::u128(..) >> 16);
    let id = batch.id().to_owned();
    let (described, archive) = batch.describe().await?;
    let metadata = serde_json::to_string(&described)?;
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{metadata}\n\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"archive\"; filename=\"get-batch[{id}]\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let part = |text: String| futures::stream::iter([Ok(Bytes::from(text))]);
    let mut reply = ok();
    set(&mut reply, CONTENT_TYPE, format!("multipart/mixed; boundary={boundary}"));
    *reply.body_mut() = Body::stream(part(head).chain(archive).chain(part(tail)), None);
    Ok(reply)
}
