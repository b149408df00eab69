//! Objects into files.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use object_store::path::Path;

use super::fetch::{Fetch, Grid};
use super::inspect::Inspected;
use super::journal::DownloadHead;
use super::object::{Accept, Object, Opened};
use super::partial::{Partial, Publication};
use super::place::{Place, blocking, blocking_to_its_end, no_runtime};
use super::restart::Restarts;
use super::{Report, Transfer};
use crate::checksum::{Checksum, Hasher};
use crate::error::{Error, ErrorKind, Result};
use crate::local::{Lane, common};
use crate::store::Store;
use crate::whole::mismatch;

/// Memory for an object of unknown length: enough for those that are a round trip each, and for hundreds of them at once.
const ROOM_BYTES: u64 = 1024 * 1024;

impl Transfer {
    /// Downloads an object to a file, making its directory where needed.
    ///
    /// The file appears under its name when it is whole and checked, not before; until then its bytes are in a hidden
    /// neighbour.
    ///
    /// # Errors
    /// [`ErrorKind::Precondition`] when the object keeps changing, [`ErrorKind::Corrupt`] when what arrives is not what
    /// the service states, [`ErrorKind::AlreadyExists`] with `CopyMode::Create`.
    pub async fn download(
        &self,
        source: &Store,
        from: &Path,
        to: impl AsRef<FilePath>,
    ) -> Result<Report> {
        let publication = Publication {
            mode: self.options.mode,
            fsync: self.options.fsync,
            ..Publication::default()
        };
        let object = Object::new(source, from);
        self.tracked(None, self.to_file(&object, None, to.as_ref(), &publication, None)).await
    }

    /// The same for a file that is a store's when there is a `lane`, and keeps attributes then; of an object whose length
    /// may be known.
    pub(super) async fn to_file(
        &self,
        object: &Object,
        size: Option<u64>,
        target: &FilePath,
        publication: &Publication,
        lane: Option<&Arc<Lane>>,
    ) -> Result<Report> {
        let mut restarts = Restarts::new(self);
        loop {
            let attempt = self.to_file_once(object, size, target, publication.clone(), lane);
            match attempt.await {
                Ok(report) => return Ok(report),
                Err(error) => restarts.again(self, object, error).await?,
            }
        }
    }

    async fn to_file_once(
        &self,
        object: &Object,
        size: Option<u64>,
        target: &FilePath,
        mut publication: Publication,
        lane: Option<&Arc<Lane>>,
    ) -> Result<Report> {
        let part = self.options.part();
        // What fits in here comes in one piece; what turns out to be larger needs less memory, since it streams to its place.
        let most = part.min(self.budget.most_at_once());
        let room = size.unwrap_or(ROOM_BYTES).min(most);
        let mut held =
            Some((self.budget.memory(room).await?, self.budget.request(&object.store).await));
        let first = size.map_or(part, |size| self.options.placed_part(size));
        let opened = self.open(object, size, first).await?;
        let meta = opened.meta.clone();
        // What a listing said may be old, and so may what an attempt before this one found.
        let before = object.size.swap(meta.size, Ordering::Relaxed);
        self.events.corrected(before, meta.size);
        if lane.is_some() && !publication.needs_attributes {
            publication.attributes = opened.attributes.clone();
        }
        let inspected = self.inspection.begin(&meta, &opened.attributes)?;
        let expected = object.checksum(&opened.integrity, &opened.meta, &self.options).await?;
        let report = Report::of(&meta, expected.clone());
        if meta.size <= room {
            let pieces = self.collect(object, opened, expected, inspected).await?;
            let target = target.to_owned();
            let lane = lane.cloned().unwrap_or_else(common);
            let own = lane.clone();
            let publish = move || {
                let partial = Partial::open(&target)?;
                own.look_at(&partial.file);
                partial.fill(&pieces)?;
                partial.publish(&publication)
            };
            let e_tag = lane.run(publish).await;
            let e_tag = e_tag.ok_or_else(no_runtime)??;
            return Ok(report.with_e_tag(Some(e_tag)));
        }
        held.take();
        let (partial, resumed) = self.fill(object, target, opened, expected, inspected).await?;
        let e_tag = blocking(move || partial.publish(&publication)).await??;
        Ok(report.with_e_tag(Some(e_tag)).with_resumed(resumed))
    }

    /// Fills the neighbour of a file, part by part.
    async fn fill(
        &self,
        object: &Object,
        target: &FilePath,
        opened: Opened,
        expected: Option<Checksum>,
        inspected: Inspected,
    ) -> Result<(Partial, u64)> {
        let meta = &opened.meta;
        let part = if opened.has_ranges { self.options.placed_part(meta.size) } else { meta.size };
        let grid = Grid::new(0..meta.size, part);
        let head = DownloadHead {
            source: object.url(),
            size: meta.size,
            e_tag: meta.e_tag.clone(),
            modified: meta.last_modified.to_rfc3339(),
            part_bytes: part,
        };
        let (resume, owned) = (self.options.resume && opened.has_ranges, target.to_owned());
        let parts = grid.clone();
        let checked = expected.is_some() || inspected.sees_content();
        let prepare = move || {
            let mut partial = Partial::open(&owned)?;
            let done = partial.prepare(&head, &parts, resume)?;
            Ok::<_, Error>((partial, done))
        };
        let (mut partial, done) = blocking_to_its_end(prepare).await??;
        let resumed = (0..grid.len()).filter(|i| done[*i]).map(|i| length(&grid, i)).sum();
        object.moved.fetch_add(resumed, Ordering::Relaxed);
        self.events.resumed(resumed);
        let record = |index: usize, crc: u32| partial.completed(index, crc);
        let fetch = Fetch {
            transfer: self,
            object,
            pin: meta,
            grid,
            place: Place::File(partial.file.clone(), target.into()),
            expected,
            inspected,
            completed: Some(&record),
            done,
        };
        match fetch.run(Some(opened.body)).await {
            Ok(()) => Ok((partial, resumed)),
            Err(error) => {
                // Parts of another version, or bytes that do not amount to the checksum, are of no use later.
                let useless = error.kind() == ErrorKind::Precondition
                    || (checked && error.kind() == ErrorKind::Corrupt);
                if useless {
                    partial.give_up();
                }
                Err(error)
            }
        }
    }

    /// Takes all bytes of an object that fits into one part.
    pub(super) async fn collect(
        &self,
        object: &Object,
        opened: Opened,
        expected: Option<Checksum>,
        inspected: Inspected,
    ) -> Result<Vec<Bytes>> {
        let mut pieces = Pieces {
            pieces: Vec::new(),
            hasher: expected.as_ref().map(|sum| Hasher::new(sum.algorithm())),
            inspected,
        };
        let range = 0..opened.meta.size;
        self.read_range(object, &opened.meta, range, &mut Some(opened.body), &mut pieces).await?;
        match (expected, pieces.hasher.map(Hasher::finish)) {
            (Some(expected), Some(found)) if expected != found => {
                Err(mismatch(object.url(), &expected, &found))
            }
            _ => pieces.inspected.finish().map(|()| pieces.pieces),
        }
    }
}

fn length(grid: &Grid, index: usize) -> u64 {
    let range = grid.part(index);
    range.end - range.start
}

/// The pieces of a small object.
struct Pieces {
    pieces: Vec<Bytes>,
    hasher: Option<Hasher>,
    inspected: Inspected,
}

impl Accept for Pieces {
    async fn accept(&mut self, piece: Bytes) -> Result<()> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&piece);
        }
        self.inspected.update(&piece);
        self.pieces.push(piece);
        Ok(())
    }
}
