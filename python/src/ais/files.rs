//! Files of this machine, to objects and back; copies that go through it.

use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use holdall::ais::{CopyOptions, Error, ErrorKind, Object, PutOptions, Request};
use holdall::store::transfer::Transfer;
use http::Method;
use pyo3::prelude::*;

use super::args::query;
use super::client::AisClient;
use super::errors::to_py;
use crate::awaitable::future_into_py;
use crate::runtime::block_on;

/// Longer files are sent in parts.
const WHOLE_BYTES: u64 = 64 * 1024 * 1024;

/// Files that are sent at a time.
const FILES_AT_ONCE: usize = 16;

/// Why a file did not get where it was to go.
enum Failed {
    File(PathBuf, std::io::Error),
    Server(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl Failed {
    fn into_py(self) -> PyErr {
        match self {
            Self::Server(error) => to_py(&error),
            Self::File(path, error) => {
                let made = PyErr::from(std::io::Error::new(error.kind(), error.to_string()));
                Python::attach(|py| {
                    // The name belongs to the error, as with errors of `open`.
                    let _ = made.value(py).setattr("filename", path);
                });
                made
            }
        }
    }
}

async fn put(object: Object, file: PathBuf) -> Result<(), Failed> {
    let failed = |e| Failed::File(file.clone(), e);
    let length = tokio::fs::metadata(&file).await.map_err(failed)?.len();
    if length > WHOLE_BYTES {
        object.put_file(&file, &Transfer::default()).await?;
        return Ok(());
    }
    let content = tokio::fs::read(&file).await.map_err(failed)?;
    object.put(content, &PutOptions::default()).await?;
    Ok(())
}

impl AisClient {
    fn object(&self, path: &str, params: Option<&Bound<'_, PyAny>>) -> PyResult<Object> {
        let mut request = Request::new(Method::PUT, path);
        request.query = query(params)?;
        let (bck, name) = request.object().ok_or_else(|| {
            let detail = "the path names no object";
            to_py(&Error::new(ErrorKind::InvalidArgument, "put", path, detail))
        })?;
        Ok(self.client.bucket_of(bck).object(name))
    }

    fn files(
        &self,
        bucket: &str,
        params: Option<&Bound<'_, PyAny>>,
        files: Vec<(PathBuf, String)>,
    ) -> PyResult<impl Future<Output = Result<(), Failed>> + Send + 'static> {
        let any = self.object(&format!("objects/{bucket}/-"), params)?;
        let bucket = any.bucket().clone();
        Ok(async move {
            stream::iter(files)
                .map(|(file, name)| put(bucket.object(name), file))
                .buffer_unordered(FILES_AT_ONCE)
                .try_collect::<()>()
                .await
        })
    }
}

/// Writes a file to an object.
#[pyfunction]
pub(super) fn _ais_put_file(
    client: &Bound<'_, AisClient>,
    py: Python<'_>,
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    file: PathBuf,
) -> PyResult<()> {
    let object = client.get().object(path, params)?;
    block_on(py, put(object, file))?.map_err(Failed::into_py)
}

/// The same, to be awaited.
#[pyfunction]
pub(super) fn _ais_put_file_async<'py>(
    client: &Bound<'py, AisClient>,
    py: Python<'py>,
    path: &str,
    params: Option<&Bound<'py, PyAny>>,
    file: PathBuf,
) -> PyResult<Bound<'py, PyAny>> {
    let object = client.get().object(path, params)?;
    future_into_py(py, false, put(object, file), done)
}

/// Writes files to objects, several at a time; the first failure ends it.
#[pyfunction]
pub(super) fn _ais_put_files(
    client: &Bound<'_, AisClient>,
    py: Python<'_>,
    bucket: &str,
    params: Option<&Bound<'_, PyAny>>,
    files: Vec<(PathBuf, String)>,
) -> PyResult<()> {
    block_on(py, client.get().files(bucket, params, files)?)?.map_err(Failed::into_py)
}

/// The same, to be awaited.
#[pyfunction]
pub(super) fn _ais_put_files_async<'py>(
    client: &Bound<'py, AisClient>,
    py: Python<'py>,
    bucket: &str,
    params: Option<&Bound<'py, PyAny>>,
    files: Vec<(PathBuf, String)>,
) -> PyResult<Bound<'py, PyAny>> {
    future_into_py(py, false, client.get().files(bucket, params, files)?, done)
}

/// Writes an object to a file; its size.
#[pyfunction]
pub(super) fn _ais_download(
    client: &Bound<'_, AisClient>,
    py: Python<'_>,
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    file: PathBuf,
) -> PyResult<u64> {
    let object = client.get().object(path, params)?;
    block_on(py, fetch(object, &file))?.map_err(|e| to_py(&e))
}

/// The same, to be awaited.
#[pyfunction]
pub(super) fn _ais_download_async<'py>(
    client: &Bound<'py, AisClient>,
    py: Python<'py>,
    path: &str,
    params: Option<&Bound<'py, PyAny>>,
    file: PathBuf,
) -> PyResult<Bound<'py, PyAny>> {
    let object = client.get().object(path, params)?;
    let fetched = async move { fetch(object, &file).await };
    future_into_py(py, false, fetched, |py, size| {
        Ok(size.map_err(|e| to_py(&e))?.into_pyobject(py)?.into_any().unbind())
    })
}

async fn fetch(object: Object, file: &Path) -> Result<u64, Error> {
    Ok(object.download(file, &Transfer::default()).await?.bytes)
}

fn done(py: Python<'_>, done: Result<(), Failed>) -> PyResult<Py<PyAny>> {
    done.map_err(Failed::into_py)?;
    Ok(py.None())
}

async fn copy((from, to): (Object, Object), latest: bool) -> Result<bool, Error> {
    from.copy_astray(&to, &CopyOptions { latest, ..CopyOptions::default() }).await
}

/// Makes a copy that would arrive under another name if the cluster made it; whether it would. `latest` stands for
/// all options that only the cluster has.
#[pyfunction]
pub(super) fn _ais_copy_astray(
    client: &Bound<'_, AisClient>,
    py: Python<'_>,
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    to: (String, Option<Bound<'_, PyAny>>),
    latest: bool,
) -> PyResult<bool> {
    block_on(py, copy(ends(client, path, params, to)?, latest))?.map_err(|e| to_py(&e))
}

/// The same, to be awaited.
#[pyfunction]
pub(super) fn _ais_copy_astray_async<'py>(
    client: &Bound<'py, AisClient>,
    py: Python<'py>,
    path: &str,
    params: Option<&Bound<'py, PyAny>>,
    to: (String, Option<Bound<'py, PyAny>>),
    latest: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let done = copy(ends(client, path, params, to)?, latest);
    future_into_py(py, false, done, |py, copied| {
        Ok(copied.map_err(|e| to_py(&e))?.into_pyobject(py)?.to_owned().into_any().unbind())
    })
}

fn ends(
    client: &Bound<'_, AisClient>,
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    (to, to_params): (String, Option<Bound<'_, PyAny>>),
) -> PyResult<(Object, Object)> {
    let client = client.get();
    Ok((client.object(path, params)?, client.object(&to, to_params.as_ref())?))
}
