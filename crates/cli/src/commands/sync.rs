//! `holdall sync`.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use futures::stream::BoxStream;
use futures::{SinkExt, StreamExt, TryStreamExt, future};
use holdall::store::Store;
use holdall::store::transfer::{
    self, Action, Compare, Job, Outcome, Overlap, Step, SyncOptions, Transfer, Verb,
};
use holdall::store::{url::Backend, url::StoreUrl};

use super::Context;
use super::copy::Report;
use super::deletion::{Links, Told};
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
    let overlap = Overlap::of(&from, &to);
    let (from_url, to_url) = (from.url(), to.url());
    match overlap {
        Overlap::Same => bail!("source and target are the same place, {from_url}"),
        Overlap::TargetInside => bail!("the target {to_url} lies inside the source {from_url}"),
        Overlap::SourceInside(_) if args.delete => {
            bail!("the source {from_url} lies inside the target {to_url}: --delete would delete it")
        }
        Overlap::SourceInside(_) | Overlap::Apart => {}
    }
    let transfer = args.engine.transfer();
    let transfer_options = transfer.options().clone().with_spared(overlap.spared());
    let transfer = transfer.with_options(transfer_options);
    let compare = match (args.checksum, args.size_only, args.etag) {
        (true, ..) => Compare::Checksum,
        (_, true, _) => Compare::Size,
        (.., true) => Compare::ETag,
        _ => Compare::SizeAndTime,
    };
    let options = SyncOptions::default()
        .with_compare(compare)
        .with_delete(args.delete)
        .with_filter(filter(&args.filter)?);
    let has_any = Arc::new(AtomicBool::new(false));
    let seen = has_any.clone();
    let plan = transfer::plan(&from, &to, options);
    let plan = plan.inspect(move |_| seen.store(true, Ordering::Relaxed)).boxed();
    let exit = match args.dry_run {
        true => show(context, &from, &to, &target, plan, &transfer).await,
        false => carry_out(context, &from, &to, &target, plan, &transfer).await,
    }?;
    if !has_any.load(Ordering::Relaxed) && !source.is_local_dir() {
        match source.found().await? {
            Found::Object => {
                bail!("{} is an object; `holdall cp` copies single ones", source.url())
            }
            Found::Nothing => context.printer.note(&format!("nothing is below {}", from.url())),
            Found::Below | Found::Empty => {}
        }
    }
    Ok(exit)
}

type Plan = BoxStream<'static, holdall::store::Result<Action>>;

/// Says what would be done.
async fn show(
    context: &Context<'_>,
    from: &Store,
    to: &Store,
    target: &Place,
    mut plan: Plan,
    transfer: &Transfer,
) -> Result<Exit> {
    let mut report = Report::new(context, from, to, Verb::Copy, true, transfer);
    let (mut deleted, mut skipped) = (0u64, 0u64);
    let mut links = Links::default();
    let mut exit = Exit::Done;
    while let Some(action) = plan.next().await {
        let action = action?;
        if let Some(error) = action.refusal(from, to) {
            refused(context, &mut report, &error, true)?;
            exit = Exit::Partial;
        }
        match action {
            Action::Copy { path, size, reason } => {
                let job = Job { from: path.clone(), to: path, size };
                report.planned();
                match transfer.check_spared(from, to, &job.to) {
                    Ok(()) => report.would(&job, Some(reason))?,
                    Err(error) => report.outcome(&Outcome { job, result: Err(error) })?,
                }
            }
            Action::Skip { .. } => skipped += 1,
            Action::Refuse { .. } => {}
            Action::Delete { path, .. } if links.keep(context, target, &path) => {}
            Action::Delete { path, size } => {
                deleted += 1;
                let url = to.url_of(&path);
                Told { url: &url, size: Some(size), dry_run: true, result: Ok(()) }
                    .tell(context)?;
            }
        }
    }
    report.finish();
    let summary = report.summary();
    context.printer.note(&format!("{summary}, {skipped} unchanged, would delete {deleted}"));
    let exit = if report.exit() == Exit::Partial { Exit::Partial } else { exit };
    Ok(links.exit(exit))
}

async fn carry_out(
    context: &Context<'_>,
    from: &Store,
    to: &Store,
    target: &Place,
    plan: Plan,
    transfer: &Transfer,
) -> Result<Exit> {
    let mut report = Report::new(context, from, to, Verb::Copy, false, transfer);
    let (mut deleted, mut skipped, mut kept) = (0u64, 0u64, 0u64);
    let mut exit = Exit::Done;
    let mut links = Links::default();
    // What a symbolic link leads to is not the target's to delete.
    let plan = plan.map_ok(|action| match &action {
        Action::Delete { path, .. } if links.keep(context, target, path) => None,
        _ => Some(action),
    });
    let mut plan = pin!(plan.try_filter_map(future::ok));
    let (actions, planned) = futures::channel::mpsc::channel(0);
    let feed = async move {
        let mut actions = actions;
        while let Some(action) = plan.next().await {
            if actions.send(action).await.is_err() {
                break;
            }
        }
    };
    let steps = transfer.run_plan(from, to, planned.boxed());
    let follow = async {
        // Dropped at the end, however it ends: nobody waits for its plan to be read.
        let mut steps = steps;
        while let Some(step) = steps.next().await {
            match step? {
                Step::Copied(outcome) => {
                    report.planned();
                    report.outcome(&outcome)?;
                }
                Step::Refused(error) => {
                    refused(context, &mut report, &error, false)?;
                    exit = Exit::Partial;
                }
                Step::Skipped { .. } => skipped += 1,
                Step::Kept { .. } => kept += 1,
                Step::Deleted { path, result, .. } => {
                    let (url, result) = (to.url_of(&path), result.as_ref().copied());
                    let told = Told { url: &url, size: None, dry_run: false, result };
                    match told.tell(context)? {
                        Exit::Done => deleted += 1,
                        failed => exit = failed,
                    }
                }
                _ => {}
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let ((), followed) = futures::join!(feed, follow);
    report.finish();
    followed?;
    if kept > 0 {
        context.printer.note(&format!(
            "kept {kept} objects that the source does not have, because copies failed"
        ));
    }
    let summary = report.summary();
    context.printer.note(&format!("{summary}, {skipped} unchanged, deleted {deleted}"));
    Ok(links.exit(if report.exit() == Exit::Partial { Exit::Partial } else { exit }))
}

/// Tells of an object that no path can name, and that was to be copied or deleted.
fn refused(
    context: &Context<'_>,
    report: &mut Report<'_>,
    error: &holdall::store::Error,
    dry_run: bool,
) -> Result<()> {
    if error.operation() == "delete" {
        Told::refused(error, dry_run).tell(context)?;
        return Ok(());
    }
    report.planned();
    report.refused(error)
}
