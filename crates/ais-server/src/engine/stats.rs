//! Counters of what the server did.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is counted, by AIStore's names without their unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Reads of objects.
    Get,
    /// Writes.
    Put,
    /// Appends.
    Append,
    /// Deletions.
    Delete,
    /// HEADs.
    Head,
    /// Listings.
    List,
    /// Renames of objects.
    Rename,
    /// Get-batch requests.
    GetBatch,
}

const OPS: [(Op, &str); 8] = [
    (Op::Get, "get"),
    (Op::Put, "put"),
    (Op::Append, "append"),
    (Op::Delete, "del"),
    (Op::Head, "head"),
    (Op::List, "lst"),
    (Op::Rename, "ren"),
    (Op::GetBatch, "getbatch"),
];

#[derive(Default)]
struct Counter {
    number: AtomicU64,
    errors: AtomicU64,
    bytes: AtomicU64,
    nanos: AtomicU64,
}

/// What was counted of an operation since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How often it was done.
    pub number: u64,
    /// How often it failed.
    pub errors: u64,
    /// Bytes of objects that it moved.
    pub bytes: u64,
}

/// Counters since the start.
pub struct Counters {
    started: Instant,
    cold: Counter,
    evicted: Counter,
    counters: [Counter; OPS.len()],
}

impl Default for Counters {
    fn default() -> Self {
        let (cold, evicted) = (Counter::default(), Counter::default());
        Self {
            started: Instant::now(),
            cold,
            evicted,
            counters: std::array::from_fn(|_| Counter::default()),
        }
    }
}

impl Counters {
    fn of(&self, op: Op) -> &Counter {
        // The enum's order is the table's.
        &self.counters[op as usize]
    }

    /// Counts an operation that was done.
    pub fn done(&self, op: Op, bytes: u64, took: Duration) {
        let counter = self.of(op);
        counter.number.fetch_add(1, Ordering::Relaxed);
        counter.bytes.fetch_add(bytes, Ordering::Relaxed);
        counter
            .nanos
            .fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts an operation that failed.
    pub fn failed(&self, op: Op) {
        self.of(op).errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an object that was fetched from its backend.
    pub fn cold(&self, bytes: u64, took: Duration) {
        self.cold.number.fetch_add(1, Ordering::Relaxed);
        self.cold.bytes.fetch_add(bytes, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.cold.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Counts an object that went because space was short.
    pub fn evicted(&self, bytes: u64) {
        self.evicted.number.fetch_add(1, Ordering::Relaxed);
        self.evicted.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Time since the start.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// What was counted of an operation.
    pub fn totals(&self, op: Op) -> Totals {
        let counter = self.of(op);
        Totals {
            number: counter.number.load(Ordering::Relaxed),
            errors: counter.errors.load(Ordering::Relaxed),
            bytes: counter.bytes.load(Ordering::Relaxed),
        }
    }

    /// All that is not zero, by AIStore's names; `.n` numbers, `.size` bytes, `.ns` nanoseconds.
    pub fn all(&self) -> BTreeMap<String, i64> {
        let mut all = BTreeMap::new();
        let uptime = self.uptime();
        let mut put = |name: String, value: u64| {
            all.insert(name, i64::try_from(value).unwrap_or(i64::MAX));
        };
        put("up.ns.time".into(), u64::try_from(uptime.as_nanos()).unwrap_or(u64::MAX));
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        put("get.cold.n".into(), of(&self.cold.number));
        put("get.cold.size".into(), of(&self.cold.bytes));
        put("get.cold.rw.ns".into(), of(&self.cold.nanos));
        put("lru.evict.n".into(), of(&self.evicted.number));
        put("lru.evict.size".into(), of(&self.evicted.bytes));
        for (op, name) in OPS {
            let counter = self.of(op);
            let number = counter.number.load(Ordering::Relaxed);
            put(format!("{name}.n"), number);
            put(format!("{name}.ns.total"), counter.nanos.load(Ordering::Relaxed));
            let errors = counter.errors.load(Ordering::Relaxed);
            if errors > 0 {
                put(format!("err.{name}.n"), errors);
            }
            if matches!(op, Op::Get | Op::Put | Op::Append | Op::GetBatch) {
                let bytes = counter.bytes.load(Ordering::Relaxed);
                put(format!("{name}.size"), bytes);
                put(format!("{name}.bps"), bytes / uptime.as_secs().max(1));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_follows_the_enum() {
        for (index, (op, _)) in OPS.iter().enumerate() {
            assert_eq!(*op as usize, index);
        }
        let counters = Counters::default();
        counters.done(Op::Get, 5, Duration::from_nanos(7));
        counters.failed(Op::Delete);
        let all = counters.all();
        assert_eq!(
            (all["get.n"], all["get.size"], all["get.ns.total"], all["err.del.n"]),
            (1, 5, 7, 1)
        );
    }
}
