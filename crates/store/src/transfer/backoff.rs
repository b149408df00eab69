//! When to try again.

use std::time::Duration;

use crate::error::Error;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Attempts at one thing. Progress makes it forget those that failed before.
#[derive(Debug)]
pub(crate) struct Backoff {
    allowed: u32,
    failed: u32,
}

impl Backoff {
    pub(crate) fn new(retries: u32) -> Self {
        Self { allowed: retries, failed: 0 }
    }

    pub(crate) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The error itself, when it is not one that passes, or when the attempts are used up.
    pub(crate) async fn again(&mut self, error: Error) -> Result<(), Error> {
        if !error.is_retryable() || self.failed >= self.allowed {
            return Err(error);
        }
        let longest = (FIRST * 2u32.pow(self.failed.min(10))).min(LONGEST);
        self.failed += 1;
        tracing::debug!(%error, attempt = self.failed, "will be tried again");
        // Half of it at random: requests that failed together shall not come back together.
        tokio::time::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        Ok(())
    }
}
