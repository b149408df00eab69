//! Listing a bucket: pages in the order of names' bytes, one level or all, with the members of archives.

use std::sync::Arc;

use super::archive::is_archive;
use super::{Bucket, Engine, Work as _};
use crate::error::Result;
use crate::storage::ObjectMeta;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Literal prefix of names.
    pub prefix: String,
    /// Names after this one; empty for all.
    pub after: String,
    /// Most items.
    pub limit: usize,
    /// One level: what lies deeper is one item that ends with `/`.
    pub flat: bool,
    /// Members of archives follow them.
    pub archives: bool,
    /// Names only: what objects are is not looked at.
    pub names: bool,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An object; whether its members follow.
    Object {
        /// Its name.
        name: String,
        /// What it is; none where only names were asked for.
        meta: Option<Box<ObjectMeta>>,
        /// Whether it is an archive that was looked into.
        archive: bool,
    },
    /// A virtual directory, with its slash.
    Directory(String),
    /// A member of an archive, `archive/member`.
    Member {
        /// Its name, after that of the archive.
        name: String,
        /// Bytes.
        size: u64,
    },
}

impl Item {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Object { name, .. } | Self::Directory(name) | Self::Member { name, .. } => name,
        }
    }
}

/// Objects that are looked at in one go.
const BATCH: usize = 1024;

impl Engine {
    /// A page: up to `limit` items.
    ///
    /// # Errors
    ///
    /// Those of the store, and of archives that cannot be read.
    pub async fn list(self: &Arc<Self>, bucket: &Bucket, query: Query) -> Result<Vec<Item>> {
        let bucket = bucket.clone();
        self.blocking(move |engine| engine.list_blocking(&bucket, &query)).await
    }

    fn list_blocking(self: &Arc<Self>, bucket: &Bucket, query: &Query) -> Result<Vec<Item>> {
        let prefix = self.level(bucket, query)?;
        let mut items = Vec::with_capacity(query.limit.min(BATCH));
        if query.archives {
            self.inside(bucket, query, &mut items)?;
        }
        let read = |bytes: &[u8]| match query.names {
            true => Ok(None),
            false => ObjectMeta::decode(bytes).map(|meta| Some(Box::new(meta))),
        };
        let mut after = query.after.clone();
        while items.len() < query.limit {
            let batch = (query.limit - items.len()).min(BATCH);
            let meta = self.storage().meta();
            let rows = meta.scan_as(bucket.bid(), from(&after), &prefix, batch, read)?;
            let Some(last) = rows.last().map(|(name, _)| name.clone()) else { break };
            after = last;
            for (name, meta) in rows {
                if items.len() == query.limit {
                    break;
                }
                if query.flat
                    && let Some(end) = name[prefix.len()..].find('/')
                {
                    let directory = name[..=prefix.len() + end].to_owned();
                    // What lies in it is passed over in one step.
                    after = behind(&directory);
                    if directory > query.after {
                        items.push(Item::Directory(directory));
                    }
                    break;
                }
                self.push(bucket, query, name, meta, &mut items)?;
            }
        }
        Ok(items)
    }

    /// The prefix that one level is looked at under. Like AIStore's, a listing of one level whose prefix is the name
    /// of a directory is that directory's.
    fn level(&self, bucket: &Bucket, query: &Query) -> Result<String> {
        let prefix = &query.prefix;
        if !query.flat || prefix.is_empty() || prefix.ends_with('/') {
            return Ok(prefix.clone());
        }
        let inside = format!("{prefix}/");
        let any =
            self.storage().meta().scan(bucket.bid(), std::ops::Bound::Unbounded, &inside, 1)?;
        Ok(if any.is_empty() { prefix.clone() } else { inside })
    }

    fn push(
        &self,
        bucket: &Bucket,
        query: &Query,
        name: String,
        meta: Option<Box<ObjectMeta>>,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        if !query.archives || !is_archive(&name) {
            items.push(Item::Object { name, meta, archive: false });
            return Ok(());
        }
        items.push(Item::Object { name: name.clone(), meta, archive: true });
        self.members(bucket, &name, query, items)
    }

    /// The members of an archive that come after where the listing is, and have its prefix.
    fn members(
        &self,
        bucket: &Bucket,
        archive: &str,
        query: &Query,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        // An object that only looks like an archive has no members.
        let Ok(members) = super::archive::members(self, bucket, archive) else { return Ok(()) };
        for (member, size) in members {
            if items.len() == query.limit {
                break;
            }
            let name = format!("{archive}/{member}");
            if name.starts_with(&query.prefix) && name > query.after {
                items.push(Item::Member { name, size });
            }
        }
        Ok(())
    }

    /// The members of archives that the prefix, or the end of the page before, reaches into.
    fn inside(&self, bucket: &Bucket, query: &Query, items: &mut Vec<Item>) -> Result<()> {
        let point =
            if query.after.starts_with(&query.prefix) { &query.after } else { &query.prefix };
        // The page before may have ended with the archive itself.
        let ends = point.match_indices('/').map(|(slash, _)| slash).chain([point.len()]);
        for end in ends {
            let archive = &point[..end];
            let reached = is_archive(archive)
                && (query.after.starts_with(&query.prefix) || !archive.starts_with(&query.prefix));
            if reached && self.storage().meta().object(bucket.bid(), archive)?.is_some() {
                self.members(bucket, archive, query, items)?;
            }
        }
        Ok(())
    }
}

fn from(after: &str) -> std::ops::Bound<&str> {
    if after.is_empty() { std::ops::Bound::Unbounded } else { std::ops::Bound::Excluded(after) }
}

/// A text after all that begins with this directory, and before all else. No UTF-8 text has a character above.
fn behind(directory: &str) -> String {
    format!("{directory}{}", char::MAX)
}
