//! The AIS server in this process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdall::ais_server::{
    AuthOptions, Backend, Backends, CacheLimits, Error, ErrorKind, EtlOptions, Faults, Options,
    S3Keys, Secret, Server,
};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::runtime::block_on;

/// A running server.
#[pyclass(frozen, module = "holdall._holdall", name = "_AisServer")]
struct AisServer {
    /// None once it is closed.
    server: Mutex<Option<Server>>,
    url: String,
    authn_url: Option<String>,
    admin_password: Option<Secret>,
    faults: Option<Arc<Faults>>,
    /// The process that it runs in: a forked child has none of its threads.
    process: u32,
}

fn to_py(error: &Error) -> PyErr {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(why) = cause {
        let why_text = why.to_string();
        // Some say it in their own words already.
        if !text.contains(&why_text) {
            text = format!("{text}: {why_text}");
        }
        cause = why.source();
    }
    match error.kind() {
        ErrorKind::Invalid => PyValueError::new_err(text),
        _ => PyOSError::new_err(text),
    }
}

impl AisServer {
    fn take(&self) -> Option<Server> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        if std::process::id() != self.process {
            // It belongs to the parent, and so does everything it would stop.
            std::mem::forget(server);
            return None;
        }
        Some(server)
    }
}

#[pymethods]
impl AisServer {
    /// The URL for clients.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// Where users log in.
    #[getter]
    fn authn_url(&self) -> Option<&str> {
        self.authn_url.as_deref()
    }

    /// The administrator's password, if it was made up.
    #[getter]
    fn admin_password(&self) -> Option<&str> {
        self.admin_password.as_ref().map(Secret::expose)
    }

    /// How often rules of faults were met: name, kind, matched, injected.
    fn faults(&self) -> Vec<(String, &'static str, u64, u64)> {
        let counts = self.faults.as_ref().map(|faults| faults.counts()).unwrap_or_default();
        counts.into_iter().map(|of| (of.name, of.kind, of.matched, of.injected)).collect()
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Stops the server. Requests have ten seconds to end.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.take() {
            Some(server) => block_on(py, server.shutdown()),
            None => Ok(()),
        }
    }
}

impl Drop for AisServer {
    fn drop(&mut self) {
        if let Some(server) = self.take() {
            drop(server);
        }
    }
}

/// `holdall.aistore.Auth`.
#[derive(FromPyObject)]
struct Auth {
    admin: String,
    password: Option<String>,
    listen: Option<String>,
    algorithm: Option<String>,
    key_file: Option<PathBuf>,
    token_life: Duration,
    longest_life: Duration,
}

impl Auth {
    fn options(self) -> PyResult<AuthOptions> {
        let invalid = |what: &str, text: &str, e: &dyn std::fmt::Display| {
            PyValueError::new_err(format!("auth: {what}: {text:?}: {e}"))
        };
        let listen = self.listen.map(|text| text.parse().map_err(|e| invalid("listen", &text, &e)));
        let algorithm = self
            .algorithm
            .map(|text| text.parse().map_err(|e: String| invalid("algorithm", &text, &e)));
        Ok(AuthOptions {
            admin: self.admin,
            password: self.password.map(Secret::new),
            listen: listen.transpose()?,
            algorithm: algorithm.transpose()?,
            key: self.key_file,
            life: self.token_life,
            longest_life: self.longest_life,
        })
    }
}

/// `holdall.aistore.Transformers`.
#[derive(FromPyObject)]
struct Transformers {
    python: Option<PathBuf>,
    images: std::collections::BTreeMap<String, Vec<String>>,
    memory_bytes: Option<u64>,
    cpu_seconds: Option<u64>,
    open_files: u64,
    pass_env: Vec<String>,
}

impl From<Transformers> for EtlOptions {
    fn from(from: Transformers) -> Self {
        Self {
            python: from.python,
            images: from.images.into_iter().collect(),
            memory_bytes: from.memory_bytes,
            cpu_seconds: from.cpu_seconds,
            open_files: from.open_files,
            pass_env: from.pass_env,
        }
    }
}

/// Starts a server.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one for each option of the Python function")]
fn _serve_ais(
    py: Python<'_>,
    path: Option<PathBuf>,
    listen: &str,
    fsync: &str,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    public_host: Option<String>,
    max_connections: usize,
    promote_root: PathBuf,
    s3_keys: std::collections::BTreeMap<String, String>,
    auth: Option<Auth>,
    faults_file: Option<PathBuf>,
    faults_json: Option<&str>,
    etl: Option<Transformers>,
    backends: Vec<(String, Vec<(String, String)>)>,
    cache_size: Option<u64>,
) -> PyResult<AisServer> {
    let invalid = |what: &str, text: &str, e: &dyn std::fmt::Display| {
        PyValueError::new_err(format!("{what}: {text:?}: {e}"))
    };
    let tls = match (tls_cert, tls_key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => {
            return Err(PyValueError::new_err(
                "tls_cert and tls_key belong together: give both or none",
            ));
        }
    };
    if max_connections == 0 {
        return Err(PyValueError::new_err("max_connections must be at least 1"));
    }
    let s3_keys = s3_keys.into_iter().try_fold(S3Keys::NONE, |keys, (access, secret)| {
        let one = S3Keys::new(access, secret);
        one.map(|one| keys.and(one)).map_err(|e| PyValueError::new_err(format!("s3_keys: {e}")))
    })?;
    let faults = match (faults_file, faults_json) {
        (Some(file), _) => Some(Faults::read(&file)),
        (None, Some(text)) => Some(Faults::parse_json(text, "of this call")),
        (None, None) => None,
    };
    let faults = faults.transpose().map_err(|e| to_py(&e))?;
    let mut reached = Backends::of(holdall::registry());
    for (name, settings) in backends {
        // Settings may be secret: they are not told.
        let backend: Result<Backend, String> =
            if settings.is_empty() { name.parse() } else { Backend::new(&name, settings) };
        let backend = backend.map_err(|e| PyValueError::new_err(format!("backends: {e}")))?;
        reached = reached.with(backend);
    }
    let options = Options {
        data: path,
        listen: listen.parse().map_err(|e| invalid("listen", listen, &e))?,
        fsync: fsync.parse().map_err(|e| invalid("fsync", fsync, &e))?,
        tls,
        public_host,
        max_connections,
        promote_root,
        s3_keys,
        auth: auth.map(Auth::options).transpose()?,
        faults: faults.clone(),
        etl: etl.map(EtlOptions::from),
        backends: reached,
        cache: CacheLimits { bytes: cache_size, ..CacheLimits::default() },
    };
    let server = block_on(py, Server::start(options))?.map_err(|e| to_py(&e))?;
    Ok(AisServer {
        url: server.url(),
        authn_url: server.authn_url(),
        admin_password: server.admin_password().cloned(),
        faults,
        server: Mutex::new(Some(server)),
        process: std::process::id(),
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<AisServer>()?;
    module.add_function(wrap_pyfunction!(_serve_ais, module)?)
}
