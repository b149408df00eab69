//! Plain HTTP servers, and WebDAV where the server speaks it.
//!
//! * The query of the base URL (`?token=…`) and its user go along with every request to its origin, and nowhere else.
//! * A server may leave out lengths, refuse HEAD, or ignore ranges: these are taken out of the whole then, which streams by.
//! * What nothing tells from other versions of it is read with one request, never put together of several.
//! * Directories are listed by WebDAV, or from the page that the server shows to browsers (HTML, or nginx's JSON).
//! * Creating and replacing on a condition asks first and sends the condition along: against other writers it is as
//!   safe as the server, which may not know `If-None-Match` and `If-Match` for PUT.
//! * Uploads of many parts are collected in a temporary file and sent as one request.

mod adapt;
mod index;
mod taken;
mod walk;
mod write;

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::{Method, StatusCode};
use object_store::client::HttpClient;
use object_store::http::{HttpBuilder, HttpStore as Inner};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RetryConfig,
};
use url::Url;

use self::adapt::{Adapter, Connector, WeakTag};
use crate::checksum::Checksum;
use crate::client::file_body::UploadFile;
use crate::client::{ClientOptions, Integrity, shared_client};
use crate::cloud::open_error;
use crate::cloud::send::{Call, Sender, Unsigned};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::Provider;

/// A directory of an HTTP server. Reading needs nothing but HTTP; writing, copying and most listing need WebDAV.
#[derive(Clone)]
pub struct HttpStore {
    inner: Arc<Inner>,
    sender: Sender,
    default_content_type: Option<String>,
    /// Without query and user.
    root: Url,
    url: Url,
    lists_by: Arc<OnceLock<ListsBy>>,
}

/// How the server has listed a directory.
#[derive(Clone, Copy, PartialEq)]
enum ListsBy {
    WebDav,
    Pages,
}

impl HttpStore {
    /// Opens the directory at `url`. No request is sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`] when it is not an `http` or `https` URL, [`ErrorKind::Config`] when the client
    /// options do not fit each other.
    pub fn open(url: &str, client: ClientOptions, retry: RetryConfig) -> Result<Self> {
        Self::open_through(url, client, retry, |http| http)
    }

    /// The same, with requests that go through what `around` makes of the client.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_through(
        url: &str,
        mut client: ClientOptions,
        retry: RetryConfig,
        around: impl FnOnce(HttpClient) -> HttpClient,
    ) -> Result<Self> {
        let parsed = Url::parse(url)
            .map_err(|e| Error::new(ErrorKind::InvalidUrl, "open", url, e.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            let detail = format!("the scheme '{}' is not http or https", parsed.scheme());
            return Err(Error::new(ErrorKind::InvalidUrl, "open", url, detail));
        }
        // Whoever writes `http://` has decided against TLS.
        client.allow_http |= parsed.scheme() == "http";
        let mut root = parsed.clone();
        root.set_fragment(None);
        let http = HttpClient::new(Adapter::new(around(shared_client(&client)?), &mut root));
        let inner = HttpBuilder::new()
            .with_url(root.as_str())
            .with_client_options(client.to_object_store())
            .with_http_connector(Connector(http.clone()))
            .with_retry(retry.clone())
            .build()
            .map_err(|e| open_error(url, e))?;
        Ok(Self {
            inner: Arc::new(inner),
            sender: Sender::new(http, retry, "HTTP"),
            default_content_type: client.default_content_type,
            root,
            url: parsed,
            lists_by: Arc::default(),
        })
    }

    /// The URL of the directory, with the user and the query that it was opened with.
    pub fn base_url(&self) -> &Url {
        &self.url
    }

    /// A path of a WebDAV listing, which counts from the root of the server, as the location of something below `prefix`.
    fn location_below(&self, prefix: &Path, path: &Path) -> Option<Path> {
        let base = Path::from_url_path(self.root.path()).unwrap_or_default();
        let below: Path = path.prefix_match(&base)?.collect();
        (below.as_ref().len() > prefix.as_ref().len()).then_some(below)
    }

    fn object_url(&self, location: &Path) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(location.parts());
        }
        url
    }
}

impl fmt::Debug for HttpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStore").field("url", &self.location()).finish_non_exhaustive()
    }
}

impl fmt::Display for HttpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location())
    }
}

#[async_trait]
impl ObjectStore for HttpStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        match opts.mode {
            PutMode::Overwrite => {
                // The client inside panics over what cannot be a header.
                self.attribute_headers(location, &opts.attributes)?;
                self.inner.put_opts(location, payload, opts).await
            }
            _ => self.put_if(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.begin_upload(location, opts)
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let mut result = self.inner.get_opts(location, options).await?;
        if let Some(WeakTag(tag)) = result.extensions.remove() {
            result.meta.e_tag = Some(tag);
        }
        Ok(result)
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        walk::list(self.clone(), prefix.cloned())
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        walk::list_after(self.clone(), prefix.cloned(), offset.clone())
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.list_level(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl Provider for HttpStore {
    fn scheme(&self) -> &'static str {
        "http"
    }

    fn location(&self) -> String {
        self.root.as_str().trim_end_matches('/').to_owned()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    /// Servers state with HEAD of the whole what they leave out of a reply with a range: the MD5 is one of what a reply carries.
    async fn checksums(
        &self,
        location: &Path,
        e_tag: Option<&str>,
    ) -> object_store::Result<Vec<Checksum>> {
        // Asked once: nobody is to wait long for what may not be there.
        let call = Call::new(Method::HEAD, self.object_url(location)).idempotent(false);
        let reply = self.sender.send(location.as_ref(), &call, &Unsigned).await?;
        let is_meant = reply.header("etag") == e_tag;
        let said = is_meant.then(|| Integrity::of(StatusCode::OK, &reply.headers));
        Ok(said.map(|said| said.checksums).unwrap_or_default())
    }

    async fn put_file(
        &self,
        location: &Path,
        file: Arc<std::fs::File>,
        length: u64,
        options: PutOptions,
    ) -> object_store::Result<Option<PutResult>> {
        self.put_from_file(location, UploadFile { file, length }, options).await.map(Some)
    }
}
