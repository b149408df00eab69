//! Random bytes for keys, passwords, tokens and ids, from the system.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

use super::checksum::hex;
use crate::error::{Error, Result};

/// Letters and digits without those that look alike.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// So many random bytes.
///
/// # Errors
///
/// When the system has none.
pub(super) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::internal("the system's random number generator failed"))?;
    Ok(bytes)
}

/// A password of 24 letters and digits: 139 bits.
///
/// # Errors
///
/// When the system has no random bytes.
pub(super) fn password() -> Result<String> {
    let mut text = String::new();
    while text.len() < 24 {
        // Bytes beyond the last whole multiple would make some letters likelier.
        let even = 256 - 256 % ALPHABET.len();
        let good = bytes::<32>()?.into_iter().filter(|byte| usize::from(*byte) < even);
        text.extend(
            good.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
                .take(24 - text.len()),
        );
    }
    Ok(text)
}

/// A word that nobody can guess: 128 bits.
///
/// # Errors
///
/// When the system has no random bytes.
pub(super) fn word() -> Result<String> {
    Ok(hex(&bytes::<16>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_never_the_same() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one, other);
        assert!(one.len() == 24 && one.bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
