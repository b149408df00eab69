//! What an upload takes its parts from.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use object_store::{ObjectMeta, PutPayload};

use super::Transfer;
use super::object::{Accept, Object};
use super::partial::io_error;
use super::place::blocking;
use crate::error::{Error, ErrorKind, Result};
use crate::local;

/// Files no larger than this are read without asking another thread: it takes longer to ask.
const INLINE_BYTES: u64 = 64 * 1024;

/// Something that can be read in ranges, in any order, more than once.
#[derive(Clone)]
pub(super) enum Source {
    File(LocalFile),
    Object(Object, ObjectMeta),
    Bytes(Bytes),
}

/// A file, as it was when the upload began.
#[derive(Debug, Clone)]
pub(super) struct LocalFile {
    file: Arc<File>,
    shown: Arc<str>,
    state: FileState,
}

/// Tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl LocalFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::InvalidArgument`] for directories, pipes and devices, which have no length.
    pub(super) fn open(path: &FilePath) -> Result<Self> {
        let failed = |e: &std::io::Error| io_error("upload", "read", path, e);
        let file = local::open(path).map_err(|e| failed(&e))?;
        local::common().look_at(&file);
        let metadata = file.metadata().map_err(|e| failed(&e))?;
        let shown = path.display().to_string();
        if !metadata.is_file() || local::has_no_length(&file, &metadata) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "upload",
                shown,
                local::NOT_REGULAR,
            ));
        }
        Ok(Self { file: Arc::new(file), shown: shown.into(), state: FileState::of(&metadata) })
    }

    pub(super) fn size(&self) -> u64 {
        self.state.size
    }

    pub(super) fn handle(&self) -> Arc<File> {
        self.file.clone()
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let file = self.file.clone();
        let length = range.end - range.start;
        let read = move || local::read_exact(&file, range);
        let done = if length <= INLINE_BYTES { read() } else { blocking(read).await? };
        done.map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => self.changed(),
            _ => io_error("upload", "read", FilePath::new(&*self.shown), &e),
        })
    }

    fn changed(&self) -> Error {
        let detail = "the file changed while it was read";
        Error::new(ErrorKind::Precondition, "upload", &*self.shown, detail)
    }
}

impl FileState {
    fn of(metadata: &std::fs::Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Self { inode: metadata.ino(), size: metadata.len(), modified }
    }
}

impl Source {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File(file) => file.size(),
            Self::Object(_, meta) => meta.size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// What this is, for people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::File(file) => file.shown.to_string(),
            Self::Object(object, _) => object.url(),
            Self::Bytes(_) => String::new(),
        }
    }

    /// What this is, and which version of it; `None` where another process could not have the same.
    pub(super) fn identity(&self) -> Option<String> {
        match self {
            Self::File(file) => {
                let FileState { inode, size, modified } = file.state;
                Some(format!("{} {inode} {size} {modified:?}", file.shown))
            }
            Self::Object(object, meta) => Some(format!(
                "{} {:?} {} {}",
                object.url(),
                meta.e_tag,
                meta.size,
                meta.last_modified
            )),
            Self::Bytes(_) => None,
        }
    }

    /// The bytes of a range.
    ///
    /// # Errors
    /// [`ErrorKind::Precondition`] when the source has become another one.
    pub(super) async fn part(&self, transfer: &Transfer, range: Range<u64>) -> Result<PutPayload> {
        match self {
            Self::File(file) => Ok(file.read(range).await?.into()),
            Self::Bytes(bytes) => Ok(bytes.slice(range.start as usize..range.end as usize).into()),
            Self::Object(object, meta) => {
                let _request = transfer.budget.request(&object.store).await;
                let mut pieces = Pieces(Vec::new());
                transfer.read_range(object, meta, range, &mut None, &mut pieces).await?;
                Ok(pieces.0.into_iter().collect())
            }
        }
    }

    /// Whether all parts are of what the upload began with.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let Self::File(file) = self else { return Ok(()) };
        let metadata = file.file.metadata();
        let metadata =
            metadata.map_err(|e| io_error("upload", "read", FilePath::new(&*file.shown), &e))?;
        if FileState::of(&metadata) == file.state { Ok(()) } else { Err(file.changed()) }
    }
}

struct Pieces(Vec<Bytes>);

impl Accept for Pieces {
    async fn accept(&mut self, piece: Bytes) -> Result<()> {
        self.0.push(piece);
        Ok(())
    }
}
