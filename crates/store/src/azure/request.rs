//! Requests of our own to the blob service.

use async_trait::async_trait;
use http::{HeaderMap, Method};
use object_store::azure::{AzureAuthorizer, AzureCredential};
use object_store::client::HttpRequest;
use object_store::path::Path;
use object_store::{Error, Result};
use url::Url;

use super::AzureStore;
use crate::cloud::send::{Call, Reply, Signing, Unsigned};
use crate::config::{AzureKey, Settings};

/// Account of the emulator when none is named.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";

/// Where a container is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) account: String,
    pub(super) container: Url,
}

impl Place {
    /// The URL of the container, by the rules of `object_store`.
    pub(super) fn of(settings: &Settings<AzureKey>, container: &str) -> crate::Result<Self> {
        let emulator = settings.flag(AzureKey::UseEmulator)?;
        let account = settings.get(AzureKey::AccountName).unwrap_or(EMULATOR_ACCOUNT).to_owned();
        let service = match settings.get(AzureKey::Endpoint) {
            _ if emulator => std::env::var("AZURITE_BLOB_STORAGE_URL")
                .unwrap_or_else(|_| "http://127.0.0.1:10000".to_owned()),
            Some(endpoint) => endpoint.to_owned(),
            None if settings.flag(AzureKey::UseFabricEndpoint)? => {
                format!("https://{account}.blob.fabric.microsoft.com")
            }
            None => format!("https://{account}.blob.core.windows.net"),
        };
        let bad = |detail: String| {
            crate::Error::new(crate::ErrorKind::Config, "open", service.clone(), detail)
        };
        let mut url = Url::parse(&service).map_err(|e| bad(e.to_string()))?;
        {
            let mut path =
                url.path_segments_mut().map_err(|()| bad("the URL has no path".to_owned()))?;
            path.pop_if_empty();
            if emulator {
                path.push(&account);
            }
            path.push(container);
        }
        Ok(Self { account, container: url })
    }

    /// The URL of a blob, or of the container when `path` is empty.
    pub(super) fn url(&self, path: &Path) -> Url {
        let mut url = self.container.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path.parts());
        }
        url
    }
}

impl AzureStore {
    /// Deletes the blob with a slash at the end of its name.
    pub(super) async fn delete_with_slash(&self, path: &Path) -> Result<()> {
        let mut url = self.place.url(path);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push("");
        }
        let call = Call::new(Method::DELETE, url).headers(self.headers.clone());
        self.send(path, &call).await.map(drop)
    }

    pub(super) fn request(&self, method: Method, path: &Path, query: &[(&str, &str)]) -> Call {
        let mut url = self.place.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        // Headers that the transport would add afterwards would not be covered by the signature.
        Call::new(method, url).headers(self.headers.clone())
    }

    pub(super) async fn send(&self, path: &Path, call: &Call) -> Result<Reply> {
        self.check_key(path)?;
        if self.settings.flag(AzureKey::SkipSignature)? {
            return self.sender.send(path.as_ref(), call, &Unsigned).await;
        }
        self.sender.send(path.as_ref(), call, &SignAzure(self)).await
    }

    pub(super) async fn headers_of(&self, path: &Path) -> Result<HeaderMap> {
        Ok(self.send(path, &self.request(Method::HEAD, path, &[])).await?.headers)
    }

    /// Refuses what cannot be done to blobs that are encrypted with the customer's key.
    pub(super) fn without_customer_key(&self, operation: &str) -> Result<()> {
        if self.settings.get(AzureKey::EncryptionKey).is_none() {
            return Ok(());
        }
        let source = format!("`{operation}` is not possible with `encryption_key`").into();
        Err(Error::NotSupported { source })
    }
}

struct SignAzure<'a>(&'a AzureStore);

#[async_trait]
impl Signing for SignAzure<'_> {
    async fn sign(&self, request: &mut HttpRequest) -> Result<()> {
        let credential = self.0.inner.credentials().get_credential().await?;
        let credential: &AzureCredential = &credential;
        AzureAuthorizer::new(credential, &self.0.place.account).try_authorize(request)
    }
}
