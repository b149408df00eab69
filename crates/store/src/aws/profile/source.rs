//! From the text of a profile to where its credentials come from.

use std::path::PathBuf;

use object_store::aws::{AwsCredential, AwsCredentialProvider};

use super::files::{Profiles, expand};
use super::ini::Section;
use crate::error::{Error, ErrorKind, Result};

/// Where the credentials of a profile come from.
#[derive(Debug)]
pub(super) enum Source {
    Keys { key_id: String, secret_key: Secret, token: Option<Secret> },
    Role { role: Role, base: Box<Source> },
    WebIdentity { role: Role, token_file: PathBuf },
    Sso(Sso),
    Process { command: String },
    Ambient(AwsCredentialProvider),
}

/// Text that `Debug` hides.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A role to assume.
#[derive(Debug, Clone)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: String,
    pub(super) external_id: Option<String>,
    pub(super) duration_seconds: Option<u32>,
}

/// A role granted through single sign-on.
#[derive(Debug, Clone)]
pub(super) struct Sso {
    pub(super) start_url: String,
    pub(super) region: String,
    pub(super) account_id: String,
    pub(super) role_name: String,
}

/// Credentials that a profile takes from the machine: `credential_source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ambient {
    Ec2InstanceMetadata,
    EcsContainer,
}

/// Opens credentials of the machine.
pub(crate) type OpenAmbient<'a> = &'a dyn Fn(Ambient) -> Result<AwsCredentialProvider>;

impl Source {
    /// What `name` says about credentials; `None` when it says nothing.
    pub(super) fn of(
        profiles: &Profiles,
        name: &str,
        ambient: OpenAmbient<'_>,
    ) -> Result<Option<Self>> {
        Resolver { profiles, ambient, seen: Vec::new() }.resolve(name)
    }

    /// Keys that stand in the files as they are.
    pub(super) fn fixed(&self) -> Option<AwsCredential> {
        let Self::Keys { key_id, secret_key, token } = self else { return None };
        Some(AwsCredential {
            key_id: key_id.clone(),
            secret_key: secret_key.0.clone(),
            token: token.as_ref().map(|token| token.0.clone()),
        })
    }
}

struct Resolver<'a> {
    profiles: &'a Profiles,
    ambient: OpenAmbient<'a>,
    seen: Vec<String>,
}

impl Resolver<'_> {
    fn resolve(&mut self, name: &str) -> Result<Option<Source>> {
        let Some(profile) = self.profiles.profile(name) else {
            return Err(bad(
                name,
                format!("no profile '{name}'; known are {}", self.profiles.names()),
            ));
        };
        if self.seen.iter().any(|seen| seen == name) {
            let chain = self.seen.join(" → ");
            return Err(bad(name, format!("`source_profile` runs in a circle: {chain} → {name}")));
        }
        self.seen.push(name.to_owned());
        if profile.get("role_arn").is_some() {
            return self.role(name, profile).map(Some);
        }
        if let Some(keys) = keys(name, profile)? {
            return Ok(Some(keys));
        }
        if profile.get("sso_session").is_some() || profile.get("sso_start_url").is_some() {
            return self.sso(name, profile).map(|sso| Some(Source::Sso(sso)));
        }
        let process = profile.get("credential_process");
        Ok(process.map(|command| Source::Process { command: command.to_owned() }))
    }

    fn role(&mut self, name: &str, profile: &Section) -> Result<Source> {
        if profile.get("mfa_serial").is_some() {
            return Err(Error::new(
                ErrorKind::NotSupported,
                "open",
                target(name),
                "the role asks for a second factor (`mfa_serial`): get session keys with `aws sts get-session-token` \
                 and give those",
            ));
        }
        let role = role(name, profile)?;
        if let Some(file) = profile.get("web_identity_token_file") {
            return Ok(Source::WebIdentity { role, token_file: expand(file) });
        }
        let base = match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(_), Some(_)) => {
                return Err(bad(
                    name,
                    "`source_profile` and `credential_source` exclude each other",
                ));
            }
            (Some(source), None) => self.base(name, profile, source)?,
            (None, Some("Environment")) => environment(name)?,
            (None, Some("Ec2InstanceMetadata")) => {
                Source::Ambient((self.ambient)(Ambient::Ec2InstanceMetadata)?)
            }
            (None, Some("EcsContainer")) => Source::Ambient((self.ambient)(Ambient::EcsContainer)?),
            (None, Some(other)) => {
                return Err(bad(
                    name,
                    format!(
                        "`credential_source` is '{other}', not Environment, Ec2InstanceMetadata or EcsContainer"
                    ),
                ));
            }
            (None, None) => {
                return Err(bad(
                    name,
                    "`role_arn` needs `source_profile`, `credential_source` or `web_identity_token_file`",
                ));
            }
        };
        Ok(Source::Role { role, base: Box::new(base) })
    }

    fn base(&mut self, name: &str, profile: &Section, source: &str) -> Result<Source> {
        // A profile may name itself: then its own keys assume the role.
        let base = if source == name { keys(name, profile)? } else { self.resolve(source)? };
        base.ok_or_else(|| bad(name, format!("`source_profile` '{source}' has no credentials")))
    }

    fn sso(&self, name: &str, profile: &Section) -> Result<Sso> {
        let session = match profile.get("sso_session") {
            Some(session) => Some(self.profiles.session(session).ok_or_else(|| {
                bad(name, format!("there is no section [sso-session {session}]"))
            })?),
            None => None,
        };
        let need = |key: &str| {
            let shared = session.and_then(|session| session.get(key));
            let value = shared.or_else(|| profile.get(key));
            value.map(str::to_owned).ok_or_else(|| bad(name, format!("`{key}` is missing")))
        };
        Ok(Sso {
            start_url: need("sso_start_url")?,
            region: need("sso_region")?,
            account_id: need("sso_account_id")?,
            role_name: need("sso_role_name")?,
        })
    }
}

fn keys(name: &str, profile: &Section) -> Result<Option<Source>> {
    let (id, secret) = (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key"));
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Some(Source::Keys {
            key_id: id.to_owned(),
            secret_key: Secret(secret.to_owned()),
            token: profile.get("aws_session_token").map(|token| Secret(token.to_owned())),
        })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(bad(name, "`aws_secret_access_key` is missing")),
        (None, Some(_)) => Err(bad(name, "`aws_access_key_id` is missing")),
    }
}

fn environment(name: &str) -> Result<Source> {
    let var = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
    match (var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY")) {
        (Some(key_id), Some(secret)) => Ok(Source::Keys {
            key_id,
            secret_key: Secret(secret),
            token: var("AWS_SESSION_TOKEN").map(Secret),
        }),
        _ => Err(bad(
            name,
            "`credential_source = Environment` needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )),
    }
}

fn role(name: &str, profile: &Section) -> Result<Role> {
    let duration = profile.get("duration_seconds").map(|text| {
        text.parse().map_err(|_| bad(name, format!("`duration_seconds` is '{text}', not a number")))
    });
    let session = profile.get("role_session_name").map(str::to_owned);
    Ok(Role {
        arn: profile.get("role_arn").unwrap_or_default().to_owned(),
        session_name: session
            .unwrap_or_else(|| format!("holdall-{}", chrono::Utc::now().timestamp())),
        external_id: profile.get("external_id").map(str::to_owned),
        duration_seconds: duration.transpose()?,
    })
}

/// How errors name a profile.
pub(super) fn target(name: &str) -> String {
    format!("AWS profile '{name}'")
}

fn bad(name: &str, detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "open", target(name), detail)
}
