//! `holdall sync`.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, stream};
use holdall::store::object_store::path::Path;
use holdall::store::transfer::{self, Action, Compare, Job, SyncOptions, Verb};
use holdall::store::{url::Backend, url::StoreUrl};
use serde_json::json;

use super::Context;
use super::copy::{Report, is_same};
use super::rm::kept_behind;
use crate::Exit;
use crate::args::Sync;
use crate::place::{End, Found, Place, filter};

pub(super) async fn run(context: &Context<'_>, args: &Sync) -> Result<Exit> {
    let source = context.place(&args.source, End::Source)?;
    let target = context.place(&args.target, End::Target)?;
    // A misspelt local source would look like an empty one, and with --delete empty the target.
    if let Backend::Local(path) = StoreUrl::parse(&args.source)?.backend
        && !path.is_dir()
    {
        bail!("{} is not a directory; `holdall cp` copies single files", source.url());
    }
    // The same for a prefix: stores do not say whether there is one, only that nothing is below it.
    if args.delete && !source.is_local_dir() && source.found().await? != Found::Below {
        bail!(
            "{} has no objects, and --delete would empty {}; `holdall rm --recursive` does that",
            source.url(),
            target.url()
        );
    }
    let (from, to) = (source.below(), target.below());
    if is_same(context, &from.url(), &to.url(), Verb::Copy) || source.is_same_file(&target, None) {
        bail!("source and target are the same place, {}", from.url());
    }
    let compare = match (args.checksum, args.size_only) {
        (true, _) => Compare::Checksum,
        (_, true) => Compare::Size,
        _ => Compare::SizeAndTime,
    };
    let options = SyncOptions::default()
        .with_compare(compare)
        .with_delete(args.delete)
        .with_filter(filter(&args.filter)?);
    let mut plan = transfer::plan(&from, &to, options);
    let transfer = args.engine.transfer();
    let workers = transfer.options().workers;
    let mut report = Report::new(context, &from, &to, Verb::Copy, args.dry_run, &transfer);
    let (mut running, mut deletions, mut skipped) = (FuturesUnordered::new(), Vec::new(), 0u64);
    let mut failed = None;
    loop {
        tokio::select! {
            Some(outcome) = running.next() => report.outcome(&outcome)?,
            action = plan.next(), if running.len() < workers && failed.is_none() => match action {
                Some(Ok(Action::Copy { path, size, .. })) => {
                    let job = Job { from: path.clone(), to: path, size };
                    report.planned();
                    match args.dry_run {
                        true => report.would(&job)?,
                        false => running.push(transfer.run_one(&from, &to, job)),
                    }
                }
                Some(Ok(Action::Delete { path, .. })) => deletions.push(path),
                Some(Ok(Action::Skip { .. })) => skipped += 1,
                Some(Err(error)) => failed = Some(error),
                None => break,
            },
            else => break,
        }
    }
    while let Some(outcome) = running.next().await {
        report.outcome(&outcome)?;
    }
    report.finish();
    if let Some(error) = failed {
        return Err(error.into());
    }
    let mut exit = report.exit();
    let wanted = deletions.len();
    let deleted = match exit {
        Exit::Done => delete(context, &target, deletions, args.dry_run).await?,
        Exit::Partial => {
            if wanted > 0 {
                context.printer.note(&format!(
                    "kept {wanted} objects that the source does not have, because copies failed"
                ));
            }
            0
        }
    };
    if exit == Exit::Done && deleted < wanted {
        exit = Exit::Partial;
    }
    let would = if args.dry_run { "would delete" } else { "deleted" };
    context.printer.note(&format!("{}, {skipped} unchanged, {would} {deleted}", report.summary()));
    Ok(exit)
}

async fn delete(
    context: &Context<'_>,
    target: &Place,
    mut paths: Vec<Path>,
    dry_run: bool,
) -> Result<usize> {
    let store = &target.below();
    let mut links = BTreeSet::new();
    paths.retain(|path| match target.link_above(path) {
        Some(link) => {
            links.insert(link);
            false
        }
        None => true,
    });
    for link in links {
        context.printer.error(&kept_behind(&link));
    }
    let mut outcomes = match dry_run {
        true => stream::iter(paths).map(|path| (path, Ok(()))).boxed(),
        false => store.delete_many(stream::iter(paths).boxed()),
    };
    let mut deleted = 0;
    while let Some((path, outcome)) = outcomes.next().await {
        let url = store.url_of(&path);
        match &outcome {
            Ok(()) => deleted += 1,
            Err(error) => context.printer.error(&error.to_string()),
        }
        if context.printer.is_json() || (outcome.is_ok() && (dry_run || context.printer.verbose)) {
            let done = if dry_run { "would delete" } else { "deleted" };
            let json = || {
                json!({
                    "action": "delete", "url": url, "dry_run": dry_run, "ok": outcome.is_ok(),
                    "error": outcome.as_ref().err().map(ToString::to_string),
                })
            };
            context.printer.outcome(|| format!("{done} {url}"), json)?;
        }
    }
    Ok(deleted)
}
