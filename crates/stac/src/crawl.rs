//! Items from catalogs, link by link.

use std::collections::{HashSet, VecDeque};
use std::fmt;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;

use crate::clients::Clients;
use crate::document::{Document, Kind, links};
use crate::error::{Error, ErrorKind, Result};
use crate::href;
use crate::io::absolute;
use crate::search::Pages;

/// Documents that are read ahead: a static catalog is many small files.
const AHEAD: usize = 16;

/// Every item below a catalog, collection, item collection or search page: children, items, collections of items with
/// their pages, level by level, in the order of the links. A document that several links lead to is read once.
pub struct Crawl {
    clients: Clients,
    seen: HashSet<String>,
    waiting: VecDeque<String>,
    reading: FuturesOrdered<BoxFuture<'static, Result<Document>>>,
    pages: Option<Pages>,
    items: VecDeque<Document>,
}

impl fmt::Debug for Crawl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crawl").field("seen", &self.seen.len()).finish_non_exhaustive()
    }
}

impl Crawl {
    /// The items below a document. No request is sent.
    pub fn new(clients: Clients, start: Document) -> Self {
        let mut reading = FuturesOrdered::new();
        reading.push_back(Box::pin(std::future::ready(Ok(start))) as BoxFuture<'static, _>);
        Self {
            clients,
            seen: HashSet::new(),
            waiting: VecDeque::new(),
            reading,
            pages: None,
            items: VecDeque::new(),
        }
    }

    /// The next item; `None` after the last.
    ///
    /// # Errors
    /// A document, or a page of items, that cannot be read; the next call goes on behind it, or behind the last page that could.
    pub async fn next(&mut self) -> Result<Option<Document>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some(item));
            }
            if let Some(pages) = &mut self.pages {
                match pages.next().await {
                    Ok(Some(page)) => self.take(&page)?,
                    Ok(None) => self.pages = None,
                    Err(error) => {
                        self.pages = None;
                        return Err(error);
                    }
                }
                continue;
            }
            while self.reading.len() < AHEAD
                && let Some(href) = self.waiting.pop_front()
            {
                let clients = self.clients.clone();
                let read = async move { clients.read_document(&href).await };
                self.reading.push_back(Box::pin(read));
            }
            let Some(document) = self.reading.next().await else { return Ok(None) };
            let document = document?;
            match document.kind() {
                Kind::Item => return Ok(Some(document)),
                Kind::ItemCollection => {
                    self.pages = Some(Pages::after(self.clients.clone(), &document));
                    self.take(&document)?;
                }
                Kind::Collection | Kind::Catalog => self.follow(&document)?,
            }
        }
    }

    /// Takes the items of a page.
    fn take(&mut self, page: &Document) -> Result<()> {
        for item in page.objects() {
            let item = Document::of_object(item.clone(), page.style().clone())?;
            self.items.push_back(match page.href() {
                Some(href) => item.read_from(href),
                None => item,
            });
        }
        Ok(())
    }

    fn follow(&mut self, document: &Document) -> Result<()> {
        let base = crate::plan::base(document.json(), document);
        let below = ["item", "items", "child"];
        for written in below.iter().flat_map(|rel| links(document.json(), rel)) {
            let href = href::absolute(&written, base.as_deref()).ok_or_else(|| {
                let detail = "a link is relative, and nobody knows where its document is";
                Error::new(ErrorKind::Href, "crawl", &written, detail)
            })?;
            let href = absolute(&href);
            if self.seen.insert(href.clone()) {
                self.waiting.push_back(href);
            }
        }
        Ok(())
    }
}
