//! DELETE of one object and of many.

use std::time::Instant;

use serde::Deserialize;

use super::conditions::lists;
use super::fault::{Fault, Result};
use super::get::bad_key;
use super::xml::Xml;
use super::{Call, check_version, document};
use crate::ErrorKind;
use crate::engine::Op;
use crate::http::Reply;
use crate::http::objects::etag;
use crate::http::reply::status;

/// Most names of a request, as in S3.
const MAX_NAMES: usize = 1000;

/// Deletes an object. As in S3, one that is not there is as good as deleted.
pub(super) async fn one(call: &Call) -> Result<Reply> {
    let started = Instant::now();
    call.check_version()?;
    let bucket = call.bucket()?;
    let engine = &call.request.engine;
    let condition = call.header("if-match");
    let deleted = if condition.is_empty() {
        engine.delete(&bucket, &call.key).await.map(drop)
    } else {
        let present = engine.head(&bucket, &call.key).await;
        let present = present.map_err(|error| super::get::missing(call, error))?;
        if !lists(condition, &etag(&present)) {
            return Err(Fault::precondition("If-Match"));
        }
        match engine.delete_over(&bucket, &call.key, &present).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                return Err(Fault::precondition("If-Match"));
            }
            other => other,
        }
    };
    match deleted {
        Ok(()) => engine.counters().done(Op::Delete, 0, started.elapsed()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            engine.counters().failed(Op::Delete);
            return Err(bad_key(error));
        }
    }
    Ok(status(http::StatusCode::NO_CONTENT))
}

#[derive(Deserialize)]
struct Delete {
    #[serde(rename = "Object", default)]
    objects: Vec<Named>,
    #[serde(rename = "Quiet", default)]
    quiet: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    key: String,
    #[serde(default)]
    version_id: String,
    #[serde(rename = "ETag", default)]
    etag: String,
}

pub(super) async fn many(call: &mut Call) -> Result<Reply> {
    let started = Instant::now();
    let bucket = call.bucket()?;
    let message: Delete = call.document().await?;
    if message.objects.is_empty() || message.objects.len() > MAX_NAMES {
        return Err(Fault::malformed("expecting 1 to 1000 objects"));
    }
    let (mut names, mut failed) = (Vec::new(), Vec::new());
    for named in message.objects {
        let fault = if named.etag.is_empty() {
            check_version(&named.version_id).err()
        } else {
            Some(Fault::unsupported("conditions in a list of objects: delete them one by one"))
        };
        match fault {
            Some(fault) => failed.push((named.key, fault)),
            None => names.push(named.key),
        }
    }
    let engine = &call.request.engine;
    let deleted = engine.delete_many(&bucket, names).await?;
    let mut xml = Xml::new("DeleteResult");
    for (name, was) in &deleted {
        if was.is_some() {
            engine.counters().done(Op::Delete, 0, started.elapsed());
        }
        if !message.quiet {
            xml.within("Deleted", |xml| {
                xml.text("Key", name);
            });
        }
    }
    for (name, fault) in &failed {
        xml.within("Error", |xml| {
            xml.text("Key", name).text("Code", fault.code).text("Message", &fault.message);
        });
    }
    Ok(document(xml))
}
