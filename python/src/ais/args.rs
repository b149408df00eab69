//! From the arguments of Python to requests.

use std::time::Duration;

use bytes::Bytes as RustBytes;
use holdall::ais::Request;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyTuple};
use url::Url;

use crate::buffer::Input;

/// Pairs of a dictionary, or of any other mapping.
fn pairs<'py>(
    mapping: Option<&Bound<'py, PyAny>>,
) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    let Some(mapping) = mapping.filter(|mapping| !mapping.is_none()) else { return Ok(Vec::new()) };
    if let Ok(dict) = mapping.cast::<PyDict>() {
        return Ok(dict.iter().collect());
    }
    mapping.call_method0("items")?.try_iter()?.map(|pair| pair?.extract()).collect()
}

fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.cast::<PyString>() {
        return text.extract();
    }
    if value.is_instance_of::<PyBool>() {
        return Ok(if value.is_truthy()? { "True" } else { "False" }.to_owned());
    }
    value.str()?.extract()
}

/// Parameters of a query; those that are None are left out, lists give one for each item.
pub(super) fn query(params: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (key, value) in pairs(params)? {
        let key = text(&key)?;
        if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            for item in value.try_iter()? {
                found.push((key.clone(), text(&item?)?));
            }
        } else if !value.is_none() {
            found.push((key, text(&value)?));
        }
    }
    Ok(found)
}

fn headers(given: Option<&Bound<'_, PyAny>>) -> PyResult<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (key, value) in pairs(given)? {
        if value.is_none() {
            continue;
        }
        let key = text(&key)?;
        let name = HeaderName::from_bytes(key.as_bytes())
            .map_err(|_| PyValueError::new_err(format!("{key:?} is no name of a header")))?;
        let value = HeaderValue::from_bytes(text(&value)?.as_bytes()).map_err(|_| {
            PyValueError::new_err(format!("the value of header {name} cannot be sent"))
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn method(name: &str) -> PyResult<Method> {
    Ok(match name {
        "get" | "GET" => Method::GET,
        "put" | "PUT" => Method::PUT,
        "head" | "HEAD" => Method::HEAD,
        _ => Method::from_bytes(name.to_ascii_uppercase().as_bytes())
            .map_err(|_| PyValueError::new_err(format!("{name:?} is no method of HTTP")))?,
    })
}

/// Seconds; zero or less is no limit of its own.
pub(super) fn seconds(value: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(value) = value.filter(|value| *value > 0.0) else { return Ok(None) };
    Duration::try_from_secs_f64(value)
        .map(Some)
        .map_err(|_| PyValueError::new_err(format!("a time-out of {value} s cannot be kept")))
}

/// What a request is made of.
pub(super) struct Given<'a, 'py> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) params: Option<&'a Bound<'py, PyAny>>,
    pub(super) headers: Option<&'a Bound<'py, PyAny>>,
    pub(super) body: Option<&'a Bound<'py, PyAny>>,
    pub(super) timeout: Option<f64>,
    pub(super) endpoint: Option<&'a str>,
}

impl Given<'_, '_> {
    pub(super) fn request(&self) -> PyResult<Request> {
        let mut request = Request::new(method(self.method)?, self.path.trim_start_matches('/'));
        request.query = query(self.params)?;
        request.headers = headers(self.headers)?;
        if let Some(body) = self.body.filter(|body| !body.is_none()) {
            let data: RustBytes = body
                .extract::<Input>()
                .map_err(|e| PyTypeError::new_err(format!("the content cannot be sent: {e}")))?
                .0;
            request.body = data.into();
        }
        request.timeout = seconds(self.timeout)?;
        request.endpoint = self.endpoint.map(endpoint).transpose()?;
        Ok(request)
    }
}

/// A request that reads.
pub(super) fn reading(
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    headers: Option<&Bound<'_, PyAny>>,
    endpoint: Option<&str>,
) -> PyResult<Request> {
    let method = Method::GET;
    let method = method.as_str();
    Given { method, path, params, headers, body: None, timeout: None, endpoint }.request()
}

pub(super) fn endpoint(text: &str) -> PyResult<Url> {
    let text = text.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches('/');
    Url::parse(&format!("{text}/"))
        .map_err(|e| PyValueError::new_err(format!("the endpoint {text:?} is no URL: {e}")))
}
