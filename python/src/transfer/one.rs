//! Transfers of one object.

use std::path::PathBuf;

use bytes::Bytes;
use futures::TryStreamExt;
use holdall::store::transfer::{Report, Transfer};
use holdall::store::{Error, ErrorKind};
use pyo3::exceptions::PyBlockingIOError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::operation::{Operation, Value};
use super::options::{self, COPY, DOWNLOAD, READ, UPLOAD};
use super::room::Room;
use crate::bytes::Bytes as PyHeldBytes;
use crate::errors::to_py;
use crate::ops::key::Key;
use crate::ops::put::{self, Source, raised};
use crate::stores::PyStore;

/// An object into a file.
#[pyfunction]
pub(crate) fn _download(
    store: &Bound<'_, PyStore>,
    path: Key,
    file: PathBuf,
    options: &Bound<'_, PyDict>,
) -> PyResult<Operation> {
    let transfer = options::transfer(options, DOWNLOAD)?;
    let store = store.get().handle.store.clone();
    let work = move |transfer: Transfer| async move {
        transfer.download(&store, &path.0, file).await.map(Value::Report)
    };
    Ok(Operation::new(&transfer.events().clone(), work(transfer)))
}

/// An object into a Python object with `write`.
#[pyfunction]
pub(crate) fn _download_to_writer(
    store: &Bound<'_, PyStore>,
    path: Key,
    writer: Py<PyAny>,
    options: &Bound<'_, PyDict>,
) -> PyResult<Operation> {
    let transfer = options::transfer(options, READ)?;
    let store = store.get().handle.store.clone();
    let events = transfer.events().clone();
    let work = async move {
        let (meta, mut pieces) = transfer.stream(&store, &path.0).await?;
        let mut bytes = 0;
        while let Some(piece) = pieces.try_next().await? {
            bytes += piece.len() as u64;
            let writer = Python::attach(|py| writer.clone_ref(py));
            let write = move || write_all(&writer, piece);
            let written = tokio::task::spawn_blocking(write).await;
            let written =
                written.map_err(|e| Error::new(ErrorKind::Join, "download", "", e.to_string()))?;
            written.map_err(|error| raised("download", &store, &path.0, error))?;
        }
        let mut report = Report::default();
        (report.bytes, report.e_tag) = (bytes, meta.e_tag);
        Ok(Value::Report(report))
    };
    Ok(Operation::new(&events, work))
}

/// An object from whatever Python offers.
#[pyfunction]
pub(crate) fn _upload(
    store: &Bound<'_, PyStore>,
    path: Key,
    data: &Bound<'_, PyAny>,
    is_async: bool,
    options: &Bound<'_, PyDict>,
) -> PyResult<Operation> {
    let transfer = options::transfer(options, UPLOAD)?;
    let handle = &store.get().handle;
    let store = handle.store.clone();
    let source = Source::of(data, is_async)?;
    if transfer.options().resume && !matches!(source, Source::File { .. }) {
        let detail = "only the upload of a file can be resumed: leave out `resume`";
        let url = store.url_of(&path.0);
        return Err(to_py(&Error::new(ErrorKind::InvalidArgument, "upload", url, detail)));
    }
    let events = transfer.events().clone();
    let is_at_hand = source.is_at_hand();
    let work =
        async move { put::send(&transfer, source, &store, &path.0).await.map(Value::Report) };
    Ok(match is_at_hand {
        true => Operation::new(&events, handle.in_turn(work)),
        false => Operation::new(&events, work),
    })
}

/// An object into another object; with `moves`, the first one is deleted then.
#[pyfunction]
pub(crate) fn _copy(
    source: &Bound<'_, PyStore>,
    from_: Key,
    target: &Bound<'_, PyStore>,
    to: Key,
    moves: bool,
    options: &Bound<'_, PyDict>,
) -> PyResult<Operation> {
    let transfer = options::transfer(options, COPY)?;
    let source = source.get().handle.store.clone();
    let target = target.get().handle.store.clone();
    options::check_fsync(&transfer, &target)?;
    let events = transfer.events().clone();
    let work = async move {
        let report = match moves {
            true => transfer.rename(&source, &from_.0, &target, &to.0).await,
            false => transfer.copy(&source, &from_.0, &target, &to.0).await,
        };
        report.map(Value::Report)
    };
    Ok(Operation::new(&events, work))
}

/// An object, or its bytes from `start` on, into a buffer.
#[pyfunction]
pub(crate) fn _read_into(
    store: &Bound<'_, PyStore>,
    path: Key,
    buffer: &Bound<'_, PyAny>,
    start: Option<&Bound<'_, PyAny>>,
    options: &Bound<'_, PyDict>,
) -> PyResult<Operation> {
    let transfer = options::transfer(options, READ)?;
    let store = store.get().handle.store.clone();
    let start = start.map(|start| options::whole("start", start)).transpose()?;
    let mut room = Room::of(buffer)?;
    let events = transfer.events().clone();
    let work = async move {
        let path = &path.0;
        let bytes = match start {
            None => transfer.read_into(&store, path, room.as_mut_slice()).await?,
            Some(start) => {
                transfer.read_into_from(&store, path, start, room.as_mut_slice()).await?
            }
        };
        Ok(Value::Read(bytes, room))
    };
    Ok(Operation::new(&events, work))
}

fn write_all(writer: &Py<PyAny>, piece: Bytes) -> PyResult<()> {
    Python::attach(|py| {
        let mut rest = piece;
        while !rest.is_empty() {
            let data = Bound::new(py, PyHeldBytes(rest.clone()))?;
            let written = writer.bind(py).call_method1("write", (data,))?;
            // Raw files may take less than they are given; what returns None has taken it all.
            let taken = match written.is_none() {
                true => rest.len(),
                false => written.extract::<usize>()?.min(rest.len()),
            };
            if taken == 0 {
                let text =
                    format!("write took none of {} bytes: it must wait until it can", rest.len());
                return Err(PyBlockingIOError::new_err(text));
            }
            drop(rest.split_to(taken));
        }
        Ok(())
    })
}
