//! Objects into memory.

use std::ops::Range;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetResult, ObjectMeta};

use super::Transfer;
use super::fetch::{Fetch, Grid};
use super::inspect::Inspected;
use super::object::{Body, Object, Opened};
use super::place::{Memory, Place};
use super::region::Region;
use super::restart::Restarts;
use crate::checksum::Checksum;
use crate::client::{Integrity, is_one_piece};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

impl Transfer {
    /// Reads an object, its parts side by side, checked against what the service states of it.
    ///
    /// # Errors
    /// [`ErrorKind::Precondition`] when the object keeps changing, [`ErrorKind::Corrupt`] when what arrives is not what the
    /// service states.
    pub async fn read(&self, store: &Store, path: &Path) -> Result<Bytes> {
        let object = Object::new(store, path);
        let mut restarts = Restarts::new(self);
        loop {
            match self.read_version(&object).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => restarts.again(self, &object, error).await?,
            }
        }
    }

    async fn read_version(&self, object: &Object) -> Result<Bytes> {
        let request = self.budget.request(&object.store).await;
        let opened = self.open(object, None, self.options.part()).await?;
        let expected = object.checksum(&opened.integrity, &opened.meta, &self.options).await?;
        if opened.meta.size <= self.options.part() {
            let mut pieces = self.collect(object, opened, expected, Inspected::default()).await?;
            return Ok(match pieces.len() {
                1 => pieces.remove(0),
                _ => pieces.concat().into(),
            });
        }
        // Each part takes its own.
        drop(request);
        let length = in_memory(opened.meta.size)?;
        let mut region = Region::new(length);
        self.fill_memory(object, opened, expected, region.as_mut_slice()).await?;
        Ok(region.into())
    }

    /// Reads an object into `buffer`, which must have its length; returns that length.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the buffer is too small, and those of [`read`](Self::read). What the buffer holds
    /// after an error is undefined.
    pub async fn read_into(&self, store: &Store, path: &Path, buffer: &mut [u8]) -> Result<usize> {
        let object = Object::new(store, path);
        let mut restarts = Restarts::new(self);
        loop {
            match self.read_version_into(&object, buffer).await {
                Ok(length) => return Ok(length),
                Err(error) => restarts.again(self, &object, error).await?,
            }
        }
    }

    async fn read_version_into(&self, object: &Object, buffer: &mut [u8]) -> Result<usize> {
        let request = self.budget.request(&object.store).await;
        let opened = self.open(object, None, self.options.part()).await?;
        let expected = object.checksum(&opened.integrity, &opened.meta, &self.options).await?;
        drop(request);
        let length = in_memory(opened.meta.size)?;
        if length > buffer.len() {
            let detail =
                format!("it has {length} bytes, and the buffer has room for {}", buffer.len());
            return Err(Error::new(ErrorKind::InvalidArgument, "read", object.url(), detail));
        }
        self.fill_memory(object, opened, expected, &mut buffer[..length]).await?;
        Ok(length)
    }

    /// Reads an object from the byte `start` on into `buffer`, as far as both go, parts side by side; returns how many bytes
    /// that is.
    ///
    /// # Errors
    /// Those of [`read`](Self::read). What the buffer holds after an error is undefined.
    pub async fn read_into_from(
        &self,
        store: &Store,
        path: &Path,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let object = Object::new(store, path);
        let mut restarts = Restarts::new(self);
        loop {
            match self.read_version_from(&object, start, buffer).await {
                Ok(length) => return Ok(length),
                Err(error) => restarts.again(self, &object, error).await?,
            }
        }
    }

    async fn read_version_from(
        &self,
        object: &Object,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let request = self.budget.request(&object.store).await;
        // The first byte comes with the length of the whole, which not every server states otherwise.
        let Opened { meta, body, has_ranges, .. } = self.open(object, None, 1).await?;
        let end = meta.size.min(start.saturating_add(buffer.len() as u64));
        if start >= end {
            return Ok(0);
        }
        let buffer = &mut buffer[..(end - start) as usize];
        if has_ranges {
            drop((request, body));
            self.fetch_into(object, &meta, start..end, None, None, buffer).await?;
        } else {
            self.take_out(object, body, start, buffer).await?;
        }
        Ok(buffer.len())
    }

    /// Reads on to the byte `start`, and from there on into `buffer`.
    async fn take_out(
        &self,
        object: &Object,
        mut body: Body,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<()> {
        let (mut skip, mut at) = (start, 0);
        while at < buffer.len() {
            let Some(mut piece) = self.piece(object, &mut body).await? else { break };
            drop(piece.split_to(skip.min(piece.len() as u64) as usize));
            skip = start.saturating_sub(body.range.start);
            piece.truncate(buffer.len() - at);
            buffer[at..at + piece.len()].copy_from_slice(&piece);
            at += piece.len();
            object.moved.fetch_add(piece.len() as u64, Ordering::Relaxed);
            self.events.moved(piece.len() as u64);
        }
        Ok(())
    }

    /// Goes on with a body that has begun: reads `range` of the object `pin` into memory, the beginning from `stream`
    /// and the rest by further requests, side by side. `expected` is what the range amounts to, where that is known.
    pub async fn finish_read(
        &self,
        store: &Store,
        pin: &ObjectMeta,
        range: Range<u64>,
        stream: BoxStream<'static, object_store::Result<Bytes>>,
        expected: Option<Checksum>,
    ) -> Result<Bytes> {
        let mut region = Region::new(in_memory(range.end - range.start)?);
        let buffer = region.as_mut_slice();
        self.finish_read_into(store, pin, range, stream, expected, buffer).await?;
        Ok(region.into())
    }

    /// The same into `buffer`, which has the length of the range.
    pub async fn finish_read_into(
        &self,
        store: &Store,
        pin: &ObjectMeta,
        range: Range<u64>,
        stream: BoxStream<'static, object_store::Result<Bytes>>,
        expected: Option<Checksum>,
        buffer: &mut [u8],
    ) -> Result<()> {
        let object = Object::new(store, &pin.location);
        check_room(&object, pin, &range, buffer)?;
        let body = Body::new(range.clone(), stream);
        self.fetch_into(&object, pin, range, Some(body), expected, buffer).await
    }

    async fn fill_memory(
        &self,
        object: &Object,
        opened: Opened,
        expected: Option<Checksum>,
        buffer: &mut [u8],
    ) -> Result<()> {
        let range = 0..opened.meta.size;
        if !opened.has_ranges {
            // One stream, from the first byte to the last.
            let whole =
                Self { options: self.options.clone().with_part_bytes(range.end), ..self.clone() };
            let body = Some(opened.body);
            return Box::pin(whole.fetch_into(object, &opened.meta, range, body, expected, buffer))
                .await;
        }
        self.fetch_into(object, &opened.meta, range, Some(opened.body), expected, buffer).await
    }

    async fn fetch_into(
        &self,
        object: &Object,
        pin: &ObjectMeta,
        range: Range<u64>,
        body: Option<Body>,
        expected: Option<Checksum>,
        buffer: &mut [u8],
    ) -> Result<()> {
        let grid = Grid::new(range.clone(), self.options.placed_part(range.end - range.start));
        let fetch = Fetch {
            transfer: self,
            object,
            pin,
            grid,
            place: Place::Memory(Memory::new(buffer)),
            expected,
            inspected: Inspected::default(),
            completed: None,
            done: Vec::new(),
        };
        fetch.run(body).await
    }
}

/// Whether more requests can be made for what a body carries, as [`Transfer::finish_read`] makes them: HTTP servers have
/// to say that they give ranges.
pub fn has_ranges(store: &Store, result: &GetResult) -> bool {
    let said = || result.extensions.get::<Integrity>().is_some_and(|said| said.has_ranges);
    !is_one_piece(result) && (store.provider().scheme() != "http" || said())
}

fn check_room(object: &Object, pin: &ObjectMeta, range: &Range<u64>, buffer: &[u8]) -> Result<()> {
    let length = range.end.checked_sub(range.start);
    if range.end <= pin.size && length == Some(buffer.len() as u64) {
        return Ok(());
    }
    let (size, room) = (pin.size, buffer.len());
    let detail = format!("bytes {range:?} of {size} do not fit a buffer of {room} bytes");
    Err(Error::new(ErrorKind::InvalidArgument, "read", object.url(), detail))
}

fn in_memory(bytes: u64) -> Result<usize> {
    usize::try_from(bytes).map_err(|_| {
        let detail = "the object is larger than the memory of this machine can be";
        Error::new(ErrorKind::InvalidArgument, "read", "", detail)
    })
}
