//! The bytes of a tar, wherever they come from.

use std::{
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;

use crate::{Cursor, Error, Format};

/// How much is read ahead, and copied at once.
pub(crate) const BUFFER: usize = 64 << 10;

/// How much is read ahead where members are skipped by seeking: a header, and an extension record. Contents are read
/// past this buffer.
pub(crate) const HEADERS: usize = 4 << 10;

/// Copies everything, [`BUFFER`] bytes at a time, or as many as are expected; how much it was. The buffer grows to what is
/// needed, and serves again.
pub(crate) fn copy(
    from: &mut dyn Read,
    to: &mut dyn io::Write,
    expected: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<u64> {
    // One more, so that the end is seen without another round.
    let wanted = usize::try_from(expected).map_or(BUFFER, |expected| expected.min(BUFFER - 1) + 1);
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    let mut copied = 0;
    loop {
        match from.read(buffer) {
            Ok(0) => return Ok(copied),
            Ok(count) => {
                to.write_all(&buffer[..count])?;
                copied += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A stream of bytes in which some can be skipped.
pub(crate) trait Input: Read + Send {
    /// Passes over `count` bytes. Fewer are there: [`io::ErrorKind::UnexpectedEof`].
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

impl<T: Input + ?Sized> Input for Box<T> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        (**self).skip(count)
    }
}

/// Skips by seeking.
pub(crate) struct Seekable(pub(crate) BufReader<Tracked<Cursor>>);

impl Read for Seekable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Input for Seekable {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let position = self.0.stream_position()?;
        let end = position.checked_add(count).filter(|end| *end <= self.0.get_ref().inner.size());
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match i64::try_from(count) {
            Ok(count) => self.0.seek_relative(count),
            Err(_) => self.0.seek(SeekFrom::Start(position + count)).map(drop),
        }
    }
}

/// Skips by reading.
pub(crate) struct Sequential<R>(pub(crate) R);

impl<R: Read> Read for Sequential<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read + Send> Input for Sequential<R> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.0).take(count), &mut io::sink())?;
        if skipped < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// The first error of a source, so that "the disk failed" is not taken for "the archive is damaged".
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<io::Error>>>);

impl Failure {
    fn note(&self, error: &io::Error) {
        if error.kind() != io::ErrorKind::Interrupted {
            let copy = io::Error::new(error.kind(), error.to_string());
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
        }
    }

    /// What `error`, met while reading an archive of `format`, really was.
    pub(crate) fn explain(&self, format: Format, error: io::Error) -> Error {
        if let Some(original) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Error::io(format, original);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::malformed(format, "it is cut short"),
            _ => Error::malformed(format, error.to_string()),
        }
    }
}

/// A source whose errors are remembered.
pub(crate) struct Tracked<R> {
    inner: R,
    failure: Failure,
}

impl<R> Tracked<R> {
    pub(crate) fn new(inner: R) -> (Self, Failure) {
        let failure = Failure::default();
        (Self { inner, failure: failure.clone() }, failure)
    }
}

impl<R: Read> Read for Tracked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| self.failure.note(error))
    }
}

impl<R: BufRead> BufRead for Tracked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf().inspect_err(|error| self.failure.note(error))
    }

    fn consume(&mut self, count: usize) {
        self.inner.consume(count);
    }
}

impl<R: Seek> Seek for Tracked<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// The tar inside `source`. Not for zip.
pub(crate) fn tar_stream(
    source: impl BufRead + Send + 'static,
    format: Format,
) -> (Box<dyn Input>, Failure) {
    let (tracked, failure) = Tracked::new(source);
    let input: Box<dyn Input> = match format {
        Format::TarGz => {
            Box::new(Sequential(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(tracked))))
        }
        Format::TarLz4 => Box::new(Sequential(FrameDecoder::new(tracked))),
        Format::Tar | Format::Zip => Box::new(Sequential(tracked)),
    };
    (input, failure)
}
