//! `holdall du`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use futures::StreamExt;
use holdall::store::object_store::ObjectStoreExt;
use holdall::store::{OddKey, ParallelOptions};
use serde_json::json;

use super::Context;
use crate::Exit;
use crate::args::Du;
use crate::place::{End, Found, child, filter};
use crate::printer::size;

pub(super) async fn run(context: &Context<'_>, args: &Du) -> Result<Exit> {
    let place = context.place(&args.place, End::Only)?;
    let filter = filter(&args.filter)?;
    let mut below = place.below();
    let any_order = ParallelOptions::default().with_sorted(false);
    let mut listing = below.objects_parallel(None, any_order).peekable();
    let found = place.found_by(&mut listing).await?;
    if found == Found::Nothing {
        bail!("add up {}: nothing is there", place.url());
    }
    if found == Found::Object {
        // It is added up as what its directory has under its name.
        below = place.parent().below();
        let name = child(&"".into(), place.name()?)?;
        let meta = below.head(&name).await.map_err(|e| below.error("add up", &name, e))?;
        let url = below.url_of(&name);
        let sum = if filter.allows(name.as_ref()) { (meta.size, 1) } else { (0, 0) };
        return total(context, args, name.as_ref(), &url, sum).map(|()| Exit::Done);
    }
    let mut totals: BTreeMap<String, (u64, u64)> = BTreeMap::from([(String::new(), (0, 0))]);
    while let Some(item) = listing.next().await {
        if !filter.keeps(&item) {
            continue;
        }
        let item = OddKey::or_item(item)?;
        let (key, bytes) = match &item {
            Ok(meta) => (meta.location.as_ref(), meta.size),
            Err(odd) => (odd.key.as_str(), odd.size),
        };
        // What lies in a directory that no path can name counts for the one above.
        let is_named = |directory: &&str| !OddKey::is_odd(directory) && !directory.ends_with('/');
        let directories = key.match_indices('/').take(args.depth).map(|(at, _)| &key[..at]);
        let directories = directories.take_while(is_named);
        for directory in std::iter::once("").chain(directories) {
            let total = totals.entry(directory.to_owned()).or_default();
            total.0 += bytes;
            total.1 += 1;
        }
    }
    for (directory, (bytes, objects)) in totals {
        let url = below.url_of(&child(&"".into(), &directory)?);
        total(context, args, &directory, &url, (bytes, objects))?;
    }
    Ok(Exit::Done)
}

fn total(
    context: &Context<'_>,
    args: &Du,
    path: &str,
    url: &str,
    (bytes, objects): (u64, u64),
) -> Result<()> {
    let text = || format!("{:>12}  {objects:>9} objects  {url}", size(bytes, args.human));
    let json = || json!({"path": path, "url": url, "size": bytes, "objects": objects});
    context.printer.data(text, json)
}
