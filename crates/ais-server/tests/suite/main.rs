//! The server from outside, over HTTP.
//!
//! | module | subject |
//! |---|---|
//! | `archives` | members of archives |
//! | `backends` | buckets of real services; kills in the middle of cold reads |
//! | `batches` | many objects in one reply |
//! | `begun` | uploads, appends and jobs that outlive the server |
//! | `crash` | kills under load |
//! | `faults` | what goes wrong on purpose |
//! | `model` | random operations, compared with a model |
//! | `multi` | jobs on many objects |
//! | `permissions` | who may do what: every permission with every route |
//! | `objects` | buckets and objects, headers, ranges, errors |
//! | `s3` | the S3 face |
//! | `routes` | requests that are nearly right: all are answered |
//! | `slow` | senders that are slow |
//! | `sorts` | dSort |
//! | `recorded` | exchanges recorded from a real AIStore |
//! | `recorded_authn` | authentication as a real AIStore answers |
//! | `recorded_jobs` | archives, jobs and batches as a real AIStore answers |
//! | `remote` | buckets of backends, with a stand-in |
//! | `restart` | what is there after a restart, and what two processes may do |
//! | `tls` | HTTPS |
//! | `ui` | files and data of the pages |
//! | `transforms` | transformers of objects (ETL) |
//! | `users` | logins, tokens, users, roles, clusters |

mod archives;
mod backends;
mod batches;
mod begun;
mod crash;
mod faults;
mod model;
mod multi;
mod objects;
mod permissions;
mod recorded;
mod recorded_authn;
mod recorded_jobs;
mod remote;
mod restart;
mod routes;
mod s3;
mod slow;
mod sorts;
mod standin;
mod support;
mod tls;
mod transforms;
mod ui;
mod users;
