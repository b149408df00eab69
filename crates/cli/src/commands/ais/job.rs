//! `holdall ais job`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Subcommand;
use holdall::ais::Job;
use holdall::ais::job::Snaps;
use holdall::ais::wire::job::{Snap, find_kind};
use holdall::ais::wire::value::from_nanos;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::args::WaitArgs;
use super::table::Table;
use super::{Session, time};
use crate::Exit;
use crate::printer::human;

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// List jobs.
    Ls {
        /// Only jobs of this kind.
        #[arg(default_value = "")]
        kind: String,
        /// Only those that run.
        #[arg(long)]
        running: bool,
    },
    /// Show how far a job is on each target.
    Show {
        /// Id of the job.
        id: String,
        /// Kind of the job: `lru`, `copy-bck`, …
        #[arg(long, default_value = "")]
        kind: String,
    },
    /// Start a job by its kind: lru, cleanup, rebalance, resilver, load-lom-cache, …
    Start {
        /// Kind of the job: `lru`, `copy-bck`, …
        kind: String,
        /// Buckets to work on; repeatable.
        #[arg(long = "bucket", value_name = "BUCKET")]
        buckets: Vec<String>,
        /// Only on this node.
        #[arg(long, default_value = "")]
        node: String,
        /// Even where the cluster sees no need.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Stop a job, or all jobs of a kind.
    Stop {
        /// Id of the job.
        #[arg(required_unless_present = "kind")]
        id: Option<String>,
        /// Kind of the job: `lru`, `copy-bck`, …
        #[arg(long)]
        kind: Option<String>,
    },
    /// Wait until a job has ended; exit status 3 when it failed.
    Wait {
        /// Id of the job.
        id: String,
        /// Kind of the job: `lru`, `copy-bck`, …
        #[arg(long, default_value = "")]
        kind: String,
        /// Longest wait.
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = crate::args::duration)]
        timeout: Duration,
    },
    /// Show how far a job is until it has ended: a bar on a terminal, else a line for each change.
    Watch {
        /// Id of the job.
        id: String,
        /// Kind of the job: `lru`, `copy-bck`, …
        #[arg(long, default_value = "")]
        kind: String,
        /// Longest watch.
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = crate::args::duration)]
        timeout: Duration,
    },
}

pub(super) async fn run(ais: &Session<'_>, command: &JobCommand) -> Result<Exit> {
    match command {
        JobCommand::Ls { kind, running } => ls(ais, kind, *running).await?,
        JobCommand::Show { id, kind } => {
            let snaps = ais.client.job(id, kind).snapshots().await?;
            show(ais, &snaps)?;
        }
        JobCommand::Start { kind, buckets, node, force, wait } => {
            let buckets = buckets.iter().map(|text| Ok(ais.bucket(text)?.bck().clone()));
            let buckets = buckets.collect::<Result<Vec<_>>>()?;
            let job = ais.client.job("", kind).start(node, *force, &buckets).await?;
            return started(ais, &[job], wait).await;
        }
        JobCommand::Stop { id, kind } => {
            let (id, kind) = (id.as_deref().unwrap_or(""), kind.as_deref().unwrap_or(""));
            ais.client.job(id, kind).abort().await?;
        }
        JobCommand::Wait { id, kind, timeout } => {
            let waited = ais.client.job(id, kind).wait(*timeout).await?;
            return ended(ais, &waited.id, waited.success, &waited.error);
        }
        JobCommand::Watch { id, kind, timeout } => {
            let job = ais.client.job(id, kind);
            return watch(ais, &job, *timeout, true).await;
        }
    }
    Ok(Exit::Done)
}

/// Names the jobs that were started, and waits for them if that is wanted.
pub(super) async fn started(ais: &Session<'_>, jobs: &[Job], wait: &WaitArgs) -> Result<Exit> {
    let printer = ais.context.printer;
    if !wait.wait {
        for job in jobs {
            printer
                .data(|| job.id().to_owned(), || json!({"job": job.id(), "kind": job.kind()}))?;
        }
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    for job in jobs {
        if watch(ais, job, wait.timeout, false).await? != Exit::Done {
            exit = Exit::Partial;
        }
    }
    Ok(exit)
}

fn ended(ais: &Session<'_>, id: &str, success: bool, error: &str) -> Result<Exit> {
    let printer = ais.context.printer;
    printer.data(
        || format!("{id}: {}", if success { "done" } else { "failed" }),
        || json!({"job": id, "success": success, "error": error}),
    )?;
    if !success {
        printer.error(&format!("job {id}: {error}"));
    }
    Ok(if success { Exit::Done } else { Exit::Partial })
}

async fn ls(ais: &Session<'_>, kind: &str, running: bool) -> Result<()> {
    if running {
        let mut table = Table::new(&["Kind", "Job"]);
        for name in ais.client.cluster().list_running_jobs(kind, "").await? {
            let (kind, id) = name.split_once('[').unwrap_or((&name, ""));
            let id = id.trim_end_matches(']');
            table.row(vec![kind.to_owned(), id.to_owned()], json!({"kind": kind, "job": id}));
        }
        return table.print(ais.context.printer);
    }
    let mut table = Table::new(&["Kind", "Job", "State", "Ended", "Error"]);
    let mut jobs = ais.client.cluster().list_jobs(kind, "").await?;
    jobs.sort_by(|a, b| (a.end_time, &a.uuid).cmp(&(b.end_time, &b.uuid)));
    for job in jobs {
        let state = match (job.aborted, job.end_time != 0, job.is_idle) {
            (true, ..) => "aborted",
            (_, true, _) if !job.err.is_empty() => "failed",
            (_, true, _) => "done",
            (_, _, true) => "idle",
            _ => "running",
        };
        let end = (job.end_time != 0).then(|| from_nanos(job.end_time));
        let object = json!({
            "kind": job.kind, "job": job.uuid, "state": state, "ended": end, "error": job.err,
        });
        table.row(vec![job.kind, job.uuid, state.to_owned(), time(end), job.err], object);
    }
    table.print(ais.context.printer)
}

fn state(snap: &Snap) -> &'static str {
    match snap {
        snap if snap.aborted || !snap.abort_err.is_empty() => "aborted",
        snap if snap.end_time.is_some() && !snap.err.is_empty() => "failed",
        snap if snap.end_time.is_some() => "done",
        snap if snap.is_idle => "idle",
        _ => "running",
    }
}

fn show(ais: &Session<'_>, snaps: &Snaps) -> Result<()> {
    let headings = [
        "Target", "Job", "Kind", "Bucket", "Objects", "Bytes", "State", "Started", "Ended", "Error",
    ];
    let mut table = Table::new(&headings);
    for (target, snap) in snaps.iter().flat_map(|(target, s)| s.iter().map(move |s| (target, s))) {
        let bucket = snap.bck.as_ref().or(snap.src_bck.as_ref()).filter(|b| !b.name.is_empty());
        let bucket = bucket.map(ToString::to_string).unwrap_or_default();
        let error = if snap.err.is_empty() { &snap.abort_err } else { &snap.err };
        table.row(
            vec![
                target.clone(),
                snap.id.clone(),
                snap.kind.clone(),
                bucket.clone(),
                snap.stats.loc_objs.to_string(),
                snap.stats.loc_bytes.to_string(),
                state(snap).to_owned(),
                time(snap.start_time),
                time(snap.end_time),
                error.clone(),
            ],
            json!({
                "target": target, "job": snap.id, "kind": snap.kind, "bucket": bucket,
                "objects": snap.stats.loc_objs, "bytes": snap.stats.loc_bytes,
                "state": state(snap), "started": snap.start_time, "ended": snap.end_time, "error": error,
            }),
        );
    }
    table.print(ais.context.printer)
}

/// How far a job is, all targets together.
#[derive(Default, PartialEq, Eq)]
struct Far {
    objects: i64,
    bytes: i64,
    targets: usize,
    busy: usize,
    error: String,
    /// Whether any target stopped it, and whether all have ended.
    aborted: bool,
    ended: bool,
}

impl Far {
    fn of(snaps: &Snaps) -> Self {
        let mut far = Self::default();
        for snap in snaps.values().flatten() {
            far.objects += snap.stats.loc_objs;
            far.bytes += snap.stats.loc_bytes;
            far.targets += 1;
            far.busy += usize::from(state(snap) == "running");
            far.aborted |= state(snap) == "aborted";
            if far.error.is_empty() {
                far.error = if snap.err.is_empty() { &snap.abort_err } else { &snap.err }.clone();
            }
        }
        far.ended = far.targets > 0
            && snaps.values().flatten().all(|snap| !matches!(state(snap), "running" | "idle"));
        far
    }

    fn text(&self) -> String {
        let bytes = human(u64::try_from(self.bytes).unwrap_or_default());
        format!("{} objects  {bytes}  on {} of {} targets", self.objects, self.busy, self.targets)
    }

    fn json(&self, id: &str) -> Value {
        json!({
            "job": id, "objects": self.objects, "bytes": self.bytes, "targets": self.targets,
            "running": self.busy, "error": self.error,
        })
    }
}

const LOOKS: Duration = Duration::from_millis(200);
/// How long a job that may get more work has to be idle to count as done.
const IDLE_LOOKS: usize = 2;

/// Shows a job until it has ended, with its changes as data when `tells`.
async fn watch(ais: &Session<'_>, job: &Job, timeout: Duration, tells: bool) -> Result<Exit> {
    let bar = bar(ais);
    let begin = tokio::time::Instant::now();
    let (mut last, mut idle) = (None, 0);
    loop {
        let snaps = job.snapshots().await?;
        let far = Far::of(&snaps);
        let idles = snaps.values().flatten().any(|s| find_kind(&s.kind).is_some_and(|k| k.idles));
        idle = if far.targets > 0 && far.busy == 0 && idles { idle + 1 } else { 0 };
        bar.set_message(format!("{}: {}", job.id(), far.text()));
        bar.tick();
        if tells && bar.is_hidden() && last.as_ref() != Some(&far) {
            let (text, id) = (|| format!("{}: {}", job.id(), far.text()), job.id());
            ais.context.printer.data(text, || far.json(id))?;
            ais.context.printer.flush()?;
        }
        if far.aborted || far.ended || idle >= IDLE_LOOKS {
            bar.finish_and_clear();
            let error = match (far.aborted, far.error.as_str()) {
                (true, "") => "aborted",
                (_, error) => error,
            };
            return ended(ais, job.id(), error.is_empty(), error);
        }
        last = Some(far);
        if begin.elapsed() > timeout {
            bar.finish_and_clear();
            bail!(
                "job {}: it did not end within {}",
                job.id(),
                humantime::format_duration(timeout)
            );
        }
        tokio::time::sleep(LOOKS).await;
    }
}

fn bar(ais: &Session<'_>) -> ProgressBar {
    ais.context.printer.spinner()
}
