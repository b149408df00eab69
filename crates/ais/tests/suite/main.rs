//! The client against a server in this process, scripted servers, and the conformance functions of object stores.

mod batches;
mod buckets;
mod conformance;
mod faults;
mod jobs;
mod objects;
mod real;
mod script;
mod stores;
mod support;
