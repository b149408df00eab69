//! Stores that are open.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use holdall_store::object_store::path::Path;
use holdall_store::url::{Backend, StoreUrl};
use holdall_store::{OpenOptions, Registry, Store};

use crate::error::Result;

/// Stores that are open: those of one bucket and setting are opened once, whatever the number of objects.
#[derive(Default)]
pub struct Stores(Mutex<Vec<Opened>>);

impl fmt::Debug for Stores {
    // Settings hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

struct Opened {
    root: Root,
    settings: Vec<(String, String)>,
    store: Store,
}

impl Opened {
    fn is(&self, root: &Root, settings: &[(String, String)]) -> bool {
        self.root == *root && self.settings == settings
    }
}

/// What a store holds: a bucket, a container, a server. The path inside it is what differs between objects.
#[derive(PartialEq)]
enum Root {
    /// As the URL says.
    Told(Backend),
    /// As the store says, where only it knows.
    Found(String),
}

impl Stores {
    /// The store of a URL and the path of the URL in it; `options` are asked for when it is not open yet.
    ///
    /// # Errors
    /// Those of [`Registry::open`].
    pub fn open(
        &self,
        href: &str,
        settings: &[(String, String)],
        options: impl FnOnce() -> OpenOptions,
    ) -> Result<(Store, Path)> {
        let StoreUrl { backend, path, .. } = StoreUrl::parse(href)?;
        let root = match backend {
            Backend::S3(_) | Backend::Gcs(_) | Backend::Azure(_) | Backend::Http(_) => {
                Some(Root::Told(backend))
            }
            _ => None,
        };
        if let Some(root) = &root
            && let Some(known) = self.lock().iter().find(|opened| opened.is(root, settings))
        {
            return Ok((known.store.clone(), path));
        }
        let mut options = options();
        options.config.extend_from_slice(settings);
        let (fresh, path) = Registry::global().open(href, &options)?;
        let root = root.unwrap_or_else(|| Root::Found(fresh.url()));
        let mut stores = self.lock();
        if let Some(known) = stores.iter().find(|opened| opened.is(&root, settings)) {
            return Ok((known.store.clone(), path));
        }
        stores.push(Opened { root, settings: settings.to_vec(), store: fresh.clone() });
        Ok((fresh, path))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Opened>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_bucket_is_opened_once_for_each_setting() {
        let (stores, asked) = (Stores::default(), Cell::new(0));
        let open = |href: &str, region: &str| {
            let settings = [("region".to_owned(), region.to_owned())];
            let options = || {
                asked.set(asked.get() + 1);
                OpenOptions::default()
            };
            stores.open(href, &settings, options).unwrap().1.to_string()
        };
        assert_eq!(open("s3://a/x/1.tif", "eu-west-1"), "x/1.tif");
        assert_eq!(open("s3://a/x/2.tif", "eu-west-1"), "x/2.tif");
        assert_eq!(asked.get(), 1);
        open("s3://a/x/1.tif", "us-west-2");
        open("s3://b/x/1.tif", "eu-west-1");
        assert_eq!(asked.get(), 3);
    }
}
