//! Certificates, and whom this client trusts.

use std::sync::{Arc, LazyLock, OnceLock};

use reqwest::tls::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::ClientOptions;
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

/// TLS of a client that trusts the system's authorities and shows no certificate of its own; None where `options` ask for
/// something else. Those authorities are read when the first server shows its certificate: they are often a hundred
/// and more files, and plain HTTP needs none of them.
pub(super) fn system(options: &ClientOptions) -> Option<ClientConfig> {
    let plain = !options.allow_invalid_certificates
        && !options.no_system_certificates
        && options.identity.is_none()
        && options.root_certificate.is_none()
        && options.proxy_ca_certificate.is_none();
    if !plain {
        return None;
    }
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SystemRoots::default()))
        .with_no_client_auth();
    config.alpn_protocols = match (options.http2_only, options.http1_only) {
        (true, _) => vec![b"h2".to_vec()],
        (false, true) => vec![b"http/1.1".to_vec()],
        (false, false) => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Some(config)
}

/// Whether a connection was given up because of whom the server says it is, or because nobody can tell.
pub(super) fn is_distrust(error: &std::io::Error) -> bool {
    let Some(inner) = error.get_ref() else { return false };
    match inner.downcast_ref::<std::io::Error>() {
        // The connector wraps the error of the handshake into one of its own.
        Some(inner) => is_distrust(inner),
        None => matches!(
            inner.downcast_ref(),
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::General(_))
        ),
    }
}

/// As reqwest chooses it: the program's own, if it has set one.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| match CryptoProvider::get_default() {
        Some(provider) => provider.clone(),
        None => Arc::new(crypto::aws_lc_rs::default_provider()),
    });

/// The system's verifier, made at the first certificate. One that could not be made is tried again at the next.
#[derive(Debug, Default)]
struct SystemRoots(OnceLock<Verifier>);

impl SystemRoots {
    fn verifier(&self) -> Result<&Verifier, rustls::Error> {
        if let Some(verifier) = self.0.get() {
            return Ok(verifier);
        }
        let made = Verifier::new(PROVIDER.clone()).map_err(|e| {
            rustls::Error::General(format!(
                "the certificate authorities of the system cannot be read ({e}): install them (ca-certificates), name \
                 them in SSL_CERT_FILE, or set `root_certificate`"
            ))
        })?;
        Ok(self.0.get_or_init(|| made))
    }
}

impl ServerCertVerifier for SystemRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = self.verifier()?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls13_signature(message, cert, dss)
    }

    // Asked for before there is a certificate to look at; the verifiers of all systems give the provider's.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}
