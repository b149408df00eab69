//! What is still being cleared away after a transfer was cancelled.

use std::sync::atomic::{AtomicUsize, Ordering};

static CLEANING: AtomicUsize = AtomicUsize::new(0);

/// Counts as something that is being cleared away, until it is dropped.
#[derive(Debug)]
pub(super) struct Cleaning(());

impl Cleaning {
    pub(super) fn begin() -> Self {
        CLEANING.fetch_add(1, Ordering::AcqRel);
        Self(())
    }
}

impl Drop for Cleaning {
    fn drop(&mut self) {
        CLEANING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How many cancelled transfers of this process are still being cleared away in the background: jobs that have not stopped
/// yet, uploads that are being aborted. A process that is about to end waits for them, a little: what is cut off here is left
/// to the next transfer to the same target.
pub fn aborting() -> usize {
    CLEANING.load(Ordering::Acquire)
}
