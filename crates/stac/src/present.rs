//! Whether a file is there already: all of it, and the one that is meant.

use std::path::Path as FsPath;
use std::time::SystemTime;

use futures::TryStreamExt;
use holdall_store::Store;
use holdall_store::checksum::{Algorithm as Stated, Checksum};
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{ObjectMeta, ObjectStoreExt};
use holdall_store::transfer::is_older;

use crate::clients::{ClientKind, Clients};
use crate::multihash::{Algorithm, Hasher, Multihash};
use crate::place::Place;
use crate::plan::{Job, Location};
use crate::run::RunOptions;
use crate::transport::Source;

/// A file that is there already.
pub(crate) struct Present {
    pub(crate) bytes: u64,
    /// The checksum that was asked for.
    pub(crate) checksum: Option<Multihash>,
}

/// What is at the target of a job, if it is all that the document says of the file, and with
/// [`RunOptions::compare_source`] what its source would give where the document says nothing.
pub(crate) async fn complete(
    clients: &Clients,
    job: &Job,
    options: &RunOptions,
) -> Option<Present> {
    let found = Found::at(&job.target).await?;
    let (size, expected) = match options.verify {
        true => (job.size, job.checksum.as_ref()),
        false => (None, None),
    };
    if size.is_some_and(|size| size != found.bytes) {
        return None;
    }
    if options.compare_source
        && expected.is_none()
        && !Box::pin(is_current(clients, job, &found, size.is_some())).await
    {
        return None;
    }
    let checksum = match (expected, options.compute) {
        (None, None) => None,
        (expected, compute) => Box::pin(found.checksum(expected, compute)).await?,
    };
    Some(Present { bytes: found.bytes, checksum })
}

/// Whether the first source that answers would give the same, as far as can be told without reading it: a file of the same
/// length, and no newer one on the local disk.
async fn is_current(clients: &Clients, job: &Job, found: &Found<'_>, is_sized: bool) -> bool {
    for source in &job.sources {
        if let Ok(ClientKind::Filesystem) = clients.kind(&source.href) {
            if let Some(meta) = local(clients, source).await {
                let modified = found.modified.map(Into::into);
                return meta.size == found.bytes
                    && modified.is_none_or(|modified| !is_older(modified, meta.last_modified));
            }
        } else if is_sized {
            return true;
        } else if let Ok(head) = clients.head(source).await {
            return head.size.is_none_or(|size| size == found.bytes);
        }
    }
    // Whoever fetches it finds out what is the matter.
    false
}

async fn local(clients: &Clients, source: &Location) -> Option<ObjectMeta> {
    match clients.ways(source).await.ok()?.first()? {
        Source::Object { store, path, .. } => store.head(path).await.ok(),
        Source::Http(_) => None,
    }
}

/// A file at a target.
struct Found<'a> {
    place: Kept<'a>,
    bytes: u64,
    modified: Option<SystemTime>,
}

enum Kept<'a> {
    Local(&'a FsPath),
    Store(&'a Store, &'a Path, Option<String>),
}

impl<'a> Found<'a> {
    async fn at(target: &'a Place) -> Option<Self> {
        Some(match target {
            // A look at the file's entry is shorter than a hop to another thread.
            // Of a directory, only its files tell whether it is whole.
            Place::Local(path) => {
                let meta = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
                Self { place: Kept::Local(path), bytes: meta.len(), modified: meta.modified().ok() }
            }
            Place::Store(store, key) => {
                let meta = store.head(key).await.ok()?;
                let modified = Some(meta.last_modified.into());
                Self { place: Kept::Store(store, key, meta.e_tag), bytes: meta.size, modified }
            }
        })
    }

    /// The checksum by `compute` of what is there; the outer `None` if it is not what has the checksum `expected`, or
    /// cannot be read.
    ///
    /// What the service states is taken where it is of the right kind; otherwise the content is read, once.
    async fn checksum(
        &self,
        expected: Option<&Multihash>,
        compute: Option<Algorithm>,
    ) -> Option<Option<Multihash>> {
        let mut missing: Vec<Algorithm> = expected.map(Multihash::algorithm).into_iter().collect();
        missing.extend(compute.filter(|compute| !missing.contains(compute)));
        let mut known = self.stated(&missing).await;
        missing.retain(|wanted| known.iter().all(|known| known.algorithm() != *wanted));
        // An entity tag that is not the MD5 can be anything else, and so could one that looks like it.
        let is_tagged = expected.is_some_and(|expected| self.is_tagged(expected));
        if is_tagged {
            missing.retain(|wanted| compute == Some(*wanted));
        }
        if !missing.is_empty() {
            known.extend(self.read(&missing).await?);
        }
        let of = |wanted: Algorithm| known.iter().find(|known| known.algorithm() == wanted);
        if let Some(expected) = expected
            && !(of(expected.algorithm()).map_or(is_tagged, |actual| expected.matches(actual)))
        {
            return None;
        }
        Some(compute.and_then(of).cloned())
    }

    /// What the service says of the content as a whole.
    async fn stated(&self, wanted: &[Algorithm]) -> Vec<Multihash> {
        let Kept::Store(store, key, e_tag) = &self.place else { return Vec::new() };
        if !wanted.iter().any(|wanted| matches!(wanted, Algorithm::Md5 | Algorithm::Sha256)) {
            return Vec::new();
        }
        // A service that does not tell is read.
        let stated = store.checksums(key, e_tag.as_deref()).await.unwrap_or_default();
        stated
            .iter()
            .filter_map(multihash)
            .filter(|hash| wanted.contains(&hash.algorithm()))
            .collect()
    }

    /// Whether the entity tag is this checksum, as that of S3 is for objects in one piece.
    fn is_tagged(&self, expected: &Multihash) -> bool {
        let Kept::Store(_, _, Some(e_tag)) = &self.place else { return false };
        let md5 = Checksum::from_hex(Stated::Md5, e_tag.trim_matches('"'));
        md5.as_ref().and_then(multihash).is_some_and(|md5| expected.matches(&md5))
    }

    async fn read(&self, wanted: &[Algorithm]) -> Option<Vec<Multihash>> {
        let mut hashers: Vec<_> = wanted.iter().map(|wanted| Hasher::new(*wanted)).collect();
        match &self.place {
            Kept::Local(path) => {
                let path = path.to_path_buf();
                let hashed = tokio::task::spawn_blocking(move || hash_file(&path, hashers));
                hashed.await.ok()?.ok()
            }
            Kept::Store(store, key, _) => {
                let mut pieces = store.get(key).await.ok()?.into_stream();
                while let Some(piece) = pieces.try_next().await.ok()? {
                    hashers.iter_mut().for_each(|hasher| hasher.update(&piece));
                }
                Some(hashers.into_iter().map(Hasher::finish).collect())
            }
        }
    }
}

fn multihash(stated: &Checksum) -> Option<Multihash> {
    let algorithm = match stated.algorithm() {
        Stated::Md5 => Algorithm::Md5,
        Stated::Sha256 => Algorithm::Sha256,
        _ => return None,
    };
    Some(Multihash::new(algorithm, stated.as_bytes().to_vec()))
}

/// Checksums of a local file.
fn hash_file(path: &FsPath, mut hashers: Vec<Hasher>) -> std::io::Result<Vec<Multihash>> {
    use std::io::Read;
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hashers.into_iter().map(Hasher::finish).collect()),
            read => hashers.iter_mut().for_each(|hasher| hasher.update(&buffer[..read])),
        }
    }
}
