//! Reading hrefs and writing documents.

use bytes::Bytes;
use futures::stream::BoxStream;
use holdall_store::OpenOptions;

use crate::clients::{Clients, Head};
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::href;
use crate::place::Place;
use crate::plan::Location;
use crate::transport::{self, Span};

/// A body that arrives.
pub struct Body {
    /// Its length in bytes, if the server says.
    pub size: Option<u64>,
    /// Its media type, if the server says.
    pub media_type: Option<String>,
    /// What is suspicious about its media type.
    pub warning: Option<Error>,
    /// The pieces, in their order.
    pub pieces: BoxStream<'static, Result<Bytes>>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Clients {
    /// All bytes at a location, or those from `start` up to `end` where they are given; repeated after passing failures.
    pub async fn read(&self, location: &Location, start: u64, end: Option<u64>) -> Result<Bytes> {
        transport::read(&self.ways(location).await?, Span { start, end }, None).await
    }

    /// The bytes from `start` up to `end` of the file that [`head`](Self::head) found at a location.
    ///
    /// # Errors
    /// Those of reading, and one of its own where the file is another by now, as far as the server says.
    pub async fn read_of(
        &self,
        head: &Head,
        location: &Location,
        start: u64,
        end: u64,
    ) -> Result<Bytes> {
        let span = Span { start, end: Some(end) };
        transport::read(&self.ways(location).await?, span, Some(head)).await
    }

    /// Begins to read a location. With a media type, what the server sends is compared with it.
    pub async fn open(&self, location: &Location, media_type: Option<&str>) -> Result<Body> {
        let mut first = None;
        for way in self.ways(location).await? {
            match way.begin(media_type).await {
                Ok(body) => return Ok(body),
                Err(error) => first = first.or_else(|| Some(way.advise(error))),
            }
        }
        Err(first.unwrap_or_else(|| no_way(&location.href)))
    }

    /// Reads a document of any form from any href that a client or a store knows.
    ///
    /// # Errors
    /// Those of reading, and [`ErrorKind::Document`].
    pub async fn read_document(&self, href: &str) -> Result<Document> {
        let location = Location { href: href.to_owned(), ..Location::default() };
        let data = self.read(&location, 0, None).await?;
        let document = Document::from_file(&href::file_name(href), &data).map_err(|error| {
            Error::new(ErrorKind::Document, "read document", href, error.detail())
        })?;
        Ok(document.read_from(absolute(href)))
    }
}

/// An href of a document as its relative hrefs need it.
pub(crate) fn absolute(href: &str) -> String {
    if href::scheme(href).is_some() {
        return href.to_owned();
    }
    let path = std::path::absolute(href).map(|path| path.to_string_lossy().into_owned());
    path.unwrap_or_else(|_| href.to_owned())
}

pub(crate) fn no_way(href: &str) -> Error {
    Error::new(ErrorKind::Href, "open", href, "there is no way to it")
}

impl Place {
    /// Writes a whole small file, visible when it is whole. Directories are made.
    pub async fn write(&self, content: impl Into<Bytes>, media_type: &str) -> Result<()> {
        transport::write(content.into(), media_type, self).await
    }

    /// The place of a URL or a plain path, with the settings of the environment.
    pub fn parse(text: &str) -> Result<Self> {
        Self::open(text, &OpenOptions::default())
    }
}
