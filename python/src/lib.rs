//! The native half of the `holdall` Python package.
