//! One shared runtime per process, made at the first use and made anew in a forked child, for what goes on by itself;
//! and one per waiting thread ([`local`]), for what ends with the call.

mod local;

use std::pin::{Pin, pin};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

pub(crate) use local::{Local, follow, generation, of_the_parent};

static RUNTIME: AtomicPtr<Runtime> = AtomicPtr::new(ptr::null_mut());

/// Longest time between two looks for signals while a synchronous call waits.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(40);

/// The runtime of this process.
pub(crate) fn runtime() -> &'static Runtime {
    let present = RUNTIME.load(Ordering::Acquire);
    if !present.is_null() {
        #[expect(
            unsafe_code,
            reason = "the pointer comes from `Box::leak` below and is never freed"
        )]
        return unsafe { &*present };
    }
    let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let made = Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("holdall")
        .enable_all()
        .build()
        .expect("the system has threads and file descriptors to give");
    let made: &'static mut Runtime = Box::leak(Box::new(made));
    // Every request sets a timer against silence. A timer that is due before all others wakes the thread that waits
    // for the network, which costs as much as a short request; so one is always due before those.
    made.spawn(async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    match RUNTIME.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => made,
        // Another thread was faster; its runtime counts, and this one is left idle.
        #[expect(unsafe_code, reason = "as above")]
        Err(other) => unsafe { &*other },
    }
}

/// Forgets, in a forked child, the runtime and the connections of the parent: their threads do not exist here.
#[pyfunction]
pub(crate) fn _after_fork() {
    RUNTIME.store(ptr::null_mut(), Ordering::Release);
    local::after_fork();
    holdall::store::client::reset_after_fork();
}

/// Wakes the thread that waits for a future.
struct Waiter {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Waiter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Waits for a future on the calling thread without holding the interpreter, and looks for signals meanwhile. A signal
/// handler that raises (Ctrl-C) drops the future, which cancels its requests.
///
/// The thread parks itself instead of blocking in the runtime with a timer: a timer that is due before all others wakes
/// the runtime's driver, which costs as much as a short request.
pub(crate) fn block_on<T: Send>(
    py: Python<'_>,
    future: impl Future<Output = T> + Send,
) -> PyResult<T> {
    py.detach(|| {
        // What is dropped half-way finds the runtime that has to tidy up behind it.
        let _context = runtime().enter();
        wait_on_workers(pin!(future))
    })
}

fn wait_on_workers<T>(mut future: Pin<&mut impl Future<Output = T>>) -> PyResult<T> {
    let waiter = Arc::new(Waiter { thread: std::thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(waiter.clone());
    let mut next_look = Instant::now() + SIGNAL_INTERVAL;
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(value);
        }
        loop {
            let now = Instant::now();
            if now >= next_look {
                look_for_signals()?;
                next_look = now + SIGNAL_INTERVAL;
            }
            if waiter.woken.swap(false, Ordering::Acquire) {
                break;
            }
            std::thread::park_timeout(next_look.saturating_duration_since(now));
        }
    }
}

/// Where something that outlives its call is driven: by the shared runtime (None), or by whoever waits.
pub(crate) type Driver = Option<Arc<Local>>;

/// As [`block_on`], with the calling thread driving its own sockets; for operations that end with the call, and `alone`
/// where they send one request at a time. Returns also what drives the rest, where there is one (a body).
pub(crate) fn block_here<T: Send>(
    py: Python<'_>,
    alone: bool,
    future: impl Future<Output = T> + Send,
) -> PyResult<(T, Driver)> {
    py.detach(|| match local::Lease::take() {
        Some(lease) => {
            let local = lease.local();
            let done = {
                let future = pin!(future);
                local.drive(future, alone)
            };
            match done {
                Ok(value) => Ok((value, Some(local.clone()))),
                Err(error) => {
                    // The requests that were given up close their connections now, not at the next call.
                    local.settle();
                    Err(error)
                }
            }
        }
        None => {
            let _context = runtime().enter();
            wait_on_workers(pin!(future)).map(|value| (value, None))
        }
    })
}

/// Waits for a future that a driver belongs to; `alone` as of [`block_here`].
pub(crate) fn block_with<T: Send>(
    py: Python<'_>,
    driver: &Driver,
    alone: bool,
    future: impl Future<Output = T> + Send,
) -> PyResult<T> {
    match driver {
        Some(local) => py.detach(|| local.drive(pin!(future), alone)),
        None => block_on(py, future),
    }
}

/// Lets the interpreter run signal handlers. A daemon thread that still waits when the interpreter has gone has nowhere
/// to return to, and sleeps until the process ends.
fn look_for_signals() -> PyResult<()> {
    match Python::try_attach(|py| py.check_signals()) {
        Some(looked) => looked,
        None => loop {
            std::thread::park();
        },
    }
}

/// As [`ready_or_block_on`], for what takes less time than releasing the interpreter does.
pub(crate) fn quick_or_block_on<T: Send>(
    py: Python<'_>,
    future: impl Future<Output = T> + Send,
) -> PyResult<T> {
    let mut future = pin!(future);
    match poll_once(future.as_mut()) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => block_on(py, future),
    }
}

/// Polls a future once, where it is expected to be ready, and waits for it otherwise.
pub(crate) fn ready_or_block_on<T: Send>(
    py: Python<'_>,
    future: impl Future<Output = T> + Send,
) -> PyResult<T> {
    let mut future = pin!(future);
    let polled = py.detach(|| poll_once(future.as_mut()));
    match polled {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => block_on(py, future),
    }
}

pub(crate) fn poll_once<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
