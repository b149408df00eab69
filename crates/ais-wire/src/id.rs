//! Ids of jobs, uploads and nodes.

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LETTERS_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Characters of an id that [`new`] makes.
const LEN: usize = 9;

/// A new random id: nine letters and digits, the first a letter.
pub fn new() -> String {
    let pick = |set: &[u8]| char::from(set[fastrand::usize(..set.len())]);
    let mut id = String::with_capacity(LEN);
    id.push(pick(LETTERS));
    for _ in 1..LEN {
        id.push(pick(LETTERS_DIGITS));
    }
    id
}

/// Whether the text can be an id: at least nine letters, digits, `-` and `_`, beginning with a letter and not ending
/// in a mark.
pub fn is_valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= LEN
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && bytes[0].is_ascii_alphabetic()
        && bytes[bytes.len() - 1].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ids_are_valid() {
        assert!((0..1000).all(|_| is_valid(&new())));
        assert!(is_valid("etl-abcde9"));
        for bad in ["", "short", "9abcdefgh", "abcdefgh-", "abcd efgh", "abcdefgh/"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
