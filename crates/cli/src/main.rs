//! The `holdall` command.

fn main() {}
