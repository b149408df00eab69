//! Logging in on another device (`device_code`, RFC 8628): the user types a code into a page, and we ask until it is done.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::pkce::Pkce;
use super::{Held, Tokens, seconds};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::post_json;

/// How often is asked, and for how long, where the provider does not say (RFC 8628, section 3.2).
const INTERVAL: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Reply {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<Duration>,
    #[serde(default, deserialize_with = "seconds")]
    interval: Option<Duration>,
}

pub(super) async fn log_in(tokens: &Tokens) -> Result<Held> {
    let config = &tokens.config;
    let url = config.device_authorization_url.as_deref().unwrap_or_default();
    let pkce = config.pkce.then(Pkce::new).transpose()?;
    let challenge: Vec<_> = pkce.iter().flat_map(Pkce::challenge).collect();
    let form = tokens.form(&challenge, &config.extra);
    let reply: Reply = post_json(&tokens.source(url)?, "ask for a code", Some(&form)).await?;
    tokens
        .prompt(match &reply.verification_uri_complete {
            Some(page) => format!("log in at {page} (code {})", reply.user_code),
            None => {
                format!("log in at {} with the code {}", reply.verification_uri, reply.user_code)
            }
        })
        .await;
    let mut interval = reply.interval.unwrap_or(INTERVAL);
    let end = Instant::now() + reply.expires_in.unwrap_or(PATIENCE);
    let mut fields = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned()),
        ("device_code", reply.device_code),
    ];
    fields.extend(pkce.map(|pkce| ("code_verifier", pkce.verifier)));
    let form = tokens.form(&fields, &config.extra);
    while Instant::now() < end {
        tokio::time::sleep(interval).await;
        match tokens.ask(&form).await {
            Ok(held) => return Ok(held),
            // RFC 8628, section 3.5.
            Err(error) if error.detail().contains("authorization_pending") => {}
            Err(error) if error.detail().contains("slow_down") => {
                interval += Duration::from_secs(5)
            }
            Err(error) => return Err(error),
        }
    }
    let target = config.token_url.as_deref().unwrap_or_default();
    let detail = "nobody entered the code in time";
    Err(Error::new(ErrorKind::Authentication, "get token", target, detail))
}
