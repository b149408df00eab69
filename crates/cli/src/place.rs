//! From the words of the command line to stores and keys.

use anyhow::{Result, bail};
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
        Ok(Self { store, path, is_dir })
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

    /// The last segment of the key.
    pub(crate) fn name(&self) -> Result<&str> {
        match self.path.filename() {
            Some(name) => Ok(name),
            None => bail!("{} is the root of a store, not an object", self.url()),
        }
    }
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
