//! Which keys take part.

use globset::GlobMatcher;
use object_store::ObjectMeta;

use crate::error::{Error, Result};
use crate::listing::{Oddity, key_of};
use crate::ops::glob_matcher;

/// Rules in order: the first one that matches a key decides; a key that no rule matches takes part unless the rules
/// have an inclusion before any exclusion.
///
/// Patterns are those of [`Store::glob`](crate::Store::glob), against the key relative to the root of the transfer. A
/// pattern without a slash matches the last segment at any depth.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    rules: Vec<(bool, GlobMatcher, bool)>,
}

impl Filter {
    /// Everything takes part.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule that takes matching keys in.
    pub fn include(self, pattern: &str) -> Result<Self> {
        self.rule(true, pattern)
    }

    /// Adds a rule that leaves matching keys out.
    pub fn exclude(self, pattern: &str) -> Result<Self> {
        self.rule(false, pattern)
    }

    fn rule(mut self, takes_in: bool, pattern: &str) -> Result<Self> {
        self.rules.push((takes_in, glob_matcher(pattern)?, pattern.contains('/')));
        Ok(self)
    }

    /// Whether an item of a listing takes part: as its key does, also where no path can hold that; errors that end a listing
    /// are kept.
    pub fn keeps(&self, item: &Result<ObjectMeta>) -> bool {
        let unseen = item.as_ref().err().and_then(Error::odd_key);
        match unseen.filter(|odd| odd.oddity == Oddity::Unreadable) {
            Some(unseen) => !self.excludes_all(&unseen.key),
            None => key_of(item).is_none_or(|key| self.allows(key)),
        }
    }

    /// Whether a directory is left out with whatever may be in it.
    fn excludes_all(&self, directory: &str) -> bool {
        // Of a name that nobody writes into a pattern.
        let inside = ["\u{1}", "\u{1}/\u{1}"].map(|below| format!("{directory}/{below}"));
        let is_excluded = |key: &String| self.rule_for(key).is_some_and(|takes_in| !takes_in);
        inside.iter().all(is_excluded)
    }

    /// Whether a key takes part.
    pub fn allows(&self, key: &str) -> bool {
        let otherwise = || !self.rules.first().is_some_and(|(takes_in, ..)| *takes_in);
        self.rule_for(key).unwrap_or_else(otherwise)
    }

    /// Whether the first rule that matches a key takes it in.
    fn rule_for(&self, key: &str) -> Option<bool> {
        // The slash at the end of a directory's marker is no segment.
        let name = key.strip_suffix('/').unwrap_or(key).rsplit('/').next().unwrap_or(key);
        let matches = |(_, matcher, whole): &&(bool, GlobMatcher, bool)| {
            matcher.is_match(if *whole { key } else { name })
        };
        self.rules.iter().find(matches).map(|(takes_in, ..)| *takes_in)
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn the_first_match_decides() {
        let filter = Filter::new().exclude("tmp/**").unwrap().exclude("*.log").unwrap();
        assert!(filter.allows("a/b.txt") && !filter.allows("a/b.log") && !filter.allows("tmp/x/y"));
        let filter = Filter::new().include("*.tif").unwrap().exclude("**").unwrap();
        assert!(filter.allows("a/b.tif") && !filter.allows("a/b.txt"));
        for (pattern, excludes) in
            [("tmp/**", true), ("**", true), ("tmp", false), ("tmp/*", false), ("*.log", false)]
        {
            assert_eq!(Filter::new().exclude(pattern).unwrap().excludes_all("tmp"), excludes);
            assert!(!Filter::new().include(pattern).unwrap().excludes_all("tmp"));
        }
        let only = Filter::new().include("*.tif").unwrap();
        assert!(only.allows("a/b.tif") && !only.allows("a/b.txt"));
    }
}
