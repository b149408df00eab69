//! Multipart uploads. They survive restarts, and are forgotten when no part comes for a day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdall_ais_wire::id;
use holdall_ais_wire::object::Part;
use serde::{Deserialize, Serialize};

use super::begun::{Begun, Ends, Header, Kind, PieceRecord};
use super::checksum::Hasher;
use super::content::PIECE;
use super::piece::Piece;
use super::writer::Sealed;
use super::{Bucket, Engine, Work as _};
use crate::error::{Error, Result};
use crate::storage::{Chunk, ObjectMeta};

/// Highest number of a part, as in S3.
const MAX_PART: u32 = 10_000;

/// What is known of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartFacts {
    /// Its MD5, where it was computed.
    pub md5: Option<[u8; 16]>,
    /// Another checksum: the name of the property that keeps such ones, and its bytes.
    pub sum: Option<(String, Vec<u8>)>,
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
    /// Parts by their numbers.
    pub parts: BTreeMap<u32, PartFacts>,
}

/// An upload in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadEntry {
    /// Name of the object.
    pub name: String,
    /// Its id.
    pub id: String,
    /// When it was begun, nanoseconds since 1970.
    pub begun: i64,
}

fn upload(bucket: &Bucket, name: &str, id: &str) -> Begun {
    Begun::new(Kind::Upload, bucket, name, id)
}

impl Engine {
    /// Begins an upload and tells its id.
    ///
    /// # Errors
    ///
    /// When the name or a custom property cannot be; those of the store.
    pub async fn create_upload(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        custom: Vec<(String, String)>,
    ) -> Result<String> {
        super::objects::check_custom(&custom)?;
        self.create_upload_with(bucket, name, custom).await
    }

    /// [`create_upload`](Self::create_upload) for who has checked the custom properties by other rules.
    ///
    /// # Errors
    ///
    /// When the name cannot be; those of the store.
    pub async fn create_upload_with(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        custom: Vec<(String, String)>,
    ) -> Result<String> {
        super::objects::check_key(name)?;
        let id = id::new();
        let header = Header { custom, ..Header::new(name) };
        upload(bucket, name, &id).begin(self, header).await?;
        Ok(id)
    }

    /// Checks that a part can be put: there is such an upload, and the number is possible.
    ///
    /// # Errors
    ///
    /// When not.
    pub async fn check_part(
        &self,
        bucket: &Bucket,
        name: &str,
        id: &str,
        number: &str,
    ) -> Result<u32> {
        let upload = upload(bucket, name, id);
        self.storage().meta().blocking(move |meta| upload.header(meta).map(drop)).await?;
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
    /// When the part is empty or the upload has ended meanwhile; those of the file system and the store.
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
    /// When the upload has ended meanwhile; those of the file system and the store.
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
        upload(bucket, name, id).add(self, number, part, facts, None).await
    }

    /// What is known of an upload.
    ///
    /// # Errors
    ///
    /// When there is none; those of the store.
    pub async fn upload(&self, bucket: &Bucket, name: &str, id: &str) -> Result<UploadFacts> {
        let (header, pieces) = self.load(&upload(bucket, name, id)).await?;
        let parts = pieces.into_iter().map(|(number, piece)| (number, piece.facts)).collect();
        Ok(UploadFacts { custom: header.custom, parts })
    }

    async fn load(&self, upload: &Begun) -> Result<(Header, BTreeMap<u32, PieceRecord>)> {
        let upload = upload.clone();
        let load =
            move |meta: &crate::storage::Meta| Ok((upload.header(meta)?, upload.pieces(meta)?));
        self.storage().meta().blocking(load).await
    }

    /// The uploads of a bucket in the order of names and ids.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn uploads(self: &Arc<Self>, bucket: &Bucket) -> Result<Vec<UploadEntry>> {
        let bid = bucket.bid();
        let all = self.blocking(move |engine| engine.uploads_blocking(bid)).await?;
        let entry = |(id, header): (String, Header)| UploadEntry {
            name: header.name,
            id,
            begun: header.begun,
        };
        let mut all: Vec<_> = all.into_iter().map(entry).collect();
        all.sort();
        Ok(all)
    }

    /// Makes the parts an object. All parts must be named; their order does not matter.
    ///
    /// # Errors
    ///
    /// When there is no such upload, no part, or not all are named; when a part comes meanwhile.
    pub async fn complete_upload(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        id: &str,
        parts: &[Part],
    ) -> Result<ObjectMeta> {
        let upload = upload(bucket, name, id);
        let (header, have) = self.load(&upload).await?;
        if have.is_empty() && parts.is_empty() {
            return Err(Error::invalid("no chunks"));
        }
        let partial = |what: String| {
            Err(Error::invalid(format!("partial completion is not allowed: {what}")))
        };
        let named: BTreeSet<i64> = parts.iter().map(|part| part.number).collect();
        for requested in [parts.len(), named.len()] {
            if requested != have.len() {
                return partial(format!("requested {requested} parts, have {}", have.len()));
            }
        }
        let is_there = |number: &i64| u32::try_from(*number).is_ok_and(|n| have.contains_key(&n));
        if let Some(number) = named.iter().find(|number| !is_there(number)) {
            return partial(format!("part {number} was not uploaded"));
        }
        self.assemble_parts(bucket, name, upload, chunks(have), header.custom).await?.commit().await
    }

    /// Makes an object of some parts of an upload. The object is there, and the upload ended, after the commit of what
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
        let upload = upload(bucket, name, id);
        let (_, mut have) = self.load(&upload).await?;
        if numbers.iter().any(|number| !have.contains_key(number)) {
            return Err(upload.missing());
        }
        let numbers: BTreeSet<_> = numbers.iter().collect();
        have.retain(|number, _| numbers.contains(number));
        self.assemble_parts(bucket, name, upload, chunks(have), custom).await
    }

    async fn assemble_parts(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        begun: Begun,
        pieces: BTreeMap<u32, Chunk>,
        custom: Vec<(String, String)>,
    ) -> Result<Sealed> {
        let kind = bucket.checksum_type().to_owned();
        let content: Vec<Chunk> = pieces.values().copied().collect();
        let parts = content.clone();
        let hash = move |engine: &Arc<Self>| {
            let mut hasher = Hasher::new(&kind)?;
            if hasher.kind() != "none" {
                engine.read_chunks(&parts, |bytes| {
                    hasher.update(&bytes);
                    Ok(())
                })?;
            }
            Ok(hasher.finish())
        };
        let checksum = self.heavy(hash).await?;
        let sealed = self.assemble(bucket, name, content, checksum, custom);
        Ok(sealed.ending(Ends { begun, pieces }))
    }

    /// Reads pieces one after another. Blocks.
    pub(super) fn read_chunks<F>(&self, chunks: &[Chunk], mut visit: F) -> Result<()>
    where
        F: FnMut(bytes::Bytes) -> std::io::Result<()>,
    {
        for chunk in chunks {
            let blob = self.storage().blobs().open(chunk.blob, chunk.size)?;
            let mut at = 0;
            while at < chunk.size {
                let bytes = blob.read_at(at, PIECE)?;
                at += bytes.len() as u64;
                visit(bytes)?;
            }
        }
        Ok(())
    }

    /// Forgets an upload and its parts.
    ///
    /// # Errors
    ///
    /// When there is none; those of the store.
    pub async fn abort_upload(&self, bucket: &Bucket, name: &str, id: &str) -> Result<()> {
        upload(bucket, name, id).abort(self).await
    }
}

fn chunks(pieces: BTreeMap<u32, PieceRecord>) -> BTreeMap<u32, Chunk> {
    pieces.into_iter().map(|(number, piece)| (number, piece.chunk)).collect()
}
