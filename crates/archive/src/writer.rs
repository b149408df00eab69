//! Making archives.

use std::io::{self, Read, Write};

use ::tar::{EntryType, Header};
use ::zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions, write::StreamWriter};
use flate2::{Compression, write::GzEncoder};
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};

use crate::{Error, ErrorKind, Format, Member, Result, input::copy};

const BLOCK: usize = 512;

/// Eleven octal digits hold what is less.
const OCTAL_LIMIT: u64 = 1 << 33;

/// Writes an archive to a sink that need not seek.
///
/// Compression is the fast level (gzip and deflate level 1, LZ4 in blocks of 256 KiB), as AIStore has it. A writer that
/// is dropped before [`Self::finish`] leaves an incomplete archive.
pub struct Writer<W: Write> {
    pub(crate) inner: Inner<W>,
    /// Contents pass through it.
    buffer: Vec<u8>,
}

pub(crate) enum Inner<W: Write> {
    Tar(W),
    TarGz(Box<GzEncoder<W>>),
    TarLz4(Box<FrameEncoder<W>>),
    Zip(Box<ZipWriter<StreamWriter<W>>>),
}

impl<W: Write> Writer<W> {
    /// A new archive of `format`.
    ///
    /// # Errors
    /// None today; writing starts with the first member.
    pub fn new(sink: W, format: Format) -> Result<Self> {
        let inner = match format {
            Format::Tar => Inner::Tar(sink),
            Format::TarGz => Inner::TarGz(Box::new(GzEncoder::new(sink, Compression::fast()))),
            Format::TarLz4 => {
                let frame = FrameInfo::new().block_size(BlockSize::Max256KB);
                Inner::TarLz4(Box::new(FrameEncoder::with_frame_info(frame, sink)))
            }
            Format::Zip => Inner::Zip(Box::new(ZipWriter::new_stream(sink))),
        };
        Ok(Self { inner, buffer: Vec::new() })
    }

    /// The format that is written.
    pub fn format(&self) -> Format {
        self.inner.format()
    }

    /// Adds a regular file with the name, size, time and mode of `member` and exactly `member.size` bytes of `content`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidMember`] when the content is shorter or longer, when the name is empty or holds a NUL, and for a
    /// second member of the same name in a zip; [`ErrorKind::Io`] when reading or writing fails. Unless the name was at
    /// fault, the archive is of no use after an error.
    pub fn append(&mut self, member: &Member, content: &mut dyn Read) -> Result<()> {
        let format = self.format();
        let sink = self.inner.begin(member)?;
        copy_exactly(content, sink, member, format, &mut self.buffer)?;
        self.inner.pad(member)
    }

    /// As [`Self::append`], for content that is in memory.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_bytes(&mut self, member: &Member, content: &[u8]) -> Result<()> {
        let format = self.format();
        if content.len() as u64 != member.size {
            return self.append(member, &mut &*content);
        }
        let sink = self.inner.begin(member)?;
        sink.write_all(content).map_err(|error| Error::io(format, error))?;
        self.inner.pad(member)
    }

    /// Writes what ends the archive, and returns the sink (flushed as far as this crate holds bytes).
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn finish(mut self) -> Result<W> {
        let format = self.format();
        let failed = |error| Error::io(format, error);
        if format != Format::Zip {
            self.inner.tar_sink().write_all(&[0; 2 * BLOCK]).map_err(failed)?;
        }
        match self.inner {
            Inner::Tar(sink) => Ok(sink),
            Inner::TarGz(encoder) => encoder.finish().map_err(failed),
            Inner::TarLz4(encoder) => encoder.finish().map_err(|error| failed(error.into())),
            Inner::Zip(writer) => {
                let stream = (*writer).finish().map_err(|error| failed(error.into()))?;
                Ok(stream.into_inner())
            }
        }
    }
}

impl<W: Write> Inner<W> {
    fn format(&self) -> Format {
        match self {
            Self::Tar(_) => Format::Tar,
            Self::TarGz(_) => Format::TarGz,
            Self::TarLz4(_) => Format::TarLz4,
            Self::Zip(_) => Format::Zip,
        }
    }

    /// Writes what comes before the content of a member; where the content goes.
    fn begin(&mut self, member: &Member) -> Result<&mut dyn Write> {
        let format = self.format();
        if member.name.is_empty() || member.name.contains('\0') {
            let problem = format!("the name {:?} is empty or holds a NUL", member.name);
            return Err(Error::new(ErrorKind::InvalidMember, format, problem));
        }
        if let Self::Zip(writer) = self {
            start_zip_member(writer, member)?;
            return Ok(writer);
        }
        let failed = |error| Error::io(format, error);
        let sink = self.tar_sink();
        sink.write_all(&tar_header(member).map_err(failed)?).map_err(failed)?;
        Ok(sink)
    }

    /// Writes what comes after it.
    fn pad(&mut self, member: &Member) -> Result<()> {
        let format = self.format();
        if format == Format::Zip {
            return Ok(());
        }
        let padding = (BLOCK - usize::try_from(member.size % BLOCK as u64).unwrap_or(0)) % BLOCK;
        let padded = self.tar_sink().write_all(&[0; BLOCK][..padding]);
        padded.map_err(|error| Error::io(format, error))
    }

    /// Where the bytes of a tar go.
    pub(crate) fn tar_sink(&mut self) -> &mut dyn Write {
        match self {
            Self::Tar(sink) => sink,
            Self::TarGz(encoder) => encoder,
            Self::TarLz4(encoder) => encoder,
            Self::Zip(writer) => writer,
        }
    }
}

fn start_zip_member<W: Write>(
    writer: &mut ZipWriter<StreamWriter<W>>,
    member: &Member,
) -> Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        // The sizes in front of a member need eight bytes from 4 GiB on; compression can add a little.
        .large_file(member.size >= 0xf000_0000)
        .unix_permissions(member.mode)
        .last_modified_time(dos_time(member.modified));
    writer.start_file(member.name.as_str(), options).map_err(|error| match error {
        ::zip::result::ZipError::Io(error) => Error::io(Format::Zip, error),
        other => {
            let problem = format!("{:?}: {other}", member.name);
            Error::new(ErrorKind::InvalidMember, Format::Zip, problem)
        }
    })
}

fn copy_exactly(
    content: &mut dyn Read,
    sink: &mut dyn Write,
    member: &Member,
    format: Format,
    buffer: &mut Vec<u8>,
) -> Result<()> {
    let copied = copy(&mut content.take(member.size), sink, member.size, buffer)
        .map_err(|error| Error::io(format, error))?;
    let wrong = |what: &str| {
        let problem =
            format!("{:?} should have {} bytes, but its content {what}", member.name, member.size);
        Error::new(ErrorKind::InvalidMember, format, problem)
    };
    if copied < member.size {
        return Err(wrong(&format!("ended after {copied}")));
    }
    match content.read(&mut [0]).map_err(|error| Error::io(format, error))? {
        0 => Ok(()),
        _ => Err(wrong("goes on")),
    }
}

/// The header blocks of a member: POSIX ustar, with a PAX record before it for what ustar cannot hold.
fn tar_header(member: &Member) -> io::Result<Vec<u8>> {
    let name = member.name.as_bytes();
    let mut records = Vec::new();
    let split = split_name(name);
    if split.is_none() || !member.name.is_ascii() {
        pax_record(&mut records, "path", name);
    }
    if member.size >= OCTAL_LIMIT {
        pax_record(&mut records, "size", member.size.to_string().as_bytes());
    }
    let mut blocks = Vec::with_capacity(BLOCK);
    if !records.is_empty() {
        let header =
            ustar(b"PaxHeaders.0/member", b"", records.len() as u64, member, EntryType::XHeader);
        blocks.extend_from_slice(header?.as_bytes());
        blocks.extend_from_slice(&records);
        blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    }
    let (prefix, rest) = split.unwrap_or((b"", &name[..name.len().min(100)]));
    let size = if member.size < OCTAL_LIMIT { member.size } else { 0 };
    blocks.extend_from_slice(ustar(rest, prefix, size, member, EntryType::Regular)?.as_bytes());
    Ok(blocks)
}

fn ustar(
    name: &[u8],
    prefix: &[u8],
    size: u64,
    member: &Member,
    kind: EntryType,
) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    let fields = header.as_ustar_mut().ok_or(io::ErrorKind::InvalidInput)?;
    // By hand, because `set_path` takes names for paths and refuses or rewrites some, and the numbers because formatting
    // them takes longer than all else that a small member costs.
    fields.name[..name.len()].copy_from_slice(name);
    fields.prefix[..prefix.len()].copy_from_slice(prefix);
    octal(&mut fields.size, size);
    octal(&mut fields.mode, member.mode.into());
    octal(&mut fields.uid, 0);
    octal(&mut fields.gid, 0);
    octal(&mut fields.mtime, member.modified);
    fields.cksum = *b"        ";
    if member.modified >= OCTAL_LIMIT {
        header.set_mtime(member.modified);
    }
    let sum = header.as_bytes().iter().copied().map(u64::from).sum();
    octal(&mut header.as_old_mut().cksum, sum);
    Ok(header)
}

/// A number as headers have it: octal digits, as many as fit, and a NUL.
fn octal(field: &mut [u8], number: u64) {
    let Some((end, digits)) = field.split_last_mut() else { return };
    *end = 0;
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest & 7) as u8;
        rest >>= 3;
    }
}

/// The name as ustar stores it, `prefix/rest` where it is longer than 100 bytes; `None` when it does not fit.
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= 100 {
        return Some((b"", name));
    }
    // The last slash that leaves no more than 155 bytes before it. Neither side may be empty.
    let slash = name[..name.len().min(156)].iter().rposition(|byte| *byte == b'/')?;
    let (prefix, rest) = (&name[..slash], &name[slash + 1..]);
    (!prefix.is_empty() && (1..=100).contains(&rest.len())).then_some((prefix, rest))
}

fn pax_record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    // The length counts its own digits.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// DOS time of a Unix time, in UTC; 1980-01-01 where it cannot be expressed.
fn dos_time(unix: u64) -> ::zip::DateTime {
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    // Civil date from days, with years that start in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let small = |value: u64| u8::try_from(value).unwrap_or(0);
    ::zip::DateTime::from_date_and_time(
        u16::try_from(year).unwrap_or(0),
        small(month),
        small(day),
        small(seconds / 3600),
        small(seconds / 60 % 60),
        small(seconds % 60),
    )
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_lengths_count_their_digits() {
        let mut records = Vec::new();
        pax_record(&mut records, "path", b"x");
        assert_eq!(records, b"9 path=x\n");
        for length in [85, 86, 87, 88, 89, 90, 91, 985, 986, 987, 988, 990] {
            let mut records = Vec::new();
            pax_record(&mut records, "path", &vec![b'x'; length]);
            let said: usize =
                std::str::from_utf8(&records).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(said, records.len());
        }
    }

    #[test]
    fn names_that_ustar_can_hold() {
        let long = |parts: &[usize]| {
            parts.iter().map(|count| "n".repeat(*count)).collect::<Vec<_>>().join("/").into_bytes()
        };
        assert_eq!(split_name(&long(&[100])), Some((&b""[..], &long(&[100])[..])));
        assert_eq!(split_name(&long(&[101])), None);
        assert_eq!(split_name(&long(&[155, 100])).unwrap().0.len(), 155);
        assert_eq!(split_name(&long(&[156, 100])), None);
        assert_eq!(split_name(&long(&[1, 101])), None);
    }

    #[test]
    fn dos_times() {
        let time = dos_time(1_795_219_200 + 3724);
        assert_eq!((time.year(), time.month(), time.day()), (2026, 11, 21));
        assert_eq!((time.hour(), time.minute(), time.second()), (1, 2, 4));
        assert_eq!(dos_time(0).year(), 1980);
    }
}
