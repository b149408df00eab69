//! Listing by substring prefix and key range.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListResult};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use tokio::task::{JoinError, JoinHandle};

use crate::error::Result;
use crate::listing::page;
use crate::store::Store;

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

impl Store {
    /// Lists by substring prefix and key range. The service does the work where it can; elsewhere the nearest
    /// directory is listed and filtered. Sorted by key, except on HTTP servers.
    pub fn list_with(&self, options: ListOptions) -> BoxStream<'static, Result<ObjectMeta>> {
        let ListOptions { prefix, start_after, end_before, max_items } = options;
        let store = self.clone();
        let target = Path::parse(&prefix).unwrap_or_default();
        let keys = match self.provider().paginated() {
            Some(_) => self.list_pages(prefix.clone(), start_after.clone()),
            None => self.list_nearest(&prefix, start_after.as_deref()),
        };
        let listing =
            keys.map_err(move |e| store.error("list", &target, e)).try_filter(move |meta| {
                let key = meta.location.as_ref();
                let wanted = key.starts_with(&prefix)
                    && start_after.as_deref().is_none_or(|after| key > after);
                futures::future::ready(wanted)
            });
        let sorted = self.provider().scheme() != "http";
        let before = end_before.clone();
        let listing = listing.take_while(move |meta| {
            // Sorted listings end at the bound; others go on, and are filtered below.
            let goes_on = match (meta, &before) {
                (Ok(meta), Some(end)) if sorted => meta.location.as_ref() < end.as_str(),
                _ => true,
            };
            futures::future::ready(goes_on)
        });
        let listing = listing.try_filter(move |meta| {
            let wanted = end_before.as_deref().is_none_or(|end| meta.location.as_ref() < end);
            futures::future::ready(wanted)
        });
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
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let dir = prefix.rsplit_once('/').map(|(dir, _)| Path::parse(dir));
        let dir = match dir {
            Some(Ok(dir)) if !dir.as_ref().is_empty() => Some(dir),
            _ => None,
        };
        match start_after.map(Path::parse) {
            Some(Ok(after)) => self.list_with_offset(dir.as_ref(), &after),
            _ => self.list(dir.as_ref()),
        }
    }

    /// Lists page by page with the service's own prefix. Of services that are waited for, the next page is asked for
    /// while the caller has the present one.
    fn list_pages(
        &self,
        prefix: String,
        start_after: Option<String>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let root = self.prefix().to_string();
        let below = |key: &str| match root.is_empty() {
            true => key.to_owned(),
            false => format!("{root}/{key}"),
        };
        let (prefix, offset) = (below(&prefix), start_after.as_deref().map(below));
        let pages = Pages { store: self.clone(), prefix, offset };
        let stream = stream::try_unfold(Next::Ask(None), move |next| {
            let pages = pages.clone();
            async move {
                let page = match next {
                    Next::Ask(token) => pages.fetch(token).await?,
                    Next::Coming(task) => task.await??,
                    Next::End => return Ok(None),
                };
                let next = match page.page_token {
                    None => Next::End,
                    Some(token) if pages.store.is_embedded() => Next::Ask(Some(token)),
                    Some(token) => {
                        let fetch = async move { pages.fetch(Some(token)).await };
                        Next::Coming(Task(tokio::spawn(fetch)))
                    }
                };
                Ok::<_, object_store::Error>(Some((page.result.objects, next)))
            }
        });
        let store = self.clone();
        stream
            .map_ok(|page| stream::iter(page.into_iter().map(Ok)))
            .try_flatten()
            .map_ok(move |meta| store.relative_meta(meta))
            .boxed()
    }
}

/// What comes after a page.
enum Next {
    Ask(Option<String>),
    /// The page is on its way.
    Coming(Task<object_store::Result<PaginatedListResult>>),
    End,
}

/// A task that ends with its handle.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = std::result::Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
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
