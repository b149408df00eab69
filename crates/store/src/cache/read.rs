//! Reading through the cache.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, Error, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, Result,
};

use super::CachedStore;
use super::blocks::{BlockKey, Count, State};
use super::known::{Digest, Known, digest};
use crate::client::is_one_piece;
use crate::error::{Error as OurError, ErrorKind};
use crate::provider::Provider;

/// Below this share of a block, a piece is copied out of it, so that it does not keep the whole block in memory.
const SHARE: usize = 8;

impl CachedStore {
    /// The name of an object, or of one of its versions, in the cache.
    pub(super) fn name(&self, location: &Path, version: Option<&str>) -> Digest {
        digest(&[&self.inner.identity(), location.as_ref(), version.unwrap_or_default(), "meta"])
    }

    pub(super) async fn read(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let object = Object {
            store: self.clone(),
            state: self.state(),
            location: location.clone(),
            version: options.version.clone(),
        };
        let mut known = object.find(&options).await?;
        let mut retried = false;
        loop {
            let (known_now, asked) = known;
            if known_now.is_one_piece && !options.head {
                return self.inner.get_opts(location, options).await;
            }
            options.check_preconditions(&known_now.meta)?;
            let range = range(&options, &known_now.meta)?;
            if options.head || range.is_empty() {
                return Ok(object.result(&known_now, range, stream::empty().boxed()));
            }
            let content = Content::new(object.clone(), known_now.clone());
            // The first block comes before the result, while there is time to begin again.
            match content.block(range.start / content.block_bytes()).await {
                Ok(first) => {
                    let body = content.body(range.clone(), first);
                    return Ok(object.result(&known_now, range, body));
                }
                // The object was replaced or deleted since it was described.
                Err(Error::Precondition { .. } | Error::NotFound { .. }) if !asked && !retried => {
                    retried = true;
                    known = (object.validate().await?, true);
                }
                // A server that gives no ranges: what is asked for is not put together of blocks.
                Err(Error::NotSupported { .. }) => {
                    object.state.forget(&object.name());
                    return self.inner.get_opts(location, options).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The range that is asked for of an object.
fn range(options: &GetOptions, meta: &ObjectMeta) -> Result<Range<u64>> {
    let Some(range) = options.range.as_ref().filter(|_| !options.head) else {
        return Ok(0..meta.size);
    };
    range.as_range(meta.size).map_err(|e| Error::Generic { store: "cache", source: Box::new(e) })
}

/// An object, or one version of it.
#[derive(Clone)]
struct Object {
    store: CachedStore,
    state: Arc<State>,
    location: Path,
    version: Option<String>,
}

impl Object {
    fn name(&self) -> Digest {
        self.store.name(&self.location, self.version.as_deref())
    }

    /// A description that can be trusted, and whether the service gave it just now.
    async fn find(&self, options: &GetOptions) -> Result<(Arc<Known>, bool)> {
        let conditions = options.if_none_match.is_some()
            || options.if_modified_since.is_some()
            || options.if_unmodified_since.is_some();
        let Some(known) = self.state.known(&self.name()).await else {
            let known = match first_block(options, self.store.options.block_bytes) {
                Some(number) if !conditions => self.touch(number).await?,
                _ => self.validate().await?,
            };
            return Ok((known, true));
        };
        let fresh = self.is_fresh(&known);
        let matches = match &options.if_match {
            Some(tags) => options_match(tags, &known.meta),
            None => true,
        };
        if fresh && matches && !conditions {
            return Ok((known, false));
        }
        Ok((self.validate().await?, true))
    }

    /// Whether a description need not be asked for again.
    fn is_fresh(&self, known: &Known) -> bool {
        let is_fixed = self.store.options.immutable || self.version.is_some();
        is_fixed || known.is_fresh(self.store.options.ttl)
    }

    /// Asks the service for the description.
    async fn validate(&self) -> Result<Arc<Known>> {
        let task = || {
            let object = self.clone();
            async move { object.ask().await }
        };
        self.state.validations.join(&self.name(), task).await
    }

    async fn ask(&self) -> Result<Arc<Known>> {
        let options =
            GetOptions { head: true, version: self.version.clone(), ..GetOptions::default() };
        let before = self.state.changes();
        self.state.count(Count::Validation);
        match self.store.inner.get_opts(&self.location, options).await {
            Ok(reply) => {
                let is_one_piece = is_one_piece(&reply);
                let known = described(reply.meta, reply.attributes, is_one_piece);
                match is_one_piece {
                    true => self.state.forget(&self.name()),
                    false => self.learn(&known, before).await,
                }
                Ok(known)
            }
            Err(error) => {
                // Nothing is known of an object that cannot be described.
                self.state.forget(&self.name());
                Err(error)
            }
        }
    }

    async fn learn(&self, known: &Arc<Known>, before: u64) {
        self.state.learn(&self.name(), known, before).await;
    }

    /// Asks for the first block that is needed of an unknown object: its description comes along.
    async fn touch(&self, number: u64) -> Result<Arc<Known>> {
        let task = || {
            let object = self.clone();
            async move {
                // Another task may have ended since there was nothing known.
                if let Some(known) = object.state.known(&object.name()).await
                    && object.is_fresh(&known)
                {
                    return Ok(known);
                }
                match object.ask_with_block(number).await {
                    Ok(Some(known)) => Ok(known),
                    Err(error @ Error::NotFound { .. }) => Err(error),
                    // The range lies outside of the object, or the body was cut: what is wrong, the plain way tells.
                    _ => object.ask().await,
                }
            }
        };
        self.state.validations.join(&self.name(), task).await
    }

    async fn ask_with_block(&self, number: u64) -> Result<Option<Arc<Known>>> {
        let size = self.store.options.block_bytes;
        let start = number * size;
        let options = GetOptions {
            range: Some(GetRange::Bounded(start..start + size)),
            version: self.version.clone(),
            ..GetOptions::default()
        };
        let before = self.state.changes();
        self.state.count(Count::Validation);
        let reply = self.store.inner.get_opts(&self.location, options).await?;
        let expected = start..(start + size).min(reply.meta.size);
        if reply.range != expected {
            return Ok(None);
        }
        let is_one_piece = is_one_piece(&reply);
        let known = described(reply.meta.clone(), reply.attributes.clone(), is_one_piece);
        if is_one_piece {
            return Ok(Some(known));
        }
        let content = Content::new(self.clone(), known.clone());
        let block = reply.bytes().await?;
        if block.len() as u64 == expected.end - expected.start {
            self.state.count(Count::Download);
            self.state.keep(&content.key(number), &block).await;
        }
        // Whoever finds the description finds the block too, and does not fetch it again.
        self.learn(&known, before).await;
        Ok(Some(known))
    }

    fn result(
        &self,
        known: &Known,
        range: Range<u64>,
        body: BoxStream<'static, Result<Bytes>>,
    ) -> GetResult {
        GetResult {
            payload: GetResultPayload::Stream(body),
            meta: known.meta.clone(),
            range,
            attributes: known.attributes.clone(),
            extensions: Default::default(),
        }
    }
}

fn described(meta: ObjectMeta, attributes: Attributes, is_one_piece: bool) -> Arc<Known> {
    Arc::new(Known { meta, attributes, validated: SystemTime::now(), is_one_piece })
}

/// The number of the first block that a read needs, where the size of the object does not matter.
fn first_block(options: &GetOptions, block_bytes: u64) -> Option<u64> {
    if options.head {
        return None;
    }
    match &options.range {
        None => Some(0),
        Some(GetRange::Bounded(range)) if range.start < range.end => {
            Some(range.start / block_bytes)
        }
        Some(GetRange::Offset(start)) => Some(start / block_bytes),
        _ => None,
    }
}

fn options_match(tags: &str, meta: &ObjectMeta) -> bool {
    let condition = GetOptions { if_match: Some(tags.to_owned()), ..GetOptions::default() };
    condition.check_preconditions(meta).is_ok()
}

/// One version of the content of an object.
#[derive(Clone)]
struct Content {
    object: Object,
    known: Arc<Known>,
    digest: Digest,
}

impl Content {
    fn new(object: Object, known: Arc<Known>) -> Self {
        let size = object.store.options.block_bytes.to_string();
        let identity = object.store.inner.identity();
        let key = object.location.as_ref();
        let digest = digest(&[&identity, key, &known.version(), &size]);
        Self { object, known, digest }
    }

    fn block_bytes(&self) -> u64 {
        self.object.store.options.block_bytes
    }

    fn key(&self, number: u64) -> BlockKey {
        (self.digest, number)
    }

    /// The bytes of the object that a block has.
    fn span(&self, number: u64) -> Range<u64> {
        let start = number * self.block_bytes();
        start..(start + self.block_bytes()).min(self.known.meta.size)
    }

    /// A block, from wherever it is.
    async fn block(&self, number: u64) -> Result<Bytes> {
        let key = self.key(number);
        if let Some(block) = self.object.state.at_hand(&key) {
            return Ok(block);
        }
        let task = || {
            let content = self.clone();
            async move { content.fetch(number).await }
        };
        self.object.state.downloads.join(&key, task).await
    }

    async fn fetch(&self, number: u64) -> Result<Bytes> {
        let (key, span, state) = (self.key(number), self.span(number), &self.object.state);
        // Another task may have ended since the block was missed.
        if let Some(block) = state.at_hand(&key) {
            return Ok(block);
        }
        if let Some(block) = state.on_disk(&key, span.end - span.start).await {
            return Ok(block);
        }
        let block = self.download(span).await;
        if let Err(Error::Precondition { .. } | Error::NotFound { .. }) = &block {
            // The description is out of date: whoever reads again gets another one.
            state.forget(&self.object.name());
        }
        let block = block?;
        state.keep(&key, &block).await;
        Ok(block)
    }

    async fn download(&self, span: Range<u64>) -> Result<Bytes> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(span.clone())),
            if_match: self.known.pin(),
            version: self.object.version.clone(),
            ..GetOptions::default()
        };
        self.object.state.count(Count::Download);
        let location = &self.object.location;
        let reply = self.object.store.inner.get_opts(location, options).await?;
        if !self.known.is_same(&reply.meta) {
            return Err(self.changed());
        }
        if is_one_piece(&reply) {
            return Err(Provider::not_supported(&self.object.store, "ranges"));
        }
        let found = reply.range.clone();
        let block = reply.bytes().await?;
        if found != span || block.len() as u64 != span.end - span.start {
            let detail =
                format!("the reply has other bytes than the range {span:?} that was asked for");
            let target = self.object.store.url_of(location);
            return Err(OurError::new(ErrorKind::Corrupt, "get", target, detail).into());
        }
        Ok(block)
    }

    /// The object is not what it was when it was described.
    fn changed(&self) -> Error {
        Error::Precondition {
            path: self.object.location.to_string(),
            source: "the object was replaced while it was read; read it again".into(),
        }
    }

    /// The bytes of a range, block by block, several of which are fetched at once.
    fn body(self, range: Range<u64>, first: Bytes) -> BoxStream<'static, Result<Bytes>> {
        let size = self.block_bytes();
        let (begin, end) = (range.start / size, range.end.div_ceil(size));
        let readahead = self.object.store.options.readahead;
        let content = self.clone();
        let rest = stream::iter(begin + 1..end)
            .map(move |number| {
                let content = content.clone();
                async move { content.block(number).await.map(|block| (number, block)) }
            })
            .buffered(readahead);
        stream::iter([Ok((begin, first))])
            .chain(rest)
            .map_ok(move |(number, block)| {
                let start = number * size;
                let from = range.start.saturating_sub(start);
                let to = (range.end - start).min(block.len() as u64);
                piece(&block, from as usize..to as usize)
            })
            .boxed()
    }
}

fn piece(block: &Bytes, range: Range<usize>) -> Bytes {
    match range.len() < block.len() / SHARE {
        true => Bytes::copy_from_slice(&block[range]),
        false => block.slice(range),
    }
}
