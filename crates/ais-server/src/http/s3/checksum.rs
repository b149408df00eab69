//! The checksums of S3: computed while content comes in, compared with what was announced, and combined for objects
//! that were written in parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::Digest as _;

use super::fault::{Fault, Result};
pub(crate) use crate::engine::checksum::hex;

/// An algorithm that clients may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name in headers of content, and of the property that keeps the value.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The name as a value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The element in XML.
    pub(crate) fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// The algorithm whose header this is.
    pub(crate) fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// The algorithm of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            Fault::invalid(format!(
                "unknown checksum algorithm {name:?}: expecting CRC32, CRC32C, CRC64NVME, SHA1 or SHA256"
            ))
        })
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The value of a CRC in the bytes that headers have.
    fn crc_bytes(self, value: u64) -> Vec<u8> {
        value.to_be_bytes()[8 - self.len()..].to_vec()
    }

    /// Whether parts give the checksum of the whole when the client does not say: as in S3.
    pub(crate) fn is_full_object(self) -> bool {
        self == Self::Crc64Nvme
    }

    /// The checksum of a whole from those of its parts, in order; none where that cannot be.
    pub(crate) fn combined(self, parts: &[(Vec<u8>, u64)]) -> Option<Vec<u8>> {
        let crc = self.crc()?;
        let whole =
            parts.iter().fold(crc_fast::Digest::new(crc).finalize(), |whole, (value, len)| {
                let value = value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                crc_fast::checksum_combine(crc, whole, value, *len)
            });
        Some(self.crc_bytes(whole))
    }

    /// The checksum of the parts' checksums, in order.
    pub(crate) fn composite(self, parts: &[(Vec<u8>, u64)]) -> Vec<u8> {
        let mut state = State::new(self);
        for (value, _) in parts {
            state.update(value);
        }
        state.finish()
    }
}

enum State {
    Crc(Algorithm, Box<crc_fast::Digest>),
    Sha1(Box<sha1::Sha1>),
    Sha256(Box<sha2::Sha256>),
}

impl State {
    fn new(algorithm: Algorithm) -> Self {
        match (algorithm, algorithm.crc()) {
            (_, Some(crc)) => Self::Crc(algorithm, Box::new(crc_fast::Digest::new(crc))),
            (Algorithm::Sha1, None) => Self::Sha1(Box::default()),
            (_, None) => Self::Sha256(Box::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, state) => state.update(bytes),
            Self::Sha1(state) => state.update(bytes),
            Self::Sha256(state) => state.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(algorithm, state) => algorithm.crc_bytes(state.finalize()),
            Self::Sha1(state) => state.finalize().to_vec(),
            Self::Sha256(state) => state.finalize().to_vec(),
        }
    }
}

/// What is computed while content comes in: its MD5, which is the entity tag, and what the client announced.
pub(crate) struct Digests {
    md5: md5::Md5,
    chosen: Option<(Algorithm, State)>,
    /// The SHA-256 that the signature is over.
    signed: Option<State>,
}

/// What came out.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    pub(crate) md5: [u8; 16],
    pub(crate) chosen: Option<(Algorithm, Vec<u8>)>,
    signed: Option<Vec<u8>>,
}

impl Digests {
    pub(crate) fn new(announced: &Announced) -> Self {
        Self {
            md5: md5::Md5::new(),
            chosen: announced.chosen.as_ref().map(|(kind, _)| (*kind, State::new(*kind))),
            signed: announced.signed.is_some().then(|| State::new(Algorithm::Sha256)),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some((_, state)) = &mut self.chosen {
            state.update(bytes);
        }
        if let Some(state) = &mut self.signed {
            state.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Sums {
        Sums {
            md5: self.md5.finalize().into(),
            chosen: self.chosen.map(|(kind, state)| (kind, state.finish())),
            signed: self.signed.map(State::finish),
        }
    }
}

/// What the client said of its content.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    /// `Content-MD5`.
    md5: Option<Vec<u8>>,
    /// A checksum; its value comes later when it is announced for the trailer.
    chosen: Option<(Algorithm, Option<Vec<u8>>)>,
    /// `x-amz-content-sha256`.
    signed: Option<Vec<u8>>,
}

impl Announced {
    /// What the headers say.
    ///
    /// # Errors
    ///
    /// When a value is none.
    pub(crate) fn of(headers: &http::HeaderMap) -> Result<Self> {
        let text = |name: &str| {
            headers.get(name).map(|value| value.to_str().unwrap_or_default().trim().to_owned())
        };
        let md5 = text("content-md5").map(|text| {
            let bytes = STANDARD.decode(&text).ok().filter(|bytes| bytes.len() == 16);
            bytes.ok_or_else(|| {
                Fault::new(400, "InvalidDigest", "the Content-MD5 is not valid: no MD5 in base64")
            })
        });
        let mut chosen = None;
        for algorithm in Algorithm::ALL {
            let Some(value) = text(algorithm.header()) else { continue };
            if chosen.is_some() {
                return Err(Fault::invalid("expecting a single x-amz-checksum- header"));
            }
            chosen = Some((algorithm, Some(value_of(algorithm, &value)?)));
        }
        for name in text("x-amz-trailer").unwrap_or_default().split(',').map(str::trim) {
            if let Some(algorithm) = Algorithm::of_header(name)
                && chosen.is_none()
            {
                chosen = Some((algorithm, None));
            }
        }
        let signed = text("x-amz-content-sha256").and_then(|text| unhex(&text));
        Ok(Self { md5: md5.transpose()?, chosen, signed })
    }

    /// Computes this one too, when the client announced none.
    pub(crate) fn choose(&mut self, algorithm: Option<Algorithm>) {
        if self.chosen.is_none() {
            self.chosen = algorithm.map(|algorithm| (algorithm, None));
        }
    }

    /// Compares it with what came in.
    ///
    /// # Errors
    ///
    /// When something differs.
    pub(crate) fn check(&self, sums: &Sums, trailers: &[(String, String)]) -> Result<()> {
        if self.md5.as_ref().is_some_and(|md5| *md5 != sums.md5) {
            return Err(bad_digest("Content-MD5"));
        }
        if let (Some((algorithm, early)), Some((_, have))) = (&self.chosen, &sums.chosen) {
            let late = trailers.iter().find(|(name, _)| name == algorithm.header());
            let late = late.map(|(_, value)| value_of(*algorithm, value)).transpose()?;
            if early.as_ref().or(late.as_ref()).is_some_and(|value| value != have) {
                return Err(bad_digest(algorithm.as_str()));
            }
        }
        if self.signed.is_some() && self.signed != sums.signed {
            return Err(Fault::new(
                400,
                "XAmzContentSHA256Mismatch",
                "the provided x-amz-content-sha256 header does not match what was computed",
            ));
        }
        Ok(())
    }
}

fn bad_digest(name: &str) -> Fault {
    let text = format!("the {name} that you specified did not match what was received");
    Fault::new(400, "BadDigest", text)
}

fn value_of(algorithm: Algorithm, text: &str) -> Result<Vec<u8>> {
    let bytes = STANDARD.decode(text.trim()).ok().filter(|bytes| bytes.len() == algorithm.len());
    bytes.ok_or_else(|| Fault::invalid(format!("value for {} is invalid", algorithm.header())))
}

/// In base64, as in headers.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of 64 hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
        let mut state = State::new(algorithm);
        state.update(bytes);
        state.finish()
    }

    #[test]
    fn known_values() {
        for (algorithm, value) in [
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ] {
            assert_eq!(base64(&of(algorithm, b"123456789")), value, "{algorithm:?}");
        }
    }

    #[test]
    fn parts_give_the_whole() {
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let parts =
                [&b"one"[..], b"", b"and two"].map(|part| (of(algorithm, part), part.len() as u64));
            assert_eq!(algorithm.combined(&parts), Some(of(algorithm, b"oneand two")));
        }
        assert_eq!(Algorithm::Sha1.combined(&[]), None);
    }
}
