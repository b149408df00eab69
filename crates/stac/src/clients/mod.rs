//! From an href to its bytes: which client, which credentials.

mod answer;
mod earthdata;
mod guard;
mod headers;
mod hints;
mod netrc;
mod oauth2;
mod planetary_computer;
mod s3;
mod signed_url;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use holdall_store::client::{ClientOptions, shared_client};
use holdall_store::object_store::client::HttpClient;
use holdall_store::object_store::{BackoffConfig, RetryConfig};
use holdall_store::url::{Backend, StoreUrl};
use holdall_store::{OpenOptions, Registry};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use url::Url;

pub(crate) use guard::{Guard, Renewal, as_login};
pub use hints::{AuthScheme, Hints};
pub use signed_url::{SigningFlow, SigningParameter};

use self::headers::{apply, basic, bearer, header_map};
use crate::config::{ClientConfig, Credential};
use crate::directory::{self, Found};
use crate::error::{Error, ErrorKind, Result};
use crate::href;
use crate::plan::Location;
use crate::stores::Stores;
use crate::transport::{HttpSource, Source};

/// Which client reads an href.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientKind {
    /// Plain HTTP.
    Http,
    /// S3.
    S3,
    /// Local files.
    Filesystem,
    /// Azure blobs of the Planetary Computer, with its tokens.
    PlanetaryComputer,
    /// NASA's Earthdata.
    Earthdata,
    /// Any other store that the registry knows.
    Store,
}

impl ClientKind {
    /// The names that options use.
    pub const NAMES: [&'static str; 6] =
        ["http", "s3", "filesystem", "planetary-computer", "earthdata", "store"];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::S3 => "s3",
            Self::Filesystem => "filesystem",
            Self::PlanetaryComputer => "planetary-computer",
            Self::Earthdata => "earthdata",
            Self::Store => "store",
        }
    }

    /// The client of a name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an unknown one; the message lists those that are known.
    pub fn of_name(name: &str) -> Result<Self> {
        Ok(match name {
            "http" => Self::Http,
            "s3" => Self::S3,
            "filesystem" => Self::Filesystem,
            "planetary-computer" => Self::PlanetaryComputer,
            "earthdata" => Self::Earthdata,
            "store" => Self::Store,
            _ => {
                let detail =
                    format!("no client with name: {name}; known are {}", Self::NAMES.join(", "));
                return Err(Error::new(ErrorKind::Config, "choose client", "", detail));
            }
        })
    }

    /// The client that fits an href.
    ///
    /// # Errors
    /// [`ErrorKind::Href`] for a scheme that nobody knows.
    pub fn of_href(href: &str) -> Result<Self> {
        let Some(scheme) = href::scheme(href) else { return Ok(Self::Filesystem) };
        Ok(match scheme.as_str() {
            "file" => Self::Filesystem,
            "s3" | "s3a" => Self::S3,
            "http" | "https" => {
                let host = href::host(href).unwrap_or_default();
                match scheme.as_str() {
                    _ if host.ends_with(planetary_computer::BLOBS) => Self::PlanetaryComputer,
                    "https" if earthdata::is_host(&host) => Self::Earthdata,
                    _ => Self::Http,
                }
            }
            "gs" | "gcs" | "az" | "azure" | "adl" | "abfs" | "abfss" | "memory" => Self::Store,
            // Without slashes it would be taken for a path.
            _ if href.contains("://")
                && Registry::global().open(href, &OpenOptions::default()).is_ok() =>
            {
                Self::Store
            }
            _ => {
                let detail = format!(
                    "could not guess client class for href: no client or store knows the scheme '{scheme}'"
                );
                return Err(Error::new(ErrorKind::Href, "choose client", href, detail));
            }
        })
    }
}

/// All clients of a run: connections, stores and tokens are shared between the assets.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

struct Inner {
    config: ClientConfig,
    http: HttpClient,
    options: ClientOptions,
    headers: HeaderMap,
    stores: Stores,
    s3: s3::Machine,
    sas: planetary_computer::Tokens,
    earthdata: earthdata::Tokens,
    oauth2: Option<oauth2::Tokens>,
    signed: signed_url::Cache,
    guard: Guard,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Clients {
    /// Clients with one configuration. No request is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an unknown client, a header that cannot be sent, or an incomplete OAuth2 grant.
    pub fn new(config: ClientConfig) -> Result<Self> {
        if let Some(name) = &config.client_override {
            ClientKind::of_name(name)?;
        }
        let options = client_options(&config);
        let http = shared_client(&options)?;
        let headers = header_map(&config.http_headers)?;
        let oauth2 = config
            .oauth2
            .clone()
            .map(|oauth2| oauth2::Tokens::new(oauth2, http.clone(), config.prompt.clone()));
        let sas = planetary_computer::Tokens::new(&config, http.clone());
        let earthdata = earthdata::Tokens::new(&config, http.clone())?;
        Ok(Self(Arc::new(Inner {
            http,
            options,
            headers,
            stores: Stores::default(),
            s3: s3::Machine::default(),
            sas,
            guard: Guard::new(earthdata.login()),
            earthdata,
            oauth2: oauth2.transpose()?,
            signed: signed_url::Cache::default(),
            config,
        })))
    }

    /// The configuration.
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }

    /// The client that reads `href` under this configuration.
    pub fn kind(&self, href: &str) -> Result<ClientKind> {
        match &self.0.config.client_override {
            Some(name) => ClientKind::of_name(name),
            None => ClientKind::of_href(href),
        }
    }

    /// The ways to the bytes at `location`, best first: signed and unsigned, for example. Never empty.
    pub(crate) async fn ways(&self, location: &Location) -> Result<Vec<Source>> {
        let href = location.href.as_str();
        let kind = self.kind(href)?;
        let hints = &location.hints;
        if let Some(scheme) = signed_url::scheme(self, kind, hints) {
            return Ok(vec![Box::pin(signed_url::way(self, href, scheme)).await?]);
        }
        match kind {
            ClientKind::Filesystem => Ok(vec![self.file(href)?]),
            ClientKind::S3 => Box::pin(earthdata::s3_ways(self, href, hints)).await,
            ClientKind::Store => Box::pin(planetary_computer::store_ways(self, href, hints)).await,
            ClientKind::PlanetaryComputer => {
                Box::pin(planetary_computer::ways(self, href, hints)).await
            }
            ClientKind::Earthdata => Box::pin(earthdata::ways(self, href)).await,
            ClientKind::Http => Ok(vec![self.http(href, hints).await?]),
        }
    }

    /// The same to list what lies below `location`: what web servers of cloud services do not list, their stores do.
    pub(crate) async fn listing_ways(&self, location: &Location) -> Result<Vec<Source>> {
        let mut listing = Vec::new();
        for way in self.ways(location).await? {
            match self.behind(&way, &location.hints)? {
                Some(stores) => listing.extend(stores),
                None => listing.push(way),
            }
        }
        Ok(listing)
    }

    /// The store of a cloud service that an HTTP source reads from, with the signature of its URL.
    fn behind(&self, way: &Source, hints: &Hints) -> Result<Option<Vec<Source>>> {
        let Source::Http(http) = way else { return Ok(None) };
        let mut url = http.url.clone();
        url.set_query(None);
        Ok(match StoreUrl::parse(url.as_str()).map(|parsed| parsed.backend) {
            Ok(Backend::Azure(_)) => {
                let access = match http.url.query() {
                    Some(signature) => ("sas_key", signature),
                    None => ("skip_signature", "true"),
                };
                let access = (access.0.to_owned(), access.1.to_owned());
                Some(vec![self.store(url.as_str(), &[access])?])
            }
            Ok(Backend::S3(_)) => Some(s3::ways(self, url.as_str(), hints)?),
            _ => None,
        })
    }

    fn file(&self, href: &str) -> Result<Source> {
        let path = match href::scheme(href).as_deref() {
            Some("file") => Cow::Borrowed(href),
            None => on_disk(href),
            Some(scheme) => {
                let detail = format!(
                    "cannot read a file with the filesystem client if it has a url scheme: '{scheme}'"
                );
                return Err(Error::new(ErrorKind::Href, "open", href, detail));
            }
        };
        let (store, path) = Registry::global().open(&path, &OpenOptions::default())?;
        Ok(Source::Object { store, path, checks_type: false, advice: None })
    }

    /// An object of any store; the stores of one bucket and setting are opened once.
    pub(super) fn store(&self, href: &str, settings: &[(String, String)]) -> Result<Source> {
        let (store, path) = self.0.stores.open(href, settings, || {
            let mut options = OpenOptions::default();
            options.retry = self.retry();
            options.config.extend(self.0.config.store_settings.iter().cloned());
            options
        })?;
        Ok(Source::Object { store, path, checks_type: true, advice: None })
    }

    fn retry(&self) -> RetryConfig {
        let most = self.0.config.s3_max_attempts.max(1);
        let backoff = BackoffConfig {
            init_backoff: std::time::Duration::from_millis(100),
            max_backoff: std::time::Duration::from_secs(20),
            base: 2.0,
        };
        RetryConfig { max_retries: most as usize - 1, backoff, ..RetryConfig::default() }
    }

    async fn http(&self, href: &str, hints: &Hints) -> Result<Source> {
        let mut headers = self.0.headers.clone();
        let mut url = self.url(href)?;
        let Some(oauth2) = &self.0.oauth2 else {
            self.authenticate(&mut url, &mut headers, hints)?;
            return Ok(self.http_source(url, headers));
        };
        let token = Box::pin(oauth2.get()).await?;
        let own = bearer(&token)?;
        headers.insert(AUTHORIZATION, own.clone());
        self.authenticate(&mut url, &mut headers, hints)?;
        let is_own = headers.get(AUTHORIZATION) == Some(&own);
        let source = self.http_source(url, headers);
        Ok(if is_own { source.renewing(oauth2::renewal(self, token)) } else { source })
    }

    /// Adds what the configuration has for the schemes of an asset, or for its host.
    fn authenticate(&self, url: &mut Url, headers: &mut HeaderMap, hints: &Hints) -> Result<()> {
        let credential = |key: &str| {
            self.0.config.credentials.iter().find(|(name, _)| name == key).map(|(_, value)| value)
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        for scheme in &hints.auth {
            if let Some(found) = credential(&scheme.key) {
                return apply(found, Some(scheme), url, headers);
            }
        }
        let port = url.port_or_known_default().filter(|_| !self.0.config.credentials.is_empty());
        let of_server = port.and_then(|port| credential(&format!("{host}:{port}")));
        if let Some(found) = of_server.or_else(|| credential(&host)) {
            return apply(found, hints.auth.first(), url, headers);
        }
        let asks_basic = hints.auth.iter().any(|scheme| scheme.is_basic());
        if asks_basic
            && !headers.contains_key(AUTHORIZATION)
            && let Some((user, password)) = netrc::lookup(&host)
        {
            return apply(&Credential::Basic(user, password), None, url, headers);
        }
        Ok(())
    }

    pub(super) fn url(&self, href: &str) -> Result<Url> {
        let url = Url::parse(href)
            .map_err(|e| Error::new(ErrorKind::Href, "open", href, e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            let detail = "it is not an http or https URL, which this client reads";
            return Err(Error::new(ErrorKind::Href, "open", href, detail));
        }
        Ok(url)
    }

    pub(super) fn http_source(&self, mut url: Url, mut headers: HeaderMap) -> Source {
        // Credentials of the URL go as a header, so that they show in no log of a server.
        if !url.username().is_empty() && !headers.contains_key(AUTHORIZATION) {
            let decoded = |text: &str| {
                percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
            };
            let pair = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
            if let Ok(value) = basic(&pair.0, &pair.1) {
                headers.insert(AUTHORIZATION, value);
            }
        }
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        Source::Http(Box::new(HttpSource {
            url,
            headers,
            http: self.0.http.clone(),
            asserts_type: self.0.config.http_assert_content_type,
            attempts: self.0.config.http_max_attempts.max(1),
            client: self.0.options.clone(),
            guard: self.0.guard.clone(),
        }))
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The URL that is read for an href, with the signature that its client adds; the href itself where there is none.
    pub async fn signed(&self, location: &Location) -> Result<String> {
        let ways = self.ways(location).await?;
        Ok(match ways.into_iter().next() {
            Some(Source::Http(source)) => source.url.to_string(),
            _ => location.href.clone(),
        })
    }

    /// What is known of the object at `location`. Directories exist when there is something in them; see
    /// [`measure`](Self::measure) for their size.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn assert_exists(&self, location: &Location) -> Result<Head> {
        match directory::or_file(self, location, None, self.head(location)).await? {
            Found::File(head) => Ok(head),
            Found::Directory(_) => Ok(Head::default()),
        }
    }

    /// What is known of the object at `location`, or of all files of the directory there.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn measure(&self, location: &Location) -> Result<Head> {
        match directory::or_file(self, location, None, self.head(location)).await? {
            Found::File(head) => Ok(head),
            Found::Directory(directory) => directory.measure().await,
        }
    }

    /// What is known of the file at `location`. Directories are none.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn head(&self, location: &Location) -> Result<Head> {
        let mut first = None;
        for source in self.ways(location).await? {
            match source.head().await {
                Ok(head) => return Ok(head),
                Err(error) => first = first.or_else(|| Some(source.advise(error))),
            }
        }
        Err(first
            .unwrap_or_else(|| Error::new(ErrorKind::Href, "head", &location.href, "no way to it")))
    }
}

/// What is known of an object without its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Its length in bytes; of a directory that was counted, that of all of its files.
    pub size: Option<u64>,
    /// Its media type.
    pub media_type: Option<String>,
    /// How many files it is, for a directory that was counted.
    pub files: Option<u64>,
    /// What tells this version of a file from others, if the server says: its entity tag, or when it was written.
    pub tag: Option<String>,
}

fn client_options(config: &ClientConfig) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.allow_http = true;
    options.timeout = Some(config.http_timeout);
    options.connect_timeout = Some(config.http_timeout.min(std::time::Duration::from_secs(30)));
    options
}

/// A path as it is on the disk. Most documents name files as they are called; where none is called so, it may be encoded, as
/// hrefs are by right.
fn on_disk(path: &str) -> Cow<'_, str> {
    if !path.contains('%') || Path::new(path).exists() {
        return Cow::Borrowed(path);
    }
    match percent_decode_str(path).decode_utf8() {
        Ok(decoded) if Path::new(decoded.as_ref()).exists() => decoded,
        _ => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_href_chooses_its_client() {
        for (href, kind) in [
            ("/data/a.tif", ClientKind::Filesystem),
            ("a.tif", ClientKind::Filesystem),
            ("file:///data/a.tif", ClientKind::Filesystem),
            ("s3://b/k", ClientKind::S3),
            ("https://acc.blob.core.windows.net/c/k", ClientKind::PlanetaryComputer),
            ("https://data.lpdaac.earthdatacloud.nasa.gov/x", ClientKind::Earthdata),
            ("http://earthdata.example/x", ClientKind::Http),
            ("https://earthdata.example/x", ClientKind::Http),
            ("https://n5eil01u.ecs.nsidc.org/x", ClientKind::Earthdata),
            ("https://example.com/x", ClientKind::Http),
            ("gs://b/k", ClientKind::Store),
        ] {
            assert_eq!(ClientKind::of_href(href).unwrap(), kind, "{href}");
        }
        for href in ["urn:x:y", "mailto:a@b", "data:image/png;base64,aGk="] {
            let error = ClientKind::of_href(href).unwrap_err();
            assert!(error.to_string().contains("could not guess"), "{href}: {error}");
        }
        let error = ClientKind::of_href("ftp://h/x").unwrap_err();
        assert!(error.to_string().contains("could not guess client class"), "{error}");
    }
}
