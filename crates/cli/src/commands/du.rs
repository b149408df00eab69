//! `holdall du`.

use std::collections::BTreeMap;

use anyhow::Result;
use futures::TryStreamExt;
use serde_json::json;

use super::Context;
use crate::Exit;
use crate::args::Du;
use crate::place::{End, child, filter};
use crate::printer::size;

pub(super) async fn run(context: &Context<'_>, args: &Du) -> Result<Exit> {
    let place = context.place(&args.place, End::Only)?;
    let filter = filter(&args.filter)?;
    let below = place.below();
    let mut totals: BTreeMap<String, (u64, u64)> = BTreeMap::from([(String::new(), (0, 0))]);
    let mut listing = below.objects(None);
    while let Some(meta) = listing.try_next().await? {
        let key = meta.location.as_ref();
        if !filter.allows(key) {
            continue;
        }
        let directories = key.match_indices('/').take(args.depth).map(|(at, _)| &key[..at]);
        for directory in std::iter::once("").chain(directories) {
            let total = totals.entry(directory.to_owned()).or_default();
            total.0 += meta.size;
            total.1 += 1;
        }
    }
    for (directory, (bytes, objects)) in totals {
        let url = below.url_of(&child(&"".into(), &directory)?);
        let text = || format!("{:>12}  {objects:>9} objects  {url}", size(bytes, args.human));
        let json = || json!({"path": directory, "url": url, "size": bytes, "objects": objects});
        context.printer.data(text, json)?;
    }
    Ok(Exit::Done)
}
