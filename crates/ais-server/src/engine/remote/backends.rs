//! Which backends this server may use, and from a bucket to its store.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use holdall_ais_wire::bucket::{Bck, Provider};
use holdall_ais_wire::props::BucketProps;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{BackoffConfig, RetryConfig};
use holdall_store::{ErrorKind, OpenOptions, Opener, Registry, Store};
use serde_json::Value;

use crate::error::{Error, Result};

/// Requests to a backend are repeated for this long at most: whoever asked this server waits meanwhile.
const RETRIES: Duration = Duration::from_secs(20);

/// The backends that a server may use; by default none.
///
/// Stores are opened by URL, so that this crate knows no provider: `s3://`, `gs://`, `az://`, `https://`, and `ais://` for other
/// clusters, which an extension of the registry brings. A bucket of `ht` says its URL in its properties.
#[derive(Clone, Default)]
pub struct Backends {
    opener: Option<Opener>,
    enabled: BTreeMap<Provider, Vec<(String, String)>>,
    clusters: BTreeMap<String, Vec<(String, String)>>,
}

/// A backend and its settings, as text: `aws`, `aws,endpoint=http://localhost:9000,region=us-east-1`,
/// `ais,alias=west,endpoint=http://west:8080`.
///
/// Settings are those of holdall's stores; what they do not say is the environment's to say, as for every other program
/// (`AWS_ACCESS_KEY_ID`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_KEY`, …). Secrets belong there.
#[derive(Clone, PartialEq, Eq)]
pub struct Backend {
    provider: Provider,
    alias: String,
    settings: Vec<(String, String)>,
}

impl Backend {
    /// A backend by its name (`aws`, `gcp`, `azure`, `ht`, `ais`) and settings. Another cluster (`ais`) needs `alias` and
    /// `endpoint` among them.
    ///
    /// # Errors
    ///
    /// When there is no such backend, or a setting is missing. The text has no setting's value.
    pub fn new(
        name: &str,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, String> {
        let provider: Provider = match name {
            "" => return Err("the name of a backend is missing: aws, gcp, azure, ht or ais".into()),
            name => name.parse().map_err(|_| {
                format!("unknown backend \"{name}\": expecting aws, gcp, azure, ht or ais")
            })?,
        };
        if provider == Provider::Oci {
            return Err("there is no backend for oci: reach it as aws, by its S3 endpoint".into());
        }
        let mut settings: Vec<_> = settings.into_iter().collect();
        let alias =
            settings.iter().position(|(key, _)| key == "alias" && provider == Provider::Ais);
        let alias = alias.map(|at| settings.remove(at).1).unwrap_or_default();
        if provider == Provider::Ais
            && (alias.is_empty() || !settings.iter().any(|(key, _)| key == "endpoint"))
        {
            return Err(
                "another cluster needs a name and a URL: ais,alias=NAME,endpoint=URL".to_owned()
            );
        }
        Ok(Self { provider, alias, settings })
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let settings = parts.filter(|part| !part.is_empty()).map(|part| {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| format!("the setting of {name} is no KEY=VALUE"))?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        });
        Self::new(name, settings.collect::<Result<Vec<_>, String>>()?)
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Settings may be secret.
        f.debug_struct("Backend")
            .field("provider", &self.provider)
            .field("alias", &self.alias)
            .field("settings", &self.settings.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends")
            .field("enabled", &self.enabled.keys().collect::<Vec<_>>())
            .field("clusters", &self.clusters.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Backends {
    /// Backends whose stores this registry opens.
    pub fn of(registry: &'static Registry) -> Self {
        Self::with_opener(Arc::new(|url, options| registry.open(url, options)))
    }

    /// Backends whose stores this function opens, given a URL and settings.
    pub fn with_opener(opener: Opener) -> Self {
        Self { opener: Some(opener), ..Self::default() }
    }

    /// The same with one more backend.
    #[must_use]
    pub fn with(mut self, backend: Backend) -> Self {
        let Backend { provider, alias, settings } = backend;
        match provider {
            Provider::Ais => self.clusters.insert(alias, settings),
            provider => self.enabled.insert(provider, settings),
        };
        self
    }

    /// Checks that there are such settings, before the first bucket needs them.
    ///
    /// # Errors
    ///
    /// When a backend does not know one of its settings.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(opener) = &self.opener else { return Ok(()) };
        let clouds = self.enabled.iter().map(|(provider, settings)| (*provider, "", settings));
        let clusters = self.clusters.iter().map(|(alias, all)| (Provider::Ais, &**alias, all));
        for (provider, alias, settings) in clouds.chain(clusters) {
            let scheme = if provider == Provider::Ht { "https" } else { provider.scheme() };
            // What else is missing, a bucket's own properties may say.
            if let Err(error) = opener(&format!("{scheme}://any/"), &options(settings.clone()))
                && error.kind() == ErrorKind::UnknownConfigurationKey
            {
                let name = format!("{provider} {alias}");
                let text = format!("backend {}: {error}", name.trim_end());
                return Err(Error::invalid(text));
            }
        }
        Ok(())
    }

    /// Whether buckets of this provider can be reached.
    pub fn has(&self, provider: Provider) -> bool {
        self.opener.is_some() && self.enabled.contains_key(&provider)
    }

    /// The providers that can be reached.
    pub fn providers(&self) -> impl Iterator<Item = Provider> {
        self.enabled.keys().copied().filter(|_| self.opener.is_some())
    }

    /// Other clusters: their aliases and settings.
    pub(super) fn clusters(&self) -> &BTreeMap<String, Vec<(String, String)>> {
        &self.clusters
    }

    /// Whether other clusters can be reached at all.
    pub(super) fn reaches_clusters(&self) -> bool {
        self.opener.is_some()
    }

    /// Opens the store of a bucket of a cloud, with what the properties say of it.
    ///
    /// # Errors
    ///
    /// When there is no such backend, or a setting cannot be.
    pub(super) fn open(&self, bck: &Bck, props: &BucketProps) -> Result<Store> {
        let Some(settings) = self.enabled.get(&bck.provider) else {
            return Err(missing(bck.provider));
        };
        let mut pairs = settings.clone();
        for (key, value) in said(bck.provider, &props.extra) {
            pairs.retain(|(name, _)| *name != key);
            pairs.push((key, value));
        }
        let url = match bck.provider {
            Provider::Ht => original_url(props).ok_or_else(|| {
                Error::invalid(format!(
                    "bucket \"{bck}\" has no URL: set its property extra.http.original_url"
                ))
            })?,
            provider => format!("{}://{}/", provider.scheme(), bck.name),
        };
        self.open_url(bck, &url, pairs)
    }

    /// Opens the store of a bucket of another cluster.
    pub(super) fn open_ais(&self, bck: &Bck, settings: &[(String, String)]) -> Result<Store> {
        let namespace = &bck.namespace.name;
        let url = match namespace.is_empty() {
            true => format!("ais://{}/", bck.name),
            false => format!("ais://%23{namespace}/{}/", bck.name).replace("%23", "#"),
        };
        self.open_url(bck, &url, settings.to_vec())
    }

    fn open_url(&self, bck: &Bck, url: &str, pairs: Vec<(String, String)>) -> Result<Store> {
        let opener = self.opener.as_ref().ok_or_else(|| missing(bck.provider))?;
        let plain =
            bck.provider != Provider::Ais && !pairs.iter().any(|(key, _)| key == "allow_http");
        let mut options = options(pairs);
        if plain {
            // Who runs the server has chosen its endpoints.
            options = options.with("allow_http", "true");
        }
        let (store, path): (Store, Path) = opener(url, &options)
            .map_err(|e| Error::invalid(format!("cannot open bucket \"{bck}\": {e}")))?;
        Ok(store.with_prefix(&path))
    }
}

fn options(settings: Vec<(String, String)>) -> OpenOptions {
    let mut options = OpenOptions::default();
    options.retry =
        RetryConfig { backoff: BackoffConfig::default(), max_retries: 4, retry_timeout: RETRIES };
    settings.into_iter().fold(options, |options, (key, value)| options.with(key, value))
}

/// The URL that a bucket of `ht` stands for.
pub(super) fn original_url(props: &BucketProps) -> Option<String> {
    let url = props.extra.get("http")?.get("original_url")?.as_str()?;
    (!url.is_empty()).then(|| url.trim_end_matches('/').to_owned())
}

/// What the properties of a bucket say of its backend, by the names of holdall's settings.
fn said(provider: Provider, extra: &Value) -> Vec<(String, String)> {
    const NAMES: [(Provider, &str, &str, &str); 8] = [
        (Provider::Aws, "aws", "endpoint", "endpoint"),
        (Provider::Aws, "aws", "profile", "profile"),
        (Provider::Aws, "aws", "cloud_region", "region"),
        (Provider::Gcp, "gcp", "application_creds", "application_credentials"),
        (Provider::Gcp, "gcp", "endpoint", "base_url"),
        (Provider::Azure, "azure", "endpoint", "endpoint"),
        (Provider::Azure, "azure", "account_name", "account_name"),
        (Provider::Aws, "aws", "skip_signature", "skip_signature"),
    ];
    let value = |group: &str, name: &str| {
        let value = extra.get(group)?.get(name)?;
        match value {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Bool(yes) => Some(yes.to_string()),
            _ => None,
        }
    };
    NAMES
        .iter()
        .filter(|(of, ..)| *of == provider)
        .filter_map(|(_, group, name, key)| Some(((*key).to_owned(), value(group, name)?)))
        .collect()
}

/// The error for a provider that the server has no backend for.
pub(crate) fn missing(provider: Provider) -> Error {
    let name = match provider {
        Provider::Aws => "AWS",
        Provider::Azure => "Azure",
        Provider::Gcp => "GCP",
        Provider::Oci => "OCI",
        Provider::Ais | Provider::Ht => provider.as_str(),
    };
    Error::invalid(format!("{name} backend is missing in the cluster configuration"))
        .with_code("ErrMissingBackend")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_as_text() {
        let aws: Backend = "aws,endpoint=http://h:1,region=r".parse().unwrap();
        assert_eq!(aws.provider, Provider::Aws);
        assert_eq!(aws.settings.len(), 2);
        let ais: Backend = "ais,alias=west,endpoint=http://h:1".parse().unwrap();
        assert_eq!((ais.alias.as_str(), ais.settings.len()), ("west", 1));
        for bad in ["", "x", "aws,endpoint", "ais", "ais,alias=a", "oci"] {
            assert!(bad.parse::<Backend>().is_err(), "{bad}");
        }
        let secret: Backend = "aws,secret_access_key=hidden".parse().unwrap();
        assert!(!format!("{secret:?}").contains("hidden"));
    }
}
