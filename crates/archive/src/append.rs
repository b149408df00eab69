//! Continuing an archive that exists.

use std::{
    io::{BufReader, Write},
    sync::Arc,
};

use ::zip::{ZipArchive, ZipWriter, result::ZipError, write::StreamWriter};

use crate::{
    Cursor, Error, ErrorKind, Format, Result, Source, Writer,
    input::{BUFFER, Failure, Tracked, tar_stream},
    tar::TarReader,
    writer::Inner,
    zip::explain_zip,
};

impl<W: Write> Writer<W> {
    /// Copies the archive `source` to `sink` without its end, ready for more members.
    ///
    /// What is there stays as it is, byte for byte (compressed tars: as their tars were). A zip cannot hold two members
    /// of one name, so those called as in `replacing` are left out of it; in a tar the first of a name is the one that
    /// readers find.
    ///
    /// # Errors
    /// As reading and writing.
    pub fn resume(
        source: Arc<dyn Source>,
        format: Format,
        replacing: &[&str],
        sink: W,
    ) -> Result<Self> {
        let cursor = Cursor::new(source).map_err(|error| Error::io(format, error))?;
        let mut writer = Self::new(sink, format)?;
        if let Inner::Zip(zip) = &mut writer.inner {
            copy_zip(cursor, zip, replacing)?;
        } else {
            let (input, failure) = tar_stream(BufReader::with_capacity(BUFFER, cursor), format);
            TarReader::new(input, failure, format).copy_to(writer.inner.tar_sink())?;
        }
        Ok(writer)
    }
}

fn copy_zip<W: Write>(
    cursor: Cursor,
    zip: &mut ZipWriter<StreamWriter<W>>,
    replacing: &[&str],
) -> Result<()> {
    let (tracked, failure) = Tracked::new(cursor);
    let explain = |error| explain_copy(&failure, error);
    let mut archive = ZipArchive::new(BufReader::new(tracked)).map_err(explain)?;
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(explain)?;
        let name = member.entry().name().map_err(explain)?.into_owned();
        if !replacing.contains(&name.as_str()) {
            zip.raw_copy_file(member).map_err(explain)?;
        }
    }
    Ok(())
}

fn explain_copy(failure: &Failure, error: ZipError) -> Error {
    match error {
        // Of the writer: a name that the archive has twice.
        ZipError::InvalidArchive(reason) if reason.starts_with("Duplicate") => {
            Error::new(ErrorKind::InvalidMember, Format::Zip, reason.to_string())
        }
        other => explain_zip(failure, other),
    }
}
