//! Buckets of backends: they become known when they are used; evicting, prefetching, blob downloads, inventories.

use holdall_ais_wire::action::ActMsg;
use holdall_ais_wire::bucket::{Bck, Provider};
use holdall_ais_wire::inventory::InventoryMsg;
use holdall_ais_wire::list::{LsoMsg, flag};
use holdall_ais_wire::object::BlobMsg;
use holdall_ais_wire::value::parse_size;
use holdall_ais_wire::{header, query};
use serde_json::{Map, Value};

use super::reply::{json, ok, text};
use super::request::value;
use super::{Reply, Request};
use crate::engine::Bucket;
use crate::engine::remote::{Admission, BlobOptions, Want};
use crate::error::{Error, Result};

/// Values of `presence` that mean known buckets, and objects that are here.
const PRESENT: [&str; 3] = ["2", "3", "4"];

/// The bucket of this name. One of a backend that is not known becomes known.
pub(super) async fn bucket(request: &Request, name: &str) -> Result<Bucket> {
    let bck = request.params.bck(name)?;
    admit(request, &bck, Admission::default()).await
}

/// The bucket, for a listing with these flags.
pub(super) async fn bucket_to_list(
    request: &Request,
    name: &str,
    message: &LsoMsg,
) -> Result<Bucket> {
    let bck = request.params.bck(name)?;
    let how = Admission {
        // SDK 1.10 means something else by these two bits, which does no harm here.
        known_only: message.has(flag::BCK_PRESENT),
        look: !message.has(flag::DONT_HEAD_REMOTE),
        remember: !message.has(flag::DONT_ADD_REMOTE),
        original_url: None,
    };
    admit(request, &bck, how).await
}

/// The bucket, for a HEAD.
pub(super) async fn bucket_to_head(request: &Request, name: &str) -> Result<Bucket> {
    let bck = request.params.bck(name)?;
    let known_only = PRESENT.contains(&request.params.get(query::PRESENCE));
    admit(request, &bck, Admission { known_only, ..Admission::default() }).await
}

async fn admit(request: &Request, bck: &Bck, mut how: Admission) -> Result<Bucket> {
    if !bck.is_remote() {
        return request.engine.bucket(bck);
    }
    let params = &request.params;
    how.look &= !params.flag(query::DONT_HEAD_REMOTE);
    how.remember &= !params.flag(query::DONT_ADD_REMOTE);
    let url = params.get(query::ORIGINAL_URL);
    if bck.provider == Provider::Ht && !url.is_empty() {
        how.original_url = Some(url.to_owned());
    }
    if !bck.is_remote_ais() && !request.engine.backends().has(bck.provider) {
        // Known from a time when there was a backend: what is here can be read.
        return request.engine.bucket(bck);
    }
    request.engine.admit(bck, &how).await
}

/// Makes buckets known that a message names beside the one of its path.
pub(super) async fn admit_named(request: &Request, bck: &Bck) -> Result<()> {
    if bck.is_remote() && request.engine.bucket(bck).is_err() {
        admit(request, bck, Admission::default()).await?;
    }
    Ok(())
}

/// How the request wants an object.
pub(super) fn want(request: &Request, bucket: &Bucket) -> Want {
    let params = &request.params;
    Want::of(bucket, params.flag(query::LATEST), params.flag(query::SYNC))
}

/// What the headers of a GET say of a blob download; none when they do not ask for one.
pub(super) fn blob_headers(request: &Request) -> Result<Option<BlobOptions>> {
    if !holdall_ais_wire::value::truthy(request.header(header::BLOB_DOWNLOAD)) {
        return Ok(None);
    }
    let (chunk, workers) =
        (request.header(header::BLOB_CHUNK), request.header(header::BLOB_WORKERS));
    let chunk_bytes = match chunk {
        "" => 0,
        text => parse_size(text)
            .map_err(|e| Error::invalid(format!("invalid Ais-Blob-Chunk \"{text}\": {e}")))?,
    };
    let workers = match workers {
        "" => 0,
        text => text
            .parse()
            .map_err(|_| Error::invalid(format!("invalid Ais-Blob-Workers \"{text}\"")))?,
    };
    let latest = request.params.flag(query::LATEST);
    BlobOptions { latest, chunk_bytes, workers }.check().map(Some)
}

/// `blob-download`.
pub(super) fn blob_download(request: &Request, bucket: &Bucket, message: &ActMsg) -> Result<Reply> {
    if !bucket.is_remote() {
        let text = format!("blob-download: expecting remote bucket (have {})", bucket.bck());
        return Err(Error::invalid(text).with_code("ErrNotRemoteBck"));
    }
    let BlobMsg { latest, chunk_size, num_workers } = value(message)?;
    let chunk_bytes = u64::try_from(chunk_size.unwrap_or(0))
        .map_err(|_| Error::invalid("blob-download: invalid chunk size: it is negative"))?;
    let options = BlobOptions { latest, chunk_bytes, workers: num_workers.unwrap_or(0) };
    request.engine.blob_download(bucket, &message.name, options).map(text)
}

/// `create-inventory`.
pub(super) async fn create_inventory(
    request: &Request,
    bucket: &Bucket,
    message: &ActMsg,
) -> Result<Reply> {
    expect_remote(bucket, &message.action)?;
    let message: InventoryMsg = value(message)?;
    request.engine.create_inventory(bucket, message).await.map(text)
}

/// `destroy-inventory`.
pub(super) async fn destroy_inventory(
    request: &Request,
    bucket: &Bucket,
    message: &ActMsg,
) -> Result<Reply> {
    expect_remote(bucket, &message.action)?;
    request.engine.destroy_inventories(bucket, &message.name).await?;
    Ok(ok())
}

/// `show-inventory`.
pub(super) async fn show_inventory(
    request: &Request,
    bucket: &Bucket,
    message: &ActMsg,
) -> Result<Reply> {
    expect_remote(bucket, &message.action)?;
    let mut all = Map::new();
    for info in request.engine.inventories(bucket, &message.name).await? {
        all.insert(info.obj_name.clone(), serde_json::to_value(info)?);
    }
    json(&Value::Object(all))
}

fn expect_remote(bucket: &Bucket, action: &str) -> Result<()> {
    if bucket.is_remote() {
        return Ok(());
    }
    let text = format!("{action}: expecting remote bucket (have {})", bucket.bck());
    Err(Error::invalid(text).with_code("ErrNotRemoteBck"))
}
