//! One task for all who wait for the same thing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use object_store::{Error, Result};

type Outcome<T> = Result<T, Arc<Error>>;
type Flight<T> = Shared<BoxFuture<'static, Outcome<T>>>;

/// Tasks in progress by key.
pub(super) struct Flights<K, T: Clone> {
    tasks: Mutex<HashMap<K, WeakShared<BoxFuture<'static, Outcome<T>>>>>,
}

impl<K: Hash + Eq + Clone, T: Clone + Send + Sync + 'static> Flights<K, T> {
    pub(super) fn new() -> Self {
        Self { tasks: Mutex::default() }
    }

    /// Waits for the task of `key`, which is begun when there is none. It runs to its end on the
    /// runtime of the first who waits, whoever waits.
    pub(super) async fn join<F>(&self, key: &K, task: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        loop {
            let outcome = self.find(key, &task).await;
            self.land(key);
            match outcome {
                // Another runtime began it and has ended since: begin again, on this one.
                Err(error) if was_stopped(&error) => {}
                outcome => return outcome.map_err(|error| again(&error)),
            }
        }
    }

    fn find<F>(&self, key: &K, task: impl Fn() -> F) -> Flight<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = tasks.get(key).and_then(WeakShared::upgrade) {
            // Who comes when a task has failed gets a new one.
            if !matches!(flight.peek(), Some(Err(_))) {
                return flight;
            }
        }
        let task = tokio::spawn(task());
        let landed = async move {
            match task.await {
                Ok(outcome) => outcome.map_err(Arc::new),
                Err(error) => Err(Arc::new(error.into())),
            }
        };
        let flight = landed.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            tasks.insert(key.clone(), weak);
        }
        flight
    }

    fn land(&self, key: &K) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = tasks
            .get(key)
            .is_some_and(|task| task.upgrade().is_none_or(|flight| flight.peek().is_some()));
        if is_over {
            tasks.remove(key);
        }
    }
}

/// Whether the task was stopped in the middle, which only the end of its runtime does.
fn was_stopped(error: &Arc<Error>) -> bool {
    matches!(&**error, Error::JoinError { source } if source.is_cancelled())
}

/// The same error for another who waited. Its text and its causes are those of the first.
fn again(error: &Arc<Error>) -> Error {
    let path = || match &**error {
        Error::NotFound { path, .. }
        | Error::Precondition { path, .. }
        | Error::NotModified { path, .. }
        | Error::AlreadyExists { path, .. }
        | Error::PermissionDenied { path, .. }
        | Error::Unauthenticated { path, .. } => path.clone(),
        _ => String::new(),
    };
    let source = Box::new(Common(error.clone()));
    match &**error {
        Error::NotFound { .. } => Error::NotFound { path: path(), source },
        Error::Precondition { .. } => Error::Precondition { path: path(), source },
        Error::NotModified { .. } => Error::NotModified { path: path(), source },
        Error::AlreadyExists { .. } => Error::AlreadyExists { path: path(), source },
        Error::PermissionDenied { .. } => Error::PermissionDenied { path: path(), source },
        Error::Unauthenticated { .. } => Error::Unauthenticated { path: path(), source },
        Error::NotSupported { .. } => Error::NotSupported { source },
        _ => Error::Generic { store: "cache", source },
    }
}

/// An error that several waited for. It reads like the cause of the first one.
#[derive(Debug)]
struct Common(Arc<Error>);

impl std::fmt::Display for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::error::Error::source(&*self.0) {
            Some(source) => write!(f, "{source}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::error::Error for Common {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0)
    }
}
