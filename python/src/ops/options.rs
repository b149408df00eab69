//! Arguments of operations: conditions, ranges, attributes, tags, modes.

use holdall::store::object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, GetRange, PutMode, TagSet, UpdateVersion,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::meta::time_in;

/// Reads `GetOptions`; None stands for an option that is not given.
pub(super) fn get_options(given: Option<&Bound<'_, PyDict>>) -> PyResult<GetOptions> {
    let mut options = GetOptions::default();
    for (key, value) in given.into_iter().flat_map(|dict| dict.iter()) {
        let key: String = key.extract()?;
        match key.as_str() {
            "if_match" => options.if_match = value.extract()?,
            "if_none_match" => options.if_none_match = value.extract()?,
            "if_modified_since" if value.is_none() => {}
            "if_modified_since" => options.if_modified_since = Some(time_in(&value)?),
            "if_unmodified_since" if value.is_none() => {}
            "if_unmodified_since" => options.if_unmodified_since = Some(time_in(&value)?),
            "range" if !value.is_none() => options.range = Some(get_range(&value)?),
            "range" => {}
            "version" => options.version = value.extract()?,
            "head" => options.head = value.extract::<Option<bool>>()?.unwrap_or(false),
            _ => {
                return Err(PyValueError::new_err(format!(
                    "unknown key '{key}' of GetOptions; known are if_match, if_none_match, if_modified_since, \
                     if_unmodified_since, range, version, head"
                )));
            }
        }
    }
    Ok(options)
}

fn get_range(value: &Bound<'_, PyAny>) -> PyResult<GetRange> {
    if let Ok((start, end)) = value.extract::<(u64, u64)>() {
        return bounded(start, end).map(GetRange::Bounded);
    }
    if let Ok(pair) = value.extract::<Vec<u64>>()
        && let [start, end] = pair[..]
    {
        return bounded(start, end).map(GetRange::Bounded);
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        if let Some(offset) = dict.get_item("offset")? {
            return Ok(GetRange::Offset(offset.extract()?));
        }
        if let Some(suffix) = dict.get_item("suffix")? {
            return Ok(GetRange::Suffix(suffix.extract()?));
        }
    }
    Err(PyValueError::new_err(
        "Invalid range: expected (start, end), {\"offset\": n} or {\"suffix\": n} with numbers of bytes",
    ))
}

/// A range with at least one byte.
pub(super) fn bounded(start: u64, end: u64) -> PyResult<std::ops::Range<u64>> {
    if end > start {
        return Ok(start..end);
    }
    Err(PyValueError::new_err(format!(
        "Invalid range: start {start} must come before end {end} (both in bytes, the end exclusive)"
    )))
}

/// The range of `start` and exactly one of `end` and `length`.
pub(super) fn start_range(
    start: u64,
    end: Option<u64>,
    length: Option<u64>,
) -> PyResult<std::ops::Range<u64>> {
    match (end, length) {
        (Some(_), Some(_)) => Err(PyValueError::new_err("end and length cannot both be given")),
        (None, None) => Err(PyValueError::new_err("either end or length must be given")),
        (Some(end), None) => bounded(start, end),
        (None, Some(length)) => bounded(start, start.saturating_add(length)),
    }
}

/// Reads attributes: names in any letter case; any other name is user metadata.
pub(crate) fn attributes_in(given: Option<&Bound<'_, PyDict>>) -> PyResult<Attributes> {
    let mut attributes = Attributes::new();
    for (key, value) in given.into_iter().flat_map(|dict| dict.iter()) {
        let (key, value): (String, Option<String>) = (key.extract()?, value.extract()?);
        let Some(value) = value else { continue };
        attributes.insert(attribute(&key), AttributeValue::from(value));
    }
    Ok(attributes)
}

fn attribute(name: &str) -> Attribute {
    match name.to_ascii_lowercase().as_str() {
        "content-disposition" | "contentdisposition" => Attribute::ContentDisposition,
        "content-encoding" | "contentencoding" => Attribute::ContentEncoding,
        "content-language" | "contentlanguage" => Attribute::ContentLanguage,
        "content-type" | "contenttype" => Attribute::ContentType,
        "cache-control" | "cachecontrol" => Attribute::CacheControl,
        "storage-class" | "storageclass" => Attribute::StorageClass,
        _ => Attribute::Metadata(name.to_owned().into()),
    }
}

/// Attributes as a dictionary with names in title case.
pub(super) fn attributes_out<'py>(
    py: Python<'py>,
    attributes: &Attributes,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (attribute, value) in attributes {
        let name = match attribute {
            Attribute::ContentDisposition => "Content-Disposition",
            Attribute::ContentEncoding => "Content-Encoding",
            Attribute::ContentLanguage => "Content-Language",
            Attribute::ContentType => "Content-Type",
            Attribute::CacheControl => "Cache-Control",
            Attribute::StorageClass => "Storage-Class",
            Attribute::Metadata(name) => name,
            other => return Err(PyTypeError::new_err(format!("unknown attribute {other:?}"))),
        };
        dict.set_item(name, value.as_ref())?;
    }
    Ok(dict)
}

/// Reads tags.
pub(crate) fn tags_in(given: Option<&Bound<'_, PyDict>>) -> PyResult<TagSet> {
    let mut tags = TagSet::default();
    for (key, value) in given.into_iter().flat_map(|dict| dict.iter()) {
        tags.push(&key.extract::<String>()?, &value.extract::<String>()?);
    }
    Ok(tags)
}

/// Reads a mode of writing: `"create"`, `"overwrite"`, or the result of an earlier put.
pub(super) fn put_mode(given: Option<&Bound<'_, PyAny>>) -> PyResult<PutMode> {
    let Some(given) = given else { return Ok(PutMode::Overwrite) };
    if let Ok(name) = given.cast::<PyString>() {
        return match name.to_string().to_ascii_lowercase().as_str() {
            "create" => Ok(PutMode::Create),
            "overwrite" => Ok(PutMode::Overwrite),
            other => Err(PyValueError::new_err(format!(
                "mode is 'create', 'overwrite' or a dict with e_tag and version, not '{other}'"
            ))),
        };
    }
    let dict = given.cast::<PyDict>().map_err(|_| {
        PyTypeError::new_err("mode is 'create', 'overwrite' or a dict with e_tag and version")
    })?;
    let text = |key: &str| -> PyResult<Option<String>> {
        dict.get_item(key)?.map_or(Ok(None), |value| value.extract())
    };
    Ok(PutMode::Update(UpdateVersion { e_tag: text("e_tag")?, version: text("version")? }))
}
