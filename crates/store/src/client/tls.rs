//! Certificates given as text.

use reqwest::tls::Certificate;

use crate::error::{Error, ErrorKind, Result};

/// Reads every certificate of a PEM bundle; at least one.
pub(super) fn certificates(key: &'static str, pem: &str) -> Result<Vec<Certificate>> {
    let certificates = Certificate::from_pem_bundle(pem.as_bytes())
        .map_err(|e| Error::new(ErrorKind::Config, "configure", key, e.to_string()))?;
    if certificates.is_empty() {
        let detail =
            "No certificates found in the PEM bundle: expected `-----BEGIN CERTIFICATE-----`";
        return Err(Error::new(ErrorKind::Config, "configure", key, detail));
    }
    Ok(certificates)
}
