//! Listings as Arrow arrays, through the PyCapsule interface.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{StringBuilder, TimestampMicrosecondBuilder, UInt64Builder};
use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    Array, ArrayRef, RecordBatch, RecordBatchIterator, RecordBatchReader, StructArray,
};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyCapsule;

use crate::ops::meta::{Entry, Row};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("path", DataType::Utf8, false),
        Field::new(
            "last_modified",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            false,
        ),
        Field::new("size", DataType::UInt64, false),
        Field::new("e_tag", DataType::Utf8, true),
        Field::new("version", DataType::Utf8, true),
    ]))
});

fn failed(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The batch of a listing: path, last_modified, size, e_tag, version.
pub(crate) fn batch(objects: &[Entry]) -> PyResult<RecordBatch> {
    let bytes = objects.iter().map(|entry| Row::of(entry).path.len()).sum();
    let mut path = StringBuilder::with_capacity(objects.len(), bytes);
    let mut last_modified =
        TimestampMicrosecondBuilder::with_capacity(objects.len()).with_timezone("UTC");
    let mut size = UInt64Builder::with_capacity(objects.len());
    let mut e_tag = StringBuilder::with_capacity(objects.len(), objects.len() * 34);
    let mut version = StringBuilder::with_capacity(objects.len(), 0);
    for row in objects.iter().map(Row::of) {
        path.append_value(row.path);
        last_modified.append_value(row.last_modified.timestamp_micros());
        size.append_value(row.size);
        e_tag.append_option(row.e_tag);
        version.append_option(row.version);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(path.finish()),
        Arc::new(last_modified.finish()),
        Arc::new(size.finish()),
        Arc::new(e_tag.finish()),
        Arc::new(version.finish()),
    ];
    RecordBatch::try_new(SCHEMA.clone(), columns).map_err(failed)
}

/// A batch of a listing, for any library that speaks the Arrow PyCapsule interface: `pyarrow.record_batch(batch)`,
/// `polars.DataFrame(batch)`, `arro3.core.RecordBatch.from_arrow(batch)`.
#[pyclass(frozen, name = "ArrowBatch", module = "holdall")]
pub(crate) struct ArrowBatch(RecordBatch);

/// `requested_schema` may be ignored: the interface asks for a best effort.
#[pymethods]
impl ArrowBatch {
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        drop(requested_schema);
        let array = StructArray::from(self.0.clone()).to_data();
        let array = FFI_ArrowArray::new(&array);
        Ok((self.__arrow_c_schema__(py)?, PyCapsule::new_with_value(py, array, c"arrow_array")?))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let fields = DataType::Struct(self.0.schema().fields().clone());
        let schema = FFI_ArrowSchema::try_from(&fields).map_err(failed)?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let batches = RecordBatchIterator::new([Ok(self.0.clone())], self.0.schema());
        let reader: Box<dyn RecordBatchReader + Send> = Box::new(batches);
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), c"arrow_array_stream")
    }

    /// How many objects the batch has.
    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.0.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn __repr__(&self) -> String {
        format!("ArrowBatch(num_rows={})", self.0.num_rows())
    }
}

/// The class that wraps batches: arro3's where it is installed, as users of obstore expect; ours elsewhere.
static ARRO3: PyOnceLock<Option<(Py<PyAny>, Py<PyAny>)>> = PyOnceLock::new();

fn arro3(py: Python<'_>) -> Option<&(Py<PyAny>, Py<PyAny>)> {
    ARRO3
        .get_or_init(py, || {
            let core = py.import("arro3.core").ok()?;
            let class =
                |name: &str| Some(core.getattr(name).ok()?.getattr("from_arrow").ok()?.unbind());
            Some((class("RecordBatch")?, class("Table")?))
        })
        .as_ref()
}

/// A listing as a record batch of Python.
pub(crate) fn record_batch(py: Python<'_>, objects: &[Entry]) -> PyResult<Py<PyAny>> {
    let ours = Bound::new(py, ArrowBatch(py.detach(|| batch(objects))?))?;
    match arro3(py) {
        Some((record_batch, _)) => record_batch.call1(py, (ours,)),
        None => Ok(ours.into_any().unbind()),
    }
}

/// A listing as a table of Python.
pub(crate) fn table(py: Python<'_>, objects: &[Entry]) -> PyResult<Py<PyAny>> {
    table_of(py, batch(objects)?)
}

/// Any batch as a table of Python.
pub(crate) fn table_of(py: Python<'_>, batch: RecordBatch) -> PyResult<Py<PyAny>> {
    let ours = Bound::new(py, ArrowBatch(batch))?;
    match arro3(py) {
        Some((_, table)) => table.call1(py, (ours,)),
        None => Ok(ours.into_any().unbind()),
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ArrowBatch>()
}
