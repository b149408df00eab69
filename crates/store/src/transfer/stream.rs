//! Objects as streams: in order, a few parts ahead.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesOrdered};
use futures::{FutureExt, Stream, StreamExt};
use object_store::path::Path;
use object_store::{Attributes, ObjectMeta};

use super::Transfer;
use super::budget::Held;
use super::fetch::Grid;
use super::inspect::Inspected;
use super::object::{Accept, Body, Object, Opened};
use crate::checksum::{Checksum, Hasher};
use crate::error::Result;
use crate::store::Store;
use crate::whole::mismatch;

impl Transfer {
    /// Reads an object as a stream: its bytes in order, parts fetched side by side ahead of whoever reads.
    ///
    /// # Errors
    /// The stream ends with an error when the object breaks off for good, and after its last byte when the bytes are not what
    /// the service states: what was read before is of no use then. It ends with
    /// [`ErrorKind::Precondition`](crate::ErrorKind::Precondition) when the object changes: whoever has been told what it
    /// was, and has its first bytes, must begin anew himself.
    pub async fn stream(
        &self,
        store: &Store,
        path: &Path,
    ) -> Result<(ObjectMeta, BoxStream<'static, Result<Bytes>>)> {
        let opened = self.open_stream(store, path).await?;
        Ok((opened.meta, opened.content))
    }

    /// The same with all that the service says of the object.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn open_stream(&self, store: &Store, path: &Path) -> Result<ObjectStream> {
        let object = Object::new(store, path);
        let part = self.options.part();
        let request = self.budget.request(store).await;
        let opened = self.open(&object, None, part).await?;
        let expected = object.checksum(&opened.integrity, &opened.meta, &self.options).await?;
        drop(request);
        let (meta, attributes) = (opened.meta.clone(), opened.attributes.clone());
        self.events.planned(meta.size);
        let grid = Grid::new(0..meta.size, self.options.read_part(meta.size));
        let state = Reading {
            hasher: expected.as_ref().map(|sum| Hasher::new(sum.algorithm())),
            expected,
            // Without ranges there is one body, which is read from its first byte to its last.
            most: if opened.has_ranges { self.options.parts } else { 1 },
            ahead: FuturesOrdered::new(),
            next: 0,
            body: Some(opened.body),
            grid,
            ready: VecDeque::new(),
            held: None,
            ended: false,
            transfer: self.clone(),
            object,
            meta: meta.clone(),
        };
        Ok(ObjectStream { meta, attributes, content: stream::unfold(state, step).boxed() })
    }
}

/// An object that is read as a stream.
#[non_exhaustive]
pub struct ObjectStream {
    /// What it is.
    pub meta: ObjectMeta,
    /// Its attributes, as far as a read states them.
    pub attributes: Attributes,
    /// Its bytes in order.
    pub content: BoxStream<'static, Result<Bytes>>,
}

impl fmt::Debug for ObjectStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStream").field("meta", &self.meta).finish_non_exhaustive()
    }
}

async fn step(mut state: Reading) -> Option<(Result<Bytes>, Reading)> {
    if state.ended {
        return None;
    }
    let next = state.next().await;
    state.ended = !matches!(next, Ok(Some(_)));
    if state.ended {
        state.transfer.events.ended(next.is_ok());
    }
    Some((next.transpose()?, state))
}

impl Transfer {
    /// The bytes of a body that has begun and cannot be gone on with by another; an error after the last one, when they are not
    /// what the service states.
    pub(super) fn one_body<'a>(
        &'a self,
        object: &'a Object,
        opened: Opened,
        expected: Option<Checksum>,
        inspected: Inspected,
    ) -> impl Stream<Item = Result<Bytes>> + Send + 'a {
        let hasher = expected.as_ref().map(|sum| Hasher::new(sum.algorithm()));
        let state = (Some((opened.body, hasher, inspected)), expected);
        stream::try_unfold(state, move |(reading, expected)| async move {
            let Some((mut body, mut hasher, inspected)) = reading else { return Ok(None) };
            if let Some(piece) = self.piece(object, &mut body).await? {
                if let Some(hasher) = &mut hasher {
                    hasher.update(&piece);
                }
                inspected.update(&piece);
                return Ok(Some((piece, (Some((body, hasher, inspected)), expected))));
            }
            if let (Some(expected), Some(found)) = (&expected, hasher.map(Hasher::finish))
                && *expected != found
            {
                return Err(mismatch(object.url(), expected, &found));
            }
            inspected.finish()?;
            Ok(None)
        })
    }
}

struct Part {
    pieces: VecDeque<Bytes>,
    held: Held,
    /// What is left of a body that goes beyond the part.
    rest: Option<Body>,
}

struct Reading {
    transfer: Transfer,
    object: Object,
    meta: ObjectMeta,
    grid: Grid,
    expected: Option<Checksum>,
    hasher: Option<Hasher>,
    /// Parts on their way, at most this many.
    most: usize,
    ahead: FuturesOrdered<BoxFuture<'static, Result<Part>>>,
    /// The first part that has not been asked for.
    next: usize,
    /// A body that may begin with this part.
    body: Option<Body>,
    ready: VecDeque<Bytes>,
    /// Memory of the part that is being handed out.
    held: Option<Held>,
    ended: bool,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                if let Some(hasher) = &mut self.hasher {
                    hasher.update(&piece);
                }
                return Ok(Some(piece));
            }
            self.held.take();
            self.ask();
            let Some(part) = self.ahead.next().await else { return self.check().map(|()| None) };
            let part = part?;
            (self.ready, self.held) = (part.pieces, Some(part.held));
            self.body = part.rest.or(self.body.take());
        }
    }

    /// Asks for parts: from the first on, so that the memory for the next one is never behind that of later ones.
    fn ask(&mut self) {
        while self.next < self.grid.len() && self.ahead.len() < self.most {
            let range = self.grid.part(self.next);
            self.next += 1;
            let mut body = self.body.take().filter(|body| body.range.start == range.start);
            let (transfer, object) = (self.transfer.clone(), self.object.clone());
            let meta = self.meta.clone();
            let part = async move {
                let held = transfer.budget.memory(range.end - range.start).await?;
                let _request = transfer.budget.request(&object.store).await;
                let mut pieces = Pieces(VecDeque::new());
                transfer.read_range(&object, &meta, range, &mut body, &mut pieces).await?;
                Ok(Part { pieces: pieces.0, held, rest: body })
            };
            self.ahead.push_back(part.boxed());
        }
    }

    fn check(&mut self) -> Result<()> {
        match (&self.expected, self.hasher.take().map(Hasher::finish)) {
            (Some(expected), Some(found)) if *expected != found => {
                Err(mismatch(self.object.url(), expected, &found))
            }
            _ => Ok(()),
        }
    }
}

struct Pieces(VecDeque<Bytes>);

impl Accept for Pieces {
    async fn accept(&mut self, piece: Bytes) -> Result<()> {
        self.0.push_back(piece);
        Ok(())
    }
}
