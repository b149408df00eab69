//! `holdall cp`, `mv`, `get` and `put`.

use anyhow::{Result, bail};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{CopyMode, MultipartUpload, ObjectStoreExt, WriteMultipart};
use holdall::store::transfer::{self, Job, Outcome, TransferOptions, Verb};
use holdall::store::{Error, Store};
use indicatif::ProgressBar;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::{Context, cat};
use crate::Exit;
use crate::args::{Copy, TransferArgs};
use crate::place::{End, Place, child, filter};
use crate::printer::human;

/// Size of the parts in which standard input is uploaded, in bytes.
const PART_BYTES: usize = 8 * 1024 * 1024;

pub(super) async fn run(context: &Context<'_>, args: &Copy, verb: Verb) -> Result<Exit> {
    match (args.source.as_str(), args.target.as_str()) {
        ("-", "-") => bail!("standard input to standard output needs no holdall"),
        ("-", target) => return from_stdin(context, &context.place(target, End::Target)?).await,
        (source, "-") if verb == Verb::Copy && !args.transfer.recursive => {
            cat::to_stdout(context, &context.place(source, End::Source)?, None).await?;
            return Ok(Exit::Done);
        }
        (_, "-") => bail!("standard output takes one object, and copies only"),
        _ => {}
    }
    let source = context.place(&args.source, End::Source)?;
    let target = context.place(&args.target, End::Target)?;
    match args.transfer.recursive {
        true => many(context, &source, &target, &args.transfer, verb).await,
        false => one(context, &source, &target, &args.transfer, verb).await,
    }
}

async fn one(
    context: &Context<'_>,
    source: &Place,
    target: &Place,
    args: &TransferArgs,
    verb: Verb,
) -> Result<Exit> {
    if source.is_dir || source.path.as_ref().is_empty() {
        bail!("{} is a prefix; add --recursive to take everything below", source.url());
    }
    let meta = source.store.head(&source.path).await;
    let meta = meta.map_err(|e| source.store.error("copy", &source.path, e))?;
    let to = match target.is_dir || target.path.as_ref().is_empty() {
        true => child(&target.path, source.name()?)?,
        false => target.path.clone(),
    };
    same_place(&source.store, &source.path, &target.store, &to)?;
    let job = Job { from: source.path.clone(), to, size: meta.size };
    let jobs = stream::iter([Ok(job)]).boxed();
    run_jobs(context, &source.store, &target.store, jobs, args, verb).await
}

async fn many(
    context: &Context<'_>,
    source: &Place,
    target: &Place,
    args: &TransferArgs,
    verb: Verb,
) -> Result<Exit> {
    let filter = filter(&args.filter)?;
    let (from, to) = (source.below(), target.below());
    let (from_url, to_url) = (from.url(), to.url());
    if to_url == from_url || to_url.starts_with(&format!("{from_url}/")) {
        bail!("the target {to_url} is the source or lies inside it: the copy would never end");
    }
    let jobs = from
        .objects(None)
        .try_filter(move |meta| futures::future::ready(filter.allows(meta.location.as_ref())))
        .map_ok(|meta| Job { from: meta.location.clone(), to: meta.location, size: meta.size })
        .boxed();
    run_jobs(context, &from, &to, jobs, args, verb).await
}

fn same_place(source: &Store, from: &Path, target: &Store, to: &Path) -> Result<()> {
    if source.url_of(from) == target.url_of(to) {
        bail!("source and target are the same object, {}", source.url_of(from));
    }
    Ok(())
}

async fn run_jobs(
    context: &Context<'_>,
    source: &Store,
    target: &Store,
    jobs: BoxStream<'static, holdall::store::Result<Job>>,
    args: &TransferArgs,
    verb: Verb,
) -> Result<Exit> {
    let mode = if args.no_clobber { CopyMode::Create } else { CopyMode::Overwrite };
    let options =
        TransferOptions::default().with_workers(args.workers).with_mode(mode).with_verb(verb);
    let mut report = Report::new(context, source, target, verb, args.dry_run);
    let mut running = futures::stream::FuturesUnordered::new();
    let mut jobs = jobs;
    let mut failed = None;
    loop {
        tokio::select! {
            Some(outcome) = running.next() => report.outcome(&outcome)?,
            job = jobs.next(), if running.len() < args.workers.max(1) && failed.is_none() => match job {
                Some(Ok(job)) => {
                    report.planned(&job);
                    match args.dry_run {
                        true => report.would(&job)?,
                        false => running.push(transfer::run_one(source.clone(), target.clone(), job, options)),
                    }
                }
                Some(Err(error)) => failed = Some(error),
                None => break,
            },
            else => break,
        }
    }
    while let Some(outcome) = running.next().await {
        report.outcome(&outcome)?;
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(report.end()),
    }
}

/// Tells what becomes of jobs, and adds it up.
pub(super) struct Report<'a> {
    context: &'a Context<'a>,
    source: Store,
    target: Store,
    verb: Verb,
    dry_run: bool,
    bar: ProgressBar,
    done: u64,
    bytes: u64,
    failed: u64,
    /// A failure of one object alone is the failure of the command.
    total: u64,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        source: &Store,
        target: &Store,
        verb: Verb,
        dry_run: bool,
    ) -> Self {
        Self {
            context,
            source: source.clone(),
            target: target.clone(),
            verb,
            dry_run,
            bar: context.printer.progress(),
            done: 0,
            bytes: 0,
            failed: 0,
            total: 0,
        }
    }

    pub(super) fn planned(&mut self, job: &Job) {
        self.total += 1;
        self.bar.inc_length(job.size);
    }

    fn line(&self, job: &Job, error: Option<&Error>, server_side: bool) -> Result<()> {
        let (from, to) = (self.source.url_of(&job.from), self.target.url_of(&job.to));
        let (action, done) = match self.verb {
            Verb::Copy => ("copy", "copied"),
            Verb::Move => ("move", "moved"),
        };
        if !self.context.printer.is_json() && !self.context.printer.verbose && !self.dry_run {
            return Ok(());
        }
        let text = || match self.dry_run {
            true => format!("would {action} {from} to {to} ({})", human(job.size)),
            false => format!("{done} {from} to {to} ({})", human(job.size)),
        };
        let json = || {
            json!({
                "action": action, "source": from, "target": to, "size": job.size, "dry_run": self.dry_run,
                "ok": error.is_none(), "server_side": server_side, "error": error.map(ToString::to_string),
            })
        };
        if error.is_some() && !self.context.printer.is_json() {
            return Ok(());
        }
        self.bar.suspend(|| self.context.printer.data(text, json))
    }

    pub(super) fn would(&mut self, job: &Job) -> Result<()> {
        self.done += 1;
        self.bytes += job.size;
        self.line(job, None, false)
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) -> Result<()> {
        match &outcome.result {
            Ok(report) => {
                self.done += 1;
                self.bytes += outcome.job.size;
                self.bar.inc(outcome.job.size);
                self.line(&outcome.job, None, report.server_side)
            }
            Err(error) => {
                self.failed += 1;
                self.bar.suspend(|| self.context.printer.error(&error.to_string()));
                self.line(&outcome.job, Some(error), false)
            }
        }
    }

    pub(super) fn summary(&self) -> String {
        let what = match (self.dry_run, self.verb) {
            (true, Verb::Copy) => "would copy",
            (true, Verb::Move) => "would move",
            (false, Verb::Copy) => "copied",
            (false, Verb::Move) => "moved",
        };
        let failed =
            if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        format!("{what} {} objects, {}{failed}", self.done, human(self.bytes))
    }

    pub(super) fn exit(&self) -> Exit {
        if self.failed > 0 { Exit::Partial } else { Exit::Done }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn end(&self) -> Exit {
        self.finish();
        if self.total != 1 || self.failed > 0 {
            self.context.printer.note(&self.summary());
        }
        self.exit()
    }
}

async fn from_stdin(context: &Context<'_>, target: &Place) -> Result<Exit> {
    if target.is_dir || target.path.as_ref().is_empty() {
        bail!(
            "standard input has no name: give the key of the object to write below {}",
            target.url()
        );
    }
    let failed = |e| target.store.error("put", &target.path, e);
    let mut input = tokio::io::stdin();
    let mut first = Vec::new();
    (&mut input).take(PART_BYTES as u64).read_to_end(&mut first).await?;
    if first.len() < PART_BYTES {
        target.store.put(&target.path, first.into()).await.map_err(failed)?;
        return Ok(Exit::Done);
    }
    let upload: Box<dyn MultipartUpload> =
        target.store.put_multipart(&target.path).await.map_err(failed)?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    writer.put(first.into());
    loop {
        let mut piece = Vec::with_capacity(PART_BYTES);
        let read = (&mut input).take(PART_BYTES as u64).read_to_end(&mut piece).await;
        let sent = match read {
            Ok(0) => break,
            Ok(_) => writer.wait_for_capacity(4).await.map_err(|e| anyhow::Error::from(failed(e))),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = sent {
            // The first error is the one to report.
            drop(writer.abort().await);
            return Err(error);
        }
        writer.put(piece.into());
    }
    writer.finish().await.map_err(failed)?;
    context.printer.flush()?;
    Ok(Exit::Done)
}
