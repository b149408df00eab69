//! What the server does, without HTTP.
//!
//! [`Engine`] is the whole: its methods are in the modules of their subjects. Methods that end in `_blocking`, and
//! readers and writers, may block: call them from [`Work::blocking`].
//!
//! | module | subject |
//! |---|---|
//! | [`archive`] | members of archives |
//! | [`authn`] | users, roles, clusters and tokens |
//! | [`batch`] | many objects in one reply |
//! | [`bucket`] | buckets and their properties |
//! | [`multi`], [`sort`] | jobs on many objects; dSort |
//! | [`objects`] | objects: read, write, change, copy, rename, delete, scan |
//! | [`content`], [`writer`] | content being read, content being written |
//! | [`checksum`] | checksums |
//! | [`etl`] | transformers of objects |
//! | [`list`] | listings |
//! | [`lock`] | who reads and writes an object |
//! | [`remote`] | buckets whose objects live elsewhere |
//! | [`stats`], [`history`] | counters, and how they rose lately |
//! | [`upload`] | uploads in parts |
//!
//! Appends, which are kept as uploads are (`begun`), summaries and promotion are methods of [`Engine`], too.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use holdall_ais_wire::id;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::faults::Faults;
use crate::jobs::{IDLE_TIME, Jobs};
use crate::s3_keys::S3Keys;
use crate::storage::Storage;

mod append;
pub mod archive;
pub mod authn;
pub mod batch;
mod begun;
pub mod bucket;
pub mod checksum;
pub mod content;
pub mod etl;
pub mod history;
pub mod list;
pub mod lock;
pub mod log;
pub mod multi;
mod node;
pub mod objects;
mod piece;
pub(crate) mod pour;
mod producer;
mod promote;
mod random;
pub mod remote;
pub mod sort;
pub mod stats;
mod summary;
mod tidy;
pub mod upload;
pub mod writer;

pub use append::Append;
pub use bucket::Bucket;
pub use content::{Content, ContentReader, Reading};
pub use etl::EtlOptions;
pub use log::{Log, Severity};
pub use piece::Piece;
pub use stats::{Counters, Op};
pub use writer::{PutOptions, Writer};

/// Now, in nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    Utc::now().timestamp_nanos_opt().unwrap_or(0)
}

/// Who this server is; the same after a restart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster's id.
    pub uuid: String,
    /// The proxy's.
    pub proxy: String,
    /// The target's.
    pub target: String,
    /// When the cluster was made.
    pub created: DateTime<Utc>,
}

/// The server without HTTP.
pub struct Engine {
    storage: Storage,
    identity: Identity,
    buckets: bucket::Buckets,
    jobs: Jobs,
    counters: Counters,
    history: history::History,
    archives: archive::Archives,
    sorts: sort::Sorts,
    producers: producer::Producers,
    log: Log,
    appends: append::Appends,
    readers: lock::Readers,
    summaries: summary::Summaries,
    etls: etl::Etls,
    url: OnceLock<String>,
    s3_keys: OnceLock<S3Keys>,
    promote_root: PathBuf,
    authn: OnceLock<Arc<authn::Authn>>,
    faults: OnceLock<Arc<Faults>>,
    remotes: remote::Remotes,
}

/// The fact that holds [`Identity`].
const IDENTITY: &str = "identity";

impl Engine {
    /// An engine over this storage. Files may be promoted from under `promote_root`.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    pub fn new(storage: Storage, promote_root: PathBuf) -> Result<Arc<Self>> {
        let identity = identity(&storage)?;
        let buckets = bucket::Buckets::new(storage.meta().buckets()?);
        let jobs = if storage.blobs().inline() {
            // Nothing survives the process.
            Jobs::default()
        } else {
            Jobs::kept(storage.meta(), IDLE_TIME)?
        };
        Ok(Arc::new(Self {
            storage,
            identity,
            buckets,
            jobs,
            counters: Counters::default(),
            history: history::History::default(),
            archives: archive::Archives::default(),
            sorts: sort::Sorts::default(),
            producers: producer::Producers::new()?,
            log: Log::default(),
            appends: append::Appends::default(),
            readers: lock::Readers::default(),
            summaries: summary::Summaries::default(),
            etls: etl::Etls::default(),
            url: OnceLock::new(),
            s3_keys: OnceLock::new(),
            promote_root,
            authn: OnceLock::new(),
            faults: OnceLock::new(),
            remotes: remote::Remotes::default(),
        }))
    }

    /// Storage.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What was read and written lately.
    pub fn history(&self) -> &history::History {
        &self.history
    }

    /// What is known of archives.
    fn archives(&self) -> &archive::Archives {
        &self.archives
    }

    /// Who makes replies.
    fn producers(&self) -> &producer::Producers {
        &self.producers
    }

    /// Runs of dSort.
    fn sorts(&self) -> &sort::Sorts {
        &self.sorts
    }

    /// Transformers.
    fn etls(&self) -> &etl::Etls {
        &self.etls
    }

    /// What happened lately.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Who this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The folder that files may be promoted from.
    pub fn promote_root(&self) -> &Path {
        &self.promote_root
    }

    /// The target's id.
    pub fn target_id(&self) -> &str {
        &self.identity.target
    }

    /// The URL that clients reach the server by; empty before it listens.
    pub fn url(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }

    /// Tells the URL, once.
    pub(crate) fn set_url(&self, url: String) {
        // The first one stays.
        let _ = self.url.set(url);
    }

    /// Keys that clients of S3 sign with; without any, every signature is accepted.
    pub fn s3_keys(&self) -> &S3Keys {
        static NONE: S3Keys = S3Keys::NONE;

        self.s3_keys.get().unwrap_or(&NONE)
    }

    /// Tells the keys, once.
    pub(crate) fn set_s3_keys(&self, keys: S3Keys) {
        // The first ones stay.
        let _ = self.s3_keys.set(keys);
    }

    /// What goes wrong on purpose, if anything.
    pub fn faults(&self) -> Option<&Arc<Faults>> {
        self.faults.get()
    }

    /// Lets things go wrong on purpose, from now on.
    pub(crate) fn set_faults(&self, faults: Arc<Faults>) {
        // The first ones stay.
        let _ = self.faults.set(faults);
    }

    /// Who may do what; none where everybody may do everything.
    pub fn authn(&self) -> Option<&Arc<authn::Authn>> {
        self.authn.get()
    }

    /// Asks who is there from now on, and tells the administrator's password if it was made up just now.
    ///
    /// # Errors
    ///
    /// When the options, the key or what is kept cannot be used.
    pub(crate) fn ask_who(&self, options: &authn::AuthOptions) -> Result<Option<authn::Secret>> {
        let meta = Arc::clone(self.storage.meta());
        let (authn, password) = authn::Authn::start(meta, self.identity.uuid.clone(), options)?;
        // The first one stays.
        let _ = self.authn.set(authn);
        Ok(password)
    }

    /// Stops jobs and commits what waits.
    pub fn close(&self) {
        self.kill_etls();
        self.jobs.stop_all();
        self.flush_accesses_quietly();
        self.storage.meta().close();
    }
}

fn identity(storage: &Storage) -> Result<Identity> {
    if let Some(known) = storage.meta().fact(IDENTITY)? {
        return Ok(serde_json::from_slice(&known)?);
    }
    let letters = id::new();
    let new = Identity {
        uuid: id::new(),
        proxy: format!("{}p8080", &letters[..3]),
        target: format!("{}t8081", &letters[3..6]),
        created: Utc::now(),
    };
    let bytes = serde_json::to_vec(&new)?;
    storage.meta().write_blocking(move |tx| tx.put_fact(IDENTITY, &bytes))?;
    Ok(new)
}

/// Work that may block.
pub trait Work: Send + Sync + 'static {
    /// Whether nothing ever blocks.
    fn inline(&self) -> bool;

    /// Runs what may block for a short time: at once where nothing does, else on a thread for such work.
    fn blocking<T, F>(self: &Arc<Self>, work: F) -> impl Future<Output = Result<T>> + Send
    where
        Self: Sized,
        T: Send + 'static,
        F: FnOnce(&Arc<Self>) -> Result<T> + Send + 'static,
    {
        let this = Arc::clone(self);
        async move {
            if this.inline() {
                return work(&this);
            }
            tokio::task::spawn_blocking(move || work(&this))
                .await
                .map_err(|e| Error::internal("a task of the server ended early").with_source(e))?
        }
    }

    /// Runs what blocks or computes for long, on a thread for such work.
    fn heavy<T, F>(self: &Arc<Self>, work: F) -> impl Future<Output = Result<T>> + Send
    where
        Self: Sized,
        T: Send + 'static,
        F: FnOnce(&Arc<Self>) -> Result<T> + Send + 'static,
    {
        let this = Arc::clone(self);
        async move {
            tokio::task::spawn_blocking(move || work(&this))
                .await
                .map_err(|e| Error::internal("a task of the server ended early").with_source(e))?
        }
    }
}
