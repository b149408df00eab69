//! SHA-256 of much content at once.
//!
//! Uploads to S3 are signed with it, which costs more of the processor's time than all else that they do. Its instructions
//! wait for the results of those before them for half of their time: two contents that are hashed side by side take little
//! longer than one (`bench`: `bench.trees --light`, up). So content waits in line here, and a thread takes two at a time.

mod content;
mod lanes;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use object_store::PutPayload;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use self::content::Content;
use self::lanes::compress;
use crate::line::{Line, Thread};
use crate::own::Own;

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
    HASHER.get().digest(payload.clone(), &runtime).await
}

struct Job {
    content: Content,
    done: oneshot::Sender<[u8; 32]>,
    _counted: Counted,
}

/// One more, until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where content waits for a lane, in this process.
#[derive(Default)]
struct Hasher {
    line: Arc<Line<Job>>,
    /// How many contents wait or are being hashed.
    contents: Arc<AtomicUsize>,
}

static HASHER: LazyLock<Own<Hasher>> = LazyLock::new(Own::default);

impl Hasher {
    /// The hash of some content when it is its turn; `None` when the runtime ends before that.
    async fn digest(&self, payload: PutPayload, runtime: &Handle) -> Option<[u8; 32]> {
        let (done, digest) = oneshot::channel();
        let job =
            Job { content: Content::new(payload), done, _counted: Counted::new(&self.contents) };
        let all = self.contents.load(Ordering::Relaxed);
        let most = std::thread::available_parallelism().map_or(1, usize::from);
        // When those that work have no lane to spare, and there is a processor for it.
        let thread = self.line.push(job, |threads| threads < most && all > threads * 2);
        if let Some(thread) = thread {
            runtime.spawn_blocking(move || hash(thread));
        }
        digest.await.ok()
    }
}

/// Takes two contents at a time from the line until nothing is left.
fn hash(mut thread: Thread<Job>) {
    let mut lanes = [None, None];
    loop {
        if lanes.iter().all(Option::is_none) {
            lanes[0] = thread.take_or_end();
        }
        match &mut lanes {
            [None, None] => return,
            [Some(_), empty @ None] | [empty @ None, Some(_)] => *empty = thread.take(),
            [Some(_), Some(_)] => {}
        }
        step(&mut lanes);
        lanes.iter_mut().for_each(clear);
    }
}

/// Takes a content that is done, or given up, off its lane.
fn clear(lane: &mut Option<Job>) {
    if let Some(job) = lane.take_if(|job| job.done.is_closed() || job.content.next().1.is_empty()) {
        // Of one that is given up nobody asks what it is.
        let _ = job.done.send(job.content.digest());
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

    /// Whether it has hashed a content; the hash must be the right one.
    async fn is_hashed(hasher: Arc<Hasher>, seed: u64) -> bool {
        let payload = content(seed);
        let whole: Vec<u8> = payload.iter().flatten().copied().collect();
        let digest = hasher.digest(payload, &Handle::current()).await;
        let known = Checksum::of(Algorithm::Sha256, &whole);
        digest.is_some_and(|digest| {
            assert_eq!(digest[..], *known.as_bytes());
            true
        })
    }

    fn hasher() -> Option<Arc<Hasher>> {
        lanes::are_fast().then(Arc::default)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_contents_at_once_have_the_hashes_that_they_have_alone() {
        let Some(hasher) = hasher() else { return };
        let hashed = (0..12).map(|seed| tokio::spawn(is_hashed(hasher.clone(), seed)));
        assert!(join_all(hashed).await.into_iter().all(|hashed| hashed.unwrap()));
        while hasher.line.threads() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hasher.contents.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn those_who_give_up_leave_the_lanes_to_others() {
        let Some(hasher) = hasher() else { return };
        let mut given_up: Vec<_> = (0..9).map(|_| Box::pin(is_hashed(hasher.clone(), 1))).collect();
        for hashed in &mut given_up {
            assert!(futures::poll!(hashed).is_pending());
        }
        drop(given_up);
        assert!(is_hashed(hasher, 2).await);
    }

    #[test]
    fn a_runtime_that_ends_leaves_nobody_waiting() {
        let Some(hasher) = hasher() else { return };
        for seed in 0..6 {
            let runtime = Runtime::new().unwrap();
            for more in 0..3 {
                runtime.spawn(is_hashed(hasher.clone(), seed + more));
            }
            runtime.shutdown_background();
            let other = Runtime::new().unwrap();
            // Hashed or not, as it may have waited for a thread of the runtime that has ended.
            other.block_on(async { tokio::spawn(is_hashed(hasher.clone(), seed)).await.unwrap() });
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn small_content_is_left_to_who_needs_it() {
        assert_eq!(digest(&vec![0; LEAST_BYTES - 1].into()).await, None);
        assert_eq!(digest(&vec![0; LEAST_BYTES].into()).await.is_some(), lanes::are_fast());
    }
}
