//! Sockets that the reactor of a runtime watches, for tasks that wait beside others.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::rt::ReadBufCursor;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The end of a connection that hyper reads and writes.
pub(super) struct Socket {
    stream: TcpStream,
    state: Arc<State>,
}

/// What is known of a socket while hyper has it.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Bytes that went either way.
    moved: AtomicU64,
    /// Whether the next read asks the socket itself, and not what the reactor has seen so far.
    look: AtomicBool,
}

impl State {
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Lets the next read look for itself.
    pub(super) fn look(&self) {
        self.look.store(true, Ordering::Relaxed);
    }

    fn count(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, state: Arc::default() })
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.state.clone()
    }

    /// Whether the other side has closed the connection, or says what nobody asked for.
    fn is_over(&self) -> bool {
        let mut byte = [0];
        let seen = recv(&self.stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
        !matches!(seen, Err(Errno::AGAIN | Errno::INTR))
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.state.look.load(Ordering::Relaxed)
            && self.state.look.swap(false, Ordering::Relaxed)
            && self.is_over()
        {
            return Poll::Ready(Ok(()));
        }
        #[expect(
            unsafe_code,
            reason = "tokio only writes to the buffer, and says how much of it it has written"
        )]
        let mut filled = ReadBuf::uninit(unsafe { buffer.as_mut() });
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut filled))?;
        let count = filled.filled().len();
        #[expect(unsafe_code, reason = "so many bytes have been written")]
        unsafe {
            buffer.advance(count);
        }
        self.state.count(count);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(count)) = &written {
            self.state.count(*count);
        }
        written
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
