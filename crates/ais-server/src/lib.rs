//! A server for AIStore's API in one process.
//!
//! | layer | module | knows |
//! |---|---|---|
//! | HTTP | `http` | routes, headers, bodies, error JSON |
//! | semantics | [`engine`] | buckets, objects, listings, jobs; no HTTP |
//! | tests of clients | [`faults`] | what goes wrong on purpose |
//! | background | [`jobs`] | what goes on after its request was answered |
//! | storage | [`storage`] | metadata and content, on disk or in memory |

mod dsort;
pub mod engine;
pub mod error;
pub mod faults;
mod http;
pub mod jobs;
mod quiet;
mod s3_keys;
mod server;
pub mod storage;

pub use engine::EtlOptions;
pub use engine::authn::{Algorithm, AuthOptions, Secret};
pub use engine::remote::{Backend, Backends, CacheLimits};
pub use error::{Error, ErrorKind, Result};
pub use faults::Faults;
pub use s3_keys::S3Keys;
pub use server::{Options, Server};
pub use storage::Fsync;
