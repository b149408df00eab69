//! The methods of stores. Each operation has a synchronous and an asynchronous form over one Rust future.

use std::time::Duration;

use futures::StreamExt;
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{
    CopyMode, CopyOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutResult, RenameOptions,
    RenameTargetMode,
};
use holdall::store::transfer::Report;
use holdall::store::{DeleteReport, Error, ErrorKind, Level, ListOptions, Result, Store};
use http::Method;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::get::{GetResult, Url};
use super::key::Key;
use super::list::{self, ListStream};
use super::many::{self, OnError};
use super::put::{Failure, Put, Source};
use super::{attributes_in, meta, options, tags_in};
use crate::awaitable::future_into_py;
use crate::bytes::Bytes;
use crate::errors::{StoreError, to_py};
use crate::runtime::block_on;
use crate::stores::PyStore;

/// Gap between ranges, in bytes, up to which they are fetched with one request.
const COALESCE_BYTES: u64 = 1024 * 1024;

type Object = Py<PyAny>;

fn object<'py>(py: Python<'py>, value: impl IntoPyObjectExt<'py>) -> PyResult<Object> {
    value.into_py_any(py)
}

impl PyStore {
    /// Runs an operation to its end.
    fn sync<T: Send, F: Future<Output = Result<T>> + Send>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(Store) -> F,
    ) -> PyResult<T> {
        self.handle.run(py, operation)?.map_err(|e| to_py(&e))
    }

    /// Runs an operation that sends many requests at once to its end.
    fn wide<T: Send, F: Future<Output = Result<T>> + Send>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(Store) -> F,
    ) -> PyResult<T> {
        self.handle.run_wide(py, operation)?.map_err(|e| to_py(&e))
    }

    /// Runs an operation on a single object to its end.
    fn quick<T: Send, F: Future<Output = Result<T>> + Send>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(Store) -> F,
    ) -> PyResult<T> {
        self.handle.run_quick(py, operation)?.map_err(|e| to_py(&e))
    }

    /// Starts an operation and returns its awaitable.
    fn start<'py, T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
        &self,
        py: Python<'py>,
        operation: impl FnOnce(Store) -> F,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Object> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        let future = self.handle.in_turn(operation(self.handle.store.clone()));
        future_into_py(py, self.handle.ready, future, |py, done| {
            finish(py, done.map_err(|e| to_py(&e))?)
        })
    }
}

fn none(py: Python<'_>, (): ()) -> PyResult<Object> {
    Ok(py.None())
}

fn meta_out(py: Python<'_>, found: ObjectMeta) -> PyResult<Object> {
    object(py, meta::object(py, &found)?)
}

fn put_out(py: Python<'_>, put: PutResult) -> PyResult<Object> {
    object(py, meta::put_result(py, &put)?)
}

fn bytes_out(py: Python<'_>, data: bytes::Bytes) -> PyResult<Object> {
    object(py, Bound::new(py, Bytes(data))?)
}

fn ranges_out(py: Python<'_>, all: Vec<bytes::Bytes>) -> PyResult<Object> {
    let all =
        all.into_iter().map(|data| Bound::new(py, Bytes(data))).collect::<PyResult<Vec<_>>>()?;
    object(py, all)
}

fn copied_out(py: Python<'_>, report: Report) -> PyResult<Object> {
    let dict = PyDict::new(py);
    dict.set_item("bytes", report.bytes)?;
    dict.set_item("server_side", report.server_side)?;
    object(py, dict)
}

fn deleted_out(py: Python<'_>, report: DeleteReport) -> PyResult<Object> {
    let dict = PyDict::new(py);
    dict.set_item("deleted", report.deleted)?;
    let failed = PyDict::new(py);
    for (location, error) in report.failed {
        failed.set_item(location, to_py(&error).into_value(py))?;
    }
    dict.set_item("failed", failed)?;
    object(py, dict)
}

// The operations.

async fn get_range(store: Store, path: Path, range: std::ops::Range<u64>) -> Result<bytes::Bytes> {
    if matches!(store.provider().scheme(), "memory" | "file") {
        // These have no description to make when only bytes are asked for.
        let found = store.get_ranges(&path, &[range]).await;
        return found
            .map(|mut all| all.pop().unwrap_or_default())
            .map_err(|e| store.error("get_range", &path, e));
    }
    store.get_range(&path, range).await.map_err(|e| store.error("get_range", &path, e))
}

async fn get_ranges(
    store: Store,
    path: Path,
    ranges: Vec<std::ops::Range<u64>>,
    coalesce: u64,
    most: usize,
) -> Result<Vec<bytes::Bytes>> {
    let failed = |e| store.error("get_ranges", &path, e);
    if matches!(store.provider().scheme(), "memory" | "file") {
        return store.get_ranges(&path, &ranges).await.map_err(failed);
    }
    store.read_ranges(&path, &ranges, coalesce, most).await.map_err(failed)
}

async fn head(store: Store, path: Path) -> Result<ObjectMeta> {
    store.head(&path).await.map_err(|e| store.error("head", &path, e))
}

async fn copy(store: Store, from: Path, to: Path, overwrite: bool) -> Result<()> {
    let mode = if overwrite { CopyMode::Overwrite } else { CopyMode::Create };
    let done = store.copy_opts(&from, &to, CopyOptions::new().with_mode(mode)).await;
    done.map_err(|e| match e {
        holdall::store::object_store::Error::AlreadyExists { .. } => store.error("copy", &to, e),
        e => store.error("copy", &from, e),
    })
}

async fn rename(store: Store, from: Path, to: Path, overwrite: bool) -> Result<()> {
    let mode = if overwrite { RenameTargetMode::Overwrite } else { RenameTargetMode::Create };
    let done = store.rename_opts(&from, &to, RenameOptions::new().with_target_mode(mode)).await;
    done.map_err(|e| store.error("rename", &from, e))
}

async fn delete(store: Store, paths: Vec<Path>) -> Result<()> {
    if let [path] = &paths[..] {
        return store.delete(path).await.map_err(|e| store.error("delete", path, e));
    }
    let first = paths.first().cloned().unwrap_or_default();
    let mut deleted = store.delete_stream(futures::stream::iter(paths).map(Ok).boxed());
    while let Some(outcome) = deleted.next().await {
        outcome.map_err(|e| store.error("delete", &first, e))?;
    }
    Ok(())
}

async fn list_level(store: Store, prefix: Option<Path>) -> Result<Level> {
    let operation = "list_with_delimiter";
    let level = store.list_level(prefix.as_ref()).await.map_err(|e| e.with_operation(operation))?;
    let Some(odd) = level.odd_prefixes.first() else { return Ok(level) };
    // Whoever walks down a tree would take it for the prefix above, and never end.
    let detail = format!("no path can hold the prefix '{odd}/'; `list` has what is below it");
    let url = store.url_of(&prefix.unwrap_or_default());
    Err(Error::new(ErrorKind::InvalidPath, operation, url, detail))
}

async fn copy_to(
    store: Store,
    from: Path,
    target: Store,
    to: Path,
    overwrite: bool,
) -> Result<Report> {
    let mode = if overwrite { CopyMode::Overwrite } else { CopyMode::Create };
    store.copy_to(&from, &target, &to, mode).await
}

async fn sign(
    store: Store,
    method: Method,
    paths: Vec<Path>,
    expires_in: Duration,
) -> Result<Vec<String>> {
    let mut urls = Vec::with_capacity(paths.len());
    for path in &paths {
        urls.push(store.sign(method.clone(), path, expires_in).await?.to_string());
    }
    Ok(urls)
}

// The arguments.

/// One path or several: a str or path object, any iterable of them, or a listing.
fn paths_in(paths: &Bound<'_, PyAny>) -> PyResult<(Vec<Path>, bool)> {
    if paths.is_instance_of::<PyString>() || paths.hasattr("__fspath__")? {
        return Ok((vec![paths.extract::<Key>()?.0], true));
    }
    let mut all = Vec::new();
    for path in paths.try_iter()? {
        collect_paths(&path?, &mut all)?;
    }
    Ok((all, false))
}

/// A path, an entry of a listing, or a chunk of them.
pub(super) fn collect_paths(path: &Bound<'_, PyAny>, all: &mut Vec<Path>) -> PyResult<()> {
    if let Ok(entry) = path.cast::<PyDict>()
        && let Some(path) = entry.get_item("path")?
    {
        all.push(path.extract::<Key>()?.0);
    } else if let Ok(chunk) = path.cast::<pyo3::types::PyList>() {
        for entry in chunk {
            collect_paths(&entry, all)?;
        }
    } else {
        all.push(path.extract::<Key>()?.0);
    }
    Ok(())
}

fn ranges_in(
    starts: &[u64],
    ends: Option<Vec<u64>>,
    lengths: Option<Vec<u64>>,
) -> PyResult<Vec<std::ops::Range<u64>>> {
    let (other, is_end) = match (ends, lengths) {
        (Some(ends), None) => (ends, true),
        (None, Some(lengths)) => (lengths, false),
        (None, None) => return Err(PyValueError::new_err("either ends or lengths must be given")),
        _ => return Err(PyValueError::new_err("ends and lengths cannot both be given")),
    };
    if starts.len() != other.len() {
        return Err(PyValueError::new_err(format!(
            "starts has {} values and {} has {}",
            starts.len(),
            if is_end { "ends" } else { "lengths" },
            other.len()
        )));
    }
    starts
        .iter()
        .zip(other)
        .map(|(&start, other)| match is_end {
            true => options::bounded(start, other),
            false => options::bounded(start, start.saturating_add(other)),
        })
        .collect()
}

fn method_in(method: &str) -> PyResult<Method> {
    match method {
        "GET" | "PUT" | "POST" | "HEAD" | "PATCH" | "TRACE" | "DELETE" | "OPTIONS" | "CONNECT" => {
            Ok(method.parse().unwrap_or_default())
        }
        _ => Err(PyValueError::new_err(format!(
            "unknown HTTP method '{method}': expected GET, PUT, HEAD, …"
        ))),
    }
}

fn signed_out(py: Python<'_>, mut urls: Vec<String>, single: bool) -> PyResult<Object> {
    match single {
        true => object(py, urls.pop()),
        false => object(py, urls),
    }
}

fn store_in<'py>(store: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyStore>> {
    store
        .cast::<PyStore>()
        .cloned()
        .map_err(|_| PyTypeError::new_err("the target is not a store of this package"))
}

/// `store.delete` of a missing object is an error where the service says so.
#[pymethods]
impl PyStore {
    /// Read an object.
    #[pyo3(signature = (path, *, options = None))]
    pub(super) fn get(
        &self,
        py: Python<'_>,
        path: Key,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<GetResult> {
        let options = options::get_options(options)?;
        let is_present = options.version.is_none() && !options.head;
        let url = Url::new(self.handle.sync_store(), path.0);
        let path = url.path();
        let (got, driver) =
            self.handle.run_kept(py, |store| async move { store.get_opts(path, options).await })?;
        let got = got.map_err(|e| to_py(&url.error(e)))?;
        Ok(GetResult::new(got, url, true, driver, is_present))
    }

    /// Read an object, to be awaited.
    #[pyo3(signature = (path, *, options = None))]
    fn get_async<'py>(
        &self,
        py: Python<'py>,
        path: Key,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options::get_options(options)?;
        let is_present = options.version.is_none() && !options.head;
        let (store, url) = (self.handle.store.clone(), Url::new(&self.handle.store, path.0));
        let got = self.handle.in_turn(async move {
            let got = store.get_opts(url.path(), options).await;
            (got, url)
        });
        future_into_py(py, self.handle.ready, got, move |py, (got, url)| {
            let got = got.map_err(|e| StoreError(url.error(e)))?;
            object(py, Bound::new(py, GetResult::new(got, url, false, None, is_present))?)
        })
    }

    /// Read one range of an object.
    #[pyo3(signature = (path, *, start, end = None, length = None))]
    fn get_range(
        &self,
        py: Python<'_>,
        path: Key,
        start: u64,
        end: Option<u64>,
        length: Option<u64>,
    ) -> PyResult<Bytes> {
        let range = options::start_range(start, end, length)?;
        self.quick(py, |store| get_range(store, path.0, range)).map(Bytes)
    }

    /// Read one range of an object, to be awaited.
    #[pyo3(signature = (path, *, start, end = None, length = None))]
    fn get_range_async<'py>(
        &self,
        py: Python<'py>,
        path: Key,
        start: u64,
        end: Option<u64>,
        length: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let range = options::start_range(start, end, length)?;
        self.start(py, |store| get_range(store, path.0, range), bytes_out)
    }

    /// Read several ranges of an object.
    #[pyo3(signature = (path, *, starts, ends = None, lengths = None, coalesce = COALESCE_BYTES, max_concurrency = 10))]
    #[expect(clippy::too_many_arguments, reason = "the signature is that of the interface")]
    fn get_ranges(
        &self,
        py: Python<'_>,
        path: Key,
        starts: Vec<u64>,
        ends: Option<Vec<u64>>,
        lengths: Option<Vec<u64>>,
        coalesce: u64,
        max_concurrency: usize,
    ) -> PyResult<Object> {
        let ranges = ranges_in(&starts, ends, lengths)?;
        let all = match ranges.len() == 1 || self.handle.ready {
            true => {
                self.quick(py, |store| get_ranges(store, path.0, ranges, coalesce, max_concurrency))
            }
            false => {
                self.wide(py, |store| get_ranges(store, path.0, ranges, coalesce, max_concurrency))
            }
        }?;
        ranges_out(py, all)
    }

    /// Read several ranges of an object, to be awaited.
    #[pyo3(signature = (path, *, starts, ends = None, lengths = None, coalesce = COALESCE_BYTES, max_concurrency = 10))]
    #[expect(clippy::too_many_arguments, reason = "the signature is that of the interface")]
    fn get_ranges_async<'py>(
        &self,
        py: Python<'py>,
        path: Key,
        starts: Vec<u64>,
        ends: Option<Vec<u64>>,
        lengths: Option<Vec<u64>>,
        coalesce: u64,
        max_concurrency: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let ranges = ranges_in(&starts, ends, lengths)?;
        self.start(
            py,
            |store| get_ranges(store, path.0, ranges, coalesce, max_concurrency),
            ranges_out,
        )
    }

    /// Describe an object.
    pub(super) fn head(&self, py: Python<'_>, path: Key) -> PyResult<Object> {
        meta_out(py, self.quick(py, |store| head(store, path.0))?)
    }

    /// Describe an object, to be awaited.
    fn head_async<'py>(&self, py: Python<'py>, path: Key) -> PyResult<Bound<'py, PyAny>> {
        self.start(py, |store| head(store, path.0), meta_out)
    }

    /// Whether an object exists.
    fn exists(&self, py: Python<'_>, path: Key) -> PyResult<bool> {
        self.quick(py, |store| async move { store.exists(&path.0).await })
    }

    /// Whether an object exists, to be awaited.
    fn exists_async<'py>(&self, py: Python<'py>, path: Key) -> PyResult<Bound<'py, PyAny>> {
        let exists = |store: Store| async move { store.exists(&path.0).await };
        self.start(py, exists, |py, found| found.into_py_any(py))
    }

    /// Write an object.
    #[pyo3(signature = (path, file, *, attributes = None, tags = None, mode = None, use_multipart = None, chunk_size = 5_242_880, max_concurrency = 12))]
    #[expect(clippy::too_many_arguments, reason = "the signature is that of the interface")]
    fn put(
        &self,
        py: Python<'_>,
        path: Key,
        file: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyDict>>,
        tags: Option<&Bound<'_, PyDict>>,
        mode: Option<&Bound<'_, PyAny>>,
        use_multipart: Option<bool>,
        chunk_size: usize,
        max_concurrency: usize,
    ) -> PyResult<Object> {
        let put = put_in(attributes, tags, mode, use_multipart, chunk_size, max_concurrency)?;
        let mut source = Source::of(file, false)?;
        let store = &self.handle.store;
        if put.in_parts(store, &source) {
            return put_out(py, block_on(py, put.parts(store, &path.0, source))??);
        }
        let whole = match source {
            Source::File { .. } => py.detach(|| Put::whole(&mut source)),
            _ => Put::whole(&mut source),
        };
        match whole {
            Some(payload) => {
                let (payload, options) = (payload?, put.options());
                let store = self.handle.sync_store();
                let (location, future) = (&path.0, store.put_opts(&path.0, payload, options));
                let done = self.handle.run_quick(py, |_| future)?;
                put_out(py, done.map_err(|e| to_py(&store.error("put", location, e)))?)
            }
            None => put_out(py, block_on(py, put.single(store, &path.0, source))??),
        }
    }

    /// Write an object, to be awaited.
    #[pyo3(signature = (path, file, *, attributes = None, tags = None, mode = None, use_multipart = None, chunk_size = 5_242_880, max_concurrency = 12))]
    #[expect(clippy::too_many_arguments, reason = "the signature is that of the interface")]
    fn put_async<'py>(
        &self,
        py: Python<'py>,
        path: Key,
        file: &Bound<'py, PyAny>,
        attributes: Option<&Bound<'_, PyDict>>,
        tags: Option<&Bound<'_, PyDict>>,
        mode: Option<&Bound<'_, PyAny>>,
        use_multipart: Option<bool>,
        chunk_size: usize,
        max_concurrency: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let put = put_in(attributes, tags, mode, use_multipart, chunk_size, max_concurrency)?;
        let source = Source::of(file, true)?;
        let (store, path) = (self.handle.store.clone(), path.0);
        let in_parts = put.in_parts(&store, &source);
        let try_now = self.handle.ready && matches!(source, Source::Buffer(_));
        let finish = |py: Python<'_>, written: Result<PutResult, Failure>| put_out(py, written?);
        if in_parts {
            let written = async move { put.parts(&store, &path, source).await };
            return future_into_py(py, false, written, finish);
        }
        let is_at_hand = source.is_at_hand();
        let written = async move { put.single(&store, &path, source).await };
        match is_at_hand {
            true => future_into_py(py, try_now, self.handle.in_turn(written), finish),
            false => future_into_py(py, false, written, finish),
        }
    }

    /// Delete one object or several.
    fn delete(&self, py: Python<'_>, paths: &Bound<'_, PyAny>) -> PyResult<()> {
        let (paths, _) = paths_in(paths)?;
        self.sync(py, |store| delete(store, paths))
    }

    /// Delete one object or several, to be awaited.
    fn delete_async<'py>(
        &self,
        py: Python<'py>,
        paths: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (paths, _) = paths_in(paths)?;
        self.start(py, |store| delete(store, paths), none)
    }

    /// Delete every object below a prefix.
    #[pyo3(signature = (prefix = None))]
    fn delete_prefix(&self, py: Python<'_>, prefix: Option<Key>) -> PyResult<Object> {
        let prefix = prefix.map(|key| key.0);
        deleted_out(
            py,
            self.wide(py, |store| async move { store.delete_prefix(prefix.as_ref()).await })?,
        )
    }

    /// Delete every object below a prefix, to be awaited.
    #[pyo3(signature = (prefix = None))]
    fn delete_prefix_async<'py>(
        &self,
        py: Python<'py>,
        prefix: Option<Key>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let prefix = prefix.map(|key| key.0);
        self.start(
            py,
            |store| async move { store.delete_prefix(prefix.as_ref()).await },
            deleted_out,
        )
    }

    /// Copy an object within the store.
    #[pyo3(signature = (from_, to, *, overwrite = true))]
    fn copy(&self, py: Python<'_>, from_: Key, to: Key, overwrite: bool) -> PyResult<()> {
        self.sync(py, |store| copy(store, from_.0, to.0, overwrite))
    }

    /// Copy an object within the store, to be awaited.
    #[pyo3(signature = (from_, to, *, overwrite = true))]
    fn copy_async<'py>(
        &self,
        py: Python<'py>,
        from_: Key,
        to: Key,
        overwrite: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.start(py, |store| copy(store, from_.0, to.0, overwrite), none)
    }

    /// Copy an object to another store.
    #[pyo3(signature = (from_, target, to, *, overwrite = true))]
    fn copy_to(
        &self,
        py: Python<'_>,
        from_: Key,
        target: &Bound<'_, PyAny>,
        to: Key,
        overwrite: bool,
    ) -> PyResult<Object> {
        let target = store_in(target)?.get().handle.store.clone();
        let source = self.handle.store.clone();
        // A stream from one store to another needs the runtime, whatever the stores are.
        let report = block_on(py, copy_to(source, from_.0, target, to.0, overwrite))?;
        copied_out(py, report.map_err(|e| to_py(&e))?)
    }

    /// Copy an object to another store, to be awaited.
    #[pyo3(signature = (from_, target, to, *, overwrite = true))]
    fn copy_to_async<'py>(
        &self,
        py: Python<'py>,
        from_: Key,
        target: &Bound<'_, PyAny>,
        to: Key,
        overwrite: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let target = store_in(target)?.get().handle.store.clone();
        let copied = copy_to(self.handle.store.clone(), from_.0, target, to.0, overwrite);
        future_into_py(py, false, copied, |py, report| {
            copied_out(py, report.map_err(|e| to_py(&e))?)
        })
    }

    /// Move an object within the store.
    #[pyo3(signature = (from_, to, *, overwrite = true))]
    fn rename(&self, py: Python<'_>, from_: Key, to: Key, overwrite: bool) -> PyResult<()> {
        self.sync(py, |store| rename(store, from_.0, to.0, overwrite))
    }

    /// Move an object within the store, to be awaited.
    #[pyo3(signature = (from_, to, *, overwrite = true))]
    fn rename_async<'py>(
        &self,
        py: Python<'py>,
        from_: Key,
        to: Key,
        overwrite: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.start(py, |store| rename(store, from_.0, to.0, overwrite), none)
    }

    /// List objects.
    #[pyo3(signature = (prefix = None, *, offset = None, chunk_size = 50, return_arrow = false, substring_prefix = None, end_before = None, max_items = None))]
    #[expect(clippy::too_many_arguments, reason = "the signature is that of the interface")]
    fn list(
        &self,
        prefix: Option<Key>,
        offset: Option<String>,
        chunk_size: usize,
        return_arrow: bool,
        substring_prefix: Option<String>,
        end_before: Option<String>,
        max_items: Option<usize>,
    ) -> PyResult<ListStream> {
        let (inline, normal) = (self.handle.sync_store().clone(), self.handle.store.clone());
        let scheme = normal.provider().scheme();
        if prefix.is_some() && substring_prefix.is_some() {
            return Err(PyValueError::new_err("prefix and substring_prefix cannot both be given"));
        }
        let extended = substring_prefix.is_some()
            || offset.is_some()
            || end_before.is_some()
            || max_items.is_some();
        let prefix = prefix.map(|key| key.0).filter(|path| !path.as_ref().is_empty());
        let start = move |sync: bool| {
            let store = if sync { inline } else { normal };
            if extended {
                let text = substring_prefix.or(prefix.map(|prefix| format!("{prefix}/")));
                let mut wanted = ListOptions::default().with_prefix(text.unwrap_or_default());
                wanted.start_after = offset;
                wanted.end_before = end_before;
                wanted.max_items = max_items;
                return store.list_with(wanted);
            }
            store.objects(prefix.as_ref())
        };
        Ok(ListStream::objects(start, chunk_size, return_arrow, scheme))
    }

    /// List objects; the same as `list()`, whose result serves `async for` too.
    #[pyo3(signature = (prefix = None, *, offset = None, chunk_size = 50, return_arrow = false, substring_prefix = None, end_before = None, max_items = None))]
    #[expect(clippy::too_many_arguments, reason = "the signature is that of the interface")]
    fn list_async(
        &self,
        prefix: Option<Key>,
        offset: Option<String>,
        chunk_size: usize,
        return_arrow: bool,
        substring_prefix: Option<String>,
        end_before: Option<String>,
        max_items: Option<usize>,
    ) -> PyResult<ListStream> {
        self.list(prefix, offset, chunk_size, return_arrow, substring_prefix, end_before, max_items)
    }

    /// List objects whose keys match a pattern.
    #[pyo3(signature = (pattern, *, chunk_size = 50, return_arrow = false))]
    fn glob(&self, pattern: &str, chunk_size: usize, return_arrow: bool) -> PyResult<ListStream> {
        let (inline, normal) = (self.handle.sync_store().clone(), self.handle.store.clone());
        let scheme = normal.provider().scheme();
        // Checked now, so that a bad pattern is reported where it was given.
        drop(normal.glob(pattern).map_err(StoreError)?);
        let pattern = pattern.to_owned();
        let start = move |sync: bool| {
            let store = if sync { inline } else { normal };
            store.glob(&pattern).unwrap_or_else(|e| futures::stream::iter([Err(e)]).boxed())
        };
        Ok(ListStream::objects(start, chunk_size, return_arrow, scheme))
    }

    /// List one level: the objects and the prefixes directly below a prefix.
    #[pyo3(signature = (prefix = None, *, return_arrow = false))]
    fn list_with_delimiter(
        &self,
        py: Python<'_>,
        prefix: Option<Key>,
        return_arrow: bool,
    ) -> PyResult<Object> {
        let prefix = prefix.map(|key| key.0);
        list::level(py, self.sync(py, |store| list_level(store, prefix))?, return_arrow)
    }

    /// List one level, to be awaited.
    #[pyo3(signature = (prefix = None, *, return_arrow = false))]
    fn list_with_delimiter_async<'py>(
        &self,
        py: Python<'py>,
        prefix: Option<Key>,
        return_arrow: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let prefix = prefix.map(|key| key.0);
        self.start(
            py,
            |store| list_level(store, prefix),
            move |py, found| list::level(py, found, return_arrow),
        )
    }

    /// List all versions of objects, newest first for each key.
    #[pyo3(signature = (prefix = None, *, chunk_size = 50))]
    fn list_versions(&self, prefix: Option<Key>, chunk_size: usize) -> ListStream {
        let prefix = prefix.map(|key| key.0);
        ListStream::versions(self.handle.store.list_versions(prefix.as_ref()), chunk_size)
    }

    /// Delete one version for good.
    fn delete_version(&self, py: Python<'_>, path: Key, version: String) -> PyResult<()> {
        self.sync(py, |store| async move { store.delete_version(&path.0, &version).await })
    }

    /// Delete one version for good, to be awaited.
    fn delete_version_async<'py>(
        &self,
        py: Python<'py>,
        path: Key,
        version: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.start(py, |store| async move { store.delete_version(&path.0, &version).await }, none)
    }

    /// Make a version the current content again.
    fn restore_version(&self, py: Python<'_>, path: Key, version: String) -> PyResult<()> {
        self.sync(py, |store| async move { store.restore_version(&path.0, &version).await })
    }

    /// Make a version the current content again, to be awaited.
    fn restore_version_async<'py>(
        &self,
        py: Python<'py>,
        path: Key,
        version: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.start(py, |store| async move { store.restore_version(&path.0, &version).await }, none)
    }

    /// The tags of an object.
    fn get_tags(&self, py: Python<'_>, path: Key) -> PyResult<Object> {
        tags_out(py, self.sync(py, |store| async move { store.get_tags(&path.0).await })?)
    }

    /// The tags of an object, to be awaited.
    fn get_tags_async<'py>(&self, py: Python<'py>, path: Key) -> PyResult<Bound<'py, PyAny>> {
        self.start(py, |store| async move { store.get_tags(&path.0).await }, tags_out)
    }

    /// Replace all tags of an object.
    fn put_tags(&self, py: Python<'_>, path: Key, tags: &Bound<'_, PyDict>) -> PyResult<()> {
        let tags = tag_pairs(tags)?;
        self.sync(py, |store| async move { store.put_tags(&path.0, &tags).await })
    }

    /// Replace all tags of an object, to be awaited.
    fn put_tags_async<'py>(
        &self,
        py: Python<'py>,
        path: Key,
        tags: &Bound<'_, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tags = tag_pairs(tags)?;
        self.start(py, |store| async move { store.put_tags(&path.0, &tags).await }, none)
    }

    /// Replace all attributes of an object without sending its content again.
    fn put_attributes(
        &self,
        py: Python<'_>,
        path: Key,
        attributes: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let attributes = attributes_in(Some(attributes))?;
        self.sync(py, |store| async move { store.put_attributes(&path.0, attributes).await })
    }

    /// Replace all attributes of an object, to be awaited.
    fn put_attributes_async<'py>(
        &self,
        py: Python<'py>,
        path: Key,
        attributes: &Bound<'_, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let attributes = attributes_in(Some(attributes))?;
        self.start(py, |store| async move { store.put_attributes(&path.0, attributes).await }, none)
    }

    /// Make presigned URLs.
    fn sign(
        &self,
        py: Python<'_>,
        method: &str,
        paths: &Bound<'_, PyAny>,
        expires_in: Duration,
    ) -> PyResult<Object> {
        let (method, (paths, single)) = (method_in(method)?, paths_in(paths)?);
        signed_out(py, self.sync(py, |store| sign(store, method, paths, expires_in))?, single)
    }

    /// Make presigned URLs, to be awaited.
    fn sign_async<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        paths: &Bound<'_, PyAny>,
        expires_in: Duration,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (method, (paths, single)) = (method_in(method)?, paths_in(paths)?);
        self.start(
            py,
            |store| sign(store, method, paths, expires_in),
            move |py, urls| signed_out(py, urls, single),
        )
    }

    /// Read many objects.
    #[pyo3(signature = (paths, *, max_concurrency = 64, on_error = "raise"))]
    fn get_many(
        &self,
        py: Python<'_>,
        paths: &Bound<'_, PyAny>,
        max_concurrency: usize,
        on_error: &str,
    ) -> PyResult<Object> {
        let (keys, on_error) = (many::keys(paths)?, OnError::parse(on_error)?);
        let done =
            self.handle.run_wide(py, |store| many::get(store, keys, max_concurrency, on_error))?;
        many::bytes_out(py, done)
    }

    /// Read many objects, to be awaited.
    #[pyo3(signature = (paths, *, max_concurrency = 64, on_error = "raise"))]
    fn get_many_async<'py>(
        &self,
        py: Python<'py>,
        paths: &Bound<'_, PyAny>,
        max_concurrency: usize,
        on_error: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (keys, on_error) = (many::keys(paths)?, OnError::parse(on_error)?);
        let done = many::get(self.handle.store.clone(), keys, max_concurrency, on_error);
        future_into_py(py, self.handle.ready, done, many::bytes_out)
    }

    /// Describe many objects.
    #[pyo3(signature = (paths, *, max_concurrency = 64, on_error = "raise"))]
    fn head_many(
        &self,
        py: Python<'_>,
        paths: &Bound<'_, PyAny>,
        max_concurrency: usize,
        on_error: &str,
    ) -> PyResult<Object> {
        let (keys, on_error) = (many::keys(paths)?, OnError::parse(on_error)?);
        let done =
            self.handle.run_wide(py, |store| many::head(store, keys, max_concurrency, on_error))?;
        many::metas_out(py, done)
    }

    /// Describe many objects, to be awaited.
    #[pyo3(signature = (paths, *, max_concurrency = 64, on_error = "raise"))]
    fn head_many_async<'py>(
        &self,
        py: Python<'py>,
        paths: &Bound<'_, PyAny>,
        max_concurrency: usize,
        on_error: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (keys, on_error) = (many::keys(paths)?, OnError::parse(on_error)?);
        let done = many::head(self.handle.store.clone(), keys, max_concurrency, on_error);
        future_into_py(py, self.handle.ready, done, many::metas_out)
    }

    /// Write many objects.
    #[pyo3(signature = (items, *, max_concurrency = 64, on_error = "raise"))]
    fn put_many(
        &self,
        py: Python<'_>,
        items: &Bound<'_, PyAny>,
        max_concurrency: usize,
        on_error: &str,
    ) -> PyResult<Object> {
        let (items, on_error) = (many::items(items)?, OnError::parse(on_error)?);
        let done =
            self.handle.run_wide(py, |store| many::put(store, items, max_concurrency, on_error))?;
        many::puts_out(py, done)
    }

    /// Write many objects, to be awaited.
    #[pyo3(signature = (items, *, max_concurrency = 64, on_error = "raise"))]
    fn put_many_async<'py>(
        &self,
        py: Python<'py>,
        items: &Bound<'_, PyAny>,
        max_concurrency: usize,
        on_error: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (items, on_error) = (many::items(items)?, OnError::parse(on_error)?);
        let done = many::put(self.handle.store.clone(), items, max_concurrency, on_error);
        future_into_py(py, self.handle.ready, done, many::puts_out)
    }

    /// Delete many objects; one that does not exist counts as deleted.
    #[pyo3(signature = (paths, *, on_error = "raise"))]
    fn delete_many(
        &self,
        py: Python<'_>,
        paths: &Bound<'_, PyAny>,
        on_error: &str,
    ) -> PyResult<Object> {
        let (keys, on_error) = (many::keys(paths)?, OnError::parse(on_error)?);
        let done = self.handle.run_wide(py, |store| many::delete(store, keys, on_error))?;
        many::deletes_out(py, done)
    }

    /// Delete many objects, to be awaited.
    #[pyo3(signature = (paths, *, on_error = "raise"))]
    fn delete_many_async<'py>(
        &self,
        py: Python<'py>,
        paths: &Bound<'_, PyAny>,
        on_error: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (keys, on_error) = (many::keys(paths)?, OnError::parse(on_error)?);
        let done = many::delete(self.handle.store.clone(), keys, on_error);
        future_into_py(py, self.handle.ready, done, many::deletes_out)
    }

    /// The URL of the store, without credentials.
    #[getter]
    fn _url(&self) -> String {
        self.handle.store.url()
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        match other.cast::<Self>() {
            Ok(other) => {
                let other = other.get();
                let same = self.handle.store.url() == other.handle.store.url();
                Ok(same && self.same_arguments(py, other)?)
            }
            Err(_) => Ok(false),
        }
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.handle.store.url().hash(&mut hasher);
        hasher.finish()
    }

    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyTuple>, Bound<'py, PyDict>) {
        self.arguments(py)
    }
}

fn put_in(
    attributes: Option<&Bound<'_, PyDict>>,
    tags: Option<&Bound<'_, PyDict>>,
    mode: Option<&Bound<'_, PyAny>>,
    use_multipart: Option<bool>,
    chunk_size: usize,
    max_concurrency: usize,
) -> PyResult<Put> {
    if chunk_size == 0 {
        return Err(PyValueError::new_err("chunk_size must be at least 1 byte"));
    }
    Ok(Put {
        attributes: attributes_in(attributes)?,
        tags: tags_in(tags)?,
        mode: options::put_mode(mode)?,
        use_multipart,
        chunk_size,
        max_concurrency,
    })
}

fn tag_pairs(tags: &Bound<'_, PyDict>) -> PyResult<holdall::store::Tags> {
    tags.iter().map(|(key, value)| Ok((key.extract()?, value.extract()?))).collect()
}

fn tags_out(py: Python<'_>, tags: holdall::store::Tags) -> PyResult<Object> {
    let dict = PyDict::new(py);
    for (key, value) in tags {
        dict.set_item(key, value)?;
    }
    object(py, dict)
}

/// The kind of store that a URL names: `"s3"`, `"gcs"`, `"azure"`, `"http"`, `"local"` or `"memory"`.
#[pyfunction]
#[pyo3(signature = (url, /))]
pub(crate) fn parse_scheme(url: &str) -> PyResult<&'static str> {
    crate::stores::scheme_name(url)
}
