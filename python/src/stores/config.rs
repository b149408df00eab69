//! Settings given as Python values.

use std::time::Duration;

use holdall::store::client::ClientOptions;
use holdall::store::config::{ClientKey, ConfigKey, parse_duration};
use holdall::store::object_store::{BackoffConfig, RetryConfig};
use holdall::store::{Error, ErrorKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDelta, PyDict, PyFloat, PyInt, PyString};

use crate::errors::StoreError;

/// Settings as pairs of spelling and value, in the order they were given; values of None are left out.
pub(super) fn pairs(
    dicts: &[Option<&Bound<'_, PyDict>>],
) -> PyResult<Vec<(String, Py<PyAny>, String)>> {
    let mut pairs = Vec::new();
    for (key, value) in dicts.iter().flatten().flat_map(|dict| dict.iter()) {
        let key: String = key.extract()?;
        if !value.is_none() {
            let text = text(&key, &value)?;
            pairs.push((key, value.unbind(), text));
        }
    }
    Ok(pairs)
}

/// A value in the textual form of settings.
pub(super) fn text(key: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyBool>() {
        return Ok(value.extract::<bool>()?.to_string());
    }
    if value.is_instance_of::<PyString>() {
        return value.extract();
    }
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        return Ok(value.str()?.to_string());
    }
    if value.is_instance_of::<PyDelta>() {
        let duration: Duration = value.extract()?;
        return Ok(format!("{}ns", duration.as_nanos()));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(String::from_utf8_lossy(bytes.as_bytes()).into_owned());
    }
    if let Ok(path) = value.call_method0("__fspath__") {
        return path.extract();
    }
    let found = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("'{key}' is a str, bool, number or timedelta, not {found}")))
}

/// The settings of the HTTP client.
pub(super) fn client_options(given: Option<&Bound<'_, PyDict>>) -> PyResult<ClientOptions> {
    let mut options = ClientOptions::default();
    let mut seen = Vec::new();
    for (spelling, value) in given.into_iter().flat_map(|dict| dict.iter()) {
        let spelling: String = spelling.extract()?;
        let key = ClientKey::parse(&spelling).map_err(StoreError)?;
        if seen.contains(&key) {
            let detail = format!("Duplicate key '{spelling}'");
            return Err(
                StoreError(Error::new(ErrorKind::Config, "configure", spelling, detail)).into()
            );
        }
        seen.push(key);
        match (key, value.cast::<PyDict>()) {
            _ if value.is_none() => {}
            (ClientKey::DefaultHeaders, Ok(headers)) => {
                for (name, value) in headers {
                    let (name, value) = (name.extract::<String>()?, header_value(&value)?);
                    options.add_header(&name, &value).map_err(StoreError)?;
                }
            }
            _ => options.set(key, &text(&spelling, &value)?).map_err(StoreError)?,
        }
    }
    Ok(options)
}

fn header_value(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    match value.extract::<String>() {
        Ok(text) => Ok(text.into_bytes()),
        Err(_) => value.extract(),
    }
}

/// How failed requests are repeated.
pub(super) fn retry_config(given: Option<&Bound<'_, PyDict>>) -> PyResult<RetryConfig> {
    let mut retry = RetryConfig::default();
    for (key, value) in given.into_iter().flat_map(|dict| dict.iter()) {
        match key.extract::<String>()?.as_str() {
            "max_retries" => retry.max_retries = value.extract()?,
            "retry_timeout" => retry.retry_timeout = duration("retry_timeout", &value)?,
            "backoff" => retry.backoff = backoff_config(value.cast::<PyDict>()?)?,
            other => {
                return Err(unknown("retry_config", other, "max_retries, retry_timeout, backoff"));
            }
        }
    }
    Ok(retry)
}

fn backoff_config(given: &Bound<'_, PyDict>) -> PyResult<BackoffConfig> {
    let mut backoff = BackoffConfig::default();
    for (key, value) in given {
        match key.extract::<String>()?.as_str() {
            "init_backoff" => backoff.init_backoff = duration("init_backoff", &value)?,
            "max_backoff" => backoff.max_backoff = duration("max_backoff", &value)?,
            "base" => backoff.base = value.extract()?,
            other => return Err(unknown("backoff", other, "init_backoff, max_backoff, base")),
        }
    }
    Ok(backoff)
}

fn duration(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    Ok(parse_duration(key, &text(key, value)?).map_err(StoreError)?)
}

fn unknown(what: &str, key: &str, known: &str) -> PyErr {
    let detail = format!("'{key}' is no key of {what}; known are {known}");
    StoreError(Error::new(ErrorKind::UnknownConfigurationKey, "configure", key, detail)).into()
}
