//! The store classes.

mod ais;
mod cached;
mod classes;
mod config;
mod credentials;
mod crowd;

use std::sync::Arc;

use holdall::store::object_store::path::Path;
use holdall::store::{Provider, Store};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use self::crowd::Crowd;
use crate::runtime::{Driver, block_here, block_on, quick_or_block_on, ready_or_block_on};

pub(crate) use ais::AISStore;
pub(crate) use cached::CachedStore;
pub(crate) use classes::scheme_name;
pub(crate) use classes::{AzureStore, GCSStore, HTTPStore, LocalStore, MemoryStore, S3Store};

/// What operations need of a store.
#[derive(Clone)]
pub(crate) struct Handle {
    /// For callers that may wait on the runtime.
    pub(crate) store: Store,
    /// For synchronous callers, where the store works on the calling thread.
    inline: Option<Store>,
    /// Whether asynchronous operations are ready at the first poll.
    pub(crate) ready: bool,
    /// Whether several callers wait for the same request: it cannot depend on one thread that waits.
    shared: bool,
    /// Who waits for whom when many operations are started together.
    crowd: Arc<Crowd>,
}

impl Handle {
    pub(crate) fn new(provider: Arc<dyn Provider>, prefix: Path) -> Self {
        let store = Store::new(provider).at(prefix);
        let ready = store.provider().scheme() == "memory";
        Self { inline: store.inline(), store, ready, shared: false, crowd: Arc::default() }
    }

    /// A store whose work goes on when the caller has gone.
    pub(crate) fn shared(provider: Arc<dyn Provider>, prefix: Path) -> Self {
        Self { shared: true, ..Self::new(provider, prefix) }
    }

    /// Runs an operation and waits for it; its requests go through connections of the calling thread.
    pub(crate) fn run<T: Send, F: Future<Output = T> + Send>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(Store) -> F,
    ) -> PyResult<T> {
        match &self.inline {
            Some(inline) => ready_or_block_on(py, operation(inline.clone())),
            None if self.shared => block_on(py, operation(self.store.clone())),
            None => block_here(py, false, operation(self.store.clone())).map(|(done, _)| done),
        }
    }

    /// As [`run`](Self::run), for operations that send many requests at once: the workers share them.
    pub(crate) fn run_wide<T: Send, F: Future<Output = T> + Send>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(Store) -> F,
    ) -> PyResult<T> {
        match &self.inline {
            Some(inline) => ready_or_block_on(py, operation(inline.clone())),
            None => block_on(py, operation(self.store.clone())),
        }
    }

    /// As [`run`](Self::run), for operations on a single object, which memory does in well under a microsecond.
    pub(crate) fn run_quick<T: Send, F: Future<Output = T> + Send>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(Store) -> F,
    ) -> PyResult<T> {
        self.run_kept(py, operation).map(|(done, _)| done)
    }

    /// As [`run_quick`](Self::run_quick); returns also what drives the rest of the result.
    pub(crate) fn run_kept<T: Send, F: Future<Output = T> + Send>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(Store) -> F,
    ) -> PyResult<(T, Driver)> {
        match &self.inline {
            Some(inline) if self.ready => {
                Ok((quick_or_block_on(py, operation(inline.clone()))?, None))
            }
            Some(inline) => Ok((ready_or_block_on(py, operation(inline.clone()))?, None)),
            None if self.shared => Ok((block_on(py, operation(self.store.clone()))?, None)),
            None => block_here(py, true, operation(self.store.clone())),
        }
    }

    /// An operation that is to be awaited, in its turn where others are under way; not one that reads from Python.
    pub(crate) fn in_turn<F: Future>(
        &self,
        operation: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        let crowd = if self.ready { None } else { Some(self.crowd.clone()) };
        async move {
            let _turn = match &crowd {
                Some(crowd) => crowd.enter().await,
                None => None,
            };
            operation.await
        }
    }

    /// The store that synchronous calls use.
    pub(crate) fn sync_store(&self) -> &Store {
        self.inline.as_ref().unwrap_or(&self.store)
    }

    fn with_prefix(&self, prefix: &Path) -> Self {
        Self {
            store: self.store.with_prefix(prefix),
            inline: self.inline.as_ref().map(|store| store.with_prefix(prefix)),
            ready: self.ready,
            shared: self.shared,
            crowd: self.crowd.clone(),
        }
    }
}

/// Base class of all stores: every operation as a method, with an `_async` twin.
#[pyclass(frozen, subclass, name = "ObjectStoreMethods", module = "holdall.store")]
pub(crate) struct PyStore {
    pub(crate) handle: Handle,
    /// What makes the same store again.
    args: Py<PyTuple>,
    kwargs: Py<PyDict>,
}

impl PyStore {
    /// The same store below another prefix; `args` and `kwargs` rebuild it.
    fn below(&self, prefix: &Path, args: Bound<'_, PyTuple>, kwargs: Bound<'_, PyDict>) -> Self {
        Self {
            handle: self.handle.with_prefix(prefix),
            args: args.unbind(),
            kwargs: kwargs.unbind(),
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyStore>()?;
    module.add_class::<AISStore>()?;
    module.add_class::<CachedStore>()?;
    module.add_class::<S3Store>()?;
    module.add_class::<GCSStore>()?;
    module.add_class::<AzureStore>()?;
    module.add_class::<HTTPStore>()?;
    module.add_class::<LocalStore>()?;
    module.add_class::<MemoryStore>()
}
