//! OAuth2 tokens for HTTP (RFC 6749).

mod browser;
mod device;
mod pkce;

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdall_store::client::ClientOptions;
use holdall_store::object_store::client::HttpClient;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::config::{OAuth2, Prompt};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{HttpSource, post_json};

/// Tokens are renewed this long before they expire.
const MARGIN: Duration = Duration::from_secs(30);

/// The token of a run, fetched once and renewed when it expires.
pub(super) struct Tokens {
    config: OAuth2,
    grant: Grant,
    http: HttpClient,
    prompt: Option<Prompt>,
    token: Arc<Mutex<Option<Held>>>,
}

#[derive(Debug, Clone, Copy)]
enum Grant {
    ClientCredentials,
    Password,
    DeviceCode,
    AuthorizationCode,
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

impl Tokens {
    /// # Errors
    /// [`ErrorKind::Config`] for a grant that is not known or lacks something.
    pub(super) fn new(config: OAuth2, http: HttpClient, prompt: Option<Prompt>) -> Result<Self> {
        let grant = match config.grant.as_str() {
            "client_credentials" => Grant::ClientCredentials,
            "password" => Grant::Password,
            "device_code" | "urn:ietf:params:oauth:grant-type:device_code" => Grant::DeviceCode,
            "authorization_code" => Grant::AuthorizationCode,
            other => {
                let detail = format!(
                    "Unknown grant type '{other}'; known are client_credentials, password, device_code and \
                     authorization_code"
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
            Grant::AuthorizationCode => &[
                ("oauth2_client_id", config.client_id.is_some()),
                ("oauth2_authorization_url", config.authorization_url.is_some()),
            ],
        };
        let token_url = ("oauth2_token_url", config.token_url.is_some());
        if let Some((name, _)) = needed.iter().chain([&token_url]).find(|(_, given)| !given) {
            let detail = format!("the grant '{}' needs {name}", config.grant);
            return Err(Error::new(ErrorKind::Config, "configure OAuth2", "", detail));
        }
        Ok(Self { config, grant, http, prompt, token: Arc::default() })
    }

    /// A token that holds.
    pub(super) async fn get(&self) -> Result<String> {
        let mut held = self.token.lock().await;
        if let Some(token) = &*held {
            if token.expires.is_none_or(|at| at > Instant::now() + MARGIN) {
                return Ok(token.access.clone());
            }
            if let Some(refresh) = token.refresh.clone() {
                let fields = [
                    ("grant_type", "refresh_token".to_owned()),
                    ("refresh_token", refresh.clone()),
                ];
                if let Ok(mut fresh) = self.ask(&self.form(&fields, &self.config.extra)).await {
                    // Providers that do not rotate refresh tokens do not repeat them (RFC 6749, section 6).
                    fresh.refresh = fresh.refresh.or(Some(refresh));
                    let access = fresh.access.clone();
                    *held = Some(fresh);
                    return Ok(access);
                }
            }
        }
        let fresh = match self.grant {
            Grant::ClientCredentials => {
                let fields = [("grant_type", "client_credentials".to_owned())];
                self.ask(&self.form(&fields, &self.config.extra)).await?
            }
            Grant::Password => {
                let text = |value: &Option<String>| value.clone().unwrap_or_default();
                let fields = [
                    ("grant_type", "password".to_owned()),
                    ("username", text(&self.config.username)),
                    ("password", text(&self.config.password)),
                ];
                self.ask(&self.form(&fields, &self.config.extra)).await?
            }
            Grant::DeviceCode => device::log_in(self).await?,
            Grant::AuthorizationCode => browser::log_in(self).await?,
        };
        let access = fresh.access.clone();
        *held = Some(fresh);
        Ok(access)
    }

    /// Tells the user what to do.
    async fn prompt(&self, text: String) {
        match self.prompt.clone() {
            // Whoever shows it may have to wait for a lock.
            Some(prompt) => drop(tokio::task::spawn_blocking(move || prompt(&text)).await),
            None => tracing::warn!("{text}"),
        }
    }

    async fn ask(&self, form: &str) -> Result<Held> {
        let url = self.config.token_url.as_deref().unwrap_or_default();
        let reply: Reply = post_json(&self.source(url)?, "get token", Some(form)).await?;
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

    fn form(&self, fields: &[(&str, String)], extra: &[(String, String)]) -> String {
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
        for (name, value) in extra {
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
}
