//! Runtimes that the waiting thread drives itself.
//!
//! A request that a worker thread carries costs two hops between threads, which is more than everything else that a
//! short request costs. So a thread that waits for one operation drives the sockets of that operation: it has a
//! single-threaded runtime, whose connections it uses again at its next call.
//!
//! Nothing moves on such a runtime while no thread waits on it. What outlives a call (a body that has not been read)
//! therefore keeps its runtime, and whoever reads it drives that: any thread may, and several at once.

use std::cell::Cell;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use holdall::store::client;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use super::{SIGNAL_INTERVAL, look_for_signals};

/// Most runtimes at a time; threads beyond these wait on the shared one. Each takes three descriptors.
const MOST: usize = 64;

/// A runtime without a thread ends after this time.
const IDLE: Duration = Duration::from_secs(60);

/// After this time without a driver, connections are looked at before they are used: the server may have closed them.
const STALE: Duration = Duration::from_micros(500);

/// Counts forks that this process has been through as the child.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// How many runtimes there are.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Runtimes whose threads have ended.
static LEFT: LazyLock<ArcSwap<Mutex<Vec<Arc<Local>>>>> = LazyLock::new(ArcSwap::default);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static OWN: Own = const { Own(Cell::new(None)) };
}

/// The runtime of a thread, while it is not in use.
struct Own(Cell<Option<Arc<Local>>>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(local) = self.0.take() {
            leave(local);
        }
    }
}

/// A number that tells a process from those it was forked from.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

/// Forgets, in a forked child, the runtimes of the parent: their descriptors are the parent's as well.
pub(super) fn after_fork() {
    GENERATION.fetch_add(1, Ordering::AcqRel);
    LIVE.store(0, Ordering::Release);
    // A thread of the parent may have held the lock at the fork: it does not exist here to release it.
    mem::forget(LEFT.swap(Arc::default()));
}

/// Puts a runtime where the next thread that needs one finds it, and ends those that nobody has needed for long.
fn leave(local: Arc<Local>) {
    let ended: Vec<_> = {
        let left = LEFT.load_full();
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        left.push(local);
        left.extract_if(.., |local| local.unused() > IDLE).collect()
    };
    drop(ended);
}

/// A runtime that works while a thread waits on it.
pub(crate) struct Local {
    runtime: Option<Runtime>,
    generation: u64,
    /// How many threads wait on it.
    drivers: AtomicUsize,
    /// When it was last driven, in nanoseconds from `START`.
    driven: AtomicU64,
}

impl Local {
    fn new() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        LIVE.fetch_add(1, Ordering::AcqRel);
        Ok(Self {
            runtime: Some(runtime),
            generation: generation(),
            drivers: AtomicUsize::new(0),
            driven: AtomicU64::new(since_start()),
        })
    }

    fn is_of_this_process(&self) -> bool {
        self.generation == generation()
    }

    fn unused(&self) -> Duration {
        Duration::from_nanos(since_start().saturating_sub(self.driven.load(Ordering::Relaxed)))
    }

    /// Drives a future to its end, and looks for signals meanwhile; to be called without holding the interpreter.
    ///
    /// # Errors
    /// What a signal handler raises; an exception in a forked child, where the connections are the parent's.
    ///
    /// With `alone` the future waits for one request at a time, and its polls may put the thread to sleep.
    pub(crate) fn drive<T>(
        &self,
        mut future: Pin<&mut impl Future<Output = T>>,
        alone: bool,
    ) -> PyResult<T> {
        let runtime = match &self.runtime {
            Some(runtime) if self.is_of_this_process() => runtime,
            _ => return Err(of_the_parent()),
        };
        let _driving = Driving::start(self);
        if self.unused() > STALE {
            runtime.block_on(let_tasks_run());
        }
        loop {
            let step = runtime.block_on(async {
                let began = Instant::now();
                let mut tick = pin!(tokio::time::sleep(SIGNAL_INTERVAL));
                std::future::poll_fn(|cx| {
                    // Without tokio's limit on what one poll may do: the wake-ups it puts off are lost when this slice
                    // ends, and there is nobody to yield to.
                    let mut free = tokio::task::unconstrained(future.as_mut());
                    let polled = match alone {
                        true => client::alone(|| Pin::new(&mut free).poll(cx)),
                        false => Pin::new(&mut free).poll(cx),
                    };
                    match polled {
                        Poll::Ready(value) => Poll::Ready(Some(value)),
                        // The poll itself may have taken that long.
                        Poll::Pending if began.elapsed() >= SIGNAL_INTERVAL => Poll::Ready(None),
                        Poll::Pending => tick.as_mut().poll(cx).map(|()| None),
                    }
                })
                .await
            });
            // Handlers may wait for operations of their own, so they run outside of the runtime.
            match step {
                Some(value) => return Ok(value),
                None => look_for_signals()?,
            }
        }
    }

    /// Lets connections see that what used them is gone: they close, or are ready for others.
    pub(crate) fn settle(&self) {
        let Some(runtime) = &self.runtime else { return };
        // A thread that drives this one does it anyway; a thread of another runtime must not.
        let driven = self.drivers.load(Ordering::Acquire) > 0;
        if !driven && self.is_of_this_process() && Handle::try_current().is_err() {
            let _driving = Driving::start(self);
            runtime.block_on(let_tasks_run());
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if self.is_of_this_process() {
            LIVE.fetch_sub(1, Ordering::AcqRel);
            // Callbacks that still run may need the interpreter, which this thread may hold: nobody waits for them.
            runtime.shutdown_background();
        } else {
            mem::forget(runtime);
        }
    }
}

/// While it lives, a thread waits on the runtime.
struct Driving<'a>(&'a Local);

impl<'a> Driving<'a> {
    fn start(local: &'a Local) -> Self {
        local.drivers.fetch_add(1, Ordering::AcqRel);
        Self(local)
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.0.driven.store(since_start(), Ordering::Relaxed);
        self.0.drivers.fetch_sub(1, Ordering::AcqRel);
    }
}

fn since_start() -> u64 {
    START.elapsed().as_nanos() as u64
}

/// Takes what the sockets have to say (first turn), and lets the connections act on it (second).
async fn let_tasks_run() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

pub(crate) fn of_the_parent() -> PyErr {
    PyRuntimeError::new_err(
        "this was opened before the fork and belongs to the parent process: open it again in the child",
    )
}

/// The runtime of this thread, for one call.
pub(super) struct Lease(Arc<Local>);

impl Lease {
    /// None where there are too many already, or the system has no more descriptors to give.
    pub(super) fn take() -> Option<Self> {
        let own = OWN.try_with(|own| own.0.take()).ok().flatten();
        if let Some(local) = own.filter(|local| local.is_of_this_process()) {
            return Some(Self(local));
        }
        let left = LEFT.load_full();
        let left = left.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(left) = left {
            return Some(Self(left));
        }
        if LIVE.load(Ordering::Acquire) >= MOST {
            return None;
        }
        Local::new().ok().map(|local| Self(Arc::new(local)))
    }

    pub(super) fn local(&self) -> &Arc<Local> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A handler of signals that ran within this call may have brought one of its own.
        match OWN.try_with(|own| own.0.replace(Some(self.0.clone()))) {
            Ok(None) => {}
            Ok(Some(other)) => leave(other),
            Err(_) => leave(self.0.clone()),
        }
    }
}

/// Runs on the shared runtime what belongs to a local one: a thread drives that, until the end or until nobody waits.
/// `alone` as of [`Local::drive`].
pub(crate) async fn follow<T: Send + 'static>(
    local: Arc<Local>,
    alone: bool,
    future: impl Future<Output = T> + Send + 'static,
) -> PyResult<T> {
    let (_while_this_lives, mut dropped) = oneshot::channel::<()>();
    let driven = tokio::task::spawn_blocking(move || {
        let mut future = pin!(future);
        let either = std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => Pin::new(&mut dropped).poll(cx).map(|_| None),
        });
        local.drive(pin!(either), alone)
    });
    match driven.await {
        Ok(Ok(Some(value))) => Ok(value),
        Ok(Err(error)) => Err(error),
        Ok(Ok(None)) => Err(PyRuntimeError::new_err("nobody waits for this operation any more")),
        Err(error) => Err(PyRuntimeError::new_err(error.to_string())),
    }
}
