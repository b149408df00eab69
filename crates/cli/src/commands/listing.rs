//! `holdall ls` and `holdall find`.

use anyhow::{Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::TryStreamExt;
use holdall::store::ParallelOptions;
use holdall::store::object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};

use super::Context;
use crate::Exit;
use crate::args::{Find, Ls};
use crate::place::{End, Found, Place, child, filter};
use crate::printer::size;

/// How an object is shown.
#[derive(Clone, Copy)]
struct Show {
    long: bool,
    human: bool,
}

pub(super) fn time(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An object for programs.
pub(super) fn object_json(meta: &ObjectMeta, url: String) -> Value {
    json!({
        "type": "object",
        "path": meta.location.as_ref(),
        "url": url,
        "size": meta.size,
        "last_modified": meta.last_modified.to_rfc3339_opts(SecondsFormat::Micros, true),
        "e_tag": meta.e_tag,
        "version": meta.version,
    })
}

fn print_object(context: &Context<'_>, place: &Place, meta: &ObjectMeta, show: Show) -> Result<()> {
    let text = || match show.long {
        true => format!(
            "{:>12}  {}  {}",
            size(meta.size, show.human),
            time(&meta.last_modified),
            meta.location
        ),
        false => meta.location.to_string(),
    };
    context.printer.data(text, || object_json(meta, place.below().url_of(&meta.location)))
}

pub(super) async fn ls(context: &Context<'_>, args: &Ls) -> Result<Exit> {
    let place = context.place(&args.place, End::Only)?;
    let filter = filter(&args.filter)?;
    let show = Show { long: args.long, human: args.human };
    if args.versions {
        return versions(context, &place, show).await;
    }
    if place.is_object().await? {
        let meta = place.store.head(&place.path).await;
        let mut meta = meta.map_err(|e| place.store.error("list", &place.path, e))?;
        meta.location = child(&"".into(), place.name()?)?;
        if filter.allows(meta.location.as_ref()) {
            print_object(context, &place.parent(), &meta, show)?;
        }
        return Ok(Exit::Done);
    }
    let below = place.below();
    let mut found = false;
    if args.recursive {
        let mut listing =
            below.objects_parallel(None, ParallelOptions::default().with_own_order(true));
        while let Some(meta) = listing.try_next().await? {
            found = true;
            if filter.allows(meta.location.as_ref()) {
                print_object(context, &place, &meta, show)?;
            }
        }
    } else {
        let level = below.list_with_delimiter(None).await;
        let level = level.map_err(|e| below.error("list", &"".into(), e))?;
        for prefix in &level.common_prefixes {
            found = true;
            if filter.allows(prefix.as_ref()) {
                let text = || match show.long {
                    true => format!("{:>12}  {:>20}  {prefix}/", "-", "-"),
                    false => format!("{prefix}/"),
                };
                let json = || json!({"type": "prefix", "path": prefix.as_ref(), "url": below.url_of(prefix)});
                context.printer.data(text, json)?;
            }
        }
        for meta in &level.objects {
            found = true;
            if filter.allows(meta.location.as_ref()) {
                print_object(context, &place, meta, show)?;
            }
        }
    }
    if !found && !place.path.as_ref().is_empty() && !place.is_dir {
        bail!("list {}: nothing is there", place.url());
    }
    Ok(Exit::Done)
}

async fn versions(context: &Context<'_>, place: &Place, show: Show) -> Result<Exit> {
    let below = place.below();
    let mut listing = below.list_versions(None);
    while let Some(version) = listing.try_next().await? {
        // The versions of the object of exactly this key have nothing left of it below the place.
        let (path, url) = match version.location.as_ref() {
            "" => (place.name()?, place.url()),
            path => (path, below.url_of(&version.location)),
        };
        let text = || {
            let state = match (version.is_delete_marker, version.is_latest) {
                (true, _) => "deleted",
                (false, true) => "latest",
                (false, false) => "",
            };
            let size = size(version.size, show.human);
            let time = time(&version.last_modified);
            format!("{size:>12}  {time}  {state:<7}  {}  {path}", version.version)
        };
        let json = || {
            json!({
                "type": "version",
                "path": path,
                "url": url,
                "version": version.version,
                "size": version.size,
                "last_modified": version.last_modified.to_rfc3339_opts(SecondsFormat::Micros, true),
                "is_latest": version.is_latest,
                "is_delete_marker": version.is_delete_marker,
            })
        };
        context.printer.data(text, json)?;
    }
    Ok(Exit::Done)
}

pub(super) async fn find(context: &Context<'_>, args: &Find) -> Result<Exit> {
    let place = context.place(&args.place, End::Only)?;
    let show = Show { long: args.long, human: args.human };
    if place.found().await? == Found::Nothing {
        bail!("find {}: nothing is there", place.url());
    }
    let mut listing = place.below().glob(&args.pattern)?;
    while let Some(meta) = listing.try_next().await? {
        print_object(context, &place, &meta, show)?;
    }
    Ok(Exit::Done)
}
