//! Reading an object: ranges, members of archives, transformed; continued where it breaks off, checked at the end.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use holdall_ais_wire::{header, query};
use holdall_store::checksum::{Checksum, Hasher};
use holdall_store::client::stated_checksums;
use holdall_store::object_store::client::HttpResponseBody;
use http::header::{CONTENT_LENGTH, RANGE};
use http::{HeaderName, Method, StatusCode};
use http_body_util::BodyExt;

use crate::attributes::ObjectAttributes;
use crate::call::{Call, Head, Response};
use crate::error::{Error, ErrorKind, Result};
use crate::etl::EtlOptions;
use crate::object::Object;
use crate::transport::Transport;

/// How often a body that breaks off is continued.
const MOST_RESUMES: usize = 5;
/// Most memory that is taken at once on the word of a reply.
const TRUSTED_BYTES: u64 = 64 << 20;

/// What of an archive is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// One member, by its path: its content is the reply.
    Path(String),
    /// All members that match: a tar of them is the reply.
    Matching {
        /// `regexp`, `prefix`, `suffix`, `substr` or `wdskey`.
        mode: String,
        /// The pattern.
        pattern: String,
    },
}

/// How to read an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// The value of a `Range` header: `bytes=0-9`, `bytes=5-`, `bytes=-3`.
    pub range: Option<String>,
    /// Members of the object, which is an archive.
    pub members: Option<Members>,
    /// Transform on the way.
    pub etl: Option<EtlOptions>,
    /// Compare with the remote version first.
    pub latest: bool,
    /// Fetch a remote object in chunks: the size of a chunk, as text, and workers; either may be empty.
    pub blob: Option<(String, String)>,
}

/// An object that is being read.
pub struct Reader {
    transport: Arc<Transport>,
    call: Call,
    response: Response,
    /// What the reply's head tells of the object, once somebody asks.
    attributes: OnceLock<ObjectAttributes>,
    /// Bytes of the reply, where it says so.
    length: Option<u64>,
    resumes: usize,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("target", &self.call.target)
            .field("attributes", self.attributes())
            .finish_non_exhaustive()
    }
}

impl Object {
    /// Begins to read. The reply's head has come when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::ObjectNotFound`], [`ErrorKind::BucketNotFound`], [`ErrorKind::Range`].
    pub async fn get(&self, options: GetOptions) -> Result<Reader> {
        let call = self.get_call(&options)?;
        Reader::of(self.bucket().client().transport.clone(), call).await
    }

    fn get_call(&self, options: &GetOptions) -> Result<Call> {
        let mut call = self.call("get", Method::GET).read_of(&self.bucket().bck, self.name());
        let conflict = match options {
            GetOptions { range: Some(_), blob: Some(_), .. } => Some("a range and a blob download"),
            GetOptions { range: Some(_), members: Some(Members::Matching { .. }), .. } => {
                Some("a range and a selection from an archive")
            }
            _ => None,
        };
        if let Some(conflict) = conflict {
            return Err(
                call.error(ErrorKind::InvalidArgument, format!("{conflict} exclude each other"))
            );
        }
        match &options.members {
            None => {}
            Some(Members::Path(path)) => call = call.query(query::ARCHPATH, path),
            Some(Members::Matching { mode, pattern }) => {
                if !query::ARCHMODES.contains(&mode.as_str()) {
                    let detail = format!(
                        "\"{mode}\" is no way to match members: take one of {}",
                        query::ARCHMODES.join(", ")
                    );
                    return Err(call.error(ErrorKind::InvalidArgument, detail));
                }
                call = call.query(query::ARCHMODE, mode).query(query::ARCHREGX, pattern);
            }
        }
        if let Some(etl) = &options.etl {
            call.query.extend(etl.query());
        }
        if options.latest {
            call = call.query(query::LATEST, "true");
        }
        if let Some((chunk, workers)) = &options.blob {
            call = call.header(HeaderName::from_static(header::BLOB_DOWNLOAD), "true")?;
            for (name, value) in [(header::BLOB_CHUNK, chunk), (header::BLOB_WORKERS, workers)] {
                if !value.is_empty() {
                    call = call.header(HeaderName::from_static(name), value)?;
                }
            }
        }
        if let Some(range) = &options.range {
            call = call.header(RANGE, range)?;
        }
        Ok(call)
    }
}

impl Reader {
    pub(crate) async fn of(transport: Arc<Transport>, call: Call) -> Result<Self> {
        let response = transport.send(&call).await?;
        let length = response.header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let attributes = OnceLock::new();
        Ok(Self { transport, call, response, attributes, length, resumes: MOST_RESUMES })
    }

    /// Sets how often a body that breaks off is continued. Default 5.
    #[must_use]
    pub fn with_resumes(mut self, resumes: usize) -> Self {
        self.resumes = resumes;
        self
    }

    /// What the reply's head tells of the object.
    pub fn attributes(&self) -> &ObjectAttributes {
        self.attributes.get_or_init(|| ObjectAttributes::of(self.response.headers()))
    }

    /// The reply itself, for those who read it in their own way.
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// Bytes of the reply, where it says so.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Gives the reply away, unread.
    pub fn into_response(self) -> Response {
        self.response
    }

    /// The whole content.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub async fn bytes(self) -> Result<Bytes> {
        Ok(self.whole().await?.1)
    }

    /// The head of the reply, and the whole content.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub async fn whole(self) -> Result<(Head, Bytes)> {
        let mut reading = self.begin();
        let content = reading.collect().await?;
        Ok((reading.head, content))
    }

    /// The content as it comes. What breaks off is continued: by a range where the object is in the cluster, from its
    /// beginning, with what was delivered passed over, where it is not. All bytes are of one version, and amount to the
    /// checksum that the server states.
    ///
    /// # Errors
    /// [`ErrorKind::Precondition`] when the object changed meanwhile; [`ErrorKind::Corrupt`] when the checksum does not fit
    /// or the body keeps breaking off.
    pub fn stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::try_unfold(self.begin(), |mut reading| async move {
            Ok(reading.next().await?.map(|piece| (piece, reading)))
        })
        .boxed()
    }

    fn begin(self) -> Reading {
        let Response { head, body } = self.response;
        let is_whole = !self.call.headers.contains_key(RANGE) && is_plain(&self.call);
        // Kinds that cannot be computed here are not among them.
        let expected = stated_checksums(&head.extensions).first().filter(|_| is_whole);
        let check = expected.map(|sum| (Hasher::new(sum.algorithm()), sum.clone()));
        Reading {
            transport: self.transport,
            call: self.call,
            head,
            length: self.length,
            delivered: 0,
            skip: 0,
            resumes: self.resumes,
            check,
            body: Some(body),
        }
    }
}

/// Whether the reply is content of the object as it is stored.
fn is_plain(call: &Call) -> bool {
    let other = [query::ARCHPATH, query::ARCHREGX, query::ARCHMODE, query::ETL_NAME];
    !call.query.iter().any(|(key, value)| other.contains(&key.as_str()) && !value.is_empty())
}

/// A body on its way.
struct Reading {
    transport: Arc<Transport>,
    call: Call,
    /// Of the first reply.
    head: Head,
    /// Bytes of the reply, where it says so.
    length: Option<u64>,
    delivered: u64,
    /// Bytes to pass over.
    skip: u64,
    resumes: usize,
    check: Option<(Hasher, Checksum)>,
    body: Option<HttpResponseBody>,
}

impl Reading {
    async fn collect(&mut self) -> Result<Bytes> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        // Of a short object that is all: nobody needs to look for its end.
        if self.length == Some(self.delivered) {
            self.finish()?;
            return Ok(first);
        }
        let Some(second) = self.next().await? else { return Ok(first) };
        let known = self.length.filter(|length| *length <= TRUSTED_BYTES).unwrap_or_default();
        let mut all = BytesMut::with_capacity(usize::try_from(known).unwrap_or_default());
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Some(body) = &mut self.body else { return Ok(None) };
            let broken = match body.frame().await {
                Some(Ok(frame)) => {
                    match frame.into_data().ok().and_then(|piece| self.take(piece)) {
                        Some(piece) => return Ok(Some(piece)),
                        None => continue,
                    }
                }
                Some(Err(error)) => Error::transport(self.call.operation, &self.call.target, error),
                None if self.length.is_none_or(|length| self.delivered == length) => {
                    self.body = None;
                    self.finish()?;
                    return Ok(None);
                }
                None => {
                    let all = self.length.unwrap_or_default();
                    let detail = format!("the body ended at byte {} of {all}", self.delivered);
                    self.call.error(ErrorKind::Corrupt, detail)
                }
            };
            // Seldom, and large: who reads should not carry its state along.
            Box::pin(self.resume(broken)).await?;
        }
    }

    fn take(&mut self, mut piece: Bytes) -> Option<Bytes> {
        let passed = self.skip.min(piece.len() as u64);
        self.skip -= passed;
        let piece = piece.split_off(passed as usize);
        if piece.is_empty() {
            return None;
        }
        self.delivered += piece.len() as u64;
        if let Some((hasher, _)) = &mut self.check {
            hasher.update(&piece);
        }
        Some(piece)
    }

    fn finish(&mut self) -> Result<()> {
        let Some((hasher, expected)) = self.check.take() else { return Ok(()) };
        let found = hasher.finish();
        if found == expected {
            return Ok(());
        }
        let detail = format!("what was received has {found}, the server states {expected}");
        Err(self.call.error(ErrorKind::Corrupt, detail))
    }

    async fn resume(&mut self, broken: Error) -> Result<()> {
        if self.resumes == 0 || !broken.is_retryable() || self.length.is_none() {
            return Err(broken);
        }
        self.resumes -= 1;
        tracing::debug!(%broken, at = self.delivered, "reading is continued");
        let range = self.call.headers.get(RANGE).and_then(|value| value.to_str().ok());
        let start = match range {
            None => Some(0),
            Some(range) => range_start(range),
        };
        let can_skip =
            self.is_resumable() && is_present(&self.transport, self.call.clone()).await?;
        let mut call = self.call.clone();
        let mut by_range = false;
        if let (true, Some(start), 1..) = (can_skip, start, self.delivered) {
            let end = start + self.length.unwrap_or_default();
            let wanted = format!("bytes={}-{}", start + self.delivered, end.saturating_sub(1));
            call.headers.remove(RANGE);
            call = call.header(RANGE, &wanted)?;
            by_range = true;
        }
        let response = self.transport.send(&call).await?;
        let [now, before] = [response.headers(), &self.head.headers].map(ObjectAttributes::of);
        if now.identity() != before.identity() || now.size != before.size {
            let detail = "the object changed while it was read";
            return Err(self.call.error(ErrorKind::Precondition, detail));
        }
        let continues = by_range && response.head.status == StatusCode::PARTIAL_CONTENT;
        self.skip = if continues { 0 } else { self.delivered };
        self.body = Some(response.body);
        Ok(())
    }

    /// Whether ranges of the reply can be asked for.
    fn is_resumable(&self) -> bool {
        is_plain(&self.call) && !self.call.headers.contains_key(header::BLOB_DOWNLOAD)
    }
}

/// Whether the object of a read is in the cluster, so that ranges of it are at hand.
async fn is_present(transport: &Transport, mut call: Call) -> Result<bool> {
    call.method = Method::HEAD;
    call.headers.remove(RANGE);
    call.query.retain(|(key, _)| key == query::PROVIDER || key == query::NAMESPACE);
    let headers = transport.fetch(&call).await?.0;
    Ok(ObjectAttributes::of(&headers).present)
}

/// The first byte of `bytes=a-b` and `bytes=a-`; none of `bytes=-n`.
fn range_start(range: &str) -> Option<u64> {
    range.strip_prefix("bytes=")?.split_once('-')?.0.trim().parse().ok()
}
