//! Connections that wait for their next request.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::Uri;
use tokio::runtime;
use tokio::sync::oneshot;

use super::connection::Connection;
use crate::own::Own;

/// How long a connection is kept, unless the options say otherwise; as long as reqwest's pools do.
const KEPT: Duration = Duration::from_secs(90);

/// After this time without use, a connection is looked at before it is used: the server may have closed it.
const STALE: Duration = Duration::from_micros(500);

/// The host and port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::client) struct Host(Arc<str>, u16);

impl Host {
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let name = uri.host()?;
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        (!name.is_empty()).then(|| Self(name.into(), uri.port_u16().unwrap_or(80)))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    pub(super) fn port(&self) -> u16 {
        self.1
    }
}

/// Which connections serve a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::client) struct Place {
    pub(super) host: Host,
    /// The runtime that watches the sockets; none where threads sleep on them.
    pub(super) runtime: Option<runtime::Id>,
}

/// In a box: each request takes one and brings it back.
type Idler = Box<Connection>;

/// The connections of one place that nobody uses.
#[derive(Default)]
struct Lane {
    connections: Vec<Idler>,
    /// Those who would rather have one that is handed back than the one that they are opening.
    waiting: VecDeque<oneshot::Sender<Idler>>,
}

#[derive(Default)]
struct Shelf {
    lanes: Mutex<HashMap<Place, Lane>>,
}

impl Shelf {
    fn lanes(&self) -> MutexGuard<'_, HashMap<Place, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The idle connections of one pool, for all threads of the process.
#[derive(Clone)]
pub(super) struct Idle {
    shelf: Arc<Own<Shelf>>,
    kept: Duration,
    most: usize,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle").finish_non_exhaustive()
    }
}

impl Idle {
    pub(super) fn new(kept: Option<Duration>, most: Option<usize>) -> Self {
        Self { shelf: Arc::default(), kept: kept.unwrap_or(KEPT), most: most.unwrap_or(usize::MAX) }
    }

    /// The connection that was used last and is still open.
    pub(super) fn take(&self, place: &Place) -> Option<Idler> {
        let shelf = self.shelf.get();
        loop {
            let mut connection = shelf.lanes().get_mut(place)?.connections.pop()?;
            let idle = connection.idle_since.elapsed();
            if idle < STALE || (idle < self.kept && connection.is_open()) {
                return Some(connection);
            }
        }
    }

    /// The next connection that is handed back.
    pub(super) fn next(&self, place: &Place) -> Next {
        let (sender, receiver) = oneshot::channel();
        self.with_lane(place, |lane| lane.waiting.push_back(sender));
        Next { receiver, idle: self.clone(), place: place.clone() }
    }

    pub(super) fn put(&self, place: &Place, mut connection: Idler) {
        connection.idle_since = Instant::now();
        // What is closed is closed when nobody waits for the lock.
        let ended = self.with_lane(place, |lane| {
            while let Some(waiting) = lane.waiting.pop_front() {
                match waiting.send(connection) {
                    Ok(()) => return Vec::new(),
                    Err(back) => connection = back,
                }
            }
            // The first has been idle for the longest time.
            let all = &mut lane.connections;
            let surplus = (all.len() + 1).saturating_sub(self.most);
            let old = all.iter().take_while(|c| c.idle_since.elapsed() > self.kept).count();
            let mut ended: Vec<_> = all.drain(..surplus.max(old).min(all.len())).collect();
            match self.most {
                0 => ended.push(connection),
                _ => all.push(connection),
            }
            ended
        });
        drop(ended);
    }

    fn with_lane<T>(&self, place: &Place, change: impl FnOnce(&mut Lane) -> T) -> T {
        let shelf = self.shelf.get();
        let mut lanes = shelf.lanes();
        if let Some(lane) = lanes.get_mut(place) {
            return change(lane);
        }
        let mut lane = Lane::default();
        let changed = change(&mut lane);
        // The time for a look at the others, whose runtimes may be gone.
        let mut old = Vec::new();
        lanes.retain(|_, lane| {
            lane.waiting.retain(|waiting| !waiting.is_closed());
            let last = lane.connections.last();
            let kept = !lane.waiting.is_empty()
                || last.is_some_and(|last| last.idle_since.elapsed() <= self.kept);
            if !kept {
                old.append(&mut lane.connections);
            }
            kept
        });
        lanes.insert(place.clone(), lane);
        drop(lanes);
        drop(old);
        changed
    }
}

/// See [`Idle::next`]. A connection that comes too late goes to the next one who wants it.
pub(super) struct Next {
    receiver: oneshot::Receiver<Idler>,
    idle: Idle,
    place: Place,
}

impl Future for Next {
    type Output = Idler;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Idler> {
        match Pin::new(&mut self.receiver).poll(cx) {
            Poll::Ready(Ok(connection)) => Poll::Ready(connection),
            // Nobody hands one to this place any more.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(connection) = self.receiver.try_recv() {
            self.idle.put(&self.place, connection);
        }
    }
}
