//! Listing a tree one directory at a time, for WebDAV servers that refuse to list it at once (`Depth: infinity` is
//! optional, RFC 4918, 9.1; nginx answers 403), and for servers that only show their directories to browsers.

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, Result};

use super::index::lacks_webdav;
use super::{HttpStore, ListsBy};

enum Entry {
    Object(ObjectMeta),
    Directory(Path),
}

impl Entry {
    /// What the entry sorts by: what is in a directory has its name and a slash.
    fn key(&self) -> String {
        match self {
            Self::Object(meta) => meta.location.to_string(),
            Self::Directory(path) => format!("{path}/"),
        }
    }
}

/// All objects below `prefix`: as the server lists them where it lists trees, directory by directory elsewhere.
pub(super) fn list(
    store: HttpStore,
    prefix: Option<Path>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let start = async move {
        let (below, of) = (prefix.clone().unwrap_or_default(), store.clone());
        let whole = store.inner.list(prefix.as_ref());
        let mut whole = whole.try_filter_map(move |mut meta| {
            let location = of.location_below(&below, &meta.location);
            let meta = location.map(|location| {
                meta.location = location;
                meta
            });
            futures::future::ok(meta)
        });
        match whole.next().await {
            Some(Err(error)) if lacks_webdav(&error) => Ok(walk(store, prefix)),
            Some(Err(error)) => Err(error),
            Some(Ok(first)) => Ok(stream::iter([Ok(first)]).chain(whole).boxed()),
            None => Ok(stream::empty().boxed()),
        }
    };
    stream::once(start).try_flatten().boxed()
}

/// The same, from behind `offset` on. The protocol has no such request, so all is listed.
pub(super) fn list_after(
    store: HttpStore,
    prefix: Option<Path>,
    offset: Path,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let after = move |meta: &ObjectMeta| futures::future::ready(meta.location > offset);
    list(store, prefix).try_filter(after).boxed()
}

fn walk(store: HttpStore, prefix: Option<Path>) -> BoxStream<'static, Result<ObjectMeta>> {
    let root = Entry::Directory(prefix.unwrap_or_default());
    stream::try_unfold(vec![root], move |mut pending| {
        let store = store.clone();
        async move {
            loop {
                match pending.pop() {
                    None => return Ok(None),
                    Some(Entry::Object(meta)) => return Ok(Some((meta, pending))),
                    Some(Entry::Directory(path)) => pending.extend(level(&store, &path).await?),
                }
            }
        }
    })
    .boxed()
}

impl HttpStore {
    /// Whether a directory that was named has gone away since, with those above it perhaps: one that is there names it no
    /// more. Else the server cannot read it. Pages for browsers may have links to what never was.
    async fn has_gone(&self, path: &Path) -> Result<bool> {
        if self.lists_by.get() != Some(&ListsBy::WebDav) {
            return Ok(true);
        }
        let mut gone = path.clone();
        loop {
            let mut parts: Vec<_> = gone.parts().collect();
            if parts.pop().is_none() {
                return Ok(false);
            }
            let above = Path::from_iter(parts);
            match self.find_level((!above.as_ref().is_empty()).then_some(&above)).await? {
                Some(level) => return Ok(!level.common_prefixes.contains(&gone)),
                None => gone = above,
            }
        }
    }
}

/// The entries of a directory, the last one first.
async fn level(store: &HttpStore, path: &Path) -> Result<Vec<Entry>> {
    let prefix = (!path.as_ref().is_empty()).then_some(path);
    let Some(level) = store.find_level(prefix).await? else {
        return match store.has_gone(path).await? {
            true => Ok(Vec::new()),
            false => Err(Error::NotFound {
                path: path.to_string(),
                source: "the server has named this directory, and does not find it".into(),
            }),
        };
    };
    let directories = level.common_prefixes.into_iter().map(Entry::Directory);
    let mut entries: Vec<Entry> =
        level.objects.into_iter().map(Entry::Object).chain(directories).collect();
    entries.sort_by_cached_key(|entry| std::cmp::Reverse(entry.key()));
    Ok(entries)
}
