//! Descriptions of objects as dictionaries.

use chrono::{DateTime, Datelike, Timelike, Utc};
use holdall::store::object_store::{ObjectMeta, PutResult};
use holdall::store::{OddKey, OddVersion, VersionEntry};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTzInfo};

/// A time from a datetime of any zone; one without a zone is refused, for it may mean the local one or UTC.
pub(crate) fn time_in(time: &Bound<'_, PyAny>) -> PyResult<DateTime<Utc>> {
    let py = time.py();
    let zone = time.getattr_opt(intern!(py, "tzinfo"))?.ok_or_else(|| {
        PyTypeError::new_err(format!("expected a datetime, not {}", time.get_type()))
    })?;
    if zone.is_none() {
        return Err(PyValueError::new_err(format!(
            "{time} has no time zone: give one, such as datetime.timezone.utc"
        )));
    }
    // Zones come from several packages, and most of them are not `datetime.timezone.utc` even where they mean it.
    time.call_method1(intern!(py, "astimezone"), (PyTzInfo::utc(py)?,))?.extract()
}

/// A time in UTC, to the microsecond.
pub(super) fn time<'py>(py: Python<'py>, time: &DateTime<Utc>) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS
        .get_or_try_init(py, || py.import("datetime")?.getattr("datetime").map(Bound::unbind))?
        .bind(py);
    let (date, clock) = (time.date_naive(), time.time());
    let year = date.year();
    // The stable interface has no constructor in C. The ten bytes that pickles hold cost half of what eight numbers do.
    let micros = (clock.nanosecond() / 1000).min(999_999).to_be_bytes();
    let state = [
        (year >> 8) as u8,
        year as u8,
        date.month() as u8,
        date.day() as u8,
        clock.hour() as u8,
        clock.minute() as u8,
        clock.second() as u8,
        micros[1],
        micros[2],
        micros[3],
    ];
    class.call1((PyBytes::new(py, &state), PyTzInfo::utc(py)?))
}

/// An object of a listing, also one whose key no path can hold.
pub(crate) type Entry = std::result::Result<ObjectMeta, Box<OddKey>>;

/// What is told of an object.
pub(crate) struct Row<'a> {
    pub(crate) path: &'a str,
    pub(crate) last_modified: &'a DateTime<Utc>,
    pub(crate) size: u64,
    pub(crate) e_tag: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
}

impl<'a> Row<'a> {
    pub(crate) fn of(entry: &'a Entry) -> Self {
        match entry {
            Ok(meta) => Self::of_object(meta),
            Err(odd) => Self::of_odd(odd),
        }
    }

    fn of_odd(odd: &'a OddKey) -> Self {
        Self {
            // Markers of directories are named as paths name them.
            path: odd.key.strip_suffix('/').filter(|_| odd.is_marker()).unwrap_or(&odd.key),
            last_modified: &odd.last_modified,
            size: odd.size,
            e_tag: odd.e_tag.as_deref(),
            version: odd.version.as_ref().map(|version| version.id.as_str()),
        }
    }

    fn of_object(meta: &'a ObjectMeta) -> Self {
        Self {
            path: meta.location.as_ref(),
            last_modified: &meta.last_modified,
            size: meta.size,
            e_tag: meta.e_tag.as_deref(),
            version: meta.version.as_deref(),
        }
    }

    /// `path`, `last_modified`, `size`, `e_tag`, `version`, in this order.
    pub(super) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item(intern!(py, "path"), self.path)?;
        dict.set_item(intern!(py, "last_modified"), time(py, self.last_modified)?)?;
        dict.set_item(intern!(py, "size"), self.size)?;
        dict.set_item(intern!(py, "e_tag"), self.e_tag)?;
        dict.set_item(intern!(py, "version"), self.version)?;
        Ok(dict)
    }
}

/// The description of an object.
pub(super) fn object<'py>(py: Python<'py>, meta: &ObjectMeta) -> PyResult<Bound<'py, PyDict>> {
    Row::of_object(meta).to_dict(py)
}

/// The same, with `is_latest` and `is_delete_marker`.
pub(super) fn version<'py>(py: Python<'py>, entry: &VersionEntry) -> PyResult<Bound<'py, PyDict>> {
    let (row, is_latest, is_delete_marker) = match entry {
        Ok(version) => {
            let row = Row {
                path: version.location.as_ref(),
                last_modified: &version.last_modified,
                size: version.size,
                e_tag: version.e_tag.as_deref(),
                version: Some(&version.version),
            };
            (row, version.is_latest, version.is_delete_marker)
        }
        Err(odd) => {
            let row = Row::of_odd(odd);
            let is = |asked: fn(&OddVersion) -> bool| odd.version.as_ref().is_some_and(asked);
            (row, is(|version| version.is_latest), is(|version| version.is_delete_marker))
        }
    };
    let dict = row.to_dict(py)?;
    dict.set_item("is_latest", is_latest)?;
    dict.set_item("is_delete_marker", is_delete_marker)?;
    Ok(dict)
}

/// `e_tag` and `version`.
pub(super) fn put_result<'py>(py: Python<'py>, result: &PutResult) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "e_tag"), result.e_tag.as_deref())?;
    dict.set_item(intern!(py, "version"), result.version.as_deref())?;
    Ok(dict)
}
