//! `holdall bench`: how fast a store is from here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt, stream};
use holdall::store::Store;
use holdall::store::local::LocalStore;
use holdall::store::object_store::path::Path;
use holdall::store::transfer::{Budget, Limits, Transfer, TransferOptions, Verify, aborting};
use serde_json::json;

use super::Context;
use crate::args::Bench;
use crate::place::End;
use crate::printer::{Printer, human};
use crate::{Exit, Told};

/// Measures a store, prints a row for each measurement, and removes what it has written, however it ends.
pub(crate) async fn run(context: &Context<'_>, args: &Bench) -> Result<Exit> {
    let place = context.place(&args.place, End::Only)?;
    let name = format!("holdall-bench-{:016x}", fastrand::u64(..));
    let store = place.below().with_prefix(&Path::from(name));
    let bench = Run { context, args, store, transfer: engine(args) };
    context.printer.note(&format!("measuring below {}", bench.store.url()));
    let ended = tokio::select! {
        ended = bench.all() => ended.map(|()| Exit::Done),
        told = Told::to_end() => Ok(Exit::Told(told)),
    };
    let cleaned = bench.clean(matches!(ended, Ok(Exit::Done))).await;
    match (ended, cleaned) {
        (Ok(Exit::Done), cleaned) => cleaned.map(|()| Exit::Done),
        (ended, Ok(())) => ended,
        (ended, Err(error)) => {
            context.printer.error(&format!("{error:#}"));
            ended
        }
    }
}

fn engine(args: &Bench) -> Transfer {
    let verify = if args.no_verify { Verify::Length } else { Verify::Checksum };
    let options = TransferOptions::default()
        .with_parts(args.parts)
        .with_part_bytes(args.part_size)
        .with_verify(verify);
    let limits = Limits::default().with_memory_bytes(args.memory);
    Transfer::new().with_options(options).with_budget(Budget::new(limits))
}

/// How long an object may take to appear whose request was cancelled.
const LATE: Duration = Duration::from_millis(500);

struct Run<'a> {
    context: &'a Context<'a>,
    args: &'a Bench,
    /// The store below a prefix that nobody else has.
    store: Store,
    transfer: Transfer,
}

/// Operations of one kind.
struct Row {
    operation: &'static str,
    size: Option<u64>,
    at_once: usize,
    objects: u64,
    bytes: u64,
    elapsed: Duration,
    /// Of each operation, shortest first.
    latencies: Vec<Duration>,
}

impl Run<'_> {
    async fn all(&self) -> Result<()> {
        header(self.context.printer)?;
        let mut written = 0;
        for &size in &self.args.sizes {
            written += self.size(size).await?;
        }
        self.row(&self.list(written).await?)?;
        self.row(&self.delete().await?)
    }

    /// Writes and reads objects of one size. Returns how many were written.
    async fn size(&self, size: u64) -> Result<u64> {
        let data = noise(size);
        let next = AtomicU64::new(0);
        let key = |number: u64| Path::from(format!("{size}/{number:08}"));
        for &at_once in &self.args.concurrency {
            let put = || async {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let written = self.transfer.write(data.clone(), &self.store, &key(number)).await;
                Ok(written.map(|report| report.bytes)?)
            };
            self.row(&self.repeat("put", size, at_once, put).await?)?;
        }
        let written = next.load(Ordering::Relaxed);
        let turn = AtomicU64::new(0);
        for &at_once in &self.args.concurrency {
            let get = || async {
                let number = turn.fetch_add(1, Ordering::Relaxed) % written;
                let read = self.transfer.read(&self.store, &key(number)).await?;
                if read != data {
                    bail!("{} is not what was written", self.store.url_of(&key(number)));
                }
                Ok(read.len() as u64)
            };
            self.row(&self.repeat("get", size, at_once, get).await?)?;
        }
        Ok(written)
    }

    /// Runs an operation again and again, `at_once` at a time, until the time is up or enough bytes have moved.
    async fn repeat<F: Future<Output = Result<u64>>>(
        &self,
        operation: &'static str,
        size: u64,
        at_once: usize,
        one: impl Fn() -> F,
    ) -> Result<Row> {
        let most = (self.args.max_bytes / size.max(1)).clamp(at_once as u64, u64::from(u32::MAX));
        let begun = AtomicU64::new(0);
        let start = Instant::now();
        let timed = || async {
            let before = Instant::now();
            one().await.map(|bytes| (bytes, before.elapsed()))
        };
        let more = || {
            let is_first = begun.load(Ordering::Relaxed) < at_once as u64;
            let has_time = is_first || start.elapsed() < self.args.duration;
            has_time && begun.fetch_add(1, Ordering::Relaxed) < most
        };
        let mut running = FuturesUnordered::new();
        let (mut bytes, mut latencies) = (0, Vec::new());
        loop {
            while running.len() < at_once && more() {
                running.push(timed());
            }
            let Some((moved, took)) = running.try_next().await? else { break };
            bytes += moved;
            latencies.push(took);
        }
        let elapsed = start.elapsed();
        latencies.sort_unstable();
        let objects = latencies.len() as u64;
        Ok(Row { operation, size: Some(size), at_once, objects, bytes, elapsed, latencies })
    }

    /// Lists everything that was written, once.
    async fn list(&self, expected: u64) -> Result<Row> {
        let start = Instant::now();
        let objects = self.store.objects(None).try_fold(0u64, |n, _| async move { Ok(n + 1) });
        let objects = objects.await?;
        let elapsed = start.elapsed();
        if objects != expected {
            bail!("{}: {expected} objects were written, {objects} are listed", self.store.url());
        }
        Ok(Row::once("list", objects, elapsed))
    }

    async fn delete(&self) -> Result<Row> {
        let start = Instant::now();
        let deleted = self.remove().await?;
        Ok(Row::once("delete", deleted, start.elapsed()))
    }

    async fn remove(&self) -> Result<u64> {
        let keys: Vec<_> =
            self.store.objects(None).map_ok(|meta| meta.location).try_collect().await?;
        let mut deleted = 0;
        let mut outcomes = self.store.delete_many(stream::iter(keys).boxed());
        while let Some((_, outcome)) = outcomes.next().await {
            outcome?;
            deleted += 1;
        }
        Ok(deleted)
    }

    /// Removes what was written, and waits for what was cancelled: uploads in parts that are being aborted, and, where the run
    /// was cut off, objects that were on their way.
    async fn clean(&self, is_done: bool) -> Result<()> {
        let until = Instant::now() + super::SETTLING;
        while aborting() > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut removed = self.remove().await;
        if !is_done && removed.is_ok() {
            tokio::time::sleep(LATE).await;
            removed = self.remove().await;
        }
        if let Some(local) = self.store.provider().as_any().downcast_ref::<LocalStore>() {
            // Directories are no objects. Nobody else has files in this one.
            let dir = local.file_path(self.store.prefix())?;
            match std::fs::remove_dir_all(&dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        match removed {
            Ok(_) => Ok(()),
            Err(error) => {
                bail!("{error:#}; remove what is left below {} by hand", self.store.url())
            }
        }
    }

    fn row(&self, row: &Row) -> Result<()> {
        self.context.printer.data(|| row.line(), || row.json())
    }
}

fn header(printer: &Printer) -> Result<()> {
    if printer.is_json() {
        return Ok(());
    }
    let line = format!(
        "{:<9} {:>11} {:>7} {:>9} {:>13} {:>11} {:>10} {:>10} {:>10}",
        "operation", "size", "at once", "objects", "rate", "objects/s", "median", "99 %", "longest"
    );
    printer.data(|| line, || json!(null))
}

impl Row {
    fn once(operation: &'static str, objects: u64, elapsed: Duration) -> Self {
        Self {
            operation,
            size: None,
            at_once: 1,
            objects,
            bytes: 0,
            elapsed,
            latencies: Vec::new(),
        }
    }

    /// The latency that `percent` of the operations did not exceed.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let last = self.latencies.len().checked_sub(1)?;
        Some(self.latencies[last * percent / 100])
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn line(&self) -> String {
        let size = self.size.map_or_else(|| "-".to_owned(), human);
        let rate = match self.size {
            Some(_) => format!("{}/s", human(self.per_second(self.bytes) as u64)),
            None => "-".to_owned(),
        };
        let latency = |percent| {
            let found = self.percentile(percent);
            found.map_or_else(|| "-".to_owned(), |d| format!("{:.2} ms", d.as_secs_f64() * 1e3))
        };
        format!(
            "{:<9} {:>11} {:>7} {:>9} {:>13} {:>11.1} {:>10} {:>10} {:>10}",
            self.operation,
            size,
            self.at_once,
            self.objects,
            rate,
            self.per_second(self.objects),
            latency(50),
            latency(99),
            latency(100),
        )
    }

    fn json(&self) -> serde_json::Value {
        let latency = |percent| self.percentile(percent).map(|d| d.as_secs_f64());
        json!({
            "operation": self.operation, "size": self.size, "concurrency": self.at_once,
            "objects": self.objects, "bytes": self.bytes, "seconds": self.elapsed.as_secs_f64(),
            "bytes_per_second": self.per_second(self.bytes),
            "objects_per_second": self.per_second(self.objects),
            "latency_seconds": {"p50": latency(50), "p99": latency(99), "max": latency(100)},
        })
    }
}

/// Bytes that do not compress, the same for each size.
fn noise(size: u64) -> Bytes {
    let mut data = vec![0; size as usize];
    fastrand::Rng::with_seed(size).fill(&mut data);
    data.into()
}
