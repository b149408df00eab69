//! Jobs on many objects: those of a list, of a template, or of a whole bucket.

mod archive;
mod copy;
mod delete;
mod names;

pub use archive::check_archive;
pub use copy::check_copy;
pub use names::Names;
pub(super) use names::describe;
