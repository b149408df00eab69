//! Suites that need more than a directory.

mod aistore;
mod kill;
mod moving;
mod stac;
