//! OAuth2 tokens for HTTP (RFC 6749).

mod browser;
mod device;
mod pkce;

use std::time::{Duration, Instant};

use futures::FutureExt;
use holdall_store::object_store::client::{HttpClient, HttpRequest};
use http::header::AUTHORIZATION;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use super::answer::Answer;
use super::guard::{RENEWED, Renewal};
use super::{Clients, bearer};
use crate::config::{OAuth2, Prompt};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{HttpSource, post_json};

/// Tokens are renewed this long before they expire.
const MARGIN: Duration = Duration::from_secs(30);

/// Attempts of a request to the provider, the first included.
const ATTEMPTS: u32 = 3;

/// The token of a run, fetched once and renewed when it expires. What the provider, or whoever was to log in, refused once is
/// not asked for again.
pub(super) struct Tokens {
    config: OAuth2,
    grant: Grant,
    http: HttpClient,
    prompt: Option<Prompt>,
    token: Answer<Held>,
}

#[derive(Debug, Clone, Copy)]
enum Grant {
    ClientCredentials,
    Password,
    DeviceCode,
    AuthorizationCode,
}

#[derive(Clone)]
struct Held {
    access: String,
    refresh: Option<String>,
    expires: Option<Instant>,
    /// When it came, if that was in place of one that was refused.
    renewed: Option<Instant>,
}

impl Held {
    fn holds(&self) -> bool {
        self.expires.is_none_or(|at| at > Instant::now() + MARGIN)
    }

    /// Whether there is no better one than this.
    fn is_final(&self) -> bool {
        self.refresh.is_none() || self.renewed.is_some_and(|at| at.elapsed() < RENEWED)
    }
}

#[derive(Deserialize)]
struct Reply {
    access_token: Option<String>,
    refresh_token: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<Duration>,
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
        Ok(Self { config, grant, http, prompt, token: Answer::default() })
    }

    /// A token that holds.
    pub(super) async fn get(&self) -> Result<String> {
        let ask = async |before: Option<Held>| {
            if let Some(refresh) = before.and_then(|before| before.refresh) {
                match self.refresh(refresh).await {
                    Err(error) if !error.is_retryable() => {}
                    refreshed => return refreshed,
                }
            }
            self.log_in().await.map_err(|error| self.advised(error))
        };
        Ok(self.token.get(Held::holds, ask).await?.access)
    }

    /// Another token in place of one that was refused before its time; `None` where nothing but a login gives one.
    async fn renew(&self, refused: &str) -> Option<String> {
        let is_other = |held: &Held| held.access != refused && held.holds();
        let ask = async |before: Option<Held>| {
            let refresh = before.as_ref().and_then(|before| before.refresh.clone());
            match (self.refresh(refresh.unwrap_or_default()).await, before) {
                (Ok(held), _) => Ok(Held { renewed: Some(Instant::now()), ..held }),
                // It is of no use any more; when the token has expired, a login is.
                (Err(error), Some(before)) if !error.is_retryable() => {
                    Ok(Held { refresh: None, ..before })
                }
                (Err(error), _) => Err(error),
            }
        };
        let held = self.token.get(|held| is_other(held) || held.is_final(), ask).await;
        // The refusal is what to tell, and not that there is nothing better.
        held.ok().map(|held| held.access).filter(|access| access != refused)
    }

    async fn refresh(&self, refresh: String) -> Result<Held> {
        let fields =
            [("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh.clone())];
        let fresh = self.ask(&self.form(&fields, &self.config.extra)).await?;
        // Providers that do not rotate refresh tokens do not repeat them (RFC 6749, section 6).
        Ok(Held { refresh: fresh.refresh.or(Some(refresh)), ..fresh })
    }

    async fn log_in(&self) -> Result<Held> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let fields = match self.grant {
            Grant::ClientCredentials => vec![("grant_type", "client_credentials".to_owned())],
            Grant::Password => vec![
                ("grant_type", "password".to_owned()),
                ("username", text(&self.config.username)),
                ("password", text(&self.config.password)),
            ],
            Grant::DeviceCode => return device::log_in(self).await,
            Grant::AuthorizationCode => return browser::log_in(self).await,
        };
        self.ask(&self.form(&fields, &self.config.extra)).await
    }

    /// A login that failed, with what to do about it.
    fn advised(&self, error: Error) -> Error {
        let is_refusal = matches!(error.status(), Some(400 | 401 | 403));
        if !is_refusal && error.kind() != ErrorKind::Authentication {
            return error;
        }
        let said = |code: &str| error.detail().contains(code);
        // RFC 6749, section 5.2, and RFC 8628, section 3.5.
        let hint = if said("invalid_client") || said("unauthorized_client") {
            "check oauth2_client_id and oauth2_client_secret"
        } else if said("invalid_scope") {
            "check the scope in oauth2_extra"
        } else {
            match self.grant {
                Grant::ClientCredentials => "check oauth2_client_id and oauth2_client_secret",
                Grant::Password => "check oauth2_username and oauth2_password",
                Grant::DeviceCode | Grant::AuthorizationCode => {
                    "run it again to be asked to log in again"
                }
            }
        };
        error.with_kind(ErrorKind::Authentication).with_hint(hint)
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
        let expires = reply.expires_in.and_then(|life| Instant::now().checked_add(life));
        Ok(Held { access, refresh: reply.refresh_token, expires, renewed: None })
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
        Ok(HttpSource::of_service(url, headers, self.http.clone(), ATTEMPTS))
    }
}

/// A time in seconds. Some providers write numbers as strings.
fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let value = Option::<Value>::deserialize(from)?;
    let number = value.and_then(|value| match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => value.as_f64(),
    });
    Ok(number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

/// How requests are sent anew whose token was refused before its time.
pub(super) fn renewal(clients: &Clients, token: String) -> Renewal {
    let clients = clients.clone();
    let renew = move |refused: String| {
        let clients = clients.clone();
        async move { clients.0.oauth2.as_ref()?.renew(&refused).await }.boxed()
    };
    Renewal::new(token, &[401], authorize, Box::new(renew))
}

fn authorize(request: &mut HttpRequest, token: &str) {
    if let Ok(value) = bearer(token) {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
}
