//! A set of configuration values under one key enum.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{ClientKey, ConfigKey};
use crate::error::{Error, ErrorKind, Result};

/// Values under the keys `K`, each key at most once, and the client settings that came among them.
///
/// `Debug` shows the keys and hides the values of secrets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Settings<K: Ord> {
    values: BTreeMap<K, String>,
    client: BTreeMap<ClientKey, String>,
}

impl<K: Ord> Default for Settings<K> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), client: BTreeMap::new() }
    }
}

impl<K: ConfigKey + Ord> Settings<K> {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads pairs of spelling and value. The same key twice, under any spelling, is an error.
    pub fn from_pairs<S: AsRef<str>>(pairs: impl IntoIterator<Item = (S, String)>) -> Result<Self> {
        let mut settings = Self::new();
        for (spelling, value) in pairs {
            settings.insert_new(spelling.as_ref(), value)?;
        }
        Ok(settings)
    }

    /// Reads the environment, settings of the client with a prefix of the provider (`AWS_ALLOW_HTTP`) included. Names
    /// that merely look like a provider's are left alone.
    pub fn from_env() -> Self {
        let text = |os: std::ffi::OsString| os.into_string().ok();
        Self::from_variables(std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))))
    }

    fn from_variables(variables: impl Iterator<Item = (String, String)>) -> Self {
        let mut settings = Self::new();
        for (name, value) in variables {
            if let Some(key) = K::from_env(&name) {
                settings.values.insert(key, value);
            } else if let Some(key) = client_key_from_env::<K>(&name) {
                settings.client.insert(key, value);
            }
        }
        settings
    }

    /// Adds a value under any spelling of its key; an error when the key is unknown or has a value.
    pub fn insert_new(&mut self, spelling: &str, value: String) -> Result<()> {
        let taken = match K::parse(spelling) {
            Ok(key) => self.values.insert(key, value).is_some(),
            Err(unknown) => {
                let lower = spelling.to_ascii_lowercase();
                let bare = K::prefixes().iter().find_map(|p| lower.strip_prefix(p));
                let key = ClientKey::parse(&lower)
                    .or_else(|e| bare.map_or(Err(e), ClientKey::parse))
                    .map_err(|_| unknown)?;
                self.client.insert(key, value).is_some()
            }
        };
        if taken {
            return Err(Error::new(
                ErrorKind::Config,
                "configure",
                spelling,
                format!(
                    "Duplicate key '{spelling}': it was given more than once, under one or more spellings"
                ),
            ));
        }
        Ok(())
    }

    /// Sets a value, replacing one that is there.
    #[must_use]
    pub fn with(mut self, key: K, value: impl Into<String>) -> Self {
        self.values.insert(key, value.into());
        self
    }

    /// Takes each value of `weaker` whose key has none here.
    #[must_use]
    pub fn or(mut self, weaker: Self) -> Self {
        for (key, value) in weaker.values {
            self.values.entry(key).or_insert(value);
        }
        for (key, value) in weaker.client {
            self.client.entry(key).or_insert(value);
        }
        self
    }

    /// The value of a key.
    pub fn get(&self, key: K) -> Option<&str> {
        self.values.get(&key).map(String::as_str)
    }

    /// A switch; false when it is not set.
    pub fn flag(&self, key: K) -> Result<bool> {
        self.get(key).map_or(Ok(false), |value| parse_bool(key.name(), value))
    }

    /// Removes and returns the value of a key.
    pub fn take(&mut self, key: K) -> Option<String> {
        self.values.remove(&key)
    }

    /// The pairs, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &str)> {
        self.values.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// Client settings that were given among the store's own.
    pub fn client(&self) -> impl Iterator<Item = (ClientKey, &str)> {
        self.client.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.client.is_empty()
    }
}

/// The client key of an environment variable that carries a prefix of the provider, in upper case.
fn client_key_from_env<K: ConfigKey>(variable: &str) -> Option<ClientKey> {
    if variable.chars().any(|c| c.is_ascii_lowercase()) {
        return None;
    }
    let lower = variable.to_ascii_lowercase();
    let bare = K::prefixes().iter().find_map(|prefix| lower.strip_prefix(prefix))?;
    ClientKey::parse(bare).ok()
}

impl<K: ConfigKey + Ord> fmt::Debug for Settings<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |secret: bool, value: &str| if secret { "…".to_owned() } else { value.to_owned() };
        f.debug_map()
            .entries(self.iter().map(|(k, v)| (k.name(), shown(k.is_secret(), v))))
            .entries(self.client().map(|(k, v)| (k.name(), shown(k.is_secret(), v))))
            .finish()
    }
}

/// Reads a switch: `true`, `1`, `yes`, `on` and their opposites, in any letter case.
pub fn parse_bool(key: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Ok(true),
        "0" | "false" | "off" | "no" | "n" => Ok(false),
        _ => Err(invalid(key, value, "true or false")),
    }
}

/// Reads a duration such as `30s`, `500ms` or `1m 30s`; a bare number counts seconds.
pub fn parse_duration(key: &str, value: &str) -> Result<Duration> {
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds)
            .map_err(|_| invalid(key, value, "a duration such as 30s"));
    }
    humantime::parse_duration(value).map_err(|_| invalid(key, value, "a duration such as 30s"))
}

pub(crate) fn invalid(key: &str, value: &str, expected: &str) -> Error {
    Error::new(ErrorKind::Config, "configure", key, format!("'{value}' is not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::super::S3Key;
    use super::*;

    #[test]
    fn a_key_given_twice_by_any_spelling_is_an_error() {
        let pairs = [("region", "a".to_owned()), ("AWS_REGION", "b".to_owned())];
        let error = Settings::<S3Key>::from_pairs(pairs).unwrap_err();
        assert!(error.to_string().contains("Duplicate key"), "{error}");
    }

    #[test]
    fn client_settings_may_stand_among_the_store_s() {
        let settings = Settings::<S3Key>::from_pairs([("allow_http", "true".to_owned())]).unwrap();
        assert_eq!(settings.client().collect::<Vec<_>>(), [(ClientKey::AllowHttp, "true")]);
    }

    #[test]
    fn the_environment_has_settings_of_the_client_too() {
        let variables = [
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "eu"),
            ("ALLOW_HTTP", "no prefix"),
            ("aws_timeout", "lower case"),
            ("GOOGLE_TIMEOUT", "another provider"),
        ];
        let variables = variables.map(|(k, v)| (k.to_owned(), v.to_owned()));
        let settings = Settings::<S3Key>::from_variables(variables.into_iter());
        assert_eq!(settings.get(S3Key::Region), Some("eu"));
        assert_eq!(settings.client().collect::<Vec<_>>(), [(ClientKey::AllowHttp, "true")]);
    }

    #[test]
    fn debug_hides_secrets() {
        let settings = Settings::new().with(S3Key::SecretAccessKey, "hunter2");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn stronger_values_win() {
        let strong = Settings::new().with(S3Key::Region, "eu");
        let weak = Settings::new().with(S3Key::Region, "us").with(S3Key::Bucket, "b");
        let both = strong.or(weak);
        assert_eq!((both.get(S3Key::Region), both.get(S3Key::Bucket)), (Some("eu"), Some("b")));
    }
}
