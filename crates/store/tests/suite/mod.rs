mod cache;
mod changing;
mod cloud;
mod conformance;
mod crowded;
mod direct;
mod embedded;
mod faults;
#[expect(clippy::duplicate_mod, reason = "the same tests, run in another way")]
#[path = "faults.rs"]
mod faults_alone;
#[expect(clippy::duplicate_mod, reason = "the same tests, run in another way")]
#[path = "faults.rs"]
mod faults_proxied;
mod headers;
mod hedged;
mod http;
mod inspect;
mod listing;
mod loopback;
mod misbehave;
mod model;
mod odd_keys;
mod operations;
mod origin;
mod pacing;
mod paged;
mod plain;
mod profiles;
mod refused;
mod services;
mod transfer;
mod unfinished;
