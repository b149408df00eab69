//! Requests whose connection is driven by whoever waits for the reply: no task of its own, no wake-ups between the two, which
//! costs several times what a short request does. Large content has a task that reads or writes it beside whoever takes or makes
//! it. HTTP itself is hyper's; plain `http://` only, for with TLS the cost is elsewhere.
//!
//! Tasks wait beside others, and the reactor of their runtime watches the sockets (`watch`). A thread that waits for one
//! reply and has nothing else to do gains nothing from a reactor: it writes the request to its socket, sleeps on that socket,
//! and reads the reply (`sleep`). A caller marks the polls of such a future with [`alone`]. Waits are cut into slices, after
//! which the future is pending and asks to be polled again, so that the caller can look around.

mod body;
mod connect;
mod connection;
mod idle;
mod sleep;
mod socket;
mod watch;

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::{Either, select};
use http::header::{ACCEPT, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Uri};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinError;

use self::body::DirectBody;
use self::connection::{Connection, Message};
use self::idle::{Host, Idle, Place};
use self::socket::Socket;
use super::ClientOptions;
use super::file_body::UploadFile;
use super::pool::transport_error;
use super::progress::patience;
use crate::error::Result as StoreResult;
use crate::task::Task;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Polls a future that is all that this thread has to do: its requests may put the thread to sleep, for at most
/// [`SLICE`] at a time.
pub fn alone<T>(poll: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _before = Before(ALONE.replace(true));
    poll()
}

fn is_alone() -> bool {
    ALONE.get()
}

/// What became of a request.
pub(super) enum Sent {
    Answered(HttpResponse),
    /// The host redirects, whose rules are not repeated here: the request, and the reply.
    Redirected(Box<HttpRequest>, HttpResponse),
}

/// Longest sleep within one poll.
pub const SLICE: Duration = Duration::from_millis(40);

/// What is the same for all requests of a pool.
#[derive(Debug)]
pub(super) struct Direct {
    headers: HeaderMap,
    connect_timeout: Option<Duration>,
    timeout: Option<Duration>,
    body_timeout: Option<Duration>,
    shuffle: bool,
    /// Whether redirects are the pool's to follow, or the caller's.
    follow: bool,
    idle: Idle,
    /// Hosts that answered with a redirect.
    redirecting: ArcSwap<Vec<Host>>,
}

impl Direct {
    /// None where the options ask for more than direct requests can do.
    pub(super) fn new(options: &ClientOptions) -> StoreResult<Option<Self>> {
        if !options.allow_http || options.http2_only || has_proxy(options) {
            return Ok(None);
        }
        let mut headers = options.header_map();
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Ok(agent) = HeaderValue::from_str(&options.user_agent) {
            headers.entry(USER_AGENT).or_insert(agent);
        }
        Ok(Some(Self {
            headers,
            connect_timeout: options.connect_timeout,
            timeout: options.timeout,
            body_timeout: options.read_timeout.or(options.timeout),
            shuffle: options.randomize_addresses,
            follow: options.follow_redirects,
            idle: Idle::new(options.pool_idle_timeout, options.pool_max_idle_per_host),
            redirecting: ArcSwap::default(),
        }))
    }

    /// Whose connections a request takes that can be sent from here: to a host that does not redirect, whose rules are not
    /// repeated here.
    pub(super) fn place(&self, request: &HttpRequest) -> Option<Place> {
        let here = request.uri().scheme() == Some(&http::uri::Scheme::HTTP)
            && request.extensions().get::<UploadFile>().is_none();
        let runtime = match is_alone() {
            true => None,
            false => Some(Handle::try_current().ok()?.id()),
        };
        let host = if here { Host::of(request.uri()) } else { None };
        let host = host.filter(|host| !self.redirecting.load().contains(host))?;
        Some(Place { host, runtime })
    }

    /// Sends a request and waits for the head of the reply.
    pub(super) async fn send(
        &self,
        place: &Place,
        request: HttpRequest,
    ) -> Result<Sent, HttpError> {
        let limit = patience(request.method(), request.uri(), request.extensions(), self.timeout);
        let again = self.follow.then(|| request.clone());
        let reply = self.exchange(place, self.message(request)?, limit).await?;
        let is_redirect = reply.status().is_redirection() && reply.headers().contains_key(LOCATION);
        match again {
            Some(request) if is_redirect => {
                self.redirecting.rcu(|hosts| {
                    let mut hosts = Vec::clone(hosts);
                    hosts.push(place.host.clone());
                    hosts
                });
                Ok(Sent::Redirected(Box::new(request), reply))
            }
            _ => Ok(Sent::Answered(reply)),
        }
    }

    async fn exchange(
        &self,
        place: &Place,
        message: Message,
        limit: Option<Duration>,
    ) -> Result<HttpResponse, HttpError> {
        let mut message = message;
        loop {
            let (mut connection, used) = match self.idle.take(place) {
                Some(connection) => (connection, true),
                // In a box: seldom needed, and large.
                None => Box::pin(self.connection(place)).await?,
            };
            let is_large = is_large(message.body().content_length() as u64);
            let (reply, connection) = match is_large && has_threads() {
                true => {
                    let sent =
                        Task::spawn(
                            async move { (connection.send(message, limit).await, connection) },
                        );
                    joined(sent.await)?
                }
                false => (connection.send(message, limit).await, connection),
            };
            let reply = match reply {
                Ok(reply) => reply,
                // Closed while it was idle, and nothing was sent.
                Err((_, Some(unsent))) if used => {
                    message = unsent;
                    continue;
                }
                Err((error, _)) => return Err(error),
            };
            let (parts, incoming) = reply.into_parts();
            let idle = self.idle.clone();
            let (place, limit) = (place.clone(), self.body_timeout);
            let body = DirectBody::new(incoming, connection, idle, place, limit);
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)));
        }
    }

    /// A new connection, or one that somebody hands back before it is there; and whether it has been used. What nobody waits
    /// for any longer is given up: where connections take much longer than replies, as with a service whose queue is full,
    /// each of thousands of requests would leave one, until the process can open no more files.
    async fn connection(&self, place: &Place) -> Result<(Box<Connection>, bool), HttpError> {
        let opened = pin!(self.connect(place));
        if place.runtime.is_none() {
            // This thread sees nothing that others do meanwhile.
            return Ok((opened.await?, false));
        }
        match select(self.idle.next(place), opened).await {
            Either::Left((connection, _)) => Ok((connection, true)),
            Either::Right((opened, _)) => Ok((opened?, false)),
        }
    }

    async fn connect(&self, place: &Place) -> Result<Box<Connection>, HttpError> {
        let stream = connect::connect(&place.host, self.connect_timeout, self.shuffle).await?;
        let socket = Socket::new(stream, place.runtime.is_none());
        let socket = socket.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        Ok(Box::new(Connection::new(socket).await?))
    }

    /// The request as it goes over the wire.
    fn message(&self, request: HttpRequest) -> Result<Message, HttpError> {
        let (parts, body) = request.into_parts();
        let (uri, mut headers) = (parts.uri, parts.headers);
        let bad = |e: http::Error| HttpError::new(HttpErrorKind::Request, e);
        let mut message = http::Request::new(body);
        *message.method_mut() = parts.method;
        if !headers.contains_key(HOST) {
            // Without user and password, which never belong to the name of a host.
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            let name = authority.rsplit_once('@').map_or(authority, |(_, name)| name);
            let name = name.strip_suffix(":80").unwrap_or(name);
            headers.insert(HOST, HeaderValue::from_str(name).map_err(|e| bad(e.into()))?);
        }
        for (name, value) in &self.headers {
            if !headers.contains_key(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        *message.uri_mut() = uri.into_parts().path_and_query.map_or_else(Uri::default, Uri::from);
        *message.headers_mut() = headers;
        Ok(message)
    }
}

/// Content of so many bytes is worth a task of its own, on another processor perhaps than who makes it or takes it.
fn is_large(bytes: u64) -> bool {
    bytes > 256 * 1024
}

/// Whether tasks of this runtime run beside each other.
fn has_threads() -> bool {
    !is_alone()
        && Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}

fn joined<T>(result: Result<T, JoinError>) -> Result<T, HttpError> {
    result.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(ended) => HttpError::new(HttpErrorKind::Interrupted, ended),
    })
}

/// Whether plain requests may have to go through a proxy.
fn has_proxy(options: &ClientOptions) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    options.proxy_url.is_some()
        || ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].into_iter().any(set)
}
