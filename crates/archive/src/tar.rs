//! Reading tar: headers, extension records, contents.
//!
//! The fields of a header are read by the `tar` crate. Going from one header to the next is done here, because that
//! crate reads extension records of any length into memory, takes a member that is cut short for a short one, and
//! lends members instead of handing them out.

mod pax;

use std::io::{self, Read, Write};

use ::tar::{EntryType, Header};

use crate::{
    Error, Format, Kind, Member, Result,
    input::{Failure, Input},
};

const BLOCK: u64 = 512;

/// Longest extension record (a long name, PAX attributes) that is read. Names on Linux end at 4 KiB.
const EXTENSION_LIMIT: u64 = 1 << 20;

/// Goes through a tar.
pub(crate) struct TarReader {
    input: Box<dyn Input>,
    failure: Failure,
    format: Format,
    /// Position in the (uncompressed) tar.
    position: u64,
    /// Bytes of the present member that were not read.
    remaining: u64,
    /// Bytes between the end of the present member and the next header.
    padding: u64,
    ended: bool,
}

/// What extension records say about the member that follows them.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    pax: pax::Attributes,
}

impl TarReader {
    pub(crate) fn new(input: Box<dyn Input>, failure: Failure, format: Format) -> Self {
        Self { input, failure, format, position: 0, remaining: 0, padding: 0, ended: false }
    }

    /// The next member of any kind; what was left of the one before is skipped.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>> {
        if self.ended {
            return Ok(None);
        }
        let mut extensions = Extensions::default();
        let mut described = false;
        loop {
            self.skip_rest()?;
            let Some(header) = self.read_header()? else {
                self.ended = true;
                if described {
                    return Err(
                        self.malformed("the last record describes a member that is missing")
                    );
                }
                return Ok(None);
            };
            let kind = header.entry_type();
            let size = self.field(header.entry_size())?;
            match kind {
                EntryType::GNULongName => extensions.name = Some(self.read_name(size)?),
                EntryType::XHeader => extensions.pax = self.read_pax(size)?,
                // A long link target and global attributes: nothing of them is used.
                EntryType::GNULongLink | EntryType::XGlobalHeader => self.enter(size)?,
                _ => return self.member(&header, size, extensions).map(Some),
            }
            described = kind != EntryType::XGlobalHeader;
        }
    }

    fn member(&mut self, header: &Header, size: u64, extensions: Extensions) -> Result<Member> {
        let Extensions { name, pax } = extensions;
        let bytes = pax.path.or(name).unwrap_or_else(|| header.path_bytes().into_owned());
        let name = String::from_utf8_lossy(&bytes).into_owned();
        let entry_type = header.entry_type();
        if pax.sparse || entry_type == EntryType::GNUSparse {
            let remedy = "is sparse; write it without --sparse";
            return Err(Error::unsupported(self.format, format!("member {name:?} {remedy}")));
        }
        let kind = match entry_type {
            EntryType::Directory => Kind::Directory,
            // Before POSIX a directory was a file whose name ended in a slash.
            EntryType::Regular | EntryType::Continuous if name.ends_with('/') => Kind::Directory,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            _ => Kind::Other,
        };
        let stored = stored_size(entry_type, pax.size.unwrap_or(size));
        self.enter(stored)?;
        let mtime = pax.modified.or_else(|| header.mtime().ok()).unwrap_or(0);
        Ok(Member {
            name,
            size: if kind == Kind::File { stored } else { 0 },
            kind,
            modified: mtime,
            mode: header.mode().unwrap_or(0o644) & 0o7777,
            offset: (self.format == Format::Tar).then_some(self.position),
        })
    }

    /// Copies the whole tar as it is, except the blocks that end it.
    pub(crate) fn copy_to(mut self, sink: &mut dyn Write) -> Result<()> {
        let format = self.format;
        let failed = |error| Error::io(format, error);
        let mut pax = pax::Attributes::default();
        while let Some(header) = self.read_header()? {
            sink.write_all(header.as_bytes()).map_err(failed)?;
            let size = self.field(header.entry_size())?;
            if header.entry_type() == EntryType::XHeader {
                let record = self.read_extension(size)?;
                pax =
                    pax::parse(&record).ok_or_else(|| self.malformed("a PAX record is damaged"))?;
                sink.write_all(&record).map_err(failed)?;
            } else if header.entry_type() == EntryType::GNUSparse {
                return Err(Error::unsupported(
                    format,
                    "a member is sparse; write it without --sparse",
                ));
            } else {
                let describes = matches!(
                    header.entry_type(),
                    EntryType::GNULongName | EntryType::GNULongLink | EntryType::XGlobalHeader
                );
                let size = if describes { size } else { pax.size.take().unwrap_or(size) };
                self.enter(stored_size(header.entry_type(), size))?;
                let mut buffer = vec![0; crate::input::BUFFER];
                loop {
                    match self.read(&mut buffer).map_err(|error| self.explain(error))? {
                        0 => break,
                        count => sink.write_all(&buffer[..count]).map_err(failed)?,
                    }
                }
            }
            let padding = usize::try_from(self.padding).unwrap_or(0);
            self.skip_rest()?;
            sink.write_all(&[0; BLOCK as usize][..padding]).map_err(failed)?;
        }
        Ok(())
    }

    /// A header with a valid checksum; `None` at the end.
    fn read_header(&mut self) -> Result<Option<Header>> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while filled < block.len() {
            match self.input.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explain(error)),
            }
        }
        if filled == 0 {
            // Some writers leave the two empty blocks out. Not in LZ4, whose frames can be cut without a trace.
            if self.format == Format::TarLz4 && self.position > 0 {
                return Err(self.malformed("it is cut short"));
            }
            return Ok(None);
        }
        if filled < block.len() {
            return Err(self.malformed("it is cut short"));
        }
        self.position += BLOCK;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !checksum_holds(&header) {
            let place = self.position - BLOCK;
            return Err(self.malformed(format!("no header at byte {place}")));
        }
        Ok(Some(header))
    }

    fn read_name(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut name = self.read_extension(size)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn read_pax(&mut self, size: u64) -> Result<pax::Attributes> {
        let record = self.read_extension(size)?;
        pax::parse(&record).ok_or_else(|| self.malformed("a PAX record is damaged"))
    }

    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > EXTENSION_LIMIT {
            return Err(self.malformed(format!(
                "an extension record of {size} bytes (the limit is {EXTENSION_LIMIT})"
            )));
        }
        self.enter(size)?;
        let mut record = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        self.read_to_end(&mut record).map_err(|error| self.explain(error))?;
        Ok(record)
    }

    /// Makes the next `size` bytes the present content.
    fn enter(&mut self, size: u64) -> Result<()> {
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
        let end = self.position.checked_add(size).and_then(|end| end.checked_add(self.padding));
        if end.is_none() {
            return Err(self.malformed(format!("a member of {size} bytes")));
        }
        self.remaining = size;
        Ok(())
    }

    fn skip_rest(&mut self) -> Result<()> {
        let count = self.remaining + self.padding;
        if count > 0 {
            self.input.skip(count).map_err(|error| self.explain(error))?;
            self.position += count;
            (self.remaining, self.padding) = (0, 0);
        }
        Ok(())
    }

    fn field<T>(&self, value: io::Result<T>) -> Result<T> {
        value.map_err(|error| self.malformed(error.to_string()))
    }

    fn malformed(&self, detail: impl Into<String>) -> Error {
        Error::malformed(self.format, detail)
    }

    pub(crate) fn explain(&self, error: io::Error) -> Error {
        self.failure.explain(self.format, error)
    }
}

/// The content of the present member.
impl Read for TarReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.input.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += count as u64;
        self.remaining -= count as u64;
        Ok(count)
    }
}

/// How many bytes of content follow a header. The size of those without content, where it is not 0, counts none.
fn stored_size(kind: EntryType, size: u64) -> u64 {
    match kind {
        EntryType::Link
        | EntryType::Symlink
        | EntryType::Char
        | EntryType::Block
        | EntryType::Directory
        | EntryType::Fifo => 0,
        _ => size,
    }
}

/// Old writers summed signed bytes.
fn checksum_holds(header: &Header) -> bool {
    let Ok(expected) = header.cksum() else { return false };
    let bytes = header.as_bytes();
    let counted = bytes[..148].iter().chain(&bytes[156..]);
    let unsigned = counted.clone().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    let signed = counted.map(|byte| i32::from(byte.cast_signed())).sum::<i32>() + 8 * 32;
    expected == unsigned || i64::from(expected) == i64::from(signed)
}
