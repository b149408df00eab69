//! From the words of the command line to stores and keys.

use std::fs::File;
use std::path::PathBuf;
use std::pin::Pin;

use anyhow::{Result, bail};
use futures::Stream;
use futures::stream::Peekable;
use holdall::store::local::{has_no_length, real_path};
use holdall::store::object_store::ObjectStoreExt;
use holdall::store::object_store::path::Path;
use holdall::store::transfer::Filter;
use holdall::store::url::{Backend, StoreUrl};
use holdall::store::{OpenOptions, Registry, Store};

use crate::args::{Common, FilterArgs};

/// Which end of a transfer a place is; settings can be for one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Only,
    Source,
    Target,
}

/// A place: a store and a key or prefix in it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) path: Path,
    /// Whether it was written as a directory, or is an existing local one.
    pub(crate) is_dir: bool,
    /// The local file or directory it names.
    local: Option<PathBuf>,
}

impl Place {
    pub(crate) fn open(text: &str, end: End, common: &Common, registry: &Registry) -> Result<Self> {
        if text == "-" {
            bail!("standard input and output (`-`) do not fit here");
        }
        let url = StoreUrl::parse(text)?;
        let mut options = OpenOptions::default();
        let is_local = matches!(url.backend, Backend::Local(_) | Backend::Memory(_));
        // Settings for "the stores" mean those that have any; settings of one end are checked there.
        if !is_local {
            options.config.extend(common.config.iter().cloned());
        }
        match end {
            End::Only => {
                options.config.extend(common.source_config.iter().cloned());
                options.config.extend(common.target_config.iter().cloned());
            }
            End::Source => options.config.extend(common.source_config.iter().cloned()),
            End::Target => options.config.extend(common.target_config.iter().cloned()),
        }
        let is_dir = match &url.backend {
            Backend::Local(path) => url.trailing_slash || path.is_dir(),
            _ => url.trailing_slash,
        };
        let (store, path) = registry.open(text, &options)?;
        if is_cut(text, &url.backend) {
            bail!(
                "what follows `?` or `#` is no part of the key in {}: write %3F and %23 for these characters of a key",
                store.url_of(&path)
            );
        }
        let local = match url.backend {
            Backend::Local(path) => Some(path),
            _ => None,
        };
        Ok(Self { store, path, is_dir, local })
    }

    /// The directory that holds the place.
    pub(crate) fn parent(&self) -> Self {
        Self {
            store: self.store.clone(),
            path: self.path.parent().unwrap_or_default(),
            is_dir: true,
            local: self.local.as_deref().and_then(std::path::Path::parent).map(Into::into),
        }
    }

    /// The URL, without credentials.
    pub(crate) fn url(&self) -> String {
        self.store.url_of(&self.path)
    }

    /// The store below the place.
    pub(crate) fn below(&self) -> Store {
        self.store.with_prefix(&self.path)
    }

    /// Whether there is an object of exactly this key.
    pub(crate) async fn is_object(&self) -> Result<bool> {
        if self.is_dir || self.path.as_ref().is_empty() {
            return Ok(false);
        }
        match self.store.head(&self.path).await {
            Ok(_) => Ok(true),
            Err(holdall::store::object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.store.error("stat", &self.path, error).into()),
        }
    }

    /// What a recursive command finds here.
    pub(crate) async fn found(&self) -> Result<Found> {
        match self.below().has_objects(None).await? {
            true => Ok(Found::Below),
            false => self.found_nothing_below().await,
        }
    }

    /// The same for a command that lists what is below in any case: the first page is asked for once. An error of the listing
    /// stays in it.
    pub(crate) async fn found_by<S: Stream + Unpin>(
        &self,
        listing: &mut Peekable<S>,
    ) -> Result<Found> {
        match Pin::new(listing).peek().await {
            Some(_) => Ok(Found::Below),
            None => self.found_nothing_below().await,
        }
    }

    async fn found_nothing_below(&self) -> Result<Found> {
        if self.is_object().await? {
            return Ok(Found::Object);
        }
        // Stores have no empty directories: a prefix with a slash or the root of a store is taken at its word.
        // But for the markers of directories, which say that there is one.
        let is_empty = match &self.local {
            Some(path) => path.is_dir(),
            None => {
                self.is_dir
                    || self.path.as_ref().is_empty()
                    || self.below().has_objects(None).await?
            }
        };
        Ok(if is_empty { Found::Empty } else { Found::Nothing })
    }

    /// Where it is once links are followed, for local files and directories; they need not exist.
    fn real(&self, name: Option<&str>) -> Option<PathBuf> {
        let path = self.local.as_deref()?;
        match name {
            Some(name) => real_path(&path.join(name)),
            None => real_path(path),
        }
    }

    /// Whether it is the same local file as another place, or as `name` in it.
    pub(crate) fn is_same_file(&self, other: &Self, name: Option<&str>) -> bool {
        self.real(None).is_some_and(|real| other.real(name) == Some(real))
    }

    /// Whether it is an existing local directory.
    pub(crate) fn is_local_dir(&self) -> bool {
        self.local.as_deref().is_some_and(std::path::Path::is_dir)
    }

    /// Whether it is the root of the local file system.
    pub(crate) fn is_local_root(&self) -> bool {
        self.local.is_some() && self.path.as_ref().is_empty()
    }

    /// The local file, where its length is not known before it is read: a pipe, a device, what the system makes in `/proc`.
    pub(crate) fn unmeasured(&self) -> Option<&std::path::Path> {
        let path = self.local.as_deref()?;
        let metadata = std::fs::metadata(path).ok()?;
        let is_measured = match metadata.is_file() {
            true => {
                metadata.len() > 0 || !File::open(path).is_ok_and(|f| has_no_length(&f, &metadata))
            }
            false => metadata.is_dir(),
        };
        (!is_measured).then_some(path)
    }

    /// The symbolic link that leads from this local directory to the object of a relative key, out of the directory
    /// perhaps: what is behind it is listed and read, but not deleted.
    pub(crate) fn link_above(&self, key: &Path) -> Option<PathBuf> {
        let mut dir = self.local.clone()?;
        let (parents, _) = key.as_ref().rsplit_once('/')?;
        parents.split('/').find_map(|segment| {
            dir.push(segment);
            dir.is_symlink().then(|| dir.clone())
        })
    }

    /// The last segment of the key.
    pub(crate) fn name(&self) -> Result<&str> {
        match self.path.filename() {
            Some(name) => Ok(name),
            None => bail!("{} is the root of a store, not an object", self.url()),
        }
    }
}

/// Whether a URL has a query or fragment that its store does not use: the key would be another one than was written, and
/// `rm file:///a#1` would delete `a`. HTTP servers get the query.
fn is_cut(text: &str, backend: &Backend) -> bool {
    match backend {
        Backend::Local(_) => {
            let is_url = text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
            is_url && text.contains(['?', '#'])
        }
        Backend::Http(_) => text.contains('#'),
        Backend::Other(_) => false,
        _ => text.contains(['?', '#']),
    }
}

/// What a recursive command finds at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Objects below it; an object of exactly this key is another place then.
    Below,
    /// One object of exactly this key.
    Object,
    /// An empty directory, as far as there are such.
    Empty,
    /// Nothing.
    Nothing,
}

/// The key of `name` below `prefix`. (`Path::join` would encode characters such as `#`, which keys keep.)
pub(crate) fn child(prefix: &Path, name: &str) -> Result<Path> {
    Ok(Path::parse(format!("{prefix}/{name}"))?)
}

/// The filter of the command line: inclusions first.
pub(crate) fn filter(args: &FilterArgs) -> Result<Filter> {
    let mut filter = Filter::new();
    for pattern in &args.include {
        filter = filter.include(pattern)?;
    }
    for pattern in &args.exclude {
        filter = filter.exclude(pattern)?;
    }
    Ok(filter)
}
