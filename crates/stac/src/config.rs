//! Settings of the clients.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The region that stac-asset's users expect when nobody says another: that of most Earth observation buckets.
pub const DEFAULT_S3_REGION: &str = "us-west-2";

/// Where the Planetary Computer gives tokens.
pub const DEFAULT_SAS_TOKEN_ENDPOINT: &str =
    "https://planetarycomputer.microsoft.com/api/sas/v1/token";

/// Shows the user a line of text. It may block.
pub type Prompt = Arc<dyn Fn(&str) + Send + Sync>;

/// Settings of all clients. `Debug` hides secrets.
#[derive(Clone)]
pub struct ClientConfig {
    /// The client for every href, by name; `None` chooses by href.
    pub client_override: Option<String>,
    /// Longest silence of an HTTP request, in any phase. Waiting for a turn does not count. Default 300 s.
    pub http_timeout: Duration,
    /// Attempts per HTTP request, the first included. Default 10.
    pub http_max_attempts: u32,
    /// Whether a wrong media type is an error over HTTP; a warning otherwise. Default no.
    pub http_assert_content_type: bool,
    /// Headers sent with every HTTP request, to the host of the href and not beyond a redirect to another.
    pub http_headers: Vec<(String, String)>,
    /// A bearer token for Earthdata; `None` looks in `EARTHDATA_PAT`, `EARTHDATA_TOKEN` and the netrc file.
    pub earthdata_token: Option<String>,
    /// Where Earthdata's users log in; `None` is NASA's own, `https://urs.earthdata.nasa.gov`.
    pub earthdata_login: Option<String>,
    /// Who gives Earthdata's users keys for S3; `None` goes by the bucket and the other hrefs of the document.
    pub earthdata_s3_credentials: Option<String>,
    /// The region of S3 buckets; `None` asks the bucket.
    pub s3_region: Option<String>,
    /// Accept to pay for requests to S3, which are signed then. Default no.
    pub s3_requester_pays: bool,
    /// Attempts per request to S3 and other stores that assets are read from, the first included. Default 10.
    pub s3_max_attempts: u32,
    /// The URL of an S3-compatible service.
    pub s3_endpoint_url: Option<String>,
    /// Where the Planetary Computer gives tokens; `None` looks in `PC_SDK_SAS_URL` and takes the public service then.
    pub sas_token_endpoint: Option<String>,
    /// OAuth2 for HTTP.
    pub oauth2: Option<OAuth2>,
    /// Shows the user where to log in; without it, the text goes to the log as a warning.
    pub prompt: Option<Prompt>,
    /// Credentials by the key of an authentication scheme, by host and port (`data.example.org:8443`), or by host.
    pub credentials: Vec<(String, Credential)>,
    /// Settings of stores, as [`holdall_store::OpenOptions`] takes them.
    pub store_settings: Vec<(String, String)>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            client_override: None,
            http_timeout: Duration::from_secs(300),
            http_max_attempts: 10,
            http_assert_content_type: false,
            http_headers: Vec::new(),
            earthdata_token: None,
            earthdata_login: None,
            earthdata_s3_credentials: None,
            s3_region: None,
            s3_requester_pays: false,
            s3_max_attempts: 10,
            s3_endpoint_url: None,
            sas_token_endpoint: None,
            oauth2: None,
            prompt: None,
            credentials: Vec::new(),
            store_settings: Vec::new(),
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.http_headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("ClientConfig")
            .field("client_override", &self.client_override)
            .field("http_timeout", &self.http_timeout)
            .field("http_max_attempts", &self.http_max_attempts)
            .field("http_headers", &names)
            .field("s3_region", &self.s3_region)
            .field("s3_requester_pays", &self.s3_requester_pays)
            .field("s3_endpoint_url", &self.s3_endpoint_url)
            .finish_non_exhaustive()
    }
}

/// Proof of identity for an authentication scheme or a host. `Debug` shows its kind only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// User and password.
    Basic(String, String),
    /// A token.
    Bearer(String),
    /// The value of an API key, sent where the scheme says.
    ApiKey(String),
}

impl Credential {
    /// Reads `bearer:TOKEN`, `basic:USER:PASSWORD` or `key:VALUE`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("bearer", token) => Some(Self::Bearer(token.to_owned())),
            ("key" | "apikey", value) => Some(Self::ApiKey(value.to_owned())),
            ("basic", pair) => {
                let (user, password) = pair.split_once(':')?;
                Some(Self::Basic(user.to_owned(), password.to_owned()))
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic(..) => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
            Self::ApiKey(_) => "ApiKey(…)",
        })
    }
}

/// How tokens are obtained for HTTP. `Debug` hides secrets.
#[derive(Clone, Default)]
pub struct OAuth2 {
    /// `client_credentials`, `password`, `device_code` or `authorization_code`.
    pub grant: String,
    /// Where tokens are given.
    pub token_url: Option<String>,
    /// Where users agree (`authorization_code`).
    pub authorization_url: Option<String>,
    /// Where codes for devices are given (`device_code`).
    pub device_authorization_url: Option<String>,
    /// The identifier of the client.
    pub client_id: Option<String>,
    /// The secret of the client.
    pub client_secret: Option<String>,
    /// The user (`password`).
    pub username: Option<String>,
    /// The password (`password`).
    pub password: Option<String>,
    /// Whether codes are bound to who asked for them (PKCE).
    pub pkce: bool,
    /// Further fields of the token request, `scope` for example.
    pub extra: Vec<(String, String)>,
}

impl fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2")
            .field("grant", &self.grant)
            .field("token_url", &self.token_url)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
