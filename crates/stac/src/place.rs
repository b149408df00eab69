//! Where files are put: a local directory or a place in any store.

use std::path::{Path as FsPath, PathBuf};

use holdall_store::object_store::path::Path;
use holdall_store::url::{Backend, StoreUrl};
use holdall_store::{OpenOptions, Registry, Store};

use crate::error::Result;
use crate::stores::Stores;

/// A directory or a file: local, or in a store.
#[derive(Debug, Clone)]
pub enum Place {
    /// A local path, absolute or relative to the working directory.
    Local(PathBuf),
    /// A key or a prefix in a store.
    Store(Store, Path),
}

impl Place {
    /// The place of a URL or a plain path.
    ///
    /// # Errors
    /// Those of [`Registry::open`].
    pub fn open(text: &str, options: &OpenOptions) -> Result<Self> {
        if let Backend::Local(path) = StoreUrl::parse(text)?.backend {
            return Ok(Self::Local(path));
        }
        let (store, path) = Registry::global().open(text, options)?;
        Ok(Self::Store(store, path))
    }

    /// The same for one of many places, with settings for those that are in stores.
    ///
    /// # Errors
    /// Those of [`Registry::open`].
    pub fn open_among(stores: &Stores, text: &str, settings: &[(String, String)]) -> Result<Self> {
        let settings = match StoreUrl::parse(text)?.backend {
            Backend::Local(path) => return Ok(Self::Local(path)),
            Backend::Memory(_) => &[],
            _ => settings,
        };
        let (store, path) = stores.open(text, settings, OpenOptions::default)?;
        Ok(Self::Store(store, path))
    }

    /// The place of `name` below this one; `name` may have slashes.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.join(name)),
            Self::Store(store, prefix) => {
                let segments = prefix.as_ref().split('/').chain(name.split('/'));
                let segments = segments.filter(|part| !part.is_empty() && *part != ".");
                let key = segments.collect::<Vec<_>>().join("/");
                // A key is what it is called: only what no key can be is written otherwise.
                let key = Path::parse(&key).unwrap_or_else(|_| Path::from(key));
                Self::Store(store.clone(), key)
            }
        }
    }

    /// How documents name this place: a path as it was given, or a URL.
    pub fn href(&self) -> String {
        match self {
            Self::Local(path) => path.to_string_lossy().into_owned(),
            Self::Store(store, path) => store.url_of(path),
        }
    }

    /// How documents elsewhere name this place: an absolute path, or a URL.
    pub fn absolute_href(&self) -> String {
        match self {
            Self::Local(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                path.to_string_lossy().into_owned()
            }
            Self::Store(..) => self.href(),
        }
    }

    /// The local path, if it is one.
    pub fn local(&self) -> Option<&FsPath> {
        match self {
            Self::Local(path) => Some(path),
            Self::Store(..) => None,
        }
    }

    /// The key of this place below `outer`; `None` where it is not below it.
    pub(crate) fn key_below(&self, outer: &Self) -> Option<String> {
        let key = match (self, outer) {
            (Self::Local(path), Self::Local(outer)) => {
                path.strip_prefix(outer).ok()?.to_string_lossy().into_owned()
            }
            (Self::Store(_, key), Self::Store(_, outer)) => {
                key.as_ref().strip_prefix(outer.as_ref())?.strip_prefix('/')?.to_owned()
            }
            _ => return None,
        };
        Some(key).filter(|key| !key.is_empty())
    }

    /// What tells two places below one directory apart.
    pub(crate) fn identity(&self) -> Identity {
        match self {
            Self::Local(path) => Identity::Local(path.clone()),
            Self::Store(store, path) => Identity::Store(store.url_of(path)),
        }
    }
}

/// See [`Place::identity`]. Paths are the same when their segments are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    Local(PathBuf),
    Store(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_keys_as_they_are() {
        let open = |text: &str| Place::open(text, &OpenOptions::default()).unwrap();
        let place = open("memory://places/pre fix/%C3%BC").join("./ä #1?/100%/~a[1]{2}.tif");
        let Place::Store(_, key) = &place else { panic!("{place:?}") };
        assert_eq!(key.as_ref(), "pre fix/ü/ä #1?/100%/~a[1]{2}.tif");
        assert_eq!(open(&place.href()).identity(), place.identity());
    }
}
