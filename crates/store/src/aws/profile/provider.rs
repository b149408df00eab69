//! Credentials that renew themselves ahead of their end.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use super::process;
use super::source::{Role, Source, target};
use super::sso::Portal;
use super::sts::Sts;
use crate::error::{Error, ErrorKind, Result};

/// Credentials with less than this left are renewed while they still serve; those that live shorter, in the last
/// quarter of their life.
const RENEW_AHEAD: Duration = Duration::minutes(5);

/// How long credentials that still serve are left alone after they could not be renewed.
const PAUSE: Duration = Duration::seconds(30);

/// Credentials with less than this left are not used: the request might arrive too late.
const UNUSABLE: Duration = Duration::seconds(20);

/// Credentials and the time until which they hold; `None` is for ever.
#[derive(Debug)]
pub(super) struct Issued {
    credential: Arc<AwsCredential>,
    until: Option<DateTime<Utc>>,
    renew_at: Option<DateTime<Utc>>,
}

impl Issued {
    pub(super) fn new(credential: AwsCredential, until: Option<DateTime<Utc>>) -> Self {
        Self::shared(Arc::new(credential), until)
    }

    fn shared(credential: Arc<AwsCredential>, until: Option<DateTime<Utc>>) -> Self {
        let renew_at = until.map(|until| until - RENEW_AHEAD.min((until - Utc::now()) / 4));
        Self { credential, until, renew_at }
    }

    fn is_fresh(&self) -> bool {
        self.renew_at.is_none_or(|at| Utc::now() < at) && self.has_left(UNUSABLE)
    }

    /// The same credentials, not to be renewed for a while.
    fn postponed(&self) -> Self {
        let renew_at = self.renew_at.map(|_| Utc::now() + PAUSE);
        Self { credential: self.credential.clone(), until: self.until, renew_at }
    }

    fn has_left(&self, time: Duration) -> bool {
        self.until.is_none_or(|until| until - Utc::now() > time)
    }
}

/// The credentials of a profile. Reading them takes no lock; one caller at a time renews them.
#[derive(Debug)]
pub(super) struct ProfileCredentials {
    name: String,
    source: Source,
    sts: Sts,
    portal: Portal,
    current: ArcSwapOption<Issued>,
    renewal: ArcSwap<Renewal>,
}

/// Held by the caller who renews. A forked child has one of its own: whoever held its parent's is not in it.
#[derive(Debug)]
struct Renewal {
    process: u32,
    lock: Mutex<()>,
}

impl Renewal {
    fn new() -> Self {
        Self { process: std::process::id(), lock: Mutex::new(()) }
    }
}

impl ProfileCredentials {
    pub(super) fn new(name: String, source: Source, sts: Sts, portal: Portal) -> Self {
        let (current, renewal) = (ArcSwapOption::empty(), ArcSwap::from_pointee(Renewal::new()));
        Self { name, source, sts, portal, current, renewal }
    }

    fn renewal(&self) -> Arc<Renewal> {
        let process = std::process::id();
        let renewal = self.renewal.load_full();
        if renewal.process == process {
            return renewal;
        }
        // Of several threads of the child, one makes the new one.
        self.renewal.compare_and_swap(&renewal, Arc::new(Renewal::new()));
        self.renewal.load_full()
    }

    async fn renew(&self) -> Result<Arc<AwsCredential>> {
        let issued = Arc::new(self.issue(&self.source).await?);
        self.current.store(Some(issued.clone()));
        Ok(issued.credential.clone())
    }

    async fn issue(&self, source: &Source) -> Result<Issued> {
        // Whoever reads the error asked for an object: it must say that the credentials failed, and whose.
        let wrap = |what: &str, e: object_store::Error| {
            let error = Error::from_store("authenticate", target(&self.name), e);
            let detail = format!("{} cannot {what}: {}", target(&self.name), error.detail());
            Error::new(error.kind(), "authenticate", target(&self.name), detail)
        };
        let assume = |role: &Role| format!("assume the role {}", role.arn);
        match source {
            Source::Keys { .. } => {
                let credential = source.fixed().expect("keys are fixed");
                Ok(Issued::new(credential, None))
            }
            Source::Role { role, base } => {
                let base = Box::pin(self.issue(base)).await?;
                let issued = self.sts.assume_role(role, &base.credential).await;
                issued.map_err(|e| wrap(&assume(role), e))
            }
            Source::WebIdentity { role, token_file } => {
                let token = tokio::fs::read_to_string(token_file).await.map_err(|e| {
                    let detail =
                        format!("cannot read the token file {}: {e}", token_file.display());
                    Error::new(
                        ErrorKind::Unauthenticated,
                        "authenticate",
                        target(&self.name),
                        detail,
                    )
                })?;
                let issued = self.sts.assume_role_with_web_identity(role, token.trim()).await;
                issued.map_err(|e| wrap(&assume(role), e))
            }
            Source::Sso(sso) => self.portal.credentials(sso).await,
            Source::Process { command } => process::run(&self.name, command).await,
            Source::Ambient(provider) => {
                let credential = provider.get_credential().await;
                let credential = credential.map_err(|e| wrap("read the keys of the machine", e))?;
                // The provider of the machine keeps its own time: ask it anew whenever a role is assumed.
                Ok(Issued::shared(credential, Some(Utc::now())))
            }
        }
    }
}

#[async_trait]
impl CredentialProvider for ProfileCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let current = self.current.load_full();
        if let Some(issued) = current.as_deref().filter(|issued| issued.is_fresh()) {
            return Ok(issued.credential.clone());
        }
        let usable = current.filter(|issued| issued.has_left(UNUSABLE));
        let Some(issued) = usable else {
            let renewal = self.renewal();
            let _renewing = renewal.lock.lock().await;
            // Somebody may have renewed them meanwhile; those that last only minutes count too.
            let renewed = self.current.load_full().filter(|issued| issued.has_left(UNUSABLE));
            return match renewed {
                Some(issued) => Ok(issued.credential.clone()),
                None => Ok(self.renew().await?),
            };
        };
        // One caller renews; the others, and this one should it fail, go on with what they have.
        let renewal = self.renewal();
        let Ok(_renewing) = renewal.lock.try_lock() else { return Ok(issued.credential.clone()) };
        match self.renew().await {
            Ok(credential) => Ok(credential),
            Err(error) => {
                tracing::warn!(%error, "cannot renew credentials that still hold");
                self.current.store(Some(Arc::new(issued.postponed())));
                Ok(issued.credential.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid_for(time: Duration) -> Issued {
        let credential = AwsCredential { key_id: "A".into(), secret_key: "s".into(), token: None };
        Issued::new(credential, Some(Utc::now() + time))
    }

    #[test]
    fn long_lived_credentials_are_renewed_five_minutes_ahead_and_short_lived_ones_later() {
        let ahead = |issued: &Issued| issued.until.unwrap() - issued.renew_at.unwrap();
        assert_eq!(ahead(&valid_for(Duration::hours(1))), RENEW_AHEAD);
        let short = ahead(&valid_for(Duration::minutes(4)));
        assert!(short <= Duration::minutes(1) && short > Duration::seconds(58), "{short}");
        assert!(valid_for(Duration::minutes(4)).is_fresh());
        assert!(!valid_for(-Duration::minutes(4)).has_left(UNUSABLE));
    }

    #[test]
    fn a_failed_renewal_is_not_repeated_at_once() {
        let mut issued = valid_for(Duration::minutes(2));
        issued.renew_at = Some(Utc::now());
        assert!(!issued.is_fresh() && issued.has_left(UNUSABLE));
        assert!(issued.postponed().is_fresh());
    }
}
