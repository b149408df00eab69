//! How transfers are made, as keyword arguments say it.

use std::time::Duration;

use holdall::store::object_store::CopyMode;
use holdall::store::transfer::{Budget, Filter, Transfer, TransferOptions, Verify};
use holdall::store::{Error, ErrorKind, Store};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::errors::to_py;
use crate::ops::{attributes_in, tags_in};

/// The options that an operation has. Those of another one are refused, not ignored.
pub(super) type Allowed = &'static [&'static str];

pub(super) const READ: Allowed =
    &["parts", "part_size", "verify", "retries", "hedge", "limit_rate"];
pub(super) const DOWNLOAD: Allowed = &[
    "parts",
    "part_size",
    "overwrite",
    "verify",
    "resume",
    "fsync",
    "retries",
    "hedge",
    "limit_rate",
];
pub(super) const UPLOAD: Allowed =
    &["parts", "part_size", "overwrite", "resume", "retries", "limit_rate", "attributes", "tags"];
pub(super) const COPY: Allowed = &[
    "parts",
    "part_size",
    "overwrite",
    "verify",
    "resume",
    "fsync",
    "retries",
    "hedge",
    "limit_rate",
    "attributes",
    "tags",
];
pub(super) const MANY: Allowed = &[
    "workers",
    "parts",
    "part_size",
    "overwrite",
    "verify",
    "resume",
    "fsync",
    "retries",
    "hedge",
    "limit_rate",
    "attributes",
    "tags",
];
pub(super) const SYNC: Allowed = &[
    "workers",
    "parts",
    "part_size",
    "verify",
    "resume",
    "fsync",
    "retries",
    "hedge",
    "limit_rate",
    "attributes",
    "tags",
];

/// The engine that works the way `given` says.
pub(super) fn transfer(given: &Bound<'_, PyDict>, allowed: Allowed) -> PyResult<Transfer> {
    let mut options = TransferOptions::default();
    let mut budget = Budget::global();
    for (key, value) in given.iter() {
        let key: String = key.extract()?;
        if !allowed.contains(&key.as_str()) {
            let text = format!(
                "'{key}' is no option of this transfer; its options are {}",
                allowed.join(", ")
            );
            return Err(PyTypeError::new_err(text));
        }
        if value.is_none() {
            continue;
        }
        options = match key.as_str() {
            "workers" => options.with_workers(positive(&key, &value)? as usize),
            "parts" => options.with_parts(positive(&key, &value)? as usize),
            "part_size" => options.with_part_bytes(positive(&key, &value)?),
            "overwrite" => options.with_mode(match value.is_truthy()? {
                true => CopyMode::Overwrite,
                false => CopyMode::Create,
            }),
            "verify" => options.with_verify(verify(&value)?),
            "resume" => options.with_resume(value.is_truthy()?),
            "fsync" => options.with_fsync(value.is_truthy()?),
            "retries" => options.with_retries(whole(&key, &value)?),
            "hedge" => options.with_hedge(Some(seconds(&key, &value)?)),
            "attributes" => {
                options.with_attributes(Some(attributes_in(Some(dict(&key, &value)?))?))
            }
            "tags" => options.with_tags(tags_in(Some(dict(&key, &value)?))?),
            // The last one that is allowed anywhere: limit_rate.
            _ => {
                budget = budget.with_rate(positive(&key, &value)?);
                options
            }
        };
    }
    Ok(Transfer::new().with_options(options).with_budget(budget))
}

/// Refuses `fsync` where no file is written.
pub(super) fn check_fsync(transfer: &Transfer, target: &Store) -> PyResult<()> {
    if !transfer.options().fsync || target.provider().scheme() == "file" {
        return Ok(());
    }
    let detail = "fsync is for targets that are local files; leave it out";
    Err(to_py(&Error::new(ErrorKind::InvalidArgument, "transfer", target.url(), detail)))
}

fn positive(key: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    match value.extract::<u64>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(PyValueError::new_err(format!(
            "{key} is a whole number of at least 1, not {}",
            value.repr()?
        ))),
    }
}

/// A number that may be 0.
pub(super) fn whole<T: TryFrom<u64>>(key: &str, value: &Bound<'_, PyAny>) -> PyResult<T> {
    match value.extract::<u64>().map(T::try_from) {
        Ok(Ok(number)) => Ok(number),
        _ => Err(PyValueError::new_err(format!(
            "{key} is a whole number of at least 0, not {}",
            value.repr()?
        ))),
    }
}

fn dict<'a, 'py>(key: &str, value: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyDict>> {
    value.cast().or_else(|_| {
        let text = format!("{key} is a dict of names and their values, not {}", value.repr()?);
        Err(PyTypeError::new_err(text))
    })
}

/// A span of time, as a number of seconds or as a `timedelta`.
fn seconds(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    if let Ok(span) = value.extract::<Duration>() {
        return Ok(span);
    }
    let span = value.extract::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    span.ok_or_else(|| {
        let text = format!("{key} is a number of seconds or a timedelta, and not negative");
        PyValueError::new_err(text)
    })
}

fn verify(value: &Bound<'_, PyAny>) -> PyResult<Verify> {
    match value.extract::<&str>().unwrap_or_default() {
        "checksum" => Ok(Verify::Checksum),
        "required" => Ok(Verify::Required),
        "length" => Ok(Verify::Length),
        _ => Err(PyValueError::new_err(format!(
            "verify is 'checksum', 'required' or 'length', not {}",
            value.repr()?
        ))),
    }
}

/// Which keys take part: a pattern or several of each kind, inclusions first.
pub(super) fn filter(
    include: Option<&Bound<'_, PyAny>>,
    exclude: Option<&Bound<'_, PyAny>>,
) -> PyResult<Filter> {
    let mut filter = Filter::new();
    for pattern in patterns(include)? {
        filter = filter.include(&pattern).map_err(|e| to_py(&e))?;
    }
    for pattern in patterns(exclude)? {
        filter = filter.exclude(&pattern).map_err(|e| to_py(&e))?;
    }
    Ok(filter)
}

fn patterns(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
    match given {
        None => Ok(Vec::new()),
        Some(one) if one.is_instance_of::<PyString>() => Ok(vec![one.extract()?]),
        Some(several) => several.try_iter()?.map(|pattern| pattern?.extract()).collect(),
    }
}

/// Sets limits of the process; those that are None stay. A rate of 0 is none.
#[pyfunction]
pub(crate) fn _set_limits(
    memory: Option<u64>,
    requests: Option<usize>,
    requests_per_host: Option<usize>,
    rate: Option<u64>,
) -> PyResult<()> {
    for (name, value) in [
        ("memory", memory),
        ("requests", requests.map(|n| n as u64)),
        ("requests_per_host", requests_per_host.map(|n| n as u64)),
    ] {
        if value == Some(0) {
            return Err(PyValueError::new_err(format!("{name} must be at least 1")));
        }
    }
    let mut limits = Budget::global().limits();
    limits.memory_bytes = memory.unwrap_or(limits.memory_bytes);
    limits.requests = requests.unwrap_or(limits.requests);
    limits.requests_per_host = requests_per_host.unwrap_or(limits.requests_per_host);
    if let Some(rate) = rate {
        limits.bytes_per_second = (rate > 0).then_some(rate);
    }
    Budget::set_global(limits);
    Ok(())
}

/// The limits of the process: memory, requests, requests per host, rate.
#[pyfunction]
pub(crate) fn _limits() -> (u64, usize, usize, Option<u64>) {
    let limits = Budget::global().limits();
    (limits.memory_bytes, limits.requests, limits.requests_per_host, limits.bytes_per_second)
}
