//! Objects as files below a directory.
//!
//! * Writes go to a staged file (hidden from listings) that is renamed into place when it is whole.
//! * Listings are sorted by key.
//! * Attributes and tags are kept in extended attributes (`user.holdall.*`), on file systems that have them.
//! * Symbolic links are followed, also out of the directory.
//! * `PutMode::Update` compares the entity tag under a lock on the file (`flock`): safe among holdall processes, blind
//!   to other programs.
//!
//! The normal face runs each operation as one task of the blocking pool. The inline face
//! ([`Provider::inline`]) does its system calls on the thread that polls.

pub(crate) mod attributes;
mod lane;
mod list;
mod object_store_impl;
mod paths;
mod read;
mod upload;
mod write;

pub(crate) use attributes::write_attributes;
pub use lane::in_line;
pub(crate) use lane::{Lane, common};
pub use paths::real_path;
pub(crate) use paths::{JOURNAL, PARTIAL};
pub(crate) use read::{NOT_REGULAR, e_tag, open, read_exact};
pub use read::{has_no_length, read_at};
pub(crate) use write::{check_replaceable, rename_new, sync_parent};

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{Attributes, Result};

use crate::error::{Error, ErrorKind};
use crate::listing::Entry;
use crate::own::Own;
use crate::provider::{Provider, Tags};

/// How a directory is opened and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LocalOptions {
    /// Make the directory when it does not exist, instead of failing.
    pub mkdir: bool,
    /// Remove directories that a deletion leaves empty, up to the root.
    pub automatic_cleanup: bool,
    /// Force content and name to the disk before a write is acknowledged.
    pub fsync: bool,
}

impl LocalOptions {
    /// Sets [`mkdir`](Self::mkdir).
    #[must_use]
    pub fn with_mkdir(mut self, mkdir: bool) -> Self {
        self.mkdir = mkdir;
        self
    }

    /// Sets [`automatic_cleanup`](Self::automatic_cleanup).
    #[must_use]
    pub fn with_automatic_cleanup(mut self, automatic_cleanup: bool) -> Self {
        self.automatic_cleanup = automatic_cleanup;
        self
    }

    /// Sets [`fsync`](Self::fsync).
    #[must_use]
    pub fn with_fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }
}

/// A directory as a store.
#[derive(Clone)]
pub struct LocalStore {
    root: Arc<Root>,
    inline: bool,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    options: LocalOptions,
    /// For work that takes less time than to wake a thread.
    lane: Own<Lane>,
}

impl LocalStore {
    /// Opens the directory `root`; keys are paths relative to it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it does not exist and `mkdir` is off, [`ErrorKind::Io`] when it cannot be made or
    /// is not a directory.
    pub fn open(root: impl Into<PathBuf>, options: LocalOptions) -> crate::Result<Self> {
        let root = root.into();
        let shown = root.display().to_string();
        let failed = |kind, detail: String| Error::new(kind, "open", shown.clone(), detail);
        if options.mkdir {
            std::fs::create_dir_all(&root).map_err(|e| failed(ErrorKind::Io, e.to_string()))?;
        }
        let path = std::fs::canonicalize(&root).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => failed(
                ErrorKind::NotFound,
                "the directory does not exist; pass `mkdir` to make it".to_owned(),
            ),
            _ => failed(ErrorKind::Io, e.to_string()),
        })?;
        if !path.is_dir() {
            return Err(failed(ErrorKind::Io, "it is not a directory".to_owned()));
        }
        Ok(Self::new(path, options))
    }

    /// The whole file system: keys are absolute paths without their first slash.
    pub fn whole() -> Self {
        let path = PathBuf::from(std::path::MAIN_SEPARATOR_STR);
        Self::new(path, LocalOptions::default())
    }

    fn new(path: PathBuf, options: LocalOptions) -> Self {
        Self { root: Arc::new(Root { path, options, lane: Own::default() }), inline: false }
    }

    /// The directory.
    pub fn root(&self) -> &std::path::Path {
        &self.root.path
    }

    /// How it was opened.
    pub(crate) fn options(&self) -> LocalOptions {
        self.root.options
    }

    /// The file of a key.
    ///
    /// # Errors
    /// `InvalidPath` for the names of staged files.
    pub fn file_path(&self, location: &Path) -> Result<PathBuf> {
        self.root.file_path(location)
    }

    /// Runs `work` where this face does its system calls.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Root>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.inline {
            return work(&self.root);
        }
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || work(&root)).await?
    }

    /// The same for work with one small file.
    async fn run_short<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Root>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.inline {
            return work(&self.root);
        }
        let root = self.root.clone();
        let done = self.lane().run(move || work(&root)).await;
        done.ok_or_else(|| object_store::Error::Generic {
            store: paths::STORE,
            source: "the runtime has ended".into(),
        })?
    }

    /// Where work with one small file of this store waits for a thread.
    pub(crate) fn lane(&self) -> Arc<Lane> {
        self.root.lane.get()
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStore")
            .field("root", &self.root.path)
            .field("options", &self.root.options)
            .finish()
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location())
    }
}

#[async_trait]
impl Provider for LocalStore {
    fn scheme(&self) -> &'static str {
        "file"
    }

    fn location(&self) -> String {
        let path = self.root.path.display().to_string();
        format!("file://{}", path.trim_end_matches(std::path::is_separator))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn inline(&self) -> Option<Arc<dyn Provider>> {
        Some(Arc::new(Self { root: self.root.clone(), inline: true }))
    }

    fn entries(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<Entry>> {
        self.walk(prefix, after)
    }

    async fn get_tags(&self, location: &Path) -> Result<Tags> {
        let location = location.clone();
        self.run(move |root| {
            let (file, _) = root.open_file(&location)?;
            Ok(attributes::read(&file).1)
        })
        .await
    }

    async fn put_tags(&self, location: &Path, tags: &Tags) -> Result<()> {
        let (location, tags) = (location.clone(), tags.clone());
        self.run(move |root| {
            let (file, _) = root.open_file(&location)?;
            attributes::write_tags(&file, &tags)
        })
        .await
    }

    async fn put_attributes(&self, location: &Path, new: Attributes) -> Result<()> {
        let location = location.clone();
        self.run(move |root| {
            let (file, _) = root.open_file(&location)?;
            attributes::replace(&file, &new)
        })
        .await
    }
}
