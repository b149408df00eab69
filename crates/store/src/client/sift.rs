//! Pages of listings: that they are some, and without the keys that would make `object_store` refuse a page as a whole.

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use object_store::client::{
    HttpClient, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};

use super::document::{self, texts};
use crate::listing::{OddKey, OddKeys};

/// Looks at the pages of listings, and takes odd keys out of those that were asked for with [`OddKeys`].
#[derive(Debug)]
pub(super) struct Sifted(pub(super) HttpClient);

#[async_trait]
impl HttpService for Sifted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_page = is_page(&request);
        let is_sifted = request.extensions().get::<OddKeys>().is_some();
        let reply = self.0.execute(request).await?;
        if !is_page || !reply.status().is_success() {
            return Ok(reply);
        }
        let (mut head, body) = reply.into_parts();
        let body = match body.collect().await {
            Ok(page) => {
                let page = page.to_bytes();
                document::expect_page(&page)?;
                match is_sifted.then(|| sift(&page)).flatten() {
                    Some((page, odd)) => {
                        drop(head.extensions.insert(odd));
                        HttpResponseBody::new(whole(page.into()))
                    }
                    None => HttpResponseBody::new(whole(page)),
                }
            }
            // Whoever reads the body is to find it broken.
            Err(error) => {
                let broken = stream::iter([Err::<Frame<Bytes>, _>(error)]);
                HttpResponseBody::new(StreamBody::new(broken))
            }
        };
        Ok(HttpResponse::from_parts(head, body))
    }
}

/// Whether a page of a listing is asked for: of S3 and of Cloud Storage's interface in XML, or of Azure.
fn is_page(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| matches!(pair, "list-type=2" | "comp=list"))
}

fn whole(page: Bytes) -> impl http_body::Body<Data = Bytes, Error = HttpError> {
    Full::new(page).map_err(|never| match never {})
}

/// What a service calls the parts of a page.
struct Words {
    object: &'static str,
    key: &'static str,
    size: &'static str,
    time: &'static str,
    tag: &'static str,
    level: &'static str,
    prefix: &'static str,
}

/// S3, and Cloud Storage's interface in XML.
const S3: Words = Words {
    object: "Contents",
    key: "Key",
    size: "Size",
    time: "LastModified",
    tag: "ETag",
    level: "CommonPrefixes",
    prefix: "Prefix",
};

const AZURE: Words = Words {
    object: "Blob",
    key: "Name",
    size: "Content-Length",
    time: "Last-Modified",
    tag: "Etag",
    level: "BlobPrefix",
    prefix: "Name",
};

/// A page without its odd keys, and these; none where there are no such keys.
fn sift(page: &[u8]) -> Option<(String, OddKeys)> {
    let page = std::str::from_utf8(page).ok()?;
    let words = if page.contains("<EnumerationResults") { AZURE } else { S3 };
    let has_odd = |name| texts(page, name).any(|text| OddKey::is_odd(&text));
    let has_odd_level = || texts(page, words.prefix).any(|text| OddKey::is_odd_prefix(&text));
    // Nearly always: it is found out at a third of what taking the page apart costs.
    let is_level = page.contains(words.level);
    if !has_odd(words.key) && (!is_level || !has_odd_level()) {
        return None;
    }
    let mut odd = OddKeys::default();
    let mut before = 0;
    let sifted = without(page, words.object, |object| {
        let Some(key) = inner(object, words.key).filter(|key| OddKey::is_odd(key)) else {
            before += 1;
            return false;
        };
        let size = inner(object, words.size).and_then(|size| size.parse().ok());
        let mut found = OddKey::new(key.into_owned(), size.unwrap_or_default());
        let time = inner(object, words.time).unwrap_or_default();
        let time = DateTime::parse_from_rfc3339(&time).or(DateTime::parse_from_rfc2822(&time));
        found.last_modified = time.map(|time| time.to_utc()).unwrap_or_default();
        found.e_tag = inner(object, words.tag).map(Cow::into_owned);
        odd.objects.push((before, found));
        true
    });
    let sifted = without(&sifted, words.level, |level| {
        let prefix = inner(level, words.prefix).filter(|prefix| OddKey::is_odd_prefix(prefix));
        let Some(prefix) = prefix else { return false };
        odd.prefixes.push(prefix.into_owned());
        true
    });
    (!odd.is_empty()).then(|| (sifted.into_owned(), odd))
}

/// A page without those of the elements `name` that are to be taken out.
fn without<'a>(page: &'a str, name: &str, mut is_out: impl FnMut(&str) -> bool) -> Cow<'a, str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (mut kept, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(begin) = page[at..].find(&open).map(|found| at + found)
        && let Some(end) = page[begin..].find(&close).map(|found| begin + found + close.len())
    {
        if is_out(&page[begin..end]) {
            kept.push_str(&page[copied..begin]);
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return page.into();
    }
    kept.push_str(&page[copied..]);
    kept.into()
}

/// The text of the first element `name` in another one.
fn inner<'a>(element: &'a str, name: &str) -> Option<Cow<'a, str>> {
    texts(element, name).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_are_taken_out_of_a_page_and_nothing_else_is() {
        let object = |key: &str| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
                 <ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
            )
        };
        let page = |objects: &[&str], levels: &str| {
            let objects: String = objects.iter().map(|key| object(key)).collect();
            format!(
                "<ListBucketResult><Name>b</Name><Prefix>a//</Prefix>{objects}{levels}</ListBucketResult>"
            )
        };
        let level = |prefix| format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>");
        assert!(sift(page(&["a", "b/&amp;&lt;"], &level("c/")).as_bytes()).is_none());
        let levels = level("c/") + &level("d//");
        let whole = page(&["a", "a//b", "b", "c&#10;", "/d"], &levels);
        let (sifted, odd) = sift(whole.as_bytes()).unwrap();
        assert_eq!(sifted, page(&["a", "b"], &level("c/")));
        let keys: Vec<_> = odd.objects.iter().map(|(at, odd)| (*at, &*odd.key)).collect();
        assert_eq!(keys, [(1, "a//b"), (2, "c\n"), (2, "/d")]);
        let first = &odd.objects[0].1;
        assert_eq!((first.size, first.e_tag.as_deref()), (7, Some("\"e\"")));
        assert_eq!(first.last_modified.to_rfc3339(), "2026-01-02T03:04:05+00:00");
        assert_eq!(odd.prefixes, ["d//"]);
    }

    #[test]
    fn pages_of_azure_are_read_by_its_own_words() {
        let page = "<EnumerationResults><Blobs><Blob><Name>a/../b</Name><Properties>\
            <Last-Modified>Fri, 02 Jan 2026 03:04:05 GMT</Last-Modified><Etag>0x1</Etag>\
            <Content-Length>3</Content-Length></Properties></Blob><BlobPrefix><Name>x//</Name></BlobPrefix>\
            </Blobs></EnumerationResults>";
        let (sifted, odd) = sift(page.as_bytes()).unwrap();
        assert_eq!(sifted, "<EnumerationResults><Blobs></Blobs></EnumerationResults>");
        let (at, first) = &odd.objects[0];
        assert_eq!((*at, &*first.key, first.size), (0, "a/../b", 3));
        assert_eq!(first.last_modified.to_rfc3339(), "2026-01-02T03:04:05+00:00");
        assert_eq!(odd.prefixes, ["x//"]);
    }
}
