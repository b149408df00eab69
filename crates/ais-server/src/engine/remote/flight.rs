//! Objects on their way: one download for all who wait for an object.
//!
//! A flight lives as long as somebody waits for it. What was downloaded is visible once it is whole, checked and committed;
//! a flight that ends early leaves nothing. Who writes or deletes the object meanwhile makes the flight outdated: it then
//! commits nothing, and those who waited look again.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::{FutureExt as _, Stream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::engine::content::PIECE;
use crate::engine::{Engine, Work as _};
use crate::error::{Error, Result};
use crate::storage::{Blob, ObjectMeta};

/// Bucket's id and name of an object.
type Key = (u64, String);

/// All flights.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Arc<Flight>>>);

/// One download.
pub(super) struct Flight {
    state: watch::Sender<State>,
    outdated: Arc<AtomicBool>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    waiting: usize,
    task: Option<AbortHandle>,
    /// Everybody left before it began.
    cancelled: bool,
}

/// How far a flight is.
#[derive(Clone)]
pub(super) enum State {
    /// The backend has not answered.
    Asked,
    /// This much can be read.
    Moving { coming: Arc<Coming>, written: u64 },
    /// It ended. The error is shared, so it is told as text.
    Done(Result<Arc<ObjectMeta>, Arc<Error>>),
}

/// An object that is being downloaded.
pub(super) struct Coming {
    /// What the backend says of it.
    pub(super) meta: ObjectMeta,
    /// What has come so far.
    pub(super) reader: Arc<dyn Blob>,
}

impl Flight {
    /// Tells how far it is.
    pub(super) fn tell(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Set when somebody has changed the object.
    pub(super) fn outdated(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.outdated)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the object is on its way.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.lock().contains_key(key)
    }

    /// Marks a flight whose object is not what it was.
    pub(super) fn outdate(&self, bid: u64, name: &str) {
        if let Some(flight) = self.lock().remove(&(bid, name.to_owned())) {
            flight.outdated.store(true, Ordering::Release);
        }
    }

    fn remove(&self, key: &Key, flight: &Arc<Flight>) {
        let mut all = self.lock();
        if all.get(key).is_some_and(|found| Arc::ptr_eq(found, flight)) {
            all.remove(key);
        }
    }
}

/// Somebody who waits for a flight. When the last one goes, the flight ends.
pub(crate) struct Passenger {
    engine: Arc<Engine>,
    key: Key,
    flight: Arc<Flight>,
    state: watch::Receiver<State>,
}

impl Passenger {
    /// Waits for the flight to this object that there is, or begins one with `fly`; tells whether it began one.
    pub(super) fn board<F, W>(engine: &Arc<Engine>, bid: u64, name: &str, fly: F) -> (Self, bool)
    where
        F: FnOnce(Arc<Flight>) -> W,
        W: Future<Output = Result<ObjectMeta>> + Send + 'static,
    {
        let key = (bid, name.to_owned());
        let flights = &engine.remotes().flights;
        let mut all = flights.lock();
        if let Some(flight) = all.get(&key) {
            flight.lock().waiting += 1;
            let (flight, state) = (Arc::clone(flight), flight.state.subscribe());
            return (Self { engine: Arc::clone(engine), key, flight, state }, false);
        }
        let (sender, state) = watch::channel(State::Asked);
        let inner = Inner { waiting: 1, ..Inner::default() };
        let flight =
            Arc::new(Flight { state: sender, outdated: Arc::default(), inner: Mutex::new(inner) });
        all.insert(key.clone(), Arc::clone(&flight));
        drop(all);
        let work = fly(Arc::clone(&flight));
        let (ends, of, place) = (Arc::clone(&flight), Arc::clone(engine), key.clone());
        let task = tokio::spawn(async move {
            let ended = |_| Err(Error::internal("a download ended abnormally"));
            let result = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(ended);
            let result = result.map(Arc::new).map_err(Arc::new);
            // Who comes from now on finds the object, or tries again.
            of.remotes().flights.remove(&place, &ends);
            ends.tell(State::Done(result));
        });
        let mut inner = flight.lock();
        inner.task = Some(task.abort_handle());
        if inner.cancelled {
            task.abort();
        }
        drop(inner);
        (Self { engine: Arc::clone(engine), key, flight, state }, true)
    }

    /// Waits for the end.
    pub(super) async fn landed(mut self) -> Result<ObjectMeta> {
        loop {
            if let State::Done(result) = &*self.state.borrow_and_update() {
                return result.clone().map(|meta| (*meta).clone()).map_err(|e| repeated(&e));
            }
            self.changed().await?;
        }
    }

    /// Waits until there is something to read, or the end: then there is nothing more to wait for.
    pub(super) async fn moving(mut self) -> Result<Option<(Arc<Coming>, Self)>> {
        loop {
            let state = self.state.borrow_and_update().clone();
            match state {
                State::Asked => self.changed().await?,
                State::Moving { coming, .. } => return Ok(Some((coming, self))),
                State::Done(Ok(_)) => return Ok(None),
                State::Done(Err(error)) => return Err(repeated(&error)),
            }
        }
    }

    async fn changed(&mut self) -> Result<()> {
        let ended = |_| Error::internal("a download ended abnormally");
        self.state.changed().await.map_err(ended)
    }
}

impl Drop for Passenger {
    fn drop(&mut self) {
        let flights = &self.engine.remotes().flights;
        let mut all = flights.lock();
        let mut inner = self.flight.lock();
        inner.waiting -= 1;
        if inner.waiting > 0 {
            return;
        }
        if all.get(&self.key).is_some_and(|found| Arc::ptr_eq(found, &self.flight)) {
            all.remove(&self.key);
        }
        drop(all);
        inner.cancelled = true;
        if let Some(task) = inner.task.take() {
            task.abort();
        }
    }
}

/// The same error once more, for another who waited.
pub(super) fn repeated(error: &Error) -> Error {
    Error::new(error.kind(), error.message()).with_code(error.code())
}

/// The bytes of a range of an object that is on its way. Its last byte comes once the object is whole and checked, so
/// that a stream that ends well is of a good object.
pub(super) fn stream(
    coming: Arc<Coming>,
    passenger: Passenger,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let size = coming.meta.size;
    futures::stream::unfold(Some((coming, passenger, range)), move |state| async move {
        let (coming, mut passenger, range) = state?;
        if range.is_empty() {
            return None;
        }
        match next(&coming, &mut passenger, &range, size).await {
            Ok(bytes) => {
                let range = range.start + bytes.len() as u64..range.end;
                Some((Ok(bytes), Some((coming, passenger, range))))
            }
            Err(error) => Some((Err(error.into()), None)),
        }
    })
}

async fn next(
    coming: &Arc<Coming>,
    passenger: &mut Passenger,
    range: &Range<u64>,
    size: u64,
) -> Result<Bytes> {
    loop {
        let state = passenger.state.borrow_and_update().clone();
        let end = match state {
            State::Asked => 0,
            State::Moving { written, .. } => range.end.min(written).min(size.saturating_sub(1)),
            State::Done(Ok(_)) => range.end,
            State::Done(Err(error)) => return Err(repeated(&error)),
        };
        if end > range.start {
            let (coming, start) = (Arc::clone(coming), range.start);
            let len = usize::try_from(end - start).unwrap_or(usize::MAX).min(PIECE);
            let read = move |_: &Arc<Engine>| Ok(coming.reader.read_at(start, len)?);
            let bytes = passenger.engine.blocking(read).await?;
            if bytes.is_empty() {
                return Err(Error::internal("content became shorter while it was read"));
            }
            return Ok(bytes);
        }
        passenger.changed().await?;
    }
}
