//! Operations on a [`Store`](crate::Store) that the trait of object stores lacks.

mod batch;
mod delete;
mod glob;
mod list;
mod object;
mod sign;

pub use batch::BatchOptions;
pub use delete::{DeleteReport, Deletion};
pub use list::{Level, ListOptions};

pub(crate) use glob::matcher as glob_matcher;
pub(crate) use list::{directory, leads_to_itself};
