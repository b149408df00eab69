//! What a process has for itself.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::client::generation;

/// A value that a forked child has anew: the threads of its parent are not there, and one of them may have held a lock in it
/// at the fork.
pub(crate) struct Own<T>(ArcSwap<(u64, Arc<T>)>);

impl<T: Default> Default for Own<T> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee((generation(), Arc::default())))
    }
}

impl<T: Default> Own<T> {
    pub(crate) fn get(&self) -> Arc<T> {
        loop {
            let own = self.0.load();
            let now = generation();
            if own.0 == now {
                return own.1.clone();
            }
            drop(own);
            let parents = self.0.load_full();
            if parents.0 != now {
                let fresh = Arc::new((now, Arc::default()));
                // Neither is dropped: that would touch what is the parent's.
                std::mem::forget(self.0.compare_and_swap(&parents, fresh));
                std::mem::forget(parents);
            }
        }
    }
}

impl<T> fmt::Debug for Own<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").finish_non_exhaustive()
    }
}
