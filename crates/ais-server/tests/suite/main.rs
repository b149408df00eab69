//! The server from outside, over HTTP.
//!
//! | module | subject |
//! |---|---|
//! | `archives` | members of archives |
//! | `batches` | many objects in one reply |
//! | `multi` | jobs on many objects |
//! | `objects` | buckets and objects, headers, ranges, errors |
//! | `sorts` | dSort |
//! | `recorded` | exchanges recorded from a real AIStore |
//! | `restart` | what is there after a restart, and what two processes may do |

mod archives;
mod batches;
mod multi;
mod objects;
mod recorded;
mod restart;
mod sorts;
mod support;
