//! Checksums of the `file` extension: a multihash in lowercase hex.
//!
//! A multihash is the code of the algorithm and the length of the digest, both as unsigned varints, then the digest,
//! which may be a prefix of the whole one (<https://github.com/multiformats/multihash>).

use std::fmt;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use sha3::{Sha3_256, Sha3_512};

/// An algorithm that can be checked and computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// MD5, code `0xd5`.
    Md5,
    /// SHA-1, code `0x11`.
    Sha1,
    /// SHA-256, code `0x12`.
    Sha256,
    /// SHA-512, code `0x13`.
    Sha512,
    /// SHA3-512, code `0x14`.
    Sha3_512,
    /// SHA3-256, code `0x16`.
    Sha3_256,
    /// BLAKE3, code `0x1e`.
    Blake3,
    /// BLAKE2b of 128 to 512 bits, codes `0xb210` to `0xb240`.
    Blake2b(u8),
}

impl Algorithm {
    fn of_code(code: u64) -> Option<Self> {
        Some(match code {
            0xd5 => Self::Md5,
            0x11 => Self::Sha1,
            0x12 => Self::Sha256,
            0x13 => Self::Sha512,
            0x14 => Self::Sha3_512,
            0x16 => Self::Sha3_256,
            0x1e => Self::Blake3,
            // The last byte counts the bytes of the digest: b201 is one byte, b240 is 64.
            0xb210..=0xb240 => Self::Blake2b(u8::try_from(code - 0xb200).ok()?),
            _ => return None,
        })
    }

    fn code(self) -> u64 {
        match self {
            Self::Md5 => 0xd5,
            Self::Sha1 => 0x11,
            Self::Sha256 => 0x12,
            Self::Sha512 => 0x13,
            Self::Sha3_512 => 0x14,
            Self::Sha3_256 => 0x16,
            Self::Blake3 => 0x1e,
            Self::Blake2b(bytes) => 0xb200 + u64::from(bytes),
        }
    }

    /// The algorithm of a name such as `sha2-256`, `sha256`, `md5`, `blake3`.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "md5" => Self::Md5,
            "sha1" | "sha-1" => Self::Sha1,
            "sha256" | "sha-256" | "sha2-256" => Self::Sha256,
            "sha512" | "sha-512" | "sha2-512" => Self::Sha512,
            "sha3-256" => Self::Sha3_256,
            "sha3-512" => Self::Sha3_512,
            "blake3" => Self::Blake3,
            "blake2b" | "blake2b-512" => Self::Blake2b(64),
            "blake2b-256" => Self::Blake2b(32),
            "blake2b-128" => Self::Blake2b(16),
            _ => return None,
        })
    }
}

/// A checksum as documents write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multihash {
    algorithm: Algorithm,
    digest: Vec<u8>,
}

impl Multihash {
    /// Reads lowercase or uppercase hex. `None` for what is no multihash or has an unknown algorithm.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = unhex(text.trim())?;
        let (code, rest) = varint(&bytes)?;
        let (length, digest) = varint(rest)?;
        let algorithm = Algorithm::of_code(code)?;
        (digest.len() as u64 == length && !digest.is_empty())
            .then(|| Self { algorithm, digest: digest.to_vec() })
    }

    /// A checksum from its whole digest.
    pub(crate) fn new(algorithm: Algorithm, digest: Vec<u8>) -> Self {
        Self { algorithm, digest }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this is the checksum of data whose whole digest is `other`'s; a truncated digest is a prefix.
    pub fn matches(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && other.digest.starts_with(&self.digest)
    }
}

impl fmt::Display for Multihash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(self.digest.len() + 4);
        push_varint(self.algorithm.code(), &mut bytes);
        push_varint(self.digest.len() as u64, &mut bytes);
        bytes.extend_from_slice(&self.digest);
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    // Nine bytes hold 63 bits, the most that the specification allows.
    for (at, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Computes a checksum while bytes pass.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Sha3_256(Box<Sha3_256>),
    Sha3_512(Box<Sha3_512>),
    Blake3(Box<blake3::Hasher>),
    Blake2b(Box<blake2b_simd::State>),
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
            Algorithm::Sha3_256 => State::Sha3_256(Box::new(Sha3_256::new())),
            Algorithm::Sha3_512 => State::Sha3_512(Box::new(Sha3_512::new())),
            Algorithm::Blake3 => State::Blake3(Box::new(blake3::Hasher::new())),
            Algorithm::Blake2b(bytes) => {
                let state = blake2b_simd::Params::new().hash_length(usize::from(bytes)).to_state();
                State::Blake2b(Box::new(state))
            }
        };
        Self { algorithm, state }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Md5(state) => state.update(data),
            State::Sha1(state) => state.update(data),
            State::Sha256(state) => state.update(data),
            State::Sha512(state) => state.update(data),
            State::Sha3_256(state) => state.update(data),
            State::Sha3_512(state) => state.update(data),
            State::Blake3(state) => {
                state.update(data);
            }
            State::Blake2b(state) => {
                state.update(data);
            }
        }
    }

    /// The checksum of all that passed.
    pub fn finish(self) -> Multihash {
        let digest = match self.state {
            State::Md5(state) => state.finalize().to_vec(),
            State::Sha1(state) => state.finalize().to_vec(),
            State::Sha256(state) => state.finalize().to_vec(),
            State::Sha512(state) => state.finalize().to_vec(),
            State::Sha3_256(state) => state.finalize().to_vec(),
            State::Sha3_512(state) => state.finalize().to_vec(),
            State::Blake3(state) => state.finalize().as_bytes().to_vec(),
            State::Blake2b(state) => state.finalize().as_bytes().to_vec(),
        };
        Multihash { algorithm: self.algorithm, digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: Algorithm, data: &[u8]) -> Multihash {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }

    #[test]
    fn known_digests() {
        // `printf '' | sha256sum`, `md5sum`.
        let sha = "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of(Algorithm::Sha256, b"").to_string(), sha);
        assert_eq!(of(Algorithm::Md5, b"").to_string(), "d50110d41d8cd98f00b204e9800998ecf8427e");
        // The example of the `file` extension's specification, whose code is blake2b-128.
        let blake = Multihash::parse("90e4021044fbd1de1dc3ef3b4d2fbac0b92f9d2d").unwrap();
        assert_eq!(blake.algorithm(), Algorithm::Blake2b(16));
    }

    #[test]
    fn every_algorithm_reads_what_it_writes() {
        for name in
            ["md5", "sha1", "sha256", "sha512", "sha3-256", "sha3-512", "blake3", "blake2b-128"]
        {
            let hash = of(Algorithm::of_name(name).unwrap(), b"holdall");
            assert_eq!(Multihash::parse(&hash.to_string()).unwrap(), hash, "{name}");
        }
    }

    #[test]
    fn a_truncated_digest_is_a_prefix() {
        let whole = of(Algorithm::Sha256, b"");
        assert!(Multihash::parse("1204e3b0c442").unwrap().matches(&whole));
        assert!(!Multihash::parse("1204e3b0c443").unwrap().matches(&whole));
        assert!(Multihash::parse("1204e3b0").is_none(), "the length must fit");
        assert!(Multihash::parse("zz").is_none());
    }
}
