//! Assets that are directories: Zarr stores, tables in many files, products such as `….SAFE`.
//!
//! Stores have no directories, only keys that begin alike. An asset is a directory when something lies below its href and
//! either the document announces one or there is no file of that name; what can be fetched as a file is a file. Web servers
//! are asked for a directory only where one is announced.
//!
//! A local directory gets its name when all of its files are there. Until then it is a hidden neighbour of its name, in
//! which the next run from the same source goes on. In a store the files appear one by one.

mod begun;
mod building;
mod others;
mod zarr;

use std::path::Path as FsPath;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, future, stream};
use holdall_store::object_store::path::Path;
use holdall_store::transfer::{self, Action, Need, Reason, Step, SyncOptions, TransferOptions};
use holdall_store::{
    ErrorKind as StoreKind, OddKey, OpenOptions, ParallelOptions, Registry, Store,
};

use self::begun::Begun;
use self::building::Building;
use self::others::{Fate, Others, of_many};
use self::zarr::Zarr;
use crate::clients::{Clients, Head};
use crate::error::{Error, ErrorKind, Result};
use crate::href;
use crate::place::Place;
use crate::plan::Location;
use crate::transport::{Fetched, Source, Wanted, Watch, settle, told_transfer};

/// Files of one directory that are on their way at once.
const FILES_AT_ONCE: usize = 32;

/// Extensions of products that are directories.
const PRODUCTS: [&str; 2] = [".safe", ".sen3"];

/// What a document says of an asset being a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    /// Nothing.
    No,
    /// That it is one.
    Directory,
    /// That it is a Zarr store.
    Zarr,
}

impl Announced {
    /// By the href, the media type and the hints of an asset.
    fn of(location: &Location, media_type: Option<&str>) -> Self {
        let suffix = href::suffix(&location.href).to_ascii_lowercase();
        let is_page = media_type.is_some_and(|kind| kind.starts_with("text/html"));
        // References into other files (kerchunk) are opened like Zarr, and so are archives.
        if is_page || matches!(suffix.as_str(), ".json" | ".zip") {
            return Self::No;
        }
        let by_type = media_type.is_some_and(crate::media_type::is_zarr);
        if by_type || location.hints.is_zarr || suffix == ".zarr" {
            return Self::Zarr;
        }
        match href::is_directory(&location.href) || PRODUCTS.contains(&suffix.as_str()) {
            true => Self::Directory,
            false => Self::No,
        }
    }
}

/// A directory that has something in it.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    /// What lies below it.
    store: Store,
    /// Its files where the server does not list.
    zarr: Option<Zarr>,
}

type Actions = BoxStream<'static, holdall_store::Result<Action>>;

/// Files and their bytes.
#[derive(Debug, Default)]
struct Totals {
    files: u64,
    bytes: u64,
}

/// What an href leads to.
pub(crate) enum Found<T> {
    File(T),
    Directory(Directory),
}

/// What is at a location: a directory where one is announced, what `file` finds, or else a directory after all.
///
/// # Errors
/// The failure of `file`, or what keeps the directory from being read.
pub(crate) async fn or_file<T>(
    clients: &Clients,
    location: &Location,
    media_type: Option<&str>,
    file: impl Future<Output = Result<T>>,
) -> Result<Found<T>> {
    let announced = Announced::of(location, media_type);
    let before = match announced {
        Announced::No => Ok(None),
        _ => Box::pin(find(clients, location, announced)).await,
    };
    if let Ok(Some(directory)) = before {
        return Ok(Found::Directory(directory));
    }
    let error = match file.await {
        Ok(file) => return Ok(Found::File(file)),
        Err(error) => error,
    };
    // Reading a local directory is an error of its own.
    if !matches!(error.store_kind(), Some(StoreKind::NotFound | StoreKind::Io)) {
        return Err(error);
    }
    before?;
    match announced {
        Announced::No => match Box::pin(find(clients, location, announced)).await {
            Ok(Some(directory)) => Ok(Found::Directory(directory)),
            _ => Err(error),
        },
        _ => Err(error),
    }
}

/// The directory at a location; `None` where there is none.
///
/// # Errors
/// The first failure when there is no way to look.
async fn find(
    clients: &Clients,
    location: &Location,
    announced: Announced,
) -> Result<Option<Directory>> {
    let mut first = None;
    for way in clients.listing_ways(location).await? {
        match of_source(&way, announced).await {
            Ok(Some(directory)) => return Ok(Some(directory)),
            Ok(None) => {}
            Err(error) => first = first.or_else(|| Some(way.advise(error))),
        }
    }
    first.map_or(Ok(None), Err)
}

async fn of_source(source: &Source, announced: Announced) -> Result<Option<Directory>> {
    match source {
        Source::Object { store, path, .. } => {
            let store = store.with_prefix(path);
            let any = store.has_objects(None).await?;
            Ok(any.then(|| Directory { store, zarr: None }))
        }
        Source::Http(_) if announced == Announced::No => Ok(None),
        Source::Http(http) => {
            let mut http = http.clone();
            let path = http.url.path().trim_end_matches('/').to_owned();
            http.url.set_path(&path);
            match http.engine_place() {
                Some((store, path)) => on_web(store.with_prefix(&path), announced).await,
                None => Ok(None),
            }
        }
    }
}

/// A directory of a web server, whose pages need not show all of it: files with a dot in front are hidden by most.
async fn on_web(store: Store, announced: Announced) -> Result<Option<Directory>> {
    if announced != Announced::Zarr {
        return match store.has_objects(None).await {
            Ok(any) => Ok(any.then(|| Directory { store, zarr: None })),
            // A server that lists nothing says nothing.
            Err(error) => match error.kind() {
                StoreKind::NotSupported | StoreKind::NotFound | StoreKind::PermissionDenied => {
                    Ok(None)
                }
                _ => Err(error.into()),
            },
        };
    }
    let Some(zarr) = Zarr::find(&store).await? else { return Ok(None) };
    if zarr.is_whole() {
        return Ok(Some(Directory { store, zarr: Some(zarr) }));
    }
    let mut listed = store.objects(None);
    while let Some(file) = listed.next().await {
        match OddKey::or_item(file) {
            Ok(Ok(file)) if file.location.as_ref() == zarr.root() => {
                return Ok(Some(Directory { store, zarr: None }));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    let detail = "the server does not list all of the directory, and the Zarr store has no consolidated metadata that name \
                  its files: take an href in a store (an alternate, --alternate-assets), or consolidate the metadata";
    Err(Error::new(ErrorKind::Href, "list", store.url(), detail))
}

impl Directory {
    /// How many files there are, and their bytes; unknown where the server does not list.
    pub(crate) async fn measure(&self) -> Result<Head> {
        if self.zarr.is_some() {
            return Ok(Head::default());
        }
        let mut listed = self.store.objects(None);
        let Totals { mut files, mut bytes } = Totals::default();
        while let Some(file) = listed.next().await {
            let size = match OddKey::or_item(file)? {
                Ok(file) => file.size,
                Err(odd) if odd.is_marker() => continue,
                Err(odd) => odd.size,
            };
            files += 1;
            bytes += size;
        }
        Ok(Head { size: Some(bytes), files: Some(files), ..Head::default() })
    }

    /// Copies all files to `target`, but for those that are there already: of the same length, and not older. With `overwrite`,
    /// what `target` has besides goes when all files are there; otherwise it is told. `assets` are the keys below `target` of
    /// other assets.
    pub(crate) async fn copy_to(
        &self,
        target: &Place,
        wanted: &Wanted,
        overwrite: bool,
        assets: &(dyn Fn() -> Vec<String> + Sync),
        watch: &dyn Watch,
    ) -> Result<Fetched> {
        self.check_apart(target, overwrite)?;
        let from = self.store.url();
        watch.opened(&from, None);
        let (moved, warning) = match target {
            Place::Store(store, key) => {
                let store = store.with_prefix(key);
                let begun = Begun::at(&store.url(), &from);
                let to = Target {
                    store,
                    href: target.href(),
                    replaces: overwrite || begun.by_another,
                    fate: if overwrite { Fate::Removed } else { Fate::Told },
                };
                let moved = self.carry_out(&to, wanted, assets, watch).await?;
                begun.end();
                moved
            }
            Place::Local(path) => {
                let building = Building::begin(path, &from, overwrite)?;
                let to = Target {
                    store: local(building.work())?,
                    href: target.href(),
                    replaces: false,
                    fate: if building.is_own() { Fate::Unseen } else { Fate::Told },
                };
                let moved = self.carry_out(&to, wanted, assets, watch).await?;
                building.publish().await?;
                moved
            }
        };
        Ok(Fetched {
            bytes: moved.all.bytes,
            files: Some(moved.all.files),
            skipped: moved.skipped == moved.all.files,
            server_side: moved.server_side > 0
                && moved.server_side + moved.skipped == moved.all.files,
            warning,
            ..Fetched::default()
        })
    }

    /// Refuses a target in the source, and where the target is replaced, a source in it.
    fn check_apart(&self, target: &Place, overwrite: bool) -> Result<()> {
        // Places on the local disk are paths, and stores have URLs.
        let from = format!("{}/", self.store.url().trim_start_matches("file://"));
        let to = format!("{}/", target.absolute_href());
        let detail = if to != from && to.starts_with(&from) {
            "the directory would be copied into itself"
        } else if overwrite && to != from && from.starts_with(&to) {
            "the directory lies in the one that it is to replace"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Directory, "copy", target.href(), detail))
    }

    /// What has to be done to complete the target, and into `others` what only the target has.
    fn plan(&self, to: &Target, others: &Others) -> Actions {
        let plan = match &self.zarr {
            None => {
                let options = SyncOptions::default().with_delete(true);
                transfer::plan(&self.store, &to.store, options)
            }
            Some(zarr) => plan(zarr, &to.store, others),
        };
        let (replaces, fate, others) = (to.replaces, to.fate, others.clone());
        let plan = plan.try_filter_map(move |action| {
            future::ready(Ok(match action {
                // What is there is replaced file by file.
                Action::Skip { path, size } if replaces => {
                    Some(Action::Copy { path, size, reason: Reason::Different })
                }
                Action::Delete { path, size } if fate != Fate::Unseen => {
                    others.add(path.as_ref(), size);
                    None
                }
                Action::Refuse { needs: Need::Delete, path, size, .. } if fate == Fate::Told => {
                    others.add(&path, size);
                    None
                }
                other => Some(other),
            }))
        });
        plan.boxed()
    }

    async fn carry_out(
        &self,
        to: &Target,
        wanted: &Wanted,
        assets: &(dyn Fn() -> Vec<String> + Sync),
        watch: &dyn Watch,
    ) -> Result<(Moved, Option<Error>)> {
        let options = TransferOptions::default().with_resume(true).with_workers(FILES_AT_ONCE);
        let (transfer, told) = told_transfer(watch, wanted, options);
        let others = Others::default();
        let mut steps = transfer.run_plan(&self.store, &to.store, self.plan(to, &others));
        let mut moved = Moved::default();
        let ended = loop {
            match steps.next().await {
                Some(Ok(step)) => moved.count(step, self.zarr.as_ref(), &others),
                Some(Err(error)) => break Err(error.into()),
                None => {
                    break moved.ended(&self.store).and_then(|()| moved.fits(wanted, &self.store));
                }
            }
        };
        settle(watch, &told, if ended.is_ok() { moved.all.bytes - moved.skipped_bytes } else { 0 });
        ended?;
        // Nothing goes before everything is there.
        others.spare(assets);
        let left = match to.fate {
            Fate::Told => others.tell(&to.href, wanted.describes || wanted.size.is_some()),
            Fate::Removed | Fate::Unseen => others.remove(&to.store).await.map(|()| None),
        };
        Ok((moved, self.warning(wanted, left.map_err(Error::of_target)?)))
    }

    /// What is suspicious: what is left at the target, and a checksum.
    fn warning(&self, wanted: &Wanted, left: Option<Error>) -> Option<Error> {
        if wanted.checksum.is_none() {
            return left;
        }
        let detail =
            "it is a directory, which has no checksum: the lengths of its files were compared";
        Some(match left {
            Some(left) => left.with_hint(detail),
            None => Error::new(ErrorKind::Integrity, "verify", self.store.url(), detail),
        })
    }
}

/// Where the files go.
struct Target {
    store: Store,
    /// How documents name it.
    href: String,
    /// Whether files that are there are replaced.
    replaces: bool,
    /// What becomes of files that only it has.
    fate: Fate,
}

/// What has come of the files of a directory.
#[derive(Default)]
struct Moved {
    all: Totals,
    skipped: u64,
    skipped_bytes: u64,
    server_side: u64,
    failed: u64,
    first: Option<holdall_store::Error>,
}

impl Moved {
    fn count(&mut self, step: Step, zarr: Option<&Zarr>, others: &Others) {
        match step {
            Step::Skipped { path, size } => {
                others.forget(&path);
                self.all.files += 1;
                self.all.bytes += size;
                self.skipped += 1;
                self.skipped_bytes += size;
            }
            Step::Copied(outcome) => match outcome.result {
                Ok(report) => {
                    others.forget(&outcome.job.to);
                    self.all.files += 1;
                    // Services do not tell what they copied.
                    self.all.bytes += report.bytes.max(outcome.job.size);
                    self.server_side += u64::from(report.server_side);
                }
                Err(error)
                    if error.kind() == StoreKind::NotFound
                        && zarr.is_some_and(|zarr| !zarr.needs(outcome.job.from.as_ref())) => {}
                Err(error) => {
                    self.failed += 1;
                    self.first.get_or_insert(error);
                }
            },
            // Those of the target too, where they are to go.
            Step::Refused(error) | Step::Deleted { result: Err(error), .. } => {
                self.failed += 1;
                self.first.get_or_insert(error);
            }
            // Files that went away count no more.
            _ => {}
        }
    }

    /// Compares the length with that of the document.
    fn fits(&self, wanted: &Wanted, source: &Store) -> Result<()> {
        let Some(expected) = wanted.size.filter(|expected| *expected != self.all.bytes) else {
            return Ok(());
        };
        let detail = format!(
            "the {} files of the directory have {} bytes, and its file:size says {expected}",
            self.all.files, self.all.bytes
        );
        Err(Error::new(ErrorKind::Integrity, "verify", source.url(), detail))
    }

    fn ended(&mut self, source: &Store) -> Result<()> {
        if let Some(error) = self.first.take() {
            return Err(of_many(error, self.failed));
        }
        match self.all.files {
            0 => {
                let detail = "there are no files in it";
                Err(Error::new(ErrorKind::Href, "download", source.url(), detail))
            }
            _ => Ok(()),
        }
    }
}

/// The files of a Zarr store that the target does not have, and into `others` all that it has. Their lengths are not known, and
/// files appear whole.
fn plan(zarr: &Zarr, target: &Store, others: &Others) -> Actions {
    let any_order = ParallelOptions::default().with_sorted(false);
    let (keys, known, found) = (zarr.keys(), others.clone(), others.clone());
    let listed = target.objects_parallel(None, any_order).filter_map(move |file| {
        future::ready(match OddKey::or_item(file) {
            Ok(Ok(file)) => {
                found.add(file.location.as_ref(), file.size);
                None
            }
            Ok(Err(odd)) if odd.is_marker() => None,
            Ok(Err(odd)) => {
                let (path, size, reason) = (odd.key, odd.size, odd.oddity);
                Some(Ok(Action::Refuse { needs: Need::Delete, path, size, reason }))
            }
            Err(error) if error.kind() == StoreKind::NotFound => None,
            Err(error) => Some(Err(error)),
        })
    });
    let files = stream::iter(keys).map(move |key| {
        let path = Path::parse(&key).map_err(|e| {
            let detail = format!("the metadata name a file that cannot be: {e}");
            holdall_store::Error::new(StoreKind::InvalidPath, "list", &key, detail)
        })?;
        Ok(match known.size(&path) {
            Some(size) => Action::Skip { path, size },
            None => Action::Copy { path, size: 0, reason: Reason::Missing },
        })
    });
    listed.chain(files).boxed()
}

/// A local directory as a store.
fn local(path: &FsPath) -> Result<Store> {
    let (store, key) = Registry::global().open(&path.to_string_lossy(), &OpenOptions::default())?;
    Ok(store.with_prefix(&key))
}
