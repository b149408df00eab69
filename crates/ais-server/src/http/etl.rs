//! `/v1/etl`, and objects that are transformed on their way.

use holdall_ais_wire::etl::InitMsg;
use holdall_ais_wire::query;
use http::Method;
use http::header::{CONTENT_TYPE, RANGE};

use super::reply::{json, not_allowed, ok, set, text};
use super::{Body, Reply, Request};
use crate::engine::Bucket;
use crate::engine::etl::{Chain, Inline};
use crate::error::{Error, Result};

pub(super) async fn route(mut request: Request, rest: &str) -> Result<Reply> {
    let engine = request.engine.clone();
    engine.etl_allowed()?;
    let mut parts = rest.trim_end_matches('/').splitn(3, '/');
    let (name, what, more) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    match (&request.method, name, what) {
        (&Method::PUT, "", _) => {
            let message: InitMsg = request.json().await?;
            engine.init_etl(message).await.map(text)
        }
        (&Method::GET, "", _) => json(&engine.list_etls()?),
        (&Method::GET, name, "" | "details") => {
            json(&engine.etl_details(name, request.params.get(query::UUID))?)
        }
        (&Method::GET, name, "logs") => json(&engine.etl_logs(name, more)?),
        (&Method::GET, name, "health") => json(&engine.etl_health(name)?),
        (&Method::GET, name, "metrics") => json(&engine.etl_usage(name).await?),
        (&Method::POST, name, "start") => engine.start_etl(name).await.map(text),
        (&Method::POST, name, "stop") => engine.stop_etl(name).await.map(|()| ok()),
        (&Method::DELETE, name, "") if !name.is_empty() => {
            engine.delete_etl(name).await.map(|()| ok())
        }
        (&Method::GET | &Method::POST | &Method::PUT | &Method::DELETE, ..) => {
            Err(super::unknown(&request))
        }
        _ => Err(not_allowed("DELETE, GET, POST, PUT")),
    }
}

/// An object, transformed.
pub(super) async fn get(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    if !request.header(RANGE.as_str()).is_empty() {
        return Err(Error::invalid(
            "a range of a transformed object cannot be read: how long the result is shows when it is whole",
        ));
    }
    for part in [query::ARCHPATH, query::ARCHREGX] {
        if !request.params.get(part).is_empty() {
            return Err(Error::invalid(format!(
                "members of archives are not transformed: {part} and {} exclude each other",
                query::ETL_NAME
            )));
        }
    }
    let chain = chain(request)?;
    let Inline { first, rest } = chain.reply(&request.engine, bucket, name).await?;
    let mut reply = ok();
    set(&mut reply, CONTENT_TYPE, "application/octet-stream");
    *reply.body_mut() = match rest {
        None => Body::whole(first),
        Some(rest) => {
            use futures::StreamExt as _;
            Body::stream(futures::stream::iter([Ok(first)]).chain(rest), None)
        }
    };
    Ok(reply)
}

/// Writes a transformed object.
pub(super) async fn copy(
    request: &Request,
    (bucket, name): (&Bucket, &str),
    to: (&Bucket, &str),
) -> Result<()> {
    let chain = chain(request)?;
    let written = chain.write(&request.engine, (bucket, name), to).await;
    if let Err(error) = &written {
        chain.failed("", bucket, name, error);
    }
    written.map(drop)
}

/// The transformers that the parameters name.
fn chain(request: &Request) -> Result<Chain> {
    let params = &request.params;
    let pipeline: Vec<String> = params
        .get(query::ETL_PIPELINE)
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    let engine = &request.engine;
    engine.etl_chain(params.get(query::ETL_NAME), &pipeline, params.get(query::ETL_ARGS)).map_err(
        |error| {
            if error.kind() != crate::ErrorKind::NotFound {
                return error;
            }
            let hint = format!(
                "{} - try starting new ETL with \"{}/v1/etl/init\" endpoint",
                error.message(),
                engine.url()
            );
            Error::not_found(hint)
        },
    )
}
