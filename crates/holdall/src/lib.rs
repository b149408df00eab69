//! One data-access layer for object stores.

pub use holdall_store as store;
