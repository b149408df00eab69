//! Archives as streams: tar, tar.gz, tar.lz4 and zip.
//!
//! * [`Format`] knows the names, the media types and the first bytes of each format.
//! * [`Reader`] goes through an archive member by member, from a [`Source`] (a file, bytes in memory) or from any
//!   [`std::io::Read`]; [`read_at`] returns to one member later, without what lies before it.
//! * [`Selector`] picks members by prefix, suffix, substring, regular expression or WebDataset key.
//! * [`Writer`] makes an archive, or continues one ([`Writer::resume`]).
//! * [`pipe`] carries archives to and from asynchronous code: the work itself blocks, so it runs on a thread for
//!   blocking work, and a bounded channel connects the two.
//!
//! Memory is bounded whatever an archive says: contents are streamed, and names and extension records have limits.
//! Nothing is ever unpacked to a path that an archive names.
//!
//! ```
//! use std::sync::Arc;
//! use holdall_archive::{Format, Member, Reader, Writer};
//!
//! let mut writer = Writer::new(Vec::new(), Format::Tar)?;
//! writer.append(&Member::file("a/1.txt", 5), &mut &b"hello"[..])?;
//! let bytes = writer.finish()?;
//!
//! let mut reader = Reader::open(Arc::new(bytes), Format::Tar)?;
//! let member = reader.next_file()?.expect("there is one");
//! assert_eq!((member.name.as_str(), member.size), ("a/1.txt", 5));
//! assert_eq!(std::io::read_to_string(&mut reader)?, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod append;
mod error;
mod format;
mod input;
mod member;
pub mod pipe;
mod reader;
mod selector;
mod source;
mod tar;
mod writer;
mod zip;

pub use error::{Error, ErrorKind, Result};
pub use format::{Format, UnknownFormat};
pub use member::{Kind, Member};
pub use reader::{Reader, read_at};
pub use selector::{MatchMode, Selector, UnknownMatchMode, same_name, wds_key};
pub use source::{Cursor, Source};
pub use writer::Writer;
