//! Connection pools, one per set of options and process.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Either, select};
use http_body_util::BodyExt;
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};

use super::ascii::make_ascii;
use super::direct::{Direct, Sent};
use super::file_body::{FileBody, UploadFile};
use super::pacing;
use super::progress::{Download, Movement, Stalled, Upload, patience};
use super::redirect::{self, Elsewhere, Onward};
use super::surplus::{self, GiveUp};
use super::{ClientOptions, Integrity, tls};
use crate::error::{Error, ErrorKind, Result};
use crate::transfer::Budget;

type Pools = HashMap<ClientOptions, HttpClient>;

static POOLS: LazyLock<ArcSwap<Mutex<Pools>>> = LazyLock::new(ArcSwap::default);

/// Counts forks that this process has been through as the child.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The client for `options`, made at the first call and shared from then on.
///
/// # Errors
/// [`ErrorKind::Config`] when a certificate, a proxy or a combination of options is not usable.
pub fn shared_client(options: &ClientOptions) -> Result<HttpClient> {
    let pools = POOLS.load_full();
    let mut pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = pools.get(options) {
        return Ok(client.clone());
    }
    let client = HttpClient::new(Pool::new(options.clone())?);
    pools.insert(options.clone(), client.clone());
    Ok(client)
}

/// How many pools this process has.
pub fn pool_count() -> usize {
    POOLS.load().lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Makes every pool open new connections from now on; to be called once in a forked child, whose inherited
/// connections belong to the parent.
pub fn reset_after_fork() {
    GENERATION.fetch_add(1, Ordering::AcqRel);
    Budget::reset_after_fork();
    // A thread of the parent may have held the lock at the fork: it does not exist here to release it.
    let abandoned = POOLS.swap(Arc::default());
    std::mem::forget(abandoned);
    pacing::reset_after_fork();
}

/// Runtimes whose connections one pool keeps. Programs in Python have one for each thread that waits, and one for all
/// else; tests have many, one after the other.
const MOST_RUNTIMES: usize = 80;

/// The URL of a request that carries it along, of one and the same text as its URI: taken apart once, not here again.
#[derive(Debug, Clone)]
pub struct ParsedUrl(pub url::Url);

/// In the extensions of a reply that another origin gave than the one that was asked: where redirects led.
#[derive(Debug, Clone)]
pub struct RedirectedTo(pub http::Uri);

/// To whom connections belong: the process that opened them, and the runtime that drives them and ends with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    generation: u64,
    runtime: Option<tokio::runtime::Id>,
}

impl Owner {
    fn now() -> Self {
        let runtime = tokio::runtime::Handle::try_current().ok().map(|handle| handle.id());
        Self { generation: GENERATION.load(Ordering::Acquire), runtime }
    }
}

/// Counts the forks behind this process.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

struct Pool {
    options: ClientOptions,
    /// Made with the pool, to see that the options are usable; for the first who asks.
    spare: Mutex<Option<reqwest::Client>>,
    direct: Option<Direct>,
    clients: ArcSwap<Vec<(Owner, reqwest::Client)>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Pool {
    fn new(options: ClientOptions) -> Result<Self> {
        let spare = Mutex::new(Some(build(&options)?));
        let direct = Direct::new(&options)?;
        Ok(Self { options, spare, direct, clients: ArcSwap::default() })
    }

    fn client(&self) -> Result<reqwest::Client, HttpError> {
        let owner = Owner::now();
        let clients = self.clients.load();
        if let Some((_, client)) = clients.iter().find(|(of, _)| *of == owner) {
            return Ok(client.clone());
        }
        drop(clients);
        // Not waited for: a thread of the parent may have held the lock at a fork.
        let spare = self.spare.try_lock().ok().and_then(|mut spare| spare.take());
        let client = match spare {
            Some(client) => client,
            None => build(&self.options).map_err(|e| HttpError::new(HttpErrorKind::Request, e))?,
        };
        let before = self.clients.rcu(|clients| {
            let own = clients.iter().filter(|(of, _)| of.generation == owner.generation).cloned();
            let mut own: Vec<_> = own.collect();
            own.drain(..own.len().saturating_sub(MOST_RUNTIMES - 1));
            own.push((owner, client.clone()));
            own
        });
        if before.iter().any(|(of, _)| of.generation != owner.generation) {
            // Dropping the parent's client here would close sockets that the parent still uses.
            std::mem::forget(before);
        }
        Ok(client)
    }
}

#[async_trait]
impl HttpService for Pool {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let direct =
            self.direct.as_ref().and_then(|direct| Some((direct, direct.place(&request)?)));
        let Some((direct, place)) = direct else { return self.pooled(request).await };
        let uri = request.uri().clone();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let pass = match pacing::enter(authority).await {
            Ok(pass) => pass,
            Err(refused) => return Ok(refused.into_reply(authority)),
        };
        match direct.send(&place, request).await? {
            Sent::Answered(mut reply) => {
                pass.replied(authority, reply.status(), reply.headers());
                Integrity::note(&mut reply)?;
                make_ascii(&mut reply);
                Ok(reply)
            }
            Sent::Redirected(request, reply) => {
                drop(pass);
                let onward = redirect::onward(&request, reply.status(), reply.headers());
                drop(reply);
                match onward? {
                    // The pool follows what comes after it.
                    Onward::Within(next) => self.pooled(next).await,
                    Onward::Elsewhere(next) => self.leave(next).await,
                    Onward::Unclear => self.pooled(*request).await,
                }
            }
        }
    }
}

impl Pool {
    /// Sends a request with the client of this process and runtime. In a box: the future is large, and whoever sends a
    /// request directly need not carry it around.
    fn pooled(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        self.send(request).boxed()
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let timeout = patience(&parts.method, &parts.uri, &parts.extensions, self.options.timeout);
        let url = match parts.extensions.get::<ParsedUrl>() {
            Some(parsed) => parsed.0.clone(),
            None => parts
                .uri
                .to_string()
                .parse()
                .map_err(|e: url::ParseError| HttpError::new(HttpErrorKind::Request, e))?,
        };
        let movement = Movement::default();
        let elsewhere = Elsewhere::of(&parts);
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let file = parts.extensions.get::<UploadFile>().map(|upload| {
            FileBody::new(upload.file.clone(), upload.length).counted(movement.clone())
        });
        *request.body_mut() = Some(match (file, body.as_bytes()) {
            (Some(file), _) => reqwest::Body::wrap(file),
            (None, Some(small)) if small.len() <= 64 * 1024 => small.clone().into(),
            _ => reqwest::Body::wrap(Upload::new(body, movement.clone())),
        });

        let authority = request.url().authority().to_owned();
        let pass = match pacing::enter(&authority).await {
            Ok(pass) => pass,
            Err(refused) => return Ok(refused.into_reply(&authority)),
        };
        let reply = surplus::awaited(self.client()?.execute(request));
        let reply = match timeout {
            Some(limit) => unless_stalled(reply, &movement, limit).await?,
            None => reply.await.map_err(reqwest_error)?,
        };
        pass.replied(&authority, reply.status(), reply.headers());
        if self.options.follow_redirects
            && let Some(request) =
                elsewhere.request(reply.status(), reply.headers(), reply.url())?
        {
            return self.leave(request).await;
        }
        let reply: http::Response<reqwest::Body> = reply.into();
        let (parts, body) = reply.into_parts();
        let limit = self.options.read_timeout.or(self.options.timeout);
        let body = Download::new(body.map_err(reqwest_error), limit);
        let mut response = HttpResponse::from_parts(parts, HttpResponseBody::new(body));
        Integrity::note(&mut response)?;
        make_ascii(&mut response);
        Ok(response)
    }
}

impl Pool {
    /// Follows a redirect to another origin, where headers that the caller configured are nobody's business.
    async fn leave(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let bare = ClientOptions { default_headers: Vec::new(), ..self.options.clone() };
        let client = shared_client(&bare).map_err(|e| HttpError::new(HttpErrorKind::Request, e))?;
        let there = RedirectedTo(request.uri().clone());
        let mut reply = client.execute(request).await?;
        // What is there already is where the last of several led.
        reply.extensions_mut().get_or_insert_with(|| there);
        Ok(reply)
    }
}

/// Waits for the head of the reply for as long as the request moves, and `limit` longer.
async fn unless_stalled(
    reply: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
    movement: &Movement,
    limit: Duration,
) -> Result<reqwest::Response, HttpError> {
    let mut reply = std::pin::pin!(reply);
    let mut seen = movement.count();
    loop {
        let silence = std::pin::pin!(tokio::time::sleep(limit));
        match select(reply.as_mut(), silence).await {
            Either::Left((result, _)) => return result.map_err(reqwest_error),
            Either::Right(_) if movement.count() == seen => {
                return Err(Stalled(limit, "waiting for the response").into_http());
            }
            Either::Right(_) => seen = movement.count(),
        }
    }
}

fn build(options: &ClientOptions) -> Result<reqwest::Client> {
    let bad = |key: &'static str| {
        move |e: reqwest::Error| Error::new(ErrorKind::Config, "configure", key, chain(&e))
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(&options.user_agent)
        .default_headers(options.header_map())
        .redirect(match options.follow_redirects {
            true => redirect::within_origin(),
            false => redirect::never(),
        })
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .tcp_nodelay(true)
        .https_only(!options.allow_http)
        .connector_layer(GiveUp::default())
        .danger_accept_invalid_certs(options.allow_invalid_certificates)
        .http2_keep_alive_while_idle(options.http2_keep_alive_while_idle);

    if let Some(url) = &options.proxy_url {
        let mut proxy = reqwest::Proxy::all(url).map_err(bad("proxy_url"))?;
        if let Some(hosts) = &options.proxy_excludes {
            proxy = proxy.no_proxy(reqwest::NoProxy::from_string(hosts));
        }
        builder = builder.proxy(proxy);
    }
    if let Some(identity) = &options.identity {
        let identity = reqwest::Identity::from_pem(identity.pem()).map_err(bad("identity"))?;
        builder = builder.identity(identity);
    }
    let mut authorities = Vec::new();
    if let Some(pem) = &options.root_certificate {
        authorities.extend(tls::certificates("root_certificate", pem)?);
    }
    if let Some(pem) = &options.proxy_ca_certificate {
        authorities.extend(tls::certificates("proxy_ca_certificate", pem)?);
    }
    builder = match tls::system(options) {
        Some(tls) => builder.tls_backend_preconfigured(tls),
        None if options.no_system_certificates => builder.tls_certs_only(authorities),
        None => builder.tls_certs_merge(authorities),
    };
    if let Some(time) = options.connect_timeout {
        builder = builder.connect_timeout(time);
    }
    if let Some(time) = options.pool_idle_timeout {
        builder = builder.pool_idle_timeout(time);
    }
    if let Some(most) = options.pool_max_idle_per_host {
        builder = builder.pool_max_idle_per_host(most);
    }
    if let Some(time) = options.http2_keep_alive_interval {
        builder = builder.http2_keep_alive_interval(time);
    }
    if let Some(time) = options.http2_keep_alive_timeout {
        builder = builder.http2_keep_alive_timeout(time);
    }
    if let Some(size) = options.http2_max_frame_size {
        builder = builder.http2_max_frame_size(Some(size));
    }
    if options.http2_only {
        builder = builder.http2_prior_knowledge();
    } else if options.http1_only {
        builder = builder.http1_only();
    }
    if options.randomize_addresses {
        builder = builder.dns_resolver(Arc::new(super::resolve::ShuffledAddresses));
    }
    builder.build().map_err(bad("client"))
}

/// Turns a failure of the transport into the kinds that the retry policy of the stores knows.
fn reqwest_error(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_decode() {
        HttpErrorKind::Decode
    } else {
        HttpErrorKind::Unknown
    };
    HttpError::new(refined(kind, &error), error.without_url())
}

/// As [`reqwest_error`], for errors of hyper itself.
pub(super) fn transport_error(error: hyper::Error) -> HttpError {
    HttpError::new(refined(HttpErrorKind::Unknown, &error), error)
}

/// What an error and its causes say about its kind.
fn refined(mut kind: HttpErrorKind, error: &(dyn StdError + 'static)) -> HttpErrorKind {
    let mut cause = Some(error);
    while let Some(e) = cause {
        if let Some(stalled) = e.downcast_ref::<HttpError>() {
            kind = stalled.kind();
        } else if e.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            // The head of a reply that is no HTTP: cut by somebody on the way, or of a server that is starting.
            kind = HttpErrorKind::Interrupted;
        } else if let Some(io) = e.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind as Io;
            if tls::is_distrust(io) {
                // The next attempt meets the same certificate.
                return HttpErrorKind::Unknown;
            }
            match io.kind() {
                Io::TimedOut => kind = HttpErrorKind::Timeout,
                Io::ConnectionAborted
                | Io::ConnectionReset
                | Io::BrokenPipe
                | Io::UnexpectedEof => {
                    kind = HttpErrorKind::Interrupted;
                }
                _ => {}
            }
        }
        cause = e.source();
    }
    if kind == HttpErrorKind::Unknown {
        let text = chain(error);
        if text.contains("connection closed before message completed")
            || text.contains("operation was canceled")
            || text.contains("error reading a body from connection")
            || text.contains("end of file before message length reached")
        {
            kind = HttpErrorKind::Interrupted;
        }
    }
    kind
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}
