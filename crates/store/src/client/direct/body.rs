//! Bodies of replies, read by whoever wants them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use object_store::client::{HttpError, HttpErrorKind};

use super::connection::{Connection, Silence};
use super::idle::{Idle, Place};
use super::transport_error;
use crate::client::progress::Stalled;

/// The body of a reply, and the connection it comes through; which is free for others when the body ends.
pub(super) struct DirectBody {
    incoming: Incoming,
    connection: Option<Box<Connection>>,
    idle: Idle,
    place: Place,
    limit: Option<Duration>,
    /// Counted while the caller waits: a slow reader is not a silent server.
    silence: Option<Silence>,
}

impl DirectBody {
    pub(super) fn new(
        incoming: Incoming,
        connection: Box<Connection>,
        idle: Idle,
        place: Place,
        limit: Option<Duration>,
    ) -> Self {
        let connection = Some(connection);
        let mut body = Self { incoming, connection, idle, place, limit, silence: None };
        body.release_at_end();
        body
    }

    fn release_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.release();
        }
    }

    /// What a frame, or the end, does to the rest.
    fn took(&mut self, frame: &Option<Result<Frame<Bytes>, hyper::Error>>) {
        self.silence = None;
        match frame {
            // Of a body in chunks only this tells.
            None => self.release(),
            Some(_) => self.release_at_end(),
        }
    }

    fn release(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.is_reusable()
        {
            self.idle.put(&self.place, connection);
        }
    }
}

impl Drop for DirectBody {
    fn drop(&mut self) {
        // What is left of a short body may have arrived already: hyper reads past it then, and the connection is free.
        if let Some(connection) = &mut self.connection
            && !self.incoming.is_end_stream()
        {
            connection.socket().hurry();
            let mut cx = Context::from_waker(Waker::noop());
            // The first piece, of the only one, tells whether it was the last.
            match Pin::new(&mut self.incoming).poll_frame(&mut cx) {
                Poll::Pending => {
                    connection.work(&mut cx);
                    let _ = Pin::new(&mut self.incoming).poll_frame(&mut cx);
                }
                Poll::Ready(_) => {}
            }
        }
        self.release_at_end();
    }
}

impl Body for DirectBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        loop {
            if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) {
                this.took(&frame);
                return Poll::Ready(frame.map(|frame| frame.map_err(transport_error)));
            }
            let Some(connection) = &mut this.connection else {
                let cut = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                let cut = HttpError::new(HttpErrorKind::Interrupted, cut);
                return Poll::Ready(Some(Err(cut)));
            };
            connection.work(cx);
            let ended = connection.has_ended();
            if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) {
                this.took(&frame);
                return Poll::Ready(frame.map(|frame| frame.map_err(transport_error)));
            }
            if ended {
                this.connection = None;
                continue;
            }
            let socket = connection.socket();
            let silence = this.silence.get_or_insert_with(|| Silence::new(socket.moved()));
            match silence.left(socket.moved(), this.limit) {
                Some(Duration::ZERO) => {
                    let limit = this.limit.unwrap_or_default();
                    let stalled = Stalled(limit, "receiving the response body").into_http();
                    this.connection = None;
                    return Poll::Ready(Some(Err(stalled)));
                }
                left => std::task::ready!(socket.doze(cx, left)),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
