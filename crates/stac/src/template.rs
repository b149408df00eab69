//! Path templates: `${collection}/${year}/${id}`, `${asset.key}`.

use chrono::{DateTime, Datelike, NaiveDate};
use serde_json::Value;

use crate::asset::text;
use crate::document::{id, name_of};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;

/// A path with variables, as `pystac`'s layout templates write it.
///
/// `${id}`, `${collection}`, `${datetime}`, `${date}`, `${year}`, `${month}` and `${day}` are known of every item; any
/// other name is looked up in the item, its properties, and the members of these that dots lead to. `$$` is a dollar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// What is known of an asset where files are named.
const OF_ASSETS: &str = "${asset.key}, ${asset.name}, ${asset.stem} and ${asset.ext}";

/// What a template is filled with beyond the item.
pub(crate) type Extra<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`ErrorKind::Template`] for a variable without an end or without a name.
    pub fn parse(text: &str) -> Result<Self> {
        let bad =
            |detail: &str| Err(Error::new(ErrorKind::Template, "read template", text, detail));
        let (mut parts, mut rest, mut plain) = (Vec::new(), text, String::new());
        while let Some(at) = rest.find('$') {
            plain.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                plain.push('$');
                rest = after;
                continue;
            }
            let (name, after) = if let Some(inner) = rest.strip_prefix('{') {
                match inner.split_once('}') {
                    Some(found) => found,
                    None => return bad("a `${` has no `}`"),
                }
            } else {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '.')))
                    .unwrap_or(rest.len());
                rest.split_at(end)
            };
            if name.trim().is_empty() {
                return bad("a `$` has no name after it; write `$$` for a dollar");
            }
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Variable(name.trim().to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The template filled with what `item` says.
    ///
    /// # Errors
    /// [`ErrorKind::Template`] naming a variable that the item lacks.
    pub(crate) fn fill(&self, item: &Json, extra: Extra<'_>) -> Result<String> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Variable(name) => match extra(name).or_else(|| variable(item, name)) {
                    Some(value) => filled.push_str(&value),
                    None => {
                        let is_of_asset =
                            name.starts_with("asset.") && extra("asset.key").is_some();
                        let detail = match is_of_asset {
                            true => {
                                format!("there is no '{name}': of assets there are {OF_ASSETS}")
                            }
                            false => {
                                format!("item '{}' has no value called '{name}'", name_of(item))
                            }
                        };
                        let template = self.text.as_str();
                        return Err(Error::new(
                            ErrorKind::Template,
                            "fill template",
                            template,
                            detail,
                        ));
                    }
                },
            }
        }
        Ok(filled)
    }
}

fn variable(item: &Json, name: &str) -> Option<String> {
    let date = || day(item);
    match name {
        "id" => id(item),
        "collection" => item.get("collection").and_then(text).or_else(|| {
            (crate::document::Kind::of(item)? != crate::document::Kind::Item).then(|| id(item))?
        }),
        "year" => date().map(|date| date.year().to_string()),
        "month" => date().map(|date| date.month().to_string()),
        "day" => date().map(|date| date.day().to_string()),
        "date" => date().map(|date| date.format("%Y-%m-%d").to_string()),
        _ => found(item, name).or_else(|| found(item.get("properties")?, name)),
    }
}

/// A member by its name, or by names with dots between them.
fn found(json: &Json, name: &str) -> Option<String> {
    if let Some(value) = json.get(name) {
        return printed(value);
    }
    let (first, rest) = name.split_once('.')?;
    found(json.get(first)?, rest)
}

fn printed(value: &Json) -> Option<String> {
    match value.to_value() {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        // As Python writes them, where these templates come from.
        Value::Bool(flag) => Some(if flag { "True" } else { "False" }.to_owned()),
        _ => None,
    }
}

/// The day an item was taken or began, in the zone that it is written in.
fn day(item: &Json) -> Option<NaiveDate> {
    let properties = item.get("properties")?;
    let of = |key| properties.get(key).and_then(text).and_then(|text| parse_day(&text));
    of("datetime").or_else(|| of("start_datetime"))
}

fn parse_day(text: &str) -> Option<NaiveDate> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.date_naive());
    }
    // Dates without a time, and times without a zone, stand in real documents.
    NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str) -> Result<String> {
        let item = Json::parse(
            r#"{"type": "Feature", "id": "i", "collection": "c", "properties":
                {"datetime": "2024-03-05T23:30:00-02:00", "landsat:path": "047", "eo": {"cloud": 5}, "x": true}}"#,
        );
        Template::parse(template)?
            .fill(&item.unwrap(), &|name| (name == "asset.key").then(|| "B1".to_owned()))
    }

    #[test]
    fn variables_are_what_pystac_has() {
        for (template, expected) in [
            ("${collection}/${year}/${month}/${day}", "c/2024/3/5"),
            ("${date}-${id}", "2024-03-05-i"),
            ("${landsat:path}/$id/${properties.eo.cloud}", "047/i/5"),
            ("${eo.cloud}$$${asset.key}-${x}", "5$B1-True"),
        ] {
            assert_eq!(fill(template).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(fill("${nothing}").unwrap_err().to_string().contains("'nothing'"));
        assert_eq!(fill("${id").unwrap_err().kind(), ErrorKind::Template);
        assert_eq!(fill("a$").unwrap_err().kind(), ErrorKind::Template);
    }
}
