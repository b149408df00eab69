//! Listing a flat key space with many requests at once.
//!
//! A page of a listing names the next one, so a plain listing waits for its pages one after the other. A service that
//! starts a page after any key ([`Provider::lists_from_any_key`](crate::Provider::lists_from_any_key)) can be asked for
//! several parts of the key space at once; what is not known is where the keys are. So the listing begins as a plain one,
//! over one *span* (the keys after one bound and up to another), and cuts spans while it goes:
//!
//! * Between the last key seen and the end of a span, a few *cuts* are guessed from the characters seen so far
//!   ([`cut`]), and a page is asked for after each. A page that comes back with keys begins a span of its own, so it is
//!   not wasted; one that comes back empty proves that the rest of its span is, and moves the end of the span down.
//! * Spans near the consumer are cut and read first. Those far away wait with what they have once the buffer is full:
//!   memory is bounded by [`ParallelOptions::buffered_keys`], whatever the number of keys.
//! * More cuts are tried the more pages have come, so that a short listing costs hardly more requests than a plain one.
//!
//! **What is checked.** Keys rise strictly, within a page, from page to page and from span to span; each has the prefix;
//! a token never names itself as the next one; the bounds of neighbouring spans are one and the same key; and where a
//! service says that the listing ends although later keys are known, it is asked again. A violation is
//! [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt): no key is left out or given twice in silence.

mod alphabet;
mod cut;
mod driver;
mod odd;
mod page;
mod rising;
mod span;

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

pub use self::odd::{Entry, OddKey, OddKeys, OddVersion, Oddity};
pub(crate) use self::odd::{entries, key_of};
pub(crate) use self::page::page;
use crate::error::{Error, Result};
use crate::ops::{ListOptions, directory};
use crate::store::Store;

/// How many requests a listing may make at once, and in which order it gives the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParallelOptions {
    /// Requests in flight at most. Default 32; 1 lists page by page.
    pub workers: usize,
    /// Whether keys come in the order of their bytes. Otherwise they come as pages arrive, and nothing is kept back.
    /// Default true.
    pub sorted: bool,
    /// Whether a service whose first page is out of order is listed page by page in its own order, rather than being an
    /// error; without `sorted` it always is. Default false.
    pub own_order: bool,
    /// Keys that wait for the consumer at most; some 250 bytes each. Default 150,000.
    pub buffered_keys: usize,
}

impl Default for ParallelOptions {
    fn default() -> Self {
        Self { workers: 32, sorted: true, own_order: false, buffered_keys: 150_000 }
    }
}

impl ParallelOptions {
    /// Sets [`workers`](Self::workers).
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets [`sorted`](Self::sorted).
    #[must_use]
    pub fn with_sorted(mut self, sorted: bool) -> Self {
        self.sorted = sorted;
        self
    }

    /// Sets [`own_order`](Self::own_order).
    #[must_use]
    pub fn with_own_order(mut self, own_order: bool) -> Self {
        self.own_order = own_order;
        self
    }

    /// Sets [`buffered_keys`](Self::buffered_keys).
    #[must_use]
    pub fn with_buffered_keys(mut self, keys: usize) -> Self {
        self.buffered_keys = keys;
        self
    }
}

impl Store {
    /// Lists like [`list_with`](Self::list_with), with many requests at once where the service can start a listing at any
    /// key (S3 and Google Cloud Storage); elsewhere the next page is asked for while the present one is consumed.
    ///
    /// Requests run on the runtime of the task that polls the stream, ahead of the consumer, and end with the stream.
    /// Keys that are written or deleted meanwhile may or may not be seen; all others are, once.
    ///
    /// # Errors
    /// Those of the requests, and [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) when pages of the service contradict
    /// each other. An object whose key no path can hold is an [`Error::odd_key`](crate::Error::odd_key), after which
    /// the listing goes on.
    pub fn list_parallel(
        &self,
        options: ListOptions,
        how: ParallelOptions,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        if how.workers <= 1 || !self.provider().lists_from_any_key() {
            return self.list_with(options);
        }
        let ListOptions { prefix, start_after, end_before, max_items } = options;
        let root = self.prefix().as_ref();
        let below = |key: &str| match root.is_empty() {
            true => key.to_owned(),
            false => format!("{root}/{key}"),
        };
        let target = Path::parse(&prefix).unwrap_or_default();
        let (after, end) = (start_after.as_deref().map(below), end_before.as_deref().map(below));
        let space = driver::Space { prefix: below(&prefix), after, until: end };
        let store = self.clone();
        // Nothing is asked before the first poll.
        let pages = stream::once(async move {
            let error = store.clone();
            let pages = Pages::start(store, space, how);
            pages.map_err(move |e| error.error("list", &target, e))
        })
        .flatten();
        let store = self.clone();
        let listing = pages.map_ok(move |page| store.clone().listed(page)).try_flatten().filter(
            move |item| {
                let wanted = key_of(item).is_none_or(|key| {
                    key.starts_with(&prefix)
                        && start_after.as_deref().is_none_or(|after| key > after)
                        && end_before.as_deref().is_none_or(|end| key < end)
                });
                futures::future::ready(wanted)
            },
        );
        match max_items {
            Some(most) => listing.take(most).boxed(),
            None => listing.boxed(),
        }
    }

    /// A page as items of a listing of this store.
    pub(crate) fn listed(
        self,
        page: Vec<Entry>,
    ) -> impl Stream<Item = Result<ObjectMeta>> + Send + 'static {
        stream::iter(page.into_iter().map(move |entry| self.item(entry)))
    }

    /// An entry as an item of a listing of this store.
    pub(crate) fn item(&self, entry: Entry) -> Result<ObjectMeta> {
        match entry {
            Ok(meta) => Ok(self.relative_meta(meta)),
            Err(odd) => Err(self.odd_key(odd)),
        }
    }

    /// What a copy of everything in this store has to deal with: the objects, in the order of their keys where the service has that
    /// order, without the markers of directories; and in local directories symbolic links that lead nowhere, which listings leave
    /// out, and directories that we may not look into, at which listings end. Each of these is an [`Error::odd_key`](crate::Error::odd_key), after which this one goes on.
    pub fn sources(&self, how: ParallelOptions) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.provider().scheme() {
            "file" => self.all_entries(None, None),
            _ => self.objects_without_markers(how),
        }
    }

    /// All objects but the markers of directories, which hold nothing: whoever makes one store like another leaves them alone.
    pub(crate) fn objects_without_markers(
        &self,
        how: ParallelOptions,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let is_marker = |item: &Result<ObjectMeta>| {
            item.as_ref().err().and_then(Error::odd_key).is_some_and(OddKey::is_marker)
        };
        let listing = self.objects_parallel(None, how);
        listing.filter(move |item| std::future::ready(!is_marker(item))).boxed()
    }

    /// All objects below `prefix` (whole segments), listed with many requests at once where the service allows it;
    /// otherwise what [`objects`](Self::objects) gives.
    pub fn objects_parallel(
        &self,
        prefix: Option<&Path>,
        how: ParallelOptions,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        if how.workers <= 1 || !self.provider().lists_from_any_key() {
            return self.objects(prefix);
        }
        let prefix = prefix.map(directory).unwrap_or_default();
        self.list_parallel(ListOptions::default().with_prefix(prefix), how)
    }
}

/// One page, or the failure that ends the listing.
type Page = object_store::Result<Vec<Entry>>;

/// The pages of a driver, which ends with this stream.
struct Pages {
    pages: mpsc::Receiver<Page>,
    driver: JoinHandle<()>,
    ended: bool,
}

impl Pages {
    fn start(store: Store, space: driver::Space, how: ParallelOptions) -> Self {
        // One page waits while another is consumed; everything else waits in the driver, where it is counted.
        let (sender, pages) = mpsc::channel(1);
        let driver = driver::Driver::new(store.provider().clone(), space, how);
        Self { pages, driver: tokio::spawn(driver.run(sender)), ended: false }
    }
}

impl Stream for Pages {
    type Item = Page;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Page>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match self.pages.poll_recv(cx) {
            Poll::Ready(Some(page)) => {
                self.ended = page.is_err();
                Poll::Ready(Some(page))
            }
            Poll::Pending => Poll::Pending,
            // A driver that was stopped in the middle has not listed everything.
            Poll::Ready(None) => match Pin::new(&mut self.driver).poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(outcome) => {
                    self.ended = true;
                    Poll::Ready(outcome.err().map(|e: JoinError| Err(e.into())))
                }
            },
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
