//! Presigned URLs: shared access signatures for one blob.
//!
//! The client of `object_store` signs the path as it stands in the URL; the service wants it decoded, so its
//! signatures hold only for names without encoded characters. With the key of the account we sign ourselves.
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas>

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::Method;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{Error, Result};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use url::Url;

use super::AzureStore;
use crate::config::AzureKey;

/// The version of the service whose rules the signature follows.
const VERSION: &str = "2023-11-03";

/// Signatures hold from a little before now on, for machines whose clocks are behind.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// The key that every emulator has.
/// <https://learn.microsoft.com/en-us/azure/storage/common/storage-connect-azurite>
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[async_trait]
impl Signer for AzureStore {
    async fn signed_url(&self, method: Method, path: &Path, expires_in: Duration) -> Result<Url> {
        self.check_key(path)?;
        let url = self.place.url(path);
        if self.settings.get(AzureKey::EncryptionKey).is_none()
            && let Some(key) = self.account_key()?
        {
            return self.sign(&key, &method, url, expires_in);
        }
        if url.path().contains('%') {
            let source = "presigned URLs for names with other characters than letters, digits and plain punctuation \
                          need the key of the account";
            return Err(Error::NotSupported { source: source.into() });
        }
        self.inner.signed_url(method, path, expires_in).await
    }

    async fn signed_url_opts(
        &self,
        method: Method,
        path: &Path,
        expires_in: Duration,
        options: &SignedUrlOptions,
    ) -> Result<Url> {
        if options.is_empty() {
            return self.signed_url(method, path, expires_in).await;
        }
        self.inner.signed_url_opts(method, path, expires_in, options).await
    }

    async fn signed_urls(
        &self,
        method: Method,
        paths: &[Path],
        expires_in: Duration,
    ) -> Result<Vec<Url>> {
        let plain = paths.iter().all(|path| !self.place.url(path).path().contains('%'));
        if self.account_key()?.is_none() && plain {
            // One key of the service signs them all.
            return self.inner.signed_urls(method, paths, expires_in).await;
        }
        let mut urls = Vec::with_capacity(paths.len());
        for path in paths {
            urls.push(self.signed_url(method.clone(), path, expires_in).await?);
        }
        Ok(urls)
    }
}

impl AzureStore {
    /// The key of the account, when it is the credential in use.
    fn account_key(&self) -> Result<Option<Vec<u8>>> {
        let other = [AzureKey::Token, AzureKey::SasKey, AzureKey::ClientSecret];
        let chosen = self.settings.get(AzureKey::CredentialType).unwrap_or("auto");
        let by_choice = match chosen {
            "access_key" => true,
            "auto" => other.iter().all(|key| self.settings.get(*key).is_none()),
            _ => false,
        };
        if self.given.is_some() || self.settings.flag(AzureKey::SkipSignature)? || !by_choice {
            return Ok(None);
        }
        let emulator = self.settings.flag(AzureKey::UseEmulator)?.then_some(EMULATOR_KEY);
        let key = self.settings.get(AzureKey::AccessKey).or(emulator);
        let decode = |text| {
            BASE64_STANDARD.decode(text).map_err(|_| Error::Generic {
                store: "Azure",
                source: "`account_key` is not base64".into(),
            })
        };
        key.map(decode).transpose()
    }

    fn sign(&self, key: &[u8], method: &Method, mut url: Url, expires_in: Duration) -> Result<Url> {
        let permissions = match *method {
            Method::GET | Method::HEAD => "r",
            Method::PUT => "w",
            Method::DELETE => "d",
            _ => {
                let source = format!("presigned URLs for {method} requests do not exist").into();
                return Err(Error::NotSupported { source });
            }
        };
        let now = Utc::now();
        let end =
            TimeDelta::from_std(expires_in).ok().and_then(|time| now.checked_add_signed(time));
        let end = end.ok_or_else(|| Error::Generic {
            store: "Azure",
            source: "the URL would be valid for too long".into(),
        })?;
        let (start, end) = (time(now - CLOCK_SKEW), time(end));
        let text = text_to_sign(&url, &self.place.account, permissions, &start, &end);
        let signature = BASE64_STANDARD.encode(hmac_sha256(key, text.as_bytes()));
        url.query_pairs_mut()
            .append_pair("sv", VERSION)
            .append_pair("sp", permissions)
            .append_pair("st", &start)
            .append_pair("se", &end)
            .append_pair("sr", "b")
            .append_pair("sig", &signature);
        Ok(url)
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn text_to_sign(url: &Url, account: &str, permissions: &str, start: &str, end: &str) -> String {
    let path = percent_decode_str(url.path()).decode_utf8_lossy();
    // Emulators and some gateways have the account in the path already.
    let resource = match url.host_str().unwrap_or_default().contains(account) {
        true => format!("/blob/{account}{path}"),
        false => format!("/blob{path}"),
    };
    // Between the resource and the version stand identifier, address and protocol; behind the kind of resource (`b`)
    // snapshot, encryption scope and five headers of the reply.
    format!("{permissions}\n{start}\n{end}\n{resource}\n\n\n\n{VERSION}\nb\n\n\n\n\n\n\n")
}

/// RFC 2104 with SHA-256.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn signs_as_the_standard_does() {
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex(&hmac_sha256(&[0xaa; 131], message)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn the_path_is_signed_decoded() {
        let url = Url::parse("https://acc.blob.core.windows.net/c/a%20b").unwrap();
        let text = text_to_sign(&url, "acc", "r", "S", "E");
        assert_eq!(text, "r\nS\nE\n/blob/acc/c/a b\n\n\n\n2023-11-03\nb\n\n\n\n\n\n\n");
    }
}
