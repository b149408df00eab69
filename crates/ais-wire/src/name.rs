//! Which names are valid.

/// Longest name of a bucket, in bytes.
pub const MAX_BUCKET: usize = 64;
/// Longest name of an object, in bytes.
pub const MAX_OBJECT: usize = 1024;

/// Why a name is refused, in AIStore's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The bucket's name is empty.
    #[error("bucket name is empty")]
    BucketEmpty,
    /// The bucket's name is too long.
    #[error("bucket name is too long: {0} > {MAX_BUCKET}(max length)")]
    BucketTooLong(usize),
    /// The bucket's name begins with a dot.
    #[error("reserved bucket name \"{0}\" (unknown system bucket)")]
    BucketReserved(String),
    /// The bucket's name holds other characters.
    #[error(
        "bucket name is invalid: may only contain letters, numbers, dashes (-), underscores (_), and dots (.)"
    )]
    BucketCharacters,
    /// The object's name cannot be stored.
    #[error("invalid object name \"{0}\"")]
    Object(String),
    /// The object's name is too long.
    #[error("invalid object name: {0} bytes are more than {MAX_OBJECT}")]
    ObjectTooLong(usize),
    /// The prefix leads out of the bucket.
    #[error("invalid prefix \"{0}\"")]
    Prefix(String),
    /// The name of an ETL.
    #[error(
        "invalid etl name \"{0}\": expecting 6 to 32 lower-case letters, digits and dashes, with a letter or digit at both ends"
    )]
    Etl(String),
}

/// Checks the name of a bucket.
///
/// # Errors
///
/// When it is empty, too long, or has other characters than letters, digits, `-`, `_` and (single) `.`. A leading dot
/// is reserved for the system.
pub fn check_bucket(name: &str) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::BucketEmpty);
    }
    if name.len() > MAX_BUCKET {
        return Err(InvalidName::BucketTooLong(name.len()));
    }
    let characters =
        name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !characters || name.contains("..") || name == "." {
        return Err(InvalidName::BucketCharacters);
    }
    if name.starts_with('.') {
        return Err(InvalidName::BucketReserved(name.to_owned()));
    }
    Ok(())
}

/// Checks the name of an object.
///
/// # Errors
///
/// When it is empty, ends with `/`, begins with `~/`, has `.` or `..` as a component, holds a NUL, or is too long.
pub fn check_object(name: &str) -> Result<(), InvalidName> {
    if name.len() > MAX_OBJECT {
        return Err(InvalidName::ObjectTooLong(name.len()));
    }
    let bad = name.is_empty()
        || name.ends_with('/')
        || name.starts_with("~/")
        || name.contains('\0')
        || name.split('/').any(|part| part == "." || part == "..");
    if bad { Err(InvalidName::Object(name.to_owned())) } else { Ok(()) }
}

/// Checks the prefix of a listing.
///
/// # Errors
///
/// When a component is `..` or the prefix begins with `~/`.
pub fn check_prefix(prefix: &str) -> Result<(), InvalidName> {
    let bad = prefix.starts_with("~/")
        || prefix.contains('\0')
        || prefix.split('/').any(|part| part == "..");
    if bad { Err(InvalidName::Prefix(prefix.to_owned())) } else { Ok(()) }
}

/// Checks the name of an ETL.
///
/// # Errors
///
/// When it is not 6 to 32 lower-case letters, digits and dashes with a letter or digit at both ends.
pub fn check_etl(name: &str) -> Result<(), InvalidName> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let good = (6..=32).contains(&bytes.len())
        && bytes.iter().all(|&b| plain(b) || b == b'-')
        && bytes.first().is_some_and(|&b| plain(b))
        && bytes.last().is_some_and(|&b| plain(b));
    if good { Ok(()) } else { Err(InvalidName::Etl(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets() {
        for good in ["a", "A-b_c.d", &"x".repeat(64)] {
            check_bucket(good).unwrap();
        }
        for bad in
            ["", "*", ".", "..", "a..b", ".a", "a/b", "a b", "a#", "$", "~", &"x".repeat(65), "é"]
        {
            assert!(check_bucket(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn objects() {
        for good in ["a", "a/b", "...", "a//b", "a b#?%25", "\u{4f60}", "/a"] {
            check_object(good).unwrap();
        }
        for bad in ["", "a/", "..", "a/../b", "./a", "~/a", "a\0", &"x".repeat(1025)] {
            assert!(check_object(bad).is_err(), "{bad}");
        }
    }
}
