//! From a URL to an open store.

use std::collections::HashMap;
use std::fmt;
use std::path::{Component, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

use object_store::RetryConfig;
use object_store::path::Path;
use url::Url;

use crate::aws::S3Store;
use crate::azure::AzureStore;
use crate::client::ClientOptions;
use crate::cloud::CloudOptions;
use crate::config::{ClientKey, ConfigKey, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::gcp::GcsStore;
use crate::http::HttpStore;
use crate::local::{LocalOptions, LocalStore};
use crate::memory::MemoryStore;
use crate::provider::Provider;
use crate::store::Store;
use crate::url::{Backend, StoreUrl};

/// Settings for opening a store from a URL.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Settings of the store as pairs of spelling and value; they override what the URL says.
    pub config: Vec<(String, String)>,
    /// Settings of the HTTP client.
    pub client: ClientOptions,
    /// How often and how long failed requests are repeated.
    pub retry: RetryConfig,
    /// Whether unset settings are looked up in the environment. Default true.
    pub use_env: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            config: Vec::new(),
            client: ClientOptions::default(),
            retry: RetryConfig::default(),
            use_env: true,
        }
    }
}

impl OpenOptions {
    /// Adds a setting.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }

    fn cloud<K: ConfigKey + Ord, C>(&self, url: Settings<K>) -> Result<CloudOptions<K, C>> {
        Ok(CloudOptions {
            settings: Settings::from_pairs(self.config.iter().cloned())?,
            url_settings: url,
            use_env: self.use_env,
            client: self.client.clone(),
            retry: self.retry.clone(),
            credentials: None,
        })
    }
}

/// Opens the stores of one scheme: given the URL as it was written and the options, the store and the path inside it.
pub type Opener = Arc<dyn Fn(&str, &OpenOptions) -> Result<(Store, Path)> + Send + Sync>;

/// The schemes that URLs can have: those of this crate, and those that extensions register.
#[derive(Default)]
pub struct Registry {
    openers: RwLock<HashMap<String, Opener>>,
}

static GLOBAL: LazyLock<Registry> = LazyLock::new(Registry::default);

/// Stores in memory that were opened under a name.
static NAMED: LazyLock<Mutex<HashMap<String, MemoryStore>>> = LazyLock::new(Mutex::default);

impl Registry {
    /// The registry of this process.
    pub fn global() -> &'static Self {
        &GLOBAL
    }

    /// Adds a scheme, or replaces how an added one is opened. The schemes of this crate cannot be replaced.
    pub fn register(&self, scheme: impl Into<String>, opener: Opener) {
        self.openers.write().unwrap_or_else(PoisonError::into_inner).insert(scheme.into(), opener);
    }

    /// Opens the store of a URL, without a request, and returns it with the path of the URL: a key or a prefix.
    ///
    /// The store covers the whole bucket, host or file system; [`Store::with_prefix`] narrows it to the path.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`] for what the [grammar](crate::url) does not know,
    /// [`ErrorKind::UnknownConfigurationKey`] and [`ErrorKind::Config`] for options that do not fit the store.
    pub fn open(&self, url: &str, options: &OpenOptions) -> Result<(Store, Path)> {
        let StoreUrl { backend, path, .. } = StoreUrl::parse(url)?;
        let provider: Arc<dyn Provider> = match backend {
            Backend::S3(settings) => Arc::new(S3Store::open(options.cloud(settings)?)?),
            Backend::Gcs(settings) => Arc::new(GcsStore::open(options.cloud(settings)?)?),
            Backend::Azure(settings) => Arc::new(AzureStore::open(options.cloud(settings)?)?),
            Backend::Http(root) => {
                let mut client = options.client.clone();
                for (key, value) in &options.config {
                    client.set(ClientKey::parse(key)?, value)?;
                }
                Arc::new(HttpStore::open(root.as_str(), client, options.retry.clone())?)
            }
            Backend::Local(path) => {
                no_settings(url, "local", options)?;
                let key = absolute(&path)?;
                return Ok((Store::new(Arc::new(LocalStore::whole())), key));
            }
            Backend::Memory(name) => {
                no_settings(url, "memory", options)?;
                Arc::new(name.map_or_else(MemoryStore::new, named))
            }
            Backend::Other(other) => return self.open_other(url, &other, options),
        };
        Ok((Store::new(provider), path))
    }

    /// Opens the store at a URL, narrowed to the URL's path. Local directories are made when `mkdir` is set.
    pub fn open_at(&self, url: &str, options: &OpenOptions, local: LocalOptions) -> Result<Store> {
        if let Backend::Local(path) = StoreUrl::parse(url)?.backend {
            no_settings(url, "local", options)?;
            return Ok(Store::new(Arc::new(LocalStore::open(path, local)?)));
        }
        let (store, path) = self.open(url, options)?;
        Ok(store.with_prefix(&path))
    }

    fn open_other(&self, input: &str, url: &Url, options: &OpenOptions) -> Result<(Store, Path)> {
        let openers = self.openers.read().unwrap_or_else(PoisonError::into_inner);
        let Some(opener) = openers.get(url.scheme()).cloned() else {
            let mut known = vec!["s3", "gs", "az", "http", "https", "file", "memory"];
            known.extend(openers.keys().map(String::as_str));
            let detail =
                format!("unknown scheme '{}'; known are {}", url.scheme(), known.join(", "));
            return Err(Error::new(ErrorKind::InvalidUrl, "open", input, detail));
        };
        drop(openers);
        opener(input, options)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let openers = self.openers.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Registry").field("added", &openers.keys().collect::<Vec<_>>()).finish()
    }
}

fn named(name: String) -> MemoryStore {
    let mut known = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(name.clone()).or_insert_with(|| MemoryStore::named(name)).clone()
}

fn no_settings(url: &str, store: &'static str, options: &OpenOptions) -> Result<()> {
    match options.config.first() {
        None => Ok(()),
        Some((key, _)) => Err(Error::new(
            ErrorKind::UnknownConfigurationKey,
            "open",
            url,
            format!("Configuration key: '{key}' is not valid for store '{store}', which has none"),
        )),
    }
}

/// The key of a file in the store of the whole file system.
fn absolute(path: &std::path::Path) -> Result<Path> {
    let failed = |detail: String| {
        Error::new(ErrorKind::InvalidPath, "open", path.display().to_string(), detail)
    };
    let absolute = std::path::absolute(path).map_err(|e| failed(e.to_string()))?;
    let mut clean = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    let text = clean.to_str().ok_or_else(|| failed("the path is not UTF-8".to_owned()))?;
    Path::parse(text.trim_start_matches('/')).map_err(|e| failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_plain_paths_below_the_root() {
        let (store, key) =
            Registry::default().open("/tmp/a/../b c%20", &OpenOptions::default()).unwrap();
        assert_eq!(key.as_ref(), "tmp/b c%20");
        assert_eq!(store.url_of(&key), "file:///tmp/b c%2520");
        let (_, again) =
            Registry::default().open(&store.url_of(&key), &OpenOptions::default()).unwrap();
        assert_eq!(again, key);
    }

    #[test]
    fn refuses_unknown_schemes_and_keys() {
        let registry = Registry::default();
        let error = registry.open("ftp://h/x", &OpenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUrl);
        assert!(error.to_string().contains("known are s3"), "{error}");
        let error =
            registry.open("s3://b", &OpenOptions::default().with("regoin", "x")).unwrap_err();
        assert!(error.to_string().contains("'region'"), "{error}");
        assert!(registry.open("memory:///", &OpenOptions::default().with("region", "x")).is_err());
    }

    #[test]
    fn an_extension_adds_a_scheme() {
        let registry = Registry::default();
        registry.register(
            "ais",
            Arc::new(|url, _| {
                let path = Path::from_url_path(url.trim_start_matches("ais://b"))?;
                Ok((Store::new(Arc::new(MemoryStore::new())), path))
            }),
        );
        assert_eq!(registry.open("ais://b/k", &OpenOptions::default()).unwrap().1.as_ref(), "k");
    }

    #[test]
    fn named_memory_is_shared() {
        let open = |url| {
            let (store, _) = Registry::default().open(url, &OpenOptions::default()).unwrap();
            store.provider().as_any().downcast_ref::<MemoryStore>().unwrap().clone()
        };
        assert!(open("memory://shared/").is_same(&open("memory://shared/x")));
        assert!(!open("memory:///").is_same(&open("memory:///")));
        let (store, key) =
            Registry::default().open("memory://shared/a/b%23", &OpenOptions::default()).unwrap();
        assert_eq!(store.url_of(&key), "memory://shared/a/b%23");
    }
}
