//! Many objects with one call: the crossing from Python to Rust is paid once.

use bytes::Bytes as RustBytes;
use futures::{StreamExt, stream};
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{
    GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, PutResult,
};
use holdall::store::{Result, Store};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::body::Body;
use super::key::Key;
use super::meta;
use super::methods::collect_paths;
use crate::buffer::Input;
use crate::bytes::Bytes;
use crate::errors::to_py;

/// What happens to errors.
#[derive(Clone, Copy)]
pub(super) enum OnError {
    /// The first one is raised.
    Raise,
    /// They stand in the place of results.
    Return,
}

impl OnError {
    pub(super) fn parse(text: &str) -> PyResult<Self> {
        match text {
            "raise" => Ok(Self::Raise),
            "return" => Ok(Self::Return),
            _ => {
                Err(PyValueError::new_err(format!("on_error is 'raise' or 'return', not '{text}'")))
            }
        }
    }
}

/// Keys from any iterable of keys or entries of listings. A single key is refused: its characters would be taken for keys.
pub(super) fn keys(paths: &Bound<'_, PyAny>) -> PyResult<Vec<Path>> {
    if paths.is_instance_of::<PyString>() || paths.hasattr("__fspath__")? {
        let detail = format!("expected several keys, as in [{}]", paths.repr()?);
        return Err(PyTypeError::new_err(detail));
    }
    let mut all = Vec::new();
    for path in paths.try_iter()? {
        collect_paths(&path?, &mut all)?;
    }
    Ok(all)
}

/// Pairs of key and content, from a dictionary or an iterable of pairs.
pub(super) fn items(items: &Bound<'_, PyAny>) -> PyResult<Vec<(Path, RustBytes)>> {
    let pairs = match items.cast::<PyDict>() {
        Ok(dict) => dict.items().into_any(),
        Err(_) => items.clone(),
    };
    pairs
        .try_iter()?
        .map(|pair| {
            let pair = pair?;
            let parts = match pair.is_instance_of::<PyString>() {
                true => Vec::new(),
                false => pair.try_iter()?.take(3).collect::<PyResult<Vec<_>>>()?,
            };
            let [key, data] = &parts[..] else {
                let detail = format!("expected pairs of key and content, not {}", pair.repr()?);
                return Err(PyTypeError::new_err(detail));
            };
            Ok((key.extract::<Key>()?.0, data.extract::<Input>()?.0))
        })
        .collect()
}

/// Runs `one` for each item, at most `most` at a time, keeping the order.
async fn each<I: Send + 'static, T: Send, F>(
    items: Vec<I>,
    most: usize,
    on_error: OnError,
    one: impl Fn(I) -> F + Send,
) -> Result<Vec<Result<T>>>
where
    F: Future<Output = Result<T>> + Send,
{
    let mut outcomes = Vec::with_capacity(items.len());
    let mut running = stream::iter(items).map(one).buffered(most.max(1));
    while let Some(outcome) = running.next().await {
        match (outcome, on_error) {
            (Err(error), OnError::Raise) => return Err(error),
            (outcome, _) => outcomes.push(outcome),
        }
    }
    Ok(outcomes)
}

pub(super) async fn get(
    store: Store,
    keys: Vec<Path>,
    most: usize,
    on_error: OnError,
) -> Result<Vec<Result<RustBytes>>> {
    let store = &store;
    each(keys, most, on_error, |key| async move {
        let read =
            async { Body::of(store.get_opts(&key, GetOptions::default()).await?).bytes().await };
        read.await.map_err(|e| store.error("get", &key, e))
    })
    .await
}

pub(super) async fn head(
    store: Store,
    keys: Vec<Path>,
    most: usize,
    on_error: OnError,
) -> Result<Vec<Result<ObjectMeta>>> {
    let store = &store;
    each(keys, most, on_error, |key| async move {
        store.head(&key).await.map_err(|e| store.error("head", &key, e))
    })
    .await
}

pub(super) async fn put(
    store: Store,
    items: Vec<(Path, RustBytes)>,
    most: usize,
    on_error: OnError,
) -> Result<Vec<Result<PutResult>>> {
    let store = &store;
    each(items, most, on_error, |(key, data)| async move {
        store.put(&key, PutPayload::from(data)).await.map_err(|e| store.error("put", &key, e))
    })
    .await
}

pub(super) async fn delete(
    store: Store,
    keys: Vec<Path>,
    on_error: OnError,
) -> Result<Vec<Result<()>>> {
    let mut outcomes = Vec::with_capacity(keys.len());
    let mut deleted = store.delete_many(stream::iter(keys).boxed());
    while let Some((_, outcome)) = deleted.next().await {
        match (outcome, on_error) {
            (Err(error), OnError::Raise) => return Err(error),
            (outcome, _) => outcomes.push(outcome),
        }
    }
    Ok(outcomes)
}

/// Outcomes as a list, errors in it as exception objects.
fn list<T>(
    py: Python<'_>,
    outcomes: Vec<Result<T>>,
    convert: impl Fn(Python<'_>, T) -> PyResult<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let list = PyList::empty(py);
    for outcome in outcomes {
        match outcome {
            Ok(value) => list.append(convert(py, value)?)?,
            Err(error) => list.append(to_py(&error).into_value(py))?,
        }
    }
    Ok(list.into_any().unbind())
}

pub(super) fn bytes_out(
    py: Python<'_>,
    outcomes: Result<Vec<Result<RustBytes>>>,
) -> PyResult<Py<PyAny>> {
    list(py, outcomes.map_err(|e| to_py(&e))?, |py, data| {
        Ok(Bound::new(py, Bytes(data))?.into_any().unbind())
    })
}

pub(super) fn metas_out(
    py: Python<'_>,
    outcomes: Result<Vec<Result<ObjectMeta>>>,
) -> PyResult<Py<PyAny>> {
    list(py, outcomes.map_err(|e| to_py(&e))?, |py, meta| {
        Ok(meta::object(py, &meta)?.into_any().unbind())
    })
}

pub(super) fn puts_out(
    py: Python<'_>,
    outcomes: Result<Vec<Result<PutResult>>>,
) -> PyResult<Py<PyAny>> {
    list(py, outcomes.map_err(|e| to_py(&e))?, |py, put| {
        Ok(meta::put_result(py, &put)?.into_any().unbind())
    })
}

pub(super) fn deletes_out(
    py: Python<'_>,
    outcomes: Result<Vec<Result<()>>>,
) -> PyResult<Py<PyAny>> {
    list(py, outcomes.map_err(|e| to_py(&e))?, |py, ()| Ok(py.None()))
}
