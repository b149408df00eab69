//! Beginning anew: when an object has changed while it was read, or when what broke off cannot be gone on with.

use std::sync::atomic::Ordering;

use super::Transfer;
use super::backoff::Backoff;
use super::object::Object;
use crate::error::{Error, ErrorKind, Result};

/// How often a transfer begins anew because its object has changed.
const MOST: u32 = 3;

/// How often one has begun anew so far.
#[derive(Debug)]
pub(super) struct Restarts {
    changes: u32,
    /// Of those that a service without ranges leads to.
    backoff: Backoff,
}

impl Restarts {
    pub(super) fn new(transfer: &Transfer) -> Self {
        Self { changes: 0, backoff: Backoff::new(transfer.options.retries) }
    }

    /// Prepares another attempt at an object that has changed, or of which there are no ranges; what was counted as moved is
    /// taken back.
    ///
    /// # Errors
    /// `error` itself, when it says something else, or when all attempts are used up.
    pub(super) async fn again(
        &mut self,
        transfer: &Transfer,
        object: &Object,
        error: Error,
    ) -> Result<()> {
        let moved = object.moved.swap(0, Ordering::Relaxed);
        match error.kind() {
            ErrorKind::Precondition if self.changes < MOST => self.changes += 1,
            ErrorKind::Precondition => return Err(error),
            // A part was refused after others had been given, perhaps by another server of that name.
            ErrorKind::NotSupported if error.operation() == "get" && !object.has_no_ranges() => {
                object.found_without_ranges();
            }
            _ if object.has_broken_off() => self.backoff.again(error).await?,
            _ => return Err(error),
        }
        transfer.events.taken_back(moved);
        transfer.events.retried();
        Ok(())
    }
}
