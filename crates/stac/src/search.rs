//! Items from a STAC API, page by page.

use std::collections::{BTreeMap, HashSet};

use http::Method;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, TRANSFER_ENCODING};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::asset::text;
use crate::clients::Clients;
use crate::document::{Document, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::href;
use crate::json::Json;
use crate::plan::Location;
use crate::transport::{self, Span};

/// Pages without items in a row that are read.
const MOST_EMPTY: usize = 100;

/// One request of a search. It can be kept as JSON and taken up again later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Where it goes.
    pub href: String,
    /// The body, for POST; GET without.
    #[serde(default)]
    pub body: Option<Value>,
    /// Headers that the server wants to see with it, beside those of the client.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// What HTTP makes of a request itself.
const OWN_HEADERS: [HeaderName; 5] =
    [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

impl Request {
    /// A request for one page by its URL.
    pub fn get(href: impl Into<String>) -> Self {
        Self { href: href.into(), body: None, headers: BTreeMap::new() }
    }

    /// A search at the root of an API (`…/v1` or `…/v1/search`) with the fields of STAC API's item search.
    pub fn search(api: &str, body: Map<String, Value>) -> Self {
        let api = api.trim_end_matches('/');
        let href = if api.ends_with("/search") { api.to_owned() } else { format!("{api}/search") };
        Self { body: Some(Value::Object(body)), ..Self::get(href) }
    }

    /// The same search by GET, with its fields in the query as STAC API has them there.
    fn by_get(&self) -> Option<Self> {
        let Some(Value::Object(fields)) = &self.body else { return None };
        let mut url = url::Url::parse(&self.href).ok()?;
        for (name, value) in fields {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(values) if values.iter().all(|v| v.is_string() || v.is_number()) => {
                    let values =
                        values.iter().map(|v| v.as_str().map_or(v.to_string(), str::to_owned));
                    values.collect::<Vec<_>>().join(",")
                }
                other => other.to_string(),
            };
            url.query_pairs_mut().append_pair(name, &text);
        }
        Some(Self::get(url.as_str()))
    }

    /// What tells it from other requests.
    fn mark(&self) -> String {
        format!("{} {:?} {:?}", self.href, self.body, self.headers)
    }

    /// The request that a `next` link of a page asks for.
    fn next(page: &Document, this: &Self) -> Option<Self> {
        let links = page.json().get("links")?.as_array()?;
        let next =
            links.iter().find(|link| link.get("rel").and_then(text).as_deref() == Some("next"))?;
        let written = next.get("href").and_then(text)?;
        let href = match written.starts_with('?') {
            // A reference of a query alone keeps the path (RFC 3986, 5.2.2).
            true => format!("{}{written}", this.href.split(['?', '#']).next().unwrap_or_default()),
            false => href::absolute(&written, Some(&this.href))?,
        };
        let is_post =
            next.get("method").and_then(text).is_some_and(|m| m.eq_ignore_ascii_case("post"));
        let headers = next.get("headers").map(headers).unwrap_or_default();
        if !is_post {
            return Some(Self { href, body: None, headers });
        }
        let merge = next.get("merge").and_then(Json::as_bool).unwrap_or(false);
        let own = next.get("body").map(Json::to_value);
        let body = match (own, &this.body) {
            (Some(Value::Object(own)), Some(Value::Object(before))) if merge => {
                let mut both = before.clone();
                both.extend(own);
                Value::Object(both)
            }
            (Some(own), _) => own,
            (None, Some(before)) => before.clone(),
            (None, None) => Value::Object(Map::new()),
        };
        Some(Self { href, body: Some(body), headers })
    }
}

/// The headers of a link: each a text or, where a header comes more than once, a list of them (STAC API, pagination).
fn headers(written: &Json) -> BTreeMap<String, String> {
    let Value::Object(headers) = written.to_value() else { return BTreeMap::new() };
    let line = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Array(texts) => {
            let texts = texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
            texts.map(|texts| texts.join(", "))
        }
        _ => None,
    };
    headers.into_iter().filter_map(|(name, value)| Some((name, line(value)?))).collect()
}

/// The pages of a search.
#[derive(Debug)]
pub struct Pages {
    clients: Clients,
    next: Option<Request>,
    seen: HashSet<String>,
    /// How many pages without items were read in a row.
    empty: usize,
}

impl Pages {
    /// The pages from a request on.
    pub fn new(clients: Clients, first: Request) -> Self {
        Self { clients, next: Some(first), seen: HashSet::new(), empty: 0 }
    }

    /// The pages after one that is at hand.
    pub fn after(clients: Clients, page: &Document) -> Self {
        let this = Request::get(page.href().unwrap_or_default());
        Self { clients, next: Request::next(page, &this), seen: HashSet::new(), empty: 0 }
    }

    /// The request for the next page: where to go on another time. `None` after the last.
    pub fn position(&self) -> Option<&Request> {
        self.next.as_ref()
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// Those of the request; the position stays, so that the same page can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Document>> {
        let Some(request) = self.next.clone() else { return Ok(None) };
        if self.empty >= MOST_EMPTY {
            // Who asks again goes on.
            self.empty = 0;
            let detail = format!(
                "it gave {MOST_EMPTY} empty pages in a row, and a link to one more after each: narrow the search, or ask for \
                 larger pages"
            );
            return Err(Error::new(ErrorKind::Document, "search", request.href, detail));
        }
        let mark = request.mark();
        if self.seen.contains(&mark) {
            self.next = None;
            let detail = "the link to the next page leads back to a page that was read already";
            return Err(Error::new(ErrorKind::Document, "search", request.href, detail));
        }
        let (page, request) = match self.clients.page(&request).await {
            // Servers need not know POST (STAC API, item search).
            Err(error) if matches!(error.status(), Some(404 | 405 | 501)) => {
                let Some(request) = request.by_get() else { return Err(error) };
                let page = self.clients.page(&request).await;
                // Where both fail, the first says more.
                (
                    page.map_err(
                        |second| if second.status() == Some(404) { error } else { second },
                    )?,
                    request,
                )
            }
            page => (page?, request),
        };
        if page.kind() != Kind::ItemCollection {
            let detail = format!("it answered with a {}, not with a page of items", page.kind());
            return Err(Error::new(ErrorKind::Document, "search", request.href, detail));
        }
        // A page that failed can be asked for again.
        self.seen.insert(mark);
        self.next = Request::next(&page, &request);
        self.empty = if page.objects().is_empty() { self.empty + 1 } else { 0 };
        // An empty page with a link to itself is how some servers say "no more"; others have pages of which a filter left
        // nothing.
        if self.empty > 0 {
            self.next.take_if(|next| self.seen.contains(&next.mark()));
        }
        Ok(Some(page))
    }
}

impl Clients {
    async fn page(&self, request: &Request) -> Result<Document> {
        if request.body.is_none() && request.headers.is_empty() {
            return self.read_document(&request.href).await;
        }
        let location = Location { href: request.href.clone(), ..Location::default() };
        let mut ways = self.ways(&location).await?;
        for (name, value) in &request.headers {
            if !OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own.as_str())) {
                ways.iter_mut().try_for_each(|way| way.add_header(name, value))?;
            }
        }
        let data = match &request.body {
            Some(body) => {
                transport::send(&ways, Method::POST, "application/json", body.to_string()).await?
            }
            None => transport::read(&ways, Span::default(), None).await?,
        };
        let page = Document::from_bytes(&data).map_err(|error| {
            Error::new(ErrorKind::Document, "search", &request.href, error.detail())
        })?;
        Ok(page.read_from(request.href.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(links: &str, body: Option<Value>) -> Option<Request> {
        let page =
            format!(r#"{{"type": "FeatureCollection", "features": [], "links": [{links}]}}"#);
        let this = Request { body, ..Request::get("https://h/v1/search") };
        Request::next(&Document::parse(&page).unwrap(), &this)
    }

    #[test]
    fn every_kind_of_next_link_is_followed() {
        let get = next(r#"{"rel": "next", "href": "?token=2"}"#, None);
        assert_eq!(get.map(|request| request.href).as_deref(), Some("https://h/v1/search?token=2"));
        let first = Some(serde_json::json!({"limit": 1, "collections": ["c"]}));
        let merged = next(
            r#"{"rel": "next", "href": "https://h/v1/search", "method": "POST", "merge": true, "body": {"token": "t"}}"#,
            first.clone(),
        );
        let expected = serde_json::json!({"limit": 1, "collections": ["c"], "token": "t"});
        assert_eq!(merged.unwrap().body, Some(expected));
        let same = next(
            r#"{"rel": "next", "href": "https://h/v1/search?p=2", "method": "POST"}"#,
            first.clone(),
        );
        assert_eq!(same.unwrap().body, first);
        assert_eq!(next("", None), None);
    }
}
