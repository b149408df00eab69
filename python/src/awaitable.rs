//! Awaitables over Rust futures.
//!
//! An operation runs from the moment it is called. Its result waits in a slot; whoever awaits it and finds it there
//! never touches the event loop. Otherwise an asyncio future stands for it, and the loop is woken through one eventfd
//! per loop, drained once per wake-up. No Rust thread attaches to the interpreter for a result, so none can meet an
//! interpreter that is going away.
//!
//! The object is a coroutine to asyncio: `await`, `gather`, `create_task`, `wait_for` and `TaskGroup` take it. Throwing
//! into it (cancellation) aborts the operation, and goes on up when nothing of it is left: its buffer is not written to any
//! more, and its temporary file is gone. Dropping it aborts it, too.

use std::any::Any;
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::FutureExt;
use pyo3::exceptions::{PyGeneratorExit, PyRuntimeError, PyStopIteration};
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use tokio::task::AbortHandle;

use crate::runtime::{poll_once, runtime};

/// Turns a result into a Python object; runs on the thread that awaits.
type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// Whether some credential provider is asynchronous, and wants to run on the event loop of the operation.
static LOOPS_WANTED: AtomicBool = AtomicBool::new(false);

tokio::task_local! {
    /// The event loop on which the operation was started.
    static EVENT_LOOP: Py<PyAny>;
}

/// From now on operations remember the event loop they are started on.
pub(crate) fn remember_event_loops() {
    LOOPS_WANTED.store(true, Ordering::Relaxed);
}

/// The event loop on which the present operation was started, where it is known.
pub(crate) fn event_loop(py: Python<'_>) -> Option<Py<PyAny>> {
    EVENT_LOOP.try_with(|event_loop| event_loop.clone_ref(py)).ok()
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let running = RUNNING_LOOP.get_or_try_init(py, || {
        py.import("asyncio")?.getattr("get_running_loop").map(Bound::unbind)
    })?;
    running.bind(py).call0()
}

enum Slot {
    Running {
        waiter: Option<Waiter>,
    },
    /// Aborted, and not gone yet; somebody waits with what was thrown in.
    Ending {
        waiter: Waiter,
        thrown: PyErr,
    },
    Done(Finish),
    Taken,
}

/// The asyncio future to wake: its queue and its number.
type Waiter = (Arc<Queue>, u64);

/// Dropped when nothing is left of an operation.
struct Gone(Arc<Mutex<Slot>>);

impl Drop for Gone {
    fn drop(&mut self) {
        let mut slot = lock(&self.0);
        match std::mem::replace(&mut *slot, Slot::Taken) {
            Slot::Ending { waiter: (queue, id), thrown } => {
                *slot = Slot::Done(Box::new(move |_| Err(thrown)));
                drop(slot);
                queue.push(id);
            }
            other => *slot = other,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An operation in progress, or its result.
#[pyclass(frozen, module = "holdall")]
pub(crate) struct Awaitable {
    slot: Arc<Mutex<Slot>>,
    abort: Option<AbortHandle>,
    /// The iterator of the asyncio future that stands for the operation, once somebody waits.
    waiting: Mutex<Option<Py<PyAny>>>,
}

impl Drop for Awaitable {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts an operation. With `try_now` it is polled once on this thread, for stores that answer without waiting.
pub(crate) fn future_into_py<T: Send + 'static>(
    py: Python<'_>,
    try_now: bool,
    future: impl Future<Output = T> + Send + 'static,
    finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Bound<'_, PyAny>> {
    let runtime = runtime();
    let mut future = Box::pin(future);
    if try_now {
        let _context = runtime.enter();
        if let Poll::Ready(value) = poll_once(future.as_mut()) {
            let done = Slot::Done(Box::new(move |py| finish(py, value)));
            return wrap(py, Arc::new(Mutex::new(done)), None);
        }
    }
    let slot = Arc::new(Mutex::new(Slot::Running { waiter: None }));
    let target = slot.clone();
    let gone = Gone(slot.clone());
    let wanted = LOOPS_WANTED.load(Ordering::Relaxed);
    let event_loop = if wanted { running_loop(py).ok().map(Bound::unbind) } else { None };
    let task = runtime.spawn(async move {
        // Dropped after the future is.
        let _gone = gone;
        // What it shares with others is behind locks that go on after a panic; and nobody asks it again.
        let future = AssertUnwindSafe(future).catch_unwind();
        let value = match event_loop {
            Some(event_loop) => EVENT_LOOP.scope(event_loop, future).await,
            None => future.await,
        };
        let done = Slot::Done(Box::new(move |py| match value {
            Ok(value) => finish(py, value),
            Err(panic) => Err(panicked(&*panic)),
        }));
        let mut slot = lock(&target);
        if matches!(*slot, Slot::Ending { .. }) {
            // It was aborted when it had come to its end: who threw hears when it is gone.
            return;
        }
        let before = std::mem::replace(&mut *slot, done);
        drop(slot);
        if let Slot::Running { waiter: Some((queue, id)) } = before {
            queue.push(id);
        }
    });
    wrap(py, slot, Some(task.abort_handle()))
}

/// The exception of an operation that panicked: the same as where it runs on the thread that calls.
fn panicked(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    PanicException::new_err(text.unwrap_or("an operation panicked").to_owned())
}

fn wrap(
    py: Python<'_>,
    slot: Arc<Mutex<Slot>>,
    abort: Option<AbortHandle>,
) -> PyResult<Bound<'_, PyAny>> {
    Ok(Bound::new(py, Awaitable { slot, abort, waiting: Mutex::new(None) })?.into_any())
}

#[pymethods]
impl Awaitable {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.step(py)
    }

    /// Goes on; part of the coroutine protocol.
    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.step(py)
    }

    /// Ends the operation with an exception; part of the coroutine protocol.
    #[pyo3(signature = (*exception))]
    fn throw(&self, exception: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let first = exception.get_item(0)?;
        let raised = if first.is_instance_of::<pyo3::types::PyType>() {
            match exception.get_item(1) {
                Ok(value) if !value.is_none() => value,
                _ => first.call0()?,
            }
        } else {
            first
        };
        self.end(exception.py(), PyErr::from_value(raised))
    }

    /// Ends the operation; part of the coroutine protocol.
    fn close(&self) {
        self.stop();
    }
}

impl Awaitable {
    fn stop(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
        let before = std::mem::replace(&mut *lock(&self.slot), Slot::Taken);
        if let Slot::Running { waiter: Some(waiter) } | Slot::Ending { waiter, .. } = before {
            forget(&waiter);
        }
    }

    /// Aborts the operation, and raises what was `thrown` when it is gone. Whoever does not wait for that (the coroutine is
    /// closed, thrown into a second time, or not on a running loop) hears at once.
    fn end(&self, py: Python<'_>, thrown: PyErr) -> PyResult<Py<PyAny>> {
        let running = matches!(&*lock(&self.slot), Slot::Running { .. });
        let bridge = match running && !thrown.is_instance_of::<PyGeneratorExit>(py) {
            true => Bridge::current(py).ok(),
            false => None,
        };
        let (Some(bridge), Some(abort)) = (bridge, &self.abort) else {
            self.stop();
            return Err(thrown);
        };
        let (id, future) = bridge.register(py)?;
        let mut slot = lock(&self.slot);
        let before = std::mem::replace(&mut *slot, Slot::Taken);
        let Slot::Running { waiter: before } = before else {
            // It has finished meanwhile.
            drop(slot);
            forget(&(bridge.queue.clone(), id));
            return Err(thrown);
        };
        *slot = Slot::Ending { waiter: (bridge.queue.clone(), id), thrown };
        drop(slot);
        if let Some(before) = before {
            forget(&before);
        }
        abort.abort();
        self.wait_for(&future)
    }

    /// Waits for an asyncio future; what is returned goes up to the loop.
    fn wait_for(&self, future: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let iterator = future.call_method0("__await__")?;
        let yielded = iterator.call_method0("__next__")?.unbind();
        *lock(&self.waiting) = Some(iterator.unbind());
        Ok(yielded)
    }

    fn step(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let mut slot = lock(&self.slot);
        match std::mem::replace(&mut *slot, Slot::Taken) {
            Slot::Done(finish) => {
                drop(slot);
                return Err(stop_iteration(py, finish(py)?));
            }
            Slot::Taken => {
                return Err(PyRuntimeError::new_err("this operation has already been awaited"));
            }
            Slot::Running { waiter: None } => {
                let bridge = Bridge::current(py)?;
                let (id, future) = bridge.register(py)?;
                *slot = Slot::Running { waiter: Some((bridge.queue.clone(), id)) };
                drop(slot);
                return self.wait_for(&future);
            }
            running => *slot = running,
        }
        drop(slot);
        // Woken without a result: whatever the future has to say (it was cancelled, say) goes on up.
        let iterator = lock(&self.waiting).as_ref().map(|iterator| iterator.clone_ref(py));
        match iterator {
            Some(iterator) => Ok(iterator.bind(py).call_method0("__next__")?.unbind()),
            None => Err(PyRuntimeError::new_err("this operation is awaited twice at once")),
        }
    }
}

/// Nobody will wake this future, and it keeps its loop alive.
fn forget((queue, id): &Waiter) {
    let forgotten = lock(&queue.futures).remove(id);
    drop(forgotten);
}

fn stop_iteration(py: Python<'_>, value: Py<PyAny>) -> PyErr {
    // The value is wrapped by hand: a tuple, or an exception, given as the argument would be taken apart.
    match PyTuple::new(py, [value]).and_then(|args| py.get_type::<PyStopIteration>().call1(args)) {
        Ok(stop) => PyErr::from_value(stop),
        Err(error) => error,
    }
}

/// The operations of one event loop that somebody waits for, and those of them that have finished.
struct Queue {
    finished: Mutex<Vec<u64>>,
    futures: Mutex<HashMap<u64, Py<PyAny>>>,
    wake: Wake,
}

enum Wake {
    /// The loop reads this descriptor.
    Descriptor(OwnedFd),
    /// The loop cannot read descriptors: it is asked to call the drain.
    Call { event_loop: Py<PyAny>, drain: PyOnceLock<Py<PyAny>> },
}

impl Queue {
    fn push(&self, id: u64) {
        let first = {
            let mut finished = lock(&self.finished);
            finished.push(id);
            finished.len() == 1
        };
        if !first {
            return;
        }
        match &self.wake {
            // Fails only when the counter is full, and then the loop has been woken already.
            Wake::Descriptor(fd) => {
                rustix::io::write(fd.as_fd(), &1u64.to_ne_bytes()).ok();
            }
            Wake::Call { event_loop, drain } => {
                Python::try_attach(|py| {
                    if let Some(drain) = drain.get(py) {
                        // A closed loop has nobody left who waits.
                        drop(event_loop.call_method1(py, "call_soon_threadsafe", (drain,)));
                    }
                });
            }
        }
    }
}

/// The connection of one event loop to the runtime.
#[pyclass(frozen, module = "holdall")]
struct Bridge {
    queue: Arc<Queue>,
    next: AtomicU64,
    create_future: Py<PyAny>,
}

static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static BRIDGES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

impl Bridge {
    fn current(py: Python<'_>) -> PyResult<PyRef<'_, Self>> {
        let bridges = BRIDGES.get_or_try_init(py, || {
            py.import("weakref")?.getattr("WeakKeyDictionary")?.call0().map(Bound::unbind)
        })?;
        let event_loop = running_loop(py)?;
        let bridges = bridges.bind(py);
        if let Ok(present) = bridges.get_item(&event_loop) {
            return Ok(present.cast_into::<Self>()?.borrow());
        }
        let bridge = Self::attach(&event_loop)?;
        bridges.set_item(&event_loop, &bridge)?;
        Ok(bridge.borrow())
    }

    fn attach<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        use rustix::event::{EventfdFlags, eventfd};
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(|e| PyErr::from(std::io::Error::from(e)))?;
        let raw = fd.as_raw_fd();
        // The loop must not be kept alive by its own bridge, so a weak method stands for `create_future`.
        let weak = py.import("weakref")?.getattr("WeakMethod")?;
        let create_future = weak.call1((event_loop.getattr("create_future")?,));
        let create_future = match create_future {
            Ok(weak) => weak.unbind(),
            // Methods written in C (uvloop) have no weak form; `asyncio.Future` finds the running loop itself.
            Err(_) => py.None(),
        };
        let new = |wake| Self {
            queue: Arc::new(Queue { finished: Mutex::default(), futures: Mutex::default(), wake }),
            next: AtomicU64::new(0),
            create_future,
        };
        let probe = event_loop.getattr("add_reader")?;
        let with_fd = Bound::new(py, new(Wake::Descriptor(fd)))?;
        match probe.call1((raw, with_fd.getattr("drain")?)) {
            Ok(_) => Ok(with_fd),
            Err(error) if error.is_instance_of::<pyo3::exceptions::PyNotImplementedError>(py) => {
                let wake = Wake::Call {
                    event_loop: event_loop.clone().unbind(),
                    drain: PyOnceLock::new(),
                };
                let bridge = Bound::new(
                    py,
                    Self {
                        queue: Arc::new(Queue {
                            finished: Mutex::default(),
                            futures: Mutex::default(),
                            wake,
                        }),
                        next: AtomicU64::new(0),
                        create_future: py.None(),
                    },
                )?;
                if let Wake::Call { drain, .. } = &bridge.get().queue.wake {
                    drain.get_or_try_init(py, || bridge.getattr("drain").map(Bound::unbind))?;
                }
                Ok(bridge)
            }
            Err(error) => Err(error),
        }
    }

    /// A future of this loop under a new number.
    fn register<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyAny>)> {
        let made = match self.create_future.is_none(py) {
            true => None,
            false => {
                let method = self.create_future.bind(py).call0()?;
                (!method.is_none()).then_some(method)
            }
        };
        let future = match made {
            Some(create) => create.call0()?,
            None => py.import("asyncio")?.getattr("Future")?.call0()?,
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.queue.futures).insert(id, future.clone().unbind());
        Ok((id, future))
    }
}

#[pymethods]
impl Bridge {
    /// Wakes everybody whose operation has finished; called by the loop.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        if let Wake::Descriptor(fd) = &self.queue.wake {
            let mut counter = [0; 8];
            // Nothing to read means that another drain was faster.
            rustix::io::read(fd.as_fd(), &mut counter).ok();
        }
        let finished = std::mem::take(&mut *lock(&self.queue.finished));
        for id in finished {
            let Some(future) = lock(&self.queue.futures).remove(&id) else { continue };
            let future = future.into_bound(py);
            if !future.call_method0("done")?.is_truthy()? {
                future.call_method1("set_result", (py.None(),))?;
            }
        }
        Ok(())
    }
}
