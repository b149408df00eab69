//! The checksum of a whole whose parts are in memory one at a time.

use std::sync::{Mutex, PoisonError};

use object_store::PutPayload;
use tokio::sync::Notify;

use super::fetch::Grid;
use super::object::mismatch;
use super::source::Source;
use crate::checksum::{self, Algorithm, Checksum, Hasher, PartCrc};
use crate::error::Result;

/// The checksum of all parts, whatever the order in which they are taken.
pub(super) struct Whole {
    algorithm: Option<Algorithm>,
    sums: Mutex<Vec<(u64, u64)>>,
    hasher: Mutex<(usize, Option<Hasher>)>,
    turn: Notify,
}

impl Whole {
    pub(super) fn new(expected: Option<&Checksum>, grid: &Grid) -> Self {
        let algorithm = expected.map(Checksum::algorithm);
        Self {
            algorithm,
            sums: Mutex::new(vec![(0, 0); grid.len()]),
            hasher: Mutex::new((0, algorithm.map(Hasher::new))),
            turn: Notify::new(),
        }
    }

    /// Whether parts have to be taken one after the other, all of them.
    pub(super) fn in_order(&self) -> bool {
        self.algorithm.is_some()
    }

    pub(super) async fn take(&self, index: usize, payload: &PutPayload) {
        let Some(algorithm) = self.algorithm else { return };
        if let Some(mut crc) = PartCrc::new(algorithm) {
            payload.iter().for_each(|piece| crc.update(piece));
            let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
            sums[index] = (crc.value(), payload.content_length() as u64);
            return;
        }
        loop {
            let turn = self.turn.notified();
            tokio::pin!(turn);
            turn.as_mut().enable();
            {
                let mut hasher = self.hasher.lock().unwrap_or_else(PoisonError::into_inner);
                if hasher.0 == index {
                    let own = hasher.1.as_mut();
                    if let Some(own) = own {
                        payload.iter().for_each(|piece| own.update(piece));
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
        let Some(expected) = expected else { return Ok(()) };
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let combined = checksum::combine(expected.algorithm(), sums.iter().copied());
        let mut hasher = self.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = combined.or_else(|| hasher.1.take().map(Hasher::finish)) else {
            return Ok(());
        };
        if found == *expected {
            return Ok(());
        }
        Err(mismatch(source.identity().unwrap_or_default(), expected, &found))
    }
}
