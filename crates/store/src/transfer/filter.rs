//! Which keys take part.

use globset::GlobMatcher;
use object_store::ObjectMeta;

use crate::error::{Error, ErrorKind, Result};
use crate::listing::{Oddity, key_of};
use crate::ops::glob_matcher;

/// Rules in order: the first one that matches a key decides; a key that no rule matches takes part unless the rules
/// have an inclusion before any exclusion.
///
/// Patterns are those of [`Store::glob`](crate::Store::glob), against the key relative to the root of the transfer. As in
/// `.gitignore`, a pattern without a slash matches the last segment at any depth, one that begins with a slash matches from the
/// root on, and one that ends with a slash matches all that is in the directories it names.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    takes_in: bool,
    glob: GlobMatcher,
    /// Whether it looks at the whole key, and not at its last segment.
    whole: bool,
    /// The pattern as written, where it begins or ends with a slash: so may keys that no path can hold.
    written: Option<GlobMatcher>,
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

    /// # Errors
    /// For what is no pattern, and for one that no key can match.
    fn rule(mut self, takes_in: bool, pattern: &str) -> Result<Self> {
        let rooted = pattern.strip_prefix("./").or_else(|| pattern.strip_prefix('/'));
        let path = rooted.unwrap_or(pattern);
        let directory = path.strip_suffix('/');
        let path = directory.unwrap_or(path);
        if matches!(path, "" | "." | "..") || path.starts_with("../") {
            let detail = "no key matches it: keys count from the root of the transfer";
            return Err(Error::new(ErrorKind::InvalidArgument, "filter", pattern, detail));
        }
        let at_root = rooted.is_some() || path.contains('/');
        let glob = match directory {
            Some(directory) if at_root => format!("{directory}/**"),
            Some(directory) => format!("**/{directory}/**"),
            None => path.to_owned(),
        };
        let is_plain = rooted.is_none() && directory.is_none();
        self.rules.push(Rule {
            takes_in,
            glob: glob_matcher(&glob)?,
            whole: at_root || directory.is_some(),
            written: if is_plain { None } else { Some(glob_matcher(pattern)?) },
        });
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
        let otherwise = || !self.rules.first().is_some_and(|rule| rule.takes_in);
        self.rule_for(key).unwrap_or_else(otherwise)
    }

    /// Whether the first rule that matches a key takes it in.
    fn rule_for(&self, key: &str) -> Option<bool> {
        // The slash at the end of a directory's marker is no segment.
        let name = key.strip_suffix('/').unwrap_or(key).rsplit('/').next().unwrap_or(key);
        let matches = |rule: &&Rule| {
            rule.glob.is_match(if rule.whole { key } else { name })
                || rule.written.as_ref().is_some_and(|written| written.is_match(key))
        };
        self.rules.iter().find(matches).map(|rule| rule.takes_in)
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, Filter};

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
        for (pattern, excluded, kept) in [
            ("/a.txt", "a.txt", "b/a.txt"),
            ("./a.txt", "a.txt", "b/a.txt"),
            ("d//a", "d//a", "d/a"),
            ("d/", "d/", "d"),
            ("/d/**", "d/a", "e/d/a"),
            ("keep/", "e/keep/b/a", "e/keep"),
            ("keep/", "keep/a", "keeper/a"),
            ("/keep/", "keep/a", "e/keep/a"),
            ("e/keep/", "e/keep/a", "keep/a"),
            ("*/", "d/a", "a"),
            ("a.txt", "b/a.txt", "a.txt/b"),
            ("{a,b}/c", "b/c", "d/b/c"),
        ] {
            let filter = Filter::new().exclude(pattern).unwrap();
            assert!(!filter.allows(excluded) && filter.allows(kept), "{pattern}");
        }
        assert!(Filter::new().exclude("keep/").unwrap().excludes_all("e/keep"));
        for pattern in ["", "/", "//", ".", "./", "../a", "..", "[a-", "/[a-/"] {
            let error = Filter::new().exclude(pattern).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        }
        let only = Filter::new().include("*.tif").unwrap();
        assert!(only.allows("a/b.tif") && !only.allows("a/b.txt"));
    }
}
