//! Secrets as requests carry them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::AuthScheme;
use crate::config::Credential;
use crate::error::{Error, ErrorKind, Result};

/// Headers that the user gave.
pub(super) fn header_map(headers: &[(String, String)]) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let bad =
            |target: &str, detail: &str| Error::new(ErrorKind::Config, "configure", target, detail);
        // What is no name is a header that was written some other way, with its secret in it: it is not repeated.
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            bad(
                "headers",
                "the name of one has characters that no name has: a header is NAME=VALUE",
            )
        })?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| bad(&format!("header '{name}'"), "its value cannot be sent"))?;
        value.set_sensitive(true);
        map.append(key, value);
    }
    Ok(map)
}

/// Puts a credential where its scheme says.
pub(super) fn apply(
    credential: &Credential,
    scheme: Option<&AuthScheme>,
    url: &mut Url,
    headers: &mut HeaderMap,
) -> Result<()> {
    match credential {
        Credential::Bearer(token) => {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        Credential::Basic(user, password) => {
            headers.insert(AUTHORIZATION, basic(user, password)?);
        }
        Credential::ApiKey(value) => {
            let name = scheme.and_then(|scheme| scheme.name.as_deref()).unwrap_or("X-API-Key");
            match scheme.and_then(|scheme| scheme.place.as_deref()).unwrap_or("header") {
                "query" => {
                    url.query_pairs_mut().append_pair(name, value);
                }
                "cookie" => {
                    headers.insert(COOKIE, secret(&format!("{name}={value}"))?);
                }
                _ => headers.extend(header_map(&[(name.to_owned(), value.clone())])?),
            }
        }
    }
    Ok(())
}

pub(super) fn bearer(token: &str) -> Result<HeaderValue> {
    secret(&format!("Bearer {token}"))
}

pub(super) fn basic(user: &str, password: &str) -> Result<HeaderValue> {
    secret(&format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
}

fn secret(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "configure",
            "",
            "a credential has characters that cannot be sent",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
