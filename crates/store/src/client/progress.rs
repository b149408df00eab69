//! Request and response bodies that report movement, so that silence can be told from work.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Extensions, Method, Uri};
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind, HttpRequestBody};
use tokio::time::{Instant, Sleep};

/// Largest piece handed to the connection at once: small enough that a slow link still shows movement.
const PIECE_BYTES: usize = 256 * 1024;

/// Marks a request that makes the service work before it answers, as on a copy of gigabytes: it is silent meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceWorks;

/// How many times longer a service that works may be silent: with the default, ten minutes.
const WORKING: u32 = 20;

/// How long a request may be silent.
pub(super) fn patience(
    method: &Method,
    uri: &Uri,
    marks: &Extensions,
    usual: Option<Duration>,
) -> Option<Duration> {
    // Servers that keep objects as files join the parts of an upload when it is completed.
    let completes = *method == Method::POST && uri.query().is_some_and(|q| q.contains("uploadId="));
    match completes || marks.get::<ServiceWorks>().is_some() {
        true => usual.map(|limit| limit.saturating_mul(WORKING)),
        false => usual,
    }
}

/// Nothing moved for too long.
#[derive(Debug, thiserror::Error)]
#[error("timed out: no data for {0:?} while {1}")]
pub(super) struct Stalled(pub(super) Duration, pub(super) &'static str);

impl Stalled {
    pub(super) fn into_http(self) -> HttpError {
        HttpError::new(HttpErrorKind::Timeout, self)
    }
}

/// Counts movements of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Movement(Arc<AtomicU64>);

impl Movement {
    pub(super) fn mark(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request body cut into pieces; taking a piece counts as movement.
pub(super) struct Upload {
    body: HttpRequestBody,
    piece: Bytes,
    left: u64,
    movement: Movement,
}

impl Upload {
    pub(super) fn new(body: HttpRequestBody, movement: Movement) -> Self {
        let left = body.content_length() as u64;
        Self { body, piece: Bytes::new(), left, movement }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while self.piece.is_empty() {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.piece = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.movement.mark();
        let length = self.piece.len().min(PIECE_BYTES);
        let data = self.piece.copy_to_bytes(length);
        self.left -= length as u64;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A response body that ends in an error after `limit` of silence.
pub(super) struct Download<B> {
    body: B,
    limit: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Download<B> {
    pub(super) fn new(body: B, limit: Option<Duration>) -> Self {
        Self { body, limit, timer: None }
    }
}

impl<B: Body<Data = Bytes, Error = HttpError> + Unpin> Body for Download<B> {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.timer = None;
            return Poll::Ready(frame);
        }
        let Some(limit) = this.limit else { return Poll::Pending };
        // The clock runs only while the caller waits: a slow reader is not a silent server.
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => {
                this.timer = None;
                Poll::Ready(Some(Err(Stalled(limit, "receiving the response body").into_http())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
