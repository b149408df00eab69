//! What services give for all assets of a run: keys, tokens, logins. They are asked once, and one refusal is enough: whoever
//! asks again for each asset has accounts locked, and services overrun.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Result};

/// How long a failure that may pass is that of everybody who asks.
const PASSING: Duration = Duration::from_secs(10);

/// What a service gave last, and why it gave nothing since.
#[derive(Debug)]
pub(super) struct Answer<T>(tokio::sync::Mutex<Last<T>>);

#[derive(Debug)]
struct Last<T> {
    given: Option<T>,
    refused: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    error: Error,
    at: Instant,
}

impl Refusal {
    fn stands(&self) -> bool {
        !self.error.is_retryable() || self.at.elapsed() < PASSING
    }
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::new(Last { given: None, refused: None }))
    }
}

impl<T: Clone> Answer<T> {
    /// What was given and still `holds`, or else what `ask` gives, which is told what was given before. Those who come
    /// meanwhile wait for the same answer.
    ///
    /// # Errors
    /// The failure of `ask`, or the one before: for good, or for [`PASSING`] if it is one that may pass.
    pub(super) async fn get(
        &self,
        holds: impl Fn(&T) -> bool,
        ask: impl AsyncFnOnce(Option<T>) -> Result<T>,
    ) -> Result<T> {
        let mut last = self.0.lock().await;
        if let Some(given) = last.given.as_ref().filter(|given| holds(given)) {
            return Ok(given.clone());
        }
        if let Some(refused) = last.refused.as_ref().filter(|refused| refused.stands()) {
            return Err(refused.error.clone());
        }
        match ask(last.given.clone()).await {
            Ok(given) => {
                *last = Last { given: Some(given.clone()), refused: None };
                Ok(given)
            }
            Err(error) => {
                last.refused = Some(Refusal { error: error.clone(), at: Instant::now() });
                Err(error)
            }
        }
    }
}

/// Answers by what was asked for. Each is waited for by those alone who asked for it.
#[derive(Debug)]
pub(super) struct Answers<K, T>(Mutex<HashMap<K, Arc<Answer<T>>>>);

impl<K, T> Default for Answers<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T> Answers<K, T> {
    pub(super) fn of(&self, key: K) -> Arc<Answer<T>> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.entry(key).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[tokio::test(start_paused = true)]
    async fn failures_that_may_pass_are_asked_about_again_and_no_others() {
        let refused = Error::new(ErrorKind::Authentication, "get", "", "no");
        for (error, asked_again) in [(refused.clone().passing(), 1), (refused, 0)] {
            let (answer, asked) = (Answer::<u8>::default(), std::cell::Cell::new(0));
            let ask = async |_| {
                asked.set(asked.get() + 1);
                Err(error.clone())
            };
            for _ in 0..3 {
                assert!(answer.get(|_| true, ask).await.is_err());
            }
            assert_eq!(asked.get(), 1);
            tokio::time::advance(PASSING).await;
            assert!(answer.get(|_| true, ask).await.is_err());
            assert_eq!(asked.get(), 1 + asked_again);
        }
    }
}
