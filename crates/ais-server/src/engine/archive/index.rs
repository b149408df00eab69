//! Where the members of archives are, remembered for the archives that are read often.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use holdall_archive::{Format, Reader};

use crate::{
    engine::{Bucket, Content},
    error::Result,
    storage::{BlobId, ObjectMeta},
};

/// How many members are remembered, of all archives together: some 100 bytes each.
const MEMBERS: usize = 1_000_000;
/// Archives that were read once; the second time they are indexed.
const SEEN: usize = 4096;

/// Where a member is, and its size. No place: it has to be looked for.
pub(super) type Place = (Option<u64>, u64);

/// The members of an archive by their names, without a leading `/`.
pub(super) type Index = HashMap<Box<str>, Place>;

/// Content, and the format it is read as.
type Key = (BlobId, Format);

/// The indices of archives. Content never changes, so an index is never out of date.
#[derive(Default)]
pub(super) struct Shards(Mutex<Known>);

#[derive(Default)]
struct Known {
    seen: VecDeque<Key>,
    /// The least recently used first.
    indices: VecDeque<(Key, Arc<Index>)>,
    members: usize,
}

impl Shards {
    /// The index of an archive, which is made when it is asked for the second time, or at once if `eager`. None when
    /// members of this format cannot be reached directly, or there are too many. Blocks.
    ///
    /// # Errors
    ///
    /// When it is no archive.
    pub(super) fn index(
        &self,
        (bucket, name): (&Bucket, &str),
        meta: &ObjectMeta,
        content: &Content,
        format: Format,
        eager: bool,
    ) -> Result<Option<Arc<Index>>> {
        let Some(chunk) = meta.content.first().filter(|_| format.is_seekable()) else {
            return Ok(None);
        };
        let key = (chunk.blob, format);
        if let Some(index) = self.known(key, eager) {
            return Ok(index);
        }
        let index = build(content, format)
            .map_err(|error| super::archive_error(bucket, name, error))?
            .map(Arc::new);
        if let Some(index) = &index {
            self.remember(key, Arc::clone(index));
        }
        Ok(index)
    }

    /// The index; or that there is none yet and none is to be made; or nothing, when one is to be made.
    fn known(&self, key: Key, eager: bool) -> Option<Option<Arc<Index>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = known.indices.iter().position(|(other, _)| *other == key) {
            let entry = known.indices.remove(at)?;
            let index = Arc::clone(&entry.1);
            known.indices.push_back(entry);
            return Some(Some(index));
        }
        if eager || known.seen.contains(&key) {
            return None;
        }
        if known.seen.len() == SEEN {
            known.seen.pop_front();
        }
        known.seen.push_back(key);
        Some(None)
    }

    fn remember(&self, key: Key, index: Arc<Index>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.indices.iter().any(|(other, _)| *other == key) {
            return;
        }
        known.members += index.len();
        known.indices.push_back((key, index));
        while known.members > MEMBERS
            && let Some((_, old)) = known.indices.pop_front()
        {
            known.members -= old.len();
        }
    }
}

/// None when there are too many members.
fn build(content: &Content, format: Format) -> holdall_archive::Result<Option<Index>> {
    let mut reader = Reader::open(Arc::new(content.clone()), format)?;
    let mut index = Index::new();
    while let Some(member) = reader.next_file()? {
        if index.len() == MEMBERS {
            return Ok(None);
        }
        let name = member.name.strip_prefix('/').unwrap_or(&member.name);
        // The first of a name counts.
        index.entry(name.into()).or_insert((member.offset, member.size));
    }
    Ok(Some(index))
}
