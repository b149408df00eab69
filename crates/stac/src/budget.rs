//! What files may use on their way when nobody says.

use std::sync::OnceLock;

use holdall_store::transfer::{Budget, Limits};

/// Bytes of the files that are on their way at once, whatever their size and number.
const MEMORY_BYTES: u64 = 32 << 20;

/// The budget of the process where its limits were set, else one of 32 MiB that all runs share.
pub(crate) fn default() -> Budget {
    static OWN: OnceLock<Budget> = OnceLock::new();
    Budget::chosen().unwrap_or_else(|| {
        OWN.get_or_init(|| Budget::new(Limits::default().with_memory_bytes(MEMORY_BYTES))).clone()
    })
}
