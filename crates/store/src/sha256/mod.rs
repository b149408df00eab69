//! SHA-256 of much content at once.
//!
//! Uploads to S3 are signed with it, which costs more of the processor's time than all else that they do. Its instructions
//! wait for the results of those before them for half of their time: two contents that are hashed side by side take little
//! longer than one (`bench`: `bench.trees --light`, up). So content waits in line here, and a thread takes two at a time.

mod content;
mod lanes;

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arc_swap::ArcSwap;
use object_store::PutPayload;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use self::content::Content;
use self::lanes::compress;
use crate::client::generation;

/// Smaller content is hashed where it is: another thread takes as long to wake.
const LEAST_BYTES: usize = 256 * 1024;

/// Blocks of both contents that are hashed before a thread looks whether one is at its end, or given up: 64 KiB.
const STEP_BLOCKS: usize = 1024;

/// Whether this build is as fast as one lane of others: without optimisation, each instruction is a call.
const IS_OPTIMISED: bool = !cfg!(debug_assertions) || cfg!(test);

/// The hash of some content; `None` where it is hashed as fast by whoever needs it: because it is small, alone on its
/// runtime, or on a processor without lanes.
pub(crate) async fn digest(payload: &PutPayload) -> Option<[u8; 32]> {
    if payload.content_length() < LEAST_BYTES || !IS_OPTIMISED || !lanes::are_fast() {
        return None;
    }
    let runtime = Handle::try_current().ok()?;
    // Threads that drive a runtime of their own wait for one operation, and leave nothing there.
    if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
        return None;
    }
    Line::own().digest(payload.clone(), &runtime).await
}

struct Job {
    content: Content,
    done: oneshot::Sender<[u8; 32]>,
}

/// Where content waits for a lane, in this process.
#[derive(Default)]
struct Line {
    generation: u64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    threads: usize,
    /// How many are being hashed.
    taken: usize,
}

static LINE: LazyLock<ArcSwap<Line>> = LazyLock::new(|| ArcSwap::from_pointee(Line::new()));

impl Line {
    fn new() -> Self {
        Self { generation: generation(), ..Self::default() }
    }

    fn own() -> Arc<Self> {
        let line = LINE.load_full();
        if line.generation == generation() {
            return line;
        }
        // The threads of the parent are not here, and one of them may have held the lock at the fork.
        std::mem::forget(LINE.compare_and_swap(&line, Arc::new(Self::new())));
        std::mem::forget(line);
        LINE.load_full()
    }

    /// The hash of some content when it is its turn; `None` when the runtime ends before that.
    async fn digest(self: &Arc<Self>, payload: PutPayload, runtime: &Handle) -> Option<[u8; 32]> {
        let (done, digest) = oneshot::channel();
        if self.push(Job { content: Content::new(payload), done }) {
            let thread = Thread(Some(self.clone()));
            runtime.spawn_blocking(move || thread.work());
        }
        digest.await.ok()
    }

    /// Whether a thread has to begin: when those that work have no lane to spare, and there is a processor for it.
    fn push(&self, job: Job) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push_back(job);
        let all = queue.taken + queue.waiting.len();
        let most = std::thread::available_parallelism().map_or(1, usize::from);
        let begins = queue.threads < most && all > queue.threads * 2;
        queue.threads += usize::from(begins);
        begins
    }

    /// Fills a thread's lanes; false when nothing is left, and the thread ends.
    fn fill(&self, lanes: &mut [Option<Job>; 2]) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in lanes.iter_mut().filter(|lane| lane.is_none()) {
            *lane = queue.waiting.pop_front();
            queue.taken += usize::from(lane.is_some());
        }
        let has_work = lanes.iter().any(Option::is_some);
        queue.threads -= usize::from(!has_work);
        has_work
    }

    /// Takes a content that is done, or given up, off its lane.
    fn clear(&self, lane: &mut Option<Job>) {
        if let Some(Job { content, done }) =
            lane.take_if(|job| job.done.is_closed() || job.content.next().1.is_empty())
        {
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).taken -= 1;
            // Of one that is given up nobody asks what it is.
            let _ = done.send(content.digest());
        }
    }
}

/// A thread, from when it is asked for.
struct Thread(Option<Arc<Line>>);

impl Thread {
    fn work(mut self) {
        let Some(line) = self.0.take() else { return };
        let mut lanes = [None, None];
        while line.fill(&mut lanes) {
            step(&mut lanes);
            lanes.iter_mut().for_each(|lane| line.clear(lane));
        }
    }
}

impl Drop for Thread {
    /// A runtime that ends drops what it has not begun: nobody would hash what waits.
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            let mut queue = line.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.threads -= 1;
            let lost = match queue.threads {
                0 => std::mem::take(&mut queue.waiting),
                _ => VecDeque::new(),
            };
            drop(queue);
            drop(lost);
        }
    }
}

fn step(lanes: &mut [Option<Job>; 2]) {
    match lanes {
        [Some(a), Some(b)] => {
            let ((state, blocks), (other, others)) = (a.content.next(), b.content.next());
            let count = blocks.len().min(others.len()).min(STEP_BLOCKS);
            compress([state, other], [&blocks[..count], &others[..count]]);
            a.content.passed(count);
            b.content.passed(count);
        }
        [Some(job), None] | [None, Some(job)] => {
            let (state, blocks) = job.content.next();
            let count = blocks.len().min(STEP_BLOCKS);
            compress([state], [&blocks[..count]]);
            job.content.passed(count);
        }
        [None, None] => {}
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::future::join_all;
    use tokio::runtime::Runtime;

    use super::*;
    use crate::checksum::{Algorithm, Checksum};

    fn content(seed: u64) -> PutPayload {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut piece = || {
            let mut bytes = vec![0; random.usize(..LEAST_BYTES / 2)];
            random.fill(&mut bytes);
            Bytes::from(bytes)
        };
        (0..5).map(|_| piece()).collect()
    }

    /// Whether the line has hashed a content; the hash must be the right one.
    async fn is_hashed(line: Arc<Line>, seed: u64) -> bool {
        let payload = content(seed);
        let whole: Vec<u8> = payload.iter().flatten().copied().collect();
        let digest = line.digest(payload, &Handle::current()).await;
        let known = Checksum::of(Algorithm::Sha256, &whole);
        digest.is_some_and(|digest| {
            assert_eq!(digest[..], *known.as_bytes());
            true
        })
    }

    fn line() -> Option<Arc<Line>> {
        lanes::are_fast().then(Arc::default)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_contents_at_once_have_the_hashes_that_they_have_alone() {
        let Some(line) = line() else { return };
        let hashed = (0..12).map(|seed| tokio::spawn(is_hashed(line.clone(), seed)));
        assert!(join_all(hashed).await.into_iter().all(|hashed| hashed.unwrap()));
        let queue = line.queue.lock().unwrap();
        assert_eq!((queue.waiting.len(), queue.taken), (0, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn those_who_give_up_leave_the_lanes_to_others() {
        let Some(line) = line() else { return };
        let mut given_up: Vec<_> = (0..9).map(|_| Box::pin(is_hashed(line.clone(), 1))).collect();
        for hashed in &mut given_up {
            assert!(futures::poll!(hashed).is_pending());
        }
        drop(given_up);
        assert!(is_hashed(line, 2).await);
    }

    #[test]
    fn a_runtime_that_ends_leaves_nobody_waiting() {
        let Some(line) = line() else { return };
        for seed in 0..6 {
            let runtime = Runtime::new().unwrap();
            for more in 0..3 {
                runtime.spawn(is_hashed(line.clone(), seed + more));
            }
            runtime.shutdown_background();
            let other = Runtime::new().unwrap();
            // Hashed or not, as it may have waited for a thread of the runtime that has ended.
            other.block_on(async { tokio::spawn(is_hashed(line.clone(), seed)).await.unwrap() });
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn small_content_is_left_to_who_needs_it() {
        assert_eq!(digest(&vec![0; LEAST_BYTES - 1].into()).await, None);
        assert_eq!(digest(&vec![0; LEAST_BYTES].into()).await.is_some(), lanes::are_fast());
    }
}
