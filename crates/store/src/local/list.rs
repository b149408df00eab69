//! Listing: a walk in the order of the keys.

use std::path::PathBuf;
use std::vec::IntoIter;

use object_store::path::Path;
use object_store::{ListResult, Result};

use super::Root;
use super::paths::{io_error, is_staged, is_staged_write};
use super::read::{modified, object_meta};
use super::write::remove_if_stale;
use crate::listing::{self, OddKey, OddKeys, Oddity};

/// One entry of a directory, with its key; directories carry a slash at the end, so that entries sort as keys do:
/// `a.b` comes before what is in `a/`, `a0` after it.
struct Entry {
    key: String,
    path: PathBuf,
    /// Whether no path can hold the key, or it stands for a name that is not UTF-8.
    is_odd: bool,
    /// None of a directory.
    object: Option<listing::Entry>,
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
        let start = directory(prefix, dir);
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
        let mut odd = OddKeys::default();
        for entry in entries(&directory(prefix, self.dir_path(prefix)))? {
            match entry.object {
                Some(Ok(meta)) => result.objects.push(meta),
                Some(Err(object)) if is_broken_link(&object) => {}
                Some(Err(object)) if object.oddity == Oddity::Unreadable => {
                    return Err(not_ours(&entry.path, &object));
                }
                Some(Err(object)) => odd.objects.push((result.objects.len(), *object)),
                None if holds_files(&entry) => match entry.is_odd {
                    true => odd.prefixes.push(entry.key),
                    false => result.common_prefixes.extend(Path::parse(&entry.key)),
                },
                None => {}
            }
        }
        if !odd.is_empty() {
            drop(result.extensions.insert(odd));
        }
        Ok(result)
    }
}

/// Whether a directory has an object anywhere below: stores have no empty directories.
fn holds_files(entry: &Entry) -> bool {
    let mut walk = Walk { levels: Vec::new(), after: None, failed: None };
    walk.descend(entry);
    walk.any(|item| !matches!(item, Ok(Err(odd)) if is_broken_link(&odd)))
}

/// The error that a listing ends with that cannot go on beside such an entry.
pub(super) fn not_ours(path: &std::path::Path, odd: &OddKey) -> object_store::Error {
    let path = path.display().to_string();
    object_store::Error::PermissionDenied { path, source: odd.detail().into() }
}

/// The entry for what we may not look at.
fn unreadable(key: String, path: PathBuf) -> Entry {
    let mut odd = OddKey::new(key.clone(), 0);
    odd.oddity = Oddity::Unreadable;
    Entry { key, path, is_odd: false, object: Some(Err(Box::new(odd))) }
}

fn is_broken_link(odd: &OddKey) -> bool {
    odd.oddity == Oddity::BrokenLink
}

fn directory(prefix: &Path, path: PathBuf) -> Entry {
    let key = match prefix.as_ref() {
        "" => String::new(),
        key => format!("{key}/"),
    };
    Entry { key, path, is_odd: false, object: None }
}

impl Walk {
    fn descend(&mut self, dir: &Entry) {
        match entries(dir) {
            Ok(entries) => self.levels.push(entries.into_iter()),
            Err(object_store::Error::PermissionDenied { .. }) if !dir.key.is_empty() => {
                let key = dir.key.trim_end_matches('/').to_owned();
                self.levels.push(vec![unreadable(key, dir.path.clone())].into_iter());
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// Whether all keys that start with `dir` (which ends with a slash) come before the start of the listing.
    fn is_before(&self, dir: &str) -> bool {
        self.after.as_deref().is_some_and(|after| dir < after && !after.starts_with(dir))
    }
}

impl Iterator for Walk {
    type Item = Result<listing::Entry>;

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
            match entry.object {
                Some(_)
                    if self.after.as_deref().is_some_and(|after| entry.key.as_str() <= after) => {}
                Some(object) => return Some(Ok(object)),
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
/// meanwhile is left out. Names that no path can hold are odd keys, in which what is not UTF-8 is replaced, and so are links
/// that lead nowhere.
fn entries(of: &Entry) -> Result<Vec<Entry>> {
    let dir = &of.path;
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
        let is_text = name.to_str().is_some();
        let name = name.to_string_lossy();
        if is_staged(&name) {
            if is_staged_write(&name) {
                remove_if_stale(&entry.path());
            }
            continue;
        }
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        let mut is_broken = false;
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
                Ok(_) => continue,
                // The link itself, unless it has vanished.
                Err(_) => {
                    is_broken = true;
                    let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
                    Some(metadata)
                }
            },
            () => match entry.metadata() {
                Ok(metadata) => Some(metadata),
                Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                    found.push(unreadable(format!("{}{name}", of.key), path));
                    continue;
                }
                Err(_) => continue,
            },
        };
        let key = format!("{}{name}", of.key);
        let is_odd = of.is_odd || !is_text || OddKey::is_odd(&key);
        found.push(match metadata {
            Some(metadata) => {
                let object = match Path::parse(&key).ok().filter(|_| !is_odd && !is_broken) {
                    Some(location) => Ok(object_meta(location, &metadata)),
                    None => {
                        let size = if is_broken { 0 } else { metadata.len() };
                        let mut odd = OddKey::new(key.clone(), size);
                        odd.last_modified = modified(&metadata);
                        if is_broken {
                            odd.oddity = Oddity::BrokenLink;
                        }
                        Err(Box::new(odd))
                    }
                };
                Entry { key, path, is_odd, object: Some(object) }
            }
            None => Entry { key: key + "/", path, is_odd, object: None },
        });
    }
    found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}
