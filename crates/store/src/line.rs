//! Work that waits in line for few threads, which a runtime lends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where work waits.
pub(crate) struct Line<W>(Mutex<Queue<W>>);

struct Queue<W> {
    waiting: VecDeque<W>,
    threads: usize,
}

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self(Mutex::new(Queue { waiting: VecDeque::new(), threads: 0 }))
    }
}

impl<W> Line<W> {
    fn queue(&self) -> MutexGuard<'_, Queue<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work. Returns a thread that has to begin, where `begins` says so of the number of those there are.
    pub(crate) fn push(
        self: &Arc<Self>,
        work: W,
        begins: impl FnOnce(usize) -> bool,
    ) -> Option<Thread<W>> {
        let mut queue = self.queue();
        queue.waiting.push_back(work);
        begins(queue.threads).then(|| {
            queue.threads += 1;
            Thread(Some(self.clone()))
        })
    }

    #[cfg(test)]
    pub(crate) fn threads(&self) -> usize {
        self.queue().threads
    }
}

/// A thread that takes work from a line, from when it is asked for.
pub(crate) struct Thread<W>(Option<Arc<Line<W>>>);

impl<W> Thread<W> {
    /// The next piece of work, if any waits.
    pub(crate) fn take(&self) -> Option<W> {
        self.0.as_ref()?.queue().waiting.pop_front()
    }

    /// The next piece of work; where none waits, the thread is one of the line no more, and has to end.
    pub(crate) fn take_or_end(&mut self) -> Option<W> {
        let mut queue = self.0.as_ref()?.queue();
        let work = queue.waiting.pop_front();
        if work.is_none() {
            queue.threads -= 1;
            drop(queue);
            self.0 = None;
        }
        work
    }
}

impl<W> Drop for Thread<W> {
    /// A runtime that ends drops the threads that have not begun: nobody would do the work that waits.
    fn drop(&mut self) {
        let Some(line) = self.0.take() else { return };
        let mut queue = line.queue();
        queue.threads -= 1;
        let lost = match queue.threads {
            0 => std::mem::take(&mut queue.waiting),
            _ => VecDeque::new(),
        };
        drop(queue);
        drop(lost);
    }
}
