//! What will be moved where, before a byte moves.

use std::collections::HashMap;

use crate::asset::{Alternate, AssetView, StorageHints};
use crate::clients::Hints;
use crate::document::{self, Document, Kind, id};
use crate::error::{Error, ErrorKind, Result};
use crate::href;
use crate::json::{Json, Members};
use crate::multihash::Multihash;
use crate::naming::{self, Naming};
use crate::place::{Identity, Place};
use crate::select::Selection;
use crate::template::Template;

/// What to do with two files of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Collision {
    /// Refuse the whole plan.
    #[default]
    Refuse,
    /// Put the key of the asset, and a number if need be, before the extension of the later file.
    Rename,
}

/// How a plan is made.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Which assets.
    pub selection: Selection,
    /// How their files are called.
    pub naming: Naming,
    /// The directory of each item of an item collection, below the directory; default `${id}`. For single objects, the
    /// directory itself is the default; `.` is that for all.
    pub path_template: Option<Template>,
    /// Whether slashes in keys make sub-directories. Default no: they become underscores.
    pub subdirectories: bool,
    /// What to do with two files of one name.
    pub collision: Collision,
    /// Keys of alternates to be tried before the main href, in this order.
    pub alternate_assets: Vec<String>,
    /// Try every other alternate after the main href.
    pub fallback: bool,
}

/// One place where the bytes of an asset are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The absolute href.
    pub href: String,
    /// What the document says of access to it.
    pub hints: Hints,
}

/// One asset to be moved.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which object of the document, from 0.
    pub object: usize,
    /// The id of the object.
    pub owner: Option<String>,
    /// The key of the asset.
    pub key: String,
    /// Where its bytes are; the first that answers is taken.
    pub sources: Vec<Location>,
    /// Where they go.
    pub target: Place,
    /// The media type that the asset has.
    pub media_type: Option<String>,
    /// `file:size`, in bytes.
    pub size: Option<u64>,
    /// `file:size` as written, where it is no number of bytes.
    pub unknown_size: Option<String>,
    /// `file:checksum`.
    pub checksum: Option<Multihash>,
    /// `file:checksum` as written, where nothing can be compared with it.
    pub unknown_checksum: Option<String>,
    /// The job that puts the same bytes at the same place, which this one waits for instead.
    pub same_as: Option<usize>,
    /// Why it fails without being tried: it has no href, or an alternate that was asked for has none.
    pub refused: Option<Error>,
}

impl Job {
    /// Of an asset as it is written, with nothing to read it from yet.
    fn new(
        object: usize,
        owner: Option<&String>,
        key: &str,
        asset: AssetView,
        target: Place,
    ) -> Self {
        Self {
            object,
            owner: owner.cloned(),
            key: key.to_owned(),
            sources: Vec::new(),
            target,
            media_type: asset.media_type,
            size: asset.size,
            unknown_size: asset.unknown_size,
            unknown_checksum: asset.checksum_text.filter(|_| asset.checksum.is_none()),
            checksum: asset.checksum,
            same_as: None,
            refused: None,
        }
    }

    /// The href that is tried first.
    pub fn href(&self) -> &str {
        self.sources.first().map_or("", |source| &source.href)
    }
}

/// What will be moved.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// One job per selected asset, in the order of the document.
    pub jobs: Vec<Job>,
    /// The directory of each object.
    pub directories: Vec<Option<Place>>,
}

/// The jobs by where they go.
type Taken = HashMap<Identity, usize, foldhash::fast::RandomState>;

impl Plan {
    /// Plans the assets of `document` into `directory`.
    ///
    /// # Errors
    /// [`ErrorKind::AssetOverwrite`] when two assets would be written to one place, [`ErrorKind::PathEscape`] when a
    /// name leads out of the directory, [`ErrorKind::Href`] for a relative href in a document of which nobody knows
    /// where it is, [`ErrorKind::Template`].
    pub fn make(document: &Document, directory: &Place, options: &PlanOptions) -> Result<Self> {
        let default = match document.kind() {
            Kind::ItemCollection => Some(Template::parse("${id}")?),
            _ => None,
        };
        let template = options.path_template.as_ref().or(default.as_ref());
        let mut plan = Self::default();
        let mut taken = Taken::default();
        for (at, object) in document.objects().iter().enumerate() {
            let directory = match template {
                Some(template) => {
                    let below = template.fill(object, &|_| None)?;
                    if options.path_template.is_some() && naming::is_here(&below) {
                        directory.clone()
                    } else {
                        naming::inside(&below, &document::name_of(object))?;
                        directory.join(&below)
                    }
                }
                None => directory.clone(),
            };
            let base = base(object, document);
            plan.object(at, object, base.as_deref(), &directory, options, &mut taken)?;
            plan.directories.push(Some(directory));
        }
        Ok(plan)
    }

    fn object(
        &mut self,
        at: usize,
        object: &Json,
        base: Option<&str>,
        directory: &Place,
        options: &PlanOptions,
        taken: &mut Taken,
    ) -> Result<()> {
        let Some(assets) = assets(object)? else { return Ok(()) };
        let owner = id(object);
        let context = Hints::of_object(object);
        for (key, asset) in assets {
            let asset = AssetView::of(asset);
            if !options.selection.holds(key, &asset) {
                continue;
            }
            let main = match main_href(object, key, &asset, base) {
                Ok(main) => main,
                // The document is at fault in one place, and in a collection of many.
                Err(error) if !has_href(&asset) => {
                    let job = Job::new(at, owner.as_ref(), key, asset, directory.clone());
                    self.jobs.push(Job { refused: Some(error), ..job });
                    continue;
                }
                Err(error) => return Err(error),
            };
            // One malformed alternate keeps nobody from the other assets.
            let (sources, refused) = match sources(object, key, &asset, base, options, &context) {
                Ok(sources) => (sources, None),
                Err(error) => {
                    let hints = context.with(&asset.storage, &asset.auth);
                    (vec![Location { href: main.clone(), hints }], Some(error))
                }
            };
            let mut name =
                naming::name(&options.naming, object, key, &asset, &main, options.subdirectories)?;
            let mut target = directory.join(&name);
            let mut identity = target.identity();
            let mut same_as = None;
            let mut number = 1;
            while let Some(&other) = taken.get(&identity) {
                let other_job: &Job = &self.jobs[other];
                if other_job.object != at && other_job.href() == sources[0].href {
                    same_as = Some(other);
                    break;
                }
                if options.collision == Collision::Refuse {
                    return Err(overwrite(other_job, key, owner.as_deref(), &target));
                }
                let by = key.replace(['/', '\\'], "_");
                let by = if number == 1 { by } else { format!("{by}-{number}") };
                name = naming::told_apart(&name, &by);
                target = directory.join(&name);
                identity = target.identity();
                number += 1;
            }
            taken.entry(identity).or_insert(self.jobs.len());
            let job = Job::new(at, owner.as_ref(), key, asset, target);
            self.jobs.push(Job { sources, same_as, refused, ..job });
        }
        Ok(())
    }

    /// Checks that no asset goes where a document is to be written.
    ///
    /// # Errors
    /// [`ErrorKind::AssetOverwrite`] when one does.
    pub fn check_free(&self, place: &Place) -> Result<()> {
        let identity = place.identity();
        let Some(job) = self.jobs.iter().find(|job| job.target.identity() == identity) else {
            return Ok(());
        };
        let detail = format!(
            "the document would overwrite the asset '{}' of '{}': give it another name, or name files by key",
            job.key,
            job.owner.as_deref().unwrap_or_default()
        );
        Err(Error::new(ErrorKind::AssetOverwrite, "plan", place.href(), detail))
    }

    /// How many bytes the document says the jobs have, and how many jobs say nothing.
    pub fn known_bytes(&self) -> (u64, usize) {
        let moved = self.jobs.iter().filter(|job| job.same_as.is_none() && job.refused.is_none());
        moved.fold((0, 0), |(bytes, unknown), job| match job.size {
            Some(size) => (bytes + size, unknown),
            None => (bytes, unknown + 1),
        })
    }
}

/// Where an object is: its link to itself, or where its document was read.
pub(crate) fn base(object: &Json, document: &Document) -> Option<String> {
    let read = document.href();
    let own = document::own_place(object, read.filter(|_| document.kind() != Kind::ItemCollection));
    own.or_else(|| read.map(str::to_owned))
}

/// The assets of an object, if it has any.
///
/// # Errors
/// [`ErrorKind::Document`] when its `assets` are something else.
pub(crate) fn assets(object: &Json) -> Result<Option<&Members>> {
    let Some(assets) = object.get("assets").filter(|assets| !assets.is_null()) else {
        return Ok(None);
    };
    assets.as_object().map(Some).ok_or_else(|| {
        let kind = if assets.as_array().is_some() { "a list" } else { "no object" };
        let detail = format!(
            "the assets of '{}' are {kind}: expected an object with an asset by each key",
            document::name_of(object)
        );
        Error::new(ErrorKind::Document, "plan", "", detail)
    })
}

/// Whether an asset says where it is. An empty href would be the directory of the document.
fn has_href(asset: &AssetView) -> bool {
    asset.href.as_ref().is_some_and(|href| !href.is_empty())
}

pub(crate) fn main_href(
    object: &Json,
    key: &str,
    asset: &AssetView,
    base: Option<&str>,
) -> Result<String> {
    let Some(written) = asset.href.as_ref().filter(|_| has_href(asset)) else {
        let detail = format!("asset '{key}' of '{}' has no href", document::name_of(object));
        return Err(Error::new(ErrorKind::Href, "plan", "", detail));
    };
    href::of_asset(written, base).ok_or_else(|| {
        let detail = format!(
            "asset '{key}' of '{}' has a relative href, and the document has no absolute link to itself",
            document::name_of(object)
        );
        Error::new(ErrorKind::Href, "plan", written, detail)
    })
}

/// Every place of an asset in the order of preference; never empty.
pub(crate) fn sources(
    object: &Json,
    key: &str,
    asset: &AssetView,
    base: Option<&str>,
    options: &PlanOptions,
    context: &Hints,
) -> Result<Vec<Location>> {
    let location = |alternate: &Alternate| {
        let Some(written) = &alternate.href else {
            let detail = format!(
                "invalid alternate asset definition (missing href): alternate '{}' of asset '{key}' of '{}'",
                alternate.key,
                document::name_of(object)
            );
            return Err(Error::new(ErrorKind::Href, "plan", "", detail));
        };
        let href = href::of_asset(written, base).unwrap_or_else(|| written.clone());
        let hints = context.with(&alternate.storage, &alternate.auth).with_zarr(asset.is_zarr);
        Ok(Location { href, hints })
    };
    let find =
        |wanted: &&String| asset.alternates.iter().find(|alternate| alternate.key == **wanted);
    let preferred: Vec<&Alternate> =
        options.alternate_assets.iter().filter_map(|k| find(&k)).collect();
    let mut sources = preferred.iter().map(|a| location(a)).collect::<Result<Vec<_>>>()?;
    let main = main_href(object, key, asset, base)?;
    let hints = context.with(&asset.storage, &asset.auth).with_zarr(asset.is_zarr);
    sources.push(Location { href: main, hints });
    if options.fallback {
        let others = asset.alternates.iter().filter(|a| !options.alternate_assets.contains(&a.key));
        sources.extend(others.filter_map(|alternate| location(alternate).ok()));
    }
    Ok(sources)
}

fn overwrite(other: &Job, key: &str, owner: Option<&str>, target: &Place) -> Error {
    let named = |owner: Option<&str>, key: &str| match owner {
        Some(owner) => format!("{owner}[{key}]"),
        None => format!("[{key}]"),
    };
    let detail = format!(
        "assets have the same file names and would overwrite each other: {} and {}; name files by key, give each item a \
         directory of its own (a path template), or rename on collision",
        named(other.owner.as_deref(), &other.key),
        named(owner, key)
    );
    Error::new(ErrorKind::AssetOverwrite, "plan", target.href(), detail)
}

/// Hints of the item's properties, where version 1 of the storage extension has them.
pub(crate) fn property_hints(object: &Json) -> StorageHints {
    object.get("properties").map(StorageHints::of).unwrap_or_default()
}
