//! The messages from outside.
//!
//! | module | subject |
//! |---|---|
//! | `messages` | every parser; shared with the fuzz targets |
//! | `parsers` | whatever comes, no parser panics, and what was read is written and read again |

mod messages;
mod parsers;
