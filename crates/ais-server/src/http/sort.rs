//! `/v1/sort`: dSort.

use std::collections::BTreeMap;

use holdall_ais_wire::dsort::Spec;
use holdall_ais_wire::query;
use http::Method;

use super::reply::{json, not_allowed, ok, text};
use super::{Reply, Request};
use crate::error::{Error, Result};

pub(super) async fn route(mut request: Request, rest: &str) -> Result<Reply> {
    let engine = request.engine.clone();
    let id = request.params.get(query::UUID).to_owned();
    match (request.method.clone(), rest.trim_end_matches('/')) {
        (Method::POST, "") => {
            let spec: Spec = request.json().await?;
            engine.start_sort(spec).await.map(text)
        }
        (Method::GET, "") if id.is_empty() => {
            let active = request.params.flag(query::ONLY_ACTIVE);
            json(&engine.list_sorts(request.params.get(query::REGEX), active)?)
        }
        (Method::GET, "") => json(&BTreeMap::from([(engine.target_id(), engine.sort_info(&id)?)])),
        (Method::DELETE, "abort") => engine.abort_sort(&id).map(|()| ok()),
        (Method::DELETE, "") => engine.remove_sort(&id).map(|()| ok()),
        (Method::GET | Method::POST | Method::DELETE, _) => {
            let Request { method, path, remote, .. } = &request;
            Err(Error::invalid(format!("invalid request URI: '{method} {path}' from {remote}")))
        }
        _ => Err(not_allowed("DELETE, GET, POST")),
    }
}
