//! Listings: pages, all pages, and tables of Arrow.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow_array::builder::{Int16Builder, Int64Builder, StringBuilder, UInt16Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes as RustBytes;
use holdall::ais::wire::list::{Entry, JsonPage, Page, entry_flag};
use holdall::ais::{Client, Error, ErrorKind, Request};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use serde_json::Value;

use super::args::Given;
use super::client::AisClient;
use super::errors::to_py;
use super::parallel::Task;
use super::reply::{AisReply, Got};
use crate::arrow;
use crate::awaitable::future_into_py;
use crate::runtime::{block_here, block_on, runtime};

const MSGPACK: &str = "application/msgpack";

/// An entry of a listing. There are many of them, and most have little more than a name.
#[pyclass(name = "BucketEntry", module = "holdall.aistore.types")]
pub(crate) struct BucketEntry {
    name: Box<str>,
    size: i64,
    copies: i16,
    flags: u16,
    more: Option<Box<More>>,
    bucket: Option<Py<PyAny>>,
    object: Option<Py<PyAny>>,
}

/// Properties that are only there where they were asked for.
#[derive(Default, PartialEq, Eq)]
struct More {
    checksum: String,
    atime: String,
    version: String,
    location: String,
    custom: String,
}

impl BucketEntry {
    fn of(entry: Entry, bucket: Option<Py<PyAny>>, object: Option<Py<PyAny>>) -> Self {
        let Entry { name, checksum, atime, version, location, custom, size, copies, flags } = entry;
        let more = More { checksum, atime, version, location, custom };
        let more = (more != More::default()).then(|| Box::new(more));
        Self { name: name.into(), size, copies, flags, more, bucket, object }
    }

    /// One of the properties that may not be there.
    fn more(&self, field: impl FnOnce(&More) -> &str) -> &str {
        self.more.as_deref().map_or("", field)
    }
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
        Self::of(entry, None, object)
    }

    /// The name.
    #[getter(name)]
    fn name(&self) -> &str {
        &self.name
    }

    #[getter(n)]
    fn n(&self) -> &str {
        &self.name
    }

    /// The checksum, without its type.
    #[getter]
    fn checksum(&self) -> &str {
        self.more(|more| &more.checksum)
    }

    #[getter(cs)]
    fn cs(&self) -> &str {
        self.checksum()
    }

    /// The last access.
    #[getter]
    fn atime(&self) -> &str {
        self.more(|more| &more.atime)
    }

    #[getter(a)]
    fn a(&self) -> &str {
        self.atime()
    }

    /// The version.
    #[getter]
    fn version(&self) -> &str {
        self.more(|more| &more.version)
    }

    #[getter(v)]
    fn v(&self) -> &str {
        self.version()
    }

    /// Where it is: `t[ID]:/mountpath`.
    #[getter]
    fn location(&self) -> &str {
        self.more(|more| &more.location)
    }

    #[getter(t)]
    fn t(&self) -> &str {
        self.location()
    }

    /// Custom properties, as `[k1:v1 k2:v2]`.
    #[getter]
    fn custom(&self) -> &str {
        self.more(|more| &more.custom)
    }

    #[getter(m)]
    fn m(&self) -> &str {
        self.custom()
    }

    /// Bytes.
    #[getter]
    fn size(&self) -> i64 {
        self.size
    }

    #[getter(s)]
    fn s(&self) -> i64 {
        self.size
    }

    /// How many copies there are.
    #[getter]
    fn copies(&self) -> i16 {
        self.copies
    }

    #[getter(c)]
    fn c(&self) -> i16 {
        self.copies
    }

    /// Bits that say what it is.
    #[getter]
    fn flags(&self) -> u16 {
        self.flags
    }

    #[getter(f)]
    fn f(&self) -> u16 {
        self.flags
    }

    /// The object; None of entries that belong to no bucket.
    #[getter]
    fn object(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if let (None, Some(bucket)) = (&self.object, &self.bucket) {
            self.object = Some(bucket.call_method1(py, "object", (&*self.name,))?);
        }
        Ok(self.object.as_ref().map(|object| object.clone_ref(py)))
    }

    #[setter]
    fn set_object(&mut self, object: Option<Py<PyAny>>) {
        self.object = object;
    }

    /// Whether it is in the cluster.
    fn is_cached(&self) -> bool {
        self.flags & entry_flag::CACHED != 0
    }

    /// Whether it is where it belongs.
    fn is_ok(&self) -> bool {
        self.flags & entry_flag::STATUS_MASK == 0
    }

    /// What the listing tells of it, as properties of an object.
    fn generate_object_props<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        static PROPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = slf.py();
        let props = PROPS.get_or_try_init(py, || {
            let module = py.import("holdall.aistore.obj.object_props")?;
            Ok::<_, PyErr>(module.getattr("ObjectProps")?.unbind())
        })?;
        props.bind(py).call1((slf.getattr(intern!(py, "_object_headers"))?,))
    }

    /// The same, as headers of an object.
    fn _object_headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let headers = PyDict::new(py);
        headers.set_item("ais-name", &*self.name)?;
        headers.set_item("ais-checksum-value", self.checksum())?;
        headers.set_item("ais-atime", self.atime())?;
        headers.set_item("ais-version", self.version())?;
        headers.set_item("ais-location", self.location())?;
        headers.set_item("Content-Length", self.size)?;
        headers.set_item("ais-mirror-copies", self.copies)?;
        Ok(headers)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let fields = |entry: &Self| (entry.size, entry.copies, entry.flags);
        other.extract::<PyRef<'_, Self>>().is_ok_and(|other| {
            other.name == self.name && fields(&other) == fields(self) && other.more == self.more
        })
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = PyString::new(py, &self.name).repr()?;
        Ok(format!("BucketEntry(name={name}, size={})", self.size))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let of = slf.borrow();
        let fields = (
            &*of.name,
            of.checksum(),
            of.atime(),
            of.version(),
            of.location(),
            of.size,
            of.copies,
            of.flags,
            py.None(),
            of.custom(),
        );
        Ok((slf.get_type().into_any(), fields.into_pyobject(py)?))
    }
}

/// Pages, or the reply that refuses one.
enum Listed {
    Pages(Vec<Page>),
    Refused(Box<Got>),
}

/// What came of a request for a page.
enum Came {
    /// In msgpack, and not read yet but for where the next page begins.
    Packed {
        body: RustBytes,
        uuid: String,
        token: String,
    },
    Page(Page),
    Refused(Box<Got>),
}

/// A listing: its pages, one after the other.
struct Listing {
    client: Client,
    request: Request,
    /// The message that asks for the next page, where all are wanted.
    message: Option<Value>,
    /// The page that has been asked for ahead.
    coming: Option<Task<Came>>,
    is_over: bool,
}

impl Listing {
    /// The next page; none at the end. While it is read, the one after it is on its way.
    async fn next(&mut self) -> Result<Option<Result<Page, Box<Got>>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let came = match self.coming.take() {
            Some(task) => task.join().await?,
            None => ask(&self.client, self.request.clone()).await?,
        };
        match came {
            Came::Refused(got) => {
                self.is_over = true;
                Ok(Some(Err(got)))
            }
            Came::Page(page) => {
                self.go_on(page.uuid.clone(), page.continuation_token.clone());
                Ok(Some(Ok(page)))
            }
            Came::Packed { body, uuid, token } => {
                self.go_on(uuid, token);
                match Page::from_msgpack(&body) {
                    Ok(page) => Ok(Some(Ok(page))),
                    Err(error) => Err(unreadable(self.request.describe(), &error)),
                }
            }
        }
    }

    /// Asks for the page after one, if there is one and it is wanted.
    fn go_on(&mut self, uuid: String, token: String) {
        let Some(message) = self.message.as_mut().filter(|_| !token.is_empty()) else {
            self.is_over = true;
            return;
        };
        let value = &mut message["value"];
        (value["uuid"], value["continuation_token"]) = (uuid.into(), token.into());
        if let Some(fields) = value.as_object_mut() {
            fields.remove("start_after");
        }
        self.request.body = message.to_string().into_bytes().into();
        let (client, request) = (self.client.clone(), self.request.clone());
        self.coming = Some(Task(runtime().spawn(async move { ask(&client, request).await })));
    }

    async fn run(mut self) -> Result<Listed, Error> {
        let mut pages = Vec::new();
        while let Some(page) = self.next().await? {
            match page {
                Ok(page) => pages.push(page),
                Err(got) => return Ok(Listed::Refused(got)),
            }
        }
        Ok(Listed::Pages(pages))
    }
}

async fn ask(client: &Client, request: Request) -> Result<Came, Error> {
    let asked = request.describe();
    let (_, headers, body) = match client.fetch(request).await {
        Ok(fetched) => fetched,
        Err(error) => return Ok(Came::Refused(Box::new(Got::refused(error)?))),
    };
    if headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes() == MSGPACK.as_bytes()) {
        return match Page::continuation_of_msgpack(&body) {
            Ok((uuid, token)) => Ok(Came::Packed { body, uuid, token }),
            Err(error) => Err(unreadable(asked, &error)),
        };
    }
    match serde_json::from_slice::<JsonPage>(&body) {
        Ok(page) => Ok(Came::Page(page.into())),
        Err(error) => Err(unreadable(asked, &error)),
    }
}

fn unreadable((operation, target): (&'static str, String), error: &dyn fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupt, operation, target, format!("a page cannot be read: {error}"))
}

/// Makes of pages what Python gets.
struct PagesOut<'py> {
    py: Python<'py>,
    bucket: Py<PyAny>,
    entries: Vec<Bound<'py, BucketEntry>>,
    last: (String, String, u32),
}

impl<'py> PagesOut<'py> {
    fn new(py: Python<'py>, bucket: Py<PyAny>) -> Self {
        Self { py, bucket, entries: Vec::new(), last: Default::default() }
    }

    fn add(&mut self, page: Page) -> PyResult<()> {
        self.entries.reserve(page.entries.len());
        for entry in page.entries {
            let entry = BucketEntry::of(entry, Some(self.bucket.clone_ref(self.py)), None);
            self.entries.push(Bound::new(self.py, entry)?);
        }
        self.last = (page.uuid, page.continuation_token, page.flags);
        Ok(())
    }

    fn finish(self) -> PyResult<Py<PyAny>> {
        let (uuid, token, flags) = self.last;
        let tuple = (uuid, token, flags, PyList::new(self.py, self.entries)?);
        Ok(tuple.into_pyobject(self.py)?.into_any().unbind())
    }
}

fn refused(py: Python<'_>, got: Box<Got>) -> PyResult<Py<PyAny>> {
    Ok(Bound::new(py, AisReply::new(*got, None))?.into_any().unbind())
}

impl AisClient {
    fn listing(
        &self,
        path: &str,
        params: Option<&Bound<'_, PyAny>>,
        headers: Option<&Bound<'_, PyAny>>,
        body: &Bound<'_, PyBytes>,
        all_pages: bool,
    ) -> PyResult<Listing> {
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
        let client = self.client.clone();
        Ok(Listing { client, request, message, coming: None, is_over: false })
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
    let mut listing = client.get().listing(path, params, headers, body, all_pages)?;
    let mut out = PagesOut::new(py, bucket);
    // Most listings have one page; the others have theirs from the workers.
    let (mut page, _) = block_here(py, true, listing.next())?;
    while let Some(next) = page.map_err(|e| to_py(&e))? {
        match next {
            Ok(next) => out.add(next)?,
            Err(got) => return refused(py, got),
        }
        if listing.is_over {
            break;
        }
        page = block_on(py, listing.next())?;
    }
    out.finish()
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
    let listing = client.get().listing(path, params, headers, body, all_pages)?;
    future_into_py(py, false, listing.run(), move |py, listed| {
        let mut out = PagesOut::new(py, bucket);
        match listed.map_err(|e| to_py(&e))? {
            Listed::Pages(pages) => pages.into_iter().try_for_each(|page| out.add(page))?,
            Listed::Refused(got) => return refused(py, got),
        }
        out.finish()
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
    let listing = client.get().listing(path, params, None, body, true)?;
    let listed = block_on(py, listing.run())?.map_err(|e| to_py(&e))?;
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
    let listing = client.get().listing(path, params, None, body, true)?;
    future_into_py(py, false, listing.run(), |py, listed| {
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

fn batch(pages: &[Page]) -> PyResult<RecordBatch> {
    let entries = || pages.iter().flat_map(|page| &page.entries);
    let count = entries().count();
    let text = |field: fn(&Entry) -> &str| -> ArrayRef {
        let bytes = entries().map(|entry| field(entry).len()).sum();
        let mut column = StringBuilder::with_capacity(count, bytes);
        entries().for_each(|entry| column.append_value(field(entry)));
        Arc::new(column.finish())
    };
    let mut size = Int64Builder::with_capacity(count);
    let mut copies = Int16Builder::with_capacity(count);
    let mut flags = UInt16Builder::with_capacity(count);
    for entry in entries() {
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
        Listed::Pages(pages) => arrow::table_of(py, py.detach(|| batch(&pages))?),
        Listed::Refused(got) => refused(py, got),
    }
}
