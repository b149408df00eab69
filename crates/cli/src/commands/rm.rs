//! `holdall rm`.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use holdall::store::object_store::path::Path;
use holdall::store::{Error, OddKey, ParallelOptions, Store};
use serde_json::json;

use super::Context;
use crate::Exit;
use crate::args::Rm;
use crate::place::{End, Found, Place, filter};
use crate::printer::is_closed_pipe;

/// Keys listed before they are deleted.
const BATCH: usize = 1000;

/// Markers of directories deleted at once.
const MARKERS: usize = 10;

pub(super) async fn run(context: &Context<'_>, args: &Rm) -> Result<Exit> {
    let mut exit = Exit::Done;
    for text in &args.places {
        let ended = match context.place(text, End::Only) {
            Ok(place) if args.recursive => below(context, &place, args).await,
            Ok(place) => one(context, &place, args).await,
            Err(error) => Err(error),
        };
        exit = match ended {
            Ok(Exit::Done) => exit,
            Ok(ended) => ended,
            Err(error) if args.places.len() == 1 || is_closed_pipe(&error) => return Err(error),
            Err(error) => {
                context.printer.error(&format!("{error:#}"));
                Exit::Partial
            }
        };
    }
    Ok(exit)
}

async fn one(context: &Context<'_>, place: &Place, args: &Rm) -> Result<Exit> {
    if !place.is_object().await? {
        if place.is_dir {
            bail!(
                "delete {}: it is a prefix; add --recursive to delete everything below",
                place.url()
            );
        }
        if args.force {
            return Ok(Exit::Done);
        }
        bail!("delete {}: not found", place.url());
    }
    let keys = match filter(&args.filter)?.allows(place.name()?) {
        true => vec![place.path.clone()],
        false => Vec::new(),
    };
    delete(context, place, keys, args.dry_run).await
}

async fn below(context: &Context<'_>, place: &Place, args: &Rm) -> Result<Exit> {
    let filter = filter(&args.filter)?;
    if place.is_local_root() {
        bail!("delete {}: it is the root of the file system", place.url());
    }
    let root = place.below();
    let any_order = ParallelOptions::default().with_sorted(false);
    let mut listing = root.objects_parallel(None, any_order).peekable();
    match place.found_by(&mut listing).await? {
        Found::Below | Found::Empty => {}
        Found::Object => return one(context, place, args).await,
        Found::Nothing if args.force => return Ok(Exit::Done),
        Found::Nothing => bail!("delete {}: nothing is there", place.url()),
    }
    let mut exit = Exit::Done;
    let mut links = BTreeSet::new();
    let wanted = listing.filter(move |item| futures::future::ready(filter.keeps(item)));
    // What nothing but a listing can name is no end of it.
    let entries = wanted.map(|item| match item {
        Err(error) if error.odd_key().is_some() => Ok(Err(error.with_operation("delete"))),
        item => item.map(|meta| Ok(meta.location)),
    });
    let mut batches = entries.try_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        let (batch, error) = match batch {
            Ok(batch) => (batch, None),
            Err(stream::TryChunksError(batch, error)) => (batch, Some(error)),
        };
        let (mut keys, mut markers) = (Vec::with_capacity(batch.len()), Vec::new());
        for entry in batch {
            match entry {
                Ok(key) => match place.link_above(&key) {
                    Some(link) => drop(links.insert(link)),
                    None => keys.push(root.full_path(&key)),
                },
                Err(error) if error.odd_key().is_some_and(OddKey::is_marker) => markers.push(error),
                Err(error) => {
                    cannot_delete(context, &error, args.dry_run)?;
                    exit = Exit::Partial;
                }
            }
        }
        let ended = [
            delete(context, place, keys, args.dry_run).await?,
            delete_markers(context, &root, markers, args.dry_run).await?,
        ];
        if ended.contains(&Exit::Partial) {
            exit = Exit::Partial;
        }
        if let Some(error) = error {
            return Err(error.into());
        }
    }
    for link in links {
        context.printer.error(&kept_behind(&link));
        exit = Exit::Partial;
    }
    Ok(exit)
}

/// Says that objects were not deleted because a symbolic link leads to them.
pub(super) fn kept_behind(link: &std::path::Path) -> String {
    format!(
        "kept what is behind the symbolic link {}; remove the link itself first",
        link.display()
    )
}

/// Says that an object cannot be deleted because no path can name it.
pub(super) fn cannot_delete(
    context: &Context<'_>,
    error: &holdall::store::Error,
    dry_run: bool,
) -> Result<()> {
    context.printer.error(&error.to_string());
    if !context.printer.is_json() {
        return Ok(());
    }
    let json = || {
        json!({
            "action": "delete", "url": error.target(), "dry_run": dry_run, "ok": false,
            "error": error.to_string(),
        })
    };
    context.printer.outcome(String::new, json)
}

/// Deletes objects by their keys in the whole store, and reports on each.
async fn delete(
    context: &Context<'_>,
    place: &Place,
    keys: Vec<Path>,
    dry_run: bool,
) -> Result<Exit> {
    let whole = place.store.at(Path::default());
    let outcomes = match dry_run {
        true => stream::iter(keys).map(|key| (key, Ok(()))).boxed(),
        false => whole.delete_many(stream::iter(keys).boxed()),
    };
    told(context, outcomes.map(|(key, outcome)| (whole.url_of(&key), outcome)), dry_run).await
}

/// Deletes markers of directories, of which listings of `root` told, and reports on each.
async fn delete_markers(
    context: &Context<'_>,
    root: &Store,
    markers: Vec<Error>,
    dry_run: bool,
) -> Result<Exit> {
    let outcomes = stream::iter(markers).map(async |told| {
        let outcome = match told.odd_key() {
            Some(marker) if !dry_run => root.delete_marker(marker).await,
            _ => Ok(()),
        };
        (told.target().to_owned(), outcome)
    });
    told(context, outcomes.buffered(MARKERS), dry_run).await
}

/// Reports on deletions, each with its URL.
async fn told(
    context: &Context<'_>,
    outcomes: impl Stream<Item = (String, holdall::store::Result<()>)>,
    dry_run: bool,
) -> Result<Exit> {
    let mut exit = Exit::Done;
    let mut outcomes = std::pin::pin!(outcomes);
    while let Some((url, outcome)) = outcomes.next().await {
        if let Err(error) = &outcome {
            exit = Exit::Partial;
            context.printer.error(&error.to_string());
        }
        let done = if dry_run { "would delete" } else { "deleted" };
        if context.printer.is_json() || (outcome.is_ok() && (dry_run || context.printer.verbose)) {
            let json = || {
                json!({
                    "action": "delete", "url": url, "dry_run": dry_run, "ok": outcome.is_ok(),
                    "error": outcome.as_ref().err().map(ToString::to_string),
                })
            };
            context.printer.outcome(|| format!("{done} {url}"), json)?;
        }
    }
    Ok(exit)
}
