//! Plain HTTP servers, and WebDAV where the server speaks it.

mod walk;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::RetryConfig;
use object_store::client::HttpClient;
use object_store::http::{HttpBuilder, HttpStore as Inner};
use object_store::path::Path;
use object_store::{CopyOptions, ObjectStore};
use url::Url;

use crate::client::{ClientOptions, SharedConnector, shared_client};
use crate::cloud::{delegate_object_store, open_error};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::Provider;

/// A directory of an HTTP server. Reading needs nothing but HTTP; writing, listing and copying need WebDAV.
#[derive(Debug, Clone)]
pub struct HttpStore {
    inner: Arc<Inner>,
    http: HttpClient,
    url: Url,
}

impl HttpStore {
    /// Opens the directory at `url`. No request is sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`] when it is not an `http` or `https` URL, [`ErrorKind::Config`] when the client
    /// options do not fit each other.
    pub fn open(url: &str, mut client: ClientOptions, retry: RetryConfig) -> Result<Self> {
        let parsed = Url::parse(url)
            .map_err(|e| Error::new(ErrorKind::InvalidUrl, "open", url, e.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            let detail = format!("the scheme '{}' is not http or https", parsed.scheme());
            return Err(Error::new(ErrorKind::InvalidUrl, "open", url, detail));
        }
        // Whoever writes `http://` has decided against TLS.
        client.allow_http |= parsed.scheme() == "http";
        let inner = HttpBuilder::new()
            .with_url(url)
            .with_client_options(client.to_object_store())
            .with_http_connector(SharedConnector::new(client.clone()))
            .with_retry(retry)
            .build()
            .map_err(|e| open_error(url, e))?;
        Ok(Self { inner: Arc::new(inner), http: shared_client(&client)?, url: parsed })
    }

    async fn copy_inside(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    /// The URL of the directory.
    pub fn base_url(&self) -> &Url {
        &self.url
    }
}

delegate_object_store!(
    HttpStore,
    |store: &HttpStore, prefix: Option<&Path>| walk::list(store.inner.clone(), prefix.cloned()),
    |store: &HttpStore, prefix: Option<&Path>, offset: &Path| walk::list_after(
        store.inner.clone(),
        prefix.cloned(),
        offset.clone()
    )
);

#[async_trait]
impl Provider for HttpStore {
    fn scheme(&self) -> &'static str {
        "http"
    }

    fn location(&self) -> String {
        let mut url = self.url.clone();
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.as_str().trim_end_matches('/').to_owned()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
