//! Checksums: what services state of their objects, and how it is computed while bytes pass.
//!
//! Cyclic redundancy checks of parts that arrive in any order are combined into that of the whole; the other algorithms
//! need the bytes in order.

use std::fmt;

use crc_fast::CrcAlgorithm;
use md5::{Digest, Md5};
use sha2::Sha256;
use xxhash_rust::xxh64::Xxh64;

use crate::error::{Error, ErrorKind};

/// An algorithm for checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// CRC-64 with the polynomial of NVMe: Amazon S3 (its default), Azure.
    Crc64Nvme,
    /// CRC-32 with the polynomial of Castagnoli: Amazon S3, Google Cloud Storage.
    Crc32c,
    /// xxHash of 64 bits with seed 0: what AIStore calls `xxhash` and `xxhash2`.
    XxHash64,
    /// MD5: `Content-MD5`, and the entity tags of S3 for objects written in one piece.
    Md5,
    /// SHA-256: Amazon S3, `Repr-Digest`.
    Sha256,
}

impl Algorithm {
    /// All of them, the cheapest first.
    pub const ALL: [Self; 5] =
        [Self::Crc64Nvme, Self::Crc32c, Self::XxHash64, Self::Sha256, Self::Md5];

    /// The name: `crc64nvme`, `crc32c`, `xxhash64`, `md5`, `sha256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32c => "crc32c",
            Self::XxHash64 => "xxhash64",
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        }
    }

    /// Whether the checksums of parts give that of the whole.
    pub fn is_combinable(self) -> bool {
        self.crc().is_some()
    }

    /// Whether it is computed about as fast as memory is read.
    pub(crate) fn is_fast(self) -> bool {
        self.is_combinable() || self == Self::XxHash64
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Crc32c => 4,
            Self::Crc64Nvme | Self::XxHash64 => 8,
            Self::Md5 => 16,
            Self::Sha256 => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let plain = name.to_ascii_lowercase().replace(['-', '_'], "");
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == plain);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            let detail = format!("there is no such checksum; known are {known}");
            Error::new(ErrorKind::InvalidArgument, "parse", name, detail)
        })
    }
}

/// The checksum of some bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checksum {
    algorithm: Algorithm,
    /// Most significant byte first.
    value: Vec<u8>,
}

impl Checksum {
    /// A checksum from its bytes, most significant first; `None` when their number is wrong for the algorithm.
    pub fn new(algorithm: Algorithm, value: Vec<u8>) -> Option<Self> {
        (value.len() == algorithm.bytes()).then_some(Self { algorithm, value })
    }

    /// A checksum from its text in base64, as services give it.
    pub fn from_base64(algorithm: Algorithm, text: &str) -> Option<Self> {
        use base64::Engine;
        let value = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
        Self::new(algorithm, value)
    }

    /// A checksum from its hexadecimal digits.
    pub fn from_hex(algorithm: Algorithm, text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.is_ascii() || text.len() != algorithm.bytes() * 2 {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = |two: &[u8]| Some((digit(two[0])? << 4 | digit(two[1])?) as u8);
        Self::new(algorithm, text.as_bytes().chunks_exact(2).map(byte).collect::<Option<_>>()?)
    }

    /// A checksum as AIStore states it: its name for the algorithm, and hexadecimal digits. None of algorithms that are not
    /// computed here.
    pub fn of_aistore(kind: &str, value: &str) -> Option<Self> {
        let algorithm = match kind {
            "xxhash" | "xxhash2" => Algorithm::XxHash64,
            "md5" => Algorithm::Md5,
            "crc32c" => Algorithm::Crc32c,
            "sha256" => Algorithm::Sha256,
            _ => return None,
        };
        Self::from_hex(algorithm, value)
    }

    /// The checksum of `data`.
    pub fn of(algorithm: Algorithm, data: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes, most significant first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.value
    }

    /// Lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.value.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Base64, as in headers.
    pub fn to_base64(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(&self.value)
    }

    pub(crate) fn from_crc(algorithm: Algorithm, value: u64) -> Self {
        let bytes = value.to_be_bytes();
        Self { algorithm, value: bytes[8 - algorithm.bytes()..].to_vec() }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.to_hex())
    }
}

/// Of several checksums of one content, that which takes least to compute.
pub(crate) fn cheapest(sums: &[Checksum]) -> Option<Checksum> {
    let of = |wanted: Algorithm| sums.iter().find(|sum| sum.algorithm == wanted).cloned();
    Algorithm::ALL.into_iter().find_map(of)
}

/// Computes a checksum piece by piece.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    XxHash(Xxh64),
    Md5(Md5),
    Sha256(Sha256),
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Hasher {
    /// The state before the first byte.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm.crc() {
            Some(crc) => State::Crc(crc_fast::Digest::new(crc)),
            None => match algorithm {
                Algorithm::Md5 => State::Md5(Md5::new()),
                Algorithm::Sha256 => State::Sha256(Sha256::new()),
                _ => State::XxHash(Xxh64::new(0)),
            },
        };
        Self { algorithm, state }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(data),
            State::XxHash(hash) => hash.update(data),
            State::Md5(digest) => digest.update(data),
            State::Sha256(digest) => digest.update(data),
        }
    }

    /// The checksum of all bytes taken.
    pub fn finish(self) -> Checksum {
        let algorithm = self.algorithm;
        let value = match self.state {
            State::Crc(digest) => return Checksum::from_crc(algorithm, digest.finalize()),
            State::XxHash(hash) => hash.digest().to_be_bytes().to_vec(),
            State::Md5(digest) => digest.finalize().to_vec(),
            State::Sha256(digest) => digest.finalize().to_vec(),
        };
        Checksum { algorithm, value }
    }
}

/// The checksum of a whole from those of its parts, in order: pairs of value and length in bytes.
///
/// `None` for algorithms that need all bytes in order.
pub(crate) fn combine(
    algorithm: Algorithm,
    parts: impl Iterator<Item = (u64, u64)>,
) -> Option<Checksum> {
    let crc = algorithm.crc()?;
    let empty = crc_fast::Digest::new(crc).finalize();
    let whole = parts.fold(empty, |whole, (value, length)| {
        crc_fast::checksum_combine(crc, whole, value, length)
    });
    Some(Checksum::from_crc(algorithm, whole))
}

/// A running CRC whose value and length can be combined with others.
pub(crate) struct PartCrc(crc_fast::Digest);

impl PartCrc {
    /// `None` for algorithms that cannot be combined.
    pub(crate) fn new(algorithm: Algorithm) -> Option<Self> {
        Some(Self(crc_fast::Digest::new(algorithm.crc()?)))
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let hex = |algorithm| Checksum::of(algorithm, b"123456789").to_hex();
        assert_eq!(hex(Algorithm::Crc32c), "e3069283");
        assert_eq!(hex(Algorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(hex(Algorithm::Md5), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(Checksum::of(Algorithm::Crc32c, b"").to_base64(), "AAAAAA==");
    }

    #[test]
    fn parts_make_the_whole() {
        let data: Vec<u8> = (0..100_000u32).map(|i| ((i * 31) >> 3) as u8).collect();
        for algorithm in Algorithm::ALL.into_iter().filter(|a| a.is_combinable()) {
            let parts = data.chunks(7_919).map(|part| {
                let mut crc = PartCrc::new(algorithm).unwrap();
                crc.update(part);
                (crc.value(), part.len() as u64)
            });
            assert_eq!(combine(algorithm, parts), Some(Checksum::of(algorithm, &data)));
            assert_eq!(combine(algorithm, [].into_iter()), Some(Checksum::of(algorithm, b"")));
        }
    }

    #[test]
    fn texts_are_read_back() {
        for algorithm in Algorithm::ALL {
            let sum = Checksum::of(algorithm, b"holdall");
            assert_eq!(Checksum::from_hex(algorithm, &sum.to_hex()), Some(sum.clone()));
            assert_eq!(Checksum::from_base64(algorithm, &sum.to_base64()), Some(sum));
            assert_eq!(algorithm.as_str().parse::<Algorithm>().unwrap(), algorithm);
        }
        assert_eq!(Checksum::from_hex(Algorithm::Crc32c, "xyz"), None);
        assert_eq!(Checksum::from_base64(Algorithm::Md5, "AAAAAA=="), None);
    }
}
