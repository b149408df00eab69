//! What was begun and becomes an object later: uploads in parts, and appends.
//!
//! Each has a header and numbered pieces, which are facts of the metadata store: so they survive a restart, and a kill, as
//! objects do. A piece is acknowledged when the fact that names it is committed. The commit of the object ends what was
//! begun, in the same transaction. What nobody uses for a while is removed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::piece::SealedPiece;
use super::upload::PartFacts;
use super::{Bucket, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Chunk, Meta, ObjectMeta, Tx};

/// What it is that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Upload,
    Append,
}

impl Kind {
    /// What the names of headers begin with; the bucket's id and the id follow.
    fn headers(self) -> &'static str {
        match self {
            Self::Upload => "upload/",
            Self::Append => "append/",
        }
    }

    /// What the names of pieces begin with; the id and the number follow.
    fn pieces(self) -> &'static str {
        match self {
            Self::Upload => "part/",
            Self::Append => "appended/",
        }
    }

    /// How long one lives without being used.
    fn life(self) -> Duration {
        match self {
            Self::Upload => Duration::from_secs(24 * 3600),
            Self::Append => Duration::from_secs(3600),
        }
    }
}

/// What is known of one, apart from its pieces.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Header {
    /// Name of the object.
    pub name: String,
    /// Custom properties of the object.
    #[serde(default)]
    pub custom: Vec<(String, String)>,
    /// The content that the object had, for who adds to it.
    #[serde(default)]
    pub base: Vec<Chunk>,
    /// When it was begun, nanoseconds since 1970.
    pub begun: i64,
    /// When it got its last piece, nanoseconds since 1970.
    pub used: i64,
}

impl Header {
    pub(super) fn new(name: &str) -> Self {
        let now = super::now();
        Self { name: name.to_owned(), begun: now, used: now, ..Self::default() }
    }
}

/// One piece.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PieceRecord {
    /// Its content.
    pub chunk: Chunk,
    /// What is known of it, of a part of an upload.
    #[serde(default)]
    pub facts: PartFacts,
}

/// Where one is kept.
#[derive(Debug, Clone)]
struct Key {
    kind: Kind,
    bid: u64,
    id: String,
}

impl Key {
    fn header(&self) -> String {
        format!("{}{:016x}/{}", self.kind.headers(), self.bid, self.id)
    }

    fn pieces(&self) -> String {
        format!("{}{}/", self.kind.pieces(), self.id)
    }

    fn piece(&self, number: u32) -> String {
        format!("{}{number:010}", self.pieces())
    }

    fn header_in(&self, tx: &Tx<'_>) -> Result<Option<Header>> {
        let bytes = tx.fact(&self.header())?;
        Ok(bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose()?)
    }

    /// Forgets it, and removes all content but this.
    fn end(&self, tx: &mut Tx<'_>, but: &[Chunk]) -> Result<()> {
        let prefix = self.pieces();
        let pieces = parse(tx.facts(&prefix)?)?;
        let kept: std::collections::HashSet<_> = but.iter().map(|chunk| chunk.blob).collect();
        tx.remove_fact(&self.header())?;
        for (number, piece) in pieces {
            tx.remove_fact(&self.piece(number))?;
            if !kept.contains(&piece.chunk.blob) {
                tx.discard(piece.chunk.blob)?;
            }
        }
        Ok(())
    }
}

fn parse(facts: BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<u32, PieceRecord>> {
    let piece = |(number, bytes): (String, Vec<u8>)| {
        let number = number.parse().map_err(|e| {
            Error::internal(format!("a piece has the number {number}")).with_source(e)
        })?;
        Ok((number, serde_json::from_slice(&bytes)?))
    };
    facts.into_iter().map(piece).collect()
}

/// One upload or append.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    key: Key,
    bucket: Bucket,
    name: String,
}

impl Begun {
    pub(super) fn new(kind: Kind, bucket: &Bucket, name: &str, id: &str) -> Self {
        let key = Key { kind, bid: bucket.bid(), id: id.to_owned() };
        Self { key, bucket: bucket.clone(), name: name.to_owned() }
    }

    /// Name of the object.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The error of one that is not there.
    pub(super) fn missing(&self) -> Error {
        let id = &self.key.id;
        match self.key.kind {
            Kind::Upload => {
                let bucket = &self.bucket.bck().name;
                Error::not_found(format!("o[{bucket}/{}(-)]: {id} does not exist", self.name))
            }
            Kind::Append => Error::invalid(format!("invalid APPEND handle: {id:?}")),
        }
    }

    fn own(&self, header: Option<Header>) -> Result<Header> {
        header.filter(|header| header.name == self.name).ok_or_else(|| self.missing())
    }

    /// What is known of it. Blocks.
    ///
    /// # Errors
    ///
    /// When there is none; those of the store.
    pub(super) fn header(&self, meta: &Meta) -> Result<Header> {
        let bytes = meta.fact(&self.key.header())?;
        self.own(bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose()?)
    }

    /// Its pieces by their numbers. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(super) fn pieces(&self, meta: &Meta) -> Result<BTreeMap<u32, PieceRecord>> {
        parse(meta.facts(&self.key.pieces())?)
    }

    /// Begins it.
    ///
    /// # Errors
    ///
    /// When the bucket has been destroyed; those of the store.
    pub(super) async fn begin(self, engine: &Arc<Engine>, header: Header) -> Result<()> {
        let (this, alive) = (self, Arc::clone(engine));
        let begin = move |tx: &mut Tx<'_>| {
            alive.check_alive(&this.bucket)?;
            tx.put_fact(&this.key.header(), &serde_json::to_vec(&header)?)
        };
        engine.storage().meta().write(begin).await
    }

    /// Adds a piece, in place of an earlier one of the same number. With a header it is begun by that.
    ///
    /// # Errors
    ///
    /// When it has ended meanwhile, or the bucket has been destroyed; those of the store.
    pub(super) async fn add(
        &self,
        engine: &Arc<Engine>,
        number: u32,
        piece: SealedPiece,
        facts: PartFacts,
        header: Option<Header>,
    ) -> Result<()> {
        let (this, alive) = (self.clone(), Arc::clone(engine));
        // The piece is the change's: so it stays where the change happens, whether or not somebody waits for it still.
        let add = move |tx: &mut Tx<'_>| {
            alive.check_alive(&this.bucket)?;
            let mut header = match header {
                Some(header) => header,
                None => this.own(this.key.header_in(tx)?)?,
            };
            header.used = super::now();
            let name = this.key.piece(number);
            let replaced = tx.fact(&name)?;
            let replaced: Option<PieceRecord> =
                replaced.map(|bytes| serde_json::from_slice(&bytes)).transpose()?;
            let record = PieceRecord { chunk: piece.chunk(), facts };
            let (header, record) = (serde_json::to_vec(&header)?, serde_json::to_vec(&record)?);
            tx.put_fact(&this.key.header(), &header)?;
            tx.put_fact(&name, &record)?;
            tx.adopt(piece.keep().blob)?;
            if let Some(replaced) = replaced {
                tx.discard(replaced.chunk.blob)?;
            }
            Ok(())
        };
        engine.storage().meta().write(add).await
    }

    /// Forgets it and its pieces.
    ///
    /// # Errors
    ///
    /// When there is none; those of the store.
    pub(super) async fn abort(self, engine: &Engine) -> Result<()> {
        let abort = move |tx: &mut Tx<'_>| {
            self.own(self.key.header_in(tx)?)?;
            self.key.end(tx, &[])
        };
        engine.storage().meta().write(abort).await
    }
}

/// What the commit of an object ends.
#[derive(Debug)]
pub(super) struct Ends {
    /// What was begun.
    pub begun: Begun,
    /// The pieces that are the object's content; none where the content was written anew.
    pub pieces: BTreeMap<u32, Chunk>,
}

impl Ends {
    /// Whether the object's content belongs to what was begun, as long as the object is not committed.
    pub(super) fn owns_content(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Fails unless it is still what it was when the object was made of it. Writes nothing.
    ///
    /// # Errors
    ///
    /// When it has ended, or a piece has been replaced.
    pub(super) fn check(&self, tx: &Tx<'_>) -> Result<()> {
        let Begun { key, bucket, name } = &self.begun;
        self.begun.own(key.header_in(tx)?)?;
        for (number, chunk) in &self.pieces {
            let piece = tx.fact(&key.piece(*number))?;
            let piece: Option<PieceRecord> =
                piece.map(|bytes| serde_json::from_slice(&bytes)).transpose()?;
            if piece.is_none_or(|piece| piece.chunk != *chunk) {
                let text = format!(
                    "{}/{name}: part {number} was replaced while the upload was completed: try again",
                    bucket.bck()
                );
                return Err(Error::new(ErrorKind::Conflict, text));
            }
        }
        Ok(())
    }

    /// Forgets it; what is not of the object's content is removed.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(super) fn end(&self, tx: &mut Tx<'_>, object: &ObjectMeta) -> Result<()> {
        self.begun.key.end(tx, &object.content)
    }
}

impl Engine {
    /// All uploads of a bucket: their ids, and what is known of them. Blocks.
    pub(super) fn uploads_blocking(&self, bid: u64) -> Result<Vec<(String, Header)>> {
        let prefix = format!("{}{bid:016x}/", Kind::Upload.headers());
        let all = self.storage().meta().facts(&prefix)?;
        all.into_iter().map(|(id, bytes)| Ok((id, serde_json::from_slice(&bytes)?))).collect()
    }

    /// Removes what nobody has used for long, and what was begun in buckets that are gone.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(super) async fn sweep_begun(self: &Arc<Self>) -> Result<()> {
        for kind in [Kind::Upload, Kind::Append] {
            let all =
                self.storage().meta().blocking(move |meta| meta.facts(kind.headers())).await?;
            for (name, bytes) in all {
                let Some((bid, id)) = name.split_once('/') else { continue };
                let Ok(bid) = u64::from_str_radix(bid, 16) else { continue };
                let key = Key { kind, bid, id: id.to_owned() };
                if self.is_over(&key, &serde_json::from_slice(&bytes)?) {
                    self.sweep_one(key).await?;
                }
            }
        }
        Ok(())
    }

    fn is_over(&self, key: &Key, header: &Header) -> bool {
        let life = i64::try_from(key.kind.life().as_nanos()).unwrap_or(i64::MAX);
        !self.is_alive(key.bid) || super::now().saturating_sub(header.used) > life
    }

    async fn sweep_one(self: &Arc<Self>, key: Key) -> Result<()> {
        let engine = Arc::clone(self);
        let sweep = move |tx: &mut Tx<'_>| match key.header_in(tx)? {
            // It may have been used since.
            Some(header) if engine.is_over(&key, &header) => key.end(tx, &[]),
            _ => Ok(()),
        };
        self.storage().meta().write(sweep).await
    }
}
