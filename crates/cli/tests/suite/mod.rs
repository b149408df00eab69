//! Suites that need more than a directory.

mod ais;
mod aistore;
mod kill;
mod moving;
mod stac;
