//! Opening and reading files.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetResult, GetResultPayload, ObjectMeta, Result};
use rustix::fs::OFlags;

use super::paths::{STORE, io_error};
use super::{Root, attributes};
use crate::memory::check_conditions;

/// Objects up to this size are read in the same task that opens them.
const SMALL_BYTES: u64 = 1024 * 1024;

/// Size of one read of a stream: large enough that the hop to the blocking pool (some 10 µs) is lost in it.
const CHUNK_BYTES: u64 = 4 * 1024 * 1024;

/// Ranges that are this close are read as one.
const COALESCE_BYTES: u64 = 64 * 1024;

/// Why pipes, sockets and devices are refused.
pub(crate) const NOT_REGULAR: &str = "it is not a regular file; pass what it holds as a stream";

/// Whether a file is one of those that are made while they are read, as below `/proc`: it says to be empty, and is not.
pub fn has_no_length(file: &File, metadata: &Metadata) -> bool {
    metadata.len() == 0 && rustix::io::pread(file, &mut [0; 1], 0).is_ok_and(|read| read > 0)
}

/// Opens a file for reading; a pipe without waiting for who writes into it.
pub(crate) fn open(path: &std::path::Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

impl Root {
    pub(super) fn open_file(&self, location: &Path) -> Result<(File, Metadata)> {
        let path = self.file_path(location)?;
        let file = open(&path).map_err(|e| io_error("open", &path, e))?;
        self.lane.get().look_at(&file);
        let metadata = file.metadata().map_err(|e| io_error("stat", &path, e))?;
        if metadata.is_dir() {
            let source = "it is a directory".into();
            return Err(Error::NotFound { path: path.display().to_string(), source });
        }
        if !metadata.is_file() || has_no_length(&file, &metadata) {
            let source = format!("{}: {NOT_REGULAR}", path.display()).into();
            return Err(Error::NotSupported { source });
        }
        Ok((file, metadata))
    }

    /// Opens an object, checks the conditions and resolves the range. With `eager`, small content comes along.
    pub(super) fn get(
        &self,
        location: &Path,
        options: &GetOptions,
        eager: bool,
    ) -> Result<GetResult> {
        let (file, metadata) = self.open_file(location)?;
        let meta = object_meta(location.clone(), &metadata);
        let range = check_conditions(STORE, options, &meta)?;
        let (attributes, _) = attributes::read(&file);
        let length = range.end - range.start;
        let payload = if options.head {
            GetResultPayload::Stream(stream::empty().boxed())
        } else if !eager {
            GetResultPayload::File(file, self.file_path(location)?)
        } else if length <= SMALL_BYTES {
            let data = read_range(&file, range.clone())?;
            GetResultPayload::Stream(stream::iter([Ok(data)]).boxed())
        } else {
            GetResultPayload::Stream(read_stream(file, range.clone()))
        };
        Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
    }

    pub(super) fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (file, metadata) = self.open_file(location)?;
        let meta = object_meta(location.clone(), &metadata);
        let ranges = ranges
            .iter()
            .map(|range| {
                let options = GetOptions::new().with_range(Some(range.clone()));
                check_conditions(STORE, &options, &meta)
            })
            .collect::<Result<Vec<_>>>()?;
        let mut order: Vec<usize> = (0..ranges.len()).collect();
        order.sort_unstable_by_key(|&i| ranges[i].start);
        let mut out = vec![Bytes::new(); ranges.len()];
        let mut at = 0;
        while at < order.len() {
            let first = &ranges[order[at]];
            let (start, mut end) = (first.start, first.end);
            let mut until = at + 1;
            while until < order.len() && ranges[order[until]].start <= end + COALESCE_BYTES {
                end = end.max(ranges[order[until]].end);
                until += 1;
            }
            let data = read_range(&file, start..end)?;
            for &i in &order[at..until] {
                let (from, to) = (ranges[i].start - start, ranges[i].end - start);
                out[i] = data.slice(from as usize..to as usize);
            }
            at = until;
        }
        Ok(out)
    }
}

/// The description of a file.
pub(super) fn object_meta(location: Path, metadata: &Metadata) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: modified(metadata),
        size: metadata.len(),
        e_tag: Some(e_tag(metadata)),
        version: None,
    }
}

/// When it was written.
pub(super) fn modified(metadata: &Metadata) -> DateTime<Utc> {
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).into()
}

/// Inode, time of modification in microseconds and size: the scheme of common HTTP servers.
pub(crate) fn e_tag(metadata: &Metadata) -> String {
    let micros = metadata.mtime() as i128 * 1_000_000 + i128::from(metadata.mtime_nsec() / 1000);
    format!("\"{:x}-{:x}-{:x}\"", metadata.ino(), micros.max(0), metadata.len())
}

/// Reads exactly `range`; a file that became shorter meanwhile is an error.
fn read_range(file: &File, range: Range<u64>) -> Result<Bytes> {
    read_exact(file, range).map_err(|source| Error::Generic { store: STORE, source: source.into() })
}

/// The bytes of a range, into memory that nobody has to fill with zeros before.
pub(crate) fn read_exact(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = (range.end - range.start) as usize;
    let mut data = Vec::with_capacity(length);
    let mut at = range.start;
    while data.len() < length {
        let spare = length - data.len();
        at += read_spare(file, at, spare, &mut data)? as u64;
    }
    Ok(data.into())
}

fn read_spare(file: &File, at: u64, length: usize, data: &mut Vec<u8>) -> io::Result<usize> {
    let spare = &mut data.spare_capacity_mut()[..length];
    let read = rustix::io::retry_on_intr(|| {
        rustix::io::pread(file, &mut *spare, at).map(|(read, _)| read.len())
    })?;
    if read == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the file ended at byte {at} while it was read"),
        ));
    }
    // `pread` filled this much of the spare capacity.
    #[expect(unsafe_code, reason = "the bytes were initialised by the read above")]
    unsafe {
        data.set_len(data.len() + read);
    }
    Ok(read)
}

/// Reads `range` in large pieces, one task of the blocking pool each, the next one while the caller has the last.
fn read_stream(file: File, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
    let file = Arc::new(file);
    let pieces = stream::iter(pieces(range));
    pieces
        .map(move |piece| {
            let file = file.clone();
            tokio::task::spawn_blocking(move || read_range(&file, piece))
        })
        .buffered(2)
        .map_err(Error::from)
        .and_then(futures::future::ready)
        .boxed()
}

fn pieces(range: Range<u64>) -> impl Iterator<Item = Range<u64>> + Send {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let end = (at + CHUNK_BYTES).min(range.end);
        let piece = (at < range.end).then_some(at..end);
        at = end;
        piece
    })
}

/// Reads from any position of a file of this store; for callers that hold a `GetResultPayload::File`.
pub fn read_at(file: &File, range: Range<u64>) -> Result<Bytes> {
    read_range(file, range)
}
