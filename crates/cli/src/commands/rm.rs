//! `holdall rm`.

use anyhow::{Result, bail};
use futures::{StreamExt, future, stream};
use holdall::store::object_store::path::Path;
use holdall::store::{Deletion, ParallelOptions};

use super::Context;
use super::deletion::{Links, Told};
use crate::Exit;
use crate::args::Rm;
use crate::place::{End, Found, Place, filter};
use crate::printer::is_closed_pipe;

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
    if !filter(&args.filter)?.allows(place.name()?) {
        return Ok(Exit::Done);
    }
    let whole = place.store.at(Path::default());
    let key = stream::iter([place.path.clone()]).boxed();
    let outcome = match args.dry_run {
        true => None,
        false => whole.delete_many(key).next().await,
    };
    let result = match &outcome {
        Some((_, result)) => result.as_ref().copied(),
        None => Ok(()),
    };
    let url = whole.url_of(&place.path);
    Told { url: &url, size: None, dry_run: args.dry_run, result }.tell(context)
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
    let mut links = Links::default();
    let mut exit = Exit::Done;
    {
        // What a symbolic link leads to is not the place's to delete.
        let wanted = listing.filter(|item| {
            let goes = filter.keeps(item)
                && !item.as_ref().is_ok_and(|meta| links.keep(context, place, &meta.location));
            future::ready(goes)
        });
        let mut deletions = match args.dry_run {
            true => root.would_delete(wanted),
            false => root.delete_listed(wanted),
        };
        while let Some(deletion) = deletions.next().await {
            let Deletion { url, result, .. } = deletion?;
            let result = result.as_ref().copied();
            let told = Told { url: &url, size: None, dry_run: args.dry_run, result };
            if told.tell(context)? != Exit::Done {
                exit = Exit::Partial;
            }
        }
    }
    Ok(links.exit(exit))
}
