//! Listing servers that do not speak WebDAV, by the pages that they make of directories.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use http::{Method, StatusCode};
use object_store::path::Path;
use object_store::{Error, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt, Result};
use quick_xml::escape::unescape;
use regex::Regex;
use serde::Deserialize;
use url::Url;

use super::adapt::broken;
use super::{HttpStore, ListsBy};
use crate::cloud::send::{Call, Unsigned};

/// Objects asked for length and time at once, where the page does not say them.
const HEADS_IN_FLIGHT: usize = 16;

static LINK: LazyLock<Regex> = LazyLock::new(|| {
    let link = r#"(?is)<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>.*?</a>"#;
    // nginx: time to the minute in UTC, length in bytes.
    let facts = r"(?:[ \t]+(\d{2}-[A-Z][a-z]{2}-\d{4} \d{2}:\d{2})[ \t]+(\d+)[ \t]*(?:\r?\n|$))?";
    Regex::new(&format!("{link}{facts}")).expect("a constant")
});

/// What the pages of servers say of a directory, also of an empty one: Apache, nginx and lighttpd `Index of`, Python
/// `Directory listing`, IIS and others `Parent Directory`; or a link to the directory above.
static INDEX: LazyLock<Regex> = LazyLock::new(|| {
    let words = r#"(?i)index of|directory listing|listing of|parent directory|href\s*=\s*["']?\.\./?["'\s>]"#;
    Regex::new(words).expect("a constant")
});

/// Where a page begins, and where it ends.
static BEGIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)<(html|body)[\s>]").expect("a constant"));
static END: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)</(html|body)\s*>").expect("a constant"));

/// A line of a page.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Directory(String),
    File { name: String, facts: Option<(DateTime<Utc>, u64)> },
}

impl HttpStore {
    /// The directory `prefix` as the server shows it to browsers.
    ///
    /// # Errors
    /// [`Error::NotFound`], and [`Error::NotSupported`] when the reply is not a page with links.
    pub(super) async fn list_index(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let mut url = self.object_url(&prefix);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("");
        }
        let call = Call::new(Method::GET, url.clone())
            .header("accept", "text/html, application/json;q=0.9, */*;q=0.1")?;
        let reply = self.sender.send(prefix.as_ref(), &call, &Unsigned).await?;
        let text = String::from_utf8_lossy(&reply.body);
        let entries = match reply.header("content-type").unwrap_or_default() {
            mime if mime.starts_with("application/json") => json(&text),
            mime if mime.starts_with("text/html") => {
                if is_cut(&text) {
                    let source = Box::new(broken("the page of the directory ends in the middle"));
                    return Err(Error::Generic { store: "HTTP", source });
                }
                Some(html(&url, &text)).filter(|entries| !entries.is_empty() || is_index(&text))
            }
            _ => None,
        };
        let Some(entries) = entries else {
            let source = "the server neither speaks WebDAV nor shows its directories: objects can be read by name, \
                          not listed";
            return Err(Error::NotSupported { source: source.into() });
        };
        self.resolve(&prefix, entries).await
    }

    /// Paths for names; length and time of the files whose line does not give them.
    async fn resolve(&self, prefix: &Path, entries: Vec<Entry>) -> Result<ListResult> {
        let mut result = empty();
        let mut files = Vec::new();
        // Names stand as they are: a path made by joining would encode some of their characters.
        let below = |name: String| match prefix.as_ref() {
            "" => Path::parse(name),
            prefix => Path::parse(format!("{prefix}/{name}")),
        };
        for entry in entries {
            match entry {
                Entry::Directory(name) => result.common_prefixes.push(below(name)?),
                Entry::File { name, facts } => files.push((below(name)?, facts)),
            }
        }
        let objects = stream::iter(files).map(async |(location, facts)| match facts {
            Some((last_modified, size)) => {
                Ok(Some(ObjectMeta { location, last_modified, size, e_tag: None, version: None }))
            }
            None => match self.inner.head(&location).await {
                Ok(meta) => Ok(Some(meta)),
                // It went away, or the link was to something else.
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        });
        let objects = objects.buffered(HEADS_IN_FLIGHT);
        result.objects =
            objects.try_filter_map(|meta| async move { Ok(meta) }).try_collect().await?;
        Ok(result)
    }

    /// A level by WebDAV, or by the page where the server does not speak it. One that is not there is empty.
    pub(super) async fn list_level(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Ok(self.find_level(prefix).await?.unwrap_or_else(empty))
    }

    /// The same; nothing where there is no such directory. A server that has listed one by WebDAV speaks it, whatever it says
    /// of this one.
    pub(super) async fn find_level(&self, prefix: Option<&Path>) -> Result<Option<ListResult>> {
        let found = match self.lists_by.get() {
            Some(ListsBy::WebDav) => self.level_by_webdav(prefix).await,
            Some(ListsBy::Pages) => self.list_index(prefix).await,
            None => match self.level_by_webdav(prefix).await {
                Err(refusal) if lacks_webdav(&refusal) => self.level_by_page(prefix, refusal).await,
                done => done,
            },
        };
        match found {
            Ok(mut level) => {
                level.objects.sort_by(|a, b| a.location.cmp(&b.location));
                level.common_prefixes.sort();
                Ok(Some(level))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn level_by_webdav(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let level = self.own(prefix, self.inner.list_with_delimiter(prefix).await?);
        self.lists_by.get_or_init(|| ListsBy::WebDav);
        Ok(level)
    }

    /// A level of a server that has answered PROPFIND with a `refusal`.
    async fn level_by_page(&self, prefix: Option<&Path>, refusal: Error) -> Result<ListResult> {
        match self.list_index(prefix).await {
            Ok(level) => {
                self.lists_by.get_or_init(|| ListsBy::Pages);
                Ok(level)
            }
            Err(Error::PermissionDenied { .. } | Error::NotSupported { .. })
                if is_missing(&refusal) =>
            {
                Err(refusal)
            }
            // Who answers the one with a page or a refusal, and the other with "not found", tells nothing of the directory.
            Err(Error::NotFound { .. }) if !is_unknown_method(&refusal) => Err(refusal),
            Err(error) => Err(error),
        }
    }

    /// A level as WebDAV tells it, by locations of this store.
    fn own(&self, prefix: Option<&Path>, mut level: ListResult) -> ListResult {
        let prefix = prefix.cloned().unwrap_or_default();
        let below = |path: &Path| self.location_below(&prefix, path);
        level.common_prefixes = level.common_prefixes.iter().filter_map(below).collect();
        level.objects.retain_mut(|meta| match below(&meta.location) {
            Some(location) => {
                meta.location = location;
                true
            }
            None => false,
        });
        level
    }
}

/// Whether a server may not know PROPFIND: it said so, found nothing, or answered it like a GET.
pub(super) fn lacks_webdav(error: &Error) -> bool {
    matches!(error, Error::PermissionDenied { .. })
        || error.to_string().contains("decoding PROPFIND")
        || has_status(error, StatusCode::BAD_REQUEST)
        || is_missing(error)
        || is_unknown_method(error)
}

/// Whether a server said that it does not know the method, whatever it was asked about.
fn is_unknown_method(error: &Error) -> bool {
    has_status(error, StatusCode::METHOD_NOT_ALLOWED)
}

/// Whether PROPFIND found nothing, as [`Adapter`](super::adapt::Adapter) tells it.
fn is_missing(error: &Error) -> bool {
    has_status(error, StatusCode::GONE)
}

fn has_status(error: &Error, status: StatusCode) -> bool {
    error.to_string().contains(&format!("status code: {}", status.as_u16()))
}

fn empty() -> ListResult {
    ListResult { common_prefixes: Vec::new(), objects: Vec::new(), extensions: Default::default() }
}

/// The page of nginx's `autoindex_format json`.
fn json(text: &str) -> Option<Vec<Entry>> {
    #[derive(Deserialize)]
    struct Line {
        name: String,
        #[serde(rename = "type")]
        kind: String,
        mtime: Option<String>,
        size: Option<u64>,
    }
    let lines: Vec<Line> = serde_json::from_str(text).ok()?;
    let entry = |line: Line| {
        if line.kind == "directory" {
            return Entry::Directory(line.name);
        }
        let time = line.mtime.and_then(|time| DateTime::parse_from_rfc2822(&time).ok());
        let facts = time.map(|time| time.to_utc()).zip(line.size);
        Entry::File { name: line.name, facts }
    };
    Some(lines.into_iter().map(entry).collect())
}

/// Whether a page has a beginning and no end, as one whose connection broke off before it was whole: nothing else may tell.
fn is_cut(text: &str) -> bool {
    BEGIN.is_match(text) && !END.is_match(text)
}

/// Whether a page shows a directory. One without a link into it may be anything else, as the page of a proxy that people are to
/// log in at: that nothing is there must be said.
fn is_index(text: &str) -> bool {
    INDEX.is_match(text)
}

/// Links to what lies directly in the directory at `base`.
fn html(base: &Url, text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for link in LINK.captures_iter(text) {
        let Some(href) = link.get(1).or(link.get(2)) else { continue };
        let Some(entry) = entry(base, href.as_str(), link.get(3).zip(link.get(4))) else {
            continue;
        };
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn entry(
    base: &Url,
    href: &str,
    facts: Option<(regex::Match<'_>, regex::Match<'_>)>,
) -> Option<Entry> {
    let href = unescape(href).ok()?;
    // Columns of Apache's pages sort by links with a query alone.
    if href.starts_with(['?', '#']) {
        return None;
    }
    let url = base.join(&href).ok()?;
    let below = url.path().strip_prefix(base.path())?;
    let (name, directory) = match below.strip_suffix('/') {
        Some(name) => (name, true),
        None => (below, false),
    };
    if url.origin() != base.origin() || name.is_empty() || name.contains('/') {
        return None;
    }
    let name = percent_encoding::percent_decode_str(name).decode_utf8().ok()?.into_owned();
    if directory {
        return Some(Entry::Directory(name));
    }
    let facts = facts.and_then(|(time, length)| {
        let time = NaiveDateTime::parse_from_str(time.as_str(), "%d-%b-%Y %H:%M").ok()?;
        Some((time.and_utc(), length.as_str().parse().ok()?))
    });
    Some(Entry::File { name, facts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url::parse("http://h/data/").unwrap()
    }

    #[test]
    fn reads_the_pages_of_nginx() {
        let text = "<html><body><h1>Index of /data/</h1><pre><a href=\"../\">../</a>\n\
            <a href=\"sub%20dir/\">sub dir/</a>                 01-Jan-2024 10:00          -\n\
            <a href=\"a%26b.txt\">a&amp;b.txt</a>               02-Feb-2024 11:30         42\n</pre></body></html>";
        let time = "2024-02-02T11:30:00Z".parse().unwrap();
        assert_eq!(
            html(&base(), text),
            [
                Entry::Directory("sub dir".into()),
                Entry::File { name: "a&b.txt".into(), facts: Some((time, 42)) },
            ]
        );
    }

    #[test]
    fn takes_only_links_into_the_directory() {
        let text = "<a href='?C=N;O=D'>Name</a><a href='/'>up</a><A class=x HREF='/data/one'>1</A>\
            <a href='http://other/data/two'>2</a><a href='three/four'>4</a><a href='one'>again</a>\
            <a href='./five?x=1'>5</a> 2024-01-01 1.2K";
        let names: Vec<_> = html(&base(), text);
        let file = |name: &str| Entry::File { name: name.into(), facts: None };
        assert_eq!(names, [file("one"), file("five")]);
    }

    #[test]
    fn an_empty_directory_is_told_from_other_pages() {
        for index in [
            "<h1>Index of /d/</h1><hr><pre></pre>",
            "<title>Directory listing for /d/</title><ul></ul>",
            "<a href=\"/\">[To Parent Directory]</a>",
            "<pre><a href=\"../\">..</a></pre>",
        ] {
            assert!(is_index(index), "{index}");
        }
        for other in
            ["", "<h1>Please log in</h1><a href='/login'>here</a>", "<a href=\"../help\">?</a>"]
        {
            assert!(!is_index(other), "{other}");
        }
    }

    #[test]
    fn reads_the_json_of_nginx() {
        let text = r#"[{"name":"d","type":"directory","mtime":"Wed, 01 Jan 2025 00:00:00 GMT"},
            {"name":"f","type":"file","mtime":"Wed, 01 Jan 2025 00:00:00 GMT","size":7}]"#;
        let entries = json(text).unwrap();
        assert_eq!(entries[0], Entry::Directory("d".into()));
        assert!(matches!(&entries[1], Entry::File { facts: Some((_, 7)), .. }));
        assert!(json("{}").is_none());
    }
}
