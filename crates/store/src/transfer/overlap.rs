//! How the places of a transfer of many objects lie to each other.

use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

use crate::cache::behind;
use crate::local::{LocalStore, real_path};
use crate::store::Store;

/// How the source of a transfer of many objects lies to its target, as far as names tell: a service that is reached under
/// two names is two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlap {
    /// They have nothing in common.
    Apart,
    /// They are one place.
    Same,
    /// The target lies in the source: copies would be found as sources, without an end.
    TargetInside,
    /// The source lies in the target, below this prefix of it. What is copied there takes the place of what may still have to
    /// be read ([`TransferOptions::spared`](super::TransferOptions::spared)), and what is deleted there is the source.
    SourceInside(Path),
}

impl Overlap {
    /// What a transfer has to spare of its target for the sake of its source.
    pub fn spared(self) -> Option<Path> {
        match self {
            Self::SourceInside(prefix) => Some(prefix),
            _ => None,
        }
    }

    /// How `source` lies to `target`. Symbolic links of directories are followed.
    pub fn of(source: &Store, target: &Store) -> Self {
        let (Some(from), Some(to)) = (Place::of(source), Place::of(target)) else {
            return Self::Apart;
        };
        match (from.below(&to), to.below(&from)) {
            (Some(_), Some(_)) => Self::Same,
            (Some(prefix), None) => Self::SourceInside(prefix),
            (None, Some(_)) => Self::TargetInside,
            (None, None) => Self::Apart,
        }
    }
}

enum Place {
    Directory(PathBuf),
    Prefix { service: String, path: Path },
}

impl Place {
    fn of(store: &Store) -> Option<Self> {
        let full = store.full_path(&Path::default());
        let provider = behind(&**store.provider());
        if let Some(local) = provider.as_any().downcast_ref::<LocalStore>() {
            return Some(Self::Directory(real_path(&local.file_path(&full).ok()?)?));
        }
        let identity = provider.identity();
        // Roots of web servers may have a path.
        let root = Url::parse(&identity).ok().filter(|_| provider.scheme() == "http");
        let (service, path) = match root {
            Some(root) => {
                let above = Path::from_url_path(root.path()).ok()?;
                (root.origin().ascii_serialization(), above.parts().chain(full.parts()).collect())
            }
            None => (identity, full),
        };
        Some(Self::Prefix { service, path })
    }

    /// The way from `other` to this place, if it lies there.
    fn below(&self, other: &Self) -> Option<Path> {
        match (self, other) {
            (Self::Directory(own), Self::Directory(other)) => {
                let way = own.strip_prefix(other).ok()?;
                Path::parse(way.to_str()?).ok()
            }
            (
                Self::Prefix { service, path },
                Self::Prefix { service: other_service, path: other_path },
            ) if service == other_service => Some(path.prefix_match(other_path)?.collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::HttpStore;
    use crate::local::LocalStore;
    use crate::memory::MemoryStore;

    fn overlap(store: &Store, from: &str, to: &str) -> Overlap {
        Overlap::of(&store.with_prefix(&from.into()), &store.with_prefix(&to.into()))
    }

    fn inside(prefix: &str) -> Overlap {
        Overlap::SourceInside(Path::parse(prefix).unwrap())
    }

    #[test]
    fn prefixes_of_one_store() {
        let store = Store::new(Arc::new(MemoryStore::new()));
        assert_eq!(overlap(&store, "a/b", "a/b"), Overlap::Same);
        assert_eq!(overlap(&store, "a", "a/b/c"), Overlap::TargetInside);
        assert_eq!(overlap(&store, "a/b c/d", "a"), inside("b c/d"));
        assert_eq!(overlap(&store, "a", ""), inside("a"));
        assert_eq!(overlap(&store, "a", "ab"), Overlap::Apart);
        let other = Store::new(Arc::new(MemoryStore::new()));
        assert_eq!(Overlap::of(&store, &other), Overlap::Apart);
    }

    #[test]
    fn directories_and_links_to_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("link")).unwrap();
        let open = |below: &str| {
            let local = LocalStore::open(dir.path().join(below), Default::default()).unwrap();
            Store::new(Arc::new(local))
        };
        assert_eq!(Overlap::of(&open("a"), &open("link")), Overlap::Same);
        assert_eq!(Overlap::of(&open("a/b"), &open("link")), inside("b"));
        let below = open("").with_prefix(&"link/b/not yet".into());
        assert_eq!(Overlap::of(&open("a"), &below), Overlap::TargetInside);
        let memory = Store::new(Arc::new(MemoryStore::new()));
        assert_eq!(Overlap::of(&open("a"), &memory), Overlap::Apart);
    }

    #[test]
    fn roots_of_web_servers() {
        let open = |url: &str| {
            let http = HttpStore::open(url, Default::default(), Default::default()).unwrap();
            Store::new(Arc::new(http))
        };
        let (root, dav) = (open("https://h"), open("https://h/dav"));
        assert_eq!(Overlap::of(&dav, &root), inside("dav"));
        assert_eq!(Overlap::of(&root.with_prefix(&"dav".into()), &dav), Overlap::Same);
        assert_eq!(Overlap::of(&dav, &open("https://h:8443/dav")), Overlap::Apart);
    }
}
