//! OAuth2 for HTTP, from arguments and the variables that stac-asset reads.

use anyhow::{Context as _, Result};
use clap::Args;
use holdall::stac::OAuth2;

/// How tokens for HTTP are obtained. Secrets come from `OAUTH2_CLIENT_SECRET` and `OAUTH2_PASSWORD` alone: shells keep their
/// history.
#[derive(Debug, Args, Clone)]
#[command(next_help_heading = "OAuth2")]
pub(crate) struct OAuthArgs {
    /// How tokens are obtained: client_credentials, password, device_code, authorization_code (with a browser). The secrets
    /// come from OAUTH2_CLIENT_SECRET and OAUTH2_PASSWORD.
    #[arg(long = "oauth2-grant", value_name = "GRANT", env = "OAUTH2_GRANT")]
    grant: Option<String>,
    /// Where tokens are given.
    #[arg(long = "oauth2-token-url", value_name = "URL", env = "OAUTH2_TOKEN_URL")]
    token_url: Option<String>,
    /// Where users agree, for authorization_code.
    #[arg(long = "oauth2-authorization-url", value_name = "URL", env = "OAUTH2_AUTHORIZATION_URL")]
    authorization_url: Option<String>,
    /// Where codes are given, for device_code.
    #[arg(
        long = "oauth2-device-authorization-url",
        value_name = "URL",
        env = "OAUTH2_DEVICE_AUTHORIZATION_URL"
    )]
    device_authorization_url: Option<String>,
    /// The identifier of the client.
    #[arg(long = "oauth2-client-id", value_name = "ID", env = "OAUTH2_CLIENT_ID")]
    client_id: Option<String>,
    /// The user, for password.
    #[arg(long = "oauth2-username", value_name = "USER", env = "OAUTH2_USERNAME")]
    username: Option<String>,
    /// Bind codes to who asked for them (PKCE): true, or false and 0 for no.
    #[arg(long = "oauth2-pkce", value_name = "BOOL", env = "OAUTH2_PKCE", default_value = "true")]
    pkce: String,
    /// A further field of the request, as NAME=VALUE (`scope=read`); repeatable.
    #[arg(long = "oauth2-extra", value_name = "NAME=VALUE")]
    extra: Vec<String>,
}

impl OAuthArgs {
    /// The settings, if a grant is chosen.
    pub(super) fn settings(&self) -> Result<Option<OAuth2>> {
        let Some(grant) = self.grant.clone().filter(|grant| !grant.is_empty()) else {
            return Ok(None);
        };
        let secret = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let extra = self.extra.iter().map(|text| {
            let pair = text.split_once('=');
            let pair =
                pair.with_context(|| format!("--oauth2-extra {text}: expected NAME=VALUE"))?;
            Ok((pair.0.to_owned(), pair.1.to_owned()))
        });
        Ok(Some(OAuth2 {
            grant,
            token_url: self.token_url.clone(),
            authorization_url: self.authorization_url.clone(),
            device_authorization_url: self.device_authorization_url.clone(),
            client_id: self.client_id.clone(),
            client_secret: secret("OAUTH2_CLIENT_SECRET"),
            username: self.username.clone(),
            password: secret("OAUTH2_PASSWORD"),
            pkce: !matches!(self.pkce.to_ascii_lowercase().as_str(), "false" | "0"),
            extra: extra.collect::<Result<_>>()?,
        }))
    }
}
