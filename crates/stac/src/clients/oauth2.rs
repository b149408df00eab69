//! OAuth2 tokens for HTTP (RFC 6749, RFC 8628).

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdall_store::client::ClientOptions;
use holdall_store::object_store::client::HttpClient;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::config::OAuth2;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{HttpSource, post_json};

/// Tokens are renewed this long before they expire.
const MARGIN: Duration = Duration::from_secs(30);

/// The token of a run, fetched once and renewed when it expires.
pub(super) struct Tokens {
    config: OAuth2,
    grant: Grant,
    http: HttpClient,
    token: Arc<Mutex<Option<Held>>>,
}

#[derive(Debug, Clone, Copy)]
enum Grant {
    ClientCredentials,
    Password,
    DeviceCode,
}

struct Held {
    access: String,
    refresh: Option<String>,
    expires: Option<Instant>,
}

#[derive(Deserialize)]
struct Reply {
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<f64>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct DeviceReply {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Option<f64>,
    interval: Option<f64>,
}

impl Tokens {
    /// # Errors
    /// [`ErrorKind::Config`] for a grant that is not known or lacks something.
    pub(super) fn new(config: OAuth2, http: HttpClient) -> Result<Self> {
        let grant = match config.grant.as_str() {
            "client_credentials" => Grant::ClientCredentials,
            "password" => Grant::Password,
            "device_code" | "urn:ietf:params:oauth:grant-type:device_code" => Grant::DeviceCode,
            other => {
                let detail = format!(
                    "Unknown grant type '{other}'; known are client_credentials, password and device_code"
                );
                return Err(Error::new(ErrorKind::Config, "configure OAuth2", "", detail));
            }
        };
        let needed: &[(&str, bool)] = match grant {
            Grant::ClientCredentials => &[
                ("oauth2_client_id", config.client_id.is_some()),
                ("oauth2_client_secret", config.client_secret.is_some()),
            ],
            Grant::Password => &[
                ("oauth2_username", config.username.is_some()),
                ("oauth2_password", config.password.is_some()),
            ],
            Grant::DeviceCode => &[
                ("oauth2_client_id", config.client_id.is_some()),
                ("oauth2_device_authorization_url", config.device_authorization_url.is_some()),
            ],
        };
        let token_url = ("oauth2_token_url", config.token_url.is_some());
        if let Some((name, _)) = needed.iter().chain([&token_url]).find(|(_, given)| !given) {
            let detail = format!("the grant '{}' needs {name}", config.grant);
            return Err(Error::new(ErrorKind::Config, "configure OAuth2", "", detail));
        }
        Ok(Self { config, grant, http, token: Arc::default() })
    }

    /// A token that holds.
    pub(super) async fn get(&self) -> Result<String> {
        let mut held = self.token.lock().await;
        if let Some(token) = &*held {
            if token.expires.is_none_or(|at| at > Instant::now() + MARGIN) {
                return Ok(token.access.clone());
            }
            if let Some(refresh) = token.refresh.clone() {
                let fields =
                    [("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh)];
                if let Ok(fresh) = self.ask(&fields).await {
                    let access = fresh.access.clone();
                    *held = Some(fresh);
                    return Ok(access);
                }
            }
        }
        let fresh = match self.grant {
            Grant::ClientCredentials => {
                self.ask(&[("grant_type", "client_credentials".to_owned())]).await?
            }
            Grant::Password => {
                let text = |value: &Option<String>| value.clone().unwrap_or_default();
                let fields = [
                    ("grant_type", "password".to_owned()),
                    ("username", text(&self.config.username)),
                    ("password", text(&self.config.password)),
                ];
                self.ask(&fields).await?
            }
            Grant::DeviceCode => self.device().await?,
        };
        let access = fresh.access.clone();
        *held = Some(fresh);
        Ok(access)
    }

    async fn ask(&self, fields: &[(&str, String)]) -> Result<Held> {
        let url = self.config.token_url.as_deref().unwrap_or_default();
        let reply: Reply =
            post_json(&self.source(url)?, "get token", Some(&self.form(fields))).await?;
        self.held(reply, url)
    }

    fn held(&self, reply: Reply, url: &str) -> Result<Held> {
        let Some(access) = reply.access_token else {
            let detail = reply.error_description.or(reply.error);
            let detail = detail.unwrap_or_else(|| "the reply has no access_token".to_owned());
            return Err(Error::new(ErrorKind::Authentication, "get token", url, detail));
        };
        let life = reply.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let expires = life.map(|life| Instant::now() + life);
        Ok(Held { access, refresh: reply.refresh_token, expires })
    }

    fn form(&self, fields: &[(&str, String)]) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            form.append_pair(name, value);
        }
        if let Some(id) = &self.config.client_id {
            form.append_pair("client_id", id);
        }
        if let Some(secret) = &self.config.client_secret {
            form.append_pair("client_secret", secret);
        }
        for (name, value) in &self.config.extra {
            form.append_pair(name, value);
        }
        form.finish()
    }

    fn source(&self, url: &str) -> Result<HttpSource> {
        let url = Url::parse(url)
            .map_err(|e| Error::new(ErrorKind::Config, "configure OAuth2", url, e.to_string()))?;
        let headers = http::HeaderMap::new();
        let (http, client) = (self.http.clone(), ClientOptions::default());
        Ok(HttpSource { url, headers, http, asserts_type: false, attempts: 3, client })
    }

    /// The user types a code into a page, and we ask until it is done.
    async fn device(&self) -> Result<Held> {
        let url = self.config.device_authorization_url.as_deref().unwrap_or_default();
        let device: DeviceReply =
            post_json(&self.source(url)?, "ask for a code", Some(&self.form(&[]))).await?;
        let page = device.verification_uri_complete.as_ref().unwrap_or(&device.verification_uri);
        tracing::warn!("to log in, open {page} and enter the code {}", device.user_code);
        let seconds = |value: Option<f64>, default| {
            value.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(default)
        };
        let mut interval = seconds(device.interval, Duration::from_secs(5));
        let end = Instant::now() + seconds(device.expires_in, Duration::from_secs(600));
        let token_url = self.config.token_url.as_deref().unwrap_or_default();
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned()),
            ("device_code", device.device_code.clone()),
        ];
        while Instant::now() < end {
            tokio::time::sleep(interval).await;
            match self.ask(&fields).await {
                Ok(held) => return Ok(held),
                // RFC 8628, section 3.5.
                Err(error) if error.detail().contains("authorization_pending") => {}
                Err(error) if error.detail().contains("slow_down") => {
                    interval += Duration::from_secs(5);
                }
                Err(error) => return Err(error),
            }
        }
        let detail = "nobody entered the code in time";
        Err(Error::new(ErrorKind::Authentication, "get token", token_url, detail))
    }
}
