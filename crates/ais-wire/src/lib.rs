//! AIStore's wire vocabulary: what clients and servers say to each other, each message defined once.
//!
//! | module | subject |
//! |---|---|
//! | [`bucket`] | providers, namespaces, buckets and their unique and printable names |
//! | [`props`] | bucket properties |
//! | [`cluster`] | the cluster map and a node's status |
//! | [`action`] | action messages and the names of actions |
//! | [`list`] | listing: request, flags, the msgpack page and its JSON form |
//! | [`summary`] | bucket summaries |
//! | [`job`] | jobs: kinds, queries, status, snapshots |
//! | [`object`] | messages about one object: promote, multipart, blob download |
//! | [`multi`] | messages about many: copy, archive, delete, prefetch |
//! | [`template`] | name templates: parsing and expansion |
//! | [`batch`], [`dsort`], [`etl`], [`authn`] | the messages of those services |
//! | [`error`] | errors as AIStore sends them, and the texts that clients look for |
//! | [`header`], [`query`] | names of headers and query parameters |
//! | [`id`], [`name`] | ids of jobs; which names are valid |
//! | [`hrw`] | which target an object belongs to |
//! | [`value`] | forms of single values: times, durations, sizes, decimal strings |
//!
//! The crate does no I/O and knows nothing of HTTP beyond names. It follows AIStore 5.0 (v1.5.0); what older clients
//! send is read too.

pub mod action;
pub mod authn;
pub mod batch;
pub mod bucket;
pub mod cluster;
pub mod dsort;
pub mod error;
pub mod etl;
pub mod header;
pub mod hrw;
pub mod id;
pub mod inventory;
pub mod job;
pub mod list;
pub mod multi;
pub mod name;
pub mod object;
pub mod props;
pub mod query;
pub mod summary;
pub mod template;
pub mod value;

pub use bucket::{Bck, Namespace, Provider};
pub use error::WireError;
