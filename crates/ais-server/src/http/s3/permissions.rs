//! Which of AIStore's permissions the operations of S3 need.

use holdall_ais_wire::authn::access;

use super::fault::Result;
use super::operation::{Kind, Operation};
use super::{Bucket, find_bucket};
use crate::http::Request;
use crate::http::access::allow;

/// Checks that whoever sent the request may make it.
///
/// # Errors
///
/// `NoSuchBucket` for a bucket that is not there, else `AccessDenied`.
pub(super) fn check(request: &Request, operation: &Operation) -> Result<()> {
    let perms = needed(operation.kind);
    let is_of_cluster = matches!(operation.kind, Kind::ListBuckets | Kind::CreateBucket);
    if is_of_cluster {
        return Ok(allow(request, None, perms)?);
    }
    let bucket = find_bucket(request, &operation.bucket)?;
    Ok(allow(request, Some(bucket.bck()), perms)?)
}

/// Checks that whoever sent the request may read the bucket that it copies from.
///
/// # Errors
///
/// `AccessDenied`.
pub(super) fn check_source(request: &Request, bucket: &Bucket) -> Result<()> {
    Ok(allow(request, Some(bucket.bck()), access::GET)?)
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
