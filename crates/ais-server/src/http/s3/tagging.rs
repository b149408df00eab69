//! Tags of objects.

use serde::Deserialize;

use super::facts::{self, Fact, TAGGING};
use super::fault::Result;
use super::get::missing;
use super::xml::Xml;
use super::{Call, document};
use crate::http::Reply;
use crate::http::reply::{ok, status};

pub(super) async fn get(call: &Call) -> Result<Reply> {
    call.check_version()?;
    let bucket = call.bucket()?;
    let meta = call.request.engine.head(&bucket, &call.key).await;
    let meta = meta.map_err(|error| missing(call, error))?;
    let tags = facts::parse_tags(meta.custom(TAGGING).unwrap_or_default())?;
    let mut xml = Xml::new("Tagging");
    xml.within("TagSet", |xml| {
        for (name, value) in &tags {
            xml.within("Tag", |xml| {
                xml.text("Key", name).text("Value", value);
            });
        }
    });
    Ok(document(xml))
}

#[derive(Deserialize)]
struct Tagging {
    #[serde(rename = "TagSet")]
    set: Set,
}

#[derive(Deserialize)]
struct Set {
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) async fn put(call: &mut Call) -> Result<Reply> {
    let message: Tagging = call.document().await?;
    let tags: Vec<Fact> = message.set.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    set(call, facts::tagging(&tags)?).await?;
    Ok(ok())
}

pub(super) async fn delete(call: &Call) -> Result<Reply> {
    set(call, None).await?;
    Ok(status(http::StatusCode::NO_CONTENT))
}

async fn set(call: &Call, tags: Option<Fact>) -> Result<()> {
    call.check_version()?;
    let bucket = call.bucket()?;
    let edit = move |custom: &mut Vec<Fact>| {
        custom.retain(|(name, _)| name != TAGGING);
        custom.extend(tags);
        Ok(())
    };
    let changed = call.request.engine.edit_custom(&bucket, &call.key, edit).await;
    changed.map_err(|error| missing(call, error))?;
    Ok(())
}
