//! What a reply states of the object it carries: checksums in headers, under the names that services have for them, the
//! range that it is, and what tells one version from another.

use std::cell::RefCell;

use chrono::{DateTime, TimeDelta, Utc};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use object_store::client::{HttpError, HttpErrorKind, HttpResponse};
use object_store::{GetResult, ObjectMeta};

use crate::checksum::{Algorithm, Checksum};

/// Checksums of a whole object, as a reply states them; found in the extensions of a result.
#[derive(Debug, Clone, Default)]
pub(crate) struct Integrity {
    pub(crate) checksums: Vec<Checksum>,
    /// Whether the entity tag is something else than the MD5 of the content, which it is for some kinds of encryption.
    pub(crate) is_encrypted: bool,
    /// Whether the service says that it gives ranges of the object; looked at in replies with many bytes only.
    pub(crate) has_ranges: bool,
    /// Whether nothing in the reply of an HTTP server tells this version of the object from all others.
    pub(crate) is_loose: bool,
    /// Whether the server gives no ranges: what was asked for has been taken out of the whole.
    pub(crate) is_taken_out: bool,
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

/// Keeps with a reply what the whole object must amount to, where its protocol says so in a way of its own.
pub fn state_checksum(reply: &mut Extensions, checksum: Checksum) {
    reply.get_or_insert_default::<Integrity>().checksums.push(checksum);
}

/// Sees that a reply tells of an object, for services that give an entity tag to each, or say when it was written.
///
/// # Errors
/// It says neither: somebody answers in the place of the service.
pub fn expect_object(store: &'static str, meta: &ObjectMeta) -> object_store::Result<()> {
    match meta.e_tag.is_none() && meta.last_modified == DateTime::UNIX_EPOCH {
        true => Err(object_store::Error::Generic {
            store,
            source: "the reply is no object of the service, as it has neither an entity tag nor a time of change: see \
                     that the endpoint is right and that no proxy answers in its place"
                .into(),
        }),
        false => Ok(()),
    }
}

/// Whether all that is read of an object has to come with one reply, as this one of it shows: others may be of another
/// version, or begin anew.
pub(crate) fn is_one_piece(reply: &GetResult) -> bool {
    reply.extensions.get::<Integrity>().is_some_and(Integrity::is_one_piece)
}

/// Whether a range has been taken out of the whole object, since the server gives none.
pub(crate) fn is_taken_out(reply: &GetResult) -> bool {
    reply.extensions.get::<Integrity>().is_some_and(|said| said.is_taken_out)
}

/// How much older than the reply a time of change must be to tell versions apart. It has whole seconds: another change
/// within the same one would not show. The second one is for file systems that keep every other second (FAT).
const SETTLED: TimeDelta = TimeDelta::seconds(2);

/// Whether an entity tag says no more than that two contents are as good as each other.
pub(crate) fn is_weak(tag: &str) -> bool {
    tag.starts_with("W/")
}

/// Whether nothing tells the version that a reply is of from all others (RFC 9110, 8.8.2.2 and 13.1.5): parts of several
/// such replies are not put together.
pub(crate) fn is_loose(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    if text(ETAG).is_some_and(|tag| !is_weak(tag)) {
        return false;
    }
    let time = |name| Some(DateTime::parse_from_rfc2822(text(name)?).ok()?.with_timezone(&Utc));
    let Some(modified) = time(LAST_MODIFIED) else { return true };
    time(DATE).unwrap_or_else(Utc::now) - modified < SETTLED
}

/// Whether both are of one version: by entity tags, where these do not tell by time, and by length.
pub(crate) fn is_version(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    let same_time = one.last_modified == other.last_modified;
    let same = match (&one.e_tag, &other.e_tag) {
        (Some(a), Some(b)) => a == b && (!is_weak(a) || same_time),
        _ => same_time,
    };
    same && one.size == other.size
}

/// What `Content-Range` says: the first and the last byte, and the length of the whole unless it is left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = match total {
            "*" => None,
            total => Some(total.parse().ok()?),
        };
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        let is_possible = first <= last && last < total.unwrap_or(u64::MAX);
        is_possible.then_some(Self { first, last, total })
    }

    /// That of a reply, if it is one with a range.
    ///
    /// # Errors
    /// It says nothing that can be, or another length than the reply has: then the body is something else.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap) -> Result<Option<Self>, HttpError> {
        if status != StatusCode::PARTIAL_CONTENT {
            return Ok(None);
        }
        // Replies with several ranges have theirs in the body.
        let Some(value) = headers.get(CONTENT_RANGE) else { return Ok(None) };
        let wrong =
            |text: String| HttpError::new(HttpErrorKind::Decode, std::io::Error::other(text));
        let text = String::from_utf8_lossy(value.as_bytes());
        let Some(range) = Self::parse(&text) else {
            return Err(wrong(format!("the reply has the Content-Range {text:?}")));
        };
        let length: Option<u64> =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        match length {
            Some(length) if length != range.last - range.first + 1 => {
                Err(wrong(format!("the reply has {length} bytes, and says that it is {text:?}")))
            }
            _ => Ok(Some(range)),
        }
    }
}

impl Integrity {
    pub(crate) fn is_one_piece(&self) -> bool {
        self.is_loose || self.is_taken_out
    }

    /// Keeps what `reply` states with it, for whoever reads the body.
    ///
    /// # Errors
    /// The reply contradicts itself: see [`ContentRange::of`].
    pub(super) fn note(reply: &mut HttpResponse) -> Result<(), HttpError> {
        ContentRange::of(reply.status(), reply.headers())?;
        let found = Self::of(reply.status(), reply.headers());
        // Outside of `stated` nobody listens.
        let _ = SAID.try_with(|said| said.replace(found.clone()));
        if found.is_encrypted || found.has_ranges || !found.checksums.is_empty() {
            reply.extensions_mut().insert(found);
        }
        Ok(())
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
        let is_encrypted = self.is_encrypted;
        Integrity { checksums, is_encrypted, has_ranges, ..Integrity::default() }
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

    use super::{ContentRange, Integrity, is_loose};

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

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn a_range_is_what_it_says_or_nothing() {
        let of = |all| ContentRange::of(StatusCode::PARTIAL_CONTENT, &headers(all)).ok().flatten();
        let range = |first, last, total| Some(ContentRange { first, last, total });
        assert_eq!(of(&[("content-range", "bytes 0-9/10")]), range(0, 9, Some(10)));
        assert_eq!(of(&[("content-range", "bytes 5-9/*")]), range(5, 9, None));
        assert_eq!(of(&[]), None, "one of several ranges");
        for wrong in
            ["bytes abc", "items 0-9/10", "bytes 9-0/10", "bytes 0-9/9", "bytes 0-9", "bytes */10"]
        {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static("content-range"),
                HeaderValue::from_static(wrong),
            )]);
            assert!(ContentRange::of(StatusCode::PARTIAL_CONTENT, &headers).is_err(), "{wrong}");
            assert_eq!(ContentRange::of(StatusCode::OK, &headers).unwrap(), None, "{wrong}");
        }
        let page = [("content-range", "bytes 0-9/10"), ("content-length", "18")];
        let error = ContentRange::of(StatusCode::PARTIAL_CONTENT, &headers(&page)).unwrap_err();
        assert!(format!("{error:?}").contains("has 18 bytes"), "{error:?}");
    }

    #[test]
    fn a_time_tells_versions_apart_when_no_other_change_can_have_it() {
        let modified = ("last-modified", "Sat, 21 Nov 2026 10:00:00 GMT");
        let at = |date| is_loose(&headers(&[modified, ("date", date)]));
        assert!(at("Sat, 21 Nov 2026 10:00:01 GMT"));
        assert!(!at("Sat, 21 Nov 2026 10:00:02 GMT"));
        assert!(at("Sat, 21 Nov 2026 09:00:00 GMT"), "a clock that is behind");
        assert!(!is_loose(&headers(&[("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")])));
        assert!(is_loose(&headers(&[("last-modified", "Fri, 01 Jan 2100 00:00:00 GMT")])));
        assert!(is_loose(&headers(&[])) && is_loose(&headers(&[("etag", "W/\"1\"")])));
        assert!(!is_loose(&headers(&[
            ("etag", "W/\"1\""),
            modified,
            ("date", "Sun, 22 Nov 2026 10:00:00 GMT")
        ])));
        assert!(!is_loose(&headers(&[("etag", "\"1\"")])));
    }
}
