//! Buckets: listed, made, asked about and destroyed.

use holdall_ais_wire::Bck;
use serde::Deserialize;
use serde_json::Value;

use super::fault::{Fault, Result};
use super::xml::Xml;
use super::{Call, document, iso_time, xml};
use crate::ErrorKind;
use crate::engine::Bucket;
use crate::http::Reply;
use crate::http::reply::{ok, set, status};

/// Clients sign for a region; every region is fine here.
const REGION: &str = "us-east-1";
/// Most buckets of a page, as in S3.
const MAX_BUCKETS: usize = 10_000;

pub(super) fn list(call: &Call) -> Result<Reply> {
    let (prefix, after) = (call.param("prefix"), call.param("continuation-token"));
    let most = match call.param("max-buckets") {
        "" => MAX_BUCKETS,
        text => text
            .parse()
            .ok()
            .filter(|n| (1..=MAX_BUCKETS).contains(n))
            .ok_or_else(|| Fault::invalid("max-buckets must be a number from 1 to 10000"))?,
    };
    let mut all: Vec<Bucket> = call.request.engine.list_buckets(None);
    all.retain(|bucket| bucket.bck().namespace.is_global());
    all.sort_by(|one, other| one.bck().name.cmp(&other.bck().name));
    // One name belongs to one bucket here: to the one that requests find.
    all.dedup_by(|later, first| later.bck().name == first.bck().name);
    all.retain(|bucket| {
        bucket.bck().name.starts_with(prefix) && bucket.bck().name.as_str() > after
    });
    let is_truncated = all.len() > most;
    all.truncate(most);
    let mut xml = Xml::new("ListAllMyBucketsResult");
    xml.owner("Owner").within("Buckets", |xml| {
        for bucket in &all {
            xml.within("Bucket", |xml| {
                xml.text("Name", &bucket.bck().name)
                    .text("CreationDate", iso_time(bucket.props().created))
                    .text("BucketRegion", REGION);
            });
        }
    });
    if !prefix.is_empty() {
        xml.text("Prefix", prefix);
    }
    if let Some(last) = all.last().filter(|_| is_truncated) {
        xml.text("ContinuationToken", &last.bck().name);
    }
    Ok(document(xml))
}

pub(super) async fn create(call: &mut Call) -> Result<Reply> {
    if call.header("x-amz-bucket-object-lock-enabled").eq_ignore_ascii_case("true") {
        return Err(Fault::unsupported("object locks"));
    }
    super::facts::check_acl(&call.request.headers)?;
    // A location, which may be any: there is one place only.
    let body = call.body().await?;
    if !body.iter().all(u8::is_ascii_whitespace) {
        #[derive(Deserialize)]
        struct Configuration {}
        let Configuration {} = xml::parse(&body)?;
    }
    holdall_ais_wire::name::check_bucket(&call.bucket)
        .map_err(|e| Fault::new(400, "InvalidBucketName", e.to_string()))?;
    if let Ok(present) = call.bucket() {
        return Err(exists(present.bck()));
    }
    let bck = Bck::ais(&call.bucket);
    match call.request.engine.create_bucket(&bck, &Value::Null).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Conflict => return Err(exists(&bck)),
        Err(error) => return Err(error.into()),
    }
    let mut reply = ok();
    set(&mut reply, http::header::LOCATION, format!("/{}", call.bucket));
    Ok(reply)
}

/// The one owner owns all buckets: clients that only want the bucket to be there take this for success.
fn exists(bck: &Bck) -> Fault {
    let text = format!("the bucket {bck} is there already, and it is yours");
    Fault::new(409, "BucketAlreadyOwnedByYou", text)
}

pub(super) fn head(call: &Call) -> Result<Reply> {
    call.bucket()?;
    let mut reply = ok();
    set(&mut reply, "x-amz-bucket-region", REGION);
    Ok(reply)
}

/// Removes the bucket and what is in it, as AIStore does: S3 would refuse a bucket that is not empty.
pub(super) async fn delete(call: &Call) -> Result<Reply> {
    let bucket = call.bucket()?;
    call.request.engine.destroy_bucket(bucket.bck()).await?;
    Ok(status(http::StatusCode::NO_CONTENT))
}

pub(super) fn location(call: &Call) -> Result<Reply> {
    call.bucket()?;
    // S3's word for us-east-1 is nothing.
    Ok(document(Xml::new("LocationConstraint")))
}

/// Old versions are not kept, whatever is counted: who believed that they are would lose data.
pub(super) fn versioning(call: &Call) -> Result<Reply> {
    call.bucket()?;
    Ok(document(Xml::new("VersioningConfiguration")))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versioning {
    #[serde(default)]
    status: String,
}

pub(super) async fn set_versioning(call: &mut Call) -> Result<Reply> {
    call.bucket()?;
    let wanted: Versioning = call.document().await?;
    match wanted.status.as_str() {
        "Suspended" | "" => Ok(ok()),
        "Enabled" => {
            Err(Fault::unsupported("versions: it keeps the newest version of an object only"))
        }
        other => Err(Fault::malformed(format_args!("the status {other:?}"))),
    }
}

/// Configuration that nobody can change here.
pub(super) fn fact(call: &Call, name: &str) -> Result<Reply> {
    call.bucket()?;
    let missing = |code, what: &str| {
        Err(Fault::new(404, code, format!("the bucket {} has no {what}", call.bucket)))
    };
    match name {
        "acl" => Ok(acl()),
        "accelerate" => Ok(document(Xml::new("AccelerateConfiguration"))),
        "logging" => Ok(document(Xml::new("BucketLoggingStatus"))),
        "notification" => Ok(document(Xml::new("NotificationConfiguration"))),
        "requestPayment" => {
            let mut xml = Xml::new("RequestPaymentConfiguration");
            xml.text("Payer", "BucketOwner");
            Ok(document(xml))
        }
        "cors" => missing("NoSuchCORSConfiguration", "CORS configuration"),
        "encryption" => {
            missing("ServerSideEncryptionConfigurationNotFoundError", "encryption configuration")
        }
        "lifecycle" => missing("NoSuchLifecycleConfiguration", "lifecycle configuration"),
        "object-lock" => {
            missing("ObjectLockConfigurationNotFoundError", "object lock configuration")
        }
        "ownershipControls" => missing("OwnershipControlsNotFoundError", "ownership controls"),
        "policy" | "policyStatus" => missing("NoSuchBucketPolicy", "policy"),
        "publicAccessBlock" => {
            missing("NoSuchPublicAccessBlockConfiguration", "public access block configuration")
        }
        "replication" => {
            missing("ReplicationConfigurationNotFoundError", "replication configuration")
        }
        "tagging" => missing("NoSuchTagSet", "tags"),
        "website" => missing("NoSuchWebsiteConfiguration", "website configuration"),
        other => Err(Fault::unsupported(format_args!("?{other}"))),
    }
}

/// Everything belongs to the one owner, who may do everything.
pub(super) fn acl() -> Reply {
    let mut xml = Xml::new("AccessControlPolicy");
    xml.owner("Owner").within("AccessControlList", |xml| {
        xml.within("Grant", |xml| {
            xml.raw(
                "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"><ID>holdall</ID><DisplayName>holdall</DisplayName></Grantee>",
            )
            .text("Permission", "FULL_CONTROL");
        });
    });
    document(xml)
}
