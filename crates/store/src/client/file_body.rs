//! Bodies that come from a temporary file, where a request or a reply is too long for memory.

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind};
use tokio::io::{AsyncRead, ReadBuf};

use super::progress::Movement;

/// Largest piece read at once, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// A file that ends with the last handle to it.
#[derive(Debug)]
pub(crate) struct TemporaryFile {
    path: PathBuf,
    file: std::fs::File,
}

impl TemporaryFile {
    /// A new file that only this user can read.
    pub(crate) fn create() -> io::Result<Self> {
        let name = format!("holdall-{}-{:016x}.tmp", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok(Self { path, file })
    }

    /// Adds to the end. Blocks.
    pub(crate) fn append(&self, data: &[u8]) -> io::Result<()> {
        (&self.file).write_all(data)
    }

    /// Writes at an offset, whatever lies before it. Blocks.
    pub(crate) fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::write_all_at(&self.file, data, offset);
        #[cfg(not(unix))]
        {
            use std::io::{Seek, SeekFrom};
            let mut file = std::fs::OpenOptions::new().write(true).open(&self.path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(data)
        }
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// An extension of a request whose body is the first `length` bytes of a file.
#[derive(Debug, Clone)]
pub(crate) struct UploadFile {
    pub(crate) file: Arc<TemporaryFile>,
    pub(crate) length: u64,
}

/// The content of a temporary file, from its beginning.
#[derive(Debug)]
pub(crate) struct FileBody {
    reader: tokio::fs::File,
    left: u64,
    movement: Option<Movement>,
    _file: Arc<TemporaryFile>,
}

impl FileBody {
    pub(crate) fn open(file: Arc<TemporaryFile>, length: u64) -> io::Result<Self> {
        let reader = tokio::fs::File::from_std(std::fs::File::open(&file.path)?);
        Ok(Self { reader, left: length, movement: None, _file: file })
    }

    pub(super) fn counted(mut self, movement: Movement) -> Self {
        self.movement = Some(movement);
        self
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(self.left).unwrap_or(PIECE_BYTES))];
        let mut buffer = ReadBuf::new(&mut piece);
        let read = match Pin::new(&mut self.reader).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof))
            }
            Poll::Ready(read) => read,
        };
        if let Err(error) = read {
            return Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Unknown, error))));
        }
        let length = buffer.filled().len();
        piece.truncate(length);
        self.left -= length as u64;
        if let Some(movement) = &self.movement {
            movement.mark();
        }
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
