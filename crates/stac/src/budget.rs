//! What files may use on their way when nobody says.

use std::sync::{Mutex, PoisonError};

use holdall_store::transfer::{Budget, Limits};

/// Bytes of the files that are on their way at once, whatever their size and number.
const MEMORY_BYTES: u64 = 24 << 20;

/// The budget that all runs share, and the process it belongs to: of what the parent of a forked child held, nothing is ever
/// given back in the child.
static OWN: Mutex<Option<(u32, Budget)>> = Mutex::new(None);

/// The budget of the process where its limits were set, else one of 24 MiB.
pub(crate) fn default() -> Budget {
    Budget::chosen().unwrap_or_else(|| own(std::process::id()))
}

fn own(process: u32) -> Budget {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    match &*own {
        Some((of, budget)) if *of == process => budget.clone(),
        _ => {
            let fresh = Budget::new(Limits::default().with_memory_bytes(MEMORY_BYTES));
            // Who waits in the parent's has no threads here.
            std::mem::forget(own.replace((process, fresh.clone())));
            fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_does_not_wait_for_what_its_parent_holds() {
        let held = own(1).memory(MEMORY_BYTES).await.unwrap();
        assert!(futures::poll!(Box::pin(own(1).memory(1))).is_pending());
        let child = own(2).memory(MEMORY_BYTES).await.unwrap();
        assert!(futures::poll!(Box::pin(own(2).memory(1))).is_pending());
        drop((held, child));
    }
}
