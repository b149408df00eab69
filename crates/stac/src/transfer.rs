//! A whole document with its assets, from anywhere to anywhere: download, upload and copy are this with different ends.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::clients::Clients;
use crate::document::{self, Document, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Format;
use crate::json::{Json, Style};
use crate::naming;
use crate::place::Place;
use crate::plan::{Plan, PlanOptions};
use crate::rewrite::{Hrefs, RewriteOptions, rewrite};
use crate::run::{Observer, Outcome, RunOptions, run};

/// Items that are written at once: a store answers each after a round trip.
const WRITTEN_AT_ONCE: usize = 32;

/// Which files of JSON are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Written {
    /// None: the caller has the document.
    #[default]
    Nothing,
    /// The document, under this name in the directory.
    Document(String),
    /// Each item as `<id>.json` beside its assets, and a `catalog.json` of this name that links them: a catalog that can
    /// be moved as a whole.
    Catalog(String),
}

/// How a document and its assets are transferred.
#[derive(Debug, Clone, Default)]
pub struct TransferOptions {
    /// Which assets go where.
    pub plan: PlanOptions,
    /// How their bytes are moved.
    pub run: RunOptions,
    /// How hrefs are written; the document's own place is filled in.
    pub rewrite: RewriteOptions,
    /// Which files of JSON are written.
    pub written: Written,
}

/// What came of a transfer.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The plan.
    pub plan: Plan,
    /// What came of each job.
    pub outcomes: Vec<Outcome>,
    /// The files of JSON that were written.
    pub written: Vec<String>,
}

impl Report {
    /// The failures, with the numbers of their jobs.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &Error)> {
        self.outcomes.iter().enumerate().filter_map(|(at, o)| Some((at, o.as_ref().err()?)))
    }

    /// Bytes that moved and bytes that were there already.
    pub fn bytes(&self) -> (u64, u64) {
        self.outcomes.iter().flatten().fold((0, 0), |(moved, skipped), done| match done.skipped {
            true => (moved, skipped + done.bytes),
            false => (moved + done.bytes, skipped),
        })
    }
}

/// Transfers the assets of `document` into `directory`, rewrites the document, and writes it as asked.
///
/// Assets that failed are in the report; they are no error of the whole.
///
/// # Errors
/// Those of [`Plan::make`] before anything moves, the first failure with [`RunOptions::fail_fast`], and failures to write
/// the JSON.
pub async fn transfer(
    clients: &Clients,
    document: &mut Document,
    directory: &Place,
    options: &TransferOptions,
    observer: Observer,
) -> Result<Report> {
    let plan = Plan::make(document, directory, &options.plan)?;
    transfer_planned(clients, document, directory, plan, options, observer).await
}

/// The same for a plan that was made before.
pub async fn transfer_planned(
    clients: &Clients,
    document: &mut Document,
    directory: &Place,
    plan: Plan,
    options: &TransferOptions,
    observer: Observer,
) -> Result<Report> {
    let mut report = transfer_assets(clients, document, directory, plan, options, observer).await?;
    write_transferred(document, directory, &mut report, options).await?;
    Ok(report)
}

/// The first half of a transfer: everything but the document, which must be one that can be written as asked.
///
/// # Errors
/// Those of [`transfer`] but for failures to write the JSON.
pub async fn transfer_assets(
    clients: &Clients,
    document: &Document,
    directory: &Place,
    plan: Plan,
    options: &TransferOptions,
    observer: Observer,
) -> Result<Report> {
    check_written(document, directory, &plan, &options.written)?;
    let jobs = Arc::new(plan.jobs);
    let describes = options.run.describes || options.rewrite.describe_files;
    let run_options = RunOptions { describes, ..options.run.clone() };
    let outcomes = run(clients, jobs.clone(), &run_options, observer).await?;
    let jobs = Arc::try_unwrap(jobs).unwrap_or_else(|shared| (*shared).clone());
    Ok(Report { plan: Plan { jobs, ..plan }, outcomes, written: Vec::new() })
}

/// Checks what [`transfer`] would write beside the assets, before anything moves.
///
/// # Errors
/// [`ErrorKind::PathEscape`] for names that lead out of the directory, [`ErrorKind::AssetOverwrite`] when two files would be one,
/// [`ErrorKind::Document`] for documents that the format does not hold.
pub fn check_written(
    document: &Document,
    directory: &Place,
    plan: &Plan,
    written: &Written,
) -> Result<()> {
    match written {
        Written::Nothing => Ok(()),
        Written::Document(name) => {
            naming::inside(name, "the document")?;
            Format::of_name(name).check(document.kind())?;
            plan.check_free(&directory.join(name))
        }
        Written::Catalog(name) => item_places(document, directory, plan, name).map(drop),
    }
}

/// Where the items go beside a catalog, with their numbers.
fn item_places(
    document: &Document,
    directory: &Place,
    plan: &Plan,
    name: &str,
) -> Result<Vec<(usize, Place)>> {
    naming::inside(name, "the catalog")?;
    let root = directory.join(name);
    let mut taken: HashSet<_> = plan.jobs.iter().map(|job| job.target.identity()).collect();
    if !taken.insert(root.identity()) {
        let detail = "the catalog would overwrite an asset: name files by key";
        return Err(Error::new(ErrorKind::AssetOverwrite, "write", root.href(), detail));
    }
    let mut places = Vec::new();
    for (at, item) in document.objects().iter().enumerate() {
        let Some(Some(below)) = plan.directories.get(at) else { continue };
        let file = format!("{}.json", document::name_of(item).replace(['/', '\\'], "_"));
        naming::inside(&file, &file)?;
        let place = below.join(&file);
        if !taken.insert(place.identity()) {
            let detail = "the item would overwrite an asset or another item: give each item a directory of its own, and \
                          name files by key";
            return Err(Error::new(ErrorKind::AssetOverwrite, "write", place.href(), detail));
        }
        places.push((at, place));
    }
    Ok(places)
}

/// The second half: rewrites the document, writes it as asked, and adds its files to the report.
///
/// # Errors
/// Failures to write; the assets are where the report says.
pub async fn write_transferred(
    document: &mut Document,
    directory: &Place,
    report: &mut Report,
    options: &TransferOptions,
) -> Result<()> {
    report.written = write(document, directory, &report.plan, &report.outcomes, options).await?;
    Ok(())
}

async fn write(
    document: &mut Document,
    directory: &Place,
    plan: &Plan,
    outcomes: &[Outcome],
    options: &TransferOptions,
) -> Result<Vec<String>> {
    let mut rewriting = options.rewrite.clone();
    match &options.written {
        Written::Nothing => {
            rewrite(document, plan, outcomes, &rewriting);
            Ok(Vec::new())
        }
        Written::Document(name) => {
            let place = directory.join(name);
            rewriting.self_place = Some(place.clone());
            rewrite(document, plan, outcomes, &rewriting);
            let (content, media_type) = document.to_file(name)?;
            place.write(content, media_type).await?;
            Ok(vec![place.href()])
        }
        Written::Catalog(name) => {
            rewrite(document, plan, outcomes, &rewriting);
            write_catalog(document, directory, plan, name).await
        }
    }
}

/// Writes each item of a document that was rewritten as `<id>.json` beside its assets, and a catalog of them under `name` in
/// `directory`, with relative hrefs only. The result names the files.
///
/// # Errors
/// [`ErrorKind::AssetOverwrite`] when two of these files would be one, and failures to write.
pub async fn write_catalog(
    document: &mut Document,
    directory: &Place,
    plan: &Plan,
    name: &str,
) -> Result<Vec<String>> {
    let root = directory.join(name);
    let places = item_places(document, directory, plan, name)?;
    let mut links = vec![link("root", &format!("./{name}"))];
    let style = document.style().clone();
    let items = document.objects_mut();
    for (at, place) in &places {
        let item = &mut items[*at];
        self_contained(item, place, &root);
        let href = crate::href::relative(&place.absolute_href(), &root.absolute_href());
        let is_item = Kind::of(item).is_none_or(|kind| kind == Kind::Item);
        links.push(link(if is_item { "item" } else { "child" }, &href));
    }
    let items = document.objects();
    let mut written: Vec<String> = places.iter().map(|(_, place)| place.href()).collect();
    let writes = stream::iter(places).map(|(at, place)| {
        let text = items[at].to_text(&style);
        async move { place.write(text, "application/geo+json").await }
    });
    writes.buffer_unordered(WRITTEN_AT_ONCE).try_collect::<()>().await?;
    let mut catalog = Json::object();
    catalog.set("type", "Catalog");
    catalog.set("stac_version", "1.1.0");
    catalog.set("id", "items");
    catalog.set("description", "Items and their assets, with hrefs relative to this file.");
    catalog.set("links", links);
    let text = format!("{}\n", catalog.to_text(&Style::pretty()));
    root.write(text, "application/json").await?;
    written.push(root.href());
    Ok(written)
}

fn link(rel: &str, href: &str) -> Json {
    let mut link = Json::object();
    link.set("rel", rel);
    link.set("href", href);
    link.set("type", "application/json");
    link
}

fn self_contained(item: &mut Json, place: &Place, root: &Place) {
    let here = place.absolute_href();
    if let Some(assets) = item.get_mut("assets").and_then(Json::as_object_mut) {
        for asset in assets.values_mut() {
            if let Some(old) = asset.get("href").and_then(crate::asset::text) {
                asset.set("href", crate::href::relative(&old, &here));
            }
        }
    }
    let kept = item.get("links").and_then(Json::as_array).unwrap_or_default();
    // The collection stays where it is: items of a collection have to link it.
    let structural = ["self", "root", "parent"];
    let mut links: Vec<Json> = kept
        .iter()
        .filter(|link| {
            let rel = link.get("rel").and_then(crate::asset::text).unwrap_or_default();
            !structural.contains(&rel.as_str())
        })
        .cloned()
        .collect();
    let root = crate::href::relative(&root.absolute_href(), &here);
    links.extend([link("root", &root), link("parent", &root)]);
    item.set("links", links);
}

impl TransferOptions {
    /// Defaults of a download: what `stac-asset` writes. Items have hrefs relative to their file, item collections have
    /// absolute ones.
    pub fn download(kind: Kind, file_name: Option<String>) -> Self {
        let hrefs = match (kind, &file_name) {
            (Kind::ItemCollection, Some(_)) => Hrefs::Absolute,
            (_, Some(_)) => Hrefs::Relative,
            _ => Hrefs::AsGiven,
        };
        Self {
            rewrite: RewriteOptions { hrefs, ..RewriteOptions::default() },
            written: file_name.map_or(Written::Nothing, Written::Document),
            ..Self::default()
        }
    }

    /// Defaults of an upload or a copy: absolute hrefs, the old place as an alternate, sizes and checksums written.
    pub fn publish(file_name: Option<String>) -> Self {
        Self {
            rewrite: RewriteOptions {
                hrefs: Hrefs::Absolute,
                describe_files: true,
                keep_unselected: true,
                ..RewriteOptions::default()
            },
            run: RunOptions { compare_source: true, ..RunOptions::default() },
            written: file_name.map_or(Written::Nothing, Written::Document),
            ..Self::default()
        }
    }
}

/// Checks that a transfer has somewhere to write to.
///
/// # Errors
/// [`ErrorKind::Document`] for an item collection that would be written as if it were one item.
pub fn default_file_name(document: &Document) -> Result<String> {
    Ok(match document.kind() {
        Kind::Item => {
            let id = document::id(document.json()).ok_or_else(|| {
                Error::new(
                    ErrorKind::Document,
                    "name",
                    "",
                    "the item has no id to name its file by",
                )
            })?;
            let name = format!("{}.json", id.replace(['/', '\\'], "_"));
            naming::inside(&name, &id)?;
            name
        }
        Kind::ItemCollection => "item-collection.json".to_owned(),
        Kind::Collection => "collection.json".to_owned(),
        Kind::Catalog => "catalog.json".to_owned(),
    })
}
