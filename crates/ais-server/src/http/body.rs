//! Bodies of requests and replies.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::engine::pour::Source;
use crate::error::{Error, ErrorKind, Result};

/// A request's body may be silent for this long.
const SILENCE: Duration = Duration::from_secs(60);

/// The body of a reply.
pub(crate) struct Body(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Stream { stream: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>, len: Option<u64> },
}

impl Body {
    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self(Kind::Whole(None))
    }

    /// These bytes.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty())))
    }

    /// What the stream brings: `len` bytes, if known. An error in it breaks the connection, so that the client sees
    /// that something is missing.
    pub(crate) fn stream(
        stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        len: Option<u64>,
    ) -> Self {
        Self(Kind::Stream { stream: Box::pin(stream), len })
    }
}

impl Body {
    /// The bytes, for somebody who puts another body together of them.
    pub(crate) fn into_stream(self) -> Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> {
        match self.0 {
            Kind::Whole(bytes) => Box::pin(futures::stream::iter(bytes.map(Ok))),
            Kind::Stream { stream, .. } => stream,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream { stream, .. } => {
                stream.poll_next_unpin(context).map(|next| next.map(|bytes| bytes.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Stream { len: Some(len), .. } => SizeHint::with_exact(*len),
            Kind::Stream { len: None, .. } => SizeHint::default(),
        }
    }
}

/// The body of a request.
pub(crate) struct Input {
    /// None once it was left behind.
    incoming: Option<Incoming>,
    left: Option<oneshot::Sender<Incoming>>,
    /// What was looked at and is to be read again.
    seen: Option<Bytes>,
}

/// What of a body nobody has read, so that the connection can go on after the reply.
pub(super) struct Left(oneshot::Receiver<Incoming>);

impl Left {
    /// Reads up to `limit` bytes for at most a second. Whatever remains ends the connection.
    pub(super) async fn drain(mut self, limit: usize) {
        let Ok(mut rest) = self.0.try_recv() else { return };
        let read = async {
            let mut total = 0;
            while let Some(Ok(frame)) = rest.frame().await {
                total += frame.data_ref().map_or(0, Bytes::len);
                if total > limit {
                    break;
                }
            }
        };
        // Late is as good as never: the connection then ends.
        drop(tokio::time::timeout(Duration::from_secs(1), read).await);
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let (Some(incoming), Some(left)) = (self.incoming.take(), self.left.take()) {
            // Nobody waits for it when all went well.
            drop(left.send(incoming));
        }
    }
}

impl Input {
    pub(super) fn new(incoming: Incoming) -> (Self, Left) {
        let (left, rest) = oneshot::channel();
        (Self { incoming: Some(incoming), left: Some(left), seen: None }, Left(rest))
    }

    /// Its length, when the client told.
    pub(crate) fn len(&self) -> Option<u64> {
        if let Some(seen) = &self.seen {
            return Some(seen.len() as u64);
        }
        self.incoming.as_ref().and_then(|incoming| incoming.size_hint().exact())
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    ///
    /// When the client went away, or was silent for a minute.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(seen) = self.seen.take() {
            return Ok(Some(seen));
        }
        let Some(incoming) = &mut self.incoming else { return Ok(None) };
        loop {
            let frame = tokio::time::timeout(SILENCE, incoming.frame()).await.map_err(|_| {
                Error::new(
                    ErrorKind::Timeout,
                    "the request's body stopped for more than 60 seconds",
                )
            })?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => {
                    return Err(Error::invalid("the request's body ended before it was whole")
                        .with_source(error));
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Everything, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next); [`ErrorKind::TooLarge`] when there is more.
    pub(crate) async fn all(&mut self, limit: usize) -> Result<Bytes> {
        let too_large = || {
            Error::new(
                ErrorKind::TooLarge,
                format!("the request's body is larger than {limit} bytes"),
            )
        };
        if self.len().is_some_and(|len| len > limit as u64) {
            return Err(too_large());
        }
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut all = BytesMut::with_capacity(first.len() + second.len());
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(next) = self.next().await? {
            if all.len() + next.len() > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&next);
        }
        Ok(all.freeze())
    }

    /// Everything, up to `limit` bytes, which can be read once more.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    pub(crate) async fn peek(&mut self, limit: usize) -> Result<Bytes> {
        let all = self.all(limit).await?;
        self.seen = Some(all.clone()).filter(|all| !all.is_empty());
        Ok(all)
    }

    /// Reads the rest and forgets it, so that the connection can go on.
    pub(crate) async fn drain(&mut self) -> Result<()> {
        while self.next().await?.is_some() {}
        Ok(())
    }
}

impl Source for Input {
    type Error = Error;

    async fn next(&mut self) -> Result<Option<Bytes>> {
        Self::next(self).await
    }
}
