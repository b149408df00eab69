//! Behaviour of the stores.
//!
//! * `conformance`: what every store must do, against memory, local files and, where they run, real services.
//! * `embedded`: what is particular to memory and local files.
//! * `operations`: listing, deletion and copies beyond the trait.
//! * `listing`: listing with many requests at once.
//! * `cache`: what is kept of a store is never wrong, never older than allowed, and survives kills.
//! * `changing`: objects that change while they are read.
//! * `unfinished`: uploads and jobs that were cut off.
//! * `inspect`: somebody sees every byte in order and has the last word.
//! * `cloud`: versions, tags, attributes and copies inside the services.
//! * `http`: servers that speak HTTP in their own way.
//! * `profiles`: credentials and settings from AWS profiles.
//! * `model`: random operations, compared with a map.
//! * `pacing`: hosts that ask for fewer requests.
//! * `faults`: services that misbehave.
//! * `hedged`: answers that are slow, and second requests.

mod suite;
