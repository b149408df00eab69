//! Buckets whose objects live elsewhere: in clouds, on HTTP servers, in other clusters.
//!
//! What is read is kept here, and then is an object like any other, with what its backend says of it as custom
//! properties. What is written goes to the backend first, and is kept as well.
//!
//! | module | subject |
//! |---|---|
//! | `backends` | which backends there are; stores of buckets |
//! | `admit` | buckets that become known when they are used |
//! | `flight`, `fetch` | cold reads: one download for all who wait |
//! | `push` | writes and deletions, through to the backend |
//! | `list` | listings of what is there, with what is here |
//! | `evict`, `prefetch`, `blob` | what is kept: forgotten, fetched ahead, fetched in parts |
//! | `inventory` | listings that were made before |
//! | `space`, `access` | limits of space; times of access |
//! | `clusters` | other clusters |

mod access;
mod admit;
mod backends;
mod blob;
mod clusters;
mod evict;
mod facts;
mod fetch;
mod flight;
mod inventory;
mod list;
mod prefetch;
mod push;
mod space;

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use holdall_ais_wire::bucket::{Bck, Provider};
use holdall_store::{ErrorKind as StoreErrorKind, Store};

pub use admit::Admission;
pub(crate) use backends::missing;
pub use backends::{Backend, Backends};
pub use blob::BlobOptions;
pub use facts::is_same;
pub use fetch::{Arriving, How, STREAMING_COLD_GET, Want};
pub use inventory::InventoryPage;
pub use list::{RemoteEntry, RemotePage, RemoteQuery};
pub use space::CacheLimits;

use super::{Bucket, Engine};
use crate::error::{Error, ErrorKind, Result};

/// What the server knows of backends.
#[derive(Default)]
pub(super) struct Remotes {
    backends: OnceLock<Backends>,
    /// Open stores by what they were opened with.
    stores: Mutex<HashMap<String, Remote>>,
    flights: flight::Flights,
    writes: push::Turns,
    accesses: access::Accesses,
    clusters: clusters::Clusters,
    space: space::Watch,
}

/// Where the objects of a bucket live.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// The store.
    pub(crate) store: Store,
    /// The provider.
    pub(crate) provider: Provider,
}

/// Most open stores that are remembered.
const MOST_STORES: usize = 256;

impl Remotes {
    /// Whether an object, by its bucket's id and its name, comes from its backend or goes there now.
    pub(super) fn is_moving(&self, key: &(u64, String)) -> bool {
        self.flights.has(key) || self.writes.is_taken(key)
    }
}

impl Engine {
    pub(super) fn remotes(&self) -> &Remotes {
        &self.remotes
    }

    /// Says which backends there are, once.
    pub(crate) fn set_backends(&self, backends: Backends) {
        // The first ones stay.
        let _ = self.remotes.backends.set(backends);
    }

    /// The backends.
    pub fn backends(&self) -> &Backends {
        self.remotes.backends.get_or_init(Backends::default)
    }

    /// Where the objects of a bucket live.
    ///
    /// # Errors
    ///
    /// When they live here, there is no such backend, or its settings cannot be.
    pub(crate) fn remote(&self, bucket: &Bucket) -> Result<Remote> {
        let Some(bck) = bucket.backing() else {
            let text = format!("expecting remote bucket (have {})", bucket.bck());
            return Err(Error::invalid(text).with_code("ErrNotRemoteBck"));
        };
        self.remote_of(&bck, bucket.props())
    }

    fn remote_of(&self, bck: &Bck, props: &holdall_ais_wire::props::BucketProps) -> Result<Remote> {
        let key = format!("{} {}", bck.uname(""), props.extra);
        let mut stores = self.remotes.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = stores.get(&key) {
            return Ok(remote.clone());
        }
        let store = match bck.is_remote_ais() {
            true => self.open_cluster(bck)?,
            false => self.backends().open(bck, props)?,
        };
        let remote = Remote { store, provider: bck.provider };
        if stores.len() >= MOST_STORES {
            stores.clear();
        }
        stores.insert(key, remote.clone());
        Ok(remote)
    }

    /// An error of a backend in the words for this server's clients. What cannot get better by itself is no 5xx: clients
    /// would repeat it.
    pub(super) fn backend_error(
        &self,
        bucket: &Bucket,
        name: &str,
        error: &holdall_store::Error,
    ) -> Error {
        let provider = bucket.backing().map_or(Provider::Ais, |bck| bck.provider);
        let text = format!("{provider}-error[{error}]");
        match error.kind() {
            StoreErrorKind::NotFound if !name.is_empty() => self.no_object(bucket, name),
            StoreErrorKind::NotFound => Error::no_bucket(bucket.bck()),
            StoreErrorKind::PermissionDenied | StoreErrorKind::Unauthenticated => {
                Error::new(ErrorKind::Forbidden, text)
            }
            // The object was changed while it was read: who asked looks again.
            StoreErrorKind::Precondition => Error::new(ErrorKind::Conflict, text),
            StoreErrorKind::NotSupported => Error::unsupported(text),
            StoreErrorKind::InvalidPath
            | StoreErrorKind::InvalidUrl
            | StoreErrorKind::InvalidArgument
            | StoreErrorKind::UnknownConfigurationKey
            | StoreErrorKind::Config => Error::invalid(text),
            _ => match error.status() {
                Some(status @ 400..=499) if status != 408 && status != 429 => Error::invalid(text),
                _ => Error::new(ErrorKind::Backend, text),
            },
        }
    }
}

/// Work for threads that may block, which waits for something asynchronous.
pub(super) fn wait_blocking<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Handle::try_current()
        .map_err(|e| Error::internal("a backend is asked outside of the server").with_source(e))?;
    runtime.block_on(work)
}
