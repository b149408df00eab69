//! Multipart uploads. They live as long as the process, and are forgotten when nobody uses them for a day.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdall_ais_wire::id;
use holdall_ais_wire::object::Part;

use super::checksum::Hasher;
use super::content::PIECE;
use super::piece::{Piece, SealedPiece};
use super::writer::Sealed;
use super::{Bucket, Engine, Work as _};
use crate::error::{Error, Result};
use crate::storage::ObjectMeta;

/// How long an upload lives without being used.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// Highest number of a part, as in S3.
const MAX_PART: u32 = 10_000;

/// All uploads.
#[derive(Default)]
pub(super) struct Uploads(Mutex<HashMap<String, Upload>>);

struct Upload {
    bid: u64,
    name: String,
    custom: Vec<(String, String)>,
    /// Nanoseconds since 1970.
    begun: i64,
    used: Instant,
    parts: BTreeMap<u32, (SealedPiece, PartFacts)>,
}

/// What is known of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartFacts {
    /// Its MD5, where it was computed.
    pub md5: Option<[u8; 16]>,
    /// Another checksum: the name of the property that keeps such ones, and its bytes.
    pub sum: Option<(&'static str, Vec<u8>)>,
    /// Bytes.
    pub size: u64,
    /// When it came, nanoseconds since 1970.
    pub time: i64,
}

/// What is known of an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadFacts {
    /// Custom properties that the object will have.
    pub custom: Vec<(String, String)>,
    /// When it was begun, nanoseconds since 1970.
    pub begun: i64,
    /// Parts by their numbers.
    pub parts: BTreeMap<u32, PartFacts>,
}

impl Upload {
    fn facts(&self) -> UploadFacts {
        let parts = self.parts.iter().map(|(number, (_, facts))| (*number, facts.clone()));
        UploadFacts { custom: self.custom.clone(), begun: self.begun, parts: parts.collect() }
    }
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(bucket: &Bucket, name: &str, id: &str) -> Error {
    Error::not_found(format!("o[{}/{name}(-)]: {id} does not exist", bucket.bck().name))
}

fn find<'a>(
    all: &'a mut HashMap<String, Upload>,
    bucket: &Bucket,
    name: &str,
    id: &str,
) -> Result<&'a mut Upload> {
    let upload = all.get_mut(id).filter(|upload| upload.bid == bucket.bid() && upload.name == name);
    let upload = upload.ok_or_else(|| missing(bucket, name, id))?;
    upload.used = Instant::now();
    Ok(upload)
}

impl Engine {
    /// Begins an upload and tells its id.
    ///
    /// # Errors
    ///
    /// When the name or a custom property cannot be.
    pub fn create_upload(
        &self,
        bucket: &Bucket,
        name: &str,
        custom: Vec<(String, String)>,
    ) -> Result<String> {
        super::objects::check_custom(&custom)?;
        self.create_upload_with(bucket, name, custom)
    }

    /// [`create_upload`](Self::create_upload) for who has checked the custom properties by other rules.
    ///
    /// # Errors
    ///
    /// When the name cannot be.
    pub fn create_upload_with(
        &self,
        bucket: &Bucket,
        name: &str,
        custom: Vec<(String, String)>,
    ) -> Result<String> {
        super::objects::check_key(name)?;
        let id = id::new();
        let mut all = self.uploads.lock();
        all.retain(|_, upload| upload.used.elapsed() < LIFE);
        let (bid, name) = (bucket.bid(), name.to_owned());
        all.insert(
            id.clone(),
            Upload {
                bid,
                name,
                custom,
                begun: super::now(),
                used: Instant::now(),
                parts: BTreeMap::new(),
            },
        );
        Ok(id)
    }

    /// Checks that a part can be put: there is such an upload, and the number is possible.
    ///
    /// # Errors
    ///
    /// When not.
    pub fn check_part(&self, bucket: &Bucket, name: &str, id: &str, number: &str) -> Result<u32> {
        find(&mut self.uploads.lock(), bucket, name, id)?;
        let parsed: u32 = number.parse().map_err(|_| {
            let object = format!("o[{}/{name}(-)]", bucket.bck().name);
            Error::invalid(format!(
                "{object}: invalid part number \"{number}\" for uploadID \"{id}\""
            ))
        })?;
        if !(1..=MAX_PART).contains(&parsed) {
            return Err(Error::invalid(format!(
                "chunk-manifest[{}/{name}, id={id}]: invalid chunk number ({parsed}): expecting 1 to {MAX_PART}",
                bucket.bck()
            )));
        }
        Ok(parsed)
    }

    /// Adds a part, in place of an earlier one of the same number.
    ///
    /// # Errors
    ///
    /// When the part is empty or the upload has ended meanwhile; those of the file system.
    pub async fn put_part(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        id: &str,
        number: u32,
        part: Piece,
    ) -> Result<()> {
        if part.size() == 0 {
            return Err(Error::invalid(format!(
                "{}/{name}: put-part invalid size (0)",
                bucket.bck()
            )));
        }
        self.put_part_with(bucket, name, id, number, part, PartFacts::default()).await
    }

    /// [`put_part`](Self::put_part) for a part that may be empty, and that something is known of. Size and time are
    /// filled in.
    ///
    /// # Errors
    ///
    /// When the upload has ended meanwhile; those of the file system.
    pub async fn put_part_with(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        id: &str,
        number: u32,
        part: Piece,
        facts: PartFacts,
    ) -> Result<()> {
        let facts = PartFacts { size: part.size(), time: super::now(), ..facts };
        let part = self.blocking(|_| part.seal()).await?;
        let mut all = self.uploads.lock();
        let replaced = find(&mut all, bucket, name, id)?.parts.insert(number, (part, facts));
        drop(all);
        drop(replaced);
        Ok(())
    }

    /// What is known of an upload.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn upload(&self, bucket: &Bucket, name: &str, id: &str) -> Result<UploadFacts> {
        find(&mut self.uploads.lock(), bucket, name, id).map(|upload| upload.facts())
    }

    /// The uploads of a bucket in the order of names and ids: name, id, what is known.
    pub fn uploads(&self, bucket: &Bucket) -> Vec<(String, String, UploadFacts)> {
        let all = self.uploads.lock();
        let own = all.iter().filter(|(_, upload)| upload.bid == bucket.bid());
        let mut found: Vec<_> =
            own.map(|(id, upload)| (upload.name.clone(), id.clone(), upload.facts())).collect();
        found.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        found
    }

    /// Makes the parts an object. All parts must be named; their order does not matter.
    ///
    /// # Errors
    ///
    /// When there is no such upload, no part, or not all are named.
    pub async fn complete_upload(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        id: &str,
        parts: &[Part],
    ) -> Result<ObjectMeta> {
        let upload = {
            let mut all = self.uploads.lock();
            let have = &find(&mut all, bucket, name, id)?.parts;
            if have.is_empty() && parts.is_empty() {
                return Err(Error::invalid("no chunks"));
            }
            if parts.len() != have.len() {
                let text = format!(
                    "partial completion is not allowed: requested {} parts, have {}",
                    parts.len(),
                    have.len()
                );
                return Err(Error::invalid(text));
            }
            for part in parts {
                if !u32::try_from(part.number).is_ok_and(|number| have.contains_key(&number)) {
                    let text = format!(
                        "partial completion is not allowed: part {} was not uploaded",
                        part.number
                    );
                    return Err(Error::invalid(text));
                }
            }
            let named: std::collections::BTreeSet<i64> =
                parts.iter().map(|part| part.number).collect();
            if named.len() != have.len() {
                let text = format!(
                    "partial completion is not allowed: requested {} parts, have {}",
                    named.len(),
                    have.len()
                );
                return Err(Error::invalid(text));
            }
            all.remove(id).ok_or_else(|| missing(bucket, name, id))?
        };
        let custom = upload.custom.clone();
        self.assemble_parts(bucket, name, upload, custom).await?.commit().await
    }

    /// Makes an object of some parts of an upload, and ends the upload. The object is there after the commit of what
    /// is returned.
    ///
    /// # Errors
    ///
    /// When there is no such upload, or a part is missing; those of the file system.
    pub async fn assemble_upload(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        id: &str,
        numbers: &[u32],
        custom: Vec<(String, String)>,
    ) -> Result<Sealed> {
        let mut upload = {
            let mut all = self.uploads.lock();
            let have = &find(&mut all, bucket, name, id)?.parts;
            if numbers.iter().any(|number| !have.contains_key(number)) {
                return Err(missing(bucket, name, id));
            }
            all.remove(id).ok_or_else(|| missing(bucket, name, id))?
        };
        let numbers: std::collections::BTreeSet<_> = numbers.iter().collect();
        upload.parts.retain(|number, _| numbers.contains(number));
        self.assemble_parts(bucket, name, upload, custom).await
    }

    async fn assemble_parts(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        upload: Upload,
        custom: Vec<(String, String)>,
    ) -> Result<Sealed> {
        let kind = bucket.checksum_type().to_owned();
        let (parts, checksum) = self
            .heavy(move |_| {
                let mut hasher = Hasher::new(&kind)?;
                for (part, _) in upload.parts.values() {
                    let blob = part.open()?;
                    let mut at = 0;
                    while hasher.kind() != "none" && at < part.chunk().size {
                        let bytes = blob.read_at(at, PIECE)?;
                        at += bytes.len() as u64;
                        hasher.update(&bytes);
                    }
                }
                Ok((upload.parts, hasher.finish()))
            })
            .await?;
        let content = parts.into_values().map(|(part, _)| part.keep()).collect();
        Ok(self.assemble(bucket, name, content, checksum, custom))
    }

    /// Forgets an upload and its parts.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn abort_upload(&self, bucket: &Bucket, name: &str, id: &str) -> Result<()> {
        let removed = {
            let mut all = self.uploads.lock();
            find(&mut all, bucket, name, id)?;
            all.remove(id)
        };
        drop(removed);
        Ok(())
    }
}
