//! Credentials of a role granted through single sign-on, with the token that `aws sso login` left behind.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use http::Method;
use object_store::aws::AwsCredential;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::provider::Issued;
use super::source::{Sso, target};
use crate::cloud::send::{Call, Sender, Unsigned};
use crate::error::{Error, ErrorKind, Result};

/// A token is renewed when it has less than this left, so that it lasts through the request.
const MARGIN: Duration = Duration::minutes(1);

/// Where tokens are kept and where the services are.
#[derive(Debug, Clone)]
pub(super) struct Portal {
    pub(super) profile: String,
    pub(super) cache: PathBuf,
    /// In place of `https://portal.sso.REGION.amazonaws.com`.
    pub(super) portal: Option<Url>,
    /// In place of `https://oidc.REGION.amazonaws.com`.
    pub(super) oidc: Option<Url>,
    pub(super) sender: Sender,
}

impl Portal {
    pub(super) async fn credentials(&self, sso: &Sso) -> Result<Issued> {
        let token = self.token(sso).await?;
        let base = self.portal.clone();
        let mut url = base.map_or_else(|| service("portal.sso", &sso.region), Ok)?;
        url.path_segments_mut()
            .map_err(|()| self.failed(ErrorKind::Config, "the URL of the portal has no path"))?
            .pop_if_empty()
            .extend(["federation", "credentials"]);
        url.query_pairs_mut()
            .append_pair("role_name", &sso.role_name)
            .append_pair("account_id", &sso.account_id);
        let call = Call::new(Method::GET, url).header("x-amz-sso_bearer_token", &token);
        let call = call.map_err(|e| self.store_error(e))?;
        let reply = self.sender.send(&sso.role_name, &call, &Unsigned).await;
        let reply = reply.map_err(|e| match e {
            object_store::Error::Unauthenticated { .. } => self.log_in("the token was refused"),
            e => self.store_error(e),
        })?;
        let granted: Granted = serde_json::from_slice(&reply.body)
            .map_err(|e| self.failed(ErrorKind::Corrupt, format!("the portal's reply: {e}")))?;
        Ok(granted.role_credentials.into())
    }

    /// The token of the last login, renewed when it has run out and can be.
    async fn token(&self, sso: &Sso) -> Result<String> {
        let Some((file, entry)) = self.newest(sso) else {
            return Err(self.log_in("nobody has logged in"));
        };
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        if expires(&entry, "expiresAt").is_some_and(|at| at > Utc::now() + MARGIN)
            && let Some(token) = text("accessToken")
        {
            return Ok(token.to_owned());
        }
        let client = (text("clientId"), text("clientSecret"), text("refreshToken"));
        let (Some(id), Some(secret), Some(refresh)) = client else {
            return Err(self.log_in("the login has expired"));
        };
        if expires(&entry, "registrationExpiresAt").is_some_and(|at| at <= Utc::now()) {
            return Err(self.log_in("the login has expired"));
        }
        let mut url = self.oidc.clone().map_or_else(|| service("oidc", &sso.region), Ok)?;
        url.path_segments_mut()
            .map_err(|()| {
                self.failed(ErrorKind::Config, "the URL of the token service has no path")
            })?
            .pop_if_empty()
            .push("token");
        let body = serde_json::json!({
            "clientId": id, "clientSecret": secret, "grantType": "refresh_token", "refreshToken": refresh,
        });
        let call = Call::new(Method::POST, url)
            .header("content-type", "application/json")
            .map_err(|e| self.store_error(e))?
            .body(body.to_string());
        let reply = self.sender.send("token", &call, &Unsigned).await;
        let reply = reply.map_err(|_| self.log_in("the login has expired and was not renewed"))?;
        let renewed: Renewed = serde_json::from_slice(&reply.body).map_err(|e| {
            self.failed(ErrorKind::Corrupt, format!("the token service's reply: {e}"))
        })?;
        let token = renewed.access_token.clone();
        self.keep(&file, entry, renewed);
        Ok(token)
    }

    /// The entry of the cache for this portal that lasts longest. Files are named by a hash of the session; what they
    /// say of themselves decides here, so that a login through another profile of the same portal serves too.
    fn newest(&self, sso: &Sso) -> Option<(PathBuf, Map<String, Value>)> {
        let same = |url: &str| {
            url.trim_end_matches(['/', '#']) == sso.start_url.trim_end_matches(['/', '#'])
        };
        std::fs::read_dir(&self.cache)
            .ok()?
            .filter_map(|file| {
                let path = file.ok()?.path();
                let entry: Map<String, Value> =
                    serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
                let here = entry.get("startUrl").and_then(Value::as_str).is_some_and(same);
                (here && entry.contains_key("accessToken")).then_some((path, entry))
            })
            .max_by_key(|(_, entry)| expires(entry, "expiresAt"))
    }

    /// Puts the renewed token where other programs find it. That it cannot be written is no reason to fail: the old
    /// one is still there.
    fn keep(&self, file: &Path, mut entry: Map<String, Value>, renewed: Renewed) {
        let until = Utc::now() + Duration::seconds(renewed.expires_in);
        entry.insert("accessToken".into(), renewed.access_token.into());
        entry.insert("expiresAt".into(), until.format("%Y-%m-%dT%H:%M:%SZ").to_string().into());
        if let Some(token) = renewed.refresh_token {
            entry.insert("refreshToken".into(), token.into());
        }
        if let Err(error) = replace(file, &Value::Object(entry).to_string()) {
            tracing::warn!(file = %file.display(), %error, "cannot keep the renewed token");
        }
    }

    fn log_in(&self, why: &str) -> Error {
        let detail = format!("{why}: run `aws sso login --profile {}`", self.profile);
        self.failed(ErrorKind::Unauthenticated, detail)
    }

    fn store_error(&self, error: object_store::Error) -> Error {
        Error::from_store("authenticate", target(&self.profile), error)
    }

    fn failed(&self, kind: ErrorKind, detail: impl Into<String>) -> Error {
        Error::new(kind, "authenticate", target(&self.profile), detail)
    }
}

fn service(name: &str, region: &str) -> Result<Url> {
    let host = format!("https://{name}.{region}.amazonaws.com");
    Url::parse(&host)
        .map_err(|e| Error::new(ErrorKind::Config, "authenticate", host, e.to_string()))
}

fn expires(entry: &Map<String, Value>, key: &str) -> Option<DateTime<Utc>> {
    let text = entry.get(key)?.as_str()?;
    // Older tools write `2020-06-17T10:02:08UTC`.
    text.replace("UTC", "Z").parse().ok()
}

/// Readable by nobody else, and never half written.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&temporary)?.write_all(text.as_bytes())?;
    std::fs::rename(&temporary, file)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    role_credentials: RoleCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    /// Milliseconds since 1970.
    expiration: i64,
}

impl From<RoleCredentials> for Issued {
    fn from(c: RoleCredentials) -> Self {
        let credential = AwsCredential {
            key_id: c.access_key_id,
            secret_key: c.secret_access_key,
            token: Some(c.session_token),
        };
        Self::new(credential, DateTime::from_timestamp_millis(c.expiration))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    access_token: String,
    expires_in: i64,
    refresh_token: Option<String>,
}
