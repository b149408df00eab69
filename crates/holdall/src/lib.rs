//! One data-access layer for object stores.

#[cfg(feature = "stac")]
pub use holdall_stac as stac;
pub use holdall_store as store;
