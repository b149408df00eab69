//! Configuration keys: one enum per provider, every accepted spelling, secrets marked.
//!
//! The same keys serve URL queries, environment variables, the command line and Python dictionaries. A key is accepted
//! in any letter case, with or without the prefix of its provider (`AWS_REGION`, `aws_region`, `region`). An
//! unknown key is an error that names the nearest one.

mod client;
mod keys;
mod settings;

pub use client::ClientKey;
pub use keys::{AzureKey, GcsKey, S3Key};
pub use settings::{Settings, parse_bool, parse_duration};

use crate::error::{Error, ErrorKind, Result};

/// What the key enums have in common.
pub trait ConfigKey: Copy + Eq + std::fmt::Debug + Sized + 'static {
    /// The store the keys belong to, for messages: `S3`.
    const STORE: &'static str;

    /// Every key, in the order of the documentation.
    fn all() -> &'static [Self];

    /// The canonical spelling, without the prefix of the provider.
    fn name(self) -> &'static str;

    /// Other accepted spellings, without the prefix of the provider where they have one.
    fn aliases(self) -> &'static [&'static str];

    /// Whether the value must never be shown.
    fn is_secret(self) -> bool;

    /// Prefixes that a spelling may carry, in lower case.
    fn prefixes() -> &'static [&'static str];

    /// Finds the key of a spelling.
    fn parse(spelling: &str) -> Result<Self> {
        let lower = spelling.to_ascii_lowercase();
        find::<Self>(&lower).ok_or_else(|| unknown::<Self>(spelling, nearest::<Self>(&lower)))
    }

    /// The key of an environment variable: only names with a prefix of the provider, in upper case, count.
    fn from_env(variable: &str) -> Option<Self> {
        if variable.chars().any(|c| c.is_ascii_lowercase()) {
            return None;
        }
        let lower = variable.to_ascii_lowercase();
        let prefixed = Self::prefixes().iter().any(|prefix| lower.starts_with(prefix));
        if prefixed { find::<Self>(&lower) } else { None }
    }
}

fn find<K: ConfigKey>(lower: &str) -> Option<K> {
    let matches =
        |key: &K, spelling: &str| key.name() == spelling || key.aliases().contains(&spelling);
    if let Some(key) = K::all().iter().find(|key| matches(key, lower)) {
        return Some(*key);
    }
    K::prefixes()
        .iter()
        .filter_map(|prefix| lower.strip_prefix(prefix))
        .find_map(|bare| K::all().iter().find(|key| matches(key, bare)).copied())
}

fn unknown<K: ConfigKey>(spelling: &str, nearest: Option<&str>) -> Error {
    let hint = match nearest {
        Some(name) => format!("; the nearest key is '{name}'"),
        None => String::new(),
    };
    Error::new(
        ErrorKind::UnknownConfigurationKey,
        "configure",
        spelling,
        format!("Configuration key: '{spelling}' is not valid for store '{}'{hint}", K::STORE),
    )
}

/// The key that a typing error most likely meant.
fn nearest<K: ConfigKey>(lower: &str) -> Option<&'static str> {
    let bare = K::prefixes().iter().find_map(|prefix| lower.strip_prefix(prefix)).unwrap_or(lower);
    K::all()
        .iter()
        .flat_map(|key| std::iter::once(key.name()).chain(key.aliases().iter().copied()))
        .map(|name| (strsim::jaro_winkler(bare, name), name))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Defines a key enum from one line per key: variant, canonical spelling, other spellings, `secret`, meaning.
macro_rules! config_keys {
    (
        $(#[$meta:meta])*
        $name:ident, $store:literal, prefixes [$($prefix:literal),*];
        $( $variant:ident = $spelling:literal [$($alias:literal),*] $($secret:ident)? : $doc:literal; )*
    ) => {
        $(#[$meta])*
        ///
        /// | key | other spellings | meaning |
        /// |---|---|---|
        $( #[doc = concat!("| `", $spelling, "` | ", $("`", $alias, "` ",)* "| ", $doc, " |")] )*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $( #[doc = $doc] $variant, )*
        }

        impl $crate::config::ConfigKey for $name {
            const STORE: &'static str = $store;

            fn all() -> &'static [Self] {
                &[$(Self::$variant),*]
            }

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $spelling,)* }
            }

            fn aliases(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($alias),*],)* }
            }

            fn is_secret(self) -> bool {
                match self { $(Self::$variant => $crate::config::config_keys!(@secret $($secret)?),)* }
            }

            fn prefixes() -> &'static [&'static str] {
                &[$($prefix),*]
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(spelling: &str) -> $crate::Result<Self> {
                <Self as $crate::config::ConfigKey>::parse(spelling)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::config::ConfigKey::name(*self))
            }
        }
    };
    (@secret) => { false };
    (@secret secret) => { true };
}
pub(crate) use config_keys;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_finds_its_key_with_any_prefix_and_case() {
        fn check<K: ConfigKey>() {
            for key in K::all() {
                for spelling in std::iter::once(&key.name()).chain(key.aliases()) {
                    assert_eq!(K::parse(spelling).unwrap(), *key, "{spelling}");
                    assert_eq!(K::parse(&spelling.to_uppercase()).unwrap(), *key);
                    for prefix in K::prefixes() {
                        assert!(
                            K::parse(&format!("{prefix}{spelling}")).is_ok(),
                            "{prefix}{spelling}"
                        );
                    }
                }
            }
        }
        check::<S3Key>();
        check::<GcsKey>();
        check::<AzureKey>();
        check::<ClientKey>();
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = S3Key::parse("acess_key_id").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownConfigurationKey);
        assert!(error.to_string().contains("'access_key_id'"), "{error}");
    }

    #[test]
    fn only_prefixed_upper_case_variables_count() {
        assert_eq!(S3Key::from_env("AWS_REGION"), Some(S3Key::Region));
        assert_eq!(S3Key::from_env("REGION"), None);
        assert_eq!(S3Key::from_env("aws_region"), None);
    }
}
