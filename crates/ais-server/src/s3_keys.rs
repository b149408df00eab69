//! Keys that clients of the S3 face sign their requests with.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};

/// Pairs of access keys and secret keys. Without any, every signature is accepted, as AIStore does. Where AuthN asks, a key
/// acts as the user of the same name.
///
/// ```
/// use holdall_ais_server::S3Keys;
///
/// let keys = S3Keys::parse("# who may use it\nreader  s3cret\nwriter:m0re\n").unwrap();
/// assert_eq!(format!("{keys:?}"), "S3Keys([\"reader\", \"writer\"])");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Keys(BTreeMap<String, String>);

impl S3Keys {
    /// No pair.
    pub const NONE: Self = Self(BTreeMap::new());

    /// One pair.
    ///
    /// # Errors
    ///
    /// When one of them is empty, or has a character that signatures have no place for.
    pub fn new(access: impl Into<String>, secret: impl Into<String>) -> Result<Self> {
        let mut keys = Self::default();
        keys.add(access.into(), secret.into())?;
        Ok(keys)
    }

    /// Pairs from a text: one a line, separated by a space, a tab or a colon; `#` begins a comment.
    ///
    /// # Errors
    ///
    /// When a line is no pair, or an access key comes twice. The error tells the line's number, never its content.
    pub fn parse(text: &str) -> Result<Self> {
        let mut keys = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |reason: &str| {
                let text = format!("S3 keys, line {}: {reason}", number + 1);
                Error::invalid(text)
            };
            let (access, secret) = line
                .split_once([' ', '\t', ':'])
                .ok_or_else(|| at("expecting an access key, a space, and a secret key"))?;
            keys.add(access.to_owned(), secret.trim().to_owned())
                .map_err(|error| at(error.message()))?;
        }
        Ok(keys)
    }

    /// Pairs from a file, as [`parse`](Self::parse) reads them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or holds no pair, and as there.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::invalid(format!("cannot read the S3 keys {}", path.display())).with_source(e)
        })?;
        let keys = Self::parse(&text)?;
        if keys.is_empty() {
            // Whoever names a file wants requests to be checked.
            return Err(Error::invalid(format!("there is no S3 key in {}", path.display())));
        }
        Ok(keys)
    }

    /// Adds the pairs of another set.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn add(&mut self, access: String, secret: String) -> Result<()> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ',' | '=');
        if access.is_empty() || secret.is_empty() {
            return Err(Error::invalid("an access key and a secret key must not be empty"));
        }
        if !access.chars().all(plain) {
            return Err(Error::invalid(
                "an access key holds printable ASCII characters only, without \"/\", \",\" and \"=\"",
            ));
        }
        if self.0.insert(access, secret).is_some() {
            return Err(Error::invalid("an access key comes twice"));
        }
        Ok(())
    }

    /// Whether requests are not checked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn secret(&self, access: &str) -> Option<&str> {
        self.0.get(access).map(String::as_str)
    }
}

impl fmt::Debug for S3Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Keys").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_secret() {
        let keys = S3Keys::new("who", "s3cret").unwrap();
        assert_eq!(keys.secret("who"), Some("s3cret"));
        assert!(!format!("{keys:?}").contains("s3cret"));
        for bad in ["lonely", "a b\na c", "a/b c", " : "] {
            let error = S3Keys::parse(&format!("# x\n{bad}")).unwrap_err();
            assert!(error.message().contains("line"), "{error}");
        }
    }
}
