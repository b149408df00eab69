//! Reading an object as a file: blocks, kept while the position is near, and fetched ahead of sequential readers.

use std::sync::Arc;

use bytes::{Bytes as RustBytes, BytesMut};
use holdall::store::{Error, ErrorKind, Pinned, Result, Store};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

use crate::awaitable::future_into_py;
use crate::buffer::buffer_of;
use crate::bytes::Bytes;
use crate::errors::to_py;
use crate::ops::key::Key;
use crate::runtime::{block_on, ready_or_block_on};
use crate::stores::{Handle, PyStore};

/// Blocks kept: the present one, and the one before it for readers that go back a little.
const KEPT_BLOCKS: usize = 2;

struct Block {
    start: u64,
    data: RustBytes,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + self.data.len() as u64
    }

    fn holds(&self, at: u64) -> bool {
        self.start <= at && at < self.end()
    }
}

struct State {
    position: u64,
    blocks: Vec<Block>,
    /// The block after the present one, under way.
    ahead: Option<Ahead>,
    /// Where the last fetch ended: reading on from there is sequential.
    sequential_at: u64,
}

/// A block that is fetched before it is asked for.
struct Ahead {
    start: u64,
    task: Option<JoinHandle<Result<RustBytes>>>,
    process: u32,
}

impl Ahead {
    fn new(start: u64, task: JoinHandle<Result<RustBytes>>) -> Self {
        Self { start, task: Some(task), process: std::process::id() }
    }

    /// The task, if it is of this process and fetches what starts at `at`.
    fn take_at(mut self, at: u64) -> Option<JoinHandle<Result<RustBytes>>> {
        let is_ours = self.process == std::process::id();
        if is_ours && self.start == at { self.task.take() } else { None }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        if self.process == std::process::id() {
            task.abort();
        } else {
            // The runtime of the parent does not exist in a forked child: its tasks must not be touched.
            std::mem::forget(task);
        }
    }
}

struct Inner {
    handle: Handle,
    /// Every read is of one version of the object.
    object: Arc<Pinned>,
    block_bytes: u64,
    state: Mutex<State>,
}

impl Inner {
    fn new(handle: Handle, object: Pinned, block_bytes: usize) -> Self {
        let state = State { position: 0, blocks: Vec::new(), ahead: None, sequential_at: 0 };
        let block_bytes = block_bytes.max(1) as u64;
        Self { handle, object: Arc::new(object), block_bytes, state: Mutex::new(state) }
    }

    /// The end of a read at `at`, as far as the length is known.
    fn end(&self, at: u64, wanted: u64) -> u64 {
        self.object.size().min(at.saturating_add(wanted))
    }

    /// Locks the state for a synchronous caller. Another thread may be reading, and may want the interpreter meanwhile.
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        match self.state.try_lock() {
            Ok(guard) => guard,
            Err(_) => py.detach(|| self.state.blocking_lock()),
        }
    }

    /// The next bytes in their pieces, at most `wanted`; fewer only at the end of the object. The position moves when
    /// all of them are there, so that a read that failed or was cancelled can be repeated.
    async fn read(&self, inline: bool, wanted: u64) -> Result<Vec<RustBytes>> {
        let state = &mut *self.state.lock().await;
        let at = state.position;
        let pieces = self.read_from(state, inline, at, wanted).await?;
        state.position = at + pieces.iter().map(RustBytes::len).sum::<usize>() as u64;
        Ok(pieces)
    }

    async fn read_from(
        &self,
        state: &mut State,
        inline: bool,
        mut at: u64,
        wanted: u64,
    ) -> Result<Vec<RustBytes>> {
        let store = if inline { self.handle.sync_store() } else { &self.handle.store };
        let (start, mut pieces) = (at, Vec::new());
        loop {
            // The first block may say that the object is longer or shorter.
            let end = self.end(start, wanted);
            if at >= end {
                if wanted == 0 || self.object.is_settled(store) {
                    return Ok(pieces);
                }
                self.object.settle(store).await?;
                continue;
            }
            if let Some(piece) = piece_of_blocks(state, at, end) {
                at += piece.len() as u64;
                pieces.push(piece);
                continue;
            }
            let ahead = state.ahead.take().and_then(|ahead| ahead.take_at(at));
            let data = match ahead {
                Some(task) => task.await.map_err(|e| {
                    let url = store.url_of(self.object.path());
                    Error::new(ErrorKind::Join, "read", url, e.to_string())
                })??,
                None => {
                    let until = self.object.size().min(end.max(at + self.block_bytes));
                    self.object.fetch(store, at..until).await?
                }
            };
            let (next, size) = (at + data.len() as u64, self.object.size());
            // Local reads are as fast as the copy itself; what the network brings is asked for early, unless it comes anyway.
            let is_remote = !is_local(store) && !self.object.is_one_piece();
            if state.sequential_at == at && next < size && is_remote {
                let range = next..size.min(next + self.block_bytes);
                let (object, store) = (self.object.clone(), store.clone());
                let fetch = async move { object.fetch(&store, range).await };
                state.ahead = Some(Ahead::new(next, crate::runtime::runtime().spawn(fetch)));
            }
            state.sequential_at = next;
            if state.blocks.len() == KEPT_BLOCKS {
                state.blocks.remove(0);
            }
            state.blocks.push(Block { start: at, data });
        }
    }

    /// The bytes up to and including the next line feed, at most `wanted`.
    async fn read_line(&self, inline: bool, wanted: u64) -> Result<Vec<RustBytes>> {
        let state = &mut *self.state.lock().await;
        let (mut at, mut pieces, mut left) = (state.position, Vec::new(), wanted);
        while left > 0 {
            let chunk = self.read_from(state, inline, at, left.min(8192)).await?;
            let Some(first) = chunk.first() else { break };
            let mut chunk = if chunk.len() == 1 { first.clone() } else { joined(&chunk) };
            let line_end = chunk.iter().position(|byte| *byte == b'\n');
            if let Some(end) = line_end {
                chunk.truncate(end + 1);
            }
            at += chunk.len() as u64;
            left -= chunk.len() as u64;
            pieces.push(chunk);
            if line_end.is_some() {
                break;
            }
        }
        state.position = at;
        Ok(pieces)
    }
}

fn is_local(store: &Store) -> bool {
    matches!(store.provider().scheme(), "memory" | "file")
}

/// The bytes from `at` on, as far as one block has them.
fn piece_of_blocks(state: &State, at: u64, end: u64) -> Option<RustBytes> {
    let block = state.blocks.iter().rev().find(|block| block.holds(at))?;
    let until = end.min(block.end());
    Some(block.data.slice((at - block.start) as usize..(until - block.start) as usize))
}

/// The same from the position on, which moves.
fn take_from_blocks(state: &mut State, end: u64) -> Option<RustBytes> {
    let piece = piece_of_blocks(state, state.position, end)?;
    state.position += piece.len() as u64;
    Some(piece)
}

fn joined(pieces: &[RustBytes]) -> RustBytes {
    match pieces {
        [] => RustBytes::new(),
        [one] => one.clone(),
        _ => {
            let mut all = BytesMut::with_capacity(pieces.iter().map(RustBytes::len).sum());
            pieces.iter().for_each(|piece| all.extend_from_slice(piece));
            all.freeze()
        }
    }
}

/// The reading core of a file object: position, blocks, read-ahead.
#[pyclass(frozen, module = "holdall")]
pub(super) struct Reader(Arc<Inner>);

/// A count of bytes, where negative stands for all.
fn count(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

impl Reader {
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        read: impl Future<Output = Result<T>> + Send,
    ) -> PyResult<T> {
        let done = match is_local(&self.0.handle.store) {
            true => ready_or_block_on(py, read)?,
            false => block_on(py, read)?,
        };
        done.map_err(|e| to_py(&e))
    }

    /// What a read returns when one block has it all; the common case, which needs no waiting.
    fn at_hand(&self, wanted: u64) -> Option<RustBytes> {
        let mut state = self.0.state.try_lock().ok()?;
        let at = state.position;
        let end = self.0.end(at, wanted);
        if at >= end {
            return self.0.object.is_settled(&self.0.handle.store).then(RustBytes::new);
        }
        let block = state.blocks.iter().rev().find(|block| block.holds(at))?;
        if block.end() < end {
            return None;
        }
        take_from_blocks(&mut state, end)
    }

    fn start<'py>(
        &self,
        py: Python<'py>,
        read: impl Future<Output = Result<Vec<RustBytes>>> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        future_into_py(py, self.0.handle.ready, read, |py, read| {
            let data = joined(&read.map_err(|e| to_py(&e))?);
            Ok(Bound::new(py, Bytes(data))?.into_any().unbind())
        })
    }
}

#[pymethods]
impl Reader {
    /// Opens an object; without `size` it is asked for its length.
    #[staticmethod]
    #[pyo3(signature = (store, path, buffer_size, size))]
    fn open(
        py: Python<'_>,
        store: &Bound<'_, PyStore>,
        path: Key,
        buffer_size: usize,
        size: Option<u64>,
    ) -> PyResult<Self> {
        let handle = store.get().handle.clone();
        let object = match size {
            Some(size) => Pinned::of_size(&path.0, size),
            None => {
                let location = &path.0;
                let found =
                    handle.run(py, |store| async move { Pinned::open(&store, location).await })?;
                found.map_err(|e| to_py(&e))?
            }
        };
        Ok(Self(Arc::new(Inner::new(handle, object, buffer_size))))
    }

    /// Opens an object, to be awaited.
    #[staticmethod]
    #[pyo3(signature = (store, path, buffer_size, size, wrap))]
    fn open_async<'py>(
        py: Python<'py>,
        store: &Bound<'py, PyStore>,
        path: Key,
        buffer_size: usize,
        size: Option<u64>,
        wrap: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let handle = store.get().handle.clone();
        let (store, path) = (handle.store.clone(), path.0);
        let found = async move {
            match size {
                Some(size) => Ok(Pinned::of_size(&path, size)),
                None => Pinned::open(&store, &path).await,
            }
        };
        future_into_py(py, handle.ready, found, move |py, found| {
            let object = found.map_err(|e| to_py(&e))?;
            let reader = Self(Arc::new(Inner::new(handle, object, buffer_size)));
            wrap.call1(py, (reader,))
        })
    }

    /// Length of the object in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.0.object.size()
    }

    /// The tag of the version that is read, once the service has told.
    #[getter]
    fn e_tag(&self) -> Option<String> {
        self.0.object.e_tag()
    }

    /// The URL of the object, without credentials.
    #[getter]
    fn url(&self) -> String {
        self.0.handle.store.url_of(self.0.object.path())
    }

    fn tell(&self, py: Python<'_>) -> u64 {
        self.0.lock(py).position
    }

    fn seek(&self, py: Python<'_>, offset: i64, whence: u8) -> PyResult<u64> {
        let mut state = self.0.lock(py);
        let base = match whence {
            0 => 0,
            1 => state.position,
            2 => self.0.object.measure(),
            _ => return Err(PyValueError::new_err(format!("whence is 0, 1 or 2, not {whence}"))),
        };
        let to = i128::from(base) + i128::from(offset);
        state.position = u64::try_from(to)
            .map_err(|_| PyValueError::new_err(format!("cannot seek to {to}, before the start")))?;
        Ok(state.position)
    }

    fn read(&self, py: Python<'_>, size: i64) -> PyResult<Bytes> {
        let wanted = count(size);
        if let Some(data) = self.at_hand(wanted) {
            return Ok(Bytes(data));
        }
        let pieces = self.run(py, self.0.read(true, wanted))?;
        Ok(Bytes(py.detach(|| joined(&pieces))))
    }

    /// At most `size` bytes with at most one fetch; negative for what is at hand.
    fn read1(&self, py: Python<'_>, size: i64) -> PyResult<Bytes> {
        let most = if size < 0 { self.0.block_bytes } else { count(size) };
        let at_hand = {
            let mut state = self.0.lock(py);
            let end = self.0.end(state.position, most);
            take_from_blocks(&mut state, end)
        };
        match at_hand {
            Some(data) => Ok(Bytes(data)),
            None => self.read(py, most.min(self.0.block_bytes) as i64),
        }
    }

    fn readinto(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let target = buffer_of(buffer)?;
        if target.readonly() || !target.is_c_contiguous() {
            return Err(PyValueError::new_err("readinto needs a writable, contiguous buffer"));
        }
        let wanted = target.len_bytes() as u64;
        let pieces = match self.at_hand(wanted) {
            Some(data) => vec![data],
            None => self.run(py, self.0.read(true, wanted))?,
        };
        let mut done = 0;
        for piece in &pieces {
            #[expect(
                unsafe_code,
                reason = "the pieces together are no longer than the buffer, which is held"
            )]
            unsafe {
                let to = target.buf_ptr().cast::<u8>().add(done);
                std::ptr::copy_nonoverlapping(piece.as_ptr(), to, piece.len());
            }
            done += piece.len();
        }
        Ok(done)
    }

    fn readline(&self, py: Python<'_>, size: i64) -> PyResult<Bytes> {
        let wanted = count(size);
        if let Ok(mut state) = self.0.state.try_lock() {
            let at = state.position;
            if let Some(block) = state.blocks.iter().rev().find(|block| block.holds(at)) {
                let rest = &block.data[(at - block.start) as usize..];
                let rest = &rest[..rest.len().min(usize::try_from(wanted).unwrap_or(usize::MAX))];
                let line = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
                if let Some(length) = line.or((rest.len() as u64 == wanted).then_some(rest.len())) {
                    let data = take_from_blocks(&mut state, at + length as u64);
                    return Ok(Bytes(data.unwrap_or_default()));
                }
            }
        }
        let pieces = self.run(py, self.0.read_line(true, wanted))?;
        Ok(Bytes(joined(&pieces)))
    }

    fn read_async<'py>(&self, py: Python<'py>, size: i64) -> PyResult<Bound<'py, PyAny>> {
        let inner = self.0.clone();
        self.start(py, async move { inner.read(false, count(size)).await })
    }

    fn readline_async<'py>(&self, py: Python<'py>, size: i64) -> PyResult<Bound<'py, PyAny>> {
        let inner = self.0.clone();
        self.start(py, async move { inner.read_line(false, count(size)).await })
    }
}
