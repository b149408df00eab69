//! The messages from outside.
//!
//! | module | subject |
//! |---|---|
//! | `parsers` | whatever comes, no parser panics, and what was read is written and read again |

mod parsers;
