//! Settings of a client: in code, from the environment, and as pairs of text.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use holdall_ais_wire::value::truthy;
use holdall_store::client::{ClientIdentity, ClientOptions};
use holdall_store::object_store::{BackoffConfig, RetryConfig};
use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// Where AIStore listens unless told otherwise.
pub const DEFAULT_ENDPOINT: &str = "http://localhost:8080";

/// A token. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as AuthN gives it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, for the header.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// What happens when a read of a remote object takes longer than the time-out, because the cluster fetches it first.
#[derive(Debug, Clone, PartialEq)]
pub struct ColdGet {
    /// Expected bandwidth of the backend, bytes per second. Default 1.25e9 (10 Gbit/s).
    pub bytes_per_second: f64,
    /// Longest wait for the object. Default 180 s.
    pub max_wait: Duration,
    /// Whether the backend may be asked for the object's size. Default true.
    pub remote_head: bool,
}

impl Default for ColdGet {
    fn default() -> Self {
        Self { bytes_per_second: 1.25e9, max_wait: Duration::from_secs(180), remote_head: true }
    }
}

/// Shortest pause before the cluster is asked again whether it has the object.
pub(crate) const SHORTEST_COLD_PAUSE: Duration = Duration::from_secs(2);

impl ColdGet {
    /// The first pause, and the longest one of those that double, while the cluster fetches `size` bytes: a quarter of
    /// the time that takes, within 2 and 10 s, and four times it, up to 90 s.
    pub(crate) fn pauses(&self, size: u64) -> (Duration, Duration) {
        let takes = match self.bytes_per_second > 0.0 {
            true => (size as f64 / self.bytes_per_second).min(3600.0),
            false => 0.0,
        };
        let first = Duration::from_secs_f64(takes / 4.0)
            .clamp(SHORTEST_COLD_PAUSE, Duration::from_secs(10));
        let longest = Duration::from_secs_f64(takes * 4.0).clamp(first, Duration::from_secs(90));
        (first, longest)
    }
}

/// What is repeated, beyond what [`RetryConfig`] says of how often and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repetition {
    /// Statuses that may be repeated; none for all that the request bears: 429 and 503 always, 408, 502 and 504 where a
    /// repetition does no harm, 500 of reads.
    pub statuses: Option<Vec<u16>>,
    /// Repetitions after failures of the network, counted apart from those after refusals; none counts all together.
    pub network_retries: Option<usize>,
    /// The first pause after a failure of the network, and the longest; none for those of [`RetryConfig`].
    pub network_pauses: Option<(Duration, Duration)>,
    /// Whether the server's `Retry-After` is kept. Default true.
    pub keep_retry_after: bool,
}

impl Default for Repetition {
    fn default() -> Self {
        Self { statuses: None, network_retries: None, network_pauses: None, keep_retry_after: true }
    }
}

/// Settings of a [`Client`](crate::Client).
///
/// Defaults: the endpoint [`DEFAULT_ENDPOINT`], 3 s to connect, 20 s of silence, the system's authorities, no token, six
/// attempts within 90 s, direct reads.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// URL of a proxy of the cluster, or of a single server. A path is kept as a prefix of all paths.
    pub endpoint: String,
    /// The token to show.
    pub token: Option<Token>,
    /// Connections and TLS; see [`ClientOptions`].
    pub http: ClientOptions,
    /// How often and how long failed requests are repeated.
    pub retry: RetryConfig,
    /// Which failures are repeated.
    pub repetition: Repetition,
    /// Waiting for objects that the cluster fetches.
    pub cold_get: ColdGet,
    /// Whether reads go straight to the target that has the object. Default true.
    pub direct_reads: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let mut http = ClientOptions::default();
        http.connect_timeout = Some(Duration::from_secs(3));
        http.timeout = Some(Duration::from_secs(20));
        http.user_agent = concat!("ais/holdall/", env!("CARGO_PKG_VERSION")).to_owned();
        Self {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            token: None,
            http,
            retry: RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(15),
                    base: 2.0,
                },
                max_retries: 5,
                retry_timeout: Duration::from_secs(90),
            },
            repetition: Repetition::default(),
            cold_get: ColdGet::default(),
            direct_reads: true,
        }
    }
}

/// A setting as text: of URLs' options, of the command line, of Python dictionaries.
///
/// | key | other spellings | value |
/// |---|---|---|
/// | `endpoint` | `ais_endpoint` | URL of the cluster |
/// | `token` | `ais_authn_token` | the token (secret) |
/// | `ca_certificate` | `ais_client_ca` | path of a PEM bundle of authorities |
/// | `client_certificate` | `ais_crt` | path of the PEM certificate that this client shows |
/// | `client_key` | `ais_crt_key` | path of its key |
/// | `skip_verify` | `ais_skip_verify_crt`, `ais_skip_verify` | accept any certificate: unsafe |
/// | `connect_timeout` | `ais_connect_timeout` | seconds, or a duration like `3s`; 0 for no limit |
/// | `read_timeout` | `ais_read_timeout` | the same, of silence |
/// | `max_pool_size` | `ais_max_conn_pool` | idle connections kept per node |
/// | `direct_reads` | | whether reads go straight to targets (default true) |
///
/// Other keys are those of [`holdall_store::config::ClientKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Endpoint,
    Token,
    CaCertificate,
    ClientCertificate,
    ClientSecret,
    SkipVerify,
    ConnectTimeout,
    ReadTimeout,
    MaxPoolSize,
    DirectReads,
}

impl Key {
    /// Names, the first of which is the canonical one; those that begin with `ais_` are also those of the environment.
    const ALL: [(Self, &'static [&'static str]); 10] = [
        (Self::Endpoint, &["endpoint", "ais_endpoint"]),
        (Self::Token, &["token", "ais_authn_token"]),
        (Self::CaCertificate, &["ca_certificate", "ais_client_ca"]),
        (Self::ClientCertificate, &["client_certificate", "ais_crt"]),
        (Self::ClientSecret, &["client_key", "ais_crt_key"]),
        (Self::SkipVerify, &["skip_verify", "ais_skip_verify", "ais_skip_verify_crt"]),
        (Self::ConnectTimeout, &["connect_timeout", "ais_connect_timeout"]),
        (Self::ReadTimeout, &["read_timeout", "ais_read_timeout"]),
        (Self::MaxPoolSize, &["max_pool_size", "ais_max_conn_pool"]),
        (Self::DirectReads, &["direct_reads"]),
    ];

    fn parse(spelling: &str) -> Option<Self> {
        let lower = spelling.to_ascii_lowercase();
        Self::ALL.iter().find(|(_, names)| names.contains(&lower.as_str())).map(|(key, _)| *key)
    }
}

/// Files of a client's identity, which are of use only together.
#[derive(Debug, Default)]
struct Files {
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl ClientConfig {
    /// The defaults with another endpoint.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), ..Self::default() }
    }

    /// The defaults, changed by what the environment says: `AIS_ENDPOINT`, `AIS_AUTHN_TOKEN`, `AIS_CLIENT_CA`, `AIS_CRT`,
    /// `AIS_CRT_KEY`, `AIS_SKIP_VERIFY_CRT` (older: `AIS_SKIP_VERIFY`), `AIS_CONNECT_TIMEOUT`, `AIS_READ_TIMEOUT`,
    /// `AIS_MAX_CONN_POOL`.
    ///
    /// # Errors
    /// When a value is not understood or a file cannot be read.
    pub fn from_env() -> Result<Self> {
        Self::from_pairs(true, std::iter::empty::<(String, String)>())
    }

    /// Reads pairs of key and value over the environment's settings, or over the defaults.
    ///
    /// # Errors
    /// When a key is unknown, a value is not understood or a file cannot be read.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        use_env: bool,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self> {
        let mut config = Self::default();
        let mut files = Files::default();
        if use_env {
            for (key, names) in Key::ALL {
                for name in names.iter().filter(|name| name.starts_with("ais_")) {
                    let name = name.to_ascii_uppercase();
                    if let Some(value) = std::env::var(&name).ok().filter(|v| !v.is_empty()) {
                        config.set(key, &name, &value, &mut files)?;
                    }
                }
            }
        }
        for (spelling, value) in pairs {
            let (spelling, value) = (spelling.as_ref(), value.as_ref());
            match Key::parse(spelling) {
                Some(key) => config.set(key, spelling, value, &mut files)?,
                None => config.set_http(spelling, value)?,
            }
        }
        config.read(files)?;
        Ok(config)
    }

    fn set(&mut self, key: Key, name: &str, value: &str, files: &mut Files) -> Result<()> {
        match key {
            Key::Endpoint => self.endpoint = value.to_owned(),
            Key::Token => self.token = Some(Token::new(value)),
            Key::CaCertificate => files.ca = Some(value.into()),
            Key::ClientCertificate => files.certificate = Some(value.into()),
            Key::ClientSecret => files.key = Some(value.into()),
            Key::SkipVerify => self.http.allow_invalid_certificates = truthy(value),
            Key::ConnectTimeout => self.http.connect_timeout = limit(name, value)?,
            Key::ReadTimeout => self.http.timeout = limit(name, value)?,
            Key::MaxPoolSize => {
                let size = value.parse().map_err(|_| bad(name, "expecting a whole number"))?;
                self.http.pool_max_idle_per_host = Some(size);
            }
            Key::DirectReads => self.direct_reads = truthy(value),
        }
        Ok(())
    }

    fn set_http(&mut self, spelling: &str, value: &str) -> Result<()> {
        use holdall_store::config::{ClientKey, ConfigKey};
        let key = ClientKey::parse(spelling).map_err(|_| {
            let own: Vec<_> = Key::ALL.iter().map(|(_, names)| names[0]).collect();
            let detail = format!(
                "unknown setting of AIStore; known are {} and those of HTTP clients",
                own.join(", ")
            );
            bad(spelling, &detail)
        })?;
        Ok(self.http.set(key, value)?)
    }

    fn read(&mut self, files: Files) -> Result<()> {
        let read = |key: &'static str, path: PathBuf| {
            std::fs::read_to_string(&path)
                .map_err(|e| bad(key, &format!("cannot read {}: {e}", path.display())))
        };
        if let Some(path) = files.ca {
            self.http.root_certificate = Some(read("ca_certificate", path)?);
        }
        match (files.certificate, files.key) {
            (None, None) => {}
            // As with the official client, one file may hold both.
            (Some(both), None) => {
                let pem = read("client_certificate", both)?;
                self.http.identity = Some(ClientIdentity::new(&pem, ""));
            }
            (Some(certificate), Some(key)) => {
                let identity = ClientIdentity::new(
                    &read("client_certificate", certificate)?,
                    &read("client_key", key)?,
                );
                self.http.identity = Some(identity);
            }
            (None, Some(_)) => {
                return Err(bad(
                    "client_key",
                    "a key needs its certificate: set client_certificate",
                ));
            }
        }
        Ok(())
    }

    /// Sets the token.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Token::new(token));
        self
    }

    /// Sets the time-outs: to connect, and of silence. None for no limit.
    #[must_use]
    pub fn with_timeouts(mut self, connect: Option<Duration>, silence: Option<Duration>) -> Self {
        (self.http.connect_timeout, self.http.timeout) = (connect, silence);
        self
    }

    /// Sets how failures are repeated.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryConfig) -> Self {
        self.retry = retry;
        self
    }

    /// Sets whether reads go straight to targets.
    #[must_use]
    pub fn with_direct_reads(mut self, direct: bool) -> Self {
        self.direct_reads = direct;
        self
    }

    /// The endpoint as a URL that ends with a slash.
    pub(crate) fn base(&self) -> Result<Url> {
        let text = self.endpoint.trim_end_matches('/');
        let wrong = |why: &str| {
            Error::new(
                ErrorKind::Config,
                "open",
                text,
                format!("the endpoint of AIStore is {why}: write it like {DEFAULT_ENDPOINT}"),
            )
        };
        let url = Url::parse(&format!("{text}/")).map_err(|e| wrong(&format!("no URL ({e})")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("neither http nor https"));
        }
        Ok(url)
    }
}

/// Seconds, or a duration with a unit; zero for no limit.
fn limit(name: &str, value: &str) -> Result<Option<Duration>> {
    let wrong = || bad(name, "expecting seconds, or a duration like 3s");
    let time = match value.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?,
        Err(_) => holdall_ais_wire::value::parse_duration(value.trim()).map_err(|_| wrong())?,
    };
    Ok((!time.is_zero()).then_some(time))
}

fn bad(key: &str, detail: &str) -> Error {
    Error::new(ErrorKind::Config, "configure", key, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_secrets_are_not_printed() {
        let config = ClientConfig::from_pairs(
            false,
            [
                ("endpoint", "https://h:1"),
                ("TOKEN", "hush"),
                ("connect_timeout", "0"),
                ("read_timeout", "1.5"),
            ],
        )
        .unwrap();
        assert_eq!(config.base().unwrap().as_str(), "https://h:1/");
        assert_eq!(config.http.connect_timeout, None);
        assert_eq!(config.http.timeout, Some(Duration::from_millis(1500)));
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn pauses_follow_the_size() {
        let cold = ColdGet { bytes_per_second: 1e6, ..ColdGet::default() };
        let seconds = |size| {
            let (first, longest) = cold.pauses(size);
            (first.as_secs_f64(), longest.as_secs_f64())
        };
        assert_eq!(seconds(0), (2.0, 2.0));
        assert_eq!(seconds(20_000_000), (5.0, 80.0));
        assert_eq!(seconds(1_000_000_000_000), (10.0, 90.0));
        let unknown = ColdGet { bytes_per_second: 0.0, ..ColdGet::default() };
        assert_eq!(unknown.pauses(u64::MAX), (Duration::from_secs(2), Duration::from_secs(2)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |key, value| ClientConfig::from_pairs(false, [(key, value)]).unwrap_err();
        for (key, value) in
            [("nope", "1"), ("read_timeout", "soon"), ("max_pool_size", "x"), ("client_key", "/k")]
        {
            assert_eq!(error(key, value).kind(), ErrorKind::Config, "{key}");
        }
        assert!(error("ca_certificate", "/none").to_string().contains("/none"));
        assert_eq!(
            ClientConfig::new("localhost:8080").base().unwrap_err().kind(),
            ErrorKind::Config
        );
    }
}
