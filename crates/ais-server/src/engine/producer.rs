//! Threads that make replies while clients read them.
//!
//! Such a thread waits for its client. On the runtime's threads for blocking work it would take the place of reads
//! and writes of others, so these have threads of their own.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::Engine;
use crate::error::{Error, Result};

/// Replies that are made at the same time; more wait for their turn.
const THREADS: usize = 256;

/// Who may make replies.
pub(super) struct Producers(Arc<Semaphore>);

impl Default for Producers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(THREADS)))
    }
}

impl Engine {
    /// Runs work that waits for a client, on a thread of its own, once there may be one more.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(super) async fn produce(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let turn = Arc::clone(&self.producers().0).acquire_owned().await;
        let turn =
            turn.map_err(|e| Error::internal("no replies are made any more").with_source(e))?;
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("reply".to_owned());
        thread.spawn(move || {
            let _runtime = runtime.enter();
            work();
            drop(turn);
        })?;
        Ok(())
    }
}
