//! Settings of a connection pool.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::{ClientKey, ConfigKey, parse_bool, parse_duration};
use crate::error::{Error, ErrorKind, Result};

/// Settings of a connection pool; equal settings share one pool.
///
/// Defaults: HTTP/1.1, TLS with the system's authorities, 5 s to connect, 30 s of silence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Accept plain `http://` endpoints. Default false.
    pub allow_http: bool,
    /// Accept any certificate. Unsafe. Default false.
    pub allow_invalid_certificates: bool,
    /// Trust only `root_certificate`. Default false.
    pub no_system_certificates: bool,
    /// Longest wait for a connection; `None` waits as long as the system does. Default 5 s.
    pub connect_timeout: Option<Duration>,
    /// Longest silence of a request in any of its phases; `None` waits for ever. Default 30 s. Services that copy, or join
    /// the parts of an upload, are given twenty times as long to answer.
    pub timeout: Option<Duration>,
    /// Longest silence while a body is received; `None` means `timeout`.
    pub read_timeout: Option<Duration>,
    /// Content type of objects written without one.
    pub default_content_type: Option<String>,
    /// Headers sent with every request, as pairs of name and value.
    pub default_headers: Vec<(String, Vec<u8>)>,
    /// Speak HTTP/1.1 only. Default true.
    pub http1_only: bool,
    /// Speak HTTP/2 only. Default false.
    pub http2_only: bool,
    /// Time between HTTP/2 pings.
    pub http2_keep_alive_interval: Option<Duration>,
    /// Longest wait for the answer to a ping.
    pub http2_keep_alive_timeout: Option<Duration>,
    /// Ping idle connections too.
    pub http2_keep_alive_while_idle: bool,
    /// Largest HTTP/2 frame in bytes.
    pub http2_max_frame_size: Option<u32>,
    /// How long an idle connection is kept; `None` means 90 s.
    pub pool_idle_timeout: Option<Duration>,
    /// Most idle connections per host; `None` means no limit.
    pub pool_max_idle_per_host: Option<usize>,
    /// Proxy for all requests; `None` uses the environment's.
    pub proxy_url: Option<String>,
    /// PEM certificate of the proxy's authority.
    pub proxy_ca_certificate: Option<String>,
    /// Hosts reached without the proxy, separated by commas.
    pub proxy_excludes: Option<String>,
    /// Connect to the addresses of a host in random order. Default true.
    pub randomize_addresses: bool,
    /// PEM bundle of additional authorities.
    pub root_certificate: Option<String>,
    /// The User-Agent header.
    pub user_agent: String,
    /// The certificate that this client shows to servers, and its key.
    pub identity: Option<ClientIdentity>,
    /// Follow redirects, with nothing that only one origin may see. Default true; clients of protocols with rules of their
    /// own for redirects set it to false and get those replies.
    pub follow_redirects: bool,
}

/// A certificate chain and its private key, both as PEM. It cannot be printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientIdentity(String);

impl ClientIdentity {
    /// An identity of a certificate chain and its key.
    pub fn new(certificates: &str, key: &str) -> Self {
        Self(format!("{}\n{}\n", certificates.trim_end(), key.trim_end()))
    }

    pub(super) fn pem(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_invalid_certificates: false,
            no_system_certificates: false,
            connect_timeout: Some(Duration::from_secs(5)),
            timeout: Some(Duration::from_secs(30)),
            read_timeout: None,
            default_content_type: None,
            default_headers: Vec::new(),
            http1_only: true,
            http2_only: false,
            http2_keep_alive_interval: None,
            http2_keep_alive_timeout: None,
            http2_keep_alive_while_idle: false,
            http2_max_frame_size: None,
            pool_idle_timeout: None,
            pool_max_idle_per_host: None,
            proxy_url: None,
            proxy_ca_certificate: None,
            proxy_excludes: None,
            randomize_addresses: true,
            root_certificate: None,
            user_agent: concat!("holdall/", env!("CARGO_PKG_VERSION")).to_owned(),
            identity: None,
            follow_redirects: true,
        }
    }
}

impl ClientOptions {
    /// Reads pairs of spelling and value over the defaults. The same key twice is an error.
    pub fn from_pairs<S: AsRef<str>>(pairs: impl IntoIterator<Item = (S, String)>) -> Result<Self> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for (spelling, value) in pairs {
            let key = ClientKey::parse(spelling.as_ref())?;
            if seen.contains(&key) {
                let detail = format!("Duplicate key '{}'", spelling.as_ref());
                return Err(Error::new(ErrorKind::Config, "configure", spelling.as_ref(), detail));
            }
            seen.push(key);
            options.set(key, &value)?;
        }
        Ok(options)
    }

    /// Sets one value from its text.
    pub fn set(&mut self, key: ClientKey, value: &str) -> Result<()> {
        let name = key.name();
        let flag = || parse_bool(name, value);
        let time = || parse_duration(name, value).map(Some);
        let text = || Some(value.to_owned());
        match key {
            ClientKey::AllowHttp => self.allow_http = flag()?,
            ClientKey::AllowInvalidCertificates => self.allow_invalid_certificates = flag()?,
            ClientKey::NoSystemCertificates => self.no_system_certificates = flag()?,
            ClientKey::ConnectTimeout => self.connect_timeout = time()?,
            ClientKey::Timeout => self.timeout = time()?,
            ClientKey::ReadTimeout => self.read_timeout = time()?,
            ClientKey::DefaultContentType => self.default_content_type = text(),
            ClientKey::DefaultHeaders => self.set_headers(value)?,
            ClientKey::Http1Only => self.http1_only = flag()?,
            ClientKey::Http2Only => {
                self.http2_only = flag()?;
                self.http1_only &= !self.http2_only;
            }
            ClientKey::Http2KeepAliveInterval => self.http2_keep_alive_interval = time()?,
            ClientKey::Http2KeepAliveTimeout => self.http2_keep_alive_timeout = time()?,
            ClientKey::Http2KeepAliveWhileIdle => self.http2_keep_alive_while_idle = flag()?,
            ClientKey::Http2MaxFrameSize => self.http2_max_frame_size = Some(number(name, value)?),
            ClientKey::PoolIdleTimeout => self.pool_idle_timeout = time()?,
            ClientKey::PoolMaxIdlePerHost => {
                self.pool_max_idle_per_host = Some(number(name, value)?);
            }
            ClientKey::ProxyUrl => self.proxy_url = text(),
            ClientKey::ProxyCaCertificate => self.proxy_ca_certificate = text(),
            ClientKey::ProxyExcludes => self.proxy_excludes = text(),
            ClientKey::RandomizeAddresses => self.randomize_addresses = flag()?,
            ClientKey::RootCertificate => self.root_certificate = text(),
            ClientKey::UserAgent => self.user_agent = value.to_owned(),
        }
        Ok(())
    }

    /// Adds a header sent with every request.
    pub fn add_header(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let bad = |what: &str| {
            Error::new(
                ErrorKind::Config,
                "configure",
                "default_headers",
                format!("'{name}': {what}"),
            )
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| bad(&e.to_string()))?;
        HeaderValue::from_bytes(value).map_err(|e| bad(&e.to_string()))?;
        self.default_headers.push((name.as_str().to_owned(), value.to_owned()));
        Ok(())
    }

    /// Text form of headers: one `Name: value` per line.
    fn set_headers(&mut self, text: &str) -> Result<()> {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "configure",
                    "default_headers",
                    "expected one `Name: value` per line",
                )
            })?;
            self.add_header(name.trim(), value.trim().as_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn header_map(&self) -> HeaderMap {
        self.default_headers
            .iter()
            .filter_map(|(name, value)| {
                Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value).ok()?))
            })
            .collect()
    }

    /// The same settings for the clients of `object_store`, which read content types, headers and `allow_http` from
    /// it; the connection itself comes from [`SharedConnector`](super::SharedConnector).
    pub(crate) fn to_object_store(&self) -> object_store::ClientOptions {
        let mut options = object_store::ClientOptions::new()
            .with_allow_http(self.allow_http)
            .with_default_headers(self.header_map());
        if let Some(mime) = &self.default_content_type {
            options = options.with_default_content_type(mime);
        }
        match self.connect_timeout {
            Some(time) => options.with_connect_timeout(time),
            None => options.with_connect_timeout_disabled(),
        }
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| {
        Error::new(ErrorKind::Config, "configure", name, format!("'{value}' is not a whole number"))
    })
}
