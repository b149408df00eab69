//! Multipart uploads: create, put parts, complete, abort.

use holdall_ais_wire::action::ActMsg;
use holdall_ais_wire::object::Part;
use holdall_ais_wire::query;

use super::custom;
use crate::engine::{Bucket, Piece};
use crate::error::Result;
use crate::http::reply::{ok, text};
use crate::http::request::value;
use crate::http::{Reply, Request};

pub(super) fn create(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    request.engine.create_upload(bucket, name, custom(request)?).map(text)
}

pub(super) async fn put(mut request: Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    let engine = request.engine.clone();
    let id = request.params.get(query::UPLOAD_ID).to_owned();
    let number = engine.check_part(bucket, name, &id, request.params.get(query::PART_NUMBER))?;
    let piece = engine.piece().await?;
    let piece = request.body.pour(move || Ok(piece), Piece::write_bytes).await?;
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

pub(super) fn abort(request: &Request, bucket: &Bucket, name: &str) -> Result<Reply> {
    request.engine.abort_upload(bucket, name, request.params.get(query::UPLOAD_ID))?;
    Ok(ok())
}
