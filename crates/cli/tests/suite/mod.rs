//! Suites that need more than a directory.

mod ais;
mod ais_auth;
mod aistore;
mod kill;
mod moving;
mod odd_files;
mod odd_keys;
mod stac;
