//! Hrefs that a service of their owner signs (`signedUrl` of the `authentication` extension): it is told the href, or bucket
//! and key, and answers with a URL that may be read for some time.
//!
//! The service learns what the document already says and, where the user has a credential for it, that. Nothing else of
//! the user goes there: anybody can write a document that names a service.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, Utc};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use url::Url;

use super::{AuthScheme, ClientKind, Clients, Hints, apply};
use crate::asset::text;
use crate::config::Credential;
use crate::error::{Error, ErrorKind, Result};
use crate::href;
use crate::json::Json;
use crate::transport::{self, HttpSource, Source};

/// How long a signature is taken to hold that does not say so.
const SHORT_LIFE: Duration = Duration::from_secs(60);

/// Signatures that expire sooner are not used any more.
const MARGIN: Duration = Duration::from_secs(30);

/// How an href is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SigningFlow {
    /// The service.
    pub api: String,
    /// The method of requests to it, in capitals.
    pub method: String,
    /// What it wants to be told.
    pub parameters: Vec<SigningParameter>,
    /// The member of its answer that is the signed URL.
    pub response_field: Option<String>,
}

/// A parameter of a request to a signing service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SigningParameter {
    /// Its name.
    pub name: String,
    /// `query`, `header` or `body`.
    pub place: String,
    /// Whether the service insists.
    pub required: bool,
    /// The value that its schema has by default.
    pub default: Option<String>,
}

impl SigningFlow {
    /// Reads the first flow of a scheme that names a service.
    pub(super) fn of(scheme: &Json) -> Option<Self> {
        let flows = scheme.get("flows")?.as_object()?;
        flows.values().find_map(|flow| {
            let parameters = flow.get("parameters").and_then(Json::as_object);
            Some(Self {
                api: flow.get("authorizationApi").and_then(text)?,
                method: flow.get("method").and_then(text).unwrap_or_default().to_uppercase(),
                parameters: parameters.into_iter().flatten().map(parameter).collect(),
                response_field: flow.get("responseField").and_then(text),
            })
        })
    }
}

fn parameter((name, json): (&String, &Json)) -> SigningParameter {
    let default = json.get("schema").and_then(|schema| schema.get("default"));
    SigningParameter {
        name: name.clone(),
        place: json.get("in").and_then(text).unwrap_or_else(|| "query".to_owned()),
        required: json.get("required").and_then(Json::as_bool).unwrap_or(false),
        default: default.and_then(text),
    }
}

/// What was signed, until when it holds.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<String, (String, Instant)>>);

/// The scheme by which an href is to be signed, if it is; other ways for which the user has credentials come first.
pub(super) fn scheme<'a>(
    clients: &Clients,
    kind: ClientKind,
    hints: &'a Hints,
) -> Option<&'a AuthScheme> {
    let config = clients.config();
    let signable = matches!(kind, ClientKind::Http | ClientKind::S3 | ClientKind::Store);
    if !signable || config.client_override.is_some() {
        return None;
    }
    for scheme in &hints.auth {
        let usable = match scheme.kind.as_str() {
            "signedUrl" if scheme.signing.is_some() => return Some(scheme),
            "s3" => kind == ClientKind::S3 && super::s3::has_credentials(),
            _ => config.credentials.iter().any(|(key, _)| *key == scheme.key),
        };
        if usable {
            return None;
        }
    }
    None
}

/// The way to a signed href.
pub(super) async fn way(clients: &Clients, href: &str, scheme: &AuthScheme) -> Result<Source> {
    let signed = sign(clients, href, scheme).await?;
    let url = clients.url(&signed)?;
    let same = Url::parse(href).is_ok_and(|own| own.origin() == url.origin());
    // Headers are meant for the host of the href.
    let headers = if same { clients.headers().clone() } else { HeaderMap::new() };
    Ok(clients.http_source(url, headers))
}

async fn sign(clients: &Clients, href: &str, scheme: &AuthScheme) -> Result<String> {
    let flow = scheme.signing.as_ref();
    let flow = flow.ok_or_else(|| refusal(href, "its scheme names no service"))?;
    let mark = format!("{flow:?} {href}");
    let cache = &clients.0.signed.0;
    let known = cache.lock().unwrap_or_else(PoisonError::into_inner).get(&mark).cloned();
    if let Some((url, until)) = known
        && until > Instant::now()
    {
        return Ok(url);
    }
    let url = ask(clients, href, scheme, flow).await?;
    let until = Instant::now() + life(&url).unwrap_or(SHORT_LIFE);
    cache.lock().unwrap_or_else(PoisonError::into_inner).insert(mark, (url.clone(), until));
    Ok(url)
}

fn refusal(href: &str, detail: &str) -> Error {
    Error::new(ErrorKind::Authentication, "sign", href, detail)
}

async fn ask(
    clients: &Clients,
    href: &str,
    scheme: &AuthScheme,
    flow: &SigningFlow,
) -> Result<String> {
    let mut url = clients.url(&flow.api)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let own = |wanted: &str| {
        clients.config().credentials.iter().find(|(key, _)| key == wanted).map(|(_, value)| value)
    };
    let mut credential = own(&scheme.key).or_else(|| own(&host));
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let mut body = Map::new();
    for parameter in &flow.parameters {
        let name = parameter.name.as_str();
        let value = match (value(name, href).or_else(|| parameter.default.clone()), credential) {
            (Some(value), _) => value,
            // What the service wants and the document does not say can only be its key.
            (None, Some(Credential::ApiKey(key))) if parameter.required => {
                credential = None;
                key.clone()
            }
            (None, _) if !parameter.required => continue,
            (None, _) => {
                let detail = format!(
                    "its service wants '{name}': give it with the credential {}=key:VALUE",
                    scheme.key
                );
                return Err(refusal(href, &detail));
            }
        };
        match parameter.place.as_str() {
            "query" => drop(url.query_pairs_mut().append_pair(name, &value)),
            "body" => drop(body.insert(name.to_owned(), Value::String(value))),
            "header" => {
                let pair = HeaderName::from_bytes(name.as_bytes()).ok();
                let pair = pair.zip(HeaderValue::from_str(&value).ok());
                let (name, mut value) = pair.ok_or_else(|| {
                    refusal(
                        href,
                        &format!("its service wants '{name}' in a header, which it cannot be"),
                    )
                })?;
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            place => {
                let detail = format!("its service wants '{name}' in '{place}', which nobody knows");
                return Err(refusal(href, &detail));
            }
        }
    }
    if let Some(credential) = credential {
        apply(credential, None, &mut url, &mut headers)?;
    }
    let named = if flow.method.is_empty() { "GET" } else { flow.method.as_str() };
    let method = Method::from_bytes(named.as_bytes())
        .map_err(|_| refusal(href, &format!("its service wants the method '{named}'")))?;
    let body = (!body.is_empty() || method == Method::POST)
        .then(|| ("application/json", Value::Object(body).to_string()));
    let (http, attempts) = (clients.0.http.clone(), clients.config().http_max_attempts);
    let source = HttpSource::of_service(url, headers, http, attempts);
    let answer = transport::json::<Value>(&source, "sign", method, body).await;
    let answer = answer.map_err(|error| match error.status() {
        Some(401 | 403) => error
            .with_hint(&format!("give a credential for '{}' or for the host {host}", scheme.key)),
        _ => error,
    })?;
    let fields: &[&str] = match &flow.response_field {
        Some(field) => &[field.as_str()],
        None => &["signed_url", "signedUrl", "href", "url"],
    };
    let signed = fields.iter().find_map(|field| answer.get(field)?.as_str());
    signed.map(str::to_owned).ok_or_else(|| {
        refusal(href, &format!("the answer of its service has no '{}'", fields.join("' or '")))
    })
}

/// What a parameter of a name stands for.
fn value(name: &str, href: &str) -> Option<String> {
    let plain = name.to_ascii_lowercase().replace(['_', '-'], "");
    match plain.as_str() {
        "href" | "url" | "assethref" | "asseturl" => Some(href.to_owned()),
        "bucket" | "bucketname" | "container" => bucket_and_key(href).map(|(bucket, _)| bucket),
        "key" | "objectkey" | "path" | "object" | "blob" => {
            bucket_and_key(href).map(|(_, key)| key)
        }
        _ => None,
    }
}

/// Bucket and key of `s3://bucket/key`, of the two forms that S3 has over HTTP, and of hosts that are named like them.
fn bucket_and_key(href: &str) -> Option<(String, String)> {
    let url = Url::parse(href).ok()?;
    let (host, path) = (url.host_str()?, url.path().trim_start_matches('/'));
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let is_http = matches!(href::scheme(href)?.as_str(), "http" | "https");
    let first = host.split('.').next()?;
    if !is_http {
        return Some((host.to_owned(), path));
    }
    let by_path = host.ends_with("amazonaws.com") && (first == "s3" || first.starts_with("s3-"));
    match by_path {
        true => path.split_once('/').map(|(bucket, key)| (bucket.to_owned(), key.to_owned())),
        // Names of buckets may have dots.
        false => match host.find(".s3.").or_else(|| host.find(".s3-")) {
            Some(at) => Some((host[..at].to_owned(), path)),
            None => Some((first.to_owned(), path)),
        },
    }
}

/// How long a signature holds by what its URL says, less a margin.
fn life(url: &str) -> Option<Duration> {
    let url = Url::parse(url).ok()?;
    let find = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    };
    let end = match (find("X-Amz-Date"), find("X-Amz-Expires")) {
        (Some(date), Some(seconds)) => {
            let start = NaiveDateTime::parse_from_str(&date, "%Y%m%dT%H%M%SZ").ok()?.and_utc();
            start + chrono::TimeDelta::try_seconds(seconds.parse().ok()?)?
        }
        _ => match (find("Expires"), find("se")) {
            (Some(epoch), _) => DateTime::from_timestamp(epoch.parse().ok()?, 0)?,
            (_, Some(end)) => DateTime::parse_from_rfc3339(&end).ok()?.to_utc(),
            _ => return None,
        },
    };
    Some((end - Utc::now()).to_std().unwrap_or_default().saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_found_in_every_form() {
        let found =
            |href: &str| bucket_and_key(href).map(|(bucket, key)| format!("{bucket} {key}"));
        for href in [
            "s3://my.bucket/a/b%20c.tif",
            "https://my.bucket.s3.eu-west-1.amazonaws.com/a/b%20c.tif",
            "https://my.bucket.s3-us-west-2.amazonaws.com/a/b%20c.tif",
            "https://s3.us-west-2.amazonaws.com/my.bucket/a/b%20c.tif",
        ] {
            assert_eq!(found(href).as_deref(), Some("my.bucket a/b c.tif"), "{href}");
        }
        assert_eq!(found("https://data.example.com/a.tif").as_deref(), Some("data a.tif"));
    }

    #[test]
    fn signatures_say_how_long_they_hold() {
        let now = Utc::now();
        let amz =
            format!("https://h/k?X-Amz-Date={}&X-Amz-Expires=360", now.format("%Y%m%dT%H%M%SZ"));
        assert!((320..=330).contains(&life(&amz).unwrap().as_secs()));
        let epoch = format!("https://h/k?Expires={}", now.timestamp() + 100);
        assert!((60..=70).contains(&life(&epoch).unwrap().as_secs()));
        assert_eq!(life("https://h/k?se=2001-01-01T00:00:00Z").unwrap(), Duration::ZERO);
        assert_eq!(life("https://h/k"), None);
    }
}
