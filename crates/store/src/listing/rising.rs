//! Whether keys rise, although their paths do not tell everything.
//!
//! A path has no slash at its end, a key of the service may: the key `a/` of a directory marker arrives as the path `a`,
//! after `a-`. So a path stands for one of two keys, and a listing is in order when there is a choice that is.

use std::cmp::Ordering;

/// A key of the service: a path, with or without a slash at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    path: &'a str,
    slash: bool,
}

impl<'a> Raw<'a> {
    /// The smallest key that `path` can stand for, has `prefix`, and follows `before`.
    pub(super) fn after(path: &'a str, prefix: &str, before: Option<Raw<'_>>) -> Option<Self> {
        let mut keys = [false, true].into_iter().map(|slash| Self { path, slash });
        keys.find_map(|raw| raw.following(prefix, before))
    }

    /// The key, when it has `prefix` and follows `before`.
    pub(super) fn following(self, prefix: &str, before: Option<Raw<'_>>) -> Option<Self> {
        let follows = before.is_none_or(|before| self.cmp(before).is_gt());
        (follows && self.has_prefix(prefix)).then_some(self)
    }

    /// A key that was kept as text.
    pub(super) fn text(key: &'a str) -> Self {
        match key.strip_suffix('/') {
            Some(path) => Self { path, slash: true },
            None => Self { path: key, slash: false },
        }
    }

    pub(super) fn cmp(self, other: Raw<'_>) -> Ordering {
        self.bytes().cmp(other.bytes())
    }

    pub(super) fn is_beyond(self, bound: &str) -> bool {
        self.cmp(Raw::text(bound)).is_gt()
    }

    fn has_prefix(self, prefix: &str) -> bool {
        self.path.starts_with(prefix)
            || (self.slash && prefix.strip_suffix('/').is_some_and(|path| path == self.path))
    }

    fn bytes(self) -> impl Iterator<Item = u8> {
        self.path.bytes().chain(self.slash.then_some(b'/'))
    }
}

impl std::fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.path)?;
        f.write_str(if self.slash { "/" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rises(paths: &[&str], prefix: &str) -> bool {
        let mut before: Option<Raw<'_>> = None;
        paths.iter().all(|path| match Raw::after(path, prefix, before) {
            Some(raw) => {
                before = Some(raw);
                true
            }
            None => false,
        })
    }

    #[test]
    fn markers_stand_where_their_slash_is() {
        assert!(rises(&["a", "a-", "a", "a/b"], ""), "a, a-, a/, a/b");
        assert!(rises(&["p", "p/a"], "p/"), "the marker of the prefix itself");
        assert!(rises(&["ä", "𝄞"], ""));
    }

    #[test]
    fn repeated_and_earlier_keys_do_not_rise() {
        assert!(!rises(&["a/b", "a/b", "a/b"], ""));
        assert!(!rises(&["b", "a"], ""));
        assert!(!rises(&["a", "b"], "a"), "outside the prefix");
        assert!(!rises(&["p", "p"], "p/"));
    }
}
