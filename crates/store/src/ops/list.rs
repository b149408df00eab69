//! Listing by substring prefix and key range.

use futures::future::ready;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListResult};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::error::{Error, ErrorKind, Result};
use crate::listing::{OddKey, OddKeys, Oddity, entries, key_of, page};
use crate::store::Store;
use crate::task::Task;

/// Which keys a listing has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Keys start with this text, which may end inside a segment: `2024-0` finds `2024-01/a`.
    pub prefix: String,
    /// Keys follow this one, which need not exist.
    pub start_after: Option<String>,
    /// Keys come before this one, which need not exist.
    pub end_before: Option<String>,
    /// At most this many.
    pub max_items: Option<usize>,
}

impl ListOptions {
    /// Sets [`prefix`](Self::prefix).
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets [`start_after`](Self::start_after).
    #[must_use]
    pub fn with_start_after(mut self, key: impl Into<String>) -> Self {
        self.start_after = Some(key.into());
        self
    }

    /// Sets [`end_before`](Self::end_before).
    #[must_use]
    pub fn with_end_before(mut self, key: impl Into<String>) -> Self {
        self.end_before = Some(key.into());
        self
    }

    /// Sets [`max_items`](Self::max_items).
    #[must_use]
    pub fn with_max_items(mut self, max_items: usize) -> Self {
        self.max_items = Some(max_items);
        self
    }
}

/// What a plain listing makes of an entry.
enum Shown {
    Item(Result<ObjectMeta>),
    Nothing,
    /// An error before it has ended the listing.
    End,
}

/// One level of a store: the objects directly below a prefix, and the prefixes of those further down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Level {
    /// The prefixes, sorted.
    pub common_prefixes: Vec<Path>,
    /// The objects, sorted.
    pub objects: Vec<ObjectMeta>,
    /// The prefixes that no path can hold, without the slash at their end.
    pub odd_prefixes: Vec<String>,
    /// The objects whose keys no path can hold.
    pub odd: Vec<OddKey>,
}

impl Level {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.common_prefixes.is_empty()
            && self.objects.is_empty()
            && self.odd_prefixes.is_empty()
            && self.odd.is_empty()
    }
}

impl Store {
    /// Lists one level below `prefix` (whole segments). As
    /// [`list_with_delimiter`](object_store::ObjectStore::list_with_delimiter), which fails where a key is one that no path can
    /// hold.
    pub async fn list_level(&self, prefix: Option<&Path>) -> Result<Level> {
        let target = prefix.cloned().unwrap_or_default();
        let mut level = Level::default();
        if self.provider().paginated().is_none() || self.is_embedded() {
            let listed = self.list_with_delimiter(prefix).await;
            let mut listed = listed.map_err(|e| self.error("list", &target, e))?;
            self.add_odd(&mut level, OddKeys::of(&mut listed));
            (level.common_prefixes, level.objects) = (listed.common_prefixes, listed.objects);
            return Ok(level);
        }
        let full = directory(&self.full_path(&target));
        let mut options =
            PaginatedListOptions { delimiter: Some("/".into()), ..Default::default() };
        loop {
            let page = page(&**self.provider(), &full, options.clone()).await;
            let mut page = page.map_err(|e| self.error("list", &target, e))?;
            let odd = OddKeys::of(&mut page.result);
            let prefixes = page.result.common_prefixes.into_iter();
            level.common_prefixes.extend(prefixes.map(|full| self.relative_path(full)));
            let objects = page.result.objects.into_iter();
            level.objects.extend(objects.map(|meta| self.relative_meta(meta)));
            self.add_odd(&mut level, odd);
            match page.page_token {
                Some(token) if options.page_token.as_ref() == Some(&token) => {
                    return Err(self.error("list", &target, leads_to_itself()));
                }
                Some(token) => options.page_token = Some(token),
                None => break,
            }
        }
        level.objects.sort_by(|a, b| a.location.cmp(&b.location));
        level.common_prefixes.sort();
        // Pages may repeat the prefix that the page before ended with.
        level.common_prefixes.dedup();
        Ok(level)
    }

    fn add_odd(&self, level: &mut Level, odd: OddKeys) {
        level.odd_prefixes.extend(odd.prefixes.iter().map(|full| {
            let prefix = self.relative_key(full);
            prefix.strip_suffix('/').unwrap_or(prefix).to_owned()
        }));
        level.odd.extend(
            odd.objects
                .into_iter()
                .map(|(_, odd)| OddKey { key: self.relative_key(&odd.key).to_owned(), ..odd }),
        );
    }

    /// Lists by substring prefix and key range. The service does the work where it can; elsewhere the nearest
    /// directory is listed and filtered. Sorted by key, except on HTTP servers.
    ///
    /// # Errors
    /// Those of the requests. An object whose key no path can hold is an [`Error::odd_key`], after which
    /// the listing goes on.
    pub fn list_with(&self, options: ListOptions) -> BoxStream<'static, Result<ObjectMeta>> {
        let ListOptions { prefix, start_after, end_before, max_items } = options;
        let listing = match self.provider().paginated() {
            Some(_) => self.list_pages(prefix.clone(), start_after.clone(), true),
            None => self.list_nearest(&prefix, start_after.as_deref()),
        };
        let listing = listing.filter(move |item| {
            let wanted = key_of(item).is_none_or(|key| {
                key.starts_with(&prefix) && start_after.as_deref().is_none_or(|after| key > after)
            });
            futures::future::ready(wanted)
        });
        let sorted = self.provider().scheme() != "http";
        let before = end_before.clone();
        let is_before = |item: &Result<ObjectMeta>, end: Option<&str>| {
            end.is_none_or(|end| key_of(item).is_none_or(|key| key < end))
        };
        let listing = listing.take_while(move |item| {
            // Sorted listings end at the bound; others go on, and are filtered below.
            futures::future::ready(!sorted || is_before(item, before.as_deref()))
        });
        let listing = listing
            .filter(move |item| futures::future::ready(is_before(item, end_before.as_deref())));
        match max_items {
            Some(most) => listing.take(most).boxed(),
            None => listing.boxed(),
        }
    }

    /// Lists the directory that holds all keys with the prefix.
    fn list_nearest(
        &self,
        prefix: &str,
        start_after: Option<&str>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let dir = prefix.rsplit_once('/').map(|(dir, _)| Path::parse(dir));
        let dir = match dir {
            Some(Ok(dir)) if !dir.as_ref().is_empty() => Some(dir),
            _ => None,
        };
        let after = start_after.and_then(|after| Path::parse(after).ok());
        self.entries(dir.as_ref(), after.as_ref())
    }

    /// What a store without pages lists below a prefix, after a key.
    pub(super) fn entries(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let mut ended = false;
        let entries = self.all_entries(prefix, after).map(move |item| {
            let odd = item.as_ref().err().and_then(Error::odd_key).map(|odd| odd.oddity);
            match (ended, odd) {
                (true, _) => Shown::End,
                (_, Some(Oddity::BrokenLink)) => Shown::Nothing,
                (_, Some(Oddity::Unreadable)) => {
                    ended = true;
                    Shown::Item(item.map_err(Error::ending))
                }
                _ => Shown::Item(item),
            }
        });
        let entries = entries.take_while(|shown| ready(!matches!(shown, Shown::End)));
        let items = entries.filter_map(|shown| match shown {
            Shown::Item(item) => ready(Some(item)),
            Shown::Nothing | Shown::End => ready(None),
        });
        items.boxed()
    }

    /// The same with links that lead nowhere; it goes on beside directories that we may not look into.
    pub(crate) fn all_entries(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let target = prefix.cloned().unwrap_or_default();
        let full = self.full_prefix(prefix);
        let after = after.map(|after| self.full_path(after));
        let store = self.clone();
        let entries = self.provider().entries(full.as_ref(), after.as_ref());
        let listing = entries.map(move |entry| match entry {
            Ok(entry) => store.item(entry),
            Err(error) => Err(store.error("list", &target, error)),
        });
        listing.boxed()
    }

    /// Lists page by page with the service's own prefix; when it looks `ahead`, the next page of a service that is waited for
    /// is asked for while the caller has the present one.
    pub(super) fn list_pages(
        &self,
        prefix: String,
        start_after: Option<String>,
        ahead: bool,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let target = Path::parse(&prefix).unwrap_or_default();
        let root = self.prefix().to_string();
        let below = |key: &str| match root.is_empty() {
            true => key.to_owned(),
            false => format!("{root}/{key}"),
        };
        let (prefix, offset) = (below(&prefix), start_after.as_deref().map(below));
        let pages = Pages { store: self.clone(), prefix, offset };
        let start = (None::<String>, Next::Ask(None));
        let stream = stream::try_unfold(start, move |(asked, next)| {
            let pages = pages.clone();
            async move {
                let mut page = match next {
                    Next::Ask(token) => pages.fetch(token).await?,
                    Next::Coming(task) => task.await??,
                    Next::End => return Ok(None),
                };
                let entries = entries(&mut page);
                let following = page.page_token.clone();
                let next = match page.page_token {
                    None => Next::End,
                    Some(token) if asked.as_ref() == Some(&token) => return Err(leads_to_itself()),
                    Some(token) if !ahead || pages.store.is_embedded() => Next::Ask(Some(token)),
                    Some(token) => {
                        let fetch = async move { pages.fetch(Some(token)).await };
                        Next::Coming(Task::spawn(fetch))
                    }
                };
                Ok::<_, object_store::Error>(Some((entries, (following, next))))
            }
        });
        let store = self.clone();
        let error = self.clone();
        stream
            .map_err(move |e| error.error("list", &target, e))
            .map_ok(move |page| store.clone().listed(page))
            .try_flatten()
            .boxed()
    }
}

/// The prefix of everything in a directory.
pub(crate) fn directory(path: &Path) -> String {
    match path.as_ref() {
        "" => String::new(),
        path => format!("{path}/"),
    }
}

/// The error of a listing that would not end.
pub(crate) fn leads_to_itself() -> object_store::Error {
    let detail = "a page names itself as the next page";
    Error::new(ErrorKind::Corrupt, "list", "", detail).into()
}

/// What comes after a page.
enum Next {
    Ask(Option<String>),
    /// The page is on its way.
    Coming(Task<object_store::Result<PaginatedListResult>>),
    End,
}

/// What all pages of a listing have in common.
#[derive(Clone)]
struct Pages {
    store: Store,
    prefix: String,
    offset: Option<String>,
}

impl Pages {
    async fn fetch(&self, page_token: Option<String>) -> object_store::Result<PaginatedListResult> {
        let options = PaginatedListOptions {
            offset: self.offset.clone().filter(|_| page_token.is_none()),
            page_token,
            ..Default::default()
        };
        page(&**self.store.provider(), &self.prefix, options).await
    }
}
