//! Listings: pages, all pages, and tables of Arrow.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{Int16Builder, Int64Builder, StringBuilder, UInt16Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use holdall::ais::wire::list::{Entry, JsonPage, Page, entry_flag};
use holdall::ais::{Client, Error, ErrorKind, Request};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use serde_json::Value;

use super::args::Given;
use super::client::AisClient;
use super::errors::to_py;
use super::reply::{AisReply, Got};
use crate::arrow;
use crate::awaitable::future_into_py;
use crate::runtime::{block_here, block_on};

const MSGPACK: &str = "application/msgpack";

/// An entry of a listing.
#[pyclass(name = "BucketEntry", module = "holdall.aistore.types")]
pub(crate) struct BucketEntry {
    entry: Entry,
    bucket: Option<Py<PyAny>>,
    object: Option<Py<PyAny>>,
}

#[pymethods]
impl BucketEntry {
    #[new]
    #[pyo3(signature = (n, cs = "", a = "", v = "", t = "", s = 0, c = 0, f = 0, object = None, m = ""))]
    #[expect(clippy::too_many_arguments, reason = "the fields of an entry")]
    fn new(
        n: &str,
        cs: &str,
        a: &str,
        v: &str,
        t: &str,
        s: i64,
        c: i16,
        f: u16,
        object: Option<Py<PyAny>>,
        m: &str,
    ) -> Self {
        let entry = Entry {
            name: n.to_owned(),
            checksum: cs.to_owned(),
            atime: a.to_owned(),
            version: v.to_owned(),
            location: t.to_owned(),
            custom: m.to_owned(),
            size: s,
            copies: c,
            flags: f,
        };
        Self { entry, bucket: None, object }
    }

    /// The name.
    #[getter(name)]
    fn name(&self) -> &str {
        &self.entry.name
    }

    #[getter(n)]
    fn n(&self) -> &str {
        &self.entry.name
    }

    /// The checksum, without its type.
    #[getter]
    fn checksum(&self) -> &str {
        &self.entry.checksum
    }

    #[getter(cs)]
    fn cs(&self) -> &str {
        &self.entry.checksum
    }

    /// The last access.
    #[getter]
    fn atime(&self) -> &str {
        &self.entry.atime
    }

    #[getter(a)]
    fn a(&self) -> &str {
        &self.entry.atime
    }

    /// The version.
    #[getter]
    fn version(&self) -> &str {
        &self.entry.version
    }

    #[getter(v)]
    fn v(&self) -> &str {
        &self.entry.version
    }

    /// Where it is: `t[ID]:/mountpath`.
    #[getter]
    fn location(&self) -> &str {
        &self.entry.location
    }

    #[getter(t)]
    fn t(&self) -> &str {
        &self.entry.location
    }

    /// Custom properties, as `[k1:v1 k2:v2]`.
    #[getter]
    fn custom(&self) -> &str {
        &self.entry.custom
    }

    #[getter(m)]
    fn m(&self) -> &str {
        &self.entry.custom
    }

    /// Bytes.
    #[getter]
    fn size(&self) -> i64 {
        self.entry.size
    }

    #[getter(s)]
    fn s(&self) -> i64 {
        self.entry.size
    }

    /// How many copies there are.
    #[getter]
    fn copies(&self) -> i16 {
        self.entry.copies
    }

    #[getter(c)]
    fn c(&self) -> i16 {
        self.entry.copies
    }

    /// Bits that say what it is.
    #[getter]
    fn flags(&self) -> u16 {
        self.entry.flags
    }

    #[getter(f)]
    fn f(&self) -> u16 {
        self.entry.flags
    }

    /// The object; None of entries that belong to no bucket.
    #[getter]
    fn object(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if let (None, Some(bucket)) = (&self.object, &self.bucket) {
            self.object = Some(bucket.call_method1(py, "object", (&self.entry.name,))?);
        }
        Ok(self.object.as_ref().map(|object| object.clone_ref(py)))
    }

    #[setter]
    fn set_object(&mut self, object: Option<Py<PyAny>>) {
        self.object = object;
    }

    /// Whether it is in the cluster.
    fn is_cached(&self) -> bool {
        self.entry.flags & entry_flag::CACHED != 0
    }

    /// Whether it is where it belongs.
    fn is_ok(&self) -> bool {
        self.entry.flags & entry_flag::STATUS_MASK == 0
    }

    /// What the listing tells of it, as properties of an object.
    fn generate_object_props<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let headers = PyDict::new(py);
        headers.set_item("ais-name", &self.entry.name)?;
        headers.set_item("ais-checksum-value", &self.entry.checksum)?;
        headers.set_item("ais-atime", &self.entry.atime)?;
        headers.set_item("ais-version", &self.entry.version)?;
        headers.set_item("ais-location", &self.entry.location)?;
        headers.set_item("Content-Length", self.entry.size)?;
        headers.set_item("ais-mirror-copies", self.entry.copies)?;
        py.import("holdall.aistore.obj.object_props")?.getattr("ObjectProps")?.call1((headers,))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.extract::<PyRef<'_, Self>>().is_ok_and(|other| other.entry == self.entry)
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.entry.name.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = PyString::new(py, &self.entry.name).repr()?;
        Ok(format!("BucketEntry(name={name}, size={})", self.entry.size))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let this = slf.borrow();
        let of = &this.entry;
        let none = py.None();
        let fields = (
            &of.name,
            &of.checksum,
            &of.atime,
            &of.version,
            &of.location,
            of.size,
            of.copies,
            of.flags,
            none,
            &of.custom,
        );
        Ok((slf.get_type().into_any(), fields.into_pyobject(py)?))
    }
}

/// A page, or the reply that refuses it.
enum Listed {
    Page(Page),
    Refused(Got),
}

async fn page(client: &Client, request: Request) -> Result<Listed, Error> {
    let (operation, target) = request.describe();
    let fetched = match client.fetch(request).await {
        Ok(fetched) => fetched,
        Err(error) => return Got::refused(error).map(Listed::Refused),
    };
    let (_, headers, body) = fetched;
    let wrong = |e: String| {
        let detail = format!("a page cannot be read: {e}");
        Error::new(ErrorKind::Corrupt, operation, target.clone(), detail)
    };
    let is_msgpack = headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes() == MSGPACK.as_bytes());
    let page = match is_msgpack {
        true => Page::from_msgpack(&body).map_err(|e| wrong(e.to_string()))?,
        false => {
            serde_json::from_slice::<JsonPage>(&body).map_err(|e| wrong(e.to_string()))?.into()
        }
    };
    Ok(Listed::Page(page))
}

/// All pages as one.
async fn all_pages(client: &Client, request: Request, message: Value) -> Result<Listed, Error> {
    let mut message = message;
    let mut all = Page::default();
    loop {
        let mut next = request.clone();
        next.body = message.to_string().into_bytes().into();
        let mut page = match page(client, next).await? {
            Listed::Page(page) => page,
            refused @ Listed::Refused(_) => return Ok(refused),
        };
        let is_last = page.continuation_token.is_empty();
        if !is_last {
            let value = &mut message["value"];
            value["uuid"] = page.uuid.clone().into();
            value["continuation_token"] = std::mem::take(&mut page.continuation_token).into();
            if let Some(fields) = value.as_object_mut() {
                fields.remove("start_after");
            }
        }
        all.entries.append(&mut page.entries);
        if is_last {
            (all.uuid, all.flags) = (page.uuid, page.flags);
            return Ok(Listed::Page(all));
        }
    }
}

/// What a listing is asked for with.
struct Asked {
    client: Client,
    request: Request,
    /// The message, where all pages are wanted.
    message: Option<Value>,
}

impl Asked {
    async fn run(self) -> Result<Listed, Error> {
        match self.message {
            Some(message) => all_pages(&self.client, self.request, message).await,
            None => page(&self.client, self.request).await,
        }
    }
}

fn page_out(py: Python<'_>, listed: Listed, bucket: &Py<PyAny>) -> PyResult<Py<PyAny>> {
    let page = match listed {
        Listed::Page(page) => page,
        Listed::Refused(got) => {
            return Ok(Bound::new(py, AisReply::new(got, None))?.into_any().unbind());
        }
    };
    let entries = page
        .entries
        .into_iter()
        .map(|entry| {
            Bound::new(py, BucketEntry { entry, bucket: Some(bucket.clone_ref(py)), object: None })
        })
        .collect::<PyResult<Vec<_>>>()?;
    let entries = PyList::new(py, entries)?;
    let tuple = (page.uuid, page.continuation_token, page.flags, entries);
    Ok(tuple.into_pyobject(py)?.into_any().unbind())
}

impl AisClient {
    fn asked(
        &self,
        path: &str,
        params: Option<&Bound<'_, PyAny>>,
        headers: Option<&Bound<'_, PyAny>>,
        body: &Bound<'_, PyBytes>,
        all_pages: bool,
    ) -> PyResult<Asked> {
        let given = Given {
            method: Method::GET.as_str(),
            path,
            params,
            headers,
            body: Some(body.as_any()),
            timeout: None,
            endpoint: None,
        };
        let mut request = given.request()?;
        request.headers.insert(ACCEPT, HeaderValue::from_static(MSGPACK));
        let message = all_pages
            .then(|| serde_json::from_slice(body.as_bytes()))
            .transpose()
            .map_err(|e| PyValueError::new_err(format!("the message is no JSON: {e}")))?;
        Ok(Asked { client: self.client.clone(), request, message })
    }
}

/// A page of a listing: its id, where to go on, flags, entries; with `all_pages`, all of them as one. The reply where
/// it is refused.
#[expect(clippy::too_many_arguments, reason = "what requests are made of")]
#[pyfunction]
pub(super) fn _ais_list(
    client: &Bound<'_, AisClient>,
    py: Python<'_>,
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    headers: Option<&Bound<'_, PyAny>>,
    body: &Bound<'_, PyBytes>,
    bucket: Py<PyAny>,
    all_pages: bool,
) -> PyResult<Py<PyAny>> {
    let asked = client.get().asked(path, params, headers, body, all_pages)?;
    let (listed, _) = block_here(py, true, asked.run())?;
    page_out(py, listed.map_err(|e| to_py(&e))?, &bucket)
}

/// The same, to be awaited.
#[expect(clippy::too_many_arguments, reason = "what requests are made of")]
#[pyfunction]
pub(super) fn _ais_list_async<'py>(
    client: &Bound<'py, AisClient>,
    py: Python<'py>,
    path: &str,
    params: Option<&Bound<'py, PyAny>>,
    headers: Option<&Bound<'py, PyAny>>,
    body: &Bound<'py, PyBytes>,
    bucket: Py<PyAny>,
    all_pages: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let asked = client.get().asked(path, params, headers, body, all_pages)?;
    future_into_py(py, false, asked.run(), move |py, listed| {
        page_out(py, listed.map_err(|e| to_py(&e))?, &bucket)
    })
}

/// A listing as a table of Arrow; the reply where it is refused.
#[pyfunction]
pub(super) fn _ais_list_arrow(
    client: &Bound<'_, AisClient>,
    py: Python<'_>,
    path: &str,
    params: Option<&Bound<'_, PyAny>>,
    body: &Bound<'_, PyBytes>,
) -> PyResult<Py<PyAny>> {
    let asked = client.get().asked(path, params, None, body, true)?;
    let listed = block_on(py, asked.run())?.map_err(|e| to_py(&e))?;
    table_out(py, listed)
}

/// The same, to be awaited.
#[pyfunction]
pub(super) fn _ais_list_arrow_async<'py>(
    client: &Bound<'py, AisClient>,
    py: Python<'py>,
    path: &str,
    params: Option<&Bound<'py, PyAny>>,
    body: &Bound<'py, PyBytes>,
) -> PyResult<Bound<'py, PyAny>> {
    let asked = client.get().asked(path, params, None, body, true)?;
    future_into_py(py, false, asked.run(), |py, listed| {
        table_out(py, listed.map_err(|e| to_py(&e))?)
    })
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        text("name"),
        Field::new("size", DataType::Int64, false),
        text("version"),
        text("checksum"),
        text("atime"),
        text("location"),
        text("custom"),
        Field::new("copies", DataType::Int16, false),
        Field::new("flags", DataType::UInt16, false),
    ]))
});

fn batch(entries: &[Entry]) -> PyResult<RecordBatch> {
    let text = |field: fn(&Entry) -> &str| -> ArrayRef {
        let bytes = entries.iter().map(|entry| field(entry).len()).sum();
        let mut column = StringBuilder::with_capacity(entries.len(), bytes);
        entries.iter().for_each(|entry| column.append_value(field(entry)));
        Arc::new(column.finish())
    };
    let mut size = Int64Builder::with_capacity(entries.len());
    let mut copies = Int16Builder::with_capacity(entries.len());
    let mut flags = UInt16Builder::with_capacity(entries.len());
    for entry in entries {
        size.append_value(entry.size);
        copies.append_value(entry.copies);
        flags.append_value(entry.flags);
    }
    let columns: Vec<ArrayRef> = vec![
        text(|entry| &entry.name),
        Arc::new(size.finish()),
        text(|entry| &entry.version),
        text(|entry| &entry.checksum),
        text(|entry| &entry.atime),
        text(|entry| &entry.location),
        text(|entry| &entry.custom),
        Arc::new(copies.finish()),
        Arc::new(flags.finish()),
    ];
    RecordBatch::try_new(SCHEMA.clone(), columns).map_err(|e| PyValueError::new_err(e.to_string()))
}

fn table_out(py: Python<'_>, listed: Listed) -> PyResult<Py<PyAny>> {
    match listed {
        Listed::Page(page) => arrow::table_of(py, py.detach(|| batch(&page.entries))?),
        Listed::Refused(got) => Ok(Bound::new(py, AisReply::new(got, None))?.into_any().unbind()),
    }
}
