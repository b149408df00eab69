//! Object stores behind one interface.
//!
//! A [`Store`] is a cheap handle to a bucket, a container, a directory or a map in memory, with a key prefix. It
//! implements [`object_store::ObjectStore`], so it works with every Rust library that takes one, and adds what the
//! trait lacks: listing by substring prefix and key range, deletion of prefixes, versions, tags, server-side copies
//! between buckets.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use object_store;

pub mod aws;
pub mod azure;
pub mod client;
mod cloud;
pub mod config;
pub mod gcp;
pub mod http;

mod error;
mod provider;
mod redact;
mod store;
pub mod url;

pub use cloud::CloudOptions;
pub use error::{Error, ErrorKind, Result};
pub use provider::{CopyOutcome, ObjectVersion, Provider, Tags};
pub use store::Store;
