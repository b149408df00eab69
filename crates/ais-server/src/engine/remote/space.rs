//! Limits of space: what was read longest ago goes first.
//!
//! Only copies of what backends have go, of buckets whose property `lru.enabled` says so (the default of such buckets).
//! Objects that were read within the bucket's `lru.dont_evict_time` stay, unless that alone would break the limit.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use holdall_ais_wire::job::kind;
use holdall_ais_wire::value::{parse_duration, truthy};
use serde_json::Value;

use crate::engine::{Bucket, Engine, Work as _, now};
use crate::error::Result;
use crate::jobs::{Job, NewJob};
use crate::storage::ObjectMeta;

/// Share of the disk, percent, from which on recently read objects go, too: AIStore's `out_of_space`.
const OUT_OF_SPACE: u64 = 95;
/// Objects that go in one commit.
const SLICE: usize = 512;
/// Objects between two looks at whether the job was stopped.
const STEP: u64 = 4096;

/// How much may be kept of what backends have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Bytes of all copies together; without, shares are those of the disk.
    pub bytes: Option<u64>,
    /// Eviction begins above this share, percent.
    pub high: u8,
    /// It ends below this share, percent.
    pub low: u8,
}

impl Default for CacheLimits {
    /// The watermarks of AIStore: 90 and 75 percent of the disk.
    fn default() -> Self {
        Self { bytes: None, high: 90, low: 75 }
    }
}

/// What is known of space.
#[derive(Default)]
pub(super) struct Watch {
    limits: OnceLock<CacheLimits>,
    /// Bytes of copies, about: deletions are not counted, so it is never too low once it was counted.
    used: AtomicU64,
    running: AtomicBool,
}

/// What may go.
struct Candidate {
    size: u64,
    bid: u64,
    name: String,
}

/// The oldest candidates that together have enough bytes.
struct Oldest {
    /// The newest of them is on top.
    heap: BinaryHeap<(i64, Reverse<u64>, Candidate)>,
    bytes: u64,
    wanted: u64,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.bid, &self.name).cmp(&(other.bid, &other.name))
    }
}

impl Oldest {
    fn new(wanted: u64) -> Self {
        Self { heap: BinaryHeap::new(), bytes: 0, wanted }
    }

    fn offer(&mut self, atime: i64, candidate: Candidate) {
        if self.bytes >= self.wanted
            && self.heap.peek().is_some_and(|(newest, ..)| *newest <= atime)
        {
            return;
        }
        self.bytes += candidate.size;
        self.heap.push((atime, Reverse(candidate.size), candidate));
        while let Some((_, _, newest)) = self.heap.peek() {
            if self.bytes - newest.size < self.wanted {
                break;
            }
            self.bytes -= newest.size;
            self.heap.pop();
        }
    }
}

impl Engine {
    /// Sets the limits, once.
    pub(crate) fn set_limits(&self, limits: CacheLimits) {
        // The first ones stay.
        let _ = self.remotes().space.limits.set(limits);
    }

    fn limits(&self) -> CacheLimits {
        *self.remotes().space.limits.get_or_init(CacheLimits::default)
    }

    /// This many bytes were kept. When that is too much, eviction begins.
    pub(super) fn cached(self: &Arc<Self>, bytes: u64) {
        let used = self.remotes().space.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let limits = self.limits();
        if limits.bytes.is_some_and(|most| used > share(most, limits.high)) {
            self.evict_soon();
        }
    }

    /// Looks at the space, as the server does now and then.
    pub(crate) fn watch_space(self: &Arc<Self>) {
        if !self.list_buckets(None).iter().any(Bucket::is_remote) {
            return;
        }
        let limits = self.limits();
        let is_full = match limits.bytes {
            Some(most) => {
                self.remotes().space.used.load(Ordering::Relaxed) > share(most, limits.high)
            }
            None => self.storage().blobs().space().is_ok_and(|space| {
                let total = (space.used + space.avail).max(1);
                space.used > share(total, limits.high)
            }),
        };
        if is_full {
            self.evict_soon();
        }
    }

    fn evict_soon(self: &Arc<Self>) {
        if !self.remotes().space.running.load(Ordering::Relaxed) {
            self.start_lru(&[], false);
        }
    }

    /// Starts to evict what was read longest ago, until there is room; the id of the job. Of these buckets only, if any
    /// are named; `force` also of those whose properties say no.
    pub fn start_lru(self: &Arc<Self>, of: &[Bucket], force: bool) -> String {
        let new = NewJob { kind: kind::LRU, workers: 1, ..NewJob::default() };
        let (engine, of) = (Arc::clone(self), of.to_vec());
        self.jobs().spawn(new, |job| async move {
            let watch = &engine.remotes().space;
            if watch.running.swap(true, Ordering::AcqRel) {
                // One at a time is as good as many.
                return Ok(());
            }
            let running = Running(Arc::clone(&engine));
            let result = engine.make_room(&job, &of, force).await;
            drop(running);
            result
        })
    }

    async fn make_room(self: &Arc<Self>, job: &Job, of: &[Bucket], force: bool) -> Result<()> {
        self.flush_accesses().await?;
        let limits = self.limits();
        // Recently read objects stay at first; they go, too, where that is not enough.
        for recent in [false, true] {
            let (worker, engine, of) = (job.clone(), Arc::clone(self), of.to_vec());
            let oldest =
                self.heavy(move |_| engine.oldest(&worker, limits, &of, (force, recent))).await?;
            let mut all: Vec<_> = oldest.heap.into_sorted_vec();
            if all.is_empty() {
                continue;
            }
            tracing::debug!(objects = all.len(), bytes = oldest.bytes, "evicting");
            while !all.is_empty() {
                job.check()?;
                let slice: Vec<_> = all.drain(..all.len().min(SLICE)).collect();
                self.evict_slice(job, slice).await?;
            }
        }
        Ok(())
    }

    async fn evict_slice(
        self: &Arc<Self>,
        job: &Job,
        slice: Vec<(i64, Reverse<u64>, Candidate)>,
    ) -> Result<()> {
        let slice: Vec<_> = slice
            .into_iter()
            .map(|(atime, _, candidate)| (atime, candidate))
            // Read meanwhile.
            .filter(|(_, one)| self.last_access(one.bid, &one.name).is_none())
            .collect();
        let gone = self
            .storage()
            .meta()
            .write(move |tx| {
                let mut gone = Vec::new();
                for (atime, Candidate { bid, name, .. }) in slice {
                    // Written or read meanwhile: it is another one.
                    if tx.object(bid, &name)?.is_some_and(|meta| meta.atime == atime)
                        && let Some(meta) = tx.delete_object(bid, &name)?
                    {
                        gone.push(meta.size);
                    }
                }
                Ok(gone)
            })
            .await?;
        for size in gone {
            job.count(size);
            let used = &self.remotes().space.used;
            let less = |used: u64| Some(used.saturating_sub(size));
            // It always has a value to set.
            let _ = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            self.counters().evicted(size);
        }
        Ok(())
    }

    /// What has to go. Blocks.
    fn oldest(
        self: &Arc<Self>,
        job: &Job,
        limits: CacheLimits,
        of: &[Bucket],
        (force, recent): (bool, bool),
    ) -> Result<Oldest> {
        let buckets = self.remote_buckets();
        let go_on = || job.check();
        let kept = self.kept_bytes(&buckets, go_on)?;
        self.remotes().space.used.store(kept, Ordering::Relaxed);
        let (used, total) = match limits.bytes {
            Some(most) => (kept, most),
            None => {
                let space = self.storage().blobs().space()?;
                (space.used, (space.used + space.avail).max(1))
            }
        };
        let most = match (recent, limits.bytes) {
            (false, _) => share(total, limits.high),
            (true, Some(most)) => most,
            (true, None) => total / 100 * OUT_OF_SPACE,
        };
        if used <= most {
            return Ok(Oldest::new(0));
        }
        let mut oldest = Oldest::new(used - share(total, limits.low).min(used));
        let now = now();
        for bucket in &buckets {
            let lru = &bucket.props().lru;
            let wanted = of.is_empty() || of.iter().any(|one| one.bid() == bucket.bid());
            if !wanted || !(force || is_enabled(lru)) {
                continue;
            }
            let since = if recent { i64::MAX } else { now - dont_evict_nanos(lru) };
            let bid = bucket.bid();
            self.walk_copies(bucket, go_on, |name, meta| {
                if meta.atime < since {
                    let candidate = Candidate { size: meta.size, bid, name };
                    oldest.offer(meta.atime, candidate);
                }
            })?;
        }
        Ok(oldest)
    }

    fn walk_copies(
        &self,
        bucket: &Bucket,
        go_on: impl Fn() -> Result<()>,
        mut visit: impl FnMut(String, ObjectMeta),
    ) -> Result<()> {
        let mut count = 0_u64;
        self.storage().meta().walk(bucket.bid(), Bound::Unbounded, "", |name, bytes| {
            visit(name, ObjectMeta::decode(bytes)?);
            count += 1;
            if count.is_multiple_of(STEP) {
                go_on()?;
            }
            Ok(true)
        })
    }

    fn remote_buckets(&self) -> Vec<Bucket> {
        self.list_buckets(None).into_iter().filter(Bucket::is_remote).collect()
    }

    fn kept_bytes(&self, of: &[Bucket], go_on: impl Fn() -> Result<()> + Copy) -> Result<u64> {
        let mut kept = 0;
        for bucket in of {
            self.walk_copies(bucket, go_on, |_, meta| kept += meta.size)?;
        }
        Ok(kept)
    }

    /// Counts what is kept, so that limits hold from the start. Blocks.
    pub(crate) fn count_copies(self: &Arc<Self>) -> Result<()> {
        let kept = self.kept_bytes(&self.remote_buckets(), || Ok(()))?;
        self.remotes().space.used.fetch_add(kept, Ordering::Relaxed);
        Ok(())
    }
}

/// One eviction runs.
struct Running(Arc<Engine>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.remotes().space.running.store(false, Ordering::Release);
    }
}

fn share(total: u64, percent: u8) -> u64 {
    u64::try_from(u128::from(total) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

fn is_enabled(lru: &Value) -> bool {
    match &lru["enabled"] {
        Value::Bool(yes) => *yes,
        Value::String(text) => truthy(text),
        _ => false,
    }
}

fn dont_evict_nanos(lru: &Value) -> i64 {
    let said = lru["dont_evict_time"].as_str().and_then(|text| parse_duration(text).ok());
    said.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_just_enough() {
        let mut oldest = Oldest::new(25);
        for (atime, size) in [(5, 10), (1, 10), (9, 10), (3, 10), (7, 10), (2, 4)] {
            oldest.offer(atime, Candidate { size, bid: 1, name: format!("{atime}") });
        }
        let left: Vec<i64> = oldest.heap.into_sorted_vec().iter().map(|one| one.0).collect();
        assert_eq!(left, [1, 2, 3, 5]);
        assert_eq!(oldest.bytes, 34);
    }

    #[test]
    fn properties_of_eviction() {
        let lru = serde_json::json!({"enabled": true, "dont_evict_time": "2h0m"});
        assert!(is_enabled(&lru));
        assert_eq!(dont_evict_nanos(&lru), 7_200_000_000_000);
        assert!(!is_enabled(&Value::Null));
    }
}
