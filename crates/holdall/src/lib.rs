//! One data-access layer for object stores.

#[cfg(feature = "server")]
pub use holdall_ais_server as ais_server;
#[cfg(feature = "stac")]
pub use holdall_stac as stac;
pub use holdall_store as store;
