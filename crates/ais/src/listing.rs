//! Listing objects.

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use holdall_ais_wire::action::names;
use holdall_ais_wire::list::{Entry, JsonPage, LsoMsg, Page, flag};
use holdall_ais_wire::{Bck, header};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, Method};

use crate::bucket::Bucket;
use crate::error::{ErrorKind, Result};

/// What to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Prefix, properties, page size, flags, where to begin.
    pub message: LsoMsg,
    /// Inventory to list from.
    pub inventory: String,
}

impl ListRequest {
    /// Names with this prefix, with the properties that are wanted, comma separated.
    pub fn new(prefix: impl Into<String>, props: impl Into<String>) -> Self {
        let message = LsoMsg { prefix: prefix.into(), props: props.into(), ..LsoMsg::default() };
        Self { message, inventory: String::new() }
    }

    /// Adds bits of [`flag`].
    #[must_use]
    pub fn with_flags(mut self, flags: u64) -> Self {
        self.message.flags |= flags;
        self
    }

    /// Sets the most names in a page; 0 for the server's default.
    #[must_use]
    pub fn with_page_size(mut self, names: usize) -> Self {
        self.message.pagesize = i64::try_from(names).unwrap_or(i64::MAX);
        self
    }

    /// Begins after this name. Buckets of clouds cannot.
    #[must_use]
    pub fn with_start_after(mut self, name: impl Into<String>) -> Self {
        self.message.start_after = name.into();
        self
    }

    /// Lists from an inventory.
    #[must_use]
    pub fn with_inventory(mut self, name: impl Into<String>) -> Self {
        self.inventory = name.into();
        self.message.flags |= flag::NBI;
        self
    }
}

impl Bucket {
    /// One page. The next is asked for with the page's `uuid` and `continuation_token`.
    ///
    /// # Errors
    /// [`ErrorKind::BucketNotFound`]; [`ErrorKind::NotSupported`] for a start after a name in a cloud's bucket.
    pub async fn list_page(&self, request: &ListRequest) -> Result<Page> {
        let mut call = self
            .call("list", Method::GET)
            .action(names::LIST, &request.message)
            .header(ACCEPT, "application/msgpack")?;
        if !request.inventory.is_empty() {
            call = call.header(HeaderName::from_static(header::INV_NAME), &request.inventory)?;
        }
        if !request.message.start_after.is_empty() && self.bck.is_remote() {
            let detail = "buckets of clouds and other clusters cannot be listed from a name on";
            return Err(call.error(ErrorKind::NotSupported, detail));
        }
        let (headers, _, body) = self.client.transport.fetch(&call).await?;
        let wrong =
            |e: String| call.error(ErrorKind::Corrupt, format!("a page cannot be read: {e}"));
        if headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes() == b"application/msgpack") {
            return Page::from_msgpack(&body).map_err(|e| wrong(e.to_string()));
        }
        let page: JsonPage = serde_json::from_slice(&body).map_err(|e| wrong(e.to_string()))?;
        Ok(page.into())
    }

    /// All pages, one after the other.
    pub fn list_pages(&self, request: ListRequest) -> BoxStream<'static, Result<Page>> {
        let bucket = self.clone();
        stream::try_unfold(Some(request), move |request| {
            let bucket = bucket.clone();
            async move {
                let Some(mut request) = request else { return Ok(None) };
                let page = bucket.list_page(&request).await?;
                let next = (!page.continuation_token.is_empty()).then(|| {
                    request.message.uuid.clone_from(&page.uuid);
                    request.message.continuation_token.clone_from(&page.continuation_token);
                    request.message.start_after.clear();
                    request
                });
                Ok(Some((page, next)))
            }
        })
        .boxed()
    }

    /// All entries, in the order of their names' bytes.
    pub fn list(&self, request: ListRequest) -> BoxStream<'static, Result<Entry>> {
        self.list_pages(request)
            .map_ok(|page| stream::iter(page.entries.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    /// The members of an archive; with `include_archive`, the archive itself too.
    pub fn list_archive(
        &self,
        archive: &str,
        props: &str,
        include_archive: bool,
    ) -> BoxStream<'static, Result<Entry>> {
        let request = ListRequest::new(archive, props).with_flags(flag::ARCH_DIR);
        let own = archive.to_owned();
        self.list(request)
            .try_filter(move |entry| futures::future::ready(include_archive || entry.name != own))
            .boxed()
    }

    /// The URLs of all objects with the prefix.
    pub fn list_urls(&self, prefix: &str) -> BoxStream<'static, Result<String>> {
        let bucket = self.clone();
        let request = ListRequest::new(prefix, "name").with_flags(flag::NAME_ONLY);
        self.list(request).map_ok(move |entry| bucket.object(entry.name).url().into()).boxed()
    }
}

/// Whether listings of the bucket can begin after a name.
pub(crate) fn has_start_after(bck: &Bck) -> bool {
    !bck.is_remote()
}
