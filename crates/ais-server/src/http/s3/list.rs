//! Listings of a bucket, in their three forms.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::checksum::Algorithm;
use super::fault::{Fault, Result};
use super::xml::Xml;
use super::{Call, document, iso_time};
use crate::engine::Bucket;
use crate::engine::remote::RemoteQuery;
use crate::http::Reply;
use crate::http::objects::etag;
use crate::storage::ObjectMeta;

/// Most entries of a page, as in S3.
const MAX_KEYS: usize = 1000;
/// Objects that are looked at in one go.
const BATCH: usize = 1000;
/// What `encoding-type=url` leaves alone.
const URL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');

/// What is asked, in all forms.
struct Query<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    max_keys: usize,
    encoding: fn(&str) -> String,
    is_encoded: bool,
}

impl<'a> Query<'a> {
    fn of(call: &'a Call) -> Result<Self> {
        let max_keys = match call.param("max-keys") {
            "" => MAX_KEYS,
            text => text
                .parse::<usize>()
                .map_err(|_| Fault::invalid("max-keys must be a number from 0 on"))?
                .min(MAX_KEYS),
        };
        Ok(Self {
            prefix: call.param("prefix"),
            delimiter: call.param("delimiter"),
            max_keys,
            encoding: encoding(call)?,
            is_encoded: !call.param("encoding-type").is_empty(),
        })
    }

    fn encode(&self, text: &str) -> String {
        (self.encoding)(text)
    }

    /// What all forms tell of the question.
    fn tell(&self, call: &Call, xml: &mut Xml) {
        xml.text("Name", &call.bucket).text("Prefix", self.encode(self.prefix));
        xml.value("MaxKeys", self.max_keys);
        if !self.delimiter.is_empty() {
            xml.text("Delimiter", self.encode(self.delimiter));
        }
        if self.is_encoded {
            xml.text("EncodingType", "url");
        }
    }
}

/// How names are written: as they are, or encoded, for clients whose XML has no place for some characters.
///
/// # Errors
///
/// When it is another way.
pub(super) fn encoding(call: &Call) -> Result<fn(&str) -> String> {
    match call.param("encoding-type") {
        "" => Ok(str::to_owned),
        "url" => Ok(|text| utf8_percent_encode(text, URL).to_string()),
        _ => Err(Fault::invalid("the only encoding-type is url")),
    }
}

/// An entry.
enum Entry {
    Object(String, ObjectMeta),
    /// What the names of several objects have in common, up to the delimiter.
    Prefix(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Object(name, _) | Self::Prefix(name) => name,
        }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
struct Start<'a> {
    /// After this name; empty for the beginning.
    name: &'a str,
    /// Where the page before ended, as it said; empty where only a name is known.
    token: &'a str,
}

impl<'a> Start<'a> {
    fn name(name: &'a str) -> Self {
        Self { name, token: "" }
    }
}

struct Page {
    entries: Vec<Entry>,
    is_truncated: bool,
    /// For the next page, where the last name is not enough.
    token: Option<String>,
}

impl Page {
    const EMPTY: Self = Self { entries: Vec::new(), is_truncated: false, token: None };

    fn last(&self) -> Option<&str> {
        self.entries.last().filter(|_| self.is_truncated).map(Entry::name)
    }
}

async fn page(call: &Call, bucket: &Bucket, query: &Query<'_>, from: Start<'_>) -> Result<Page> {
    if query.max_keys == 0 {
        return Ok(Page::EMPTY);
    }
    // Backends know one delimiter.
    if bucket.is_remote() && matches!(query.delimiter, "" | "/") {
        return page_of_backend(call, bucket, query, from).await;
    }
    let after = if from.token.is_empty() { from.name } else { from.token };
    page_by_name(call, bucket, query, after).await
}

/// A page as the backend gives it, which says itself how to go on.
async fn page_of_backend(
    call: &Call,
    bucket: &Bucket,
    query: &Query<'_>,
    from: Start<'_>,
) -> Result<Page> {
    let asked = RemoteQuery {
        prefix: query.prefix.to_owned(),
        token: from.token.to_owned(),
        after: from.name.to_owned(),
        limit: query.max_keys,
        flat: !query.delimiter.is_empty(),
    };
    let found = call.request.engine.list_there(bucket, &asked).await?;
    let entries = found.entries.into_iter().map(|entry| {
        let name = entry.name.clone();
        match entry.into_meta() {
            Some(meta) => Entry::Object(name, meta),
            None => Entry::Prefix(name),
        }
    });
    let is_truncated = !found.token.is_empty();
    Ok(Page { entries: entries.collect(), is_truncated, token: Some(found.token) })
}

/// Objects after `after`: those that are here, of a backend those that are there.
async fn rows(
    call: &Call,
    bucket: &Bucket,
    prefix: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<(String, ObjectMeta)>> {
    let engine = &call.request.engine;
    if !bucket.is_remote() {
        let start = Some(after).filter(|after| !after.is_empty());
        return Ok(engine.scan(bucket, prefix, start, limit).await?);
    }
    let (prefix, after) = (prefix.to_owned(), after.to_owned());
    let asked = RemoteQuery { prefix, after, limit, ..RemoteQuery::default() };
    let found = engine.list_there(bucket, &asked).await?.entries.into_iter();
    Ok(found
        .filter_map(|entry| {
            let name = entry.name.clone();
            Some((name, entry.into_meta()?))
        })
        .collect())
}

/// A page of what comes after `after`, put together from names.
async fn page_by_name(
    call: &Call,
    bucket: &Bucket,
    query: &Query<'_>,
    after: &str,
) -> Result<Page> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut from = after.to_owned();
    // The page before may have ended with a common prefix: then that is over.
    if !query.delimiter.is_empty() && after.starts_with(query.prefix) {
        let inside = &after[query.prefix.len()..];
        if inside.find(query.delimiter).is_some_and(|at| at + query.delimiter.len() == inside.len())
        {
            from = behind(after);
        }
    }
    // One more than fits, to know whether there is more.
    let want = query.max_keys + 1;
    'all: while entries.len() < want {
        let limit = (want - entries.len()).min(BATCH);
        let rows = rows(call, bucket, query.prefix, &from, limit).await?;
        let Some(last) = rows.last().map(|(name, _)| name.clone()) else { break };
        from = last;
        for (name, meta) in rows {
            let common = Some(query.delimiter).filter(|delimiter| !delimiter.is_empty());
            let end = common.and_then(|delimiter| {
                name[query.prefix.len()..].find(delimiter).map(|at| at + delimiter.len())
            });
            match end {
                None => entries.push(Entry::Object(name, meta)),
                Some(end) => {
                    let common = name[..query.prefix.len() + end].to_owned();
                    // All of its objects are passed over in one step.
                    from = behind(&common);
                    entries.push(Entry::Prefix(common));
                    continue 'all;
                }
            }
        }
    }
    let is_truncated = entries.len() > query.max_keys;
    entries.truncate(query.max_keys);
    Ok(Page { entries, is_truncated, token: None })
}

/// A text after all that begins with this one, and before all else: no text has a character above.
fn behind(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

pub(super) async fn v1(call: &Call) -> Result<Reply> {
    let query = Query::of(call)?;
    let bucket = call.bucket()?;
    let marker = call.param("marker");
    let page = page(call, &bucket, &query, Start::name(marker)).await?;
    let mut xml = Xml::new("ListBucketResult");
    query.tell(call, &mut xml);
    xml.text("Marker", query.encode(marker)).value("IsTruncated", page.is_truncated);
    if let Some(last) = page.last() {
        xml.text("NextMarker", query.encode(last));
    }
    contents(&mut xml, &query, &page, true);
    Ok(document(xml))
}

pub(super) async fn v2(call: &Call) -> Result<Reply> {
    let query = Query::of(call)?;
    let bucket = call.bucket()?;
    let token = call.param("continuation-token");
    let after = call.param("start-after");
    let went_on = if token.is_empty() { String::new() } else { read_token(token)? };
    let page = page(call, &bucket, &query, Start { name: after, token: &went_on }).await?;
    let mut xml = Xml::new("ListBucketResult");
    query.tell(call, &mut xml);
    xml.value("KeyCount", page.entries.len()).value("IsTruncated", page.is_truncated);
    if !token.is_empty() {
        xml.text("ContinuationToken", token);
    }
    if let Some(last) = page.token.as_deref().filter(|_| page.is_truncated).or(page.last()) {
        xml.text("NextContinuationToken", URL_SAFE_NO_PAD.encode(last));
    }
    if !after.is_empty() {
        xml.text("StartAfter", query.encode(after));
    }
    contents(&mut xml, &query, &page, call.param("fetch-owner") == "true");
    Ok(document(xml))
}

fn read_token(token: &str) -> Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Fault::invalid("the continuation token provided is incorrect"))
}

fn contents(xml: &mut Xml, query: &Query<'_>, page: &Page, with_owner: bool) {
    for entry in &page.entries {
        if let Entry::Object(name, meta) = entry {
            xml.within("Contents", |xml| {
                xml.text("Key", query.encode(name)).text("LastModified", iso_time(meta.mtime));
                xml.text("ETag", etag(meta));
                for algorithm in Algorithm::ALL {
                    if meta.custom(algorithm.header()).is_some() {
                        xml.text("ChecksumAlgorithm", algorithm.as_str());
                    }
                }
                xml.value("Size", meta.size).text("StorageClass", "STANDARD");
                if with_owner {
                    xml.owner("Owner");
                }
            });
        }
    }
    prefixes(xml, query, page);
}

fn prefixes(xml: &mut Xml, query: &Query<'_>, page: &Page) {
    for entry in &page.entries {
        if let Entry::Prefix(name) = entry {
            xml.within("CommonPrefixes", |xml| {
                xml.text("Prefix", query.encode(name));
            });
        }
    }
}

/// Versions: each object has one, which is the newest, and is called `null`.
pub(super) async fn versions(call: &Call) -> Result<Reply> {
    let query = Query::of(call)?;
    let bucket = call.bucket()?;
    let marker = call.param("key-marker");
    let page = page(call, &bucket, &query, Start::name(marker)).await?;
    let mut xml = Xml::new("ListVersionsResult");
    query.tell(call, &mut xml);
    xml.text("KeyMarker", query.encode(marker)).text("VersionIdMarker", "");
    xml.value("IsTruncated", page.is_truncated);
    if let Some(last) = page.last() {
        xml.text("NextKeyMarker", query.encode(last)).text("NextVersionIdMarker", "null");
    }
    for entry in &page.entries {
        if let Entry::Object(name, meta) = entry {
            xml.within("Version", |xml| {
                xml.text("Key", query.encode(name)).text("VersionId", "null");
                xml.value("IsLatest", true).text("LastModified", iso_time(meta.mtime));
                xml.text("ETag", etag(meta)).value("Size", meta.size);
                xml.text("StorageClass", "STANDARD").owner("Owner");
            });
        }
    }
    prefixes(&mut xml, &query, &page);
    Ok(document(xml))
}
