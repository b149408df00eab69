//! Which type a column has, by the values in it.

use indexmap::IndexMap;
use serde_json::Value;

use super::{GEOMETRY, PROJECTED, TIMES};
use crate::error::{Error, ErrorKind, Result};

/// The type of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Nothing is known: there are no values, or empty objects only, which Parquet does not have.
    Nothing,
    Switch,
    Whole,
    Number,
    Text,
    Time,
    Geometry,
    List(Box<Shape>),
    Object(IndexMap<String, Shape>),
}

impl Shape {
    /// The type of one value, which is called `name`.
    pub(super) fn of(name: &str, value: &Value) -> Result<Self> {
        Ok(match value {
            Value::Null => Self::Nothing,
            Value::Bool(_) => Self::Switch,
            Value::Number(number) if number.is_i64() => Self::Whole,
            Value::Number(_) => Self::Number,
            Value::String(text) if TIMES.contains(&name) && time(text).is_some() => Self::Time,
            Value::String(_) => Self::Text,
            Value::Array(values) => {
                let mut shape = Self::Nothing;
                for value in values {
                    shape = shape.with(Self::of(name, value)?, name)?;
                }
                Self::List(Box::new(shape))
            }
            Value::Object(_) if [GEOMETRY, PROJECTED].contains(&name) => Self::Geometry,
            Value::Object(members) => {
                let members =
                    members.iter().map(|(key, value)| Ok((key.clone(), Self::of(key, value)?)));
                Self::Object(members.collect::<Result<_>>()?)
            }
        })
    }

    /// The type that has room for both.
    ///
    /// # Errors
    /// When no type has.
    pub(super) fn with(self, other: Self, name: &str) -> Result<Self> {
        Ok(match (self, other) {
            (one, other) if one == other => one,
            (Self::Nothing, some) | (some, Self::Nothing) => some,
            (Self::Whole, Self::Number) | (Self::Number, Self::Whole) => Self::Number,
            (Self::Time, Self::Text) | (Self::Text, Self::Time) => Self::Text,
            (Self::List(one), Self::List(other)) => Self::List(Box::new(one.with(*other, name)?)),
            (Self::Object(mut all), Self::Object(more)) => {
                for (key, shape) in more {
                    let known =
                        all.get_mut(&key).map(|known| std::mem::replace(known, Self::Nothing));
                    let both = match known {
                        Some(known) => known.with(shape, &key)?,
                        None => shape,
                    };
                    all.insert(key, both);
                }
                Self::Object(all)
            }
            (one, other) => {
                let detail = format!(
                    "'{name}' is {} in one place and {} in another: a column of stac-geoparquet has one type; write \
                     JSON or NDJSON instead",
                    one.word(),
                    other.word()
                );
                return Err(Error::new(ErrorKind::Document, "write geoparquet", "", detail));
            }
        })
    }

    /// Whether there is anything to write.
    pub(super) fn is_something(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Object(members) => members.values().any(Self::is_something),
            _ => true,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Switch => "true or false",
            Self::Whole | Self::Number => "a number",
            Self::Text | Self::Time => "a text",
            Self::List(_) => "a list",
            Self::Geometry | Self::Object(_) => "an object",
        }
    }
}

/// Microseconds since 1970 of a time of RFC 3339.
pub(super) fn time(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
}
