//! JSON that stays as it was written.
//!
//! A [`Json`] value keeps its text. It is taken apart where somebody looks inside, one level at a time, and written anew
//! only where somebody changed it: numbers (`1.10`, `1e5`, integers of any length), escapes, the order of members and
//! the layout of everything untouched come out byte for byte.

pub(crate) mod numbers;
mod style;

use std::borrow::Cow;
use std::sync::OnceLock;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

pub use style::Style;

/// The members of an object, in their order. Most objects are small, and the usual hash would be half of what it takes to look
/// inside them.
pub type Members = IndexMap<String, Json, foldhash::fast::RandomState>;

/// A value that is written as it was read until it is changed.
#[derive(Debug, Clone)]
pub struct Json(Node);

#[derive(Debug, Clone)]
enum Node {
    /// As it was read, with what is inside once somebody looked.
    Text(Box<RawValue>, OnceLock<Inside>),
    Object(Members),
    Array(Vec<Json>),
}

#[derive(Debug, Clone)]
enum Inside {
    Object(Members),
    Array(Vec<Json>),
    Scalar,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::from_raw)
    }
}

impl Json {
    /// Reads a text that is one JSON value. `NaN` and `Infinity`, which JSON lacks and Python writes, stay as they are.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).or_else(|error| {
            let marked = numbers::marked(text).ok_or(error)?;
            serde_json::from_str(&marked)
        })
    }

    fn from_raw(raw: Box<RawValue>) -> Self {
        Self(Node::Text(raw, OnceLock::new()))
    }

    /// An object without members.
    pub fn object() -> Self {
        Self(Node::Object(Members::default()))
    }

    fn inside(&self) -> Either<'_> {
        match &self.0 {
            Node::Object(members) => Either::Object(members),
            Node::Array(values) => Either::Array(values),
            Node::Text(raw, inside) => match inside.get_or_init(|| Inside::of(raw)) {
                Inside::Object(members) => Either::Object(members),
                Inside::Array(values) => Either::Array(values),
                Inside::Scalar => Either::Scalar,
            },
        }
    }

    /// The members, if it is an object.
    pub fn as_object(&self) -> Option<&Members> {
        match self.inside() {
            Either::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self.inside() {
            Either::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The member `key`, if it is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// The members, to be changed. From now on the object is written anew, its untouched members are not.
    pub fn as_object_mut(&mut self) -> Option<&mut Members> {
        self.take_apart();
        match &mut self.0 {
            Node::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements, to be changed.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        self.take_apart();
        match &mut self.0 {
            Node::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The member `key`, to be changed; `None` leaves the object as it was.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.get(key)?;
        self.as_object_mut()?.get_mut(key)
    }

    /// Sets a member of an object: in its place where it exists, at the end otherwise. Does nothing to other values.
    pub fn set(&mut self, key: &str, value: impl Into<Self>) {
        if let Some(members) = self.as_object_mut() {
            members.insert(key.to_owned(), value.into());
        }
    }

    /// Removes a member and keeps the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        self.get(key)?;
        self.as_object_mut()?.shift_remove(key)
    }

    fn take_apart(&mut self) {
        let Node::Text(raw, inside) = &mut self.0 else { return };
        match inside.take().unwrap_or_else(|| Inside::of(raw)) {
            Inside::Object(members) => self.0 = Node::Object(members),
            Inside::Array(values) => self.0 = Node::Array(values),
            Inside::Scalar => {}
        }
    }

    /// The string, without its escapes.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        let text = self.text()?;
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            return serde_json::from_str(text).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(inner))
    }

    /// The number, if it is a whole one that fits; `20.0` is one (JSON Schema, `integer`).
    pub fn as_u64(&self) -> Option<u64> {
        /// Up to here every whole number is one of these.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let text = self.text()?;
        text.parse().ok().or_else(|| {
            let number: f64 = text.parse().ok()?;
            (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
        })
    }

    /// The switch.
    pub fn as_bool(&self) -> Option<bool> {
        self.text()?.parse().ok()
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.text() == Some("null")
    }

    /// The text, if it was not taken apart.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.0 {
            Node::Text(raw, _) => Some(raw.get()),
            _ => None,
        }
    }

    /// The value in the vocabulary of `serde_json`. Numbers beyond 64 bits lose digits there, and what is no number is
    /// `null`.
    pub fn to_value(&self) -> Value {
        match &self.0 {
            Node::Text(raw, _) if numbers::has_marks(raw.get()) => {
                let text = numbers::without(&numbers::unmarked(raw.get()));
                serde_json::from_str(&text).unwrap_or(Value::Null)
            }
            Node::Text(raw, _) => serde_json::from_str(raw.get()).unwrap_or(Value::Null),
            Node::Object(members) => {
                Value::Object(members.iter().map(|(k, v)| (k.clone(), v.to_value())).collect())
            }
            Node::Array(values) => Value::Array(values.iter().map(Self::to_value).collect()),
        }
    }

    /// The text, unchanged parts as they were, changed ones in `style`.
    pub fn to_text(&self, style: &Style) -> String {
        let mut out = String::new();
        self.write(style, 0, &mut out);
        out
    }

    fn write(&self, style: &Style, depth: usize, out: &mut String) {
        match &self.0 {
            Node::Text(raw, _) if numbers::has_marks(raw.get()) => {
                out.push_str(&numbers::unmarked(raw.get()));
            }
            Node::Text(raw, _) => out.push_str(raw.get()),
            Node::Object(members) => style.object(depth, out, members, |value, depth, out| {
                value.write(style, depth, out);
            }),
            Node::Array(values) => style.array(depth, out, values, |value, depth, out| {
                value.write(style, depth, out);
            }),
        }
    }
}

enum Either<'a> {
    Object(&'a Members),
    Array(&'a [Json]),
    Scalar,
}

impl Inside {
    fn of(raw: &RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map_or(Self::Scalar, Self::Object),
            Some(b'[') => serde_json::from_str(text).map_or(Self::Scalar, Self::Array),
            _ => Self::Scalar,
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(members) => {
                Self(Node::Object(members.into_iter().map(|(k, v)| (k, v.into())).collect()))
            }
            Value::Array(values) => Self(Node::Array(values.into_iter().map(Into::into).collect())),
            scalar => {
                let text = RawValue::from_string(scalar.to_string());
                Self::from_raw(text.expect("a scalar prints as JSON"))
            }
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Value::from(text).into()
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Value::from(text).into()
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Value::from(number).into()
    }
}

impl From<Vec<Json>> for Json {
    fn from(values: Vec<Json>) -> Self {
        Self(Node::Array(values))
    }
}

impl From<Members> for Json {
    fn from(members: Members) -> Self {
        Self(Node::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_stays_as_it_was() {
        let text = r#"{"a": [1.0,  1e5, 12345678901234567890123], "b": {"c": "\u00e9\/"}, "d": 1}"#;
        let mut json = Json::parse(text).unwrap();
        assert_eq!(json.get("b").unwrap().get("c").unwrap().as_str().unwrap(), "é/");
        assert_eq!(json.to_text(&Style::detect(text)), text);
        json.set("d", 2u64);
        json.set("e", "new");
        assert_eq!(
            json.to_text(&Style::detect(text)),
            r#"{"a": [1.0,  1e5, 12345678901234567890123], "b": {"c": "\u00e9\/"}, "d": 2, "e": "new"}"#
        );
    }

    #[test]
    fn what_is_no_number_stays_what_it_was() {
        let text = r#"{"a": [NaN, -Infinity, 1], "b": "NaN \" Infinity", "c": Infinity, "d": 1}"#;
        let mut json = Json::parse(text).unwrap();
        json.set("d", 2u64);
        assert_eq!(json.to_text(&Style::detect(text)), text.replace("\"d\": 1", "\"d\": 2"));
        let value = json.to_value();
        assert_eq!(value["a"], serde_json::json!([null, null, 1]));
        assert_eq!(value["b"], "NaN \" Infinity");
        let error = Json::parse(r#"{"a": NaN, "b": Nan}"#).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn a_changed_object_keeps_the_layout_of_its_file() {
        let text = "{\n  \"a\": {\n    \"b\": [1, 2],\n    \"c\": {}\n  },\n  \"z\": null\n}\n";
        let mut json = Json::parse(text).unwrap();
        json.get_mut("a").unwrap().set("d", Value::from(vec![1]));
        assert_eq!(
            json.to_text(&Style::detect(text)),
            "{\n  \"a\": {\n    \"b\": [1, 2],\n    \"c\": {},\n    \"d\": [\n      1\n    ]\n  },\n  \"z\": null\n}"
        );
    }

    #[test]
    fn members_keep_their_place_when_others_go() {
        let mut json = Json::parse(r#"{"a":1,"b":2,"c":3}"#).unwrap();
        json.remove("a");
        assert_eq!(json.to_text(&Style::compact()), r#"{"b":2,"c":3}"#);
    }
}
