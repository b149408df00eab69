//! STAC documents: items, item collections, collections, catalogs, lines and lists of items.

use std::fmt;

use holdall_store::redacted;

use crate::asset::text;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Format;
use crate::href;
use crate::json::{Json, Style};

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// One item.
    Item,
    /// Items in a `FeatureCollection`, a page of a search among them.
    ItemCollection,
    /// A collection.
    Collection,
    /// A catalog.
    Catalog,
}

impl Kind {
    /// The name that documents and messages use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::ItemCollection => "item collection",
            Self::Collection => "collection",
            Self::Catalog => "catalog",
        }
    }

    /// What a single STAC object is. Objects older than 1.0 have no `type`; what else they have tells.
    pub fn of(json: &Json) -> Option<Self> {
        match json.get("type").and_then(text).as_deref() {
            Some("Feature") => Some(Self::Item),
            Some("FeatureCollection") => Some(Self::ItemCollection),
            Some("Collection") => Some(Self::Collection),
            Some("Catalog") => Some(Self::Catalog),
            Some(_) => None,
            None if json.get("stac_version").is_none() => None,
            None if json.get("extent").is_some() => Some(Self::Collection),
            None if json.get("links").is_some() => Some(Self::Catalog),
            None => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One JSON object.
    Object,
    /// A JSON array of items.
    List,
    /// One item per line.
    Lines,
}

/// A document, which is written as it was read but for what was changed.
#[derive(Debug, Clone)]
pub struct Document {
    json: Json,
    kind: Kind,
    form: Form,
    style: Style,
    href: Option<String>,
}

impl Document {
    /// Reads a document: one STAC object, a list of items, or one item per line.
    ///
    /// # Errors
    /// [`ErrorKind::Document`] when it is not JSON or not STAC; the message says what it is.
    pub fn parse(input: &str) -> Result<Self> {
        let body = input.strip_prefix('\u{feff}').unwrap_or(input);
        let style = Style::detect(body);
        match Json::parse(body) {
            Ok(json) if json.as_array().is_some() => Self::list(json, Form::List, style),
            Ok(json) => Self::of_object(json, style),
            Err(error) => match lines(body)? {
                Some(items) => Self::list(Json::from(items), Form::Lines, style),
                None => Err(malformed(&format!("it is not JSON: {error}"))),
            },
        }
    }

    /// Reads a document from bytes; see [`parse`](Self::parse). With the feature `geoparquet`, Parquet is read as well. What is
    /// compressed with gzip is unpacked.
    pub fn from_bytes(input: &[u8]) -> Result<Self> {
        let input = &*crate::format::unpacked(input)?;
        if input.starts_with(crate::format::PARQUET) {
            return crate::format::read_parquet(input);
        }
        let text = std::str::from_utf8(input)
            .map_err(|error| malformed(&format!("it is not UTF-8 text: {error}")))?;
        Self::parse(text)
    }

    /// Reads a document from the bytes of a file; see [`from_bytes`](Self::from_bytes). A name that ends in `.ndjson` or `.jsonl`,
    /// with or without `.gz`, says that each line is an item: one alone is a collection of one, and none is an empty one.
    pub fn from_file(name: &str, input: &[u8]) -> Result<Self> {
        if Format::of_name(name) != Format::Lines {
            return Self::from_bytes(input);
        }
        let input = &*crate::format::unpacked(input)?;
        if input.trim_ascii().is_empty() {
            return Self::list(Json::from(Vec::new()), Form::Lines, Style::compact());
        }
        let document = Self::from_bytes(input)?;
        match document.kind {
            Kind::Item => Self::list(Json::from(vec![document.json]), Form::Lines, document.style),
            _ => Ok(document),
        }
    }

    /// A collection of the given items.
    pub fn of_items(items: Vec<Json>) -> Self {
        let mut json = Json::object();
        json.set("type", "FeatureCollection");
        json.set("features", items);
        let (kind, form, style) = (Kind::ItemCollection, Form::Object, Style::compact());
        Self { json, kind, form, style, href: None }
    }

    /// One object of a document that was read.
    pub(crate) fn of_object(json: Json, style: Style) -> Result<Self> {
        let Some(kind) = Kind::of(&json) else {
            return Err(malformed(&match json.get("type").and_then(text) {
                Some(other) => format!(
                    "its type '{other}' is none of Feature, FeatureCollection, Collection and Catalog"
                ),
                None => "it has no 'type' field".to_owned(),
            }));
        };
        if kind == Kind::ItemCollection && json.get("features").and_then(Json::as_array).is_none() {
            return Err(malformed("it is a FeatureCollection without a list of features"));
        }
        Ok(Self { json, kind, form: Form::Object, style, href: None })
    }

    fn list(json: Json, form: Form, style: Style) -> Result<Self> {
        let items = json.as_array().unwrap_or_default();
        if let Some(at) = items.iter().position(|item| Kind::of(item) != Some(Kind::Item)) {
            return Err(malformed(&format!("element {at} of the list is not an item")));
        }
        Ok(Self { json, kind: Kind::ItemCollection, form, style, href: None })
    }

    /// The same document with the place where it was read, against which relative hrefs are resolved when it has no
    /// link to itself.
    #[must_use]
    pub fn read_from(mut self, href: impl Into<String>) -> Self {
        let href = href.into();
        if href::is_web(&href) {
            self.root_at(&href);
        }
        self.href = Some(href);
        self
    }

    /// Makes paths from the root absolute: what a server says of its assets is not about files of this machine.
    fn root_at(&mut self, href: &str) {
        // Few documents have such a path anywhere, and only these are taken apart.
        let may_have = |text: &str| text.contains("\"/") || text.contains("\"\\/");
        if self.json.text().is_some_and(|text| !may_have(text)) {
            return;
        }
        let rooted = |place: &Json| {
            place.get("href").and_then(Json::as_str).is_some_and(|href| href.starts_with('/'))
        };
        let has_rooted = |object: &Json| {
            let assets = object.get("assets").and_then(Json::as_object).into_iter().flatten();
            assets.into_iter().any(|(_, asset)| rooted(asset) || alternates(asset).any(rooted))
        };
        if !self.objects().iter().any(has_rooted) {
            return;
        }
        let resolve = |place: &mut Json| {
            if rooted(place)
                && let Some(written) = place.get("href").and_then(text)
                && let Some(found) = href::absolute(&written, Some(href))
            {
                place.set("href", found);
            }
        };
        for object in self.objects_mut().iter_mut().filter(|object| has_rooted(object)) {
            let Some(assets) = object.get_mut("assets").and_then(Json::as_object_mut) else {
                continue;
            };
            for asset in assets.values_mut() {
                resolve(asset);
                if alternates(asset).any(rooted)
                    && let Some(others) = asset.get_mut("alternate").and_then(Json::as_object_mut)
                {
                    others.values_mut().for_each(resolve);
                }
            }
        }
    }

    /// Where it was read.
    pub fn href(&self) -> Option<&str> {
        self.href.as_deref()
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The JSON of the whole document.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// The JSON of the whole document, to be changed.
    pub fn json_mut(&mut self) -> &mut Json {
        &mut self.json
    }

    /// The objects that can have assets: the items, or the collection or catalog itself.
    pub fn objects(&self) -> &[Json] {
        match (self.kind, self.form) {
            (Kind::ItemCollection, Form::Object) => {
                self.json.get("features").and_then(Json::as_array).unwrap_or_default()
            }
            (Kind::ItemCollection, _) => self.json.as_array().unwrap_or_default(),
            _ => std::slice::from_ref(&self.json),
        }
    }

    /// The same objects, to be changed.
    pub fn objects_mut(&mut self) -> &mut [Json] {
        match (self.kind, self.form) {
            (Kind::ItemCollection, Form::Object) => self
                .json
                .get_mut("features")
                .and_then(Json::as_array_mut)
                .map(Vec::as_mut_slice)
                .unwrap_or_default(),
            (Kind::ItemCollection, _) => {
                self.json.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default()
            }
            _ => std::slice::from_mut(&mut self.json),
        }
    }

    /// The text: every part that was not changed as it was read.
    pub fn to_text(&self) -> String {
        let mut text = match self.form {
            Form::Lines => {
                let lines = self.objects().iter().map(|item| item.to_text(&self.style));
                lines.map(|line| line.replace('\n', " ")).collect::<Vec<_>>().join("\n")
            }
            _ => self.json.to_text(&self.style),
        };
        if self.style.has_final_newline() {
            text.push('\n');
        }
        text
    }

    /// The text on one line, where changed parts are concerned.
    pub fn style(&self) -> &Style {
        &self.style
    }
}

fn malformed(detail: &str) -> Error {
    Error::new(ErrorKind::Document, "read document", "", detail)
}

/// One JSON object per line, when the first line that is not empty is one.
fn lines(text: &str) -> Result<Option<Vec<Json>>> {
    let mut items = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start_matches('\u{1e}').trim();
        match (line.is_empty(), items.is_empty()) {
            (true, _) => {}
            (_, true) => match Json::parse(line) {
                Ok(item) if item.as_object().is_some() => items.push(item),
                _ => return Ok(None),
            },
            _ => items
                .push(Json::parse(line).map_err(|error| {
                    malformed(&format!("line {} is not JSON: {error}", at + 1))
                })?),
        }
    }
    Ok((items.len() > 1).then_some(items))
}

/// The `id` of an object.
pub fn id(object: &Json) -> Option<String> {
    object.get("id").and_then(text)
}

/// The href of the first link of an object with the relation `rel`.
pub fn link(object: &Json, rel: &str) -> Option<String> {
    let links = object.get("links")?.as_array()?;
    let found = links
        .iter()
        .find(|link| link.get("rel").and_then(Json::as_str).is_some_and(|found| found == rel))?;
    found.get("href").and_then(text)
}

/// The absolute link of an object to itself. For one that was `read` somewhere, that is one to the web, where it is published:
/// from a directory or a store to which a tree was written, it was moved since, maybe to another machine.
pub(crate) fn own_place(object: &Json, read: Option<&str>) -> Option<String> {
    let own = link(object, "self").filter(|own| href::is_absolute(own))?;
    (read.is_none() || href::is_web(&own)).then_some(own)
}

/// The hrefs of all links of an object with the relation `rel`.
pub fn links(object: &Json, rel: &str) -> Vec<String> {
    let links = object.get("links").and_then(Json::as_array).unwrap_or_default();
    links
        .iter()
        .filter(|link| link.get("rel").and_then(Json::as_str).is_some_and(|found| found == rel))
        .filter_map(|link| link.get("href").and_then(text))
        .collect()
}

/// The alternates of an asset.
pub(crate) fn alternates(asset: &Json) -> impl Iterator<Item = &Json> {
    asset.get("alternate").and_then(Json::as_object).into_iter().flat_map(|them| them.values())
}

/// How messages name an object: its id, where it has one, without secrets.
pub(crate) fn name_of(object: &Json) -> String {
    id(object).map_or_else(|| "an item without id".to_owned(), |id| redacted(&id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = r#"{"type":"Feature","stac_version":"1.1.0","id":"a","properties":{},"links":[],"assets":{}}"#;

    #[test]
    fn every_form_is_read_and_written_as_it_was() {
        let collection =
            format!("{{\"type\": \"FeatureCollection\", \"features\": [{ITEM}, {ITEM}]}}\n");
        let (list, lines) = (format!("[{ITEM}]"), format!("{ITEM}\n{ITEM}\n"));
        for (text, objects) in [(ITEM, 1), (&collection, 2), (&list, 1), (&lines, 2)] {
            let document = Document::parse(text).unwrap();
            assert_eq!(document.objects().len(), objects);
            assert_eq!(document.to_text(), text);
        }
    }

    #[test]
    fn the_name_says_that_lines_are_items() {
        let one = format!("{ITEM}\n");
        for (name, text, objects) in
            [("a.ndjson", one.as_str(), 1), ("a.JSONL", "\n", 0), ("a.ndjson.gz", ITEM, 1)]
        {
            let document = Document::from_file(name, text.as_bytes()).unwrap();
            assert_eq!(
                (document.kind(), document.objects().len()),
                (Kind::ItemCollection, objects)
            );
            assert_eq!(document.to_text(), text.trim_start_matches('\n'));
        }
        let document = Document::from_file("a.json", one.as_bytes()).unwrap();
        assert_eq!((document.kind(), document.to_text()), (Kind::Item, one));
    }

    #[test]
    fn paths_in_a_document_of_a_server_are_paths_of_the_server() {
        let item = ITEM.replace(
            r#""assets":{}"#,
            r#""assets":{"a":{"href":"/d/a.tif","x":1.0,"alternate":{"b":{"href":"\/b.tif"}}},"c":{"href":"./c.tif"}}"#,
        );
        let text = format!("[{item}, {ITEM} ]");
        let read = |from: &str| Document::parse(&text).unwrap().read_from(from).to_text();
        assert_eq!(read("/d/items.json"), text);
        let text = read("https://h:8/d/items.json");
        let expected = r#"{"a":{"href":"https://h:8/d/a.tif","x":1.0,"alternate":{"b":{"href":"https://h:8/b.tif"}}},"c":{"href":"./c.tif"}}"#;
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn what_is_not_stac_is_named() {
        for (text, expected) in [
            ("{}", "no 'type' field"),
            (r#"{"type": "Point"}"#, "'Point'"),
            ("[1]", "element 0"),
            ("{", "not JSON"),
            (r#"{"type": "FeatureCollection"}"#, "without a list of features"),
            (&format!("{ITEM}\n\n{ITEM}\n{{\"type\": \"Fea"), "line 4 is not JSON"),
        ] {
            let error = Document::parse(text).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn older_objects_without_type_are_recognised() {
        let text = r#"{"stac_version": "0.9.0", "id": "c", "extent": {}, "links": []}"#;
        assert_eq!(Document::parse(text).unwrap().kind(), Kind::Collection);
    }
}
