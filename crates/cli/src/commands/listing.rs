//! `holdall ls` and `holdall find`.

use anyhow::{Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::StreamExt;
use holdall::store::object_store::{ObjectMeta, ObjectStoreExt};
use holdall::store::transfer::Filter;
use holdall::store::{OddKey, ParallelOptions, Store};
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
    let text = || line(meta.location.as_ref(), meta.size, &meta.last_modified, show);
    context.printer.data(text, || object_json(meta, place.below().url_of(&meta.location)))
}

fn line(key: &str, bytes: u64, written: &DateTime<Utc>, show: Show) -> String {
    match show.long {
        true => format!("{:>12}  {}  {key}", size(bytes, show.human), time(written)),
        false => key.to_owned(),
    }
}

/// An object that has no URL, because no path can hold its key.
fn print_odd(context: &Context<'_>, odd: &OddKey, show: Show) -> Result<()> {
    if odd.key.is_empty() {
        // The marker of the directory that is listed is nothing in it.
        return Ok(());
    }
    let text = || line(&visible(&odd.key), odd.size, &odd.last_modified, show);
    let json = || {
        json!({
            "type": "object",
            "path": odd.key,
            "url": null,
            "size": odd.size,
            "last_modified": odd.last_modified.to_rfc3339_opts(SecondsFormat::Micros, true),
            "e_tag": odd.e_tag,
            "version": null,
        })
    };
    context.printer.data(text, json)
}

/// A key that does nothing to a terminal.
fn visible(key: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    key.chars().map(shown).collect()
}

fn print_prefix(
    context: &Context<'_>,
    prefix: &str,
    url: Option<String>,
    show: Show,
) -> Result<()> {
    let name = visible(prefix);
    let text = || match show.long {
        true => format!("{:>12}  {:>20}  {name}/", "-", "-"),
        false => format!("{name}/"),
    };
    context.printer.data(text, || json!({"type": "prefix", "path": prefix, "url": url}))
}

/// One level of a store; whether there is anything.
async fn print_level(
    context: &Context<'_>,
    place: &Place,
    below: &Store,
    filter: &Filter,
    show: Show,
) -> Result<bool> {
    let level = below.list_level(None).await?;
    for prefix in &level.common_prefixes {
        if filter.allows(prefix.as_ref()) {
            print_prefix(context, prefix.as_ref(), Some(below.url_of(prefix)), show)?;
        }
    }
    for prefix in &level.odd_prefixes {
        if filter.allows(prefix) {
            print_prefix(context, prefix, None, show)?;
        }
    }
    for meta in &level.objects {
        if filter.allows(meta.location.as_ref()) {
            print_object(context, place, meta, show)?;
        }
    }
    for odd in &level.odd {
        if filter.allows(&odd.key) {
            print_odd(context, odd, show)?;
        }
    }
    Ok(!level.is_empty())
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
        while let Some(item) = listing.next().await {
            found = true;
            if !filter.keeps(&item) {
                continue;
            }
            match OddKey::or_item(item)? {
                Ok(meta) => print_object(context, &place, &meta, show)?,
                Err(odd) => print_odd(context, &odd, show)?,
            }
        }
    } else {
        found = print_level(context, &place, &below, &filter, show).await?;
    }
    if !found && !place.path.as_ref().is_empty() && !place.is_dir {
        bail!("list {}: nothing is there", place.url());
    }
    Ok(Exit::Done)
}

async fn versions(context: &Context<'_>, place: &Place, show: Show) -> Result<Exit> {
    let below = place.below();
    let mut listing = below.list_versions(None);
    while let Some(item) = listing.next().await {
        match OddKey::or_item(item)? {
            Ok(version) => {
                // The versions of the object of exactly this key have nothing left of it below the place.
                let (path, url) = match version.location.as_ref() {
                    "" => (place.name()?, place.url()),
                    path => (path, below.url_of(&version.location)),
                };
                let state = (version.is_latest, version.is_delete_marker);
                let row = VersionRow { path, url: Some(url), id: &version.version, state };
                row.print(context, version.size, &version.last_modified, show)?;
            }
            Err(odd) => {
                let which = odd.version.unwrap_or_default();
                let state = (which.is_latest, which.is_delete_marker);
                let row = VersionRow { path: &odd.key, url: None, id: &which.id, state };
                row.print(context, odd.size, &odd.last_modified, show)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// A version of an object; without a URL where no path can hold the key.
struct VersionRow<'a> {
    path: &'a str,
    url: Option<String>,
    id: &'a str,
    /// Whether it is the latest, and whether it is a delete marker.
    state: (bool, bool),
}

impl VersionRow<'_> {
    fn print(
        &self,
        context: &Context<'_>,
        bytes: u64,
        written: &DateTime<Utc>,
        show: Show,
    ) -> Result<()> {
        let (is_latest, is_delete_marker) = self.state;
        let text = || {
            let state = match (is_delete_marker, is_latest) {
                (true, _) => "deleted",
                (false, true) => "latest",
                (false, false) => "",
            };
            let (size, time) = (size(bytes, show.human), time(written));
            format!("{size:>12}  {time}  {state:<7}  {}  {}", self.id, visible(self.path))
        };
        let json = || {
            json!({
                "type": "version",
                "path": self.path,
                "url": self.url,
                "version": self.id,
                "size": bytes,
                "last_modified": written.to_rfc3339_opts(SecondsFormat::Micros, true),
                "is_latest": is_latest,
                "is_delete_marker": is_delete_marker,
            })
        };
        context.printer.data(text, json)
    }
}

pub(super) async fn find(context: &Context<'_>, args: &Find) -> Result<Exit> {
    let place = context.place(&args.place, End::Only)?;
    let show = Show { long: args.long, human: args.human };
    if place.found().await? == Found::Nothing {
        bail!("find {}: nothing is there", place.url());
    }
    let mut listing = place.below().glob(&args.pattern)?;
    while let Some(item) = listing.next().await {
        match OddKey::or_item(item)? {
            Ok(meta) => print_object(context, &place, &meta, show)?,
            Err(odd) => print_odd(context, &odd, show)?,
        }
    }
    Ok(Exit::Done)
}
