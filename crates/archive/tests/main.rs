//! Archives against themselves, against Python's `tarfile` and `zipfile`, and against damage.

mod suite;
