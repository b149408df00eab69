//! The Planetary Computer: Azure blobs behind short-lived tokens.
//!
//! `GET {endpoint}/{account}/{container}` gives `{"msft:expiry": TIME, "token": QUERY}`, and the token is the query of
//! every blob of the container until then.

use std::path::PathBuf;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use holdall_store::client::ParsedUrl;
use holdall_store::config::AzureKey;
use holdall_store::object_store::client::{HttpClient, HttpRequest};
use holdall_store::url::{Backend, StoreUrl};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::answer::Answers;
use super::guard::{RENEWED, Renewal};
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
    /// When it came, if that was in place of one that was refused.
    #[serde(skip)]
    renewed: Option<Instant>,
}

impl Token {
    fn holds(&self) -> bool {
        self.expiry - Utc::now() > SHORTEST_LIFE
    }

    /// Whether there is no better one than this.
    fn is_final(&self) -> bool {
        self.renewed.is_some_and(|at| at.elapsed() < RENEWED)
    }
}

/// Tokens by account and container.
pub(super) struct Tokens {
    endpoint: String,
    headers: HeaderMap,
    http: HttpClient,
    given: Answers<(String, String), Token>,
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
        Self { endpoint, headers, http, given: Answers::default() }
    }

    async fn get(&self, account: &str, container: &str, attempts: u32) -> Result<String> {
        let answer = self.given.of((account.to_owned(), container.to_owned()));
        let ask = async |_| self.ask(account, container, attempts).await;
        Ok(answer.get(Token::holds, ask).await?.token)
    }

    /// Another token in place of one that was refused; `None` where there is none.
    async fn renew(
        &self,
        account: &str,
        container: &str,
        attempts: u32,
        refused: &str,
    ) -> Option<String> {
        let answer = self.given.of((account.to_owned(), container.to_owned()));
        let is_other = |token: &Token| token.token != refused && token.holds();
        let ask = async |_| {
            let token = self.ask(account, container, attempts).await?;
            Ok(Token { renewed: Some(Instant::now()), ..token })
        };
        // What came in its place already, or the same if that was not long ago.
        let given = answer.get(|token| is_other(token) || token.is_final(), ask).await;
        // The refusal is what to tell, and not that there is nothing better.
        given.ok().map(|given| given.token).filter(|token| token != refused)
    }

    async fn ask(&self, account: &str, container: &str, attempts: u32) -> Result<Token> {
        let url = format!("{}/{account}/{container}", self.endpoint);
        let bad = |detail: &str| Error::new(ErrorKind::Authentication, "get token", &url, detail);
        let parsed = Url::parse(&url).map_err(|e| bad(&e.to_string()))?;
        let (headers, http) = (self.headers.clone(), self.http.clone());
        let source = HttpSource::of_service(parsed, headers, http, attempts);
        let token: Token = read_json(&source, "get token").await?;
        if token.token.is_empty() {
            return Err(bad("the service gave an empty token"));
        }
        Ok(Token { token: token.token.trim_start_matches('?').to_owned(), ..token })
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

fn sign_request(request: &mut HttpRequest, token: &str) {
    let Ok(mut url) = Url::parse(&request.uri().to_string()) else { return };
    sign(&mut url, token);
    if let Ok(uri) = url.as_str().parse() {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(ParsedUrl(url));
    }
}

/// How requests are signed anew whose token ran out on the way, or was revoked.
fn renewal(clients: &Clients, account: &str, container: String, token: String) -> Renewal {
    let (clients, account) = (clients.clone(), account.to_owned());
    let renew = move |refused: String| {
        let (clients, account, container) = (clients.clone(), account.clone(), container.clone());
        async move {
            let attempts = clients.config().http_max_attempts;
            clients.0.sas.renew(&account, &container, attempts, &refused).await
        }
        .boxed()
    };
    Renewal::new(token, &[401, 403], sign_request, Box::new(renew))
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
            Ok(vec![plain(url).renewing(renewal(clients, account, container, token))])
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
