//! Suites that need more than a directory.

mod kill;
mod moving;
mod stac;
