//! Beginning anew when an object has changed while it was read.

use std::sync::atomic::Ordering;

use super::Transfer;
use super::object::Object;
use crate::error::{Error, ErrorKind, Result};

/// How often a transfer begins anew.
const MOST: u32 = 3;

/// How often one has begun anew so far.
#[derive(Debug, Default)]
pub(super) struct Restarts(u32);

impl Restarts {
    /// Prepares another attempt at an object that has changed; what was counted as moved is taken back.
    ///
    /// # Errors
    /// `error` itself, when it says something else, or when the object keeps changing.
    pub(super) fn again(
        &mut self,
        transfer: &Transfer,
        object: &Object,
        error: Error,
    ) -> Result<()> {
        let moved = object.moved.swap(0, Ordering::Relaxed);
        self.0 += 1;
        if error.kind() != ErrorKind::Precondition || self.0 > MOST {
            return Err(error);
        }
        transfer.events.taken_back(moved);
        transfer.events.retried();
        Ok(())
    }
}
