//! How many asynchronous operations of a store run at once.
//!
//! `asyncio.gather` starts ten thousand operations together, and each would open a connection: more files than most systems
//! let a process open (1024), and three times slower than fewer connections that serve again. So operations wait for
//! each other here, in the order in which they were started. They hold their turn until they end, whoever awaits them: each is
//! a task of its own. What reads from Python meanwhile waits for nobody, since it may itself wait for such an operation.

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::runtime::generation;

/// Operations at once, at most. With 20 ms for each, more are not faster; with 200 ms these are still 5000 a second.
const MOST: usize = 1024;

/// A quarter of the files that the process may open: two or three connections are open for each operation, since the next one
/// may begin before the last one's is free, and others want files, too.
static AT_ONCE: LazyLock<usize> = LazyLock::new(|| {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    files.map_or(MOST, |files| usize::try_from(files / 4).unwrap_or(MOST).clamp(1, MOST))
});

/// Who operates on one store, in this process.
#[derive(Debug)]
pub(crate) struct Crowd(ArcSwap<(u64, Arc<Semaphore>)>);

impl Default for Crowd {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(fresh()))
    }
}

fn fresh() -> (u64, Arc<Semaphore>) {
    (generation(), Arc::new(Semaphore::new(*AT_ONCE)))
}

impl Crowd {
    /// Waits until few enough others are at it.
    pub(crate) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.own().acquire_owned().await.ok()
    }

    fn own(&self) -> Arc<Semaphore> {
        let present = self.0.load_full();
        if present.0 == generation() {
            return present.1.clone();
        }
        // Those of the parent do not exist in a forked child, where nobody would end their turns; and one of its threads may
        // have held the lock.
        std::mem::forget(self.0.compare_and_swap(&present, Arc::new(fresh())));
        std::mem::forget(present);
        self.0.load().1.clone()
    }
}
