//! What files may use on their way when nobody says.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use holdall_store::transfer::{Budget, Limits};

/// Bytes of the files that are on their way at once, whatever their size and number.
const MEMORY_BYTES: u64 = 24 << 20;

/// The budget of the process where its limits were set, else one of 24 MiB.
pub(crate) fn default() -> Budget {
    static OWN: Shared = Shared(ArcSwapOption::const_empty());
    Budget::chosen().unwrap_or_else(|| OWN.of(std::process::id()))
}

/// The budget that all runs share, and the process it belongs to: of what the parent of a forked child held, nothing is ever
/// given back in the child. No lock, which a thread of the parent may have held at the fork.
struct Shared(ArcSwapOption<(u32, Budget)>);

impl Shared {
    fn of(&self, process: u32) -> Budget {
        loop {
            let now = self.0.load_full();
            match now.as_deref() {
                Some((of, budget)) if *of == process => return budget.clone(),
                _ => {
                    let fresh = Budget::new(Limits::default().with_memory_bytes(MEMORY_BYTES));
                    let fresh = Some(Arc::new((process, fresh)));
                    // Who waits in the parent's has no threads here.
                    std::mem::forget(self.0.compare_and_swap(&now, fresh));
                    std::mem::forget(now);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_does_not_wait_for_what_its_parent_holds() {
        let shared = Shared(ArcSwapOption::empty());
        let held = shared.of(1).memory(MEMORY_BYTES).await.unwrap();
        assert!(futures::poll!(Box::pin(shared.of(1).memory(1))).is_pending());
        let child = shared.of(2).memory(MEMORY_BYTES).await.unwrap();
        assert!(futures::poll!(Box::pin(shared.of(2).memory(1))).is_pending());
        drop((held, child));
    }
}
