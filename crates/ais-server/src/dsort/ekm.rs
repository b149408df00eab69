//! The external key map: which records go to which shards.
//!
//! JSON, `{"shard-%d.tar": ["key", …], …}`, or lines of a key, a separator and the format of a shard's name. Keys
//! are regular expressions; one that is the record's key letter for letter wins over others that match it, too.

use std::collections::{BTreeMap, HashMap};

use regex::RegexSet;

use super::{plan::Reaction, records::react};
use crate::error::{Error, Result};

/// Memory for compiled keys.
const REGEX_LIMIT: usize = 256 << 20;

/// A parsed map.
pub(super) struct KeyMap {
    /// Formats of names of shards, in the order in which they appear.
    pub(super) formats: Vec<String>,
    literal: HashMap<String, usize>,
    patterns: RegexSet,
    /// The format that each pattern leads to.
    leads_to: Vec<usize>,
}

impl KeyMap {
    /// Reads a map. `is_json` when its name says so: then it must be.
    ///
    /// # Errors
    ///
    /// When it is malformed, a key is no regular expression, or a key appears twice.
    pub(super) fn parse(
        content: &[u8],
        is_json: bool,
        separator: &str,
        malformed: Reaction,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        match serde_json::from_slice::<BTreeMap<String, Vec<String>>>(content) {
            Ok(map) => {
                let pairs = map.into_iter().flat_map(|(format, keys)| {
                    keys.into_iter().map(move |key| (key, format.clone()))
                });
                Self::new(pairs)
            }
            Err(error) if is_json => {
                Err(Error::invalid(format!("dsort: the external key map is no JSON map: {error}")))
            }
            Err(_) => {
                let text = std::str::from_utf8(content)
                    .map_err(|_| Error::invalid("dsort: the external key map is not text"))?;
                let mut pairs = Vec::new();
                for (number, line) in text.lines().enumerate() {
                    let line = line.trim();
                    if line.is_empty() {
                        continue;
                    }
                    match line.split(separator).collect::<Vec<_>>()[..] {
                        [key, format] if !key.is_empty() && !format.is_empty() => {
                            pairs.push((key.to_owned(), format.to_owned()));
                        }
                        _ => react(
                            malformed,
                            warnings,
                            format!("malformed line ({number}) in external key map: {line}"),
                        )?,
                    }
                }
                Self::new(pairs)
            }
        }
    }

    fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut formats = Vec::new();
        let mut index = HashMap::new();
        let mut literal = HashMap::new();
        let mut leads_to = Vec::new();
        let mut keys = Vec::new();
        for (key, format) in pairs {
            let target = *index.entry(format).or_insert_with_key(|format| {
                formats.push(format.clone());
                formats.len() - 1
            });
            if literal.insert(key.clone(), target).is_some() {
                return Err(Error::invalid(format!(
                    "dsort: the external key map has {key:?} twice"
                )));
            }
            keys.push(key);
            leads_to.push(target);
        }
        let patterns = regex::RegexSetBuilder::new(&keys).size_limit(REGEX_LIMIT).build().map_err(
            |error| {
                Error::invalid(format!(
                    "dsort: a key of the external key map is no regular expression: {error}"
                ))
            },
        )?;
        Ok(Self { formats, literal, patterns, leads_to })
    }

    /// Which of the formats a record's key leads to; or else why none.
    pub(super) fn lookup(&self, key: &str) -> Result<usize, &'static str> {
        if let Some(format) = self.literal.get(key) {
            return Ok(*format);
        }
        let mut matches = self.patterns.matches(key).into_iter();
        match (matches.next(), matches.next()) {
            (Some(one), None) => Ok(self.leads_to[one]),
            (Some(_), Some(_)) => Err("multiple matches found"),
            (None, _) => Err("no match found"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &str, is_json: bool, malformed: Reaction) -> Result<KeyMap> {
        KeyMap::parse(content.as_bytes(), is_json, "\t", malformed, &mut Vec::new())
    }

    #[test]
    fn json_and_lines() {
        let json = r#"{"cats-%d.tar": ["cat-.*", "tiger.jpg"], "dogs-%d.tar": ["dog-.*"]}"#;
        let lines = "cat-.*\tcats-%d.tar\n\ntiger.jpg\tcats-%d.tar\ndog-.*\tdogs-%d.tar\n";
        for (content, is_json) in [(json, true), (json, false), (lines, false)] {
            let map = parse(content, is_json, Reaction::Abort).unwrap();
            assert_eq!(map.formats, ["cats-%d.tar", "dogs-%d.tar"]);
            assert_eq!(map.lookup("cat-1.jpg"), Ok(0));
            assert_eq!(map.lookup("tiger.jpg"), Ok(0));
            assert_eq!(map.lookup("dog-1.jpg"), Ok(1));
            assert_eq!(map.lookup("bird"), Err("no match found"));
            assert_eq!(map.lookup("cat-dog-"), Err("multiple matches found"));
        }
    }

    #[test]
    fn a_key_that_is_the_name_wins() {
        let map =
            parse(r#"{"a-%d": ["1.jpg"], "b-%d": ["11.jpg"]}"#, true, Reaction::Abort).unwrap();
        assert_eq!((map.lookup("1.jpg"), map.lookup("11.jpg")), (Ok(0), Ok(1)));
    }

    #[test]
    fn what_is_refused() {
        assert!(parse(lines_of(&["a"]).as_str(), true, Reaction::Abort).is_err());
        assert!(parse("no separator", false, Reaction::Abort).is_err());
        assert!(parse("no separator", false, Reaction::Ignore).unwrap().formats.is_empty());
        assert!(parse("(\tx-%d", false, Reaction::Ignore).is_err());
        assert!(parse("a\tx-%d\na\ty-%d", false, Reaction::Ignore).is_err());
        let mut warnings = Vec::new();
        KeyMap::parse(b"x y z", false, " ", Reaction::Warn, &mut warnings).unwrap();
        assert_eq!(warnings.len(), 1);
        assert!(KeyMap::parse(b"\xff", false, " ", Reaction::Warn, &mut warnings).is_err());
    }

    fn lines_of(keys: &[&str]) -> String {
        keys.iter().map(|key| format!("{key}\tx-%d\n")).collect()
    }
}
