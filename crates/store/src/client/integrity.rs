//! What a reply states of the object it carries: checksums in headers, under the names that services have for them.

use std::cell::RefCell;

use http::{HeaderMap, StatusCode};
use object_store::client::HttpResponse;

use crate::checksum::{Algorithm, Checksum};

/// Checksums of a whole object, as a reply states them; found in the extensions of a result.
#[derive(Debug, Clone, Default)]
pub(crate) struct Integrity {
    /// In the order of the headers.
    pub(crate) checksums: Vec<Checksum>,
    /// Whether the entity tag is something else than the MD5 of the content, which it is for some kinds of encryption.
    pub(crate) is_encrypted: bool,
    /// Whether the service says that it gives ranges of the object; looked at in replies with many bytes only.
    pub(crate) has_ranges: bool,
}

/// Bytes of a reply from which on it matters whether ranges can be asked for.
const MANY_BYTES: u64 = 8 * 1024 * 1024;

/// Headers with one base64 value for the whole object, also in replies with a range.
const WHOLE: [(&str, Algorithm); 4] = [
    ("x-amz-checksum-crc64nvme", Algorithm::Crc64Nvme),
    ("x-amz-checksum-crc32c", Algorithm::Crc32c),
    ("x-amz-checksum-sha256", Algorithm::Sha256),
    ("x-ms-blob-content-md5", Algorithm::Md5),
];

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
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut checksums = Vec::new();
        // A checksum of checksums: says nothing about the bytes without the borders of the parts.
        if text("x-amz-checksum-type") != Some("COMPOSITE") {
            let whole = WHOLE
                .iter()
                .filter_map(|(name, algorithm)| Checksum::from_base64(*algorithm, text(name)?));
            checksums.extend(whole);
        }
        if !is_transcoded(headers) {
            let pairs = headers.get_all("x-goog-hash").iter().filter_map(|v| v.to_str().ok());
            checksums.extend(pairs.flat_map(|list| list.split(',')).filter_map(goog_hash));
        }
        if let Some(list) = text("repr-digest") {
            checksums.extend(list.split(',').filter_map(|pair| {
                let (name, value) = pair.trim().split_once('=')?;
                let value = value.strip_prefix(':')?.strip_suffix(':')?;
                Checksum::from_base64(digest_name(name)?, value)
            }));
        }
        if status.is_success() && status != StatusCode::PARTIAL_CONTENT {
            // In a reply with a range these are about the part.
            checksums
                .extend(text("content-md5").and_then(|v| Checksum::from_base64(Algorithm::Md5, v)));
            checksums.extend(ais(&text));
        }
        let is_encrypted = text("x-amz-server-side-encryption").is_some_and(|v| v != "AES256")
            || text("x-amz-server-side-encryption-customer-algorithm").is_some();
        let length = text("content-length").and_then(|length| length.parse::<u64>().ok());
        let has_ranges = length >= Some(MANY_BYTES)
            && text("accept-ranges").is_some_and(|v| v.trim() == "bytes");
        Self { checksums, is_encrypted, has_ranges }
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

/// Names of RFC 9530.
fn digest_name(name: &str) -> Option<Algorithm> {
    match name {
        "sha-256" => Some(Algorithm::Sha256),
        "md5" => Some(Algorithm::Md5),
        "crc32c" => Some(Algorithm::Crc32c),
        _ => None,
    }
}

/// Whether Cloud Storage unpacked the object on the way: its hashes are those of the packed bytes.
fn is_transcoded(headers: &HeaderMap) -> bool {
    headers.get("x-goog-stored-content-encoding").is_some_and(|stored| {
        stored != "identity" && headers.get("content-encoding") != Some(stored)
    })
}

fn ais<'a>(text: &impl Fn(&str) -> Option<&'a str>) -> Option<Checksum> {
    let algorithm = match text("ais-checksum-type")? {
        "xxhash" | "xxhash2" => Algorithm::XxHash64,
        "md5" => Algorithm::Md5,
        "crc32c" => Algorithm::Crc32c,
        "sha256" => Algorithm::Sha256,
        _ => return None,
    };
    Checksum::from_hex(algorithm, text("ais-checksum-value")?)
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
