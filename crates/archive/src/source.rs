//! Bytes that can be read at any position.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use bytes::Bytes;

/// Bytes that can be read at any position, by several readers at once.
pub trait Source: Send + Sync {
    /// How many bytes there are.
    ///
    /// # Errors
    /// What the system says.
    fn size(&self) -> io::Result<u64>;

    /// Reads some bytes from `offset` on; 0 at the end.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Source for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }
}

impl Source for Bytes {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(copy_from(self, buffer, offset))
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(copy_from(self, buffer, offset))
    }
}

fn copy_from(bytes: &[u8], buffer: &mut [u8], offset: u64) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let taken = rest.len().min(buffer.len());
    buffer[..taken].copy_from_slice(&rest[..taken]);
    taken
}

/// A reading position in a [`Source`]. Clones move independently.
#[derive(Clone)]
pub struct Cursor {
    source: Arc<dyn Source>,
    position: u64,
    size: u64,
}

impl Cursor {
    /// A position at the beginning.
    ///
    /// # Errors
    /// When the size of the source cannot be told.
    pub fn new(source: Arc<dyn Source>) -> io::Result<Self> {
        let size = source.size()?;
        Ok(Self { source, position: 0, size })
    }

    /// The same source from `position` on.
    #[must_use]
    pub fn at(&self, position: u64) -> Self {
        Self { position, ..self.clone() }
    }

    /// How long the source was when this was made.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.source.read_at(buffer, self.position)?;
        self.position += taken as u64;
        Ok(taken)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(delta) => self.size.checked_add_signed(delta),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "seek to before the first byte")
        })?;
        Ok(self.position)
    }
}
