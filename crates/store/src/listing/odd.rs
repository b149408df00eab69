//! Keys that no [`Path`](object_store::path::Path) can hold.
//!
//! Services take any text as a key: `a//b`, `/a`, `a/../b`, one with a line break; and names of files need not be text. No
//! operation of this library can name such an object. A listing that left it out would let a copy or a synchronisation look
//! whole that is not, and one that ended because of it would keep people from everything beside it. So it goes through a
//! listing as an error of its own, which names it, and the listing goes on: [`Error::odd_key`](crate::Error::odd_key).
//!
//! A path cannot hold a slash at its end either, and the key `a/` is another one than `a`: of an empty object it is the marker of a
//! directory, as consoles and file browsers make them. There is nothing in it to be copied, and it goes when all of its directory
//! is deleted, under its own key ([`Oddity::Marker`]). With content it is an odd key like the others.
//!
//! Symbolic links that lead nowhere, and directories that we may not look into, go the same way, but only where everything is to
//! be copied ([`Store::sources`](crate::Store::sources)): other listings have objects, and such a link is none; and they end at
//! what they cannot see.

use chrono::{DateTime, Utc};
use object_store::list::PaginatedListResult;
use object_store::{ListResult, ObjectMeta};
use serde::Serialize;

use crate::error::{Error, Result};

/// Why a listing has an [`OddKey`] in the place of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Oddity {
    /// No path can hold the key.
    #[default]
    OddKey,
    /// It is the marker of a directory: an empty object whose key ends with a slash. [`OddKey::new`] tells it.
    Marker,
    /// It is a symbolic link that leads nowhere, or round in a circle.
    BrokenLink,
    /// It is a directory, or in one, that the file system does not let us look into.
    Unreadable,
}

/// An object of a listing whose key has an empty segment, a segment `.` or `..`, a slash at either end, or a control character; or
/// what has the place of an object and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OddKey {
    /// The key as the service has it, relative to the store that was listed.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// When it was written.
    pub last_modified: DateTime<Utc>,
    /// The entity tag, where the service states one.
    pub e_tag: Option<String>,
    /// In a listing of versions: which one it is.
    pub version: Option<OddVersion>,
    /// Why it is no object like others.
    pub oddity: Oddity,
}

/// Which version of an object with an odd key it is; see [`ObjectVersion`](crate::ObjectVersion).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OddVersion {
    /// The identifier of the version.
    pub id: String,
    /// Whether this is what a read without a version would return.
    pub is_latest: bool,
    /// Whether this version records a deletion and has no content.
    pub is_delete_marker: bool,
}

impl OddKey {
    /// An object with a key and a length; the rest is set field by field.
    pub fn new(key: String, size: u64) -> Self {
        let is_marker = size == 0 && key.strip_suffix('/').is_some_and(|key| !Self::is_odd(key));
        Self {
            oddity: if is_marker { Oddity::Marker } else { Oddity::OddKey },
            key,
            size,
            last_modified: DateTime::UNIX_EPOCH,
            e_tag: None,
            version: None,
        }
    }

    /// Whether no path can hold `key`.
    pub fn is_odd(key: &str) -> bool {
        why(key).is_some()
    }

    /// Whether no path can hold the prefix of a level, which has the delimiter at its end or not.
    pub fn is_odd_prefix(prefix: &str) -> bool {
        Self::is_odd(prefix.strip_suffix('/').unwrap_or(prefix))
    }

    /// Whether it is the marker of a directory.
    pub fn is_marker(&self) -> bool {
        self.oddity == Oddity::Marker
    }

    /// An item of a listing as an entry: what there is, also where no path can hold its key.
    ///
    /// # Errors
    /// Those that end the listing.
    pub fn or_item<T>(item: Result<T>) -> Result<std::result::Result<T, Box<Self>>> {
        match item {
            Ok(item) => Ok(Ok(item)),
            Err(error) => error.into_odd_key().map(Err),
        }
    }

    pub(crate) fn detail(&self) -> String {
        match self.oddity {
            Oddity::OddKey => {}
            Oddity::Marker => {
                return "it is the marker of a directory, an empty object whose key ends with a slash: it goes when all of \
                        its directory is deleted"
                    .into();
            }
            Oddity::BrokenLink => {
                return "the symbolic link leads nowhere: mend or remove it, or exclude it".into();
            }
            Oddity::Unreadable => {
                return "the file system does not let us look: see that we may, or exclude it"
                    .into();
            }
        }
        let key = self.key.escape_debug();
        // Of services all keys are UTF-8, and names of files come with what is not replaced.
        let why = why(&self.key).unwrap_or("stands for a name that is not UTF-8");
        format!(
            "the key '{key}' {why}, so that nothing but a listing can name it: give the object another key with the \
             service's own tools (a file another name), or exclude it"
        )
    }
}

fn why(key: &str) -> Option<&'static str> {
    if key.starts_with('/') {
        return Some("begins with a slash");
    }
    if key.bytes().any(|byte| byte.is_ascii_control()) {
        return Some("has a control character");
    }
    let without_slash = key.strip_suffix('/');
    let odd = without_slash.unwrap_or(key).split('/').find_map(|segment| match segment {
        "" => Some("has an empty segment"),
        "." | ".." => Some("has a segment of dots alone"),
        _ => None,
    });
    odd.or(without_slash.map(|_| "ends with a slash"))
}

/// Asks for odd keys beside a page of a listing, as an extension of what is asked
/// ([`PaginatedListOptions::extensions`](object_store::list::PaginatedListOptions)); and is their answer, as an extension of
/// the page. Without it, a page with such a key is an error.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct OddKeys {
    /// The objects, each with the number of those that came before it in its page and are not odd.
    pub objects: Vec<(usize, OddKey)>,
    /// Of a listing with a delimiter: the prefixes that are odd, with the delimiter at their end.
    pub prefixes: Vec<String>,
}

impl OddKeys {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.prefixes.is_empty()
    }

    /// What a page has; none when it was not asked for, or there are none.
    pub(crate) fn of(page: &mut ListResult) -> Self {
        page.extensions.remove().unwrap_or_default()
    }
}

/// An entry of a listing: an object, also one whose key no path can hold.
pub type Entry = std::result::Result<ObjectMeta, Box<OddKey>>;

/// The entries of a page, each in its place.
pub(crate) fn entries(page: &mut PaginatedListResult) -> Vec<Entry> {
    let odd = OddKeys::of(&mut page.result).objects;
    let objects = std::mem::take(&mut page.result.objects).into_iter().map(Ok);
    if odd.is_empty() {
        return objects.collect();
    }
    let mut entries: Vec<Entry> = objects.collect();
    for (number, (before, odd)) in odd.into_iter().enumerate() {
        entries.insert((before + number).min(entries.len()), Err(Box::new(odd)));
    }
    entries
}

/// The key of an entry.
pub(crate) fn key(entry: &Entry) -> &str {
    match entry {
        Ok(meta) => meta.location.as_ref(),
        Err(odd) => &odd.key,
    }
}

/// The key that an item of a listing is about; none for an error that ends it.
pub(crate) fn key_of(item: &Result<ObjectMeta>) -> Option<&str> {
    match item {
        Ok(meta) => Some(meta.location.as_ref()),
        Err(error) => Error::odd_key(error).map(|odd| odd.key.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;

    use super::*;

    #[test]
    fn odd_is_what_a_path_would_refuse_or_change() {
        for key in
            ["a//b", "/a", "/", "a//", "./a", "a/..", "a/./b", "a\nb", "\u{7f}", "a/\u{1}/", "a/"]
        {
            assert!(OddKey::is_odd(key), "{key:?}");
        }
        for key in ["a", "a/b.c", "...", "a/..b", "%2E", "ä/日本", " a ", "a\\b"] {
            assert!(!OddKey::is_odd(key), "{key:?}");
            assert_eq!(Path::parse(key).unwrap().as_ref(), key);
            assert!(!OddKey::is_odd_prefix(&format!("{key}/")));
        }
        assert!(OddKey::is_odd_prefix("a//") && OddKey::is_odd_prefix("/"));
    }

    #[test]
    fn markers_are_empty_and_nothing_else_is_odd_about_them() {
        let oddity = |key: &str, size| OddKey::new(key.to_owned(), size).oddity;
        assert_eq!(oddity("a/", 0), Oddity::Marker);
        for (key, size) in [("a/", 1), ("a//", 0), ("/a/", 0), ("/", 0), ("a//b", 0)] {
            assert_eq!(oddity(key, size), Oddity::OddKey, "{key:?}");
        }
    }
}
