//! One class per back end.

use std::sync::Arc;

use holdall::store::config::{AzureKey, ConfigKey, GcsKey, S3Key, Settings};
use holdall::store::local::{LocalOptions, LocalStore as RustLocal};
use holdall::store::memory::MemoryStore as RustMemory;
use holdall::store::object_store::aws::AwsCredential;
use holdall::store::object_store::azure::AzureCredential;
use holdall::store::object_store::gcp::GcpCredential;
use holdall::store::object_store::path::Path;
use holdall::store::url::{Backend, StoreUrl};
use holdall::store::{CloudOptions, Error, ErrorKind, Provider, aws, azure, gcp, http};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::credentials::{FromDict, PyProvider};
use super::{Handle, PyStore, config};
use crate::errors::StoreError;
use crate::ops::key;

/// What differs between the cloud stores.
trait Cloud: Sized {
    type Key: ConfigKey + Ord + Send;
    type Credential: FromDict;

    /// The key that names the bucket.
    const NAME: Self::Key;

    /// What the URL says, when it is one of this store's.
    fn of_url(backend: Backend) -> Option<Settings<Self::Key>>;

    fn open(
        options: CloudOptions<
            Self::Key,
            Arc<
                dyn holdall::store::object_store::CredentialProvider<Credential = Self::Credential>,
            >,
        >,
    ) -> holdall::store::Result<Arc<dyn Provider>>;
}

struct S3;
struct Gcs;
struct Azure;

impl Cloud for S3 {
    type Key = S3Key;
    type Credential = AwsCredential;
    const NAME: S3Key = S3Key::Bucket;

    fn of_url(backend: Backend) -> Option<Settings<S3Key>> {
        if let Backend::S3(settings) = backend { Some(settings) } else { None }
    }

    fn open(options: aws::S3Options) -> holdall::store::Result<Arc<dyn Provider>> {
        Ok(Arc::new(aws::S3Store::open(options)?))
    }
}

impl Cloud for Gcs {
    type Key = GcsKey;
    type Credential = GcpCredential;
    const NAME: GcsKey = GcsKey::Bucket;

    fn of_url(backend: Backend) -> Option<Settings<GcsKey>> {
        if let Backend::Gcs(settings) = backend { Some(settings) } else { None }
    }

    fn open(options: gcp::GcsOptions) -> holdall::store::Result<Arc<dyn Provider>> {
        Ok(Arc::new(gcp::GcsStore::open(options)?))
    }
}

impl Cloud for Azure {
    type Key = AzureKey;
    type Credential = AzureCredential;
    const NAME: AzureKey = AzureKey::ContainerName;

    fn of_url(backend: Backend) -> Option<Settings<AzureKey>> {
        if let Backend::Azure(settings) = backend { Some(settings) } else { None }
    }

    fn open(options: azure::AzureOptions) -> holdall::store::Result<Arc<dyn Provider>> {
        Ok(Arc::new(azure::AzureStore::open(options)?))
    }
}

/// The arguments that all cloud stores take.
struct Given<'a, 'py> {
    name: Option<String>,
    prefix: Option<String>,
    config: Option<&'a Bound<'py, PyDict>>,
    client_options: Option<&'a Bound<'py, PyDict>>,
    retry_config: Option<&'a Bound<'py, PyDict>>,
    credential_provider: Option<&'a Bound<'py, PyAny>>,
    kwargs: Option<&'a Bound<'py, PyDict>>,
}

fn open_cloud<C: Cloud>(py: Python<'_>, given: &Given<'_, '_>) -> PyResult<PyStore> {
    let mut pairs = config::pairs(&[given.config, given.kwargs])?;
    if let Some(name) = &given.name {
        let value = name.into_pyobject(py)?.into_any().unbind();
        pairs.push((C::NAME.name().to_owned(), value, name.clone()));
    }
    let mut prefix = given.prefix.clone();
    let texts = pairs.iter().map(|(key, _, text)| (key.clone(), text.clone()));
    let mut settings = Settings::<C::Key>::from_pairs(texts).map_err(StoreError)?;
    let mut credentials = None;
    if let Some(callable) = given.credential_provider {
        if let Some(more) = callable.getattr_opt("config")?.filter(|config| !config.is_none()) {
            for (spelling, value, text) in config::pairs(&[Some(more.cast::<PyDict>()?)])? {
                let key = C::Key::parse(&spelling).map_err(StoreError)?;
                if settings.get(key).is_none() {
                    settings = settings.with(key, text.clone());
                    pairs.push((spelling, value, text));
                }
            }
        }
        if let (None, Some(below)) =
            (&prefix, callable.getattr_opt("prefix")?.filter(|p| !p.is_none()))
        {
            prefix = Some(below.str()?.to_string());
        }
        let provider = PyProvider::<C::Credential>::new(callable)?;
        credentials = Some(Arc::new(provider)
            as Arc<dyn holdall::store::object_store::CredentialProvider<Credential = _>>);
    }
    let options = CloudOptions {
        settings,
        client: config::client_options(given.client_options)?,
        retry: config::retry_config(given.retry_config)?,
        credentials,
        ..CloudOptions::default()
    };
    let provider = py.detach(|| C::open(options)).map_err(StoreError)?;
    let path = key::parse(prefix.as_deref().unwrap_or_default())?;

    let kwargs = PyDict::new(py);
    if !path.as_ref().is_empty() {
        kwargs.set_item("prefix", path.as_ref())?;
    }
    let config = PyDict::new(py);
    for (spelling, value, _) in pairs {
        let name = match C::Key::parse(&spelling) {
            Ok(key) => key.name().to_owned(),
            Err(_) => spelling.to_ascii_lowercase(),
        };
        config.set_item(name, value)?;
    }
    kwargs.set_item("config", config)?;
    for (name, dict) in
        [("client_options", given.client_options), ("retry_config", given.retry_config)]
    {
        if let Some(dict) = dict {
            kwargs.set_item(name, dict)?;
        }
    }
    if let Some(callable) = given.credential_provider {
        kwargs.set_item("credential_provider", callable)?;
    }
    Ok(PyStore {
        handle: Handle::new(provider, path),
        args: PyTuple::empty(py).unbind(),
        kwargs: kwargs.unbind(),
    })
}

/// Opens by URL: calls the class with the settings of the URL where none are given.
fn call_with_url<'py, C: Cloud>(
    class: &Bound<'py, PyType>,
    url: &str,
    given: &Given<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let parsed = StoreUrl::parse(url).map_err(StoreError)?;
    let path = parsed.path.to_string();
    let settings = C::of_url(parsed.backend).ok_or_else(|| {
        let detail = format!("it is not a URL of {} stores", C::Key::STORE);
        StoreError(Error::new(ErrorKind::InvalidUrl, "open", url, detail))
    })?;
    let config = PyDict::new(py);
    for (key, value) in settings.iter() {
        config.set_item(key.name(), value)?;
    }
    for (spelling, value, _) in config::pairs(&[given.config])? {
        if let Ok(key) = C::Key::parse(&spelling)
            && settings.get(key).is_some()
        {
            config.del_item(key.name())?;
        }
        config.set_item(spelling, value)?;
    }
    let kwargs = PyDict::new(py);
    for (spelling, value) in given.kwargs.into_iter().flat_map(|dict| dict.iter()) {
        let text: String = spelling.extract()?;
        // What is given beats what the URL says.
        if let Ok(key) = C::Key::parse(&text)
            && settings.get(key).is_some()
            && config.contains(key.name())?
        {
            config.del_item(key.name())?;
        }
        kwargs.set_item(spelling, value)?;
    }
    kwargs.set_item("config", config)?;
    kwargs.set_item("client_options", given.client_options)?;
    kwargs.set_item("retry_config", given.retry_config)?;
    kwargs.set_item("credential_provider", given.credential_provider)?;
    if !path.is_empty() {
        kwargs.set_item("prefix", path)?;
    }
    class.call((), Some(&kwargs))
}

/// Defines the class of a cloud store.
macro_rules! cloud_store {
    ($class:ident, $cloud:ty, $name:ident, $label:literal, $doc:literal) => {
        #[doc = $doc]
        #[pyclass(frozen, subclass, extends = PyStore, module = "holdall.store")]
        pub(crate) struct $class;

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = ($name = None, *, prefix = None, config = None, client_options = None, retry_config = None, credential_provider = None, **kwargs))]
            #[expect(clippy::too_many_arguments, reason = "the signature is that of the interface")]
            fn new(
                py: Python<'_>,
                $name: Option<String>,
                prefix: Option<Bound<'_, PyAny>>,
                config: Option<&Bound<'_, PyDict>>,
                client_options: Option<&Bound<'_, PyDict>>,
                retry_config: Option<&Bound<'_, PyDict>>,
                credential_provider: Option<&Bound<'_, PyAny>>,
                kwargs: Option<&Bound<'_, PyDict>>,
            ) -> PyResult<PyClassInitializer<Self>> {
                let prefix = prefix.map(|prefix| key::text(&prefix)).transpose()?;
                let given = Given { name: $name, prefix, config, client_options, retry_config, credential_provider, kwargs };
                Ok(PyClassInitializer::from(open_cloud::<$cloud>(py, &given)?).add_subclass(Self))
            }

            /// Open the store that a URL names; the path becomes the prefix.
            #[classmethod]
            #[pyo3(signature = (url, *, config = None, client_options = None, retry_config = None, credential_provider = None, **kwargs))]
            fn from_url<'py>(
                cls: &Bound<'py, PyType>,
                url: &str,
                config: Option<&Bound<'py, PyDict>>,
                client_options: Option<&Bound<'py, PyDict>>,
                retry_config: Option<&Bound<'py, PyDict>>,
                credential_provider: Option<&Bound<'py, PyAny>>,
                kwargs: Option<&Bound<'py, PyDict>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let given = Given { name: None, prefix: None, config, client_options, retry_config, credential_provider, kwargs };
                call_with_url::<$cloud>(cls, url, &given)
            }

            /// The settings that were given, under their canonical names.
            #[getter]
            fn config<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
                kwarg(slf.as_super(), "config")
            }

            /// The prefix below which all operations happen, or None.
            #[getter]
            fn prefix<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
                kwarg(slf.as_super(), "prefix")
            }

            /// The settings of the HTTP client that were given, or None.
            #[getter]
            fn client_options<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
                kwarg(slf.as_super(), "client_options")
            }

            /// The retry settings that were given, or None.
            #[getter]
            fn retry_config<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
                kwarg(slf.as_super(), "retry_config")
            }

            /// The provider of credentials that was given, or None.
            #[getter]
            fn credential_provider<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
                kwarg(slf.as_super(), "credential_provider")
            }

            /// The same store below a prefix, sharing connections and credentials.
            fn with_prefix<'py>(slf: &Bound<'py, Self>, prefix: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
                let path = key::parse(&key::text(prefix)?)?;
                let base = slf.as_super().get();
                let kwargs = base.kwargs.bind(slf.py()).copy()?;
                kwargs.set_item("prefix", base.handle.store.full_path(&path).as_ref())?;
                let base = base.below(&path, PyTuple::empty(slf.py()), kwargs);
                Bound::new(slf.py(), PyClassInitializer::from(base).add_subclass(Self))
            }

            fn __repr__(slf: &Bound<'_, Self>) -> String {
                let store = &slf.as_super().get().handle.store;
                let name = store.provider().location();
                let name = name.split_once("://").map_or("", |(_, name)| name);
                let class = class_name(slf.as_any(), stringify!($class));
                match store.prefix().as_ref() {
                    "" => format!("{class}({}=\"{name}\")", $label),
                    prefix => format!("{class}({}=\"{name}\", prefix=\"{prefix}\")", $label),
                }
            }
        }
    };
}

/// The name of an object's class, which may be a subclass made in Python.
pub(super) fn class_name(object: &Bound<'_, PyAny>, own: &str) -> String {
    object.get_type().name().map_or(own.to_owned(), |name| name.to_string())
}

pub(super) fn kwarg<'py>(
    base: &Bound<'py, PyStore>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    base.get().kwargs.bind(base.py()).get_item(name)
}

cloud_store!(
    S3Store,
    S3,
    bucket,
    "bucket",
    "A bucket of Amazon S3 or of a service that speaks its protocol.\n\nSettings come from the arguments, the URL, the environment (`AWS_*`) and `~/.aws`, in this order."
);
cloud_store!(
    GCSStore,
    Gcs,
    bucket,
    "bucket",
    "A bucket of Google Cloud Storage.\n\nSettings come from the arguments, the URL and the environment (`GOOGLE_*`), in this order."
);
cloud_store!(
    AzureStore,
    Azure,
    container_name,
    "container_name",
    "A container of Azure Blob Storage, Data Lake Storage or OneLake.\n\nSettings come from the arguments, the URL and the environment (`AZURE_*`), in this order."
);

/// A directory of an HTTP or WebDAV server.
#[pyclass(frozen, subclass, extends = PyStore, module = "holdall.store")]
pub(crate) struct HTTPStore;

#[pymethods]
impl HTTPStore {
    #[new]
    #[pyo3(signature = (url, *, client_options = None, retry_config = None))]
    fn new(
        py: Python<'_>,
        url: &str,
        client_options: Option<&Bound<'_, PyDict>>,
        retry_config: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let (client, retry) =
            (config::client_options(client_options)?, config::retry_config(retry_config)?);
        let store = py.detach(|| http::HttpStore::open(url, client, retry)).map_err(StoreError)?;
        let kwargs = PyDict::new(py);
        for (name, dict) in [("client_options", client_options), ("retry_config", retry_config)] {
            if let Some(dict) = dict {
                kwargs.set_item(name, dict)?;
            }
        }
        let base = PyStore {
            args: PyTuple::new(py, [store.base_url().as_str()])?.unbind(),
            kwargs: kwargs.unbind(),
            handle: Handle::new(Arc::new(store), Path::default()),
        };
        Ok(PyClassInitializer::from(base).add_subclass(Self))
    }

    /// Open the directory at a URL; the same as the constructor.
    #[classmethod]
    #[pyo3(signature = (url, *, client_options = None, retry_config = None))]
    fn from_url<'py>(
        cls: &Bound<'py, PyType>,
        url: &str,
        client_options: Option<&Bound<'py, PyDict>>,
        retry_config: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let kwargs = PyDict::new(cls.py());
        kwargs.set_item("client_options", client_options)?;
        kwargs.set_item("retry_config", retry_config)?;
        cls.call((url,), Some(&kwargs))
    }

    /// The URL of the directory.
    #[getter]
    fn url<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.as_super().get().args.bind(slf.py()).get_item(0)
    }

    /// The settings of the HTTP client that were given, or None.
    #[getter]
    fn client_options<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        kwarg(slf.as_super(), "client_options")
    }

    /// The retry settings that were given, or None.
    #[getter]
    fn retry_config<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        kwarg(slf.as_super(), "retry_config")
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        format!(
            "{}(\"{}\")",
            class_name(slf.as_any(), "HTTPStore"),
            slf.as_super().get().handle.store.url()
        )
    }
}

/// A directory of the local file system, or all of it.
#[pyclass(frozen, subclass, extends = PyStore, module = "holdall.store")]
pub(crate) struct LocalStore;

fn local_kwargs<'py>(
    py: Python<'py>,
    automatic_cleanup: bool,
    mkdir: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let kwargs = PyDict::new(py);
    kwargs.set_item("automatic_cleanup", automatic_cleanup)?;
    kwargs.set_item("mkdir", mkdir)?;
    Ok(kwargs)
}

#[pymethods]
impl LocalStore {
    #[new]
    #[pyo3(signature = (prefix = None, *, automatic_cleanup = false, mkdir = false))]
    fn new(
        py: Python<'_>,
        prefix: Option<std::path::PathBuf>,
        automatic_cleanup: bool,
        mkdir: bool,
    ) -> PyResult<PyClassInitializer<Self>> {
        let options =
            LocalOptions::default().with_automatic_cleanup(automatic_cleanup).with_mkdir(mkdir);
        let store = match &prefix {
            Some(prefix) => py.detach(|| RustLocal::open(prefix, options)).map_err(StoreError)?,
            None => RustLocal::whole(),
        };
        let args = match prefix {
            Some(prefix) => PyTuple::new(py, [prefix])?,
            None => PyTuple::empty(py),
        };
        let base = PyStore {
            handle: Handle::new(Arc::new(store), Path::default()),
            args: args.unbind(),
            kwargs: local_kwargs(py, automatic_cleanup, mkdir)?.unbind(),
        };
        Ok(PyClassInitializer::from(base).add_subclass(Self))
    }

    /// Open the directory of a `file://` URL.
    #[classmethod]
    #[pyo3(signature = (url, *, automatic_cleanup = false, mkdir = false))]
    fn from_url<'py>(
        cls: &Bound<'py, PyType>,
        url: &str,
        automatic_cleanup: bool,
        mkdir: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let bad = |detail: &str| StoreError(Error::new(ErrorKind::InvalidUrl, "open", url, detail));
        if !url.contains(':') {
            return Err(bad("relative URL without a base: expected file:///path").into());
        }
        if url.ends_with("//") && url.trim_end_matches('/') != "file:" {
            return Err(bad("the path has an empty segment").into());
        }
        let path = match url {
            "file://" | "file:" => std::path::PathBuf::from("/"),
            _ => match StoreUrl::parse(url).map_err(StoreError)?.backend {
                Backend::Local(path) => path,
                _ => return Err(bad("it is not a file URL").into()),
            },
        };
        cls.call((path,), Some(&local_kwargs(cls.py(), automatic_cleanup, mkdir)?))
    }

    /// The directory as a `pathlib.Path`, or None for the whole file system.
    #[getter]
    fn prefix<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let args = slf.as_super().get().args.bind(slf.py()).clone();
        if args.is_empty() {
            return Ok(None);
        }
        slf.py().import("pathlib")?.getattr("Path")?.call1((args.get_item(0)?,)).map(Some)
    }

    /// The same store below a directory.
    fn with_prefix<'py>(
        slf: &Bound<'py, Self>,
        prefix: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let path = key::parse(&key::text(prefix)?)?;
        let base = slf.as_super().get();
        let root = match base.args.bind(py).get_item(0) {
            Ok(root) => root.extract::<std::path::PathBuf>()?,
            Err(_) => std::path::PathBuf::from("/"),
        };
        let args = PyTuple::new(py, [root.join(path.as_ref())])?;
        let kwargs = base.kwargs.bind(py).copy()?;
        let base = base.below(&path, args, kwargs);
        Bound::new(py, PyClassInitializer::from(base).add_subclass(Self))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let url = slf.as_super().get().handle.store.url();
        let path = url.strip_prefix("file://").unwrap_or_default();
        let class = class_name(slf.as_any(), "LocalStore");
        if path.is_empty() { class } else { format!("{class}(\"{path}\")") }
    }
}

/// Objects in the memory of this process.
#[pyclass(frozen, subclass, extends = PyStore, module = "holdall.store")]
pub(crate) struct MemoryStore;

#[pymethods]
impl MemoryStore {
    #[new]
    fn new(py: Python<'_>) -> PyClassInitializer<Self> {
        let base = PyStore {
            handle: Handle::new(Arc::new(RustMemory::new()), Path::default()),
            args: PyTuple::empty(py).unbind(),
            kwargs: PyDict::new(py).unbind(),
        };
        PyClassInitializer::from(base).add_subclass(Self)
    }

    /// The same content below a prefix.
    fn with_prefix<'py>(
        slf: &Bound<'py, Self>,
        prefix: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        let path = key::parse(&key::text(prefix)?)?;
        let py = slf.py();
        let base = slf.as_super().get().below(&path, PyTuple::empty(py), PyDict::new(py));
        Bound::new(py, PyClassInitializer::from(base).add_subclass(Self))
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> bool {
        let memory = |store: &PyStore| {
            let provider = store.handle.store.provider().clone();
            let found = provider.as_any().downcast_ref::<RustMemory>().cloned();
            found.map(|memory| (memory, store.handle.store.prefix().clone()))
        };
        let Ok(other) = other.cast::<Self>() else { return false };
        match (memory(slf.as_super().get()), memory(other.as_super().get())) {
            (Some((a, below_a)), Some((b, below_b))) => a.is_same(&b) && below_a == below_b,
            _ => false,
        }
    }

    fn __hash__(slf: &Bound<'_, Self>) -> u64 {
        // Equal stores share their provider; the address of the first handle would not do.
        slf.as_super().get().handle.store.prefix().as_ref().len() as u64
    }

    fn __getnewargs_ex__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a MemoryStore cannot be pickled: its content lives in this process",
        ))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let class = class_name(slf.as_any(), "MemoryStore");
        match slf.as_super().get().handle.store.prefix().as_ref() {
            "" => class,
            prefix => format!("{class}(prefix=\"{prefix}\")"),
        }
    }
}

impl PyStore {
    /// Whether two stores were made from the same arguments.
    pub(crate) fn same_arguments(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        Ok(self.args.bind(py).eq(other.args.bind(py))?
            && self.kwargs.bind(py).eq(other.kwargs.bind(py))?)
    }

    /// The arguments that make the same store again.
    pub(crate) fn arguments<'py>(
        &self,
        py: Python<'py>,
    ) -> (Bound<'py, PyTuple>, Bound<'py, PyDict>) {
        (self.args.bind(py).clone(), self.kwargs.bind(py).clone())
    }
}

/// A scheme of URLs as obstore names it.
pub(crate) fn scheme_name(url: &str) -> PyResult<&'static str> {
    let parsed = StoreUrl::parse(url).map_err(StoreError)?;
    if let (Backend::Local(_), false) = (&parsed.backend, url.starts_with("file:")) {
        return Err(no_store(url, "relative URL without a base: it has no scheme"));
    }
    Ok(match parsed.backend {
        Backend::S3(_) => "s3",
        Backend::Gcs(_) => "gcs",
        Backend::Azure(_) => "azure",
        Backend::Http(_) => "http",
        Backend::Local(_) => "local",
        Backend::Memory(_) => "memory",
        _ => return Err(no_store(url, "the scheme is unknown")),
    })
}

fn no_store(url: &str, detail: &str) -> PyErr {
    StoreError(Error::new(ErrorKind::InvalidUrl, "open", url, detail)).into()
}
