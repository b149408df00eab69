//! Actions on buckets that start jobs on many objects.

use holdall_ais_wire::action::{ActMsg, names};
use holdall_ais_wire::multi::{ArchiveMsg, BucketCopyMsg, EvdMsg, ObjectsCopyMsg, PrefetchMsg};
use holdall_ais_wire::{Bck, query};
use http::Method;

use super::reply::text;
use super::request::value;
use super::{Reply, Request};
use crate::engine::Bucket;
use crate::error::{Error, Result};

/// Starts the job that the message asks for; none when it asks for something else.
pub(crate) async fn handle(
    request: &Request,
    bucket: &str,
    message: &ActMsg,
) -> Result<Option<Reply>> {
    let engine = &request.engine;
    let bucket = || request.bucket(bucket);
    let id = match (&request.method, message.action.as_str()) {
        (&Method::DELETE, names::DELETE_OBJECTS) => {
            engine.delete_objects(&bucket()?, &value::<EvdMsg>(message)?)?
        }
        (&Method::DELETE, names::EVICT_OBJECTS) => {
            let (bucket, message) = (bucket()?, value::<EvdMsg>(message)?);
            if !bucket.is_remote() {
                // AIStore's text names the action on buckets.
                return Err(not_remote("evict-remote-bck", &bucket));
            }
            engine.evict_objects(&bucket, &message)?
        }
        (&Method::POST, names::PREFETCH) => {
            let (bucket, message) = (bucket()?, value::<PrefetchMsg>(message)?);
            if !bucket.is_remote() {
                return Err(not_remote(names::PREFETCH, &bucket));
            }
            engine.prefetch(&bucket, message)?
        }
        (&Method::POST, names::COPY_BCK) => {
            let from = bucket()?;
            let (to, _) = request.params.uname(query::BCK_TO)?;
            let BucketCopyMsg { copy, .. } = value(message)?;
            engine.copy_bucket(&from, &to, copy).await?
        }
        (&Method::POST, names::COPY_OBJECTS) => {
            let from = bucket()?;
            let ObjectsCopyMsg { selection, copy, tobck, .. } = value(message)?;
            engine.copy_objects(&from, &destination(tobck)?, &selection, copy).await?
        }
        (&Method::POST, names::ETL_BCK) => {
            let from = bucket()?;
            etl_allowed(request)?;
            let (to, _) = request.params.uname(query::BCK_TO)?;
            let BucketCopyMsg { copy, etl } = value(message)?;
            engine.transform_bucket(&from, &to, copy, &etl).await?
        }
        (&Method::POST, names::ETL_OBJECTS) => {
            let from = bucket()?;
            etl_allowed(request)?;
            let ObjectsCopyMsg { selection, copy, etl, tobck } = value(message)?;
            engine.transform_objects(&from, &destination(tobck)?, &selection, copy, &etl).await?
        }
        (&Method::PUT, names::ARCHIVE) => {
            let from = bucket()?;
            let message: ArchiveMsg = value(message)?;
            let to = match &message.tobck {
                bck if bck.is_empty() => from.clone(),
                bck => {
                    super::remote::admit_named(request, bck).await?;
                    engine.bucket(bck)?
                }
            };
            engine.archive_objects(&from, &to, message)?
        }
        _ => return Ok(None),
    };
    Ok(Some(text(id)))
}

/// AIStore answers with another status here than elsewhere.
fn etl_allowed(request: &Request) -> Result<()> {
    let refused = |error: Error| Error::not_found(error.message()).with_code("ErrUnsupp");
    request.engine.etl_allowed().map(drop).map_err(refused)
}

fn destination(bck: Bck) -> Result<Bck> {
    if bck.is_empty() { Err(Error::invalid("bucket name is missing")) } else { Ok(bck) }
}

fn not_remote(action: &str, bucket: &Bucket) -> Error {
    let text = format!("{action}: expecting remote bucket (have {})", bucket.bck());
    Error::invalid(text).with_code("ErrNotRemoteBck")
}
