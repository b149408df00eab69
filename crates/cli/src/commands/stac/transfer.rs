//! `holdall stac download`, `upload` and `copy`.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use futures::{StreamExt, stream};
use holdall::stac::multihash::Algorithm;
use holdall::stac::{
    Clients, Collision, Document, Head, Hrefs, Job, Kind, Location, Naming, Place, Plan,
    PlanOptions, Report, RunOptions, Template, TransferOptions, Written, check_written,
    default_file_name, transfer_assets, write_transferred,
};
use holdall::store::OpenOptions;
use holdall::store::transfer::{Budget, Limits};
use serde_json::json;

use super::super::Context;
use super::args::{Download, MoveArgs, Publish, SelectArgs};
use super::input::Input;
use super::progress::{Progress, name};
use super::{input, memory};
use crate::Exit;
use crate::printer::human;

pub(super) async fn download(context: &Context<'_>, args: &Download) -> Result<Exit> {
    memory::spare();
    let clients = input::clients(&args.assets.client, context.common)?;
    let document = input::document(&clients, args.href.as_deref()).await?;
    let input = from(context, &clients, document, &args.moving, &args.assets.select).await?;
    let directory = match &args.directory {
        Some(directory) => target(context, directory)?,
        // Whoever names no directory is told where the files are.
        None => Place::Local(std::env::current_dir().context("there is no working directory")?),
    };
    let mut options = TransferOptions::download(input.document.kind(), args.file_name.clone());
    options.plan = plan(&args.moving, input::plan(&args.assets.select)?)?;
    options.rewrite.keep_unselected = args.keep_non_downloaded;
    apply(&args.moving, None, &mut options)?;
    execute(context, &clients, input, &directory, &options, &args.moving).await
}

/// `computes` is the checksum that is written down if no other is asked for.
pub(super) async fn publish(
    context: &Context<'_>,
    args: &Publish,
    computes: Option<Algorithm>,
) -> Result<Exit> {
    memory::spare();
    let clients = input::clients(&args.assets.client, context.common)?;
    let document = input::document(&clients, Some(&args.href)).await?;
    let input = from(context, &clients, document, &args.moving, &args.assets.select).await?;
    let directory = target(context, &args.target)?;
    let name = match &args.file_name {
        Some(name) => name.clone(),
        None => default_file_name(&input.document)?,
    };
    let mut options = TransferOptions::publish(Some(name));
    options.plan = plan(&args.moving, input::plan(&args.assets.select)?)?;
    if args.relative {
        options.rewrite.hrefs = Hrefs::Relative;
    }
    apply(&args.moving, computes, &mut options)?;
    execute(context, &clients, input, &directory, &options, &args.moving).await
}

/// What is moved.
async fn from(
    context: &Context<'_>,
    clients: &Clients,
    document: Document,
    moving: &MoveArgs,
    select: &SelectArgs,
) -> Result<Input> {
    let input =
        input::items(context, clients, document, moving.recursive, moving.fail_fast).await?;
    input::note_unmatched(context, &input.document, select);
    Ok(input)
}

pub(super) fn target(context: &Context<'_>, text: &str) -> Result<Place> {
    let mut options = OpenOptions::default();
    let settings = context.common.config.iter().chain(&context.common.target_config);
    options.config.extend(settings.cloned());
    if holdall::stac::href::scheme(text).is_none_or(|scheme| scheme == "file" || scheme == "memory")
    {
        options.config.clear();
    }
    Ok(Place::open(text, &options)?)
}

fn plan(args: &MoveArgs, mut plan: PlanOptions) -> Result<PlanOptions> {
    plan.path_template = args.path_template.as_deref().map(Template::parse).transpose()?;
    plan.naming = match args.naming.as_str() {
        "file-name" => Naming::FileName,
        "key" => Naming::Key,
        "local-path" => Naming::LocalPath,
        template if template.contains('$') => Naming::Template(Template::parse(template)?),
        other => anyhow::bail!(
            "--naming {other}: expected file-name, key, local-path, or a template such as ${{asset.key}}${{asset.ext}}"
        ),
    };
    plan.subdirectories = args.subdirectories;
    plan.collision = if args.rename { Collision::Rename } else { Collision::Refuse };
    Ok(plan)
}

fn apply(
    args: &MoveArgs,
    computes: Option<Algorithm>,
    options: &mut TransferOptions,
) -> Result<()> {
    let compute = match args.checksum.as_deref() {
        None => computes,
        Some("none") => None,
        Some(name) => Some(Algorithm::of_name(name).with_context(|| {
            format!("--checksum {name}: known are sha2-256, sha2-512, sha3-256, sha3-512, sha1, md5, blake3, blake2b-256, and none")
        })?),
    };
    let limits =
        Limits::default().with_memory_bytes(args.memory).with_bytes_per_second(args.limit_rate);
    options.run = RunOptions {
        overwrite: args.overwrite,
        fail_fast: args.fail_fast,
        verify: !args.no_verify,
        compute,
        max_concurrent: args.max_concurrent_downloads,
        budget: Some(Budget::new(limits)),
        compare_source: options.run.compare_source,
        ..RunOptions::default()
    };
    options.rewrite.keep_failed = args.keep;
    options.rewrite.describe_files |= compute.is_some();
    options.rewrite.alternate = args.keep_alternate.clone();
    if args.self_contained {
        options.written = Written::Catalog("catalog.json".to_owned());
        options.rewrite.hrefs = Hrefs::Absolute;
    }
    Ok(())
}

async fn execute(
    context: &Context<'_>,
    clients: &Clients,
    input: Input,
    directory: &Place,
    options: &TransferOptions,
    args: &MoveArgs,
) -> Result<Exit> {
    let Input { mut document, unread } = input;
    let done = |failed: usize| if failed > 0 && !args.lenient { Exit::Partial } else { Exit::Done };
    let printer = context.printer;
    let plan = Plan::make(&document, directory, &options.plan)?;
    if args.dry_run {
        check_written(&document, directory, &plan, &options.written)?;
        return dry_run(context, clients, plan).await.map(|refused| done(refused + unread));
    }
    let progress = Progress::new(printer, &plan);
    let ended =
        transfer_assets(clients, &document, directory, plan, options, progress.observer()).await;
    let mut report = match ended {
        Ok(report) => report,
        Err(error) => return Err(progress.ended_by(printer, error)),
    };
    progress.finish(printer);
    let mut warnings = 0;
    for (at, outcome) in report.outcomes.iter().enumerate() {
        let Ok(done) = outcome else { continue };
        if printer.verbose {
            let state = if done.skipped { "is there already" } else { "done" };
            printer.note(&format!("{}: {state}", name(&report.plan.jobs[at])));
        }
        if let Some(warning) = &done.warning {
            warnings += 1;
            if printer.verbose || warnings <= WARNINGS_SHOWN {
                printer.note(&format!("warning: {} - {warning}", name(&report.plan.jobs[at])));
            }
        }
    }
    if !printer.verbose && warnings > WARNINGS_SHOWN {
        let more = warnings - WARNINGS_SHOWN;
        printer.note(&format!("warning: {more} more like these (--verbose or --report has all)"));
    }
    if let Some(file) = &args.report {
        write_report(&report, file).await?;
    }
    write_transferred(&mut document, directory, &mut report, options).await?;
    print(context, &document, &report, unread)?;
    Ok(done(report.failures().count() + unread))
}

/// Warnings that are shown where nobody asked for all.
const WARNINGS_SHOWN: usize = 10;

/// Lengths that are asked for at once.
const ASKED_AT_ONCE: usize = 64;

/// Shows what would be moved, and how many assets would fail without being tried.
async fn dry_run(context: &Context<'_>, clients: &Clients, mut plan: Plan) -> Result<usize> {
    let heads = measure(clients, &plan.jobs).await;
    for (job, head) in plan.jobs.iter_mut().zip(&heads) {
        job.size = head.size;
    }
    for (job, head) in plan.jobs.iter().zip(&heads) {
        let target = job.target.href();
        let href = holdall::store::redacted(job.href());
        let refused = job.refused.as_ref().map(ToString::to_string);
        if let Some(error) = &refused {
            context.printer.error(&format!("{} - {error}", name(job)));
            if !context.printer.is_json() {
                continue;
            }
        }
        context.printer.data(
            || {
                let name = name(job);
                match (job.size.map(human), head.files) {
                    (Some(size), Some(files)) => {
                        format!("{name}: {href} -> {target} ({files} files, {size})")
                    }
                    (Some(size), None) => format!("{name}: {href} -> {target} ({size})"),
                    (None, _) => format!("{name}: {href} -> {target}"),
                }
            },
            || {
                json!({
                    "item": job.owner, "key": job.key, "href": href, "target": target, "size": job.size,
                    "files": head.files, "error": refused,
                })
            },
        )?;
    }
    let (bytes, unknown) = plan.known_bytes();
    let refused = plan.jobs.iter().filter(|job| job.refused.is_some()).count();
    let moved = plan.jobs.iter().filter(|job| job.same_as.is_none()).count() - refused;
    context.printer.note(&match unknown {
        0 => format!("{moved} assets, {}", human(bytes)),
        _ => format!("{moved} assets, {} and {unknown} of unknown size", human(bytes)),
    });
    Ok(refused)
}

/// What has to be asked for the length of a job's file.
fn unmeasured(job: &Job) -> Option<&Location> {
    job.sources.first().filter(|_| job.size.is_none() && job.same_as.is_none())
}

/// What is known of the file of each job; a place that several name is asked once.
async fn measure(clients: &Clients, jobs: &[Job]) -> Vec<Head> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let asked_by: Vec<usize> = jobs
        .iter()
        .enumerate()
        .map(|(at, job)| {
            let Some(place) = unmeasured(job) else { return at };
            let first = *first.entry(&place.href).or_insert(at);
            // Hints of another document may lead elsewhere.
            if unmeasured(&jobs[first]) == Some(place) { first } else { at }
        })
        .collect();
    let heads =
        stream::iter(jobs.iter().zip(&asked_by).enumerate()).map(|(at, (job, by))| async move {
            match unmeasured(job).filter(|_| *by == at) {
                // What cannot be asked is unknown; that is no failure of a plan.
                Some(place) => clients.measure(place).await.unwrap_or_default(),
                None => Head { size: job.size, ..Head::default() },
            }
        });
    let heads: Vec<Head> = heads.buffered(ASKED_AT_ONCE).collect().await;
    asked_by.into_iter().map(|by| heads[by].clone()).collect()
}

/// Where the document was written, or the document itself.
fn print(context: &Context<'_>, document: &Document, report: &Report, unread: usize) -> Result<()> {
    let printer = context.printer;
    let (moved, skipped) = report.bytes();
    if printer.is_json() {
        return printer.data(String::new, || {
            json!({
                "assets": report.outcomes.len(),
                "failed": report.failures().count(),
                "documents_unread": unread,
                "bytes": moved,
                "bytes_skipped": skipped,
                "written": report.written,
                "assets_done": report.plan.jobs.iter().zip(&report.outcomes).map(outcome_json).collect::<Vec<_>>(),
            })
        });
    }
    if context.common.quiet {
        return Ok(());
    }
    match report.written.last() {
        Some(place)
            if matches!(document.kind(), Kind::ItemCollection) && report.written.len() > 1 =>
        {
            let others = report.written.len() - 1;
            printer.data(
                || format!("Output STAC JSON written to {place} and {others} items"),
                || json!(place),
            )
        }
        Some(place) => {
            printer.data(|| format!("Output STAC JSON written to {place}"), || json!(place))
        }
        None => printer.bytes(document.to_text().as_bytes()),
    }
}

fn outcome_json(
    (job, outcome): (&holdall::stac::Job, &holdall::stac::Outcome),
) -> serde_json::Value {
    let href = holdall::store::redacted(job.href());
    let mut object = json!({
        "item": job.owner, "key": job.key, "href": href, "target": job.target.href(),
    });
    match outcome {
        Ok(done) => {
            object["status"] = json!(if done.skipped { "skipped" } else { "done" });
            object["bytes"] = json!(done.bytes);
            object["files"] = json!(done.files);
            object["server_side"] = json!(done.server_side);
            object["checksum"] = json!(done.checksum.as_ref().map(ToString::to_string));
            object["warning"] = json!(done.warning.as_ref().map(ToString::to_string));
        }
        Err(error) => {
            object["status"] = json!("failed");
            object["kind"] = json!(error.kind().as_str());
            object["http_status"] = json!(error.status());
            object["error"] = json!(error.to_string());
        }
    }
    object
}

async fn write_report(report: &Report, file: &str) -> Result<()> {
    let lines = report.plan.jobs.iter().zip(&report.outcomes);
    let text: String = lines.map(|pair| format!("{}\n", outcome_json(pair))).collect();
    Ok(Place::parse(file)?.write(text, "application/x-ndjson").await?)
}
