//! Files and streams into objects.

use std::path::Path as FilePath;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use object_store::PutPayload;
use object_store::path::Path;

use super::budget::Held;
use super::inspect::Inspected;
use super::object::{Object, Opened};
use super::options::LEAST_PART_BYTES;
use super::place::no_runtime;
use super::send::{Sent, Target};
use super::source::{LocalFile, Source};
use super::{Report, Transfer};
use crate::checksum::Checksum;
use crate::error::{ErrorKind, Result};
use crate::local::common;
use crate::store::Store;

impl Transfer {
    /// Uploads a file: with one request when it fits into a part, else in parts, several at once.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such file, [`ErrorKind::Precondition`] when it changes meanwhile,
    /// [`ErrorKind::AlreadyExists`] with `CopyMode::Create`.
    pub async fn upload(
        &self,
        file: impl AsRef<FilePath>,
        target: &Store,
        to: &Path,
    ) -> Result<Report> {
        let path = file.as_ref().to_owned();
        let run = async {
            let file =
                common().run(move || LocalFile::open(&path)).await.ok_or_else(no_runtime)??;
            self.events.grown(file.size());
            self.send(Source::File(file), target, to).await
        };
        self.tracked(None, run).await
    }

    /// Writes an object from memory, as [`upload`](Self::upload) does from a file.
    pub async fn write(&self, data: Bytes, target: &Store, to: &Path) -> Result<Report> {
        let size = data.len() as u64;
        self.tracked(Some(size), self.send(Source::Bytes(data), target, to)).await
    }

    async fn send(&self, source: Source, target: &Store, to: &Path) -> Result<Report> {
        let size = source.size();
        let attributes = self.options.attributes.clone().unwrap_or_default();
        let moved = Default::default();
        let target = Target { transfer: self, store: target, path: to, attributes, moved };
        let one = size <= self.options.part() && !self.options.always_parts;
        let sent = if one || size == 0 {
            let _memory = self.budget.memory(size).await?;
            let payload = source.part(self, 0..size).await?;
            source.check_unchanged()?;
            // Of many files that wait for their turn, few are open.
            drop(source);
            target.put(payload).await?
        } else {
            let nobody = || Ok(Inspected::default());
            self.parts_or_again(&target, &source, None, Inspected::default(), nobody).await?
        };
        Ok(Report { bytes: size, ..Report::default() }.with_sent(sent))
    }

    /// Writes parts; anew when the service does not know the upload that was to be continued.
    pub(super) async fn parts_or_again(
        &self,
        target: &Target<'_>,
        source: &Source,
        expected: Option<Checksum>,
        inspected: Inspected,
        again: impl Fn() -> Result<Inspected>,
    ) -> Result<Sent> {
        match target.put_parts(source, expected.clone(), inspected).await {
            Err(error) if self.options.resume && error.kind() == ErrorKind::NotFound => {
                target.put_parts(source, expected, again()?).await
            }
            done => done,
        }
    }

    /// Writes an object from a stream of bytes whose length nobody knows, in bounded memory.
    ///
    /// Such an upload is not resumed: what a killed one has left is removed by the next upload to the same object.
    ///
    /// # Errors
    /// The first error of the stream, after which nothing is published.
    pub async fn upload_stream(
        &self,
        stream: BoxStream<'_, Result<Bytes>>,
        target: &Store,
        to: &Path,
    ) -> Result<Report> {
        self.tracked(None, self.send_stream(stream, target, to)).await
    }

    async fn send_stream(
        &self,
        stream: BoxStream<'_, Result<Bytes>>,
        target: &Store,
        to: &Path,
    ) -> Result<Report> {
        let attributes = self.options.attributes.clone().unwrap_or_default();
        let moved = Default::default();
        let target = Target { transfer: self, store: target, path: to, attributes, moved };
        let mut pieces = Pieces { stream, carried: Bytes::new(), ended: false, taken: 0 };
        let (first, held) = self.part(&mut pieces, 0).await?;
        let bytes = first.content_length() as u64;
        if pieces.ended && (bytes == 0 || !self.options.always_parts) {
            self.events.grown(bytes);
            let sent = target.put(first).await?;
            return Ok(Report { bytes, ..Report::default() }.with_sent(sent));
        }
        if self.budget.most_at_once() < LEAST_PART_BYTES {
            // Refused now, and not by the service once it has all parts.
            drop(self.budget.memory(LEAST_PART_BYTES).await?);
        }
        let sent = target.put_stream(self.parts(&mut pieces, (first, held))).await?;
        Ok(Report { bytes: pieces.taken, ..Report::default() }.with_sent(sent))
    }

    /// The `index`th part of a stream, and the memory for it.
    async fn part(&self, pieces: &mut Pieces<'_>, index: u64) -> Result<(PutPayload, Held)> {
        let most = self.budget.most_at_once();
        let size = self.options.stream_part(index).min(most);
        // A stream that has nothing to give yet keeps no memory from others, for which it may be waiting.
        pieces.wait().await?;
        let held = self.budget.memory(size).await?;
        Ok((pieces.part(size).await?, held))
    }

    /// The parts of an object that comes with one body, from its first byte to its last.
    pub(super) fn parts_of_body<'a>(
        &'a self,
        object: &'a Object,
        opened: Opened,
        expected: Option<Checksum>,
        inspected: Inspected,
    ) -> impl Stream<Item = Result<(PutPayload, Held)>> + Send + 'a {
        let size = self.options.upload_part(opened.meta.size);
        let stream = self.one_body(object, opened, expected, inspected).boxed();
        let pieces = Pieces { stream, carried: Bytes::new(), ended: false, taken: 0 };
        stream::try_unfold(pieces, move |mut pieces| async move {
            pieces.wait().await?;
            if pieces.ended {
                return Ok(None);
            }
            let held = self.budget.memory(size).await?;
            let part = pieces.part(size).await?;
            Ok(Some(((part, held), pieces)))
        })
    }

    /// The parts of a stream, the first of which has been taken.
    fn parts<'a>(
        &'a self,
        pieces: &'a mut Pieces<'_>,
        first: (PutPayload, Held),
    ) -> impl Stream<Item = Result<(PutPayload, Held)>> + Send + 'a {
        self.events.grown(first.0.content_length() as u64);
        stream::try_unfold((pieces, Some(first), 0), move |(pieces, first, index)| async move {
            if let Some(first) = first {
                return Ok(Some((first, (pieces, None, index + 1))));
            }
            if pieces.ended {
                return Ok(None);
            }
            let (part, held) = self.part(pieces, index).await?;
            self.events.grown(part.content_length() as u64);
            let has_bytes = part.content_length() > 0;
            Ok(has_bytes.then_some(((part, held), (pieces, None, index + 1))))
        })
    }
}

/// Cuts a stream into parts.
struct Pieces<'a> {
    stream: BoxStream<'a, Result<Bytes>>,
    /// What belongs to the next part.
    carried: Bytes,
    ended: bool,
    taken: u64,
}

impl Pieces<'_> {
    /// Waits until there is something, or the end.
    async fn wait(&mut self) -> Result<()> {
        while self.carried.is_empty() && !self.ended {
            match self.stream.next().await {
                Some(piece) => self.carried = piece?,
                None => self.ended = true,
            }
        }
        Ok(())
    }

    /// The next `size` bytes; fewer when the stream ends.
    async fn part(&mut self, size: u64) -> Result<PutPayload> {
        let mut pieces = Vec::new();
        let mut missing = size as usize;
        while missing > 0 {
            self.wait().await?;
            if self.ended {
                break;
            }
            let piece = self.carried.split_to(missing.min(self.carried.len()));
            missing -= piece.len();
            self.taken += piece.len() as u64;
            pieces.push(piece);
        }
        Ok(pieces.into_iter().collect())
    }
}
