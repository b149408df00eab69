//! What transfers may use at once: memory, requests, bandwidth.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::options::LEAST_PART_BYTES;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

/// Memory is counted in pieces of this size, so that a semaphore can count terabytes.
const UNIT_BYTES: u64 = 4 * 1024;

/// The numbers of a [`Budget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of objects held in memory at once. Default 256 MiB.
    pub memory_bytes: u64,
    /// Requests in flight. Default 256.
    pub requests: usize,
    /// Requests in flight to one bucket, container or host. Default 256.
    pub requests_per_host: usize,
    /// Bytes per second, read and written together. Default: no limit.
    pub bytes_per_second: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 * 1024 * 1024,
            requests: 256,
            requests_per_host: 256,
            bytes_per_second: None,
        }
    }
}

impl Limits {
    /// Sets [`memory_bytes`](Self::memory_bytes).
    #[must_use]
    pub fn with_memory_bytes(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Sets [`requests`](Self::requests).
    #[must_use]
    pub fn with_requests(mut self, requests: usize) -> Self {
        self.requests = requests;
        self
    }

    /// Sets [`requests_per_host`](Self::requests_per_host).
    #[must_use]
    pub fn with_requests_per_host(mut self, requests: usize) -> Self {
        self.requests_per_host = requests;
        self
    }

    /// Sets [`bytes_per_second`](Self::bytes_per_second).
    #[must_use]
    pub fn with_bytes_per_second(mut self, rate: Option<u64>) -> Self {
        self.bytes_per_second = rate;
        self
    }
}

/// What transfers may use at once. Clones share it; [`Budget::global`] is shared by the whole process.
///
/// Memory is taken before requests, and never while a request is held, so that transfers cannot wait for each other
/// in a circle.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    memory: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    hosts: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
    pace: Mutex<Option<Instant>>,
    /// The budget whose bandwidth is shared too.
    wider: Option<Budget>,
}

static GLOBAL: LazyLock<ArcSwap<Budget>> =
    LazyLock::new(|| ArcSwap::from_pointee(Budget::new(Limits::default())));

/// Whether somebody has set the limits of the process.
static CHOSEN: AtomicBool = AtomicBool::new(false);

impl Budget {
    /// A budget of its own.
    pub fn new(limits: Limits) -> Self {
        let count = |n: usize| Arc::new(Semaphore::new(n.clamp(1, Semaphore::MAX_PERMITS)));
        let units = limits.memory_bytes.div_ceil(UNIT_BYTES).min(u64::from(u32::MAX));
        Self(Arc::new(Inner {
            limits,
            memory: count(units as usize),
            requests: count(limits.requests),
            hosts: Arc::default(),
            pace: Mutex::default(),
            wider: None,
        }))
    }

    /// The same memory and requests with a bandwidth of their own, in bytes per second, within that of this budget.
    #[must_use]
    pub fn with_rate(&self, bytes_per_second: u64) -> Self {
        Self(Arc::new(Inner {
            limits: self.0.limits.with_bytes_per_second(Some(bytes_per_second)),
            memory: self.0.memory.clone(),
            requests: self.0.requests.clone(),
            hosts: self.0.hosts.clone(),
            pace: Mutex::default(),
            wider: Some(self.clone()),
        }))
    }

    /// The budget of the process, which transfers use unless they are given another.
    pub fn global() -> Self {
        Self::clone(&GLOBAL.load())
    }

    /// The same, if its limits were set: for work that takes less than the process may, unless it is told.
    pub fn chosen() -> Option<Self> {
        CHOSEN.load(Ordering::Acquire).then(Self::global)
    }

    /// Sets the limits of the process. Transfers that run keep to the limits they began with.
    pub fn set_global(limits: Limits) {
        GLOBAL.store(Arc::new(Self::new(limits)));
        CHOSEN.store(true, Ordering::Release);
    }

    /// Forgets what was in use; for a forked child, where the holders do not exist.
    pub(crate) fn reset_after_fork() {
        let limits = Self::global().limits();
        std::mem::forget(GLOBAL.swap(Arc::new(Self::new(limits))));
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// The most memory that one holder can take.
    pub(super) fn most_at_once(&self) -> u64 {
        self.0.limits.memory_bytes.max(UNIT_BYTES)
    }

    /// Takes `bytes` of memory; waits until they are free.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the budget is smaller than that.
    pub async fn memory(&self, bytes: u64) -> Result<Held> {
        if bytes > self.most_at_once() {
            let limit = self.0.limits.memory_bytes;
            let remedy = match bytes.cmp(&LEAST_PART_BYTES) {
                std::cmp::Ordering::Less => "raise the budget, or make parts smaller",
                // Whatever size of parts was asked for.
                std::cmp::Ordering::Equal => "raise the budget: services take no smaller parts",
                std::cmp::Ordering::Greater => {
                    "raise the budget, or make parts smaller (services take none below 5 MiB)"
                }
            };
            let detail = format!(
                "one part needs {bytes} bytes of memory, and the budget has {limit}: {remedy}"
            );
            return Err(Error::new(ErrorKind::InvalidArgument, "transfer", "memory", detail));
        }
        let units = bytes.div_ceil(UNIT_BYTES).max(1) as u32;
        Ok(Held { _permits: [Some(acquire(&self.0.memory, units).await), None] })
    }

    /// Takes the right to one request to the service of `store`.
    pub(super) async fn request(&self, store: &Store) -> Held {
        if store.is_embedded() {
            return Held { _permits: [None, None] };
        }
        let host = self.host(store);
        Held { _permits: [Some(acquire(&host, 1).await), Some(acquire(&self.0.requests, 1).await)] }
    }

    /// The right to one request more where it is free at once.
    pub(super) fn spare_request(&self, store: &Store) -> Option<Held> {
        let host = self.host(store).try_acquire_owned().ok()?;
        let any = self.0.requests.clone().try_acquire_owned().ok()?;
        Some(Held { _permits: [Some(host), Some(any)] })
    }

    fn host(&self, store: &Store) -> Arc<Semaphore> {
        let mut hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = self.0.limits.requests_per_host.clamp(1, Semaphore::MAX_PERMITS);
        let host = hosts.entry(store.provider().location());
        host.or_insert_with(|| Arc::new(Semaphore::new(limit))).clone()
    }

    /// Waits until `bytes` more may pass.
    pub async fn pace(&self, bytes: usize) {
        let own = self.due(bytes);
        let until = own.max(self.0.wider.as_ref().and_then(|wider| wider.due(bytes)));
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    /// When `bytes` more have passed at the rate of this budget; `None` without one.
    fn due(&self, bytes: usize) -> Option<Instant> {
        let rate = self.0.limits.bytes_per_second.filter(|rate| *rate > 0)?;
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let mut pace = self.0.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let free = pace.filter(|free| *free > now).unwrap_or(now);
        *pace = Some(free + takes);
        *pace
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::global()
    }
}

/// A share of a budget, given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

async fn acquire(from: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    // Not a point to yield at: whoever has its share goes on.
    let acquired = tokio::task::unconstrained(from.clone().acquire_many_owned(permits));
    acquired.await.expect("budgets are never closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_is_bounded_and_given_back() {
        let budget = Budget::new(Limits::default().with_memory_bytes(64 * 1024));
        let held = budget.memory(40 * 1024).await.unwrap();
        let second = budget.memory(40 * 1024);
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        drop(held);
        drop(second.await.unwrap());
        let error = budget.memory(65 * 1024).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }

    #[tokio::test]
    async fn bandwidth_is_bounded() {
        let budget = Budget::new(Limits::default().with_bytes_per_second(Some(100_000)));
        let start = Instant::now();
        for _ in 0..5 {
            budget.pace(2000).await;
        }
        assert!(start.elapsed() >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn a_rate_of_its_own_keeps_the_memory_of_the_whole() {
        let budget = Budget::new(Limits::default().with_memory_bytes(64 * 1024));
        let narrow = budget.with_rate(100_000);
        let _held = narrow.memory(64 * 1024).await.unwrap();
        assert!(futures::poll!(Box::pin(budget.memory(4096))).is_pending());
        let start = Instant::now();
        for _ in 0..5 {
            narrow.pace(2000).await;
        }
        assert!(start.elapsed() >= Duration::from_millis(100));
    }
}
