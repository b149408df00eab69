//! The HTTP transport that all network stores share.
//!
//! One [`ClientOptions`] value stands for one connection pool: stores whose options are equal send their requests
//! through the same pool. Requests to a host that asks for less get a pace (`pacing`). Requests time out on silence, never on duration: a body that is moving is not cut.

mod ascii;
mod connector;
mod direct;
pub(crate) mod document;
pub(crate) mod file_body;
mod integrity;
mod options;
pub(crate) mod pacing;
mod pool;
mod progress;
mod redirect;
mod resolve;
mod sift;
mod surplus;
mod tls;

pub(crate) use integrity::{
    ContentRange, Integrity, is_loose, is_one_piece, is_taken_out, is_version, is_weak, stated,
};
pub(crate) use progress::ServiceWorks;

pub use connector::SharedConnector;
pub use direct::{SLICE, alone};
pub use integrity::{expect_object, state_checksum, stated_checksums};
pub use options::{ClientIdentity, ClientOptions};
pub use pool::{ParsedUrl, RedirectedTo, pool_count, reset_after_fork, shared_client};

pub(crate) use pool::generation;
