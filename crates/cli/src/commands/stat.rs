//! `holdall stat`.

use anyhow::Result;
use holdall::store::object_store::{Attribute, GetOptions, ObjectStore};
use serde_json::{Map, Value, json};

use super::Context;
use super::listing::{object_json, time};
use crate::Exit;
use crate::args::Stat;
use crate::place::{End, Place};
use crate::printer::human;

pub(super) async fn run(context: &Context<'_>, args: &Stat) -> Result<Exit> {
    let mut exit = Exit::Done;
    for text in &args.places {
        let place = context.place(text, End::Only)?;
        if let Err(error) = one(context, &place, args.tags).await {
            if args.places.len() == 1 {
                return Err(error);
            }
            context.printer.error(&format!("{error:#}"));
            exit = Exit::Partial;
        }
    }
    Ok(exit)
}

async fn one(context: &Context<'_>, place: &Place, with_tags: bool) -> Result<()> {
    let options = GetOptions { head: true, ..GetOptions::default() };
    let got = place.store.get_opts(&place.path, options).await;
    let got = got.map_err(|e| place.store.error("stat", &place.path, e))?;
    let tags = match with_tags {
        true => Some(place.store.get_tags(&place.path).await?),
        false => None,
    };
    let attributes: Map<String, Value> =
        got.attributes.iter().map(|(name, value)| (label(name), json!(value.as_ref()))).collect();
    let text = || {
        let mut lines = vec![
            place.url(),
            format!("  size           {} ({})", got.meta.size, human(got.meta.size)),
            format!("  last modified  {}", time(&got.meta.last_modified)),
        ];
        lines.extend(got.meta.e_tag.iter().map(|tag| format!("  entity tag     {tag}")));
        lines.extend(got.meta.version.iter().map(|version| format!("  version        {version}")));
        lines.extend(
            attributes
                .iter()
                .map(|(name, value)| format!("  {name}: {}", value.as_str().unwrap_or_default())),
        );
        lines.extend(tags.iter().flatten().map(|(key, value)| format!("  tag {key}={value}")));
        lines.join("\n")
    };
    let json = || {
        let mut object = object_json(&got.meta, place.url());
        object["attributes"] = Value::Object(attributes.clone());
        if let Some(tags) = &tags {
            let tags: Map<String, Value> =
                tags.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
            object["tags"] = Value::Object(tags);
        }
        object
    };
    context.printer.data(text, json)
}

fn label(attribute: &Attribute) -> String {
    match attribute {
        Attribute::ContentDisposition => "Content-Disposition".to_owned(),
        Attribute::ContentEncoding => "Content-Encoding".to_owned(),
        Attribute::ContentLanguage => "Content-Language".to_owned(),
        Attribute::ContentType => "Content-Type".to_owned(),
        Attribute::CacheControl => "Cache-Control".to_owned(),
        Attribute::StorageClass => "Storage-Class".to_owned(),
        Attribute::Metadata(name) => name.to_string(),
        other => format!("{other:?}"),
    }
}
