//! Documents that are handed on without the place where they were read.

use crate::asset::text;
use crate::document::{Document, Kind, link, own_place};
use crate::href;
use crate::json::Json;

impl Document {
    /// The document as one JSON object whose relative hrefs can be resolved by itself: objects without an absolute link to
    /// themselves get one, items of a collection only if they have relative hrefs. Lists and lines of items become an item
    /// collection.
    pub fn detached(&self) -> Json {
        let Some(base) = self.href() else { return self.as_one().json().clone() };
        if self.kind() != Kind::ItemCollection {
            return located(self.json(), base, Some(base));
        }
        let mut whole = self.as_one();
        for item in whole.objects_mut() {
            if has_relative_assets(item) {
                *item = located(item, base, None);
            }
        }
        whole.json().clone()
    }

    fn as_one(&self) -> Self {
        match self.json().as_array() {
            Some(items) => Self::of_items(items.to_vec()),
            None => self.clone(),
        }
    }
}

fn has_relative_assets(item: &Json) -> bool {
    let assets = item.get("assets").and_then(Json::as_object);
    let hrefs = assets.into_iter().flatten().filter_map(|(_, asset)| asset.get("href")?.as_str());
    hrefs.into_iter().any(|written| !href::is_absolute(&written))
}

/// An object with a link to `base`, unless it has one of its own that holds, see [`own_place`].
fn located(object: &Json, base: &str, read: Option<&str>) -> Json {
    if own_place(object, read).is_some() || link(object, "self").as_deref() == Some(base) {
        return object.clone();
    }
    let mut own = Json::object();
    own.set("rel", "self");
    own.set("href", base);
    let links = object.get("links").and_then(Json::as_array).unwrap_or_default().iter();
    let others =
        links.filter(|link| link.get("rel").and_then(text).is_none_or(|rel| rel != "self"));
    let links: Vec<Json> = others.cloned().chain([own]).collect();
    let mut object = object.clone();
    object.set("links", links);
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_takes_its_place_along() {
        let item = r#"{"type": "Feature", "id": "a", "links": [{"rel": "self", "href": "./a.json"}], "assets": {"x": {"href": "x.tif"}}}"#;
        let one = Document::parse(item).unwrap().read_from("https://h/a.json");
        let own = link(&one.detached(), "self");
        assert_eq!(own.as_deref(), Some("https://h/a.json"));
        for (old, own) in [
            ("/old/a.json", "/new/a.json"),
            ("s3://old/a.json", "/new/a.json"),
            ("https://h/a.json", "https://h/a.json"),
        ] {
            let moved = item.replace("./a.json", old);
            let moved = Document::parse(&moved).unwrap().read_from("/new/a.json");
            assert_eq!(link(&moved.detached(), "self").as_deref(), Some(own));
        }
        let far = item.replace("x.tif", "https://h/x.tif");
        let lines =
            Document::parse(&format!("{item}\n{far}\n")).unwrap().read_from("https://h/i.ndjson");
        let whole = lines.detached();
        let items = whole.get("features").and_then(Json::as_array).unwrap();
        assert_eq!(link(&items[0], "self").as_deref(), Some("https://h/i.ndjson"));
        assert_eq!(link(&items[1], "self").as_deref(), Some("./a.json"));
    }
}
