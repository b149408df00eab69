//! A client for AIStore, and AIStore's buckets as object stores.
//!
//! | to … | look at |
//! |---|---|
//! | connect | [`Client`], [`ClientConfig`] |
//! | work with buckets and objects | [`Bucket`], [`Object`], [`ObjectGroup`] |
//! | use a bucket like any other store | [`AisStore`], [`register`] for `ais://` URLs |
//! | read many objects with one request | [`Batch`] |
//! | run and watch jobs | [`Job`], [`Dsort`], [`Etl`] |
//! | look at the cluster | [`Cluster`] |
//! | manage users and tokens | [`authn`] |
//! | do all that without asynchronous code | [`blocking`] |
//! | learn why something failed | [`Error`], [`ErrorKind`] |
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # let server = holdall_ais_server::Server::start(Default::default()).await?;
//! # let endpoint = server.url();
//! use holdall_ais::{Client, ClientConfig, GetOptions, PutOptions};
//!
//! let client = Client::new(ClientConfig::new(endpoint))?;
//! let bucket = client.bucket("shards");
//! bucket.create(Default::default()).await?;
//! let object = bucket.object("a.txt");
//! object.put("hello", &PutOptions::default()).await?;
//! assert_eq!(object.get(GetOptions::default()).await?.bytes().await?, "hello");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

pub mod attributes;
pub mod authn;
pub mod batch;
pub mod blocking;
pub mod bucket;
pub mod call;
pub mod client;
pub mod cluster;
pub mod config;
mod content;
pub mod copy;
pub mod dsort;
mod error;
pub mod etl;
pub mod group;
pub mod job;
pub mod listing;
pub mod object;
pub mod read;
mod request;
mod smap;
mod store;
mod tokens;
mod transport;
mod upload;

pub use holdall_ais_wire as wire;

pub use attributes::ObjectAttributes;
pub use batch::{Batch, BatchEntry, BatchItem, BatchOptions};
pub use bucket::{Bucket, BucketInfo};
pub use call::{Head, Response, bck_query, encode_path};
pub use client::{Client, parse_url};
pub use cluster::{Cluster, Nodes};
pub use config::{ClientConfig, ColdGet, Repetition, Token};
pub use copy::CopyOptions;
pub use dsort::Dsort;
pub use error::{Error, ErrorKind, Refusal, Result};
pub use etl::{Etl, EtlOptions};
pub use group::{ObjectGroup, Selection};
pub use job::{Job, Waited};
pub use listing::ListRequest;
pub use object::{ArchiveAppend, Lock, Object, PutOptions};
pub use read::{GetOptions, Members, Reader};
pub use request::Request;
pub use store::{AisStore, open, register};
