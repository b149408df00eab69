//! `/v1/buckets`.

use holdall_ais_wire::action::{ActMsg, names};
use holdall_ais_wire::{header, query};
use http::Method;

use super::reply::{json, not_allowed, ok, set, text};
use super::{Reply, Request, list, multi, remote, summary, too_short};
use crate::error::{Error, Result};

/// What the path tells that it knows. Archives are made with PUT all the same, as in AIStore.
const METHODS: &str = "DELETE, GET, HEAD, PATCH, POST";

pub(super) async fn route(mut request: Request, rest: &str) -> Result<Reply> {
    let rest = rest.trim_end_matches('/');
    match request.method {
        Method::GET => get(request, rest).await,
        Method::HEAD => head(&request, rest).await,
        Method::OPTIONS => {
            let mut reply = ok();
            set(&mut reply, http::header::ALLOW, METHODS);
            Ok(reply)
        }
        Method::POST | Method::PUT | Method::DELETE | Method::PATCH => {
            if rest.is_empty() {
                return Err(too_short(&request, 3));
            }
            let message = request.action().await?;
            let bucket = rest.to_owned();
            act(&request, &bucket, &message).await
        }
        _ => Err(not_allowed(METHODS)),
    }
}

async fn act(request: &Request, name: &str, message: &ActMsg) -> Result<Reply> {
    let engine = &request.engine;
    if request.method == Method::POST && name.contains('/') {
        return Err(Error::invalid(format!("invalid request URI \"{}\"", request.path)));
    }
    let bck = request.params.bck(name)?;
    let is_about_bucket = [names::CREATE_BCK, names::DESTROY_BCK, names::EVICT_REMOTE_BCK];
    if bck.is_remote() && !is_about_bucket.contains(&message.action.as_str()) {
        remote::bucket(request, name).await?;
    }
    match (&request.method, message.action.as_str()) {
        (&Method::POST, names::CREATE_BCK) => {
            engine.create_bucket(&bck, &message.value).await?;
            Ok(ok())
        }
        (&Method::POST, names::MOVE_BCK) => {
            let (to, _) = request.params.uname(query::BCK_TO)?;
            engine.rename_bucket(&bck, &to).await.map(text)
        }
        (&Method::DELETE, names::DESTROY_BCK) => {
            engine.destroy_bucket(&bck).await?;
            Ok(ok())
        }
        (&Method::PATCH, names::SET_BPROPS) => {
            engine.set_props(&bck, Some(&message.value)).await?;
            Ok(ok())
        }
        (&Method::PATCH, names::RESET_BPROPS) => {
            engine.set_props(&bck, None).await?;
            Ok(ok())
        }
        (&Method::DELETE, names::EVICT_REMOTE_BCK)
            if !bck.is_remote() && !engine.bucket(&bck)?.is_remote() =>
        {
            Err(Error::invalid(format!("evict-remote-bck: expecting remote bucket (have {bck})"))
                .with_code("ErrNotRemoteBck"))
        }
        (&Method::DELETE, names::EVICT_REMOTE_BCK) => {
            // What is behind a bucket of this server goes; the bucket stays.
            let keep = request.params.flag(query::KEEP_MD) || !bck.is_remote();
            engine.evict_bucket(&bck, keep).await?;
            Ok(ok())
        }
        (&Method::POST, names::INVENTORY_CREATE) => {
            remote::create_inventory(request, &request.bucket(name)?, message).await
        }
        (&Method::DELETE, names::INVENTORY_DESTROY) => {
            remote::destroy_inventory(request, &request.bucket(name)?, message).await
        }
        (&Method::PATCH, action) => Err(Error::invalid(format!(
            "invalid action \"{action}\" (expected one of [set-bprops reset-bprops])"
        ))),
        (_, action) => match multi::handle(request, name, message).await? {
            Some(reply) => Ok(reply),
            None => Err(Error::invalid(format!("invalid action \"{action}\""))),
        },
    }
}

async fn get(mut request: Request, rest: &str) -> Result<Reply> {
    let message = request.action().await?;
    match message.action.as_str() {
        names::LIST if rest.is_empty() => list_buckets(&request),
        names::LIST => list::objects(&request, rest, &message).await,
        names::SUMMARY_BCK => summary::get(&request, rest, &message).await,
        names::INVENTORY_SHOW => {
            let bucket = remote::bucket(&request, rest).await?;
            remote::show_inventory(&request, &bucket, &message).await
        }
        action => Err(Error::invalid(format!("invalid action \"{action}\""))),
    }
}

fn list_buckets(request: &Request) -> Result<Reply> {
    let wanted = request.params.bck("")?;
    let provider =
        if request.params.get(query::PROVIDER).is_empty() { None } else { Some(wanted.provider) };
    let engine = &request.engine;
    if let Some(cloud) =
        provider.filter(|provider| provider.is_cloud() && !engine.backends().has(*provider))
    {
        return Err(crate::engine::remote::missing(cloud));
    }
    let buckets = request.engine.list_buckets(provider);
    let in_namespace = |bck: &&holdall_ais_wire::Bck| {
        wanted.namespace.is_global() || bck.namespace == wanted.namespace
    };
    let buckets: Vec<_> =
        buckets.iter().map(crate::engine::Bucket::bck).filter(in_namespace).collect();
    json(&buckets)
}

async fn head(request: &Request, rest: &str) -> Result<Reply> {
    if rest.is_empty() {
        return Err(too_short(request, 3));
    }
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let bucket = remote::bucket_to_head(request, name).await?;
    let mut reply = ok();
    set(&mut reply, header::BUCKET_PROPS, serde_json::to_vec(bucket.props())?);
    if !request.params.get(query::BSUMM_REMOTE).is_empty() {
        summary::head(request, &bucket, prefix, &mut reply)?;
    } else if !prefix.is_empty() {
        return Err(Error::invalid(format!(
            "bad HEAD request: prefix \"{prefix}\" without {}",
            query::BSUMM_REMOTE
        )));
    }
    Ok(reply)
}
