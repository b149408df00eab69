//! Reading an object as a file: blocks, kept while the position is near, and fetched ahead of sequential readers.

use std::sync::Arc;

use bytes::{Bytes as RustBytes, BytesMut};
use holdall::store::object_store::path::Path;
use holdall::store::object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use holdall::store::{Error, ErrorKind, Result, Store};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::awaitable::future_into_py;
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
    ahead: Option<(u64, JoinHandle<Result<RustBytes>>)>,
    /// Where the last fetch ended: reading on from there is sequential.
    sequential_at: u64,
    /// Every read is of this version of the object.
    e_tag: Option<String>,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.ahead {
            task.abort();
        }
    }
}

struct Inner {
    handle: Handle,
    path: Path,
    size: u64,
    block_bytes: u64,
    state: Mutex<State>,
}

impl Inner {
    fn new(
        handle: Handle,
        path: Path,
        size: u64,
        e_tag: Option<String>,
        block_bytes: usize,
    ) -> Self {
        let state = State { position: 0, blocks: Vec::new(), ahead: None, sequential_at: 0, e_tag };
        Self {
            handle,
            path,
            size,
            block_bytes: block_bytes.max(1) as u64,
            state: Mutex::new(state),
        }
    }

    /// Fetches exactly `start..end`.
    async fn fetch(
        store: Store,
        path: Path,
        start: u64,
        end: u64,
        e_tag: Option<String>,
    ) -> Result<(RustBytes, Option<String>)> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(start..end)),
            if_match: e_tag,
            ..GetOptions::default()
        };
        let read = async {
            let got = store.get_opts(&path, options).await?;
            let e_tag = got.meta.e_tag.clone();
            Ok::<_, holdall::store::object_store::Error>((got.bytes().await?, e_tag))
        };
        let (data, e_tag) = read.await.map_err(|e| store.error("read", &path, e))?;
        if data.len() as u64 != end - start {
            let detail = format!(
                "the range {start}..{end} has only {} bytes: the object is shorter than the size given",
                data.len()
            );
            return Err(Error::new(ErrorKind::Corrupt, "read", store.url_of(&path), detail));
        }
        Ok((data, e_tag))
    }

    /// The next bytes in their pieces, at most `wanted`; fewer only at the end of the object.
    async fn read(&self, inline: bool, wanted: u64) -> Result<Vec<RustBytes>> {
        let state = &mut *self.state.lock().await;
        let end = self.size.min(state.position.saturating_add(wanted));
        let mut pieces = Vec::new();
        while state.position < end {
            if let Some(piece) = take_from_blocks(state, end) {
                pieces.push(piece);
                continue;
            }
            let at = state.position;
            let store = if inline { self.handle.sync_store() } else { &self.handle.store }.clone();
            let ahead = match state.ahead.take() {
                Some((start, task)) if start == at => Some(task),
                Some((_, task)) => {
                    task.abort();
                    None
                }
                None => None,
            };
            let data = match ahead {
                Some(task) => task.await.map_err(|e| {
                    Error::new(ErrorKind::Join, "read", store.url_of(&self.path), e.to_string())
                })??,
                None => {
                    let until = self.size.min(end.max(at + self.block_bytes));
                    let fetched = Self::fetch(
                        store.clone(),
                        self.path.clone(),
                        at,
                        until,
                        state.e_tag.clone(),
                    );
                    let (data, e_tag) = fetched.await?;
                    state.e_tag = state.e_tag.take().or(e_tag);
                    data
                }
            };
            let next = at + data.len() as u64;
            // Local reads are as fast as the copy itself; what the network brings is asked for early.
            if state.sequential_at == at && next < self.size && !is_local(&store) {
                let until = self.size.min(next + self.block_bytes);
                let fetch = Self::fetch(store, self.path.clone(), next, until, state.e_tag.clone());
                let task = crate::runtime::runtime().spawn(async move { Ok(fetch.await?.0) });
                state.ahead = Some((next, task));
            }
            state.sequential_at = next;
            if state.blocks.len() == KEPT_BLOCKS {
                state.blocks.remove(0);
            }
            state.blocks.push(Block { start: at, data });
        }
        Ok(pieces)
    }

    /// The bytes up to and including the next line feed, at most `wanted`.
    async fn read_line(&self, inline: bool, wanted: u64) -> Result<Vec<RustBytes>> {
        let (mut pieces, mut left) = (Vec::new(), wanted);
        while left > 0 {
            let chunk = self.read(inline, left.min(8192)).await?;
            let Some(first) = chunk.first() else { break };
            let mut chunk = if chunk.len() == 1 { first.clone() } else { joined(&chunk) };
            let line_end = chunk.iter().position(|byte| *byte == b'\n');
            if let Some(at) = line_end {
                let surplus = chunk.len() - (at + 1);
                self.state.lock().await.position -= surplus as u64;
                chunk.truncate(at + 1);
            }
            left -= chunk.len() as u64;
            pieces.push(chunk);
            if line_end.is_some() {
                break;
            }
        }
        Ok(pieces)
    }
}

fn is_local(store: &Store) -> bool {
    matches!(store.provider().scheme(), "memory" | "file")
}

/// The bytes at the position, as far as one block has them.
fn take_from_blocks(state: &mut State, end: u64) -> Option<RustBytes> {
    let at = state.position;
    let block = state.blocks.iter().rev().find(|block| block.holds(at))?;
    let until = end.min(block.end());
    let piece = block.data.slice((at - block.start) as usize..(until - block.start) as usize);
    state.position = until;
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
        let end = self.0.size.min(state.position.saturating_add(wanted));
        let at = state.position;
        if at >= end {
            return Some(RustBytes::new());
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
        let (size, e_tag) = match size {
            Some(size) => (size, None),
            None => {
                let location = &path.0;
                let found = handle.run(py, |store| async move {
                    store.head(location).await.map_err(|e| store.error("open", location, e))
                })?;
                let meta = found.map_err(|e| to_py(&e))?;
                (meta.size, meta.e_tag)
            }
        };
        Ok(Self(Arc::new(Inner::new(handle, path.0, size, e_tag, buffer_size))))
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
        let location = path.clone();
        let found = async move {
            match size {
                Some(size) => Ok((size, None)),
                None => {
                    let meta = store.head(&location).await;
                    meta.map(|meta| (meta.size, meta.e_tag))
                        .map_err(|e| store.error("open", &location, e))
                }
            }
        };
        future_into_py(py, handle.ready, found, move |py, found| {
            let (size, e_tag) = found.map_err(|e| to_py(&e))?;
            let reader = Self(Arc::new(Inner::new(handle, path, size, e_tag, buffer_size)));
            wrap.call1(py, (reader,))
        })
    }

    /// Length of the object in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.0.size
    }

    /// The URL of the object, without credentials.
    #[getter]
    fn url(&self) -> String {
        self.0.handle.store.url_of(&self.0.path)
    }

    fn tell(&self) -> u64 {
        self.0.state.blocking_lock_or_now().position
    }

    fn seek(&self, offset: i64, whence: u8) -> PyResult<u64> {
        let mut state = self.0.state.blocking_lock_or_now();
        let base = match whence {
            0 => 0,
            1 => state.position,
            2 => self.0.size,
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
            let mut state = self.0.state.blocking_lock_or_now();
            let end = self.0.size.min(state.position.saturating_add(most));
            take_from_blocks(&mut state, end)
        };
        match at_hand {
            Some(data) => Ok(Bytes(data)),
            None => self.read(py, most.min(self.0.block_bytes) as i64),
        }
    }

    fn readinto(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let target = PyBuffer::<u8>::get(buffer)?;
        if target.readonly() || !target.is_c_contiguous() {
            return Err(PyValueError::new_err("readinto needs a writable, contiguous buffer"));
        }
        let wanted = target.item_count() as u64;
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

/// Locks from a thread that is not one of the runtime's; operations on one file object follow each other, so the lock
/// is free unless a read is under way in another thread.
trait LockNow<T> {
    fn blocking_lock_or_now(&self) -> tokio::sync::MutexGuard<'_, T>;
}

impl<T> LockNow<T> for Mutex<T> {
    fn blocking_lock_or_now(&self) -> tokio::sync::MutexGuard<'_, T> {
        match self.try_lock() {
            Ok(guard) => guard,
            Err(_) => self.blocking_lock(),
        }
    }
}
