//! AuthN: users, roles, clusters and tokens, and what tokens allow.
//!
//! | module | subject |
//! |---|---|
//! | `options` | how to ask who is there |
//! | `manage` | users, roles, clusters: made, changed, removed |
//! | `state` | the same in memory and in the metadata store |
//! | `clusters` | other clusters are asked and told |
//! | `attempts` | logins that failed |
//! | `claims` | what a token says, and what it allows |
//! | `keys` | tokens signed and verified |
//! | `tokens` | tokens that were seen, and tokens that were taken back |
//! | `password`, `secret` | secrets: hashed, hidden |

mod attempts;
mod claims;
mod clusters;
mod keys;
mod manage;
mod options;
mod password;
mod secret;
mod start;
mod state;
mod tokens;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use holdall_ais_wire::authn::Login;
use tokio::sync::Semaphore;

pub use claims::{Asked, Claims, Credentials};
pub use keys::Refused;
pub use options::{Algorithm, AuthOptions};
pub use secret::Secret;

use super::checksum::hex;
use super::random;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Meta;
use state::{Change, State};

/// Shortest life of a token that a login may ask for.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
/// Life of tokens that this service shows to clusters.
const SERVICE_LIFE: Duration = Duration::from_secs(5 * 60);
/// Passwords that are hashed at once: each takes 19 MiB and a processor.
const HASHING: usize = 2;

/// How often tokens were accepted and refused.
#[derive(Debug, Default)]
pub struct Counts {
    accepted: AtomicU64,
    missing: AtomicU64,
    expired: AtomicU64,
    invalid: AtomicU64,
    denied: AtomicU64,
}

impl Counts {
    /// The counters by name.
    pub fn all(&self) -> [(&'static str, u64); 5] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("accepted", of(&self.accepted)),
            ("missing", of(&self.missing)),
            ("expired", of(&self.expired)),
            ("invalid", of(&self.invalid)),
            ("denied", of(&self.denied)),
        ]
    }

    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who may do what.
pub struct Authn {
    meta: Arc<Meta>,
    /// Id of this cluster, and of this service.
    cluster: String,
    /// Where this service is; what tokens say who made them.
    issuer: OnceLock<String>,
    /// The administrator that cannot be removed.
    admin: String,
    keys: keys::Keys,
    life: Duration,
    longest_life: Duration,
    state: RwLock<State>,
    /// Held while users, roles and clusters change.
    changing: tokio::sync::Mutex<()>,
    tokens: tokens::Tokens,
    hashing: Semaphore,
    attempts: attempts::Attempts,
    /// Hash of no password: a login of nobody takes as long as one of somebody.
    decoy: String,
    counts: Counts,
}

impl Authn {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps changes, and then shows them.
    async fn change(&self, changes: Vec<Change>) -> Result<()> {
        let changes = Arc::new(changes);
        let kept = Arc::clone(&changes);
        self.meta.write(move |tx| kept.iter().try_for_each(|change| change.write(tx))).await?;
        let Ok(changes) = Arc::try_unwrap(changes) else {
            return Err(Error::internal("a change of AuthN is still being written"));
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        changes.into_iter().for_each(|change| state.apply(change));
        Ok(())
    }

    /// Tells where this service is, once.
    pub(crate) fn set_issuer(&self, url: String) {
        // The first one stays.
        let _ = self.issuer.set(url);
    }

    /// The URL of this service; empty before it listens.
    pub fn url(&self) -> &str {
        self.issuer.get().map_or("", String::as_str)
    }

    /// What tokens are signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.keys.algorithm()
    }

    /// The key that verifies tokens, as PEM; none where it is the secret that signs them.
    pub fn public_key(&self) -> Option<&str> {
        self.keys.public()
    }

    /// Life of tokens: that of logins that do not say, and the longest.
    pub fn lives(&self) -> (Duration, Duration) {
        (self.life, self.longest_life)
    }

    /// How often tokens were accepted and refused.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What a token says, if it is good here and now. The first look at a token verifies its signature; later ones
    /// find it in a table.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, Refused> {
        if let Some(known) = self.tokens.known(token) {
            return known;
        }
        let claims = self.keys.verify(token)?;
        if !claims.is_for(&self.cluster) {
            return Err(Refused::Audience);
        }
        self.tokens.add(&self.cluster, token, claims)
    }

    /// [`verify`](Self::verify) for the token of a request, which is none or was found in this header; it is counted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`], with AIStore's text.
    pub fn authenticate(&self, found: Option<(&str, &str)>) -> Result<Arc<Claims>> {
        let verified = found.ok_or(Refused::Missing).and_then(|(_, token)| self.verify(token));
        Counts::add(match &verified {
            Ok(_) => &self.counts.accepted,
            Err(Refused::Missing) => &self.counts.missing,
            Err(Refused::Expired) => &self.counts.expired,
            Err(_) => &self.counts.invalid,
        });
        verified.map_err(|refused| {
            let text = match found {
                Some((header, _)) => {
                    format!("invalid token from header \"{header}\": {}", refused.text())
                }
                None => refused.text(),
            };
            Error::new(ErrorKind::Unauthorized, text)
        })
    }

    /// What the user may do, for somebody who has proved to be that user without a token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Forbidden`] when there is no such user.
    pub fn claims_of(&self, user: &str) -> Result<Claims> {
        let account = self.state().users.get(user).cloned();
        let account = account.ok_or_else(|| {
            Counts::add(&self.counts.invalid);
            let text = format!(
                "the access key {user:?} is no user of AuthN: add a user of this name, whose roles say what the key allows, or send a token"
            );
            Error::new(ErrorKind::Forbidden, text)
        })?;
        Counts::add(&self.counts.accepted);
        self.claims(&account, self.life)
    }

    /// Checks that the claims allow all that is asked; refusals are counted.
    ///
    /// # Errors
    ///
    /// As [`Claims::check`].
    pub fn authorize(&self, claims: &Claims, asked: Asked<'_>) -> Result<()> {
        claims.check(asked).inspect_err(|_| Counts::add(&self.counts.denied))
    }

    /// A token for the user, if the password is right.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`] for a wrong name or password, which look the same; [`ErrorKind::TooMany`] after
    /// several of these from this address; [`ErrorKind::Invalid`] for a life that is too short or too long.
    pub async fn login(&self, user: &str, login: &Login, from: IpAddr) -> Result<Secret> {
        self.attempts.try_now(user, from, Instant::now()).map_err(|left| {
            let seconds = left.as_secs_f64().ceil();
            let text = format!("too many logins failed: try again in {seconds} s");
            Error::new(ErrorKind::TooMany, text)
        })?;
        let account = self.state().users.get(user).cloned();
        let hash = account.as_ref().map_or(&self.decoy, |account| &account.hash).clone();
        let right = login.password.len() <= password::LONGEST && {
            let password = Secret::new(login.password.as_str());
            self.hashed(move || Ok(password::matches(&password, &hash))).await?
        };
        let account = account.filter(|_| right).ok_or_else(wrong)?;
        self.attempts.succeeded(user, from);
        let life = self.life_of(login.expires_in)?;
        let claims = self.claims(&account, life)?;
        self.keys.sign(&claims)
    }

    /// Hashes on a thread for such work, not too many at once.
    async fn hashed<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let ended = |e: tokio::task::JoinError| {
            Error::internal("hashing a password ended early").with_source(e)
        };
        let _turn = self.hashing.acquire().await;
        tokio::task::spawn_blocking(work).await.map_err(ended)?
    }

    fn life_of(&self, asked: Option<i64>) -> Result<Duration> {
        let invalid =
            |text: String| Error::invalid(format!("invalid requested expiry date: {text}"));
        let life = match asked {
            None => return Ok(self.life),
            Some(0) => return Ok(self.longest_life),
            Some(nanos) => Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)),
        };
        if life < SHORTEST_LIFE {
            return Err(invalid("must be 0 or >= 1m".into()));
        }
        if life > self.longest_life {
            let longest = claims::go_duration(self.longest_life);
            return Err(invalid(format!("cannot exceed configured max token age: {longest}")));
        }
        Ok(life)
    }

    fn claims(&self, account: &state::Account, life: Duration) -> Result<Claims> {
        let state = self.state();
        let mut claims = self.new_claims(&account.id, life)?;
        claims.holdall =
            Some(Credentials { service: self.cluster.clone(), generation: account.generation });
        if state.is_admin(account) {
            claims.admin = true;
            // Clusters that are registered later take a new token, but for this one.
            claims.aud = state.clusters.keys().cloned().chain([self.cluster.clone()]).collect();
            claims.aud.sort();
            claims.aud.dedup();
            return Ok(claims);
        }
        let (clusters, buckets) = state.granted(account);
        claims.aud = state::audience(&clusters, &buckets);
        claims.clusters = Some(clusters).filter(|entries| !entries.is_empty());
        claims.buckets = Some(buckets).filter(|entries| !entries.is_empty());
        Ok(claims)
    }

    fn new_claims(&self, user: &str, life: Duration) -> Result<Claims> {
        let now = claims::now();
        Ok(Claims {
            iss: self.url().to_owned(),
            sub: user.to_owned(),
            aud: Vec::new(),
            exp: now + i64::try_from(life.as_secs()).unwrap_or(0),
            iat: now,
            jti: hex(&random::bytes::<12>()?),
            clusters: None,
            buckets: None,
            admin: false,
            holdall: None,
        })
    }

    /// A token of this service itself, for five minutes and one cluster: everything is allowed there.
    ///
    /// # Errors
    ///
    /// When it cannot be signed.
    pub fn service_token(&self, cluster: &str) -> Result<Secret> {
        let mut claims = self.new_claims("authn", SERVICE_LIFE)?;
        claims.admin = true;
        claims.aud = vec![cluster.to_owned()];
        self.keys.sign(&claims)
    }

    /// Takes a token back, here and in all clusters that are registered.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`] when it is none of this service; [`ErrorKind::Invalid`] when it is empty.
    pub async fn revoke(self: &Arc<Self>, token: &str) -> Result<()> {
        if token.is_empty() {
            return Err(Error::invalid("empty token"));
        }
        let refused = |refused: Refused| Error::new(ErrorKind::Unauthorized, refused.text());
        // Taking back twice is fine.
        let claims = self.keys.verify(token).map_err(refused)?;
        self.revoke_here(&[(token.to_owned(), claims.exp)]).await?;
        self.tell_revoked(token);
        Ok(())
    }

    /// Takes tokens back that another service told; those that are none are passed over.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn revoke_told(&self, tokens: &[String]) -> Result<()> {
        let good = tokens.iter().filter_map(|token| {
            self.keys.verify(token).ok().map(|claims| (token.clone(), claims.exp))
        });
        self.revoke_here(&good.collect::<Vec<_>>()).await
    }

    async fn revoke_here(&self, tokens: &[(String, i64)]) -> Result<()> {
        let ended = self.tokens.forget_expired(claims::now());
        let new: Vec<_> = tokens.iter().map(|(token, ends)| Revoked::new(token, *ends)).collect();
        self.meta
            .write(move |tx| {
                for digest in &ended {
                    tx.remove_fact(&Revoked::fact(digest))?;
                }
                for revoked in &new {
                    tx.put_fact(&Revoked::fact(&revoked.digest), &serde_json::to_vec(revoked)?)?;
                }
                Ok(())
            })
            .await?;
        for (token, ends) in tokens {
            self.tokens.revoke(token, *ends);
        }
        Ok(())
    }
}

fn wrong() -> Error {
    Error::new(ErrorKind::Unauthorized, "invalid credentials")
}

/// A token that was taken back. It is kept whole, because clusters that are registered later have to be told.
#[derive(serde::Serialize, serde::Deserialize)]
struct Revoked {
    #[serde(skip)]
    digest: String,
    token: String,
    ends: i64,
}

impl Revoked {
    fn new(token: &str, ends: i64) -> Self {
        Self { digest: tokens::digest(token), token: token.to_owned(), ends }
    }

    fn fact(digest: &str) -> String {
        format!("{}revoked/{digest}", state::PREFIX)
    }
}
