//! Proof that whoever redeems a code is who asked for it (RFC 7636).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// A secret of one login.
pub(super) struct Pkce {
    /// Told to the token endpoint.
    pub(super) verifier: String,
}

impl Pkce {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { verifier: random()? })
    }

    /// What is told when the code is asked for.
    pub(super) fn challenge(&self) -> [(&'static str, String); 2] {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()));
        [("code_challenge", challenge), ("code_challenge_method", "S256".to_owned())]
    }
}

/// A text that nobody guesses: 32 bytes of the system's randomness, as RFC 7636 recommends.
pub(super) fn random() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        let detail = format!("the system gives no random numbers: {error}");
        Error::new(ErrorKind::Authentication, "log in", "", detail)
    })?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::Pkce;

    #[test]
    fn the_challenge_is_that_of_the_specification() {
        // RFC 7636, appendix B.
        let pkce = Pkce { verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned() };
        assert_eq!(pkce.challenge()[0].1, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(Pkce::new().unwrap().verifier.len(), 43);
    }
}
