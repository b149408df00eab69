//! Short work with files, on few threads.
//!
//! Opening, filling and renaming a small file takes less time than to wake a thread for it, and two processors do it no
//! faster with sixty threads, which wait for each other at the locks of a directory. So work waits in line, and a thread
//! that is done takes the next piece itself. Only where files are behind a network, and threads wait for that, each piece of
//! work gets its own.

use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use rustix::fs::fstatfs;
use tokio::sync::oneshot;

use crate::line::Line;
use crate::own::Own;

/// File systems on disks and in the memory of this machine (`linux/magic.h`, and the sources of those that are not there).
const OF_THIS_MACHINE: [u32; 9] = [
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
];

type Work = Box<dyn FnOnce() + Send>;

/// Where work waits for a thread.
#[derive(Default)]
pub(crate) struct Lane {
    line: Arc<Line<Work>>,
    /// Most threads at once; zero until a file has told.
    most: AtomicUsize,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Lane {
    /// Runs `work` when it is its turn; `None` when the runtime ends before that. Dropped before, it is not run.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let work = move || {
            if !done.is_closed() {
                drop(done.send(catch_unwind(AssertUnwindSafe(work))));
            }
        };
        let most = match self.most.load(Ordering::Relaxed) {
            0 => few(),
            most => most,
        };
        if let Some(mut thread) = self.line.push(Box::new(work), |threads| threads < most) {
            tokio::task::spawn_blocking(move || {
                while let Some(work) = thread.take_or_end() {
                    work();
                }
            });
        }
        result.await.ok().map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// Looks at a file on which the work is done: where it is, more threads may or may not help.
    pub(crate) fn look_at(&self, file: &File) {
        if self.most.load(Ordering::Relaxed) == 0 {
            let magic = fstatfs(file).map_or(0, |fs| fs.f_type as u32);
            let most = if OF_THIS_MACHINE.contains(&magic) { few() } else { usize::MAX };
            self.most.store(most, Ordering::Relaxed);
        }
    }
}

/// Where work with files waits that are no store's.
pub(crate) fn common() -> Arc<Lane> {
    static LANE: LazyLock<Own<Lane>> = LazyLock::new(Own::default);
    LANE.get()
}

/// Runs short `work` with a file that is no store's, in a line that all of those share; `None` when the runtime ends before that.
pub async fn in_line<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    common().run(work).await
}

/// Threads that keep the processors busy while some of them wait for a disk.
fn few() -> usize {
    std::thread::available_parallelism().map_or(4, |cores| (cores.get() * 2).max(4))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn all_work_is_done_by_few_threads() {
        let lane = Arc::new(Lane::default());
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = (0..200).map(|i| {
            let (lane, now, most) = (lane.clone(), now.clone(), most.clone());
            tokio::spawn(async move {
                let work = move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    i
                };
                lane.run(work).await
            })
        });
        let mut sum = 0;
        for done in work.collect::<Vec<_>>() {
            sum += done.await.unwrap().unwrap();
        }
        assert_eq!(sum, 199 * 200 / 2);
        assert!(most.load(Ordering::SeqCst) <= few());
        while lane.line.threads() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_the_callers_and_what_is_given_up_is_not_run() {
        let lane = Arc::new(Lane { most: AtomicUsize::new(1), ..Lane::default() });
        let (go, wait) = mpsc::channel::<()>();
        let own = lane.clone();
        let first = tokio::spawn(async move {
            own.run(move || {
                wait.recv().unwrap();
                panic!("for the test");
            })
            .await
        });
        while lane.line.threads() == 0 {
            tokio::task::yield_now().await;
        }
        let ran = Arc::new(AtomicUsize::new(0));
        let counted = ran.clone();
        let mut given_up = Box::pin(lane.run(move || counted.fetch_add(1, Ordering::SeqCst)));
        assert!(futures::poll!(&mut given_up).is_pending());
        drop(given_up);
        go.send(()).unwrap();
        assert!(first.await.unwrap_err().is_panic());
        assert_eq!(lane.run(|| 7).await, Some(7));
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    }
}
