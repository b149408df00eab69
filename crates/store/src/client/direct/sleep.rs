//! Sockets that a thread sleeps on.

use std::io;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use hyper::rt::ReadBufCursor;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};

use super::SLICE;

/// A reply that comes within this time is watched for: falling asleep and being woken takes a processor longer than
/// that, above all a virtual one (`bench`: `http: get().bytes(), 4 KiB`).
const PROMPT: Duration = Duration::from_micros(100);

/// Whether somebody else can run while this thread watches.
static MANY_CORES: LazyLock<bool> =
    LazyLock::new(|| thread::available_parallelism().is_ok_and(|cores| cores.get() > 1));

/// The end of a connection that hyper reads and writes; it shares its state with whoever sleeps on it.
pub(super) struct Socket(Arc<State>);

impl Socket {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        State::new(stream).map(|state| Self(Arc::new(state)))
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.0.clone()
    }
}

/// What is known of a socket. It blocks, for at most a slice of time, but only reads that are told to.
pub(super) struct State {
    stream: TcpStream,
    /// Bytes that went either way.
    moved: AtomicU64,
    /// Whether the last write could not be done.
    full: AtomicBool,
    /// Whether there is nothing to read, as far as is known.
    empty: AtomicBool,
    /// Whether the next read sleeps until there is something.
    patient: AtomicBool,
    /// Whether the last patient read took less than [`PROMPT`].
    prompt: AtomicBool,
}

impl State {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(SLICE))?;
        Ok(Self {
            stream,
            moved: AtomicU64::new(0),
            full: AtomicBool::new(false),
            empty: AtomicBool::new(false),
            patient: AtomicBool::new(false),
            prompt: AtomicBool::new(false),
        })
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Lets no read sleep.
    pub(super) fn hurry(&self) {
        self.patient.store(false, Ordering::Relaxed);
    }

    /// Lets the next read look for itself.
    pub(super) fn forget(&self) {
        self.empty.store(false, Ordering::Relaxed);
    }

    /// Whether hyper has something to write that the socket does not take.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Lets the next read sleep, where nothing is left to write; false when it has slept in vain.
    pub(super) fn wait_in_read(&self) -> bool {
        let slept = self.patient.load(Ordering::Relaxed);
        let sleeps = !slept && !self.is_full();
        self.patient.store(sleeps, Ordering::Relaxed);
        if sleeps {
            self.forget();
        }
        sleeps
    }

    /// Sleeps until the socket can be read, or written where that was not possible; false when the time is over, or a
    /// signal came.
    pub(super) fn wait(&self, most: Duration) -> bool {
        self.forget();
        let mut wanted = PollFlags::IN;
        if self.is_full() {
            wanted |= PollFlags::OUT;
        }
        let most = Timespec { tv_sec: most.as_secs() as _, tv_nsec: most.subsec_nanos().into() };
        // An error of the socket makes it readable, and the read tells which.
        matches!(poll(&mut [PollFd::new(&self.stream, wanted)], Some(&most)), Ok(1..))
    }

    fn write(&self, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            let sent = match slices {
                [one] => send(&self.stream, one, flags),
                many => sendmsg(&self.stream, many, &mut SendAncillaryBuffer::default(), flags),
            };
            return match sent {
                Ok(count) => {
                    self.moved.fetch_add(count as u64, Ordering::Relaxed);
                    self.full.store(false, Ordering::Relaxed);
                    // The answer takes longer than hyper does to ask for it.
                    self.empty.store(true, Ordering::Relaxed);
                    Poll::Ready(Ok(count))
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => {
                    self.full.store(true, Ordering::Relaxed);
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error.into())),
            };
        }
    }

    fn read(&self, buffer: &mut [MaybeUninit<u8>]) -> Poll<io::Result<usize>> {
        if self.empty.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let room = buffer.len();
        let received = match self.patient.load(Ordering::Relaxed) {
            true => self.receive_patiently(buffer),
            false => self.receive(buffer, RecvFlags::DONTWAIT),
        };
        match received {
            Ok(count) => {
                self.moved.fetch_add(count as u64, Ordering::Relaxed);
                self.patient.store(false, Ordering::Relaxed);
                // After the end there is always something to read: the end.
                self.empty.store(count > 0 && count < room, Ordering::Relaxed);
                Poll::Ready(Ok(count))
            }
            Err(Errno::AGAIN | Errno::INTR) => {
                self.empty.store(true, Ordering::Relaxed);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    /// Watches for bytes where the last ones came at once, then sleeps until there are some.
    fn receive_patiently(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<usize, Errno> {
        let start = Instant::now();
        if *MANY_CORES && self.prompt.load(Ordering::Relaxed) {
            while start.elapsed() < PROMPT {
                match self.receive(buffer, RecvFlags::DONTWAIT) {
                    // Whoever else wants the processor gets it.
                    Err(Errno::AGAIN) => thread::yield_now(),
                    received => return received,
                }
            }
        }
        let received = self.receive(buffer, RecvFlags::empty());
        self.prompt.store(start.elapsed() < PROMPT, Ordering::Relaxed);
        received
    }

    fn receive(&self, buffer: &mut [MaybeUninit<u8>], flags: RecvFlags) -> Result<usize, Errno> {
        recv(&self.stream, buffer, flags).map(|(_, count)| count)
    }
}

impl Socket {
    pub(super) fn poll_read(&mut self, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        #[expect(
            unsafe_code,
            reason = "the system call only writes to the buffer, and says how much of it it has written"
        )]
        self.0.read(unsafe { buffer.as_mut() }).map_ok(|count| unsafe { buffer.advance(count) })
    }

    pub(super) fn poll_write(&mut self, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.0.write(slices)
    }

    pub(super) fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.stream.shutdown(std::net::Shutdown::Write))
    }
}
