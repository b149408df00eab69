//! `holdall stac info` and `verify`.

use anyhow::{Result, bail};
use holdall::stac::{AssetInfo, Depth, info as describe};
use indexmap::IndexMap;
use serde_json::json;

use super::super::Context;
use super::args::{Info, Verify};
use super::input::{self, Input};
use crate::Exit;
use crate::printer::human;

pub(super) async fn info(context: &Context<'_>, args: &Info) -> Result<Exit> {
    let clients = input::clients(&args.assets.client, context.common)?;
    let document = input::document(&clients, args.href.as_deref()).await?;
    let Input { document, unread } =
        input::items(context, &clients, document, args.recursive, false).await?;
    input::note_unmatched(context, &document, &args.assets.select);
    let depth = if args.offline { Depth::Document } else { Depth::Existence };
    let assets = describe(&clients, &document, &input::plan(&args.assets.select)?, depth).await?;
    if context.printer.is_json() {
        return lines(context, &assets).map(|()| exit(unread));
    }
    let (headers, rows) = if args.long {
        (
            &[
                "Item",
                "Asset",
                "Client",
                "Exists",
                "Media type",
                "Size",
                "Alternates",
                "Access",
                "Note",
            ][..],
            long(&assets),
        )
    } else {
        (&["Asset", "Client", "Exists", "Media type", "Note"][..], merged(&assets))
    };
    context.printer.data(|| table(headers, &rows), || json!(null))?;
    Ok(exit(unread))
}

fn exit(failed: usize) -> Exit {
    if failed > 0 { Exit::Partial } else { Exit::Done }
}

pub(super) async fn verify(context: &Context<'_>, args: &Verify) -> Result<Exit> {
    let clients = input::clients(&args.assets.client, context.common)?;
    let document = input::document(&clients, args.href.as_deref()).await?;
    let Input { document, unread } =
        input::items(context, &clients, document, args.recursive, false).await?;
    input::note_unmatched(context, &document, &args.assets.select);
    let depth = if args.size_only { Depth::Size } else { Depth::Content };
    let assets = describe(&clients, &document, &input::plan(&args.assets.select)?, depth).await?;
    if assets.is_empty() && input::has_assets(&document) {
        bail!("verify: nothing is selected, so nothing would be compared");
    }
    let wrong = assets.iter().filter(|asset| asset.error.is_some()).count();
    if context.printer.is_json() {
        lines(context, &assets)?;
    } else {
        for asset in assets.iter() {
            match &asset.error {
                Some(error) => context.printer.error(&format!("{} - {error}", name(asset))),
                None if context.printer.verbose => {
                    context.printer.data(
                        || format!("{}: as its document says", name(asset)),
                        || json!(null),
                    )?;
                }
                None => {}
            }
        }
        if !context.common.quiet {
            context
                .printer
                .data(|| format!("{} assets, {wrong} wrong", assets.len()), || json!(null))?;
        }
    }
    Ok(exit(wrong + unread))
}

fn name(asset: &AssetInfo) -> String {
    format!("{}[{}]", asset.owner.as_deref().unwrap_or_default(), asset.key)
}

fn lines(context: &Context<'_>, assets: &[AssetInfo]) -> Result<()> {
    assets.iter().try_for_each(|asset| {
        context.printer.data(String::new, || {
            json!({
                "item": asset.owner,
                "key": asset.key,
                "href": asset.href.as_deref().map(holdall::store::redacted),
                "client": asset.client,
                "media_type": asset.media_type,
                "size": asset.size,
                "files": asset.files,
                "alternates": asset.alternates,
                "access": asset.access,
                "exists": asset.exists,
                "kind": asset.error.as_ref().map(|error| error.kind().as_str()),
                "error": asset.error.as_ref().map(ToString::to_string),
            })
        })
    })
}

fn exists(asset: &AssetInfo) -> String {
    match asset.exists {
        Some(true) => "True".to_owned(),
        Some(false) => "False".to_owned(),
        None => "n/a".to_owned(),
    }
}

fn note(asset: &AssetInfo) -> String {
    asset.error.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// One row per key, as stac-asset shows them: what differs between items is `Sometimes` or `Various`.
fn merged(assets: &[AssetInfo]) -> Vec<Vec<String>> {
    let mut rows: IndexMap<&str, Vec<String>> = IndexMap::new();
    for asset in assets {
        let row = vec![
            asset.key.clone(),
            asset.client.unwrap_or("n/a").replace("planetary-computer", "planetarycomputer"),
            exists(asset),
            asset.media_type.clone().unwrap_or_default(),
            note(asset),
        ];
        let Some(before) = rows.get_mut(asset.key.as_str()) else {
            rows.insert(&asset.key, row);
            continue;
        };
        for (column, differs) in [(1, "Various"), (2, "Sometimes"), (3, "Various")] {
            if before[column] != row[column] {
                before[column] = differs.to_owned();
            }
        }
        if before[4].is_empty() {
            before[4] = row[4].clone();
        }
    }
    rows.sort_keys();
    rows.into_values().collect()
}

fn long(assets: &[AssetInfo]) -> Vec<Vec<String>> {
    assets
        .iter()
        .map(|asset| {
            vec![
                asset.owner.clone().unwrap_or_default(),
                asset.key.clone(),
                asset.client.unwrap_or("n/a").to_owned(),
                exists(asset),
                asset.media_type.clone().unwrap_or_default(),
                asset.size.map(human).unwrap_or_default(),
                asset.alternates.join(", "),
                asset.access.clone().unwrap_or_default(),
                note(asset),
            ]
        })
        .collect()
}

fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headers[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = vec![line(headers.to_vec()), line(rule.iter().map(String::as_str).collect())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}
