//! Credentials from Python callables.
//!
//! A provider is called when there is no credential yet, or the one at hand ends within the refresh threshold. Readers
//! take the present credential without a lock; one of them at a time refreshes it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use holdall::store::object_store::aws::AwsCredential;
use holdall::store::object_store::azure::AzureCredential;
use holdall::store::object_store::gcp::GcpCredential;
use holdall::store::object_store::{CredentialProvider, Error, Result};
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use tokio::sync::Mutex;

use crate::awaitable::{event_loop, remember_event_loops};
use crate::ops::time_in;

/// A credential that can be read from the dictionary a provider returns.
pub(super) trait FromDict: Sized + Send + Sync + std::fmt::Debug + 'static {
    /// Credentials that end within this time are refreshed, unless the provider says otherwise.
    const THRESHOLD: Duration;

    fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Self>;
}

fn required(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<String> {
    match dict.get_item(key)? {
        Some(value) => value.extract(),
        None => Err(PyKeyError::new_err(format!("the credential has no '{key}'"))),
    }
}

impl FromDict for AwsCredential {
    const THRESHOLD: Duration = Duration::from_secs(300);

    fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        let token = dict.get_item("token")?;
        Ok(Self {
            key_id: required(dict, "access_key_id")?,
            secret_key: required(dict, "secret_access_key")?,
            token: token.map_or(Ok(None), |token| token.extract())?,
        })
    }
}

impl FromDict for GcpCredential {
    const THRESHOLD: Duration = Duration::from_secs(240);

    fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { bearer: required(dict, "token")? })
    }
}

impl FromDict for AzureCredential {
    const THRESHOLD: Duration = Duration::from_secs(300);

    fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        use holdall::store::object_store::azure::{AzureAccessKey, split_sas};
        if let Some(key) = dict.get_item("access_key")? {
            let key = AzureAccessKey::try_new(&key.extract::<String>()?)
                .map_err(|e| PyValueError::new_err(e.to_string()))?;
            return Ok(Self::AccessKey(key));
        }
        if let Some(token) = dict.get_item("sas_token")? {
            if let Ok(pairs) = token.extract::<Vec<(String, String)>>() {
                return Ok(Self::SASToken(pairs));
            }
            let pairs = split_sas(&token.extract::<String>()?).map_err(|_| {
                PyValueError::new_err("the 'sas_token' is not a query of key=value pairs")
            })?;
            return Ok(Self::SASToken(pairs));
        }
        match dict.get_item("token")? {
            Some(token) => Ok(Self::BearerToken(token.extract()?)),
            None => Err(PyKeyError::new_err(
                "the credential has none of 'access_key', 'sas_token', 'token'",
            )),
        }
    }
}

#[derive(Debug)]
struct Held<C> {
    credential: Arc<C>,
    expires_at: Option<DateTime<Utc>>,
}

/// A Python callable as a provider of credentials.
pub(super) struct PyProvider<C> {
    callable: Py<PyAny>,
    threshold: Duration,
    held: ArcSwapOption<Held<C>>,
    refreshing: Mutex<()>,
}

impl<C> std::fmt::Debug for PyProvider<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PyProvider").finish_non_exhaustive()
    }
}

impl<C: FromDict> PyProvider<C> {
    pub(super) fn new(callable: &Bound<'_, PyAny>) -> PyResult<Self> {
        if !callable.is_callable() {
            return Err(PyTypeError::new_err(
                "credential_provider is a callable that returns a dict of credentials",
            ));
        }
        if is_async(callable)? {
            remember_event_loops();
        }
        let threshold = match callable.getattr_opt("refresh_threshold")? {
            Some(threshold) if !threshold.is_none() => threshold.extract()?,
            _ => C::THRESHOLD,
        };
        Ok(Self {
            callable: callable.clone().unbind(),
            threshold,
            held: ArcSwapOption::empty(),
            refreshing: Mutex::new(()),
        })
    }

    fn present(&self) -> Option<Arc<C>> {
        let held = self.held.load();
        let held = held.as_ref()?;
        let fresh = match held.expires_at {
            None => true,
            Some(at) => at
                .signed_duration_since(Utc::now())
                .to_std()
                .is_ok_and(|left| left > self.threshold),
        };
        fresh.then(|| held.credential.clone())
    }

    fn call(callable: &Py<PyAny>, event_loop: Option<Py<PyAny>>) -> PyResult<Held<C>> {
        Python::attach(|py| {
            let mut returned = callable.bind(py).call0()?;
            if returned.hasattr("__await__")? {
                returned = wait_for(&returned, event_loop)?;
            }
            let dict = returned.cast::<PyDict>().map_err(|_| {
                PyTypeError::new_err("the credential provider returned something other than a dict")
            })?;
            let expires_at = dict.get_item("expires_at")?.ok_or_else(|| {
                PyKeyError::new_err("the credential has no 'expires_at' (None means never)")
            })?;
            let expires_at = match expires_at.is_none() {
                true => None,
                false => Some(time_in(&expires_at)?),
            };
            Ok(Held { credential: Arc::new(C::from_dict(dict)?), expires_at })
        })
    }
}

/// Whether a provider returns awaitables, as far as can be told without calling it.
fn is_async(callable: &Bound<'_, PyAny>) -> PyResult<bool> {
    let test = callable.py().import("inspect")?.getattr("iscoroutinefunction")?;
    let method = callable.getattr("__call__")?;
    Ok(test.call1((callable,))?.is_truthy()? || test.call1((method,))?.is_truthy()?)
}

/// Runs an awaitable: on the event loop of the operation, to which sessions of the provider may be bound, or else on
/// one that the package keeps for it.
fn wait_for<'py>(
    awaitable: &Bound<'py, PyAny>,
    event_loop: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    static WAIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = awaitable.py();
    let wait = WAIT.get_or_try_init(py, || {
        py.import("holdall._loop")?.getattr("wait_for").map(Bound::unbind)
    })?;
    wait.bind(py).call1((awaitable, event_loop))
}

#[async_trait]
impl<C: FromDict> CredentialProvider for PyProvider<C> {
    type Credential = C;

    async fn get_credential(&self) -> Result<Arc<C>> {
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let _one_at_a_time = self.refreshing.lock().await;
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let (callable, event_loop) =
            Python::attach(|py| (self.callable.clone_ref(py), event_loop(py)));
        let called = tokio::task::spawn_blocking(move || Self::call(&callable, event_loop)).await?;
        let held = called.map_err(|error| Error::Unauthenticated {
            path: String::new(),
            source: format!("the credential provider failed: {error}").into(),
        })?;
        let credential = held.credential.clone();
        self.held.store(Some(Arc::new(held)));
        Ok(credential)
    }
}
