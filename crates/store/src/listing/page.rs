//! One page of a listing, asked for again when its body breaks off.

use std::time::Duration;

use object_store::Result;
use object_store::list::{PaginatedListOptions, PaginatedListResult};

use crate::error::{Error, ErrorKind};
use crate::listing::OddKeys;
use crate::provider::Provider;

/// Pauses before a page is asked for again. The client of the service repeats what was not answered; a body that is cut is
/// not its business any more, and a long listing shall not end with it.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_secs(1)];

/// The page of the keys with `prefix` that `options` name; odd ones are beside it ([`OddKeys`]).
pub(crate) async fn page(
    provider: &dyn Provider,
    prefix: &str,
    mut options: PaginatedListOptions,
) -> Result<PaginatedListResult> {
    let pages = provider.paginated().ok_or_else(|| provider.not_supported("list_paginated"))?;
    let prefix = (!prefix.is_empty()).then_some(prefix);
    drop(options.extensions.insert(OddKeys::default()));
    for pause in PAUSES {
        match pages.list_paginated(prefix, options.clone()).await {
            Err(error) if Error::kind_of(&error) == ErrorKind::Corrupt => {
                tracing::debug!(%error, "the page will be asked for again");
                tokio::time::sleep(pause).await;
            }
            answered => return answered,
        }
    }
    pages.list_paginated(prefix, options).await
}
