//! `holdall ais dsort`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use holdall::ais::wire::dsort::{JobInfo, JobInfos};
use holdall::ais::{Dsort, ErrorKind};
use serde_json::{Value, json};

use super::args::WaitArgs;
use super::table::Table;
use super::{Session, time};
use crate::Exit;

/// What to do with dSort jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum DsortCommand {
    /// List jobs.
    Ls {
        /// Only those whose description matches.
        #[arg(default_value = "", value_name = "REGEX")]
        regex: String,
        /// Only those that run.
        #[arg(long)]
        active: bool,
    },
    /// Start a job.
    Start {
        /// The specification, a file of JSON; `-` for standard input.
        spec: PathBuf,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Show how far a job is on each target.
    Show {
        /// Id of the job.
        id: String,
    },
    /// Wait until a job has ended; exit status 3 when it failed.
    Wait {
        /// Id of the job.
        id: String,
        /// Longest wait.
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = crate::args::duration)]
        timeout: Duration,
    },
    /// Stop a job.
    Stop {
        /// Id of the job.
        id: String,
    },
    /// Forget a job that has ended.
    Rm {
        /// Id of the job.
        id: String,
    },
}

pub(super) async fn run(ais: &Session<'_>, command: &DsortCommand) -> Result<Exit> {
    let printer = ais.context.printer;
    match command {
        DsortCommand::Ls { regex, active } => {
            let mut table = Table::new(&["Job", "From", "To", "State", "Started", "Ended"]);
            for job in ais.client.list_dsorts(regex, *active).await? {
                table.row(
                    vec![
                        job.id.clone(),
                        job.src_bck.to_string(),
                        job.dst_bck.to_string(),
                        state(&job).to_owned(),
                        super::super::listing::time(&job.started_time),
                        ended(&job),
                    ],
                    row(&job),
                );
            }
            table.print(printer)?;
        }
        DsortCommand::Start { spec, wait } => {
            let text = match spec.as_os_str() == "-" {
                true => std::io::read_to_string(std::io::stdin())?,
                false => {
                    std::fs::read_to_string(spec).with_context(|| spec.display().to_string())?
                }
            };
            let spec: Value = serde_json::from_str(&text)
                .with_context(|| format!("{}: expected JSON", spec.display()))?;
            let job = ais.client.dsort("").start(&spec).await?;
            if wait.wait {
                return wait_for(ais, &job, wait.timeout).await;
            }
            printer.data(|| job.id().to_owned(), || json!({"job": job.id()}))?;
        }
        DsortCommand::Show { id } => show(ais, &ais.client.dsort(id).info().await?)?,
        DsortCommand::Wait { id, timeout } => {
            return wait_for(ais, &ais.client.dsort(id), *timeout).await;
        }
        DsortCommand::Stop { id } => ais.client.dsort(id).abort().await?,
        DsortCommand::Rm { id } => ais.client.dsort(id).remove().await?,
    }
    Ok(Exit::Done)
}

fn state(job: &JobInfo) -> &'static str {
    let metrics = job.metrics.as_ref();
    match metrics {
        _ if job.aborted || metrics.is_some_and(|m| m.aborted) => "aborted",
        Some(metrics) if !metrics.shard_creation.phase.finished => "running",
        Some(metrics) if !metrics.errors.is_empty() => "failed",
        Some(_) => "done",
        None if ended(job).is_empty() => "running",
        None => "done",
    }
}

fn ended(job: &JobInfo) -> String {
    // The zero of Go's times is no time.
    let zero = chrono::DateTime::<chrono::Utc>::UNIX_EPOCH;
    time(Some(job.finish_time).filter(|at| *at > zero))
}

fn row(job: &JobInfo) -> Value {
    json!({
        "job": job.id, "from": job.src_bck.to_string(), "to": job.dst_bck.to_string(),
        "state": state(job), "started": job.started_time, "ended": ended(job),
        "objects": job.objs, "bytes": job.bytes,
    })
}

fn show(ais: &Session<'_>, infos: &JobInfos) -> Result<()> {
    let headings = ["Target", "State", "Read", "Records", "Written", "To write", "Errors"];
    let mut table = Table::new(&headings);
    for (target, job) in infos {
        let Some(metrics) = &job.metrics else { continue };
        let (read, written) = (&metrics.local_extraction, &metrics.shard_creation);
        let mut object = row(job);
        object["target"] = json!(target);
        object["metrics"] = serde_json::to_value(metrics)?;
        table.row(
            vec![
                target.clone(),
                state(job).to_owned(),
                format!("{}/{}", read.extracted_count, read.total_count),
                read.extracted_record_count.to_string(),
                written.created_count.to_string(),
                written.to_create.to_string(),
                metrics.errors.join("; "),
            ],
            object,
        );
    }
    table.print(ais.context.printer)
}

async fn wait_for(ais: &Session<'_>, job: &Dsort, timeout: Duration) -> Result<Exit> {
    let bar = ais.context.printer.spinner();
    bar.set_message(format!("{}: sorting", job.id()));
    bar.enable_steady_tick(Duration::from_millis(200));
    let waited = job.wait(timeout).await;
    bar.finish_and_clear();
    let infos = match waited {
        Err(error) if error.kind() == ErrorKind::Timeout => return Err(error.into()),
        waited => waited?,
    };
    show(ais, &infos)?;
    let is_well = infos.values().all(|job| state(job) == "done");
    Ok(if is_well { Exit::Done } else { Exit::Partial })
}
