//! Tokens that were seen, and tokens that were taken back.
//!
//! A token is verified once, and looked up after that. Taking it back removes it from
//! those that were seen, under the same lock that a new one is added under, so that none slips through.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sha2::{Digest as _, Sha256};

use super::keys::Refused;
use super::{Claims, hex};

/// Most tokens that are remembered as verified.
const MOST: usize = 8192;

/// The name of a token where tokens are listed.
pub(super) fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

#[derive(Default)]
struct Inside {
    verified: HashMap<Box<str>, Arc<Claims>>,
    /// Digests of tokens that were taken back, and when they end.
    revoked: BTreeMap<String, i64>,
    /// How often a user's password was set; without an entry, there is no such user.
    generations: HashMap<String, u64>,
}

/// Tokens that were seen, and tokens that were taken back.
#[derive(Default)]
pub(super) struct Tokens(RwLock<Inside>);

impl Tokens {
    fn read(&self) -> RwLockReadGuard<'_, Inside> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inside> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the token says, if it was verified before.
    pub(super) fn known(&self, token: &str) -> Option<Result<Arc<Claims>, Refused>> {
        let claims = self.read().verified.get(token).map(Arc::clone)?;
        if claims.is_expired() {
            self.write().verified.remove(token);
            return Some(Err(Refused::Expired));
        }
        Some(Ok(claims))
    }

    /// Remembers a token that was just verified, unless it was taken back.
    pub(super) fn add(
        &self,
        service: &str,
        token: &str,
        claims: Claims,
    ) -> Result<Arc<Claims>, Refused> {
        let mut inside = self.write();
        if inside.revoked.contains_key(&digest(token)) || inside.is_stale(service, &claims) {
            return Err(Refused::Revoked);
        }
        if inside.verified.len() >= MOST {
            inside.verified.retain(|_, claims| !claims.is_expired());
            if inside.verified.len() >= MOST {
                // Verifying them once more costs little.
                inside.verified.clear();
            }
        }
        let claims = Arc::new(claims);
        inside.verified.insert(token.into(), Arc::clone(&claims));
        Ok(claims)
    }

    /// Takes a token back that ends then.
    pub(super) fn revoke(&self, token: &str, ends: i64) {
        self.revoke_digest(digest(token), ends);
        self.write().verified.remove(token);
    }

    /// [`revoke`](Self::revoke) for a token that is known by its digest only.
    pub(super) fn revoke_digest(&self, digest: String, ends: i64) {
        self.write().revoked.insert(digest, ends);
    }

    /// Forgets tokens that have ended anyway; their digests.
    pub(super) fn forget_expired(&self, now: i64) -> Vec<String> {
        let mut inside = self.write();
        let ended: Vec<_> = inside
            .revoked
            .iter()
            .filter(|(_, ends)| **ends <= now)
            .map(|(digest, _)| digest.clone())
            .collect();
        for digest in &ended {
            inside.revoked.remove(digest);
        }
        ended
    }

    /// Tells how often the user's password was set; none for a user that is gone. Tokens of before end.
    pub(super) fn set_generation(&self, user: &str, generation: Option<u64>) {
        let mut inside = self.write();
        match generation {
            Some(generation) => inside.generations.insert(user.to_owned(), generation),
            None => inside.generations.remove(user),
        };
        inside.verified.retain(|_, claims| {
            claims.sub != user
                || claims.holdall.as_ref().is_none_or(|made| Some(made.generation) == generation)
        });
    }
}

impl Inside {
    /// Whether the token was made here with credentials that are no more.
    fn is_stale(&self, service: &str, claims: &Claims) -> bool {
        let Some(made) = claims.holdall.as_ref().filter(|made| made.service == service) else {
            return false;
        };
        self.generations.get(&claims.sub) != Some(&made.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::claims::{Credentials, now};
    use super::*;

    fn claims(user: &str, generation: u64, ends: i64) -> Claims {
        let text = format!(r#"{{"sub": "{user}", "exp": {ends}}}"#);
        let claims: Claims = serde_json::from_str(&text).unwrap();
        Claims { holdall: Some(Credentials { service: "S".into(), generation }), ..claims }
    }

    #[test]
    fn what_was_taken_back_is_refused() {
        let (tokens, later) = (Tokens::default(), now() + 60);
        tokens.set_generation("u", Some(1));
        assert!(tokens.known("t").is_none());
        assert!(tokens.add("S", "t", claims("u", 1, later)).is_ok());
        assert!(tokens.known("t").unwrap().is_ok());
        tokens.revoke("t", later);
        assert!(tokens.known("t").is_none());
        assert_eq!(tokens.add("S", "t", claims("u", 1, later)).unwrap_err(), Refused::Revoked);
        assert!(tokens.forget_expired(now()).is_empty());
        assert_eq!(tokens.forget_expired(later), [digest("t")]);
    }

    #[test]
    fn tokens_end_with_the_credentials_they_were_made_with() {
        let (tokens, later) = (Tokens::default(), now() + 60);
        tokens.set_generation("u", Some(1));
        tokens.set_generation("other", Some(1));
        for (token, user) in [("t", "u"), ("o", "other")] {
            assert!(tokens.add("S", token, claims(user, 1, later)).is_ok());
        }
        tokens.set_generation("u", Some(2));
        assert!(tokens.known("t").is_none() && tokens.known("o").is_some());
        assert_eq!(tokens.add("S", "t", claims("u", 1, later)).unwrap_err(), Refused::Revoked);
        tokens.set_generation("u", None);
        assert!(tokens.add("S", "t", claims("u", 2, later)).is_err());
        assert!(
            tokens.add("S2", "t", claims("u", 2, later)).is_ok(),
            "of another service, which knows its users"
        );
    }

    #[test]
    fn tokens_end() {
        let tokens = Tokens::default();
        tokens.set_generation("u", Some(1));
        assert!(tokens.add("S", "t", claims("u", 1, now() - 1)).is_ok());
        assert_eq!(tokens.known("t").unwrap().unwrap_err(), Refused::Expired);
        assert!(tokens.known("t").is_none());
    }

    #[test]
    fn not_more_are_kept_than_there_is_room_for() {
        let (tokens, later) = (Tokens::default(), now() + 60);
        tokens.set_generation("u", Some(1));
        for n in 0..MOST + 10 {
            assert!(tokens.add("S", &n.to_string(), claims("u", 1, later)).is_ok());
        }
        assert!(tokens.read().verified.len() <= MOST);
    }
}
