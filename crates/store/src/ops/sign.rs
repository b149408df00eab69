//! Presigned URLs.

use std::time::Duration;

use http::Method;
use object_store::path::Path;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

impl Store {
    /// A URL that lets whoever holds it make one kind of request for `expires_in`.
    ///
    /// # Errors
    /// [`ErrorKind::NotSupported`] on stores other than S3, GCS and Azure.
    pub async fn sign(&self, method: Method, location: &Path, expires_in: Duration) -> Result<Url> {
        let Some(signer) = self.provider().signer() else {
            return Err(Error::new(
                ErrorKind::NotSupported,
                "sign",
                self.url_of(location),
                format!("{} stores have no presigned URLs", self.provider().scheme()),
            ));
        };
        let signed = signer.signed_url(method, &self.full_path(location), expires_in).await;
        signed.map_err(|e| self.error("sign", location, e))
    }
}
