//! The Planetary Computer: Azure blobs behind short-lived tokens.
//!
//! `GET {endpoint}/{account}/{container}` gives `{"msft:expiry": TIME, "token": QUERY}`, and the token is the query of
//! every blob of the container until then.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use holdall_store::client::ClientOptions;
use holdall_store::config::AzureKey;
use holdall_store::object_store::client::HttpClient;
use holdall_store::url::{Backend, StoreUrl};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::{Clients, Hints};
use crate::config::{ClientConfig, DEFAULT_SAS_TOKEN_ENDPOINT};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{HttpSource, Source, read_json};

/// The hosts of Azure's blobs.
pub(super) const BLOBS: &str = ".blob.core.windows.net";

/// Thumbnails that anybody may read; its account has no tokens.
const PUBLIC: &str = "ai4edatasetspublicassets.blob.core.windows.net";

/// Tokens that expire sooner are not used any more.
const SHORTEST_LIFE: TimeDelta = TimeDelta::seconds(60);

#[derive(Debug, Clone, Deserialize)]
struct Token {
    #[serde(rename = "msft:expiry")]
    expiry: DateTime<Utc>,
    token: String,
}

type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// Tokens by account and container. One container waits for its own token only.
pub(super) struct Tokens {
    endpoint: String,
    headers: HeaderMap,
    http: HttpClient,
    slots: Mutex<HashMap<(String, String), Slot>>,
}

impl Tokens {
    pub(super) fn new(config: &ClientConfig, http: HttpClient) -> Self {
        let endpoint = config.sas_token_endpoint.clone().or_else(|| setting("PC_SDK_SAS_URL"));
        let mut headers = HeaderMap::new();
        let key =
            setting("PC_SDK_SUBSCRIPTION_KEY").and_then(|key| HeaderValue::from_str(&key).ok());
        if let Some(mut key) = key {
            key.set_sensitive(true);
            headers.insert(HeaderName::from_static("ocp-apim-subscription-key"), key);
        }
        let endpoint = endpoint.unwrap_or_else(|| DEFAULT_SAS_TOKEN_ENDPOINT.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { endpoint, headers, http, slots: Mutex::default() }
    }

    async fn get(&self, account: &str, container: &str, attempts: u32) -> Result<String> {
        let key = (account.to_owned(), container.to_owned());
        let slot = self
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default()
            .clone();
        let mut slot = slot.lock().await;
        if let Some(token) = &*slot
            && token.expiry - Utc::now() > SHORTEST_LIFE
        {
            return Ok(token.token.clone());
        }
        let url = format!("{}/{account}/{container}", self.endpoint);
        let bad = |detail: &str| Error::new(ErrorKind::Authentication, "get token", &url, detail);
        let source = HttpSource {
            url: Url::parse(&url).map_err(|e| bad(&e.to_string()))?,
            headers: self.headers.clone(),
            http: self.http.clone(),
            asserts_type: false,
            attempts,
            client: ClientOptions::default(),
        };
        let token: Token = read_json(&source, "get token").await?;
        if token.token.is_empty() {
            return Err(bad("the service gave an empty token"));
        }
        let text = token.token.trim_start_matches('?').to_owned();
        *slot = Some(Token { expiry: token.expiry, token: text.clone() });
        Ok(text)
    }
}

/// A variable of the environment, or of the settings file of Microsoft's own package.
fn setting(name: &str) -> Option<String> {
    if let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) {
        return Some(value);
    }
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    let text = std::fs::read_to_string(home.join(".planetarycomputer/settings.env")).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    })
}

/// Whether a URL carries a signature that still holds.
fn is_signed(url: &Url) -> bool {
    let find = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
    if let Some(expiry) = find("se") {
        // An unreadable time is the server's to judge.
        return DateTime::parse_from_rfc3339(&expiry).map_or(true, |expiry| expiry > Utc::now());
    }
    find("st").is_some() || find("sp").is_some()
}

/// Puts a token in place of an old one and keeps the other parameters.
fn sign(url: &mut Url, token: &str) {
    let of_token: Vec<&str> = token.split('&').filter_map(|pair| pair.split('=').next()).collect();
    let signature =
        ["st", "se", "sp", "sv", "sr", "sig", "skoid", "sktid", "skt", "ske", "sks", "skv"];
    let kept: Vec<&str> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !name.is_empty() && !of_token.contains(&name) && !signature.contains(&name)
        })
        .collect();
    // The token is set as it came: its signature covers its encoding.
    let query = kept.into_iter().chain([token]).collect::<Vec<_>>().join("&");
    url.set_query(Some(&query));
}

pub(super) async fn ways(clients: &Clients, href: &str, hints: &Hints) -> Result<Vec<Source>> {
    let mut url = match blob(href, hints) {
        Some((url, _)) => url,
        None => clients.url(href)?,
    };
    let host = url.host_str().unwrap_or_default().to_owned();
    let plain = |url: Url| clients.http_source(url, clients.headers().clone());
    if !host.ends_with(BLOBS) || host == PUBLIC || is_signed(&url) {
        return Ok(vec![plain(url)]);
    }
    let account = host.split('.').next().unwrap_or_default();
    let container =
        url.path_segments().and_then(|mut parts| parts.next()).unwrap_or_default().to_owned();
    match clients.0.sas.get(account, &container, clients.config().http_max_attempts).await {
        Ok(token) => {
            sign(&mut url, &token);
            Ok(vec![plain(url)])
        }
        // Not every account of Azure is the Planetary Computer's.
        Err(error) if matches!(error.status(), Some(400 | 401 | 403 | 404)) => {
            let mut ways = Vec::new();
            if has_azure_credentials(account) {
                ways.push(clients.store(url.as_str(), &[])?);
            }
            ways.push(plain(url));
            Ok(ways)
        }
        Err(error) => Err(error),
    }
}

/// The ways to an object of a store. Containers of Azure of which the account is known can be the Planetary Computer's, which
/// writes tables and arrays as `abfs://CONTAINER/PATH`, with the account beside it.
pub(super) async fn store_ways(
    clients: &Clients,
    href: &str,
    hints: &Hints,
) -> Result<Vec<Source>> {
    let Some((url, settings)) = blob(href, hints) else {
        return Ok(vec![clients.store(href, &[])?]);
    };
    let account = url.host_str().unwrap_or_default().trim_end_matches(BLOBS);
    let mut given = clients.config().store_settings.iter().map(|(key, _)| key.as_str());
    let own = given.any(|key| is_azure_credential(key) || key.ends_with("skip_signature"));
    // Whoever names a service wants its tokens.
    let named = clients.config().sas_token_endpoint.is_some();
    if own || !named && has_azure_credentials(account) {
        return Ok(vec![clients.store(href, &settings)?]);
    }
    ways(clients, href, hints).await
}

/// The URL of the blob that an href like `abfs://` stands for, and what a store has to be told beside the href; `None` for other
/// hrefs, and where nobody knows the account.
fn blob(href: &str, hints: &Hints) -> Option<(Url, Vec<(String, String)>)> {
    let parsed = StoreUrl::parse(href).ok().filter(|_| !href.starts_with("http"))?;
    let Backend::Azure(settings) = parsed.backend else { return None };
    let (account, beside) = match settings.get(AzureKey::AccountName) {
        Some(account) => (account, Vec::new()),
        None => {
            let account = hints.account.as_deref()?;
            (account, vec![("account_name".to_owned(), account.to_owned())])
        }
    };
    let mut url = Url::parse(&format!("https://{account}{BLOBS}")).ok()?;
    let parts: Vec<_> = parsed.path.parts().collect();
    let container = settings.get(AzureKey::ContainerName)?;
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .push(container)
        .extend(parts.iter().map(AsRef::as_ref));
    Some((url, beside))
}

/// Whether the environment has credentials that are not those of another account.
fn has_azure_credentials(account: &str) -> bool {
    let other = std::env::var("AZURE_STORAGE_ACCOUNT_NAME")
        .is_ok_and(|name| !name.is_empty() && name != account);
    !other
        && std::env::vars_os().any(|(name, value)| {
            let name = name.to_string_lossy();
            !value.is_empty() && name.starts_with("AZURE_") && is_azure_credential(&name)
        })
}

/// Whether a setting or a variable proves who one is.
fn is_azure_credential(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "account_key",
        "access_key",
        "master_key",
        "sas_key",
        "sas_token",
        "token",
        "bearer_token",
        "client_id",
        "client_secret",
        "use_azure_cli",
    ];
    let name = name.to_ascii_lowercase();
    let short = name.strip_prefix("azure_").unwrap_or(&name);
    NAMES.contains(&short.strip_prefix("storage_").unwrap_or(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signatures_that_hold_are_kept() {
        let signed = |text: &str| is_signed(&Url::parse(text).unwrap());
        assert!(signed("https://a.blob.core.windows.net/c/k?se=2999-01-01T00:00:00Z&sig=x"));
        assert!(!signed("https://a.blob.core.windows.net/c/k?se=2001-01-01T00:00:00Z&sig=x"));
        assert!(signed("https://a.blob.core.windows.net/c/k?sp=r"));
        assert!(!signed("https://a.blob.core.windows.net/c/k?snapshot=1"));
    }

    #[test]
    fn a_token_replaces_an_old_one_and_leaves_the_rest() {
        let mut url =
            Url::parse("https://a.blob.core.windows.net/c/k?snapshot=1&se=2001&sig=old").unwrap();
        sign(&mut url, "se=2999&sig=a%2Bb%3D");
        assert_eq!(url.query(), Some("snapshot=1&se=2999&sig=a%2Bb%3D"));
    }

    #[test]
    fn containers_with_an_account_are_blobs() {
        let found = |href: &str, account: Option<&str>| {
            let mut hints = Hints::default();
            hints.account = account.map(str::to_owned);
            blob(href, &hints).map(|(url, _)| url.to_string())
        };
        let expected = "https://acc.blob.core.windows.net/c/a%20b/x.parquet".to_owned();
        for href in ["abfs://c/a b/x.parquet", "az://c/a%20b/x.parquet"] {
            assert_eq!(found(href, Some("acc")), Some(expected.clone()), "{href}");
            assert_eq!(found(href, None), None);
        }
        let whole = "abfss://c@acc.dfs.core.windows.net/a b/x.parquet";
        assert_eq!(found(whole, Some("other")), Some(expected));
        assert_eq!(found("s3://c/x", Some("acc")), None);
    }
}
