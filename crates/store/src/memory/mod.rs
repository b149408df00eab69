//! Objects in the memory of this process.
//!
//! Every future is ready at its first poll. Listing pages through the ordered map instead of copying it, so a listing
//! that runs beside writes sees each key at most once and may or may not see a key written meanwhile.

mod conditions;
mod multipart;
mod object_store_impl;
mod paging;

use std::any::Any;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::list::PaginatedListStore;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Attributes, CopyMode, Error, MultipartId, ObjectMeta, PutResult, Result};

use crate::provider::{Provider, Tags};

pub(crate) use conditions::check as check_conditions;
pub(crate) use object_store_impl::tags_of;
pub(crate) use paging::Pages;

/// A store in memory. Clones share their content; the content goes when the last clone does.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    /// What it is called in this process, if it is.
    name: String,
    /// Tells it from a store that had its place before.
    born: u64,
    objects: RwLock<BTreeMap<Key, Entry>>,
    uploads: RwLock<BTreeMap<String, multipart::Upload>>,
    next: AtomicU64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            name: String::new(),
            born: fastrand::u64(..),
            objects: RwLock::default(),
            uploads: RwLock::default(),
            next: AtomicU64::default(),
        }
    }
}

/// A key as the path it was parsed to, so that a listing need not parse it again, found by its text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key(Path);

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.0.as_ref()
    }
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_ref()
    }
}

#[derive(Clone)]
struct Entry {
    data: Bytes,
    last_modified: DateTime<Utc>,
    e_tag: u64,
    attributes: Attributes,
    tags: Tags,
}

impl Entry {
    fn meta(&self, location: Path) -> ObjectMeta {
        ObjectMeta {
            location,
            last_modified: self.last_modified,
            size: self.data.len() as u64,
            e_tag: Some(quoted(self.e_tag)),
            version: None,
        }
    }
}

/// Entity tags are quoted on the wire (RFC 9110, 8.8.3); stores in memory follow suit.
fn quoted(e_tag: u64) -> String {
    // By hand: listings make one for each key, and this takes a third of what `format!` does.
    let (mut digits, mut rest) = ([b'"'; 22], e_tag);
    let mut at = digits.len() - 1;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&digits[at - 1..]).into_owned()
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that is found by its name.
    pub(crate) fn named(name: String) -> Self {
        Self { shared: Arc::new(Shared { name, ..Shared::default() }) }
    }

    /// Whether the two are the same store.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Key, Entry>> {
        self.shared.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Key, Entry>> {
        self.shared.objects.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> u64 {
        self.shared.next.fetch_add(1, Ordering::Relaxed)
    }

    fn entry(&self, data: Bytes, attributes: Attributes, tags: Tags) -> Entry {
        Entry { data, last_modified: Utc::now(), e_tag: self.next(), attributes, tags }
    }

    fn find(&self, location: &Path) -> Result<Entry> {
        self.read().get(location.as_ref()).cloned().ok_or_else(|| missing(location))
    }
}

fn missing(location: &Path) -> Error {
    Error::NotFound { path: location.to_string(), source: "no object has this key".into() }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("objects", &self.read().len()).finish()
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory://")
    }
}

#[async_trait]
impl Provider for MemoryStore {
    fn scheme(&self) -> &'static str {
        "memory"
    }

    fn location(&self) -> String {
        format!("memory://{}", self.shared.name)
    }

    fn identity(&self) -> String {
        // Another process, or another store in this one, has other objects.
        let shared = Arc::as_ptr(&self.shared) as usize;
        format!("memory://{}/{shared:x}/{}", std::process::id(), self.shared.born)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn inline(&self) -> Option<Arc<dyn Provider>> {
        Some(Arc::new(self.clone()))
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(self)
    }

    async fn complete_new(
        &self,
        location: &Path,
        id: &MultipartId,
        _parts: &[PartId],
    ) -> Result<Option<PutResult>> {
        self.complete(location, id, CopyMode::Create).map(Some)
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(self)
    }

    async fn get_tags(&self, location: &Path) -> Result<Tags> {
        Ok(self.find(location)?.tags)
    }

    async fn put_tags(&self, location: &Path, tags: &Tags) -> Result<()> {
        let mut objects = self.write();
        let entry = objects.get_mut(location.as_ref()).ok_or_else(|| missing(location))?;
        entry.tags.clone_from(tags);
        Ok(())
    }

    async fn put_attributes(&self, location: &Path, attributes: Attributes) -> Result<()> {
        let e_tag = self.next();
        let mut objects = self.write();
        let entry = objects.get_mut(location.as_ref()).ok_or_else(|| missing(location))?;
        entry.attributes = attributes;
        entry.e_tag = e_tag;
        entry.last_modified = Utc::now();
        Ok(())
    }
}
