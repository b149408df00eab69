//! Threads that make replies while clients read them.
//!
//! Such a thread waits for its client. On the runtime's threads for blocking work it would take the place of reads
//! and writes of others, so these are threads of another runtime, which does nothing else.

use tokio::runtime::{Builder, Handle, Runtime};

use super::Engine;
use crate::error::Result;

/// Replies that are made at the same time; more wait for their turn.
const THREADS: usize = 256;

/// Who makes replies.
pub(super) struct Producers(Option<Runtime>);

impl Producers {
    /// None yet: threads come when there is something to do, and stay for a while.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn new() -> Result<Self> {
        let builder = &mut Builder::new_current_thread();
        Ok(Self(Some(builder.thread_name("reply").max_blocking_threads(THREADS).build()?)))
    }
}

impl Drop for Producers {
    fn drop(&mut self) {
        // Waits for nobody: the last engine may end on one of the threads.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    /// Runs work that waits for a client, once there may be one more.
    pub(super) fn produce(&self, work: impl FnOnce() + Send + 'static) {
        let runtime = Handle::current();
        if let Some(threads) = &self.producers().0 {
            threads.spawn_blocking(move || {
                // What it waits for, the server's own runtime drives.
                let _runtime = runtime.enter();
                work();
            });
        }
    }
}
