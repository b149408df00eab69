//! What was read and written lately, in steps of two seconds: for who looks at a graph of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde::Serialize;

use super::{Engine, Op};

/// Time between two samples.
pub const STEP: Duration = Duration::from_secs(2);
/// Samples that are kept: a quarter of an hour.
const KEPT: usize = 450;

/// Counters at a moment, all since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub time: i64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Objects read.
    pub reads: u64,
    /// Objects written.
    pub writes: u64,
    /// Operations of all kinds.
    pub operations: u64,
    /// Operations that failed.
    pub errors: u64,
}

/// The samples.
#[derive(Default)]
pub struct History(Mutex<VecDeque<Sample>>);

impl History {
    fn push(&self, sample: Sample) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(sample);
    }

    /// Samples later than this time in milliseconds, the oldest first.
    pub fn since(&self, time: i64) -> Vec<Sample> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|sample| sample.time > time).cloned().collect()
    }
}

impl Engine {
    /// Counters now.
    pub fn sample(&self) -> Sample {
        let counters = self.counters();
        let of = |op| counters.totals(op);
        let (get, put, batch, append) =
            (of(Op::Get), of(Op::Put), of(Op::GetBatch), of(Op::Append));
        let all =
            [get, put, batch, append, of(Op::Delete), of(Op::Head), of(Op::List), of(Op::Rename)];
        Sample {
            time: super::now() / 1_000_000,
            read_bytes: get.bytes + batch.bytes,
            written_bytes: put.bytes + append.bytes,
            reads: get.number + batch.number,
            writes: put.number + append.number,
            operations: all.iter().map(|totals| totals.number).sum(),
            errors: all.iter().map(|totals| totals.errors).sum(),
        }
    }

    /// Takes samples until the engine is gone.
    pub(crate) fn watch(self: &Arc<Self>) {
        let engine: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(STEP);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                let Some(engine) = engine.upgrade() else { return };
                engine.history().push(engine.sample());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go() {
        let history = History::default();
        for time in 0..KEPT as i64 + 10 {
            history.push(Sample { time, ..Sample::default() });
        }
        let all = history.since(-1);
        assert_eq!((all.len(), all[0].time), (KEPT, 10));
        assert_eq!(history.since(KEPT as i64 + 8).len(), 1);
    }
}
