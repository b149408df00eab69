//! What a request asks for: told by its method, its path, the names of its parameters, and one header.

use http::Method;

use super::fault::{Fault, Result};
use crate::http::Request;

/// An operation of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    GetBucketLocation,
    GetBucketVersioning,
    PutBucketVersioning,
    /// Configuration of a bucket that is always the same here.
    GetBucketFact(&'static str),
    ListMultipartUploads,
    DeleteObjects,
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    GetObjectAcl,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    ListParts,
    CompleteMultipartUpload,
    AbortMultipartUpload,
}

/// An operation and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    /// Empty for [`Kind::ListBuckets`].
    pub(crate) bucket: String,
    /// Empty for operations on buckets.
    pub(crate) key: String,
}

/// Configurations that can be asked for, and are always the same.
const FACTS: [&str; 18] = [
    "accelerate",
    "acl",
    "cors",
    "encryption",
    "lifecycle",
    "logging",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "tagging",
    "website",
    "analytics",
    "inventory",
];
/// Further parameters that make a request another one.
const OTHERS: [&str; 10] = [
    "attributes",
    "intelligent-tiering",
    "legal-hold",
    "metadataTable",
    "metrics",
    "renameObject",
    "restore",
    "retention",
    "select",
    "torrent",
];

impl Operation {
    /// The operation of a request.
    ///
    /// # Errors
    ///
    /// When there is none, or this server does not do it.
    pub(crate) fn of(request: &Request) -> Result<Self> {
        let path = request.path.strip_prefix("/s3").unwrap_or(&request.path);
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let kind = match (bucket, key) {
            ("", "") => service(request)?,
            ("", _) => {
                return Err(Fault::new(400, "InvalidBucketName", "the bucket's name is empty"));
            }
            (_, "") => of_bucket(request)?,
            _ => of_object(request)?,
        };
        Ok(Self { kind, bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

fn unknown(request: &Request) -> Fault {
    let text = format!("the method {} is not allowed against this resource", request.method);
    Fault::new(405, "MethodNotAllowed", text)
}

fn service(request: &Request) -> Result<Kind> {
    match request.method {
        Method::GET | Method::HEAD => Ok(Kind::ListBuckets),
        _ => Err(unknown(request)),
    }
}

fn of_bucket(request: &Request) -> Result<Kind> {
    let has = |name: &str| request.params.has(name);
    if request.method == Method::HEAD {
        return Ok(Kind::HeadBucket);
    }
    if let Some(name) = FACTS.into_iter().find(|name| has(name)) {
        return match request.method {
            Method::GET if name != "analytics" && name != "inventory" => {
                Ok(Kind::GetBucketFact(name))
            }
            _ => Err(Fault::unsupported(format_args!("{} ?{name} on buckets", request.method))),
        };
    }
    if let Some(name) = OTHERS.into_iter().find(|name| has(name)) {
        return Err(Fault::unsupported(format_args!("{} ?{name} on buckets", request.method)));
    }
    match request.method {
        Method::GET if has("location") => Ok(Kind::GetBucketLocation),
        Method::GET if has("versioning") => Ok(Kind::GetBucketVersioning),
        Method::GET if has("versions") => Ok(Kind::ListObjectVersions),
        Method::GET if has("uploads") => Ok(Kind::ListMultipartUploads),
        Method::GET if request.params.get("list-type") == "2" => Ok(Kind::ListObjectsV2),
        Method::GET => Ok(Kind::ListObjects),
        Method::PUT if has("versioning") => Ok(Kind::PutBucketVersioning),
        Method::PUT => Ok(Kind::CreateBucket),
        Method::DELETE => Ok(Kind::DeleteBucket),
        Method::POST if has("delete") => Ok(Kind::DeleteObjects),
        Method::POST => Err(Fault::unsupported("uploads by HTML forms")),
        _ => Err(unknown(request)),
    }
}

fn of_object(request: &Request) -> Result<Kind> {
    let has = |name: &str| request.params.has(name);
    if let Some(name) = OTHERS.into_iter().find(|name| has(name)) {
        return Err(Fault::unsupported(format_args!("{} ?{name} on objects", request.method)));
    }
    let copies = request.headers.contains_key("x-amz-copy-source");
    Ok(match request.method {
        Method::HEAD => Kind::HeadObject,
        Method::GET if has("uploadId") => Kind::ListParts,
        Method::GET if has("tagging") => Kind::GetObjectTagging,
        Method::GET if has("acl") => Kind::GetObjectAcl,
        Method::GET => Kind::GetObject,
        Method::PUT if has("uploadId") && copies => Kind::UploadPartCopy,
        Method::PUT if has("uploadId") => Kind::UploadPart,
        Method::PUT if has("tagging") => Kind::PutObjectTagging,
        Method::PUT if has("acl") => return Err(Fault::unsupported("access control lists")),
        Method::PUT if copies => Kind::CopyObject,
        Method::PUT => Kind::PutObject,
        Method::POST if has("uploads") => Kind::CreateMultipartUpload,
        Method::POST if has("uploadId") => Kind::CompleteMultipartUpload,
        Method::DELETE if has("uploadId") => Kind::AbortMultipartUpload,
        Method::DELETE if has("tagging") => Kind::DeleteObjectTagging,
        Method::DELETE => Kind::DeleteObject,
        _ => return Err(unknown(request)),
    })
}
