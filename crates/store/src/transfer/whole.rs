//! The checksum of a whole whose parts are in memory one at a time.

use std::sync::{Mutex, PoisonError};

use object_store::PutPayload;
use tokio::sync::Notify;

use super::fetch::Grid;
use super::inspect::Inspected;
use super::source::Source;
use crate::checksum::{self, Algorithm, Checksum, Hasher, PartCrc};
use crate::error::Result;
use crate::whole::mismatch;

/// The checksum of all parts, whatever the order in which they are taken.
pub(super) struct Whole {
    algorithm: Option<Algorithm>,
    sums: Mutex<Vec<(u64, u64)>>,
    hasher: Mutex<(usize, Option<Hasher>)>,
    inspected: Inspected,
    /// Whether somebody takes the bytes in their order.
    ordered: bool,
    turn: Notify,
}

impl Whole {
    pub(super) fn new(expected: Option<&Checksum>, inspected: Inspected, grid: &Grid) -> Self {
        let algorithm = expected.map(Checksum::algorithm);
        let hasher = algorithm.filter(|algorithm| !algorithm.is_combinable()).map(Hasher::new);
        Self {
            algorithm,
            sums: Mutex::new(vec![(0, 0); grid.len()]),
            ordered: hasher.is_some() || inspected.sees_content(),
            hasher: Mutex::new((0, hasher)),
            inspected,
            turn: Notify::new(),
        }
    }

    /// Whether parts have to be taken one after the other, all of them.
    pub(super) fn in_order(&self) -> bool {
        self.algorithm.is_some() || self.ordered
    }

    pub(super) async fn take(&self, index: usize, payload: &PutPayload) {
        if let Some(mut crc) = self.algorithm.and_then(PartCrc::new) {
            payload.iter().for_each(|piece| crc.update(piece));
            let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
            sums[index] = (crc.value(), payload.content_length() as u64);
        }
        if !self.ordered {
            return;
        }
        loop {
            let turn = self.turn.notified();
            tokio::pin!(turn);
            turn.as_mut().enable();
            {
                let mut hasher = self.hasher.lock().unwrap_or_else(PoisonError::into_inner);
                if hasher.0 == index {
                    for piece in payload {
                        if let Some(own) = &mut hasher.1 {
                            own.update(piece);
                        }
                        self.inspected.update(piece);
                    }
                    hasher.0 += 1;
                    break;
                }
            }
            turn.await;
        }
        self.turn.notify_waiters();
    }

    pub(super) fn check(&self, expected: Option<&Checksum>, source: &Source) -> Result<()> {
        let Some(expected) = expected else { return self.inspected.finish() };
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let combined = checksum::combine(expected.algorithm(), sums.iter().copied());
        let mut hasher = self.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        let found = combined.or_else(|| hasher.1.take().map(Hasher::finish));
        match found.filter(|found| found != expected) {
            Some(found) => Err(mismatch(source.shown(), expected, &found)),
            None => self.inspected.finish(),
        }
    }
}
