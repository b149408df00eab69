//! What is done now and then, as long as there is a server.

use std::sync::Arc;

use super::{Engine, Severity, Work as _};
use crate::error::Result;

impl Engine {
    /// What is done every few seconds.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn tidy(self: &Arc<Self>) -> Result<()> {
        self.jobs().keep_running();
        self.flush_accesses().await?;
        let watch = |engine: &Arc<Self>| {
            engine.watch_space();
            Ok(())
        };
        let watched = self.blocking(watch).await;
        watched.inspect_err(|error| self.log().add(Severity::Warning, format!("space: {error}")))
    }

    /// What is done every few minutes, and first at the start.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<()> {
        self.sweep_begun().await?;
        self.sweep_appends().await
    }
}
