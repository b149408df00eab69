//! Listing: a walk in the order of the keys.

use std::path::PathBuf;
use std::vec::IntoIter;

use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};

use super::Root;
use super::paths::{io_error, is_staged, is_staged_write};
use super::read::object_meta;
use super::write::remove_if_stale;

/// One entry of a directory, with its key; directories carry a slash at the end, so that entries sort as keys do:
/// `a.b` comes before what is in `a/`, `a0` after it.
struct Entry {
    key: String,
    path: PathBuf,
    meta: Option<ObjectMeta>,
}

/// A walk through all files below a directory; memory is bounded by the directories on the way to the current file.
pub(super) struct Walk {
    levels: Vec<IntoIter<Entry>>,
    after: Option<String>,
    failed: Option<object_store::Error>,
}

impl Root {
    /// All objects below `prefix` whose keys follow `after`.
    pub(super) fn walk(&self, prefix: &Path, after: Option<String>) -> Walk {
        let dir = self.dir_path(prefix);
        let start = Entry { key: slashed(prefix.as_ref()), path: dir, meta: None };
        let mut walk = Walk { levels: Vec::new(), after, failed: None };
        walk.descend(&start);
        walk
    }

    /// The objects and directories directly below `prefix`.
    pub(super) fn level(&self, prefix: &Path) -> Result<ListResult> {
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Default::default(),
        };
        for entry in entries(&slashed(prefix.as_ref()), &self.dir_path(prefix))? {
            match entry.meta {
                Some(meta) => result.objects.push(meta),
                None if holds_files(&entry) => {
                    result.common_prefixes.extend(Path::parse(&entry.key))
                }
                None => {}
            }
        }
        Ok(result)
    }
}

/// Whether a directory has an object anywhere below: stores have no empty directories.
fn holds_files(entry: &Entry) -> bool {
    let mut walk = Walk { levels: Vec::new(), after: None, failed: None };
    walk.descend(entry);
    walk.next().is_some()
}

fn slashed(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}/") }
}

impl Walk {
    fn descend(&mut self, dir: &Entry) {
        match entries(&dir.key, &dir.path) {
            Ok(entries) => self.levels.push(entries.into_iter()),
            Err(error) => self.failed = Some(error),
        }
    }

    /// Whether all keys that start with `dir` (which ends with a slash) come before the start of the listing.
    fn is_before(&self, dir: &str) -> bool {
        self.after.as_deref().is_some_and(|after| dir < after && !after.starts_with(dir))
    }
}

impl Iterator for Walk {
    type Item = Result<ObjectMeta>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(error) = self.failed.take() {
                self.levels.clear();
                return Some(Err(error));
            }
            let Some(entry) = self.levels.last_mut()?.next() else {
                self.levels.pop();
                continue;
            };
            match entry.meta {
                Some(_)
                    if self.after.as_deref().is_some_and(|after| entry.key.as_str() <= after) => {}
                Some(meta) => return Some(Ok(meta)),
                None if self.is_before(&entry.key) => {}
                None => self.descend(&entry),
            }
        }
    }
}

/// Whether a link in `dir` leads to `dir` itself or to a directory above it: to follow it would never end.
fn leads_up(dir: &std::path::Path, link: &std::path::Path) -> bool {
    match (std::fs::canonicalize(dir), std::fs::canonicalize(link)) {
        (Ok(dir), Ok(target)) => dir.starts_with(target),
        _ => false,
    }
}

/// Whether a linked directory is one of those that lead to it: below it everything would come again, without end.
fn is_loop(dir: &std::path::Path, link: &std::path::Path) -> bool {
    let Ok(behind) = link.canonicalize() else { return false };
    dir.ancestors().any(|above| above.canonicalize().is_ok_and(|above| above == behind))
}

/// The entries of a directory in the order of their keys. A directory that does not exist has none; what vanishes
/// meanwhile is left out, and so are names that are not UTF-8, which no key can express.
fn entries(prefix: &str, dir: &std::path::Path) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    let listing = match std::fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(e)
            if matches!(
                e.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(found);
        }
        Err(e) => return Err(io_error("list", dir, e)),
    };
    for entry in listing {
        let entry = entry.map_err(|e| io_error("list", dir, e))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            tracing::warn!(file = %entry.path().display(), "left out: its name is not UTF-8, as keys are");
            continue;
        };
        if is_staged(name) {
            if is_staged_write(name) {
                remove_if_stale(&entry.path());
            }
            continue;
        }
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        let metadata = match () {
            () if kind.is_dir() => None,
            // Pipes, sockets and devices have no content of a length, and to open some waits for another process.
            () if !kind.is_file() && !kind.is_symlink() => continue,
            () if kind.is_symlink() => match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() && leads_up(dir, &path) => continue,
                Ok(metadata) if metadata.is_dir() => match is_loop(dir, &path) {
                    true => continue,
                    false => None,
                },
                Ok(metadata) if metadata.is_file() => Some(metadata),
                _ => continue,
            },
            () => match entry.metadata() {
                Ok(metadata) => Some(metadata),
                Err(_) => continue,
            },
        };
        let key = format!("{prefix}{name}");
        let Ok(location) = Path::parse(&key) else {
            tracing::warn!(file = ?path, "left out: its name has control characters, which keys do not have");
            continue;
        };
        found.push(match metadata {
            Some(metadata) => Entry { key, path, meta: Some(object_meta(location, &metadata)) },
            None => Entry { key: key + "/", path, meta: None },
        });
    }
    found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}
