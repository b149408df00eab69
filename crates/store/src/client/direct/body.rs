//! Bodies of replies, read by whoever wants them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use object_store::client::{HttpError, HttpErrorKind};
use tokio::task::AbortHandle;

use super::connection::{Connection, Silence};
use super::idle::{Idle, Place};
use super::socket::State;
use super::{has_threads, is_large, transport_error};
use crate::client::progress::Stalled;

/// The body of a reply, and the connection it comes through; which is free for others when the body ends.
pub(super) struct DirectBody {
    incoming: Incoming,
    connection: Option<Box<Connection>>,
    /// Where the connection of a large body is driven, and its socket as seen from here.
    elsewhere: Option<(AbortHandle, State)>,
    ended: bool,
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
        let mut body = Self {
            incoming,
            connection,
            elsewhere: None,
            ended: false,
            idle,
            place,
            limit,
            silence: None,
        };
        // Where the length is not known, a short body is more likely.
        if body.incoming.size_hint().exact().is_some_and(is_large) {
            body.drive_elsewhere();
        }
        body.release_at_end();
        body
    }

    /// Lets a task read what comes, while others take what came.
    fn drive_elsewhere(&mut self) {
        let beside = self.connection.as_mut().and_then(|connection| connection.socket().beside());
        let Some(socket) = beside.filter(|_| has_threads()) else { return };
        let Some(mut connection) = self.connection.take() else { return };
        let (idle, place) = (self.idle.clone(), self.place.clone());
        let task = tokio::spawn(async move {
            if connection.finish().await {
                idle.put(&place, connection);
            }
        });
        self.elsewhere = Some((task.abort_handle(), socket));
    }

    /// Ends the task that has the connection, unless all has arrived: then it is handed back in a moment.
    fn give_up(&mut self) {
        if let Some((task, _)) = self.elsewhere.take()
            && !(self.ended || self.incoming.is_end_stream())
        {
            task.abort();
        }
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
        self.give_up();
    }
}

fn cut() -> HttpError {
    let cut = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    HttpError::new(HttpErrorKind::Interrupted, cut)
}

fn stalled(limit: Option<Duration>) -> HttpError {
    Stalled(limit.unwrap_or_default(), "receiving the response body").into_http()
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
                if frame.is_none() && this.incoming.size_hint().lower() > 0 {
                    // The task that drove the connection has ended with its runtime.
                    return Poll::Ready(Some(Err(cut())));
                }
                this.ended |= frame.is_none();
                this.took(&frame);
                return Poll::Ready(frame.map(|frame| frame.map_err(transport_error)));
            }
            if let Some((_, socket)) = &mut this.elsewhere {
                let silence = this.silence.get_or_insert_with(|| Silence::new(socket.moved()));
                match silence.left(socket.moved(), this.limit) {
                    Some(Duration::ZERO) => {
                        this.give_up();
                        return Poll::Ready(Some(Err(stalled(this.limit))));
                    }
                    left => std::task::ready!(socket.doze(cx, left)),
                }
                continue;
            }
            let Some(connection) = &mut this.connection else {
                return Poll::Ready(Some(Err(cut())));
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
                    this.connection = None;
                    return Poll::Ready(Some(Err(stalled(this.limit))));
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
