//! Sockets of the two kinds, as hyper sees them and as whoever waits does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::{SLICE, is_alone, sleep, watch};

/// The end of a connection that hyper reads and writes.
pub(super) enum Socket {
    /// A thread sleeps on it.
    Slept(sleep::Socket),
    /// The reactor of a runtime watches it.
    Watched(watch::Socket),
}

impl Socket {
    pub(super) fn new(stream: TcpStream, slept: bool) -> io::Result<Self> {
        Ok(match slept {
            true => Self::Slept(sleep::Socket::new(stream.into_std()?)?),
            false => Self::Watched(watch::Socket::new(stream)?),
        })
    }

    pub(super) fn state(&self) -> State {
        match self {
            Self::Slept(socket) => State::Slept(socket.state()),
            Self::Watched(socket) => State::Watched { state: socket.state(), alarm: None },
        }
    }
}

/// What is known of a socket while hyper has it, and how its next movement is waited for.
pub(super) enum State {
    Slept(Arc<sleep::State>),
    Watched {
        state: Arc<watch::State>,
        /// Rings when nothing has moved for too long, or earlier: it is not set anew for each wait, which would cost more
        /// than to look at the clock when it rings.
        alarm: Option<Pin<Box<Sleep>>>,
    },
}

impl State {
    /// Bytes that went either way.
    pub(super) fn moved(&self) -> u64 {
        match self {
            Self::Slept(state) => state.moved(),
            Self::Watched { state, .. } => state.moved(),
        }
    }

    /// Lets no read sleep.
    pub(super) fn hurry(&self) {
        if let Self::Slept(state) = self {
            state.hurry();
        }
    }

    /// Lets the next read look for itself.
    pub(super) fn forget(&self) {
        match self {
            Self::Slept(state) => state.forget(),
            Self::Watched { state, .. } => state.look(),
        }
    }

    /// The same, for somebody who does not drive the connection; none for threads, which do.
    pub(super) fn beside(&self) -> Option<Self> {
        match self {
            Self::Slept(_) => None,
            Self::Watched { state, .. } => {
                Some(Self::Watched { state: state.clone(), alarm: None })
            }
        }
    }

    /// Waits for the next movement, or until `left` is over. Whoever is pending is woken; when he is not, he looks again.
    pub(super) fn doze(&mut self, cx: &mut Context<'_>, left: Option<Duration>) -> Poll<()> {
        match self {
            Self::Slept(state) => doze(cx, state, left),
            // The reactor has the waker since the socket was read in vain.
            Self::Watched { alarm, .. } => match left {
                Some(left) => ring(alarm, cx, left),
                None => Poll::Pending,
            },
        }
    }
}

/// Sleeps for a slice, if this thread may; when nothing has come it asks to be polled again.
fn doze(cx: &Context<'_>, socket: &sleep::State, left: Option<Duration>) -> Poll<()> {
    let woken = match is_alone() {
        true if socket.wait_in_read() => true,
        true if socket.is_full() => socket.wait(left.map_or(SLICE, |left| left.min(SLICE))),
        true => false,
        // A future that wandered off to a thread with other work must not stop that.
        false => socket.wait(Duration::from_millis(1)),
    };
    if woken {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Ready when the time is over, and perhaps before.
fn ring(alarm: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>, left: Duration) -> Poll<()> {
    let until = Instant::now() + left;
    let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
    if alarm.deadline() > until || alarm.is_elapsed() {
        alarm.as_mut().reset(until);
    }
    alarm.as_mut().poll(cx)
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Slept(socket) => socket.poll_read(buffer),
            Self::Watched(socket) => socket.poll_read(cx, buffer),
        }
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Slept(socket) => socket.poll_write(slices),
            Self::Watched(socket) => socket.poll_write(cx, slices),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Slept(socket) => socket.poll_shutdown(),
            Self::Watched(socket) => socket.poll_shutdown(cx),
        }
    }
}
