//! Rows into items.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::{DataType, TimeUnit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Number, Value};

use super::{GEOMETRY, OUTSIDE, PROJECTED, wkb};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 1024;

/// The items of a file.
pub(super) fn items(data: Bytes) -> Result<Vec<Json>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(data).map_err(|e| failed(&e))?;
    if builder.schema().index_of("id").is_err() {
        let detail = "it is Parquet without a column 'id', and so not stac-geoparquet";
        return Err(Error::new(ErrorKind::Document, "read document", "", detail));
    }
    let mut items = Vec::new();
    for batch in builder.with_batch_size(BATCH_ROWS).build().map_err(|e| failed(&e))? {
        let batch = batch.map_err(|e| failed(&e))?;
        for row in 0..batch.num_rows() {
            items.push(item(&batch, row)?);
        }
    }
    Ok(items)
}

fn failed(error: &dyn std::error::Error) -> Error {
    let detail = format!("it cannot be read as Parquet: {error}");
    Error::new(ErrorKind::Document, "read document", "", detail)
}

fn item(batch: &RecordBatch, row: usize) -> Result<Json> {
    let (mut outside, mut properties) = (Map::new(), Map::new());
    let schema = batch.schema_ref();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name();
        let Some(found) = value(name, column, row)? else { continue };
        match found {
            found if OUTSIDE.contains(&name.as_str()) => drop(outside.insert(name.clone(), found)),
            // Some writers leave them together.
            Value::Object(own) if name == "properties" => properties.extend(own),
            found => drop(properties.insert(name.clone(), found)),
        }
    }
    // Items have one, even where it is unknown.
    properties.entry("datetime").or_insert(Value::Null);
    let mut item = Map::new();
    for name in OUTSIDE {
        if name == "links" {
            item.insert("properties".to_owned(), Value::Object(std::mem::take(&mut properties)));
        }
        let found = outside.remove(name).or_else(|| absent(name));
        item.extend(found.map(|found| (name.to_owned(), found)));
    }
    Ok(Value::Object(item).into())
}

/// What an item has where its row has nothing.
fn absent(name: &str) -> Option<Value> {
    Some(match name {
        "type" => "Feature".into(),
        "stac_version" => super::STAC_VERSION.into(),
        "stac_extensions" | "links" => Value::Array(Vec::new()),
        "geometry" => Value::Null,
        "assets" => Value::Object(Map::new()),
        _ => return None,
    })
}

/// The value of a row; `None` where there is none, and for what has no place in JSON.
fn value(name: &str, array: &dyn Array, row: usize) -> Result<Option<Value>> {
    if array.is_null(row) {
        return Ok(None);
    }
    Ok(match array.data_type() {
        DataType::Null => None,
        DataType::Boolean => Some(array.as_boolean().value(row).into()),
        DataType::Int8 => Some(number::<Int8Type>(array, row).into()),
        DataType::Int16 => Some(number::<Int16Type>(array, row).into()),
        DataType::Int32 => Some(number::<Int32Type>(array, row).into()),
        DataType::Int64 => Some(number::<Int64Type>(array, row).into()),
        DataType::UInt8 => Some(number::<UInt8Type>(array, row).into()),
        DataType::UInt16 => Some(number::<UInt16Type>(array, row).into()),
        DataType::UInt32 => Some(number::<UInt32Type>(array, row).into()),
        DataType::UInt64 => Some(number::<UInt64Type>(array, row).into()),
        DataType::Float16 => float(number::<Float16Type>(array, row).to_f64()),
        DataType::Float32 => float(number::<Float32Type>(array, row).into()),
        DataType::Float64 => float(number::<Float64Type>(array, row)),
        DataType::Decimal128(_, scale) => {
            let whole = number::<Decimal128Type>(array, row);
            float(whole as f64 / 10f64.powi(i32::from(*scale)))
        }
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Some(array.as_string_view().value(row).into()),
        DataType::Binary => Some(binary(name, array.as_binary::<i32>().value(row))?),
        DataType::LargeBinary => Some(binary(name, array.as_binary::<i64>().value(row))?),
        DataType::BinaryView => Some(binary(name, array.as_binary_view().value(row))?),
        DataType::Timestamp(unit, _) => time(*unit, array, row)
            .map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()),
        DataType::Date32 => {
            array.as_primitive::<Date32Type>().value_as_date(row).map(|day| day.to_string().into())
        }
        DataType::Date64 => {
            array.as_primitive::<Date64Type>().value_as_date(row).map(|day| day.to_string().into())
        }
        DataType::Struct(_) => Some(object(name, array.as_struct(), row)?),
        DataType::List(_) => Some(list(name, &array.as_list::<i32>().value(row))?),
        DataType::LargeList(_) => Some(list(name, &array.as_list::<i64>().value(row))?),
        DataType::FixedSizeList(..) => Some(list(name, &array.as_fixed_size_list().value(row))?),
        DataType::Map(..) => Some(map(name, &array.as_map().value(row))?),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys()[row];
            value(name, dictionary.values(), key)?
        }
        other => {
            let detail =
                format!("its column '{name}' has the type {other}, which JSON has no form for");
            return Err(Error::new(ErrorKind::Document, "read document", "", detail));
        }
    })
}

fn number<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn float(value: f64) -> Option<Value> {
    Number::from_f64(value).map(Value::Number)
}

fn time(unit: TimeUnit, array: &dyn Array, row: usize) -> Option<DateTime<Utc>> {
    match unit {
        TimeUnit::Second => DateTime::from_timestamp(number::<TimestampSecondType>(array, row), 0),
        TimeUnit::Millisecond => {
            DateTime::from_timestamp_millis(number::<TimestampMillisecondType>(array, row))
        }
        TimeUnit::Microsecond => {
            DateTime::from_timestamp_micros(number::<TimestampMicrosecondType>(array, row))
        }
        TimeUnit::Nanosecond => {
            Some(DateTime::from_timestamp_nanos(number::<TimestampNanosecondType>(array, row)))
        }
    }
}

fn binary(name: &str, data: &[u8]) -> Result<Value> {
    if ![GEOMETRY, PROJECTED].contains(&name) {
        return Ok(BASE64_STANDARD.encode(data).into());
    }
    wkb::read(data).ok_or_else(|| {
        let detail = format!("a value of its column '{name}' is not well-known binary");
        Error::new(ErrorKind::Document, "read document", "", detail)
    })
}

fn object(name: &str, array: &StructArray, row: usize) -> Result<Value> {
    if let Some(bbox) = bbox(name, array, row)? {
        return Ok(bbox);
    }
    let mut members = Map::new();
    for (field, column) in array.fields().iter().zip(array.columns()) {
        if let Some(found) = value(field.name(), column, row)? {
            members.insert(field.name().clone(), found);
        }
    }
    Ok(Value::Object(members))
}

/// The numbers of a bounding box, which GeoParquet has by name.
fn bbox(name: &str, array: &StructArray, row: usize) -> Result<Option<Value>> {
    if name != "bbox" || array.column_by_name("xmin").is_none() {
        return Ok(None);
    }
    let mut numbers = Vec::new();
    for name in ["xmin", "ymin", "zmin", "xmax", "ymax", "zmax"] {
        if let Some(column) = array.column_by_name(name) {
            numbers.extend(value(name, column, row)?);
        }
    }
    Ok(Some(Value::Array(numbers)))
}

fn list(name: &str, values: &dyn Array) -> Result<Value> {
    let values = (0..values.len()).map(|at| Ok(value(name, values, at)?.unwrap_or(Value::Null)));
    values.collect::<Result<_>>().map(Value::Array)
}

fn map(name: &str, entries: &StructArray) -> Result<Value> {
    let mut members = Map::new();
    for row in 0..entries.len() {
        let key = value(name, entries.column(0), row)?;
        let Some(Value::String(key)) = key else { continue };
        if let Some(found) = value(&key, entries.column(1), row)? {
            members.insert(key, found);
        }
    }
    Ok(Value::Object(members))
}
