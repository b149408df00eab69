//! Bodies that come from a file: one of the user's, or a temporary one where a request or a reply is too long for memory.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind};
use tokio::task::JoinHandle;

use super::progress::Movement;
use crate::local;

/// Largest piece read at once, in bytes.
const PIECE_BYTES: u64 = 1024 * 1024;

/// A file without a name, which ends with the last handle to it.
#[derive(Debug)]
pub(crate) struct TemporaryFile(Arc<File>);

impl TemporaryFile {
    /// A new file that only this user can read.
    pub(crate) fn create() -> io::Result<Self> {
        let name = format!("holdall-{}-{:016x}.tmp", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self(Arc::new(file)))
    }

    /// The file itself.
    pub(crate) fn file(&self) -> Arc<File> {
        self.0.clone()
    }

    /// Adds to the end. Blocks.
    pub(crate) fn append(&self, data: &[u8]) -> io::Result<()> {
        (&*self.0).write_all(data)
    }

    /// Writes at an offset, whatever lies before it. Blocks.
    pub(crate) fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// An extension of a request whose body is the first `length` bytes of a file.
#[derive(Debug, Clone)]
pub(crate) struct UploadFile {
    pub(crate) file: Arc<File>,
    pub(crate) length: u64,
}

/// The content of a file, from its beginning. The next piece is read while one is on its way.
#[derive(Debug)]
pub(crate) struct FileBody {
    file: Arc<File>,
    /// Bytes that have been handed on.
    sent: u64,
    length: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    movement: Option<Movement>,
}

impl FileBody {
    pub(crate) fn new(file: Arc<File>, length: u64) -> Self {
        Self { file, sent: 0, length, reading: None, movement: None }
    }

    pub(super) fn counted(mut self, movement: Movement) -> Self {
        self.movement = Some(movement);
        self
    }

    fn read(&self, at: u64) -> Option<JoinHandle<io::Result<Bytes>>> {
        let end = self.length.min(at + PIECE_BYTES);
        let file = self.file.clone();
        (at < end).then(|| tokio::task::spawn_blocking(move || local::read_exact(&file, at..end)))
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.reading.is_none() {
            self.reading = self.read(self.sent);
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other).flatten();
        let piece = match read {
            Ok(piece) => piece,
            Err(error) => {
                return Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Unknown, error))));
            }
        };
        self.sent += piece.len() as u64;
        self.reading = self.read(self.sent);
        if let Some(movement) = &self.movement {
            movement.mark();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.length
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length - self.sent)
    }
}
