//! Reading zip.

use std::io::{self, BufReader, Read};

use ::zip::{CompressionMethod, ZipArchive, result::ZipError};
use flate2::{Crc, bufread::DeflateDecoder};

use crate::{
    Cursor, Error, Format, Kind, Member, Result,
    input::{BUFFER, Failure, Tracked},
};

/// Goes through a zip in the order of its directory.
pub(crate) struct ZipReader {
    archive: ZipArchive<BufReader<Tracked<Cursor>>>,
    cursor: Cursor,
    failure: Failure,
    next: usize,
    content: Option<Content>,
}

impl ZipReader {
    pub(crate) fn open(cursor: Cursor) -> Result<Self> {
        let (tracked, failure) = Tracked::new(cursor.clone());
        let archive = ZipArchive::new(BufReader::new(tracked))
            .map_err(|error| explain_zip(&failure, error))?;
        Ok(Self { archive, cursor, failure, next: 0, content: None })
    }

    pub(crate) fn next_member(&mut self) -> Result<Option<Member>> {
        self.content = None;
        if self.next == self.archive.len() {
            return Ok(None);
        }
        let index = self.next;
        self.next += 1;
        let failure = &self.failure;
        let (member, content) = describe(&mut self.archive, index, &self.cursor)
            .map_err(|error| explain_zip(failure, error))?;
        self.content = Some(content);
        Ok(Some(member))
    }

    pub(crate) fn explain(&self, error: io::Error) -> Error {
        // Ours, said while reading.
        if error.kind() == io::ErrorKind::Unsupported {
            return Error::unsupported(Format::Zip, error.to_string());
        }
        self.failure.explain(Format::Zip, error)
    }
}

impl Read for ZipReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.as_mut().map_or(Ok(0), |content| content.read(buffer))
    }
}

fn describe(
    archive: &mut ZipArchive<BufReader<Tracked<Cursor>>>,
    index: usize,
    cursor: &Cursor,
) -> Result<(Member, Content), ZipError> {
    let file = archive.by_index_raw(index)?;
    let entry = file.entry();
    let name = entry.name().map_or_else(
        |_| String::from_utf8_lossy(entry.name_raw()).into_owned(),
        std::borrow::Cow::into_owned,
    );
    let kind = match () {
        () if entry.is_dir() || name.ends_with('/') => Kind::Directory,
        () if entry.is_symlink() => Kind::Other,
        () => Kind::File,
    };
    let start = file.data_start().ok_or(ZipError::FileNotFound)?;
    let method = if entry.encrypted() {
        Method::Refused("encrypted".to_owned())
    } else {
        Method::of(entry.compression())
    };
    let size = if kind == Kind::File { entry.size() } else { 0 };
    let member = Member {
        name,
        size,
        kind,
        modified: entry.last_modified().map_or(0, |time| unix_seconds(&time)),
        mode: entry.unix_mode().unwrap_or(0o644) & 0o7777,
        offset: (matches!(method, Method::Stored) && kind == Kind::File).then_some(start),
    };
    let raw = cursor.at(start).take(entry.compressed_size());
    let content = Content {
        decoder: method.decoder(raw),
        crc: Crc::new(),
        expected_crc: entry.crc32(),
        remaining: size,
        checked: kind != Kind::File,
    };
    Ok((member, content))
}

pub(crate) fn explain_zip(failure: &Failure, error: ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(reason) => Error::unsupported(Format::Zip, reason.to_string()),
        ZipError::Io(error) => failure.explain(Format::Zip, error),
        other => failure.explain(Format::Zip, io::Error::other(other.to_string())),
    }
}

enum Method {
    Stored,
    Deflated,
    Refused(String),
}

impl Method {
    fn of(method: CompressionMethod) -> Self {
        match method {
            CompressionMethod::Stored => Self::Stored,
            CompressionMethod::Deflated => Self::Deflated,
            other => Self::Refused(format!("compressed with {other}")),
        }
    }

    fn decoder(self, raw: io::Take<Cursor>) -> Decoder {
        match self {
            Self::Stored => Decoder::Stored(raw),
            Self::Deflated => Decoder::Deflated(Box::new(DeflateDecoder::new(
                BufReader::with_capacity(BUFFER, raw),
            ))),
            Self::Refused(reason) => Decoder::Refused(reason),
        }
    }
}

enum Decoder {
    Stored(io::Take<Cursor>),
    Deflated(Box<DeflateDecoder<BufReader<io::Take<Cursor>>>>),
    Refused(String),
}

/// The content of one member, whose length and checksum must be as the directory says.
struct Content {
    decoder: Decoder,
    crc: Crc,
    expected_crc: u32,
    remaining: u64,
    checked: bool,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.checked {
            return Ok(0);
        }
        let count = match &mut self.decoder {
            Decoder::Stored(raw) => raw.read(buffer)?,
            Decoder::Deflated(decoder) => decoder.read(buffer)?,
            Decoder::Refused(reason) => {
                let text =
                    format!("a member is {reason}; only stored and deflated ones can be read");
                return Err(io::Error::new(io::ErrorKind::Unsupported, text));
            }
        };
        self.crc.update(&buffer[..count]);
        self.remaining = self.remaining.checked_sub(count as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "a member is longer than the directory says")
        })?;
        if count == 0 {
            self.check()?;
        }
        Ok(count)
    }
}

impl Content {
    fn check(&mut self) -> io::Result<()> {
        let problem = match () {
            () if self.remaining > 0 => "a member is shorter than the directory says",
            () if self.crc.sum() != self.expected_crc => "the checksum of a member does not match",
            () => {
                self.checked = true;
                return Ok(());
            }
        };
        Err(io::Error::new(io::ErrorKind::InvalidData, problem))
    }
}

/// DOS times have no zone; they are read as UTC.
fn unix_seconds(time: &::zip::DateTime) -> u64 {
    let (year, month, day) =
        (i64::from(time.year()), i64::from(time.month()), i64::from(time.day()));
    // Days since 1970-01-01 of a proleptic Gregorian date, with years that start in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era_year = shifted.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = era_year * 365 + era_year / 4 - era_year / 100 + day_of_year;
    let days = shifted.div_euclid(400) * 146_097 + day_of_era - 719_468;
    let seconds =
        i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    u64::try_from(days * 86_400 + seconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let time = |year, month, day| {
            unix_seconds(&::zip::DateTime::from_date_and_time(year, month, day, 1, 2, 4).unwrap())
        };
        assert_eq!(time(1980, 1, 1), 315_532_800 + 3724);
        assert_eq!(time(2000, 2, 29), 951_782_400 + 3724);
        assert_eq!(time(2026, 11, 21), 1_795_219_200 + 3724);
    }
}
