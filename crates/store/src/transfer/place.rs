//! Where the bytes of an object go: into a file or into memory, each range at its final place.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::partial::io_error;
use crate::error::{Error, ErrorKind, Result};

/// Bytes that are collected before a thread is asked to write them. Pieces of a body have up to 408 KiB (hyper's), so that
/// two wait and two are being written while one comes in: the memory that a part takes of the budget.
const WRITE_BYTES: usize = 512 * 1024;

/// Bytes that are read back at once: few enough to be in the processor's cache when their checksum is computed.
const READ_BYTES: usize = 256 * 1024;

/// A file, on its way to a name, or a piece of memory.
#[derive(Debug, Clone)]
pub(super) enum Place<'a> {
    File(Arc<File>, Arc<Path>),
    Memory(Memory<'a>),
}

/// Memory that is filled in disjoint ranges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory<'a> {
    start: NonNull<u8>,
    length: usize,
    of: PhantomData<&'a mut [u8]>,
}

#[expect(unsafe_code, reason = "parts of one buffer are filled side by side")]
// SAFETY: it stands for a `&mut [u8]`, which is `Send`; sharing it among the parts of one transfer is sound because
// these write disjoint ranges, and what has been written is read by no one else before they end.
unsafe impl Send for Memory<'_> {}
#[expect(unsafe_code, reason = "see above")]
// SAFETY: see above.
unsafe impl Sync for Memory<'_> {}

impl<'a> Memory<'a> {
    pub(super) fn new(buffer: &'a mut [u8]) -> Self {
        let length = buffer.len();
        Self { start: NonNull::from(buffer).cast(), length, of: PhantomData }
    }

    /// Copies `data` to `at`. Ranges written at the same time must not overlap, which the parts of a plan do not.
    fn write(&self, at: u64, data: &[u8]) {
        let end = usize::try_from(at).ok().and_then(|at| at.checked_add(data.len()));
        assert!(end.is_some_and(|end| end <= self.length), "a part lies inside its object");
        #[expect(unsafe_code, reason = "parts of one buffer are filled side by side")]
        // SAFETY: the range lies inside the buffer, which is borrowed for `'a`, and belongs to this part alone.
        unsafe {
            let to = self.start.as_ptr().add(at as usize);
            std::ptr::copy_nonoverlapping(data.as_ptr(), to, data.len());
        }
    }

    /// Bytes that have been written.
    fn read(&self, range: Range<u64>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.length as u64, "inside the object");
        #[expect(unsafe_code, reason = "parts that are complete are read while others are filled")]
        // SAFETY: the range lies inside the buffer, and whoever asks knows that its parts are complete.
        unsafe {
            let start = self.start.as_ptr().add(range.start as usize);
            std::slice::from_raw_parts(start, (range.end - range.start) as usize)
        }
    }
}

impl Place<'_> {
    /// Hands the bytes of a complete range to `take`, a piece at a time.
    pub(super) async fn replay<T: Send + 'static>(
        &self,
        range: Range<u64>,
        mut state: T,
        take: fn(&mut T, &[u8]),
    ) -> Result<T> {
        match self {
            Self::Memory(memory) => {
                let mut at = range.start;
                while at < range.end {
                    let end = range.end.min(at + READ_BYTES as u64);
                    take(&mut state, memory.read(at..end));
                    at = end;
                    tokio::task::yield_now().await;
                }
                Ok(state)
            }
            Self::File(file, path) => {
                let file = file.clone();
                let read = move || {
                    let mut buffer = vec![0; READ_BYTES];
                    let mut at = range.start;
                    while at < range.end {
                        let length = (range.end - at).min(READ_BYTES as u64) as usize;
                        file.read_exact_at(&mut buffer[..length], at)?;
                        take(&mut state, &buffer[..length]);
                        at += length as u64;
                    }
                    Ok(state)
                };
                blocking(read).await?.map_err(|e| io_error("download", "read back", path, &e))
            }
        }
    }
}

/// Writes one range of a place, in order.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    place: Place<'a>,
    at: u64,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(place: Place<'a>, at: u64) -> Self {
        Self { place, at, waiting: Vec::new(), waiting_bytes: 0, writing: None }
    }

    pub(super) async fn write(&mut self, piece: Bytes) -> Result<()> {
        match &self.place {
            Place::Memory(memory) => {
                memory.write(self.at, &piece);
                self.at += piece.len() as u64;
            }
            Place::File(..) => {
                self.waiting_bytes += piece.len();
                self.waiting.push(piece);
                if self.waiting_bytes >= WRITE_BYTES {
                    self.start().await?;
                }
            }
        }
        Ok(())
    }

    /// Waits until everything is in its place.
    pub(super) async fn finish(mut self) -> Result<()> {
        self.start().await?;
        self.settle().await
    }

    /// Hands what has been collected to a thread, while the next bytes come in.
    async fn start(&mut self) -> Result<()> {
        self.settle().await?;
        let Place::File(file, _) = &self.place else { return Ok(()) };
        if self.waiting.is_empty() {
            return Ok(());
        }
        let (file, pieces, mut at) = (file.clone(), std::mem::take(&mut self.waiting), self.at);
        self.at += std::mem::take(&mut self.waiting_bytes) as u64;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            for piece in pieces {
                file.write_all_at(&piece, at)?;
                at += piece.len() as u64;
            }
            Ok(())
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<()> {
        match (self.writing.take(), &self.place) {
            (Some(writing), Place::File(_, path)) => {
                join(writing.await)?.map_err(|e| io_error("download", "write", path, &e))
            }
            _ => Ok(()),
        }
    }
}

/// The error for work that the end of the runtime has kept from being done.
pub(super) fn no_runtime() -> Error {
    Error::new(ErrorKind::Join, "transfer", "", "the runtime has ended")
}

/// Runs `work` on the threads for blocking calls.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    join(tokio::task::spawn_blocking(work).await)
}

/// The same for work whose result removes something when it is dropped: whoever is cancelled meanwhile waits for that, too.
pub(super) async fn blocking_to_its_end<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let handed = Arc::new(Handed { state: Mutex::new(State::Waiting), changed: Condvar::new() });
    let caller = Caller(handed.clone());
    blocking(move || {
        if !handed.moves(State::Running) {
            return;
        }
        // Also where the work panics.
        let _ended = Ended(handed.clone());
        let value = work();
        handed.moves(State::Done(value));
    })
    .await?;
    caller.0.take().ok_or_else(no_runtime)
}

/// How far some work is, and then what came of it.
enum State<T> {
    Waiting,
    Running,
    Done(T),
    Gone,
}

struct Handed<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Handed<T> {
    /// Whether anybody still wants it to go on.
    fn moves(&self, to: State<T>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = !matches!(*state, State::Gone);
        if is_wanted {
            *state = to;
            self.changed.notify_all();
        }
        is_wanted
    }

    fn take(&self) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Gone) {
            State::Done(value) => Some(value),
            _ => None,
        }
    }
}

struct Ended<T>(Arc<Handed<T>>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Running) {
            *state = State::Gone;
            self.0.changed.notify_all();
        }
    }
}

struct Caller<T>(Arc<Handed<T>>);

impl<T> Drop for Caller<T> {
    fn drop(&mut self) {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let running = |state: &mut State<T>| matches!(state, State::Running);
        let state = self.0.changed.wait_while(state, running);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        // What has not begun does not begin any more.
        let left = std::mem::replace(&mut *state, State::Gone);
        drop(state);
        drop(left);
    }
}

fn join<T>(ended: Result<T, tokio::task::JoinError>) -> Result<T> {
    ended.map_err(|e| Error::new(ErrorKind::Join, "transfer", "", e.to_string()))
}
