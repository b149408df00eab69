//! Items as rows of a Parquet file: stac-geoparquet 1.1 (<https://radiantearth.github.io/stac-geoparquet-spec/>).
//!
//! Properties are columns beside the members of items, assets are a struct with a field per key, geometries are
//! well-known binary, times are instants. What a table cannot tell apart is lost: members that are `null` or empty objects
//! are absent afterwards, offsets of times become UTC, layout and digits of the text are gone. A table is an interchange
//! format; JSON is what keeps a document as it was.

mod read;
mod shape;
mod wkb;
mod write;

use bytes::Bytes;

use crate::document::{Document, Kind};
use crate::error::{Error, ErrorKind, Result};

/// The version of the specification that is written.
const VERSION: &str = "1.1.0";

/// The version of STAC of items that do not say theirs.
const STAC_VERSION: &str = "1.1.0";

/// Members of items that are no properties, in the order in which items are written.
const OUTSIDE: [&str; 9] = [
    "type",
    "stac_version",
    "stac_extensions",
    "id",
    "geometry",
    "bbox",
    "links",
    "assets",
    "collection",
];

/// Columns and members that are geometries.
const GEOMETRY: &str = "geometry";
const PROJECTED: &str = "proj:geometry";

/// Members that are times by the specification of STAC and its extensions.
const TIMES: [&str; 8] = [
    "datetime",
    "start_datetime",
    "end_datetime",
    "created",
    "updated",
    "published",
    "expires",
    "unpublished",
];

/// Reads the items of a file.
pub(crate) fn read(data: &[u8]) -> Result<Document> {
    read::items(Bytes::copy_from_slice(data)).map(Document::of_items)
}

/// The file of an item or of items.
pub(crate) fn write(document: &Document) -> Result<Vec<u8>> {
    if !matches!(document.kind(), Kind::Item | Kind::ItemCollection) {
        let detail = format!("a {} is no row of a table: only items are", document.kind());
        return Err(Error::new(ErrorKind::Document, "write geoparquet", "", detail));
    }
    write::file(document.objects())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn item(id: &str, more: Value) -> Value {
        let mut item = json!({
            "type": "Feature", "stac_version": "1.1.0", "stac_extensions": [], "id": id,
            "geometry": {"type": "Point", "coordinates": [7.5, 51.25]},
            "bbox": [7.5, 51.25, 7.5, 51.25],
            "properties": {"datetime": "2024-03-05T10:20:30Z"},
            "links": [{"rel": "self", "href": "https://h/i.json"}],
            "assets": {"data": {"href": "a.tif", "roles": ["data"], "file:size": 5}},
            "collection": "c",
        });
        for (key, value) in more.as_object().unwrap() {
            match key.as_str() {
                "assets" | "geometry" | "bbox" => item[key] = value.clone(),
                _ => item["properties"][key] = value.clone(),
            }
        }
        item
    }

    fn there_and_back(items: &[Value]) -> Vec<Value> {
        let items = items.iter().map(|item| item.clone().into()).collect();
        let file = write(&Document::of_items(items)).unwrap();
        let document = Document::from_bytes(&file).unwrap();
        document.objects().iter().map(|item| item.to_value()).collect()
    }

    #[test]
    fn items_come_back() {
        let items = [
            item("one", json!({"eo:cloud_cover": 12.5, "platform": "p", "gsd": 10})),
            item("two", json!({"created": "2024-03-05T10:20:30.123456Z", "gsd": 20, "flag": true})),
            item(
                "three",
                json!({
                    "proj:geometry": {"type": "Point", "coordinates": [1.0, 2.0]},
                    "deep": [{"a": [1.5, 2.5]}, {"b": "x"}],
                    "assets": {"other": {"href": "b.tif", "bands": [{"name": "b1"}, {"name": "b2"}]}},
                    "bbox": [7.5, 51.25, 0.0, 7.5, 51.25, 9.0],
                }),
            ),
        ];
        assert_eq!(there_and_back(&items), items);
    }

    #[test]
    fn numbers_come_back_to_the_last_digit() {
        let text = r#"{"type":"Feature","stac_version":"1.1.0","id":"a","geometry":{"type":"Point","coordinates":[-124.27384594041735,-9.187665789119775]},"bbox":[-124.27384594041735,-9.187665789119775,-124.27384594041735,-9.187665789119775],"properties":{"datetime":null,"x":-122.53780648794415},"links":[],"assets":{}}"#;
        let item = crate::json::Json::parse(text).unwrap();
        let file = write(&Document::of_items(vec![item])).unwrap();
        let text = Document::from_bytes(&file).unwrap().to_text();
        for (number, times) in
            [("-124.27384594041735", 3), ("-9.187665789119775", 3), ("-122.53780648794415", 1)]
        {
            assert_eq!(text.matches(number).count(), times, "{number} in {text}");
        }
    }

    #[test]
    fn nothing_is_made_up() {
        let bare = item("bare", json!({"geometry": null, "assets": {}, "datetime": null}));
        let bare = [bare];
        assert_eq!(there_and_back(&bare), bare);
        assert_eq!(there_and_back(&[]), [] as [Value; 0]);
    }

    #[test]
    fn numbers_and_texts_find_a_common_type_or_none() {
        let mixed = [item("a", json!({"x": 1})), item("b", json!({"x": 1.5}))];
        assert_eq!(there_and_back(&mixed)[0]["properties"]["x"], json!(1.0));
        let torn = [item("a", json!({"x": 1})), item("b", json!({"x": "nan"}))];
        let torn = Document::of_items(torn.into_iter().map(Into::into).collect());
        let error = write(&torn).unwrap_err().to_string();
        assert!(error.contains("'x' is a number in one place and a text in another"), "{error}");
        let clash = Document::of_items(vec![item("a", json!({"id": "b"})).into()]);
        assert!(write(&clash).unwrap_err().to_string().contains("the property 'id' of 'a'"));
    }

    #[test]
    fn other_parquet_files_are_told_apart() {
        for data in [b"PAR1".as_slice(), b"PAR1 and so on PAR1"] {
            let error = Document::from_bytes(data).unwrap_err().to_string();
            assert!(error.contains("cannot be read as Parquet"), "{error}");
        }
    }
}
