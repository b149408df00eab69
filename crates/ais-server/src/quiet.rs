//! Futures that wake themselves.
//!
//! hyper hands the body of a request to its handler through a channel, and both ends are polled by one task, which so
//! wakes itself while it runs. Tokio then puts the task into its queue and wakes another thread for it, which finds
//! nothing to do: on a small PUT that takes as long as the work itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

/// Nobody polls: who wakes wakes the task.
const IDLE: u8 = 0;
/// Being polled.
const POLLED: u8 = 1;
/// Being polled, and woken since.
const WOKEN: u8 = 2;

/// Most polls in a row, so that other tasks get their turn.
const MOST: usize = 8;

/// A future that is polled again at once when it was woken while it was polled.
pub(crate) struct Quiet<F> {
    future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

struct Wakes {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self.state.compare_exchange(POLLED, WOKEN, Ordering::AcqRel, Ordering::Acquire);
        if noted == Err(IDLE) {
            self.task.wake();
        }
    }
}

impl<F> Quiet<F> {
    pub(crate) fn new(future: F) -> Self {
        let wakes = Arc::new(Wakes { state: AtomicU8::new(IDLE), task: AtomicWaker::new() });
        Self { future: Box::pin(future), waker: Waker::from(Arc::clone(&wakes)), wakes }
    }
}

impl<F: Future> Future for Quiet<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        this.wakes.task.register(cx.waker());
        for _ in 0..MOST {
            this.wakes.state.store(POLLED, Ordering::Release);
            let ready = this.future.as_mut().poll(&mut Context::from_waker(&this.waker));
            if ready.is_ready() {
                return ready;
            }
            if this.wakes.state.swap(IDLE, Ordering::AcqRel) == POLLED {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakes itself so many times before it ends.
    fn restless(mut times: usize) -> Quiet<impl Future<Output = ()>> {
        Quiet::new(std::future::poll_fn(move |cx: &mut Context<'_>| {
            if times == 0 {
                return Poll::Ready(());
            }
            times -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    #[test]
    fn who_wakes_itself_is_polled_again_but_not_for_ever() {
        let count = Arc::new(Counted::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut few = restless(MOST - 1);
        assert!(Pin::new(&mut few).poll(&mut Context::from_waker(&waker)).is_ready());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        let mut many = restless(MOST);
        assert!(Pin::new(&mut many).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_is_woken_from_elsewhere_goes_on() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let sending = std::thread::spawn(move || {
            for number in 0..10_000 {
                sender.blocking_send(number).unwrap();
            }
        });
        let received = tokio::spawn(Quiet::new(async move {
            let mut all = Vec::new();
            while let Some(number) = receiver.recv().await {
                all.push(number);
            }
            all
        }));
        assert_eq!(received.await.unwrap(), (0..10_000).collect::<Vec<_>>());
        sending.join().unwrap();
    }
}
