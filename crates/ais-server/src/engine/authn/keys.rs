//! The key that signs and verifies tokens.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::errors::ErrorKind as JwtError;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Algorithm, Claims, Secret, hex, random};
use crate::error::{Error, Result};

/// Fewest bytes of a secret: RFC 7518 asks for as many as the hash has.
const SHORTEST: usize = 32;
/// Longest token that is looked at, bytes.
const LONGEST: usize = 64 << 10;

/// A key as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) algorithm: Algorithm,
    /// The secret, or a private key as PEM.
    key: String,
}

impl Stored {
    /// A new key.
    ///
    /// # Errors
    ///
    /// When the system has no random bytes.
    pub(super) fn new(algorithm: Algorithm) -> Result<Self> {
        let key = match algorithm {
            Algorithm::Hs256 => hex(&random::bytes::<32>()?),
            Algorithm::Rs256 => {
                let failed = |_| Error::internal("an RSA key cannot be made");
                let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                pem("PRIVATE KEY", der.as_ref())
            }
        };
        Ok(Self { algorithm, key })
    }

    /// The key of a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds no key of the algorithm.
    pub(super) fn read(path: &Path, algorithm: Option<Algorithm>) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::invalid(format!("cannot read the key file {shown}: {e}")))?;
        let text = text.trim();
        let is_pem = text.starts_with("-----BEGIN");
        let algorithm =
            algorithm.unwrap_or(if is_pem { Algorithm::Rs256 } else { Algorithm::Hs256 });
        match algorithm {
            Algorithm::Hs256 if is_pem => Err(Error::invalid(format!(
                "the key file {shown} holds a PEM: HS256 takes a secret, RS256 a private key"
            ))),
            Algorithm::Hs256 if text.len() < SHORTEST => Err(Error::invalid(format!(
                "the secret in {shown} has {} bytes: HS256 needs at least {SHORTEST}",
                text.len()
            ))),
            Algorithm::Rs256 if !is_pem => Err(Error::invalid(format!(
                "the key file {shown} holds no PEM: RS256 takes a private key, \"-----BEGIN PRIVATE KEY-----\""
            ))),
            _ => Ok(Self { algorithm, key: text.to_owned() }),
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is none.
    Missing,
    /// It is none.
    Malformed(&'static str),
    /// It was signed with another key, or changed.
    Signature,
    /// It is signed in another way.
    Algorithm,
    /// It has ended.
    Expired,
    /// It was taken back, or its user is gone or has another password.
    Revoked,
    /// It is for other clusters.
    Audience,
}

impl Refused {
    /// AIStore's words for it.
    pub fn text(self) -> String {
        let reason = match self {
            Self::Missing => return "token required".to_owned(),
            Self::Malformed(what) => {
                return format!("invalid token [err: token is malformed: {what}]");
            }
            Self::Signature => "token signature is invalid",
            Self::Algorithm => "token signature is invalid: signing method is invalid",
            Self::Expired => "token expired",
            Self::Revoked => "token revoked",
            Self::Audience => "token has invalid audience",
        };
        format!("invalid token [err: {reason}]")
    }
}

/// A key that is ready for use.
pub(super) struct Keys {
    algorithm: Algorithm,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    /// The public half as PEM.
    public: Option<String>,
    /// SHA-256 of the secret, which clusters compare with theirs.
    sum: Option<String>,
}

impl Keys {
    /// # Errors
    ///
    /// When the key is none.
    pub(super) fn new(stored: &Stored) -> Result<Self> {
        match stored.algorithm {
            Algorithm::Hs256 => {
                let secret = stored.key.as_bytes();
                Ok(Self {
                    algorithm: stored.algorithm,
                    signing: EncodingKey::from_secret(secret),
                    verifying: DecodingKey::from_secret(secret),
                    validation: validation(jsonwebtoken::Algorithm::HS256),
                    public: None,
                    sum: Some(hex(&Sha256::digest(secret))),
                })
            }
            Algorithm::Rs256 => Self::rsa(&stored.key),
        }
    }

    fn rsa(private: &str) -> Result<Self> {
        // The causes could quote the key.
        let bad = || {
            Error::invalid("the private key for RS256 is no RSA key of at least 2048 bits in PEM")
        };
        let pair = match PrivateKeyDer::from_pem_slice(private.as_bytes()).map_err(|_| bad())? {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(bad()),
        };
        let pair = pair.map_err(|_| bad())?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| bad())?;
        let public = pem("PUBLIC KEY", public.as_ref());
        Ok(Self {
            algorithm: Algorithm::Rs256,
            signing: EncodingKey::from_rsa_pem(private.as_bytes()).map_err(|_| bad())?,
            verifying: DecodingKey::from_rsa_pem(public.as_bytes()).map_err(|_| bad())?,
            validation: validation(jsonwebtoken::Algorithm::RS256),
            public: Some(public),
            sum: None,
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn public(&self) -> Option<&str> {
        self.public.as_deref()
    }

    pub(super) fn sum(&self) -> Option<&str> {
        self.sum.as_deref()
    }

    /// The token that says this.
    ///
    /// # Errors
    ///
    /// When signing fails.
    pub(super) fn sign(&self, claims: &Claims) -> Result<Secret> {
        let algorithm = match self.algorithm {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        };
        jsonwebtoken::encode(&Header::new(algorithm), claims, &self.signing)
            .map(Secret::new)
            .map_err(|e| Error::internal("a token cannot be signed").with_source(e))
    }

    /// What the token says, if it was signed with this key and has not ended.
    pub(super) fn verify(&self, token: &str) -> Result<Claims, Refused> {
        if token.len() > LONGEST {
            return Err(Refused::Malformed("token is too long"));
        }
        if token.split('.').count() != 3 {
            return Err(Refused::Malformed("token contains an invalid number of segments"));
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation)
            .map(|token| token.claims)
            .map_err(|error| match error.kind() {
                JwtError::InvalidSignature => Refused::Signature,
                JwtError::InvalidAlgorithm => Refused::Algorithm,
                JwtError::ExpiredSignature => Refused::Expired,
                _ => Refused::Malformed("could not decode token"),
            })?;
        if claims.sub.is_empty() {
            return Err(Refused::Malformed("missing 'sub' claim"));
        }
        if claims.is_expired() { Err(Refused::Expired) } else { Ok(claims) }
    }
}

fn validation(algorithm: jsonwebtoken::Algorithm) -> Validation {
    // One algorithm only: a public RSA key must never be taken for the secret of a hash.
    let mut validation = Validation::new(algorithm);
    validation.leeway = 0;
    validation.validate_nbf = true;
    // The audience is a cluster's id, and clusters look at it themselves.
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "sub"]);
    validation
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claims() -> Claims {
        let ends = super::super::claims::now() + 60;
        serde_json::from_value(serde_json::json!({"sub": "u", "exp": ends, "admin": true})).unwrap()
    }

    fn keys() -> [Keys; 2] {
        [Algorithm::Hs256, Algorithm::Rs256]
            .map(|kind| Keys::new(&Stored::new(kind).unwrap()).unwrap())
    }

    #[test]
    fn keys_verify_what_they_signed_and_nothing_else() {
        let (ours, others) = (keys(), keys());
        for (index, key) in ours.iter().enumerate() {
            let token = key.sign(&claims()).unwrap();
            assert_eq!(key.verify(token.expose()).unwrap(), claims());
            for other in others
                .iter()
                .chain(ours.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, key)| key))
            {
                assert!(other.verify(token.expose()).is_err());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_text_is_a_token(text in "\\PC{0,80}|([A-Za-z0-9_=-]{0,60}\\.){0,4}[A-Za-z0-9_-]{0,60}") {
            let key = Keys::new(&Stored::new(Algorithm::Hs256).unwrap()).unwrap();
            prop_assert!(key.verify(&text).is_err());
        }

        /// Whatever becomes of a byte, the token is none any more.
        #[test]
        fn a_changed_token_is_none(at in any::<prop::sample::Index>(), byte in 32_u8..127) {
            let key = Keys::new(&Stored::new(Algorithm::Hs256).unwrap()).unwrap();
            let token = key.sign(&claims()).unwrap();
            let mut changed = token.expose().as_bytes().to_vec();
            let at = at.index(changed.len());
            prop_assume!(changed[at] != byte);
            changed[at] = byte;
            prop_assert!(key.verify(std::str::from_utf8(&changed).unwrap()).is_err());
        }

        /// Any JSON that was signed with the key is read or refused.
        #[test]
        fn odd_claims_do_not_panic(exp in any::<i64>(), aud in "\\PC{0,9}", perm in "\\PC{0,9}") {
            let secret = "x".repeat(40);
            let key = Keys::new(&Stored { algorithm: Algorithm::Hs256, key: secret.clone() }).unwrap();
            let odd = serde_json::json!({"sub": "u", "exp": exp, "aud": [aud], "clusters": [{"id": "c", "perm": perm}]});
            let signing = EncodingKey::from_secret(secret.as_bytes());
            let token = jsonwebtoken::encode(&Header::default(), &odd, &signing).unwrap();
            if let Ok(claims) = key.verify(&token) {
                let bucket = holdall_ais_wire::Bck::ais("b");
                let asked = super::super::Asked { cluster: "c", bucket: Some(&bucket), perms: 1 };
                let _ = (claims.to_string(), claims.check(asked), claims.is_for("c"));
            }
        }
    }
}
