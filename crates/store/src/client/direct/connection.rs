//! One connection, driven by whoever waits for what comes through it.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::http1;
use object_store::client::{HttpError, HttpErrorKind, HttpRequestBody};

use super::socket::{Socket, State};
use super::transport_error;
use crate::client::progress::Stalled;

pub(super) type Message = http::Request<HttpRequestBody>;

/// A connection and the state of its socket.
pub(super) struct Connection {
    requests: http1::SendRequest<HttpRequestBody>,
    /// None when the connection has ended.
    driver: Option<http1::Connection<Socket, HttpRequestBody>>,
    socket: State,
    /// Since when the connection has been idle.
    pub(super) idle_since: Instant,
}

impl Connection {
    pub(super) async fn new(socket: Socket) -> Result<Self, HttpError> {
        let state = socket.state();
        let (requests, driver) = http1::handshake(socket).await.map_err(transport_error)?;
        Ok(Self { requests, driver: Some(driver), socket: state, idle_since: Instant::now() })
    }

    /// Reads and writes what can be now.
    pub(super) fn work(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            // What ended the connection is told to the request, or to the body, that it ended.
            && Pin::new(driver).poll(cx).is_ready()
        {
            self.driver = None;
        }
    }

    /// Whether another request can be sent, as far as the socket tells when it is asked again.
    pub(super) fn is_open(&mut self) -> bool {
        self.socket.forget();
        self.is_reusable()
    }

    /// Whether another request can be sent, as far as is known.
    pub(super) fn is_reusable(&mut self) -> bool {
        self.socket.hurry();
        self.work(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.requests.is_ready()
    }

    /// Sends a request and waits for the head of the reply, for as long as data move and `limit` longer. A request that
    /// has not been sent comes back with the error.
    pub(super) async fn send(
        &mut self,
        message: Message,
        limit: Option<Duration>,
    ) -> Result<http::Response<Incoming>, (HttpError, Option<Message>)> {
        let mut reply = pin!(self.requests.try_send_request(message));
        let (driver, socket) = (&mut self.driver, &mut self.socket);
        let mut silence = Silence::new(socket.moved());
        std::future::poll_fn(|cx| {
            loop {
                if let Poll::Ready(done) = reply.as_mut().poll(cx) {
                    return Poll::Ready(done.map_err(|mut e| {
                        let unsent = e.take_message();
                        (transport_error(e.into_error()), unsent)
                    }));
                }
                let Some(connection) = driver else {
                    let closed = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
                    let closed = HttpError::new(HttpErrorKind::Interrupted, closed);
                    return Poll::Ready(Err((closed, None)));
                };
                if Pin::new(connection).poll(cx).is_ready() {
                    *driver = None;
                    continue;
                }
                if let Poll::Ready(done) = reply.as_mut().poll(cx) {
                    return Poll::Ready(done.map_err(|mut e| {
                        let unsent = e.take_message();
                        (transport_error(e.into_error()), unsent)
                    }));
                }
                match silence.left(socket.moved(), limit) {
                    Some(Duration::ZERO) => {
                        let limit = limit.unwrap_or_default();
                        let stalled = Stalled(limit, "waiting for the response").into_http();
                        return Poll::Ready(Err((stalled, None)));
                    }
                    left => std::task::ready!(socket.doze(cx, left)),
                }
            }
        })
        .await
    }

    /// Reads the rest of a reply for whoever takes it from hyper; true when another request can be sent then.
    pub(super) async fn finish(&mut self) -> bool {
        std::future::poll_fn(|cx| {
            self.work(cx);
            match self.driver.is_some() {
                true if self.requests.is_ready() => Poll::Ready(true),
                true => Poll::Pending,
                false => Poll::Ready(false),
            }
        })
        .await
    }

    pub(super) fn socket(&mut self) -> &mut State {
        &mut self.socket
    }

    pub(super) fn has_ended(&self) -> bool {
        self.driver.is_none()
    }
}

/// How long nothing has moved.
#[derive(Debug)]
pub(super) struct Silence {
    moved: u64,
    since: Instant,
}

impl Silence {
    pub(super) fn new(moved: u64) -> Self {
        Self { moved, since: Instant::now() }
    }

    /// How much of `limit` is left.
    pub(super) fn left(&mut self, moved: u64, limit: Option<Duration>) -> Option<Duration> {
        if moved != self.moved {
            *self = Self::new(moved);
        }
        limit.map(|limit| limit.saturating_sub(self.since.elapsed()))
    }
}
