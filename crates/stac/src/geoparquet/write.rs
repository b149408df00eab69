//! Items into rows.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use indexmap::IndexMap;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value, json};

use super::shape::{Shape, time};
use super::{GEOMETRY, OUTSIDE, VERSION, wkb};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;

/// One column: a value for each row.
type Column<'a> = Vec<Option<&'a Value>>;

/// A file of items.
pub(super) fn file(items: &[Json]) -> Result<Vec<u8>> {
    let rows = items.iter().map(row).collect::<Result<Vec<_>>>()?;
    let mut shapes: IndexMap<String, Shape> = IndexMap::new();
    for (name, value) in rows.iter().flatten() {
        let shape = Shape::of(name, value)?;
        let both = match shapes.shift_remove(name) {
            Some(known) => known.with(shape, name)?,
            None => shape,
        };
        shapes.insert(name.clone(), both);
    }
    // Files without rows are told apart by it.
    shapes.entry("id".to_owned()).or_insert(Shape::Text);
    // GeoParquet has the column even where no item has a geometry.
    let geometry = shapes.entry(GEOMETRY.to_owned()).or_insert(Shape::Geometry);
    if *geometry == Shape::Nothing {
        *geometry = Shape::Geometry;
    }
    let names: Vec<String> = ordered(&shapes);
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for name in &names {
        let values: Column<'_> = rows.iter().map(|row| row.get(name)).collect();
        let array = array(name, &shapes[name], &values).map_err(|e| failed(&e))?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let has_bbox = names.iter().any(|name| name == "bbox");
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(|e| failed(&e))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(|e| failed(&e))?;
    writer.write(&batch).map_err(|e| failed(&e))?;
    let own = json!({"version": VERSION});
    for (key, value) in [("geo", geo(&rows, has_bbox)), ("stac-geoparquet", own)] {
        writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_string()));
    }
    writer.into_inner().map_err(|e| failed(&e))
}

fn failed(error: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::Document, "write geoparquet", "", error.to_string())
}

/// The columns that hold something: those of items first, then their properties by name.
fn ordered(shapes: &IndexMap<String, Shape>) -> Vec<String> {
    let mut names: Vec<String> = shapes
        .iter()
        .filter(|(_, shape)| shape.is_something())
        .map(|(name, _)| name.clone())
        .collect();
    let rank =
        |name: &str| OUTSIDE.iter().position(|known| *known == name).unwrap_or(OUTSIDE.len());
    names.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.cmp(other)));
    names
}

/// The members of an item with its properties among them.
fn row(item: &Json) -> Result<Map<String, Value>> {
    let Value::Object(mut members) = item.to_value() else { return Ok(Map::new()) };
    let Some(Value::Object(properties)) = members.remove("properties") else { return Ok(members) };
    for (name, value) in properties {
        if OUTSIDE.contains(&name.as_str()) || members.contains_key(&name) {
            let detail = format!(
                "the property '{name}' of '{}' has the name of a member of items, beside which it would stand",
                crate::document::name_of(item)
            );
            return Err(Error::new(ErrorKind::Document, "write geoparquet", "", detail));
        }
        members.insert(name, value);
    }
    if let Some(bbox) = members.get("bbox").and_then(named) {
        members.insert("bbox".to_owned(), bbox);
    }
    Ok(members)
}

/// The numbers of a bounding box by name, as GeoParquet has them.
fn named(bbox: &Value) -> Option<Value> {
    let numbers: Vec<f64> = bbox.as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
    let names: &[&str] = match numbers.len() {
        4 => &["xmin", "ymin", "xmax", "ymax"],
        6 => &["xmin", "ymin", "zmin", "xmax", "ymax", "zmax"],
        _ => return None,
    };
    let members =
        names.iter().zip(numbers).map(|(name, number)| ((*name).to_owned(), number.into()));
    Some(Value::Object(members.collect()))
}

/// The metadata of GeoParquet 1.1.
fn geo(rows: &[Map<String, Value>], has_bbox: bool) -> Value {
    let geometries = rows.iter().filter_map(|row| wkb::type_name(row.get(GEOMETRY)?));
    let types: std::collections::BTreeSet<String> = geometries.collect();
    let mut column = json!({"encoding": "WKB", "geometry_types": types});
    if has_bbox {
        let side = |name: &str| json!(["bbox", name]);
        column["covering"] = json!({"bbox": {
            "xmin": side("xmin"), "ymin": side("ymin"), "xmax": side("xmax"), "ymax": side("ymax"),
        }});
    }
    json!({"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}})
}

fn array(name: &str, shape: &Shape, values: &[Option<&Value>]) -> Result<ArrayRef, ArrowError> {
    let each = || values.iter().copied();
    Ok(match shape {
        Shape::Nothing => new_null_array(&DataType::Null, values.len()),
        Shape::Switch => Arc::new(each().map(|value| value?.as_bool()).collect::<BooleanArray>()),
        Shape::Whole => Arc::new(each().map(|value| value?.as_i64()).collect::<Int64Array>()),
        Shape::Number => Arc::new(each().map(|value| value?.as_f64()).collect::<Float64Array>()),
        Shape::Text => Arc::new(each().map(|value| value?.as_str()).collect::<StringArray>()),
        Shape::Time => {
            let times = each().map(|value| time(value?.as_str()?));
            Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        Shape::Geometry => {
            let geometries: Vec<Option<Vec<u8>>> =
                each().map(|value| geometry(name, value)).collect::<Result<_, _>>()?;
            Arc::new(geometries.iter().map(Option::as_deref).collect::<BinaryArray>())
        }
        Shape::List(inner) => list(name, inner, values)?,
        Shape::Object(members) => object(members, values)?,
    })
}

fn geometry(name: &str, value: Option<&Value>) -> Result<Option<Vec<u8>>, ArrowError> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let bytes = wkb::write(value);
    let bytes = bytes.ok_or_else(|| {
        ArrowError::InvalidArgumentError(format!("a '{name}' is not a geometry of GeoJSON"))
    })?;
    Ok(Some(bytes))
}

fn list(name: &str, inner: &Shape, values: &[Option<&Value>]) -> Result<ArrayRef, ArrowError> {
    let lists: Vec<Option<&Vec<Value>>> = values.iter().map(|value| (*value)?.as_array()).collect();
    let lengths = lists.iter().map(|list| list.map_or(0, Vec::len));
    let elements: Column<'_> = lists.iter().copied().flatten().flatten().map(Some).collect();
    let elements = array(name, inner, &elements)?;
    let field = Arc::new(Field::new("element", elements.data_type().clone(), true));
    let nulls: NullBuffer = lists.iter().map(Option::is_some).collect::<Vec<bool>>().into();
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field, offsets, elements, Some(nulls))?))
}

fn object(
    members: &IndexMap<String, Shape>,
    values: &[Option<&Value>],
) -> Result<ArrayRef, ArrowError> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (name, shape) in members.iter().filter(|(_, shape)| shape.is_something()) {
        let column: Column<'_> = values.iter().map(|value| (*value)?.get(name)).collect();
        let array = array(name, shape, &column)?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let present = values.iter().map(|value| value.is_some_and(Value::is_object));
    let nulls: NullBuffer = present.collect::<Vec<bool>>().into();
    Ok(Arc::new(StructArray::try_new(Fields::from(fields), arrays, Some(nulls))?))
}
