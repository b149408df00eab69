//! Connections that nobody waits for any longer are given up while they are being opened.
//!
//! A request opens a connection, and takes one that another request hands back if that comes first. What it began to open is
//! left to later requests. Where connections take much longer than replies, as with a service whose queue is full, each of
//! thousands of requests would leave one, until the process can open no more files. So few are opened for nobody.

use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures::future::{Either, select};
use tokio::sync::{Semaphore, watch};
use tower_layer::Layer;
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connections of one pool that may be opened for nobody.
const SPARE: usize = 16;

tokio::task_local! {
    /// Held by a request until it is answered; made when a connection is opened for it.
    static UNANSWERED: OnceLock<watch::Sender<()>>;
}

/// Marks a request: somebody waits for the connections that are opened for it until it is answered, or dropped.
pub(super) async fn awaited<T>(reply: impl Future<Output = T>) -> T {
    UNANSWERED.scope(OnceLock::new(), reply).await
}

/// Ends when the request that is being sent here is answered.
fn answered() -> Option<watch::Receiver<()>> {
    UNANSWERED
        .try_with(|unanswered| unanswered.get_or_init(watch::Sender::default).subscribe())
        .ok()
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
        let (answered, spare) = (answered(), self.spare.clone());
        let mut connect = S::clone(&self.connect);
        Box::pin(async move {
            std::future::poll_fn(|cx| connect.poll_ready(cx)).await?;
            let connection = pin!(connect.call(to));
            let Some(mut answered) = answered else { return connection.await };
            let connection = match select(connection, pin!(answered.changed())).await {
                Either::Left((connected, _)) => return connected,
                Either::Right((_, connection)) => connection,
            };
            match spare.try_acquire() {
                Ok(_permit) => connection.await,
                // Nobody hears this.
                Err(_) => Err("another connection came first".into()),
            }
        })
    }
}
