//! Which of AIStore's permissions the operations of S3 need.

use holdall_ais_wire::Bck;
use holdall_ais_wire::authn::access;
use holdall_ais_wire::bucket::Provider;

use super::access::Caller;
use super::fault::{Fault, Result};
use super::operation::{Kind, Operation};
use super::{Bucket, Call, find_bucket};
use crate::ErrorKind;
use crate::engine::remote::Admission;
use crate::http::Request;
use crate::http::access::allow_as;

/// What a request is about.
pub(super) enum Target {
    Cluster,
    /// A bucket that is known.
    Bucket(Bck),
    /// Buckets of backends, one of which may be there: nobody has asked for it yet.
    Elsewhere(Vec<Bck>),
}

/// What the operation is about.
///
/// # Errors
///
/// `NoSuchBucket` for a bucket that cannot be there.
pub(super) fn target(request: &Request, operation: &Operation) -> Result<Target> {
    if matches!(operation.kind, Kind::ListBuckets | Kind::CreateBucket) {
        return Ok(Target::Cluster);
    }
    let name = operation.bucket.as_str();
    let missing = match find_bucket(request, name) {
        Ok(bucket) => return Ok(Target::Bucket(bucket.bck().clone())),
        Err(missing) => missing,
    };
    // What is not known here cannot be deleted here.
    let goes = operation.kind == Kind::DeleteBucket;
    let clouds = [Provider::Aws, Provider::Gcp, Provider::Azure].into_iter();
    let clouds = clouds.filter(|provider| !goes && request.engine.backends().has(*provider));
    let all: Vec<Bck> = clouds.map(|provider| Bck { provider, ..Bck::ais(name) }).collect();
    if all.is_empty() { Err(missing) } else { Ok(Target::Elsewhere(all)) }
}

/// Checks that whoever sent the request may make it. A bucket that nobody has asked for becomes known.
///
/// # Errors
///
/// `AccessDenied`; `NoSuchBucket` where no backend has it; those of the backends.
pub(super) async fn check(
    request: &Request,
    kind: Kind,
    target: Target,
    caller: &Caller,
) -> Result<()> {
    let perms = needed(kind);
    let allow = |bck: Option<&Bck>| allow_as(request, caller.key.as_deref(), bck, perms);
    let all = match target {
        Target::Cluster => return Ok(allow(None)?),
        Target::Bucket(bck) => return Ok(allow(Some(&bck))?),
        Target::Elsewhere(all) => all,
    };
    let mut missing = None;
    for bck in all {
        allow(Some(&bck))?;
        match request.engine.admit(&bck, &Admission::default()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => missing = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(missing
        .map_or_else(|| Fault::new(404, "NoSuchBucket", "there is no such bucket"), Fault::from))
}

/// Checks that whoever sent the request may read the bucket that it copies from.
///
/// # Errors
///
/// `AccessDenied`.
pub(super) fn check_source(call: &Call, bucket: &Bucket) -> Result<()> {
    let user = call.caller.key.as_deref();
    Ok(allow_as(&call.request, user, Some(bucket.bck()), access::GET)?)
}

fn needed(kind: Kind) -> u64 {
    match kind {
        Kind::ListBuckets => access::LIST_BUCKETS,
        Kind::CreateBucket => access::CREATE_BUCKET,
        Kind::DeleteBucket => access::DESTROY_BUCKET,
        Kind::HeadBucket
        | Kind::GetBucketLocation
        | Kind::GetBucketVersioning
        | Kind::GetBucketFact(_) => access::BCK_HEAD,
        Kind::PutBucketVersioning => access::PATCH,
        Kind::ListObjects
        | Kind::ListObjectsV2
        | Kind::ListObjectVersions
        | Kind::ListMultipartUploads
        | Kind::ListParts => access::OBJ_LIST,
        Kind::GetObject => access::GET,
        Kind::HeadObject | Kind::GetObjectAcl | Kind::GetObjectTagging => access::OBJ_HEAD,
        // Where a copy comes from is looked at when it is opened.
        Kind::PutObject
        | Kind::CopyObject
        | Kind::CreateMultipartUpload
        | Kind::UploadPart
        | Kind::UploadPartCopy
        | Kind::CompleteMultipartUpload
        | Kind::AbortMultipartUpload => access::PUT,
        Kind::DeleteObject | Kind::DeleteObjects => access::OBJ_DELETE,
        Kind::PutObjectTagging | Kind::DeleteObjectTagging => access::OBJ_UPDATE,
    }
}
