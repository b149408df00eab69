//! How to ask who is there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::Secret;

/// What tokens are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Algorithm {
    /// A secret that whoever verifies tokens has to have, too.
    #[serde(rename = "HS256")]
    Hs256,
    /// An RSA key; its public half verifies.
    #[serde(rename = "RS256")]
    Rs256,
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "HS256" => Ok(Self::Hs256),
            "RS256" => Ok(Self::Rs256),
            _ => Err(format!("\"{text}\" is none of HS256 and RS256")),
        }
    }
}

/// AuthN: who may do what, and how they prove who they are.
///
/// The default: an administrator `admin` whose password is made up at the first start, AuthN on the port of the server,
/// tokens signed with a secret made up at the first start.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// Name of the administrator.
    pub admin: String,
    /// The administrator's password from this start on. None keeps what is there; at the first start, one is made up
    /// ([`Server::admin_password`](crate::Server::admin_password) tells it once).
    pub password: Option<Secret>,
    /// Where AuthN listens; none for the port of the server.
    pub listen: Option<SocketAddr>,
    /// What tokens are signed with. None keeps what is there; at the first start, HS256. Another one than before makes
    /// a new key, which ends all tokens.
    pub algorithm: Option<Algorithm>,
    /// A file with the key: the secret of HS256 (at least 32 bytes; white space around it does not count), or the
    /// private RSA key as PEM. None for one that is made up at the first start and kept.
    pub key: Option<PathBuf>,
    /// Life of tokens whose login does not say.
    pub life: Duration,
    /// Longest life of a token.
    pub longest_life: Duration,
}

impl Default for AuthOptions {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            admin: "admin".into(),
            password: None,
            listen: None,
            algorithm: None,
            key: None,
            life: DAY,
            longest_life: 90 * DAY,
        }
    }
}
