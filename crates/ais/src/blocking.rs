//! Without asynchronous code: the same calls, waited for.
//!
//! ```no_run
//! use holdall_ais::blocking::wait;
//! use holdall_ais::{Client, GetOptions};
//!
//! let client = Client::from_env()?;
//! let object = client.bucket("shards").object("a.txt");
//! let content = wait(async { object.get(GetOptions::default()).await?.bytes().await })?;
//! # Ok::<_, holdall_ais::Error>(())
//! ```

use std::sync::{Mutex, PoisonError};

use futures::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, ErrorKind, Result};

/// The runtime, and the process that it belongs to: a forked child has none of its threads.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

fn runtime() -> Result<&'static Runtime> {
    let mut kept = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((of, runtime)) = *kept
        && of == process
    {
        return Ok(runtime);
    }
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let built = built.map_err(|e| {
        Error::new(ErrorKind::Other, "start", "runtime", format!("cannot start threads: {e}"))
    })?;
    // Lives as long as the process; one of a parent must not be dropped in its child.
    let runtime: &'static Runtime = Box::leak(Box::new(built));
    *kept = Some((process, runtime));
    Ok(runtime)
}

/// Runs a call of this crate to its end, on a runtime that all blocking calls of the process share.
///
/// # Errors
/// Those of the call.
///
/// # Panics
/// When called from asynchronous code, which has to await instead.
pub fn wait<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(call)
}

/// The items of a stream of this crate, one after the other: listings, contents, batches.
///
/// # Panics
/// When used in asynchronous code.
pub fn iter<T, S>(stream: S) -> impl Iterator<Item = Result<T>>
where
    S: Stream<Item = Result<T>>,
{
    let mut stream = Box::pin(stream);
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        match runtime() {
            Ok(runtime) => runtime.block_on(stream.next()),
            Err(error) => {
                is_over = true;
                Some(Err(error))
            }
        }
    })
}
