//! Picking members by their names.

use std::{fmt, str::FromStr};

use regex::Regex;

use crate::{Error, Result};

/// How the pattern of a [`Selector`] is meant (`archmode` on AIStore's wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchMode {
    /// A regular expression that matches somewhere in the name.
    Regexp,
    /// The name starts with it.
    Prefix,
    /// The name ends with it.
    Suffix,
    /// The name contains it.
    Substr,
    /// The name without its extension is it: the convention of WebDataset (see [`wds_key`]).
    WdsKey,
}

impl MatchMode {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Regexp, "regexp"),
        (Self::Prefix, "prefix"),
        (Self::Suffix, "suffix"),
        (Self::Substr, "substr"),
        (Self::WdsKey, "wdskey"),
    ];
}

/// A mode that is none of the five. The text is AIStore's, which clients know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid matching mode {0:?}, expecting one of: [regexp prefix suffix substr wdskey]")]
pub struct UnknownMatchMode(pub String);

impl FromStr for MatchMode {
    type Err = UnknownMatchMode;

    /// Reads the name of a mode; an empty one and `*` mean [`MatchMode::Prefix`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text == "*" {
            return Ok(Self::Prefix);
        }
        Self::ALL
            .into_iter()
            .find_map(|(mode, name)| (name == text).then_some(mode))
            .ok_or_else(|| UnknownMatchMode(text.to_owned()))
    }
}

impl fmt::Display for MatchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(mode, _)| mode == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// Which members of an archive are meant.
#[derive(Debug, Clone)]
pub struct Selector(Test);

#[derive(Debug, Clone)]
enum Test {
    All,
    Regexp(Regex),
    Text(MatchMode, String),
}

impl Selector {
    /// Members whose names match `pattern` in the sense of `mode`. An empty pattern and `*` select all.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidPattern`] when a regular expression is none, or is larger than 1 MiB compiled.
    pub fn new(mode: MatchMode, pattern: &str) -> Result<Self> {
        if pattern.is_empty() || pattern == "*" {
            return Ok(Self(Test::All));
        }
        if mode != MatchMode::Regexp {
            return Ok(Self(Test::Text(mode, pattern.to_owned())));
        }
        let compiled = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build();
        compiled.map(|regex| Self(Test::Regexp(regex))).map_err(|error| {
            // The crate's text draws the position on several lines; the last one says what is wrong.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Error::pattern(format!("{}: `{pattern}`", reason.trim()))
        })
    }

    /// Whether the member called `name` is selected.
    pub fn matches(&self, name: &str) -> bool {
        match &self.0 {
            Test::All => true,
            Test::Regexp(regex) => regex.is_match(name),
            Test::Text(MatchMode::Suffix, text) => name.ends_with(text),
            Test::Text(MatchMode::Substr, text) => name.contains(text),
            Test::Text(MatchMode::WdsKey, text) => wds_key(name) == text,
            Test::Text(_, text) => name.starts_with(text),
        }
    }
}

/// The WebDataset key of a name as AIStore sees it: the path without the last extension and without a leading `/`.
pub fn wds_key(name: &str) -> &str {
    let start = name.rfind('/').map_or(0, |at| at + 1);
    let end = name[start..].rfind('.').map_or(name.len(), |at| start + at);
    name[..end].strip_prefix('/').unwrap_or(&name[..end])
}

/// Whether two names mean the same member: a leading `/` does not count.
pub fn same_name(one: &str, other: &str) -> bool {
    one.strip_prefix('/').unwrap_or(one) == other.strip_prefix('/').unwrap_or(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode() {
        let name = "in/two.seg.txt";
        let yes =
            |mode: MatchMode, pattern: &str| Selector::new(mode, pattern).unwrap().matches(name);
        assert!(yes(MatchMode::Prefix, "in/t") && !yes(MatchMode::Prefix, "n/t"));
        assert!(yes(MatchMode::Suffix, ".txt") && !yes(MatchMode::Suffix, ".tx"));
        assert!(yes(MatchMode::Substr, "two") && !yes(MatchMode::Substr, "three"));
        assert!(yes(MatchMode::WdsKey, "in/two.seg") && !yes(MatchMode::WdsKey, "in/two"));
        assert!(yes(MatchMode::Regexp, "t.o") && !yes(MatchMode::Regexp, "^t.o"));
        for mode in MatchMode::ALL.map(|(mode, _)| mode) {
            assert!(yes(mode, "") && yes(mode, "*"));
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
    }

    #[test]
    fn keys() {
        assert_eq!(wds_key("a/b.jpg"), "a/b");
        assert_eq!(wds_key("/a/b.jpg"), "a/b");
        assert_eq!(wds_key("a.d/b"), "a.d/b");
        assert_eq!(wds_key(".hidden"), "");
        assert_eq!(wds_key(""), "");
        assert!(same_name("/a", "a") && !same_name("a", "b"));
    }

    #[test]
    fn what_is_wrong_with_a_pattern_or_a_mode() {
        let error = Selector::new(MatchMode::Regexp, "(").unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidPattern);
        assert_eq!(error.to_string(), "error parsing regexp: unclosed group: `(`");
        assert!("nope".parse::<MatchMode>().unwrap_err().to_string().contains("\"nope\""));
        assert_eq!("".parse(), Ok(MatchMode::Prefix));
    }
}
