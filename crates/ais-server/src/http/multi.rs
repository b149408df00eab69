//! Actions on buckets that start jobs on many objects.

use holdall_ais_wire::action::ActMsg;

use super::{Reply, Request};
use crate::error::Result;

/// Starts the job that the message asks for; none when it asks for something else.
pub(crate) async fn handle(
    _request: &Request,
    _bucket: &str,
    _message: &ActMsg,
) -> Result<Option<Reply>> {
    Ok(None)
}
