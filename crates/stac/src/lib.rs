//! STAC documents and their assets: plan, download, copy, upload and verify, from and to any store.
//!
//! | to … | look at |
//! |---|---|
//! | read and write documents without loss | [`Document`], [`json`] |
//! | decide what goes where | [`Plan`], [`PlanOptions`], [`Selection`], [`Naming`], [`Template`] |
//! | reach hrefs with the right credentials | [`Clients`], [`ClientConfig`] |
//! | move assets | [`run()`](run::run), [`RunOptions`] |
//! | rewrite a document afterwards | [`rewrite()`](rewrite::rewrite) |
//! | learn why something failed | [`Error`], [`ErrorKind`] |
//!
//! A document keeps its text: only members that change are written anew, so numbers, escapes and layout of everything
//! else come out as they went in. Every job is planned, with all collisions and escapes from the directory found,
//! before a byte moves. Secrets belong to the host they are meant for.

pub mod asset;
mod budget;
mod clients;
mod config;
mod crawl;
mod detach;
mod directory;
mod document;
mod error;
mod format;
#[cfg(feature = "geoparquet")]
mod geoparquet;
pub mod href;
mod info;
mod io;
pub mod json;
pub mod media_type;
pub mod multihash;
mod naming;
mod place;
mod plan;
mod present;
pub mod rewrite;
pub mod run;
mod search;
mod select;
mod stores;
mod template;
mod transfer;
mod transport;

pub use clients::{AuthScheme, ClientKind, Clients, Head, Hints, SigningFlow, SigningParameter};
pub use config::{
    ClientConfig, Credential, DEFAULT_S3_REGION, DEFAULT_SAS_TOKEN_ENDPOINT, OAuth2, Prompt,
};
pub use crawl::Crawl;
pub use document::{Document, Kind, id, link, links};
pub use error::{Error, ErrorKind, Result};
pub use format::Format;
pub use info::{AssetInfo, Depth, info};
pub use io::Body;
pub use naming::{Naming, check_name};
pub use place::Place;
pub use plan::{Collision, Job, Location, Plan, PlanOptions};
pub use rewrite::{Hrefs, RewriteOptions};
pub use run::{Done, Event, Observer, Outcome, RunOptions};
pub use search::{Pages, Request};
pub use select::Selection;
pub use stores::Stores;
pub use template::Template;
pub use transfer::{
    Report, TransferOptions, Written, check_written, default_file_name, transfer, transfer_assets,
    transfer_planned, write_catalog, write_transferred,
};
