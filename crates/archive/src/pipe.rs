//! Archives to and from asynchronous code.
//!
//! Reading and writing archives blocks, so it runs on a thread for blocking work (`tokio::task::spawn_blocking`).
//! [`channel`] carries bytes from there to a [`Stream`]; [`StreamReader`] carries a stream of bytes there;
//! [`pieces`] does both: a stream of bytes in, members and their contents out. At most [`DEPTH`] chunks of
//! [`CHUNK`] bytes wait in a channel, so a slow consumer holds the producer back.

use std::{
    io::{self, BufRead, Read, Write},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use tokio::{runtime::Handle, sync::mpsc, task::spawn_blocking};

use crate::{Error, Format, Member, Reader, Result, Source, input};

/// Bytes in a chunk.
pub const CHUNK: usize = 64 << 10;
/// Chunks that wait in a channel.
pub const DEPTH: usize = 4;
/// How long a [`ChunkWriter`] waits for its reader to take anything.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The writing end of a [`channel`]. Writing blocks the thread while the channel is full, so never use it on one that runs
/// asynchronous code; it fails with [`io::ErrorKind::BrokenPipe`] when the reading end is gone, and with
/// [`io::ErrorKind::TimedOut`] when it takes nothing for [`PATIENCE`].
///
/// Unless [`Self::finish`] was called, dropping it ends the stream with an error: what is cut short never looks whole.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk: BytesMut,
    sender: Option<mpsc::Sender<io::Result<Bytes>>>,
    runtime: Handle,
}

/// The reading end of a [`channel`].
#[derive(Debug)]
pub struct ChunkStream(mpsc::Receiver<io::Result<Bytes>>);

/// A bounded channel from blocking to asynchronous code.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn channel() -> (ChunkWriter, ChunkStream) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let runtime = Handle::current();
    (ChunkWriter { chunk: BytesMut::new(), sender: Some(sender), runtime }, ChunkStream(receiver))
}

impl ChunkWriter {
    /// Sends what is left and ends the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when nobody reads.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.sender = None;
        Ok(())
    }

    /// Ends the stream with `error`.
    pub fn fail(mut self, error: io::Error) {
        if let Some(sender) = self.sender.take() {
            // Nobody there to be told.
            let _ = self.runtime.block_on(sender.send_timeout(Err(error), PATIENCE));
        }
    }
}

/// Copies everything in large steps; how much it was. `expected` bytes are, and make the buffer no larger than they need.
///
/// # Errors
/// Those of reading and writing.
pub fn copy(from: &mut dyn Read, to: &mut dyn Write, expected: u64) -> io::Result<u64> {
    input::copy(from, to, expected, &mut Vec::new())
}

fn nobody_reads() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the reader went away")
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.capacity() == 0 {
            self.chunk.reserve(CHUNK);
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.chunk).freeze();
        let sender = self.sender.as_ref().ok_or_else(nobody_reads)?;
        match sender.try_send(Ok(chunk)) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(nobody_reads()),
            Err(mpsc::error::TrySendError::Full(chunk)) => {
                let sending = sender.send_timeout(chunk, PATIENCE);
                self.runtime.block_on(sending).map_err(|error| match error {
                    mpsc::error::SendTimeoutError::Closed(_) => nobody_reads(),
                    mpsc::error::SendTimeoutError::Timeout(_) => {
                        io::Error::new(io::ErrorKind::TimedOut, "the reader takes nothing")
                    }
                })
            }
        }
    }
}

impl Drop for ChunkWriter {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the writer ended early");
            // Not `blocking_send`: this may be dropped anywhere. Where the channel is full, a task of its own waits.
            if let Err(mpsc::error::TrySendError::Full(message)) = sender.try_send(Err(error)) {
                self.runtime.spawn(async move { sender.send(message).await });
            }
        }
    }
}

impl Stream for ChunkStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// A stream of bytes as a blocking reader. Not for threads that run asynchronous code: reading there panics.
pub struct StreamReader<S> {
    stream: Pin<Box<S>>,
    runtime: Handle,
    chunk: Bytes,
}

impl<S: Stream<Item = io::Result<Bytes>>> StreamReader<S> {
    /// Reads `stream`, which is polled on the runtime of the caller.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn new(stream: S) -> Self {
        Self { stream: Box::pin(stream), runtime: Handle::current(), chunk: Bytes::new() }
    }
}

impl<S: Stream<Item = io::Result<Bytes>>> Read for StreamReader<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(buffer)?;
        self.consume(taken);
        Ok(taken)
    }
}

impl<S: Stream<Item = io::Result<Bytes>>> BufRead for StreamReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(chunk) => self.chunk = chunk?,
                None => break,
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, count: usize) {
        self.chunk.advance(count);
    }
}

/// A part of an archive that passes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A regular file begins. [`Member::size`] bytes follow in [`Piece::Content`]s.
    Member(Member),
    /// The next bytes of its content, never empty.
    Content(Bytes),
}

/// Takes an archive apart while it arrives. Dropping the stream stops the work.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn pieces<S>(
    stream: S,
    format: Format,
) -> impl Stream<Item = Result<Piece>> + Send + Unpin + use<S>
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(DEPTH);
    let source = StreamReader::new(stream);
    spawn_blocking(move || {
        if let Err(error) = take_apart(source, format, &sender) {
            // Nobody there to be told.
            let _ = sender.blocking_send(Err(error));
        }
    });
    futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
    .boxed()
}

fn take_apart(
    source: impl BufRead + Send + 'static,
    format: Format,
    sender: &mpsc::Sender<Result<Piece>>,
) -> Result<()> {
    let mut reader = Reader::stream(source, format)?;
    while let Some(member) = reader.next_file()? {
        let mut left = usize::try_from(member.size).unwrap_or(CHUNK);
        if sender.blocking_send(Ok(Piece::Member(member))).is_err() {
            return Ok(());
        }
        loop {
            let mut chunk = Vec::with_capacity(left.min(CHUNK));
            reader
                .by_ref()
                .take(CHUNK as u64)
                .read_to_end(&mut chunk)
                .map_err(|error| reader.explain(error))?;
            if chunk.is_empty() {
                break;
            }
            left = left.saturating_sub(chunk.len());
            if sender.blocking_send(Ok(Piece::Content(chunk.into()))).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Finds the regular file called `name`: what the archive says about it, and its content. `None` when there is none.
///
/// # Errors
/// As [`Reader::open`] and [`Reader::find`]. The stream fails where the content does.
pub async fn member(
    source: Arc<dyn Source>,
    format: Format,
    name: String,
) -> Result<Option<(Member, ChunkStream)>> {
    let (found, answer) = tokio::sync::oneshot::channel();
    spawn_blocking(move || {
        let search = || -> Result<_> {
            let mut reader = Reader::open(source, format)?;
            Ok(reader.find(&name)?.map(|member| (member, reader)))
        };
        match search() {
            Err(error) => drop(found.send(Err(error))),
            Ok(None) => drop(found.send(Ok(None))),
            Ok(Some((member, mut reader))) => {
                let size = member.size;
                let (mut writer, stream) = channel();
                if found.send(Ok(Some((member, stream)))).is_err() {
                    return;
                }
                match copy(&mut reader, &mut writer, size) {
                    // A reader that went away was not interested.
                    Ok(_) => drop(writer.finish()),
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                    Err(error) => writer.fail(reader.explain(error).into()),
                }
            }
        }
    });
    answer.await.unwrap_or_else(|_| {
        Err(Error::io(format, io::Error::other("the reading thread ended abnormally")))
    })
}
