//! Options of `serve` about who may do what.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use holdall::ais_server::{Algorithm, AuthOptions, Secret};

use crate::args::duration;

/// AuthN: who may do what, and how they prove who they are.
#[derive(Debug, Args)]
#[command(next_help_heading = "AuthN")]
pub(crate) struct AuthArgs {
    /// Ask everybody who they are: users with passwords, roles with permissions, tokens. At the first start an
    /// administrator is made, whose password is made up and shown once, unless it is given.
    #[arg(long)]
    pub(crate) auth: bool,
    /// Name of the administrator.
    #[arg(
        long,
        value_name = "NAME",
        env = "HOLDALL_AUTH_ADMIN",
        requires = "auth",
        default_value = "admin"
    )]
    pub(crate) auth_admin: String,
    /// The administrator's password from this start on. Others can see it in the list of processes: the environment or
    /// a file are better places.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "HOLDALL_AUTH_ADMIN_PASSWORD",
        hide_env_values = true,
        requires = "auth",
        value_parser = secret
    )]
    pub(crate) auth_admin_password: Option<Secret>,
    /// The same from the first line of a file; `-` for standard input.
    #[arg(long, value_name = "FILE", requires = "auth", conflicts_with = "auth_admin_password")]
    pub(crate) auth_admin_password_file: Option<PathBuf>,
    /// A port of its own for AuthN; without it, AuthN is on the server's.
    #[arg(long, value_name = "ADDRESS", env = "HOLDALL_AUTHN_LISTEN", requires = "auth")]
    pub(crate) authn_listen: Option<SocketAddr>,
    /// What tokens are signed with: HS256, a secret, or RS256, an RSA key. Without it, what was used before, or HS256.
    #[arg(long, value_name = "HS256|RS256", requires = "auth")]
    pub(crate) auth_algorithm: Option<Algorithm>,
    /// The key: for HS256 a file with a secret of at least 32 bytes, for RS256 a private key in PEM. Without it, one is
    /// made at the first start and kept.
    #[arg(long, value_name = "FILE", env = "HOLDALL_AUTH_KEY_FILE", requires = "auth")]
    pub(crate) auth_key_file: Option<PathBuf>,
    /// Life of tokens whose login does not say.
    #[arg(long, value_name = "TIME", requires = "auth", default_value = "24h", value_parser = duration)]
    pub(crate) auth_token_life: Duration,
    /// Longest life that a login can ask for.
    #[arg(long, value_name = "TIME", requires = "auth", default_value = "90d", value_parser = duration)]
    pub(crate) auth_longest_life: Duration,
}

#[expect(clippy::unnecessary_wraps, reason = "the form of clap's parsers")]
fn secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text))
}

impl AuthArgs {
    pub(crate) fn options(&self) -> Result<Option<AuthOptions>> {
        if !self.auth {
            return Ok(None);
        }
        let password = match &self.auth_admin_password_file {
            Some(path) => Some(first_line(path)?),
            None => self.auth_admin_password.clone(),
        };
        Ok(Some(AuthOptions {
            admin: self.auth_admin.clone(),
            password,
            listen: self.authn_listen,
            algorithm: self.auth_algorithm,
            key: self.auth_key_file.clone(),
            life: self.auth_token_life,
            longest_life: self.auth_longest_life,
        }))
    }
}

fn first_line(path: &Path) -> Result<Secret> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    let shown = path.display();
    read.with_context(|| format!("--auth-admin-password-file: cannot read {shown}"))?;
    let password = Secret::new(text.lines().next().unwrap_or_default());
    if password.expose().is_empty() {
        bail!("--auth-admin-password-file: the first line of {shown} is empty");
    }
    Ok(password)
}
