//! The server from outside, over HTTP.
//!
//! | module | subject |
//! |---|---|
//! | `objects` | buckets and objects, headers, ranges, errors |
//! | `restart` | what is there after a restart, and what two processes may do |

mod objects;
mod restart;
mod support;
