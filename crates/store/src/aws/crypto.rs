//! Hashes for the client of `object_store`, which signs each request over the hash of its content. That of large content is
//! known before: it was computed beside others (`crate::sha256`).

use aws_lc_rs::{digest, hmac};
use object_store::client::{
    CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, Signer, SigningAlgorithm,
};
use object_store::{Error, PutPayload, Result};

use crate::sha256;

tokio::task_local! {
    /// The content of the request that is being made, and its hash.
    static KNOWN: (PutPayload, [u8; 32]);
}

/// Makes a request that carries `payload`, signed with [`Crypto`].
pub(super) async fn signed<T>(payload: PutPayload, request: impl Future<Output = T>) -> T {
    match sha256::digest(&payload).await {
        Some(digest) => KNOWN.scope((payload, digest), request).await,
        None => request.await,
    }
}

/// SHA-256 and what is made of it, by the library that also does TLS.
#[derive(Debug)]
pub(super) struct Crypto;

impl CryptoProvider for Crypto {
    fn digest(&self, algorithm: DigestAlgorithm) -> Result<Box<dyn DigestContext>> {
        let DigestAlgorithm::Sha256 = algorithm else { return Err(unknown(&algorithm)) };
        Ok(Box::new(Digest { known: 0, context: None, finished: [0; 32] }))
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> Result<Box<dyn HmacContext>> {
        let DigestAlgorithm::Sha256 = algorithm else { return Err(unknown(&algorithm)) };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Ok(Box::new(Hmac { context: hmac::Context::with_key(&key), finished: [0; 32] }))
    }

    fn sign(&self, algorithm: SigningAlgorithm, _pem: &[u8]) -> Result<Box<dyn Signer>> {
        Err(unknown(&algorithm))
    }
}

/// S3 asks for no other.
fn unknown(algorithm: &dyn std::fmt::Debug) -> Error {
    Error::NotSupported {
        source: format!("requests to S3 are not signed with {algorithm:?}").into(),
    }
}

/// A hash that is computed only of what is not known.
struct Digest {
    /// How many pieces have come of the content whose hash is known, and nothing else.
    known: usize,
    /// What all that has come goes into, once something else has.
    context: Option<digest::Context>,
    finished: [u8; 32],
}

impl Digest {
    /// Whether `data` is the next piece of the content whose hash is known: not an equal one, but itself.
    fn is_known(&self, data: &[u8]) -> bool {
        let is_next = |(payload, _): &(PutPayload, _)| {
            payload.as_ref().get(self.known).is_some_and(|piece| std::ptr::eq(&piece[..], data))
        };
        self.context.is_none() && KNOWN.try_with(is_next).unwrap_or(false)
    }

    /// The hash, if the whole content has come whose hash is known.
    fn whole(&self) -> Option<[u8; 32]> {
        let is_whole = |(payload, _): &(PutPayload, _)| payload.as_ref().len() == self.known;
        let known = |known: &_| is_whole(known).then_some(known.1);
        match self.context {
            None if self.known > 0 => KNOWN.try_with(known).ok().flatten(),
            _ => None,
        }
    }

    fn context(&mut self) -> &mut digest::Context {
        let begun = || {
            let mut context = digest::Context::new(&digest::SHA256);
            if self.known > 0 {
                KNOWN.with(|(payload, _)| {
                    payload.iter().take(self.known).for_each(|piece| context.update(piece));
                });
            }
            context
        };
        self.context.get_or_insert_with(begun)
    }
}

impl DigestContext for Digest {
    fn update(&mut self, data: &[u8]) {
        match self.is_known(data) {
            true => self.known += 1,
            false => self.context().update(data),
        }
    }

    fn finish(&mut self) -> Result<&[u8]> {
        match self.whole() {
            Some(digest) => self.finished = digest,
            None => {
                let digest = self.context().clone().finish();
                self.finished.copy_from_slice(digest.as_ref());
            }
        }
        Ok(&self.finished)
    }
}

struct Hmac {
    context: hmac::Context,
    finished: [u8; 32],
}

impl HmacContext for Hmac {
    fn update(&mut self, data: &[u8]) {
        self.context.update(data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.finished.copy_from_slice(self.context.clone().sign().as_ref());
        Ok(&self.finished)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::checksum::{Algorithm, Checksum};

    const MADE_UP: [u8; 32] = [7; 32];

    fn digest_of(pieces: &[&[u8]]) -> Vec<u8> {
        let mut context = Crypto.digest(DigestAlgorithm::Sha256).unwrap();
        pieces.iter().for_each(|piece| context.update(piece));
        context.finish().unwrap().to_vec()
    }

    fn computed(content: &[u8]) -> Vec<u8> {
        Checksum::of(Algorithm::Sha256, content).as_bytes().to_vec()
    }

    #[tokio::test]
    async fn only_the_very_content_has_the_hash_that_is_known() {
        let pieces = [b"ab", b"cd"].map(|piece| Bytes::copy_from_slice(piece));
        let payload: PutPayload = pieces.into_iter().collect();
        let [first, second] = [&payload.as_ref()[0][..], &payload.as_ref()[1][..]];
        let asked = async {
            assert_eq!(digest_of(&[first, second]), MADE_UP);
            for other in [&[&b"ab"[..], b"cd"][..], &[first, b"cd"], &[first, second, b""]] {
                assert_eq!(digest_of(other), computed(b"abcd"));
            }
            assert_eq!(digest_of(&[second, first]), computed(b"cdab"));
            assert_eq!(digest_of(&[first]), computed(b"ab"));
            assert_eq!(digest_of(&[]), computed(b""));
        };
        KNOWN.scope((payload.clone(), MADE_UP), asked).await;
        assert_eq!(digest_of(&[first, second]), computed(b"abcd"));
    }

    #[test]
    fn keyed_hashes_are_those_of_the_standard() {
        // RFC 4231, test case 2.
        let mut context = Crypto.hmac(DigestAlgorithm::Sha256, b"Jefe").unwrap();
        context.update(b"what do ya want ");
        context.update(b"for nothing?");
        let tag = Checksum::new(Algorithm::Sha256, context.finish().unwrap().to_vec()).unwrap();
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(tag.to_hex(), known);
    }
}
