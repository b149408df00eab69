//! `holdall cp`, `mv`, `get` and `put`.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{CopyMode, ObjectStoreExt};
use holdall::store::transfer::{Job, Outcome, Overlap, Reason, Transfer, Verb, Verify};
use holdall::store::{Error, ErrorKind, ParallelOptions, Store};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Context, cat};
use crate::Exit;
use crate::args::{Copy, TransferArgs};
use crate::place::{End, Found, Place, child, filter};
use crate::printer::{Bar, human};

/// Bytes of standard input that are read at a time.
const READ_BYTES: usize = 1024 * 1024;

pub(super) async fn run(context: &Context<'_>, args: &Copy, verb: Verb) -> Result<Exit> {
    match (args.source.as_str(), args.target.as_str()) {
        ("-", "-") => bail!("standard input to standard output needs no holdall"),
        ("-", target) => {
            let target = context.place(target, End::Target)?;
            if args.transfer.recursive {
                bail!("standard input is one object: it does not go with --recursive");
            }
            if target.is_dir || target.path.as_ref().is_empty() {
                bail!(
                    "standard input has no name: give the key of the object to write below {}",
                    target.url()
                );
            }
            let input = Input { shown: ("-", "standard input"), reader: tokio::io::stdin() };
            return from_stream(context, input, &target.store, &target.path, &args.transfer).await;
        }
        (_, "-") if args.transfer.dry_run => {
            bail!("--dry-run does not go with standard output, which is not changed by anything")
        }
        (source, "-") if verb == Verb::Copy && !args.transfer.recursive => {
            let source = context.place(source, End::Source)?;
            cat::to_stdout(context, &source, &engine(&args.transfer, verb)).await?;
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
    let to = match target.is_dir || target.path.as_ref().is_empty() {
        true => child(&target.path, source.name()?)?,
        false => target.path.clone(),
    };
    let wanted = filter(&args.filter)?.allows(source.name()?);
    if wanted && let Some(path) = source.unmeasured() {
        if verb == Verb::Move {
            bail!("{} is no regular file: its content can be copied, not moved", source.url());
        }
        let reader = tokio::fs::File::open(path).await;
        let reader = reader.with_context(|| format!("read {}", source.url()))?;
        let url = source.url();
        let input = Input { shown: (&url, &url), reader };
        return from_stream(context, input, &target.store, &to, args).await;
    }
    let meta = source.store.head(&source.path).await;
    let meta = meta.map_err(|e| source.store.error("copy", &source.path, e))?;
    let inside = (to != target.path).then(|| source.name()).transpose()?;
    let (from_url, to_url) = (source.store.url_of(&source.path), target.store.url_of(&to));
    if is_same(context, &from_url, &to_url, verb) || source.is_same_file(target, inside) {
        bail!("source and target are the same object, {from_url}");
    }
    let job = Job { from: source.path.clone(), to, size: meta.size };
    let jobs = stream::iter(wanted.then_some(Ok(job))).boxed();
    run_jobs(context, &source.store, &target.store, jobs, None, args, verb).await
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
    let in_order = ParallelOptions::default().with_own_order(true);
    let mut listing = from.sources(in_order).peekable();
    match source.found_by(&mut listing).await? {
        Found::Below | Found::Empty => {}
        Found::Object => return one(context, source, target, args, verb).await,
        Found::Nothing => bail!("{} {}: nothing is there", action(verb), source.url()),
    }
    let (from_url, to_url) = (from.url(), to.url());
    let overlap = Overlap::of(&from, &to);
    if is_same(context, &from_url, &to_url, verb)
        || matches!(overlap, Overlap::Same | Overlap::TargetInside)
    {
        bail!("the target {to_url} is the source or lies inside it: the copy would never end");
    }
    let jobs = listing
        .filter(move |item| futures::future::ready(filter.keeps(item)))
        .map_ok(|meta| Job { from: meta.location.clone(), to: meta.location, size: meta.size })
        .boxed();
    run_jobs(context, &from, &to, jobs, overlap.spared(), args, verb).await
}

fn action(verb: Verb) -> &'static str {
    match verb {
        Verb::Copy => "copy",
        Verb::Move => "move",
    }
}

/// Whether two URLs are one place. Settings for one end can mean another service that has a bucket of that name; a
/// mistake about it costs a copy, but with a move the object.
fn is_same(context: &Context<'_>, from: &str, to: &str, verb: Verb) -> bool {
    from == to
        && (verb == Verb::Move || context.common.source_config == context.common.target_config)
}

async fn run_jobs(
    context: &Context<'_>,
    source: &Store,
    target: &Store,
    jobs: Jobs,
    spared: Option<Path>,
    args: &TransferArgs,
    verb: Verb,
) -> Result<Exit> {
    let transfer = engine(args, verb);
    let options = transfer.options().clone().with_spared(spared);
    let transfer = transfer.with_options(options);
    let mut report = Report::new(context, source, target, verb, args.dry_run, &transfer);
    let failed = match args.dry_run {
        true => look_at_all(&mut report, &transfer, source, target, jobs).await?,
        false => run_all(&mut report, &transfer, source, target, jobs).await?,
    };
    report.finish();
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(report.end()),
    }
}

type Jobs = BoxStream<'static, holdall::store::Result<Job>>;

/// Runs jobs side by side; why there was an end to them before the last one, if there was.
async fn run_all(
    report: &mut Report<'_>,
    transfer: &Transfer,
    source: &Store,
    target: &Store,
    mut jobs: Jobs,
) -> Result<Option<Error>> {
    let mut running = futures::stream::FuturesUnordered::new();
    let mut failed = None;
    let workers = transfer.options().workers;
    loop {
        tokio::select! {
            Some(outcome) = running.next() => report.outcome(&outcome)?,
            job = jobs.next(), if running.len() < workers && failed.is_none() => match job {
                Some(Ok(job)) => {
                    report.planned();
                    running.push(transfer.start(source, target, job));
                }
                Some(Err(error)) => failed = report.unlisted(error)?,
                None => break,
            },
            else => break,
        }
    }
    while let Some(outcome) = running.next().await {
        report.outcome(&outcome)?;
    }
    Ok(failed)
}

/// Tells in their order what would become of jobs.
async fn look_at_all(
    report: &mut Report<'_>,
    transfer: &Transfer,
    source: &Store,
    target: &Store,
    jobs: Jobs,
) -> Result<Option<Error>> {
    let creates = transfer.options().mode == CopyMode::Create;
    let looked = jobs.map(|job| async {
        let exists = match &job {
            Ok(job) if creates => target.exists(&job.to).await,
            _ => Ok(false),
        };
        (job, exists)
    });
    let mut looked = std::pin::pin!(looked.buffered(transfer.options().workers));
    while let Some((job, exists)) = looked.next().await {
        match job {
            Ok(job) => {
                report.planned();
                let allowed = exists
                    .and_then(|exists| refuse_existing(target, &job.to, exists))
                    .and_then(|()| transfer.check_spared(source, target, &job.to));
                match allowed {
                    Ok(()) => report.would(&job, None)?,
                    Err(error) => report.outcome(&Outcome { job, result: Err(error) })?,
                }
            }
            Err(error) => {
                if let Some(error) = report.unlisted(error)? {
                    return Ok(Some(error));
                }
            }
        }
    }
    Ok(None)
}

/// What `--no-clobber` says of a target that exists.
fn refuse_existing(target: &Store, to: &Path, exists: bool) -> holdall::store::Result<()> {
    match exists {
        true => Err(Error::new(ErrorKind::AlreadyExists, "put", target.url_of(to), "")),
        false => Ok(()),
    }
}

/// The engine as the options want it.
fn engine(args: &TransferArgs, verb: Verb) -> Transfer {
    let transfer = args.engine.transfer();
    let mode = if args.no_clobber { CopyMode::Create } else { CopyMode::Overwrite };
    let mut options = transfer.options().clone().with_mode(mode).with_verb(verb);
    if args.checksum {
        options = options.with_verify(Verify::Required);
    }
    transfer.with_options(options)
}

/// Tells what becomes of jobs, and adds it up.
pub(super) struct Report<'a> {
    context: &'a Context<'a>,
    source: Store,
    target: Store,
    verb: Verb,
    dry_run: bool,
    bar: Bar,
    done: u64,
    bytes: u64,
    /// Bytes that an earlier run had moved.
    resumed: u64,
    failed: u64,
    /// Jobs so far, whatever became of them.
    total: u64,
    start: Instant,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        source: &Store,
        target: &Store,
        verb: Verb,
        dry_run: bool,
        transfer: &Transfer,
    ) -> Self {
        Self {
            context,
            source: source.clone(),
            target: target.clone(),
            verb,
            dry_run,
            bar: context.printer.progress(transfer.events()),
            done: 0,
            bytes: 0,
            resumed: 0,
            failed: 0,
            total: 0,
            start: Instant::now(),
        }
    }

    pub(super) fn planned(&mut self) {
        self.total += 1;
    }

    fn line(
        &self,
        job: &Job,
        error: Option<&Error>,
        server_side: bool,
        reason: Option<Reason>,
    ) -> Result<()> {
        let (from, to) = (self.source.url_of(&job.from), self.target.url_of(&job.to));
        let action = action(self.verb);
        let done = match self.verb {
            Verb::Copy => "copied",
            Verb::Move => "moved",
        };
        if !self.context.printer.is_json() && !self.context.printer.verbose && !self.dry_run {
            return Ok(());
        }
        let text = || match self.dry_run {
            true => format!("would {action} {from} to {to} ({})", human(job.size)),
            false => format!("{done} {from} to {to} ({})", human(job.size)),
        };
        let json = || {
            let mut line = json!({
                "action": action, "source": from, "target": to, "size": job.size, "dry_run": self.dry_run,
                "ok": error.is_none(), "server_side": server_side, "error": error.map(ToString::to_string),
            });
            if let Some(reason) = reason {
                line["reason"] = json!(match reason {
                    Reason::Missing => "missing",
                    Reason::Different => "different",
                });
            }
            line
        };
        if error.is_some() && !self.context.printer.is_json() {
            return Ok(());
        }
        self.bar.suspend(|| self.context.printer.outcome(text, json))
    }

    pub(super) fn would(&mut self, job: &Job, reason: Option<Reason>) -> Result<()> {
        self.done += 1;
        self.bytes += job.size;
        self.line(job, None, false, reason)
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) -> Result<()> {
        match &outcome.result {
            Ok(report) => {
                self.done += 1;
                self.bytes += outcome.job.size;
                self.resumed += report.resumed_bytes;
                self.line(&outcome.job, None, report.server_side, None)
            }
            Err(error) => {
                self.failed += 1;
                self.bar.suspend(|| self.context.printer.error(&error.to_string()));
                self.line(&outcome.job, Some(error), false, None)
            }
        }
    }

    /// What is in the source, and no path can name or nothing can read.
    pub(super) fn refused(&mut self, error: &Error) -> Result<()> {
        self.failed += 1;
        self.bar.suspend(|| self.context.printer.error(&error.to_string()));
        if !self.context.printer.is_json() {
            return Ok(());
        }
        let json = || {
            json!({
                "action": error.operation(), "source": error.target(), "target": null,
                "size": error.odd_key().map(|odd| odd.size), "dry_run": self.dry_run, "ok": false,
                "server_side": false, "error": error.to_string(),
            })
        };
        self.bar.suspend(|| self.context.printer.outcome(String::new, json))
    }

    /// An error in place of a job: told if it is of one object, given back if it is the end of all.
    fn unlisted(&mut self, error: Error) -> Result<Option<Error>> {
        if error.odd_key().is_none() {
            return Ok(Some(error));
        }
        self.planned();
        self.refused(&error.with_operation(action(self.verb)))?;
        Ok(None)
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
        format!("{what} {} objects, {}{}{failed}", self.done, human(self.bytes), self.pace())
    }

    /// ` in 2.1 s (310 MiB/s)`, for what has moved.
    fn pace(&self) -> String {
        if self.dry_run || self.bytes == 0 {
            return String::new();
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let moved = self.bytes.saturating_sub(self.resumed);
        let rate = human((moved as f64 / seconds.max(1e-9)) as u64);
        let resumed = match self.resumed {
            0 => String::new(),
            bytes => format!(", {} of it before", human(bytes)),
        };
        format!(" in {seconds:.1} s ({rate}/s{resumed})")
    }

    pub(super) fn exit(&self) -> Exit {
        if self.failed > 0 { Exit::Partial } else { Exit::Done }
    }

    pub(super) fn finish(&self) {
        self.bar.clear();
    }

    fn end(&self) -> Exit {
        if self.total != 1 || self.failed > 0 || self.resumed > 0 {
            self.context.printer.note(&self.summary());
        }
        self.exit()
    }
}

/// What is read to its end, with its name for programs and for people.
struct Input<'a, R> {
    shown: (&'a str, &'a str),
    reader: R,
}

/// Copies what comes, in bounded memory.
async fn from_stream(
    context: &Context<'_>,
    input: Input<'_, impl AsyncRead + Send + Unpin>,
    target: &Store,
    to: &Path,
    args: &TransferArgs,
) -> Result<Exit> {
    let Input { shown: (name, text), reader } = input;
    let told = |size: Option<u64>| {
        let url = target.url_of(to);
        let printer = context.printer;
        if !printer.is_json() && !printer.verbose && !args.dry_run {
            return Ok(());
        }
        let done = if args.dry_run { "would copy" } else { "copied" };
        let json = || {
            json!({
                "action": "copy", "source": name, "target": url, "size": size, "dry_run": args.dry_run,
                "ok": true, "server_side": false, "error": null,
            })
        };
        printer.outcome(|| format!("{done} {text} to {url}"), json)
    };
    if args.no_clobber {
        refuse_existing(target, to, target.exists(to).await?)?;
    }
    if args.dry_run {
        return told(None).map(|()| Exit::Done);
    }
    let transfer = engine(args, Verb::Copy);
    let bar = context.printer.progress(transfer.events());
    let failed = |e: std::io::Error| Error::new(ErrorKind::Io, "read", text, e.to_string());
    let pieces = stream::try_unfold(reader, |mut reader| async move {
        let mut piece = Vec::with_capacity(READ_BYTES);
        let read = (&mut reader).take(READ_BYTES as u64).read_to_end(&mut piece).await;
        read.map_err(failed)?;
        Ok((!piece.is_empty()).then(|| (piece.into(), reader)))
    });
    let report = transfer.upload_stream(pieces.boxed(), target, to).await;
    bar.clear();
    told(Some(report?.bytes)).map(|()| Exit::Done)
}
