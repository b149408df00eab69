//! Going through an archive of any format.

use std::{
    io::{self, BufRead, BufReader, Read, Seek as _},
    sync::Arc,
};

use crate::{
    Cursor, Error, Format, Member, Result, Selector, Source,
    input::{BUFFER, HEADERS, Seekable, Tracked, tar_stream},
    same_name,
    tar::TarReader,
    zip::ZipReader,
};

/// Goes through an archive: [`Self::next_member`] moves to the next member, reading gives the content of the present one.
///
/// Contents are checked: one that ends early or does not match its checksum (zip) is an error, never short.
pub struct Reader(Inner);

enum Inner {
    Tar(TarReader),
    Zip(Box<ZipReader>),
}

impl Reader {
    /// Reads `source` as an archive of `format`. Members that nobody reads are passed over where the format permits.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Malformed`] when it is no such archive (for tars this shows at the first member only), and
    /// [`crate::ErrorKind::Io`].
    pub fn open(source: Arc<dyn Source>, format: Format) -> Result<Self> {
        let cursor = Cursor::new(source).map_err(|error| Error::io(format, error))?;
        Ok(Self(match format {
            Format::Zip => Inner::Zip(Box::new(ZipReader::open(cursor)?)),
            Format::Tar => {
                let (tracked, failure) = Tracked::new(cursor);
                let input = Seekable(BufReader::with_capacity(HEADERS, tracked));
                Inner::Tar(TarReader::new(Box::new(input), failure, format))
            }
            Format::TarGz | Format::TarLz4 => {
                return Ok(Self::tar(BufReader::with_capacity(BUFFER, cursor), format));
            }
        }))
    }

    /// Reads a stream as an archive of `format`. A zip has its directory at the end, so it is first written to an
    /// unnamed temporary file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn stream(stream: impl BufRead + Send + 'static, format: Format) -> Result<Self> {
        if format != Format::Zip {
            return Ok(Self::tar(stream, format));
        }
        let (mut tracked, failure) = Tracked::new(stream);
        let mut spool = || -> io::Result<std::fs::File> {
            let mut file = tempfile::tempfile()?;
            io::copy(&mut tracked, &mut file)?;
            file.rewind()?;
            Ok(file)
        };
        let file = spool().map_err(|error| {
            let explained =
                failure.explain(format, io::Error::new(error.kind(), error.to_string()));
            if explained.io_kind().is_some() { explained } else { Error::io(format, error) }
        })?;
        Self::open(Arc::new(file), format)
    }

    fn tar(stream: impl BufRead + Send + 'static, format: Format) -> Self {
        let (input, failure) = tar_stream(stream, format);
        Self(Inner::Tar(TarReader::new(input, failure, format)))
    }

    /// The next member of any kind; `None` at the end.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Malformed`], [`crate::ErrorKind::Unsupported`], [`crate::ErrorKind::Io`]. After an error there is
    /// nothing more to be had.
    pub fn next_member(&mut self) -> Result<Option<Member>> {
        match &mut self.0 {
            Inner::Tar(reader) => reader.next_member(),
            Inner::Zip(reader) => reader.next_member(),
        }
    }

    /// The next regular file; `None` at the end.
    ///
    /// # Errors
    /// As [`Self::next_member`].
    pub fn next_file(&mut self) -> Result<Option<Member>> {
        loop {
            match self.next_member()? {
                Some(member) if !member.is_file() => {}
                found => return Ok(found),
            }
        }
    }

    /// Moves to the first regular file called `name` from here on, see [`same_name`].
    ///
    /// # Errors
    /// As [`Self::next_member`].
    pub fn find(&mut self, name: &str) -> Result<Option<Member>> {
        loop {
            match self.next_file()? {
                Some(member) if !same_name(&member.name, name) => {}
                found => return Ok(found),
            }
        }
    }

    /// Moves to the next regular file that `selector` takes.
    ///
    /// # Errors
    /// As [`Self::next_member`].
    pub fn next_selected(&mut self, selector: &Selector) -> Result<Option<Member>> {
        loop {
            match self.next_file()? {
                Some(member) if !selector.matches(&member.name) => {}
                found => return Ok(found),
            }
        }
    }

    /// What an error of reading a content (an [`io::Error`], as `Read` demands) says about the archive.
    pub fn explain(&self, error: io::Error) -> Error {
        match &self.0 {
            Inner::Tar(reader) => reader.explain(error),
            Inner::Zip(reader) => reader.explain(error),
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Tar(reader) => reader.read(buffer),
            Inner::Zip(reader) => reader.read(buffer),
        }
    }
}

/// The content of a member that has an [`Member::offset`], straight from the source.
///
/// # Errors
/// When the size of the source cannot be told. Reading fails with [`io::ErrorKind::UnexpectedEof`] where the source ends early.
pub fn read_at(
    source: Arc<dyn Source>,
    offset: u64,
    size: u64,
) -> io::Result<impl Read + Send + use<>> {
    let cursor = Cursor::new(source)?.at(offset);
    Ok(Exact { inner: cursor, remaining: size })
}

struct Exact<R> {
    inner: R,
    remaining: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        match self.inner.read(&mut buffer[..wanted])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.remaining -= count as u64;
                Ok(count)
            }
        }
    }
}
