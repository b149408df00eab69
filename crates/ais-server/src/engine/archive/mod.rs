//! Objects that are archives: members read, selected, listed and appended.

mod append;
mod index;
mod member;
mod select;

use std::{
    collections::HashMap,
    io::{self, Read as _, Seek as _},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use holdall_archive::{ErrorKind as ArchiveErrorKind, Format, Reader, Source};
use tokio::sync::OwnedMutexGuard;

pub(super) use append::new_format;
pub use append::{IfPresent, PutMember};
use index::Shards;
pub use member::{Found, MemberContent};

use super::{Bucket, Content, Engine};
use crate::error::{Error, Result};

impl Source for Content {
    fn size(&self) -> io::Result<u64> {
        Ok(Self::size(self))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut reader = self.reader();
        reader.seek(io::SeekFrom::Start(offset))?;
        reader.read(buffer)
    }
}

/// What is known of archives, and who changes which.
#[derive(Default)]
pub(super) struct Archives {
    shards: Shards,
    changing: Mutex<HashMap<(u64, String), Weak<Turn>>>,
}

/// Held by who rewrites an archive.
type Turn = tokio::sync::Mutex<()>;

impl Archives {
    /// Waits for the turn to rewrite an archive: members that are added at the same time must all be there after.
    pub(super) async fn turn(&self, bucket: &Bucket, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            changing.retain(|_, lock| lock.strong_count() > 0);
            let key = (bucket.bid(), name.to_owned());
            let known = changing.get(&key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let lock = Arc::new(Turn::default());
                changing.insert(key, Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}

/// The format of an object: as `mime` says, else by its extension, else by its first bytes. Blocks.
///
/// # Errors
///
/// When it is none.
pub(super) fn format_of(mime: &str, name: &str, content: &Content) -> Result<Format> {
    if !mime.is_empty() {
        return format_of_mime(mime);
    }
    if let Some(format) = Format::of_name(name) {
        return Ok(format);
    }
    let end = content.size().min(Format::DETECTION_BYTES as u64);
    let first = content.read_range(0..end)?;
    let unknown = || Error::invalid(format!("unrecognized or unsupported file format: {name:?}"));
    Format::of_content(&first).ok_or_else(unknown)
}

/// The format that a media type or extension means.
///
/// # Errors
///
/// When it means none.
pub fn format_of_mime(mime: &str) -> Result<Format> {
    Format::of_mime(mime).map_err(|error| {
        Error::invalid(format!("unknown mime type {mime:?}"))
            .with_code("errUnknownMime")
            .with_source(error)
    })
}

/// The error for an archive that cannot be read.
pub(super) fn archive_error(bucket: &Bucket, name: &str, error: holdall_archive::Error) -> Error {
    let cname = format!("{}/{name}", bucket.bck());
    match error.kind() {
        ArchiveErrorKind::Io => {
            let io: io::Error = error.into();
            io.into()
        }
        _ => Error::invalid(format!("failed to open {cname}: {error}"))
            .with_code("wrapError")
            .with_source(error),
    }
}

/// Whether the name is that of an archive.
pub(super) fn is_archive(name: &str) -> bool {
    Format::of_name(name).is_some()
}

/// The names and sizes of the files in an archive, in the order of their names. Blocks.
///
/// # Errors
///
/// When the object is not there, no archive, or damaged.
pub(super) fn members(engine: &Engine, bucket: &Bucket, name: &str) -> Result<Vec<(String, u64)>> {
    let (_, content) = engine.open_blocking(bucket, name)?;
    let format = format_of("", name, &content)?;
    let failed = |error| archive_error(bucket, name, error);
    let mut reader = Reader::open(Arc::new(content), format).map_err(failed)?;
    let mut members = Vec::new();
    while let Some(member) = reader.next_file().map_err(failed)? {
        members.push((member.name, member.size));
    }
    members.sort();
    Ok(members)
}
