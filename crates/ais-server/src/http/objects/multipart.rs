//! Multipart uploads: create, put parts, complete, abort.

use holdall_ais_wire::action::ActMsg;
use holdall_ais_wire::object::Part;
use holdall_ais_wire::query;

use super::custom;
use crate::engine::Bucket;
use crate::engine::pour::pour;
use crate::error::Result;
use crate::http::reply::{ok, text};
use crate::http::request::value;
use crate::http::{Reply, Request};

pub(super) async fn create(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    request.engine.create_upload(bucket, name, custom(request)?).await.map(text)
}

pub(super) async fn put(mut request: Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    let engine = request.engine.clone();
    let id = request.params.get(query::UPLOAD_ID).to_owned();
    let number = request.params.get(query::PART_NUMBER);
    let number = engine.check_part(bucket, name, &id, number).await?;
    let piece = engine.piece().await?;
    let piece = pour(&mut request.body, move || Ok(piece)).await?;
    engine.put_part(bucket, name, &id, number, piece).await?;
    Ok(ok())
}

pub(super) async fn complete(
    request: &Request,
    bucket: &Bucket,
    name: &str,
    message: &ActMsg,
) -> Result<Reply> {
    let parts: Vec<Part> = value(message)?;
    let id = request.params.get(query::UPLOAD_ID);
    request.engine.complete_upload(bucket, name, id, &parts).await?;
    Ok(ok())
}

pub(super) async fn abort(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    request.engine.abort_upload(bucket, name, request.params.get(query::UPLOAD_ID)).await?;
    Ok(ok())
}
