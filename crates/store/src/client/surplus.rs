//! Connections that nobody waits for any longer are given up while they are being opened.
//!
//! A request opens a connection, and takes one that another request hands back if that comes first. What it began to open is
//! left to later requests. Where connections take much longer than replies, as with a service whose queue is full, each of
//! thousands of requests would leave one, until the process can open no more files. So few are opened for nobody.
//!
//! A connection is handed back a moment after its reply has been read to the end. A request that follows at once lets that
//! moment pass first, and mostly needs no connection of its own.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::Semaphore;
use tower_layer::Layer;
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connections of one pool that may be opened for nobody.
const SPARE: usize = 16;

/// Nobody hears this.
const CAME_FIRST: &str = "another connection came first";

tokio::task_local! {
    /// Set where a request waits. What it began to open and does not need, hyper leaves to a task of its own.
    static WAITING: ();
}

/// Marks a request: whoever opens connections while this is polled does it for somebody.
pub(super) async fn awaited<T>(reply: impl Future<Output = T>) -> T {
    WAITING.scope((), reply).await
}

fn is_awaited() -> bool {
    WAITING.try_with(|()| ()).is_ok()
}

/// Makes the connections of a pool be given up when nobody waits for them.
#[derive(Debug, Clone)]
pub(super) struct GiveUp {
    spare: Arc<Semaphore>,
}

impl Default for GiveUp {
    fn default() -> Self {
        Self { spare: Arc::new(Semaphore::new(SPARE)) }
    }
}

impl<S> Layer<S> for GiveUp {
    type Service = Connecting<S>;

    fn layer(&self, connect: S) -> Connecting<S> {
        Connecting { connect: Arc::new(connect), spare: self.spare.clone() }
    }
}

/// What opens connections. It is cloned for every request, the service within only when it is to open one.
pub(super) struct Connecting<S> {
    connect: Arc<S>,
    spare: Arc<Semaphore>,
}

impl<S> Clone for Connecting<S> {
    fn clone(&self) -> Self {
        Self { connect: self.connect.clone(), spare: self.spare.clone() }
    }
}

impl<R, S> Service<R> for Connecting<S>
where
    R: Send + 'static,
    S: Service<R, Error = BoxError> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: R) -> Self::Future {
        let (connect, spare) = (self.connect.clone(), self.spare.clone());
        Box::pin(async move {
            tokio::task::yield_now().await;
            if !is_awaited() {
                return Err(CAME_FIRST.into());
            }
            let mut connect = S::clone(&connect);
            std::future::poll_fn(|cx| connect.poll_ready(cx)).await?;
            let mut connection = pin!(connect.call(to));
            let mut permit = None;
            std::future::poll_fn(|cx| {
                if permit.is_none() && !is_awaited() {
                    permit = spare.try_acquire().ok();
                    if permit.is_none() {
                        return Poll::Ready(Err(CAME_FIRST.into()));
                    }
                }
                connection.as_mut().poll(cx)
            })
            .await
        })
    }
}
