//! Get-batch: many objects, or parts of them, with one request; the reply is taken apart while it arrives.

mod form;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use holdall_ais_wire::batch::{In, MISSING_DIR, Out, Reply, Request};
use holdall_ais_wire::{Bck, query};
use holdall_archive::Format;
use holdall_archive::pipe::{Piece, pieces};
use http::Method;
use http::header::CONTENT_TYPE;

use crate::call::{Call, Response, encode_path};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::object::Object;

/// One thing that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchEntry {
    /// The object's name.
    pub name: String,
    /// Its bucket; none for the batch's.
    pub bck: Option<Bck>,
    /// A member of the object, which is an archive.
    pub member: String,
    /// First byte, and how many; -1 to the end.
    pub range: Option<(u64, i64)>,
    /// What comes back with the entry.
    pub opaque: Bytes,
}

impl BatchEntry {
    /// An object of the batch's bucket.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            bck: None,
            member: String::new(),
            range: None,
            opaque: Bytes::new(),
        }
    }

    /// An object of any bucket.
    pub fn of(object: &Object) -> Self {
        Self { bck: Some(object.bucket().bck().clone()), ..Self::new(object.name()) }
    }

    /// A member of the object, which is an archive.
    #[must_use]
    pub fn with_member(mut self, member: impl Into<String>) -> Self {
        self.member = member.into();
        self
    }

    /// Only these bytes; -1 to the end.
    #[must_use]
    pub fn with_range(mut self, start: u64, length: i64) -> Self {
        self.range = Some((start, length));
        self
    }
}

/// How to read a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOptions {
    /// Format of the reply: `.tar` (default), `.tgz`, `.tar.gz`, `.tar.lz4`, `.zip`.
    pub format: String,
    /// What is missing becomes an item with an error; otherwise it ends the batch. Default true. Servers bear a few, by
    /// their setting `get_batch.max_soft_errs`.
    pub continue_on_error: bool,
    /// Members of the reply are named without their bucket. Default false.
    pub only_names: bool,
    /// The reply begins before all is collected. Default true; otherwise errors say what was wrong.
    pub streaming: bool,
    /// A hint where to collect, 0 to 2.
    pub colocation: u8,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            format: ".tar".to_owned(),
            continue_on_error: true,
            only_names: false,
            streaming: true,
            colocation: 0,
        }
    }
}

/// What came for one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// The entry's place in the request.
    pub index: usize,
    /// The member's name in the reply.
    pub member_name: String,
    /// What the server says of it; made here when the reply is a stream.
    pub out: Out,
    /// The content, or why there is none.
    pub content: Result<Bytes, Missing>,
}

/// Why an entry has no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The server's words.
    pub message: String,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Missing {}

/// What the official client says of an entry that a stream has not.
const MISSING_TEXT: &str = "Batch entry failed on the server";

/// A batch that is being put together.
#[derive(Debug, Clone)]
pub struct Batch {
    client: Client,
    bck: Option<Bck>,
    entries: Vec<BatchEntry>,
    options: BatchOptions,
}

impl Batch {
    pub(crate) fn new(client: Client, bck: Option<Bck>) -> Self {
        Self { client, bck, entries: Vec::new(), options: BatchOptions::default() }
    }

    /// Sets how to read.
    #[must_use]
    pub fn with_options(mut self, options: BatchOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds an entry.
    pub fn add(&mut self, entry: BatchEntry) -> &mut Self {
        self.entries.push(entry);
        self
    }

    /// Adds entries.
    #[must_use]
    pub fn with(mut self, entries: impl IntoIterator<Item = BatchEntry>) -> Self {
        self.entries.extend(entries);
        self
    }

    /// The entries.
    pub fn entries(&self) -> &[BatchEntry] {
        &self.entries
    }

    /// The message that asks for it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for no entries, an unknown format, and entries without a bucket.
    pub fn request(&self) -> Result<Request> {
        let wrong = |detail: String| Error::new(ErrorKind::InvalidArgument, "batch", "", detail);
        if self.entries.is_empty() {
            return Err(wrong("it has no entries".to_owned()));
        }
        self.format()?;
        let entries = self.entries.iter().map(|entry| {
            let bck = entry.bck.as_ref().or(self.bck.as_ref()).ok_or_else(|| {
                wrong(format!("the entry \"{}\" has no bucket, nor has the batch", entry.name))
            })?;
            let in_namespace = !bck.namespace.is_global();
            Ok(In {
                objname: entry.name.clone(),
                bucket: bck.name.clone(),
                provider: bck.provider.as_str().to_owned(),
                // Only the unique name tells the namespace.
                uname: if in_namespace { bck.uname(&entry.name) } else { String::new() },
                archpath: entry.member.clone(),
                opaque: base64_text(&entry.opaque),
                start: entry.range.map(|(start, _)| i64::try_from(start).unwrap_or(i64::MAX)),
                length: entry.range.map(|(_, length)| length),
            })
        });
        Ok(Request {
            entries: entries.collect::<Result<_>>()?,
            mime: self.options.format.clone(),
            coer: self.options.continue_on_error,
            only_object_names: self.options.only_names,
            streaming: self.options.streaming,
            coloc: (self.options.colocation > 0).then(|| i64::from(self.options.colocation)),
        })
    }

    fn format(&self) -> Result<Format> {
        Format::of_mime(&self.options.format)
            .map_err(|e| Error::new(ErrorKind::InvalidArgument, "batch", "", e.to_string()))
    }

    /// Sends the request; the reply as it comes.
    ///
    /// # Errors
    /// As [`Self::request`]; [`ErrorKind::BucketNotFound`]; [`ErrorKind::ObjectNotFound`] where errors end the batch.
    pub async fn send(&self) -> Result<Response> {
        let mut path = "/v1/ml/moss".to_owned();
        let mut target = format!("{} entries", self.entries.len());
        if let Some(bck) = &self.bck {
            path = format!("{path}/{}", encode_path(&bck.name));
            target = format!("{bck}: {target}");
        }
        let mut call = Call::new("batch", target, Method::GET, path).json(&self.request()?);
        if let Some(bck) = &self.bck {
            call = call.bck(bck);
        }
        if self.options.colocation > 0 {
            call = call.query(query::COLOC, self.options.colocation.to_string());
        }
        self.client.transport.send(&call).await
    }

    /// Sends the request; the items in its order, each as soon as it is there.
    ///
    /// # Errors
    /// As [`Self::send`]. The stream fails with [`ErrorKind::Corrupt`] when the reply is cut short or has other members
    /// than were asked for.
    pub async fn get(&self) -> Result<BoxStream<'static, Result<BatchItem>>> {
        let request = self.request()?;
        let format = self.format()?;
        let response = self.send().await?;
        let target = response.head().target.clone();
        let kind = response.header(CONTENT_TYPE).unwrap_or_default().to_owned();
        let (outs, archive) = match form::boundary(&kind) {
            None => (None, response.stream()),
            Some(boundary) => {
                let (head, archive) = form::parts(response.stream(), &boundary).await?;
                let reply: Reply = serde_json::from_slice(&head).map_err(|e| {
                    let detail = format!("the description of the batch cannot be read: {e}");
                    Error::new(ErrorKind::Corrupt, "batch", target.clone(), detail)
                })?;
                (Some(reply.out), archive)
            }
        };
        let only_names = request.only_object_names;
        let expected = request.entries.into_iter().enumerate().map(|(index, entry)| {
            let mut out = outs.as_ref().and_then(|outs| outs.get(index).cloned());
            if let Some(out) = &mut out {
                // Of members that another target read, clusters make one name with the archive's.
                out.objname.clone_from(&entry.objname);
                out.archpath.clone_from(&entry.archpath);
            }
            Expected {
                name: member_name(&entry, only_names),
                object: member_name(&In { archpath: String::new(), ..entry.clone() }, only_names),
                // Zero is the whole object; how long a range to its end is, nobody knows.
                length: entry.length.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0),
                out: out.unwrap_or_else(|| made(&entry)),
            }
        });
        let expected: Vec<_> = expected.collect();
        let items = items(archive, format, expected, target.clone());
        if self.options.continue_on_error {
            return Ok(items.boxed());
        }
        // Clusters go on in some cases all the same.
        let strict = items.map(move |item| match item {
            Ok(BatchItem { content: Err(missing), .. }) => {
                let kind = ErrorKind::ObjectNotFound;
                Err(Error::new(kind, "batch", target.clone(), missing.message))
            }
            item => item,
        });
        Ok(strict.boxed())
    }

    /// All items.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn collect(&self) -> Result<Vec<BatchItem>> {
        self.get().await?.try_collect().await
    }
}

/// Characters that the URL-safe and the plain alphabet have in common are all that both kinds of servers agree on; the
/// official client reads what comes back as the URL-safe one.
fn base64_text(bytes: &Bytes) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

struct Expected {
    name: String,
    /// Without the member's path: so clusters call what they could not find, sometimes.
    object: String,
    /// Bytes of the range that was asked for.
    length: Option<u64>,
    out: Out,
}

fn made(entry: &In) -> Out {
    Out {
        objname: entry.objname.clone(),
        archpath: entry.archpath.clone(),
        bucket: entry.bucket.clone(),
        provider: entry.provider.clone(),
        opaque: entry.opaque.clone(),
        ..Out::default()
    }
}

fn member_name(entry: &In, only_names: bool) -> String {
    let mut name = match only_names {
        true => entry.objname.clone(),
        false => format!("{}/{}", entry.bucket, entry.objname),
    };
    if !entry.archpath.is_empty() {
        name.push('/');
        name.push_str(entry.archpath.trim_start_matches('/'));
    }
    name
}

/// A member that is being collected.
struct Open {
    name: String,
    size: u64,
    content: BytesMut,
    first: Option<Bytes>,
}

impl Open {
    fn take(&mut self, piece: Bytes) {
        match self.first.take() {
            None if self.content.is_empty() => self.first = Some(piece),
            first => {
                if let Some(first) = first {
                    self.content
                        .reserve(usize::try_from(self.size).unwrap_or_default().min(1 << 24));
                    self.content.extend_from_slice(&first);
                }
                self.content.extend_from_slice(&piece);
            }
        }
    }

    fn finish(self) -> Bytes {
        self.first.unwrap_or_else(|| self.content.freeze())
    }
}

/// Members of the archive as items; exactly as many as expected.
fn items(
    archive: BoxStream<'static, Result<Bytes>>,
    format: Format,
    expected: Vec<Expected>,
    target: String,
) -> impl futures::Stream<Item = Result<BatchItem>> + Send + 'static {
    let bytes = archive.map_err(std::io::Error::other);
    // Asked once more after its end.
    let pieces = pieces(bytes, format).fuse();
    let count = expected.len();
    let state = (pieces, expected.into_iter().enumerate(), None::<Open>, target);
    stream::try_unfold(state, move |(mut pieces, mut expected, mut open, target)| async move {
        let wrong =
            |detail: String| Error::new(ErrorKind::Corrupt, "batch", target.clone(), detail);
        loop {
            let piece = pieces.try_next().await.map_err(|e| wrong(e.to_string()))?;
            let (finished, next, is_end) = match piece {
                Some(Piece::Content(piece)) => {
                    if let Some(open) = &mut open {
                        open.take(piece);
                    }
                    continue;
                }
                Some(Piece::Member(member)) => {
                    let next = Open {
                        name: member.name,
                        size: member.size,
                        content: BytesMut::new(),
                        first: None,
                    };
                    (open.take(), Some(next), false)
                }
                None => (open.take(), None, true),
            };
            open = next;
            let Some(finished) = finished else {
                if is_end {
                    let left = expected.len();
                    return match expected.next() {
                        None => Ok(None),
                        Some((_, entry)) => Err(wrong(format!(
                            "{left} of {count} entries did not come, from {} on",
                            entry.name
                        ))),
                    };
                }
                continue;
            };
            let Some((index, entry)) = expected.next() else {
                return Err(wrong(format!("a member that was not asked for: {}", finished.name)));
            };
            let item = item(index, entry, finished).map_err(wrong)?;
            return Ok(Some((item, (pieces, expected, open, target))));
        }
    })
}

fn item(index: usize, entry: Expected, open: Open) -> Result<BatchItem, String> {
    let missing = open.name.strip_prefix(MISSING_DIR).and_then(|name| name.strip_prefix('/'));
    let is_missing = open.size == 0 && missing.is_some();
    // The name in the reply may be shortened by the format; the order is what counts.
    let named = missing.filter(|_| is_missing).unwrap_or(&open.name);
    let is_object = is_missing && named == entry.object;
    if named != entry.name && named.trim_start_matches('/') != entry.name && !is_object {
        return Err(format!("the member {named} came where {} was to come", entry.name));
    }
    let member_name = open.name.clone();
    let content = open.finish();
    if let Some(length) = entry.length.filter(|_| !is_missing)
        && length != content.len() as u64
    {
        // Clusters that get an object from another node send all of it.
        let (name, sent) = (entry.name, content.len());
        return Err(format!("{length} bytes of {name} were asked for, the server sent {sent}"));
    }
    let mut out = entry.out;
    if is_missing && out.err_msg.is_empty() {
        out.err_msg = MISSING_TEXT.to_owned();
    }
    if !is_missing {
        out.size = i64::try_from(content.len()).unwrap_or(i64::MAX);
    }
    let content = match is_missing {
        true => Err(Missing { message: out.err_msg.clone() }),
        false => Ok(content),
    };
    Ok(BatchItem { index, member_name, out, content })
}
