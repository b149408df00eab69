//! What a transfer tells while it runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Objects known so far, whatever became of them.
    pub objects: u64,
    /// Objects that are in their place.
    pub objects_done: u64,
    /// Objects that failed.
    pub objects_failed: u64,
    /// Bytes of the objects known so far.
    pub bytes: u64,
    /// Bytes that are in their place.
    pub bytes_done: u64,
    /// Of these, bytes that an earlier run had moved.
    pub bytes_resumed: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Time since the start.
    pub elapsed: Duration,
}

impl Snapshot {
    /// Bytes per second since the start, not counting what an earlier run had moved.
    pub fn rate(&self) -> f64 {
        let moved = self.bytes_done.saturating_sub(self.bytes_resumed) as f64;
        moved / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Time left at the present rate; `None` before anything has moved.
    pub fn remaining(&self) -> Option<Duration> {
        let left = self.bytes.saturating_sub(self.bytes_done) as f64;
        Duration::try_from_secs_f64(left / self.rate()).ok()
    }
}

/// Counters of a run, and who is told of them. Clones share them.
#[derive(Clone, Default)]
pub struct Events(Arc<Inner>);

type Listener = Box<dyn Fn(Snapshot) + Send + Sync>;

struct Inner {
    start: Instant,
    listener: Option<(Listener, Duration)>,
    /// When the listener was told last, in microseconds after the start.
    told: AtomicU64,
    objects: AtomicU64,
    objects_done: AtomicU64,
    objects_failed: AtomicU64,
    bytes: AtomicU64,
    bytes_done: AtomicU64,
    bytes_resumed: AtomicU64,
    retries: AtomicU64,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            listener: None,
            told: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            objects_done: AtomicU64::new(0),
            objects_failed: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bytes_done: AtomicU64::new(0),
            bytes_resumed: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.snapshot()).finish()
    }
}

impl Events {
    /// Counters only; ask for a [`snapshot`](Self::snapshot).
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `listener` while bytes move, at most once per `interval`, and when an object has ended. The call is made by
    /// whoever moves bytes: it must be quick.
    pub fn listened(
        listener: impl Fn(Snapshot) + Send + Sync + 'static,
        interval: Duration,
    ) -> Self {
        Self(Arc::new(Inner { listener: Some((Box::new(listener), interval)), ..Inner::default() }))
    }

    /// How far the run is.
    pub fn snapshot(&self) -> Snapshot {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            objects: of(&self.0.objects),
            objects_done: of(&self.0.objects_done),
            objects_failed: of(&self.0.objects_failed),
            bytes: of(&self.0.bytes),
            bytes_done: of(&self.0.bytes_done),
            bytes_resumed: of(&self.0.bytes_resumed),
            retries: of(&self.0.retries),
            elapsed: self.0.start.elapsed(),
        }
    }

    /// An object of `bytes` bytes will be moved.
    pub(super) fn planned(&self, bytes: u64) {
        self.0.objects.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An object turns out to have `bytes` more bytes than was planned.
    pub(super) fn grown(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An object that was thought to have `before` bytes has `bytes`.
    pub(super) fn corrected(&self, before: u64, bytes: u64) {
        self.0.bytes.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
    }

    /// `bytes` bytes are in their place.
    pub(super) fn moved(&self, bytes: u64) {
        self.0.bytes_done.fetch_add(bytes, Ordering::Relaxed);
        self.tell(false);
    }

    /// `bytes` bytes were in their place already.
    pub(super) fn resumed(&self, bytes: u64) {
        self.0.bytes_resumed.fetch_add(bytes, Ordering::Relaxed);
        self.moved(bytes);
    }

    /// `bytes` bytes that had been moved have to be moved again.
    pub(super) fn taken_back(&self, bytes: u64) {
        self.0.bytes_done.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn retried(&self) {
        self.0.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// An object has ended.
    pub(super) fn ended(&self, ok: bool) {
        let counter = if ok { &self.0.objects_done } else { &self.0.objects_failed };
        counter.fetch_add(1, Ordering::Relaxed);
        let all = self.snapshot();
        self.tell(all.objects_done + all.objects_failed >= all.objects);
    }

    fn tell(&self, now: bool) {
        let Some((listener, interval)) = &self.0.listener else { return };
        let at = self.0.start.elapsed().as_micros() as u64;
        let told = self.0.told.load(Ordering::Relaxed);
        let due = now || at.saturating_sub(told) >= interval.as_micros() as u64;
        // Of two that find it due, one tells.
        let claim =
            || self.0.told.compare_exchange(told, at, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due && (claim() || now) {
            listener(self.snapshot());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_listener_hears_at_a_bounded_rate_and_of_the_end() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sink = heard.clone();
        let events =
            Events::listened(move |s| sink.lock().unwrap().push(s), Duration::from_secs(3600));
        events.planned(100);
        for _ in 0..100 {
            events.moved(1);
        }
        events.ended(true);
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 1);
        assert_eq!((heard[0].bytes_done, heard[0].objects_done), (100, 1));
    }
}
