//! Passwords: hashed with Argon2id, never kept.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};

use super::Secret;
use crate::error::{Error, Result};

/// Longest password, bytes: hashing takes time that grows with it.
pub(super) const LONGEST: usize = 1024;

/// The hash of a password with a salt of its own, as text in the PHC form.
///
/// It takes some 20 ms and 19 MiB (the parameters that OWASP names for Argon2id), so that guessing takes long.
///
/// # Errors
///
/// When the system has no random bytes or no memory.
pub(super) fn hash(password: &Secret) -> Result<String> {
    let hashed = Argon2::default().hash_password(password.expose().as_bytes());
    // The cause could speak of the password.
    hashed
        .map(|hash| hash.to_string())
        .map_err(|_| Error::internal("the password cannot be hashed"))
}

/// Whether the hash is of this password.
pub(super) fn matches(password: &Secret, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_password_matches() {
        let hash = hash(&"one".into()).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hash.contains("one"));
        assert!(matches(&"one".into(), &hash));
        assert!(!matches(&"two".into(), &hash) && !matches(&"one".into(), "no hash"));
        assert_ne!(hash, super::hash(&"one".into()).unwrap(), "each has a salt of its own");
    }
}
