//! Reading members of archives, and appending to archives.

use super::{Reply, Request};
use crate::engine::Bucket;
use crate::error::Result;

/// Answers a GET that asks for members; none when it asks for the object.
pub(crate) async fn get(
    _request: &Request,
    _bucket: &Bucket,
    _name: &str,
) -> Result<Option<Reply>> {
    Ok(None)
}

/// Answers a PUT that appends to an archive; none when it writes the object.
pub(crate) async fn put(
    _request: &mut Request,
    _bucket: &Bucket,
    _name: &str,
) -> Result<Option<Reply>> {
    Ok(None)
}
