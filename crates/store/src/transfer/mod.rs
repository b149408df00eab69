//! The transfer engine: everything that moves the bytes of objects.
//!
//! A [`Transfer`] is a way of moving bytes: [options](TransferOptions), a [`Budget`] of memory, requests and bandwidth
//! that transfers share, and [`Events`] that tell how far they are. It downloads to files and buffers, uploads files and
//! streams, and copies from store to store.
//!
//! * Large objects move in parts, several at once, straight to their final place. All parts are of one version.
//! * What breaks off is continued from the last good byte. What moves is never cut.
//! * Nothing appears under its final name before it is whole and checked.
//! * A transfer that was killed is found by the next one to the same target, which continues it
//!   ([`TransferOptions::resume`]) or removes what it left.
//!
//! Runs over many objects are streams of data: a plan ([`Job`], [`Action`]) goes in, an [`Outcome`] per object comes out.
//! Nothing here prints.
//!
//! ```
//! use holdall_store::transfer::Transfer;
//! use holdall_store::{Registry, object_store::{ObjectStoreExt, path::Path}};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let (store, _) = Registry::default().open("memory:///", &Default::default())?;
//! store.put(&Path::from("a.txt"), "hello".into()).await?;
//! let dir = tempfile::tempdir()?;
//! let report = Transfer::new().download(&store, &Path::from("a.txt"), dir.path().join("a.txt")).await?;
//! assert_eq!(report.bytes, 5);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod backoff;
mod budget;
mod cleaning;
mod compare;
mod copy;
mod download;
mod events;
mod fetch;
mod filter;
mod forgotten;
mod inspect;
mod journal;
mod leftover;
#[cfg(target_os = "linux")]
mod mapped;
mod multipart;
mod object;
mod options;
mod overlap;
mod partial;
mod place;
mod postponed;
mod read;
mod region;
mod restart;
mod run;
mod send;
mod source;
mod stream;
mod swap;
mod sync;
mod upload;
mod whole;

use object_store::ObjectMeta;

pub(crate) use backoff::Backoff;
pub use budget::{Budget, Held, Limits};
pub use cleaning::aborting;
pub use compare::{Compare, is_older};
pub use events::{Events, Snapshot};
pub use filter::Filter;
pub use inspect::{Inspect, Inspector};
pub use leftover::state_directory;
pub use options::{TransferOptions, Verify};
pub use overlap::Overlap;
pub use partial::{clear_neighbours, open_neighbour};
pub use read::has_ranges;
pub use run::{Job, Outcome, Running, Verb};
pub use stream::ObjectStream;
pub use sync::{Action, Need, Reason, Step, SyncOptions, plan};

pub use crate::whole::stated_checksum;

use self::send::Sent;
use crate::checksum::Checksum;
use crate::error::Result;

/// A way of moving bytes. Clones share their budget and their events.
#[derive(Debug, Clone)]
pub struct Transfer {
    options: TransferOptions,
    budget: Budget,
    events: Events,
    inspection: inspect::Inspection,
}

impl Transfer {
    /// The default options, the budget of the process, and events that nobody hears.
    pub fn new() -> Self {
        let new = Self {
            options: TransferOptions::default(),
            budget: Budget::default(),
            events: Events::default(),
            inspection: inspect::Inspection::default(),
        };
        new.fitted()
    }

    /// Parts whose size is not stated are no larger than the budget allows.
    fn fitted(mut self) -> Self {
        self.options.room = self.budget.most_at_once();
        self
    }

    /// Sets the options.
    #[must_use]
    pub fn with_options(mut self, options: TransferOptions) -> Self {
        self.options = options;
        self.fitted()
    }

    /// Sets the budget.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self.fitted()
    }

    /// Sets who is told.
    #[must_use]
    pub fn with_events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Sets who sees the content of objects that are downloaded or copied, and may refuse them. Copies are not made inside
    /// a service then.
    #[must_use]
    pub fn with_inspection(mut self, inspect: Inspect) -> Self {
        self.inspection = inspect::Inspection(Some(inspect));
        self
    }

    /// The options.
    pub fn options(&self) -> &TransferOptions {
        &self.options
    }

    /// The events.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Counts the transfer of one object, whose length may be known.
    async fn tracked<T>(
        &self,
        size: Option<u64>,
        transfer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.events.planned(size.unwrap_or(0));
        let ended = transfer.await;
        self.events.ended(ended.is_ok());
        ended
    }
}

impl Default for Transfer {
    fn default() -> Self {
        Self::new()
    }
}

/// What came of the transfer of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Length of the object in bytes; unknown (0) for copies made by the service.
    pub bytes: u64,
    /// Whether the service made the copy, with no byte passing through this process.
    pub server_side: bool,
    /// Bytes that an earlier, interrupted transfer had moved.
    pub resumed_bytes: u64,
    /// The checksum of the service that the content was found to have.
    pub checksum: Option<Checksum>,
    /// The entity tag of the new object or file, where the target gives one.
    pub e_tag: Option<String>,
    /// The version of the new object, where the target tells it.
    pub version: Option<String>,
}

impl Report {
    fn of(meta: &ObjectMeta, checksum: Option<Checksum>) -> Self {
        Self { bytes: meta.size, checksum, ..Self::default() }
    }

    fn of_server() -> Self {
        Self { server_side: true, ..Self::default() }
    }

    fn with_e_tag(mut self, e_tag: Option<String>) -> Self {
        self.e_tag = e_tag;
        self
    }

    fn with_sent(mut self, sent: Sent) -> Self {
        (self.e_tag, self.version, self.resumed_bytes) = (sent.e_tag, sent.version, sent.resumed);
        self
    }

    fn with_resumed(mut self, bytes: u64) -> Self {
        self.resumed_bytes = bytes;
        self
    }
}
