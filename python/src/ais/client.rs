//! The client: one for each `RequestClient` of Python.

use std::time::Duration;

use bytes::Bytes as RustBytes;
use holdall::ais::{Client, ClientConfig, Error, Reader, Request, Token};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::args::{Given, reading, seconds};
use super::errors::to_py;
use super::reply::{AisReply, Got, data};
use crate::awaitable::future_into_py;
use crate::runtime::block_here;

/// Sends requests to a cluster.
#[pyclass(frozen, name = "_AisClient", module = "holdall._holdall")]
pub(crate) struct AisClient {
    pub(crate) client: Client,
}

/// Settings that are paths and words of the client itself.
const OWN: [&str; 3] = ["ca_certificate", "client_certificate", "client_key"];

#[pymethods]
impl AisClient {
    /// A client with settings of `SessionManager.settings` and `RetryConfig.settings`; time-outs are in seconds.
    #[new]
    fn new(
        py: Python<'_>,
        endpoint: &str,
        token: Option<&str>,
        connect_timeout: Option<f64>,
        read_timeout: Option<f64>,
        settings: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let mut pairs = vec![("endpoint".to_owned(), endpoint.to_owned())];
        for name in OWN {
            if let Some(value) = settings.get_item(name)? {
                pairs.push((name.to_owned(), value.extract()?));
            }
        }
        let mut config = ClientConfig::from_pairs(false, pairs).map_err(|e| to_py(&e))?;
        config = config.with_timeouts(seconds(connect_timeout)?, seconds(read_timeout)?);
        config.token = token.map(Token::new);
        set(&mut config, settings)?;
        let client = py.detach(|| Client::new(config)).map_err(|e| to_py(&e))?;
        Ok(Self { client })
    }

    /// Shows another token from now on, or none.
    fn set_token(&self, token: Option<&str>) {
        self.client.set_token(token.map(Token::new));
    }

    /// Sends a request and waits for the reply, and for its body unless `stream` is set. Refusals are replies, too.
    #[pyo3(signature = (method, path, params = None, headers = None, body = None, timeout = None, stream = false, endpoint = None))]
    #[expect(clippy::too_many_arguments, reason = "what requests are made of")]
    fn request(
        &self,
        py: Python<'_>,
        method: &str,
        path: &str,
        params: Option<&Bound<'_, PyAny>>,
        headers: Option<&Bound<'_, PyAny>>,
        body: Option<&Bound<'_, PyAny>>,
        timeout: Option<f64>,
        stream: bool,
        endpoint: Option<&str>,
    ) -> PyResult<AisReply> {
        let given = Given { method, path, params, headers, body, timeout, endpoint };
        let request = given.request()?;
        let (got, driver) = block_here(py, true, get(&self.client, request, stream))?;
        Ok(AisReply::new(got.map_err(|e| to_py(&e))?, driver))
    }

    /// Reads an object and waits for all of it: its content, or a reply where that is long or was refused.
    #[pyo3(signature = (path, params = None, headers = None))]
    fn content(
        &self,
        py: Python<'_>,
        path: &str,
        params: Option<&Bound<'_, PyAny>>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let request = reading(path, params, headers, None)?;
        let (content, driver) = block_here(py, true, content(&self.client, request))?;
        match content.map_err(|e| to_py(&e))? {
            Content::Whole(bytes) => Ok(data(py, &bytes)),
            Content::Reply(got) => Ok(Py::new(py, AisReply::new(*got, driver))?.into_any()),
        }
    }

    /// The same as `request`, to be awaited.
    #[pyo3(signature = (method, path, params = None, headers = None, body = None, timeout = None, stream = false, endpoint = None))]
    #[expect(clippy::too_many_arguments, reason = "what requests are made of")]
    fn request_async<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        path: &str,
        params: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        body: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
        stream: bool,
        endpoint: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let given = Given { method, path, params, headers, body, timeout, endpoint };
        let (request, client) = (given.request()?, self.client.clone());
        let done = async move { get(&client, request, stream).await };
        future_into_py(py, false, done, |py, got| {
            let reply = AisReply::new(got.map_err(|e| to_py(&e))?, None);
            Ok(Bound::new(py, reply)?.into_any().unbind())
        })
    }
}

/// Sends a request; what was refused is a reply, too.
pub(super) async fn get(client: &Client, request: Request, stream: bool) -> Result<Got, Error> {
    let of_object = request.method == http::Method::GET && request.is_of_object();
    let got = match (stream, of_object) {
        (true, _) => client.request(request).await.map(Got::of),
        (false, true) => read(client, request).await,
        (false, false) => match client.request(request).await {
            Ok(response) => Got::whole(response).await,
            Err(error) => Err(error),
        },
    };
    got.or_else(Got::refused)
}

/// Content of an object that is longer than this is read when somebody asks for it, into its final place.
const COLLECTED_BYTES: u64 = 1024 * 1024;

/// Reads an object: continued where it breaks off, checked at the end.
async fn read(client: &Client, request: Request) -> Result<Got, Error> {
    let reader = client.read(request).await?;
    match is_short(&reader) {
        true => Got::whole_reader(reader).await,
        false => Ok(Got::of_reader(reader)),
    }
}

/// Seconds of a pause, as far as anybody waits; what is no number is none.
fn span_of(seconds: f64) -> Duration {
    Duration::from_secs_f64(if seconds > 0.0 { seconds.min(1e9) } else { 0.0 })
}

/// What a read gives.
enum Content {
    Whole(RustBytes),
    Reply(Box<Got>),
}

/// As [`read`], without a reply around what is short.
async fn content(client: &Client, request: Request) -> Result<Content, Error> {
    let content = match client.read(request).await {
        Ok(reader) if is_short(&reader) => reader.bytes().await.map(Content::Whole),
        Ok(reader) => Ok(Content::Reply(Box::new(Got::of_reader(reader)))),
        Err(error) => Err(error),
    };
    content.or_else(|error| Ok(Content::Reply(Box::new(Got::refused(error)?))))
}

fn is_short(reader: &Reader) -> bool {
    reader.length().is_none_or(|length| length <= COLLECTED_BYTES)
}

fn set(config: &mut ClientConfig, settings: &Bound<'_, PyDict>) -> PyResult<()> {
    for (key, value) in settings.iter() {
        let key: String = key.extract()?;
        let span = || value.extract().map(span_of);
        match key.as_str() {
            name if OWN.contains(&name) => {}
            "skip_verify" => config.http.allow_invalid_certificates = value.extract()?,
            "max_pool_size" => config.http.pool_max_idle_per_host = Some(value.extract()?),
            "http_retries" => config.retry.max_retries = value.extract()?,
            "retry_statuses" => config.repetition.statuses = Some(value.extract()?),
            "keep_retry_after" => config.repetition.keep_retry_after = value.extract()?,
            "network_retries" => config.repetition.network_retries = Some(value.extract()?),
            "network_pauses" => {
                let (first, longest) = value.extract::<(f64, f64)>()?;
                config.repetition.network_pauses = Some((span_of(first), span_of(longest)));
            }
            "init_backoff" => config.retry.backoff.init_backoff = span()?,
            "max_backoff" => config.retry.backoff.max_backoff = span()?,
            "max_time" => config.retry.retry_timeout = span()?,
            "cold_bytes_per_second" => config.cold_get.bytes_per_second = value.extract()?,
            "cold_max_wait" => config.cold_get.max_wait = span()?,
            "cold_remote_head" => config.cold_get.remote_head = value.extract()?,
            _ => return Err(PyKeyError::new_err(format!("there is no setting {key:?}"))),
        }
    }
    Ok(())
}
