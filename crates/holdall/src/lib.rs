//! One data-access layer for object stores, AI clusters and Earth-observation catalogs.
//!
//! | part | feature | subject |
//! |---|---|---|
//! | [`store`] | | stores, URLs, transfers |
//! | `ais` | `ais` | AIStore: its client, its buckets as stores |
//! | `archive` | `ais` | tar, tar.gz, tar.lz4 and zip as streams |
//! | `ais_server` | `server` | a server for AIStore's API in this process |
//! | `stac` | `stac` | STAC documents and their assets |
//!
//! [`registry`] opens URLs of every scheme.

#[cfg(feature = "ais")]
pub use holdall_ais as ais;
#[cfg(feature = "server")]
pub use holdall_ais_server as ais_server;
#[cfg(feature = "ais")]
pub use holdall_archive as archive;
#[cfg(feature = "stac")]
pub use holdall_stac as stac;
pub use holdall_store as store;

/// The registry of this process with every scheme that the features of this crate bring. Libraries that open URLs by
/// [`store::Registry::global`] know these schemes from the first call on.
pub fn registry() -> &'static store::Registry {
    static ONCE: std::sync::Once = std::sync::Once::new();
    let registry = store::Registry::global();
    ONCE.call_once(|| {
        #[cfg(feature = "ais")]
        ais::register(registry);
    });
    registry
}
