//! Object stores behind one interface.
//!
//! A [`Store`] is a cheap handle to a bucket, a container, a directory or a map in memory, with a key prefix. It
//! implements [`object_store::ObjectStore`], so it works with every Rust library that takes one, and adds what the
//! trait lacks: listing by substring prefix and key range, deletion of prefixes, versions, tags, server-side copies
//! between buckets.
//!
//! | to … | look at |
//! |---|---|
//! | open any URL | [`Registry::open`] |
//! | open a store from its settings | [`aws`], [`gcp`], [`azure`], [`http`](mod@http), [`local`], [`memory`] |
//! | read, write, list, copy | [`Store`] and [`object_store::ObjectStoreExt`] |
//! | learn why something failed | [`Error`] and [`ErrorKind`] |
//! | write a store of one's own | [`Provider`] |
//!
//! ```
//! use holdall_store::{Registry, object_store::{ObjectStoreExt, path::Path}};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let (store, _) = Registry::default().open("memory:///", &Default::default())?;
//! store.put(&Path::from("a/b.txt"), "hello".into()).await?;
//! assert!(store.exists(&Path::from("a/b.txt")).await?);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use object_store;

pub mod aws;
pub mod azure;
pub mod cache;
pub mod checksum;
pub mod client;
mod cloud;
pub mod config;
pub mod gcp;
pub mod http;

mod error;
mod line;
mod listing;
pub mod local;
pub mod memory;
mod ops;
mod own;
mod pages;
mod pinned;
mod provider;
mod redact;
mod registry;
mod sha256;
mod store;
mod task;
pub mod transfer;
pub mod url;
mod whole;

pub use cloud::CloudOptions;
pub use error::{Error, ErrorKind, Result};
pub use listing::{Entry, OddKey, OddKeys, OddVersion, Oddity, ParallelOptions};
pub use ops::{BatchOptions, DeleteReport, Deletion, Level, ListOptions};
pub use pages::{LARGE_BYTES, use_large_pages};
pub use pinned::Pinned;
pub use provider::{
    CopyOutcome, CreateNew, ObjectVersion, OpenUpload, Provider, Tags, VersionEntry,
};
/// Text with every secret in its URLs taken out; see [`Error`].
pub use redact::text as redacted;
pub use registry::{OpenOptions, Opener, Registry};
pub use store::Store;

pub use ::http::Method;
