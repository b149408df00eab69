//! One object into one place: parts side by side, each checked, all of one version.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, future};
use object_store::ObjectMeta;
use tokio::sync::Notify;

use super::Transfer;
use super::inspect::{Inspected, Inspector};
use super::object::{Accept, Body, Object};
use super::place::{Place, Writer};
use crate::checksum::{self, Algorithm, Checksum, Hasher, PartCrc};
use crate::error::Result;
use crate::whole::mismatch;

/// Memory that a part needs while it streams: what is collected, and what is being written.
const WINDOW_BYTES: u64 = 2 * 1024 * 1024;

/// Bytes that the hash of the whole takes at a time.
const FOLLOW_BYTES: u64 = 8 * 1024 * 1024;

/// The borders of the parts of some range of an object.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) range: Range<u64>,
    pub(super) part: u64,
}

impl Grid {
    pub(super) fn new(range: Range<u64>, part: u64) -> Self {
        Self { range, part: part.max(1) }
    }

    pub(super) fn len(&self) -> usize {
        (self.range.end - self.range.start).div_ceil(self.part) as usize
    }

    pub(super) fn part(&self, index: usize) -> Range<u64> {
        let start = self.range.start + index as u64 * self.part;
        start..self.range.end.min(start + self.part)
    }
}

/// What is told of a part that is in its place: its index and its CRC-32C.
pub(super) type Completed<'a> = &'a (dyn Fn(usize, u32) -> Result<()> + Send + Sync);

/// An object on its way to its place.
pub(super) struct Fetch<'a> {
    pub(super) transfer: &'a Transfer,
    pub(super) object: &'a Object,
    /// The version to be read.
    pub(super) pin: &'a ObjectMeta,
    pub(super) grid: Grid,
    pub(super) place: Place<'a>,
    /// What the bytes of the grid must amount to.
    pub(super) expected: Option<Checksum>,
    /// Who sees the bytes of the grid.
    pub(super) inspected: Inspected,
    /// Called for each part that is in its place.
    pub(super) completed: Option<Completed<'a>>,
    /// Parts that were in their place before.
    pub(super) done: Vec<bool>,
}

/// What is known of the parts so far.
struct Tally {
    /// Combinable checksums of the parts that are in their place; zero where none is needed.
    parts: Mutex<Vec<Option<u64>>>,
    changed: Notify,
}

impl Tally {
    fn set(&self, index: usize, value: u64) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(value);
        self.changed.notify_one();
    }

    /// How many parts from the first on are in their place.
    fn frontier(&self, from: usize) -> usize {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        from + parts[from..].iter().take_while(|part| part.is_some()).count()
    }
}

impl Fetch<'_> {
    /// Reads all parts that are missing; `first` is the beginning of the first one, already on its way.
    ///
    /// # Errors
    /// The first error of any part; [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) when the whole does not amount to its checksum.
    pub(super) async fn run(self, first: Option<Body>) -> Result<()> {
        let missing: VecDeque<_> = (0..self.grid.len()).filter(|i| !self.is_done(*i)).collect();
        let workers = self.transfer.options.parts.min(missing.len()).max(1);
        let queue = Mutex::new(missing);
        let tally =
            Tally { parts: Mutex::new(vec![None; self.grid.len()]), changed: Notify::new() };
        // A body that reaches beyond its part goes on from the front for as long as it can, the others come towards it.
        let long = first.as_ref().is_some_and(|body| body.range.end > self.grid.part(0).end);
        let mut first = first;
        let mut running: FuturesUnordered<_> = (0..workers)
            .map(|worker| self.work(&queue, &tally, long && worker > 0, first.take()))
            .collect();
        let work = async {
            while let Some(ended) = running.next().await {
                ended?;
            }
            Ok(())
        };
        let whole = self.whole(&tally);
        let ((), whole) = future::try_join(work, whole).await?;
        match (&self.expected, whole) {
            (Some(expected), Some(found)) if *expected != found => {
                Err(mismatch(self.object.url(), expected, &found))
            }
            _ => Ok(()),
        }
    }

    fn is_done(&self, index: usize) -> bool {
        self.done.get(index).copied().unwrap_or(false)
    }

    async fn work(
        &self,
        queue: &Mutex<VecDeque<usize>>,
        tally: &Tally,
        from_the_back: bool,
        mut body: Option<Body>,
    ) -> Result<()> {
        loop {
            let next = {
                let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                if from_the_back { queue.pop_back() } else { queue.pop_front() }
            };
            let Some(index) = next else { return Ok(()) };
            body = body.filter(|body| body.range.start == self.grid.part(index).start);
            let value = self.part(index, &mut body).await?;
            tally.set(index, value);
        }
    }

    /// Reads one part and gives its combinable checksum.
    async fn part(&self, index: usize, body: &mut Option<Body>) -> Result<u64> {
        let range = self.grid.part(index);
        let length = range.end - range.start;
        let _memory = self.transfer.budget.memory(length.min(WINDOW_BYTES)).await?;
        let _request = self.transfer.budget.request(&self.object.store).await;
        let at = range.start - self.grid.range.start;
        let mut part = Part {
            writer: Writer::new(self.place.clone(), at),
            whole: self.algorithm().and_then(PartCrc::new),
            own: self.completed.and_then(|_| PartCrc::new(Algorithm::Crc32c)),
        };
        self.transfer.read_range(self.object, self.pin, range, body, &mut part).await?;
        part.writer.finish().await?;
        if let (Some(completed), Some(crc)) = (self.completed, &part.own) {
            completed(index, crc.value() as u32)?;
        }
        Ok(part.whole.map_or(0, |crc| crc.value()))
    }

    fn algorithm(&self) -> Option<Algorithm> {
        self.expected.as_ref().map(Checksum::algorithm)
    }

    /// The checksum of the whole, computed while parts arrive: combined from theirs, or from the bytes in order.
    async fn whole(&self, tally: &Tally) -> Result<Option<Checksum>> {
        let algorithm = self.algorithm();
        let inspector = self.inspected.take();
        if algorithm.is_none() && inspector.is_none() {
            return Ok(None);
        }
        for index in (0..self.grid.len()).filter(|i| self.is_done(*i)) {
            let value = match algorithm.and_then(PartCrc::new) {
                Some(crc) => {
                    self.replay(self.grid.part(index), crc, PartCrc::update).await?.value()
                }
                None => 0,
            };
            tally.set(index, value);
        }
        let mut follower = Follower {
            hasher: algorithm.filter(|algorithm| !algorithm.is_combinable()).map(Hasher::new),
            inspector,
        };
        let mut taken = 0;
        while taken < self.grid.len() {
            let to = tally.frontier(taken);
            let bytes = (to - taken) as u64 * self.grid.part;
            if to == taken || (to < self.grid.len() && bytes < FOLLOW_BYTES) {
                tally.changed.notified().await;
                continue;
            }
            let range = self.grid.part(taken).start..self.grid.part(to - 1).end;
            if follower.sees_content() {
                follower = self.replay(range, follower, Follower::update).await?;
            }
            taken = to;
        }
        follower.inspector.map_or(Ok(()), Inspector::finish)?;
        let Some(algorithm) = algorithm else { return Ok(None) };
        let parts = tally.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let values = parts.iter().enumerate().map(|(i, value)| {
            let range = self.grid.part(i);
            (value.unwrap_or_default(), range.end - range.start)
        });
        let combined = checksum::combine(algorithm, values);
        Ok(combined.or_else(|| follower.hasher.map(Hasher::finish)))
    }

    async fn replay<T: Send + 'static>(
        &self,
        range: Range<u64>,
        state: T,
        take: fn(&mut T, &[u8]),
    ) -> Result<T> {
        let base = self.grid.range.start;
        self.place.replay(range.start - base..range.end - base, state, take).await
    }
}

/// Those who take the bytes in order, behind the parts.
struct Follower {
    hasher: Option<Hasher>,
    inspector: Option<Box<dyn Inspector>>,
}

impl Follower {
    fn sees_content(&self) -> bool {
        self.hasher.is_some()
            || self.inspector.as_ref().is_some_and(|inspector| inspector.sees_content())
    }

    fn update(&mut self, data: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(data);
        }
        if let Some(inspector) =
            self.inspector.as_mut().filter(|inspector| inspector.sees_content())
        {
            inspector.update(data);
        }
    }
}

struct Part<'a> {
    writer: Writer<'a>,
    whole: Option<PartCrc>,
    own: Option<PartCrc>,
}

impl Accept for Part<'_> {
    async fn accept(&mut self, piece: Bytes) -> Result<()> {
        for crc in [&mut self.whole, &mut self.own].into_iter().flatten() {
            crc.update(&piece);
        }
        self.writer.write(piece).await
    }
}
