//! `/s3`: the same buckets and objects for clients of Amazon S3, with paths of the form `/s3/bucket/key`.
//!
//! AIStore's proxies redirect these clients to targets; here the first answer is the answer. [`Operation`] says what is
//! asked, [`access`] whether it may be, and a module per subject answers. Errors are S3's, in XML.
//!
//! This is not built on the `s3s` crate: that one cannot accept any signature, as AIStore does without keys, its later
//! versions need a newer compiler, and its types would be copied to and from ours on the way of every byte.

pub(crate) mod access;
mod buckets;
mod checksum;
mod conditions;
mod copy;
mod delete;
mod facts;
mod fault;
mod get;
mod list;
mod multipart;
mod old_urls;
mod operation;
mod payload;
mod permissions;
mod put;
mod tagging;
mod xml;

use fault::{Fault, Result};
pub(crate) use operation::{Kind, Operation};
use serde::de::DeserializeOwned;

use self::access::Caller;
use self::checksum::{Announced, Digests};
use self::payload::Payload;
use self::xml::Xml;
use super::reply::set;
use super::{Body, Reply, Request};
use crate::engine::{Bucket, Severity};

/// Most bytes of a document that a client sends: ten thousand parts, a thousand names.
const MAX_DOCUMENT: usize = 4 << 20;

/// Whether a path belongs to this face.
pub(super) fn is_path(path: &str) -> bool {
    path == "/s3" || path.starts_with("/s3/")
}

/// Answers a request, errors included.
pub(super) async fn route(request: Request) -> Reply {
    let id = format!("{:016X}", fastrand::u64(..));
    let (is_head, path) = (request.method == http::Method::HEAD, request.path.clone());
    let (method, remote) = (request.method.clone(), request.remote.ip());
    let engine = request.engine.clone();
    let mut reply = match answer(request).await {
        Ok(reply) => reply,
        Err(fault) => {
            let Fault { status, code, message, .. } = &fault;
            if *status >= 500 && *status != 501 {
                let line = format!("{method} {path} from {remote}: {status} {code} {message}");
                engine.log().add(Severity::Error, line);
            } else {
                let cause = fault.cause.as_ref().map(tracing::field::display);
                tracing::debug!(%method, path, status, code, message, cause, "request refused");
            }
            fault.reply(&path, &id, is_head)
        }
    };
    set(&mut reply, "x-amz-request-id", &id);
    reply
}

/// The reply for a request that could not even be taken apart.
pub(super) fn refuse(path: &str, is_head: bool, error: crate::Error) -> Reply {
    let mut fault = Fault::from(error);
    fault.code = if fault.status == 400 { "InvalidURI" } else { fault.code };
    fault.reply(path, "", is_head)
}

async fn answer(request: Request) -> Result<Reply> {
    let operation = Operation::of(&request)?;
    let caller = access::check(&request, &operation).await?;
    let mut call = Call { request, caller, bucket: operation.bucket, key: operation.key };
    match operation.kind {
        Kind::ListBuckets => buckets::list(&call),
        Kind::CreateBucket => buckets::create(&mut call).await,
        Kind::HeadBucket => buckets::head(&call),
        Kind::DeleteBucket => buckets::delete(&call).await,
        Kind::ListObjects => list::v1(&call).await,
        Kind::ListObjectsV2 => list::v2(&call).await,
        Kind::ListObjectVersions => list::versions(&call).await,
        Kind::GetBucketLocation => buckets::location(&call),
        Kind::GetBucketVersioning => buckets::versioning(&call),
        Kind::PutBucketVersioning => buckets::set_versioning(&mut call).await,
        Kind::GetBucketFact(name) => buckets::fact(&call, name),
        Kind::ListMultipartUploads => multipart::uploads(&call).await,
        Kind::DeleteObjects => delete::many(&mut call).await,
        Kind::GetObject => get::get(&call).await,
        Kind::HeadObject => get::head(&call).await,
        Kind::PutObject => put::put(&mut call).await,
        Kind::CopyObject => copy::copy(&call).await,
        Kind::DeleteObject => delete::one(&call).await,
        Kind::GetObjectAcl => get::acl(&call).await,
        Kind::GetObjectTagging => tagging::get(&call).await,
        Kind::PutObjectTagging => tagging::put(&mut call).await,
        Kind::DeleteObjectTagging => tagging::delete(&call).await,
        Kind::CreateMultipartUpload => multipart::create(&call).await,
        Kind::UploadPart => multipart::put(&mut call).await,
        Kind::UploadPartCopy => copy::part(&call).await,
        Kind::ListParts => multipart::parts(&call).await,
        Kind::CompleteMultipartUpload => multipart::complete(&mut call).await,
        Kind::AbortMultipartUpload => multipart::abort(&call).await,
    }
}

/// An operation being answered.
struct Call {
    request: Request,
    caller: Caller,
    bucket: String,
    key: String,
}

impl Call {
    /// The bucket.
    fn bucket(&self) -> Result<Bucket> {
        find_bucket(&self.request, &self.bucket)
    }

    fn header(&self, name: &str) -> &str {
        self.request.header(name)
    }

    fn param(&self, name: &str) -> &str {
        self.request.params.get(name)
    }

    /// The body as a document.
    ///
    /// # Errors
    ///
    /// When it is none, or differs from what was announced.
    async fn document<T: DeserializeOwned>(&mut self) -> Result<T> {
        let body = self.body().await?;
        xml::parse(&body)
    }

    /// The body of a message.
    async fn body(&mut self) -> Result<bytes::Bytes> {
        let announced = Announced::of(&self.request.headers)?;
        let chain = self.caller.chain.take();
        let mut payload = Payload::new(&self.request.headers, &mut self.request.body, chain)?;
        let body = payload.all(MAX_DOCUMENT).await?;
        let mut digests = Digests::new(&announced);
        digests.update(&body);
        announced.check(&digests.finish(), payload.trailers())?;
        Ok(body)
    }

    /// Nothing here has versions: what is there is version `null`.
    ///
    /// # Errors
    ///
    /// When another version is asked for.
    fn check_version(&self) -> Result<()> {
        check_version(self.param("versionId"))
    }
}

fn check_version(version: &str) -> Result<()> {
    if version.is_empty() || version == "null" {
        return Ok(());
    }
    let text =
        format!("there is no version {version:?}: this server keeps the newest version only");
    Err(Fault::new(404, "NoSuchVersion", text))
}

/// The bucket of this name: names are looked up without provider and namespace, the buckets of AIStore first.
fn find_bucket(request: &Request, name: &str) -> Result<Bucket> {
    let ais = request.engine.bucket(&holdall_ais_wire::Bck::ais(name));
    ais.or_else(|error| {
        let mut all = request.engine.list_buckets(None).into_iter();
        all.find(|bucket| bucket.bck().name == name && bucket.bck().namespace.is_global())
            .ok_or_else(|| Fault::new(404, "NoSuchBucket", error.message()))
    })
}

/// A document as a reply.
fn document(xml: Xml) -> Reply {
    let mut reply = super::reply::ok();
    set(&mut reply, http::header::CONTENT_TYPE, "application/xml");
    *reply.body_mut() = Body::whole(xml.finish());
    reply
}

/// A time in documents.
fn iso_time(nanos: i64) -> String {
    holdall_ais_wire::value::from_nanos(nanos).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
