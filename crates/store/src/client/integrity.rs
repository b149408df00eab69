//! What a reply states of the object it carries: checksums in headers, under the names that services have for them.

use std::cell::RefCell;

use http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use object_store::client::HttpResponse;

use crate::checksum::{Algorithm, Checksum};

/// Checksums of a whole object, as a reply states them; found in the extensions of a result.
#[derive(Debug, Clone, Default)]
pub(crate) struct Integrity {
    pub(crate) checksums: Vec<Checksum>,
    /// Whether the entity tag is something else than the MD5 of the content, which it is for some kinds of encryption.
    pub(crate) is_encrypted: bool,
    /// Whether the service says that it gives ranges of the object; looked at in replies with many bytes only.
    pub(crate) has_ranges: bool,
}

/// Bytes of a reply from which on it matters whether ranges can be asked for.
const MANY_BYTES: u64 = 8 * 1024 * 1024;

tokio::task_local! {
    /// What the last reply within [`stated`] said.
    static SAID: RefCell<Integrity>;
}

/// Runs requests whose replies have no place for what they state, and gives what the last one stated.
pub(crate) async fn stated<T>(requests: impl Future<Output = T>) -> (T, Integrity) {
    let listened = async {
        let done = requests.await;
        (done, SAID.with(RefCell::take))
    };
    SAID.scope(RefCell::default(), listened).await
}

/// The checksums of the whole object that a reply states, as a client of [`super::shared_client`] keeps them with it.
pub fn stated_checksums(reply: &Extensions) -> &[Checksum] {
    reply.get::<Integrity>().map_or(&[], |said| &said.checksums)
}

impl Integrity {
    /// Keeps what `reply` states with it, for whoever reads the body.
    pub(super) fn note(reply: &mut HttpResponse) {
        let found = Self::of(reply.status(), reply.headers());
        // Outside of `stated` nobody listens.
        let _ = SAID.try_with(|said| said.replace(found.clone()));
        if found.is_encrypted || found.has_ranges || !found.checksums.is_empty() {
            reply.extensions_mut().insert(found);
        }
    }

    /// What the headers of a reply state of the whole object.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let mut said = Said::default();
        // Every reply comes by here: one look at each of its headers, not a search for each of the many names.
        for (name, value) in headers {
            said.header(name.as_str(), value);
        }
        let is_whole = status.is_success() && status != StatusCode::PARTIAL_CONTENT;
        said.conclude(is_whole)
    }
}

/// What headers say, before they are seen together.
#[derive(Default)]
struct Said<'a> {
    /// Of the whole object, also in replies with a range.
    whole: Vec<Checksum>,
    /// The same, but where `x-amz-checksum-type` says that these are checksums of checksums: then they say nothing about the
    /// bytes without the borders of the parts.
    amazon: Vec<Checksum>,
    /// The same, of what is stored.
    google: Vec<Checksum>,
    /// Of what the reply carries.
    carried: Vec<Checksum>,
    aistore: (&'a str, &'a str),
    is_composite: bool,
    stored_encoding: Option<&'a str>,
    encoding: Option<&'a str>,
    is_encrypted: bool,
    length: u64,
    takes_ranges: bool,
}

impl<'a> Said<'a> {
    /// What is no text states nothing.
    fn header(&mut self, name: &str, value: &'a HeaderValue) {
        // Most headers are none of these: only those that are have to be text.
        let text = || value.to_str().unwrap_or_default();
        let of = |algorithm| Checksum::from_base64(algorithm, text());
        match name {
            "x-amz-checksum-crc64nvme" => self.amazon.extend(of(Algorithm::Crc64Nvme)),
            "x-amz-checksum-crc32c" => self.amazon.extend(of(Algorithm::Crc32c)),
            "x-amz-checksum-sha256" => self.amazon.extend(of(Algorithm::Sha256)),
            "x-amz-checksum-type" => self.is_composite = value == "COMPOSITE",
            "x-amz-server-side-encryption" => self.is_encrypted |= value != "AES256",
            "x-amz-server-side-encryption-customer-algorithm" => self.is_encrypted = true,
            "x-ms-blob-content-md5" => self.whole.extend(of(Algorithm::Md5)),
            "x-goog-hash" => self.google.extend(text().split(',').filter_map(goog_hash)),
            "x-goog-stored-content-encoding" => self.stored_encoding = Some(text()),
            "repr-digest" => self.whole.extend(text().split(',').filter_map(digest)),
            "content-md5" => self.carried.extend(of(Algorithm::Md5)),
            "content-encoding" => self.encoding = Some(text()),
            "content-length" => self.length = text().parse().unwrap_or_default(),
            "accept-ranges" => self.takes_ranges = text().trim() == "bytes",
            "ais-checksum-type" => self.aistore.0 = text(),
            "ais-checksum-value" => self.aistore.1 = text(),
            _ => {}
        }
    }

    fn conclude(mut self, is_whole: bool) -> Integrity {
        let mut checksums = self.whole;
        if !self.is_composite {
            checksums.append(&mut self.amazon);
        }
        // Cloud Storage may have unpacked the object on the way: its hashes are those of the packed bytes.
        let is_transcoded = self
            .stored_encoding
            .is_some_and(|stored| stored != "identity" && self.encoding != Some(stored));
        if !is_transcoded {
            checksums.append(&mut self.google);
        }
        if is_whole {
            checksums.append(&mut self.carried);
            checksums.extend(Checksum::of_aistore(self.aistore.0, self.aistore.1));
        }
        let has_ranges = self.length >= MANY_BYTES && self.takes_ranges;
        Integrity { checksums, is_encrypted: self.is_encrypted, has_ranges }
    }
}

fn goog_hash(pair: &str) -> Option<Checksum> {
    let (name, value) = pair.trim().split_once('=')?;
    let algorithm = match name {
        "crc32c" => Algorithm::Crc32c,
        "md5" => Algorithm::Md5,
        _ => return None,
    };
    Checksum::from_base64(algorithm, value)
}

/// A digest of RFC 9530: `sha-256=:…:`.
fn digest(pair: &str) -> Option<Checksum> {
    let (name, value) = pair.trim().split_once('=')?;
    let value = value.strip_prefix(':')?.strip_suffix(':')?;
    Checksum::from_base64(digest_name(name)?, value)
}

fn digest_name(name: &str) -> Option<Algorithm> {
    match name {
        "sha-256" => Some(Algorithm::Sha256),
        "md5" => Some(Algorithm::Md5),
        "crc32c" => Some(Algorithm::Crc32c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

    use super::Integrity;

    fn of(status: StatusCode, headers: &[(&'static str, &'static str)]) -> Vec<String> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
            .collect();
        Integrity::of(status, &headers).checksums.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_service_has_its_own_headers() {
        let ok = StatusCode::OK;
        assert_eq!(
            of(ok, &[("x-goog-hash", "crc32c=AAAAAA==,md5=1B2M2Y8AsgTpgAmY7PhCfg==")]),
            ["crc32c:00000000", "md5:d41d8cd98f00b204e9800998ecf8427e"]
        );
        assert_eq!(of(ok, &[("x-amz-checksum-crc32c", "AAAAAA==")]), ["crc32c:00000000"]);
        let composite =
            [("x-amz-checksum-crc32c", "AAAAAA=="), ("x-amz-checksum-type", "COMPOSITE")];
        assert!(of(ok, &composite).is_empty());
        assert!(of(ok, &[("x-amz-checksum-crc32c", "AAAAAA==-3")]).is_empty());
        let ais = [("ais-checksum-type", "xxhash"), ("ais-checksum-value", "00000000000000ff")];
        assert_eq!(of(ok, &ais), ["xxhash64:00000000000000ff"]);
    }

    #[test]
    fn a_checksum_of_a_part_is_not_that_of_the_whole() {
        let md5 = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
        assert_eq!(of(StatusCode::OK, &md5).len(), 1);
        assert!(of(StatusCode::PARTIAL_CONTENT, &md5).is_empty());
        let packed =
            [("x-goog-stored-content-encoding", "gzip"), ("x-goog-hash", "crc32c=AAAAAA==")];
        assert!(of(StatusCode::OK, &packed).is_empty());
    }
}
