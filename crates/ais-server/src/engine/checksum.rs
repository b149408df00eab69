//! Checksums of content, of every type that AIStore has.

use md5::Digest as _;

use crate::error::{Error, ErrorKind, Result};

/// A checksum: its type and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// `xxhash2`, `xxhash`, `md5`, `crc32c`, `sha256`, `sha512` or `none`.
    pub kind: String,
    /// Hex digits in lower case.
    pub value: String,
}

impl Checksum {
    /// Whether this is the content's checksum too; unknown when the types differ.
    pub fn matches(&self, kind: &str, value: &str) -> bool {
        self.kind != "none" && self.kind == kind && self.value.eq_ignore_ascii_case(value)
    }
}

/// Computes a checksum while bytes pass.
#[derive(Clone)]
pub struct Hasher {
    kind: String,
    state: State,
}

#[derive(Clone)]
enum State {
    None,
    Xxh64(Box<xxhash_rust::xxh64::Xxh64>),
    Crc32c(crc_fast::Digest),
    Md5(md5::Md5),
    Sha256(sha2::Sha256),
    Sha512(Box<sha2::Sha512>),
}

impl Hasher {
    /// A hasher of this type; the empty type is `none`.
    ///
    /// # Errors
    ///
    /// When there is no such type.
    pub fn new(kind: &str) -> Result<Self> {
        let state = match kind {
            "" | "none" => State::None,
            "xxhash" | "xxhash2" => State::Xxh64(Box::new(xxhash_rust::xxh64::Xxh64::new(0))),
            "crc32c" => State::Crc32c(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi)),
            "md5" => State::Md5(md5::Md5::new()),
            "sha256" => State::Sha256(sha2::Sha256::new()),
            "sha512" => State::Sha512(Box::new(sha2::Sha512::new())),
            other => {
                return Err(Error::invalid(format!(
                    "invalid checksum type \"{other}\" (expecting one of: none, xxhash, xxhash2, md5, crc32c, sha256, sha512)"
                )));
            }
        };
        let kind = if kind.is_empty() { "none" } else { kind };
        Ok(Self { kind: kind.to_owned(), state })
    }

    /// The type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::None => {}
            State::Xxh64(state) => state.update(bytes),
            State::Crc32c(state) => state.update(bytes),
            State::Md5(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The checksum of all bytes.
    pub fn finish(self) -> Checksum {
        let value = match self.state {
            State::None => String::new(),
            State::Xxh64(state) => format!("{:016x}", state.digest()),
            State::Crc32c(state) => format!("{:08x}", state.finalize()),
            State::Md5(state) => hex(&state.finalize()),
            State::Sha256(state) => hex(&state.finalize()),
            State::Sha512(state) => hex(&state.finalize()),
        };
        Checksum { kind: self.kind, value }
    }
}

/// Checks content against the checksum that was sent along.
///
/// # Errors
///
/// [`ErrorKind::Checksum`] when they differ, in AIStore's words.
pub fn check(expected: &Checksum, have: &Checksum, what: &str) -> Result<()> {
    if expected.value.eq_ignore_ascii_case(&have.value) {
        return Ok(());
    }
    let text = format!(
        "BAD DATA CHECKSUM: {}({} != {}) (context: {what})",
        expected.kind, expected.value, have.value
    );
    Err(Error::new(ErrorKind::Checksum, text).with_code("ErrBadCksum"))
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (kind, value) in [
            ("none", ""),
            ("xxhash2", "44bc2cf5ad770999"),
            ("xxhash", "44bc2cf5ad770999"),
            ("crc32c", "364b3fb7"),
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            let mut hasher = Hasher::new(kind).unwrap();
            hasher.update(b"a");
            hasher.update(b"bc");
            assert_eq!(hasher.finish().value, value, "{kind}");
        }
        assert!(Hasher::new("crc64").is_err());
    }
}
