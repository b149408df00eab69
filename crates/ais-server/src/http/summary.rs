//! Summaries: a first request starts, the next ones ask.

use holdall_ais_wire::action::ActMsg;
use holdall_ais_wire::summary::SummaryMsg;
use holdall_ais_wire::{header, id, query};
use http::StatusCode;

use super::reply::{json, set, text};
use super::request::value;
use super::{Body, Reply, Request};
use crate::engine::Bucket;
use crate::error::{Error, Result};

pub(super) async fn get(request: &Request, name: &str, message: &ActMsg) -> Result<Reply> {
    let summary: SummaryMsg = value(message)?;
    let buckets = if name.is_empty() {
        let provider = request.params.get(query::PROVIDER);
        let wanted = request.params.bck("")?.provider;
        request.engine.list_buckets((!provider.is_empty()).then_some(wanted))
    } else {
        vec![super::remote::bucket(request, name).await?]
    };
    if summary.uuid.is_empty() {
        let prefix = summary.prefix.trim_end_matches('*');
        let job = request.engine.start_summary(buckets, prefix, !summary.cached);
        return Ok(accepted(text(job)));
    }
    match result(request, &summary.uuid)? {
        Some(all) => json(&all),
        None => Ok(accepted(json(&[(); 0])?)),
    }
}

fn result(request: &Request, id: &str) -> Result<Option<Vec<holdall_ais_wire::summary::Summary>>> {
    if !id::is_valid(id) {
        return Err(Error::invalid(format!("summary-bck: invalid UUID \"{id}\"")));
    }
    request.engine.summary_result(id)
}

fn accepted(mut reply: Reply) -> Reply {
    *reply.status_mut() = StatusCode::ACCEPTED;
    reply
}

/// Adds the summary to a reply that has the properties, or starts one.
pub(super) fn head(
    request: &Request,
    bucket: &Bucket,
    prefix: &str,
    reply: &mut Reply,
) -> Result<()> {
    let id = request.params.get(query::UUID);
    if id.is_empty() {
        let there = request.params.flag(query::BSUMM_REMOTE);
        let job = request.engine.start_summary(vec![bucket.clone()], prefix, there);
        set(reply, header::XACTION_ID, job);
        *reply.status_mut() = StatusCode::ACCEPTED;
        return Ok(());
    }
    *reply.body_mut() = Body::empty();
    match result(request, id)?.and_then(|all| all.into_iter().next()) {
        Some(summary) => set(reply, header::BUCKET_SUMM, serde_json::to_vec(&summary)?),
        None => *reply.status_mut() = StatusCode::ACCEPTED,
    }
    Ok(())
}
