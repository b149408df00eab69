//! Get-batch: many objects, parts of objects and members of archives in one archive, in the order of the request.

use std::{
    collections::{HashSet, VecDeque},
    io::{self, Read},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use holdall_ais_wire::{
    Bck, Provider,
    batch::{In, MISSING_DIR, Out, Reply, Request},
    error::code,
    job::kind,
    name::check_object,
};
use holdall_archive::{Format, Member, Writer, pipe};
use tokio::sync::oneshot;

use super::{
    Bucket, Engine, Work as _,
    archive::{format_of, format_of_mime},
    content::{Content, PIECE},
};
use crate::{
    error::{Error, ErrorKind, Result},
    jobs::{Inside, Job, NewJob},
    storage::ObjectMeta,
};

/// How many entries may be missing although the request is to go on after errors: AIStore's default.
pub const MAX_SOFT_ERRORS: usize = 8;

/// Entries that are looked up at once.
const LOOKUPS: usize = 64;

/// A checked request.
pub struct Batch {
    engine: Arc<Engine>,
    job: Job,
    /// The job counts as working until this is gone.
    inside: Inside,
    format: Format,
    entries: Vec<Entry>,
    go_on: bool,
}

struct Entry {
    bucket: Bucket,
    ask: In,
    /// Its name in the archive.
    member: String,
    /// Whether others are wanted of the same object, too.
    shared: bool,
}

/// Something to put into the archive.
struct Opened {
    size: u64,
    modified: u64,
    content: Wanted,
}

/// Its content.
enum Wanted {
    Whole(Content),
    Part(Box<dyn Read + Send>),
}

/// An archive that is made while it is read.
pub type Archive = BoxStream<'static, io::Result<Bytes>>;

/// The bucket and the object of an entry; `default` is the request's bucket.
///
/// # Errors
///
/// When it names none.
pub fn place(default: Option<&Bck>, entry: &In) -> Result<(Bck, String)> {
    let name = entry.objname.clone();
    if !entry.uname.is_empty() {
        let parsed = Bck::parse_uname(&entry.uname).map_err(|e| Error::invalid(e.to_string()))?;
        return Ok((parsed.0, if name.is_empty() { parsed.1 } else { name }));
    }
    if entry.bucket.is_empty() {
        let missing =
            || Error::invalid(format!("missing bucket specification for object {name:?}"));
        return Ok((default.cloned().ok_or_else(missing)?, name));
    }
    let unknown = |e: holdall_ais_wire::bucket::UnknownProvider| Error::invalid(e.to_string());
    let provider: Provider = entry.provider.parse().map_err(unknown)?;
    // The namespace is only said by the default bucket.
    let same = default.filter(|bck| bck.name == entry.bucket && bck.provider == provider);
    Ok((same.cloned().unwrap_or(Bck { provider, ..Bck::ais(entry.bucket.as_str()) }), name))
}

impl Engine {
    /// Checks a request; its entries belong to `default` where they name no bucket.
    ///
    /// # Errors
    ///
    /// When nothing is asked for, the format is none, a bucket is not there, or an entry cannot be.
    pub fn batch(self: &Arc<Self>, default: Option<&Bck>, request: Request) -> Result<Batch> {
        if request.entries.is_empty() {
            return Err(Error::invalid("moss: empty input"));
        }
        let format = match request.mime.as_str() {
            "" => Format::Tar,
            mime => format_of_mime(mime)?,
        };
        if let Some(bck) = default {
            self.bucket(bck)?;
        }
        let shared = shared(&request.entries);
        let mut entries: Vec<Entry> = Vec::with_capacity(request.entries.len());
        for (ask, shared) in request.entries.into_iter().zip(shared) {
            let last = entries.last();
            let made = self.batch_entry(default, ask, request.only_object_names, shared, last)?;
            entries.push(made);
        }
        if format == Format::Zip {
            let mut names = HashSet::new();
            if let Some(twice) = entries.iter().find(|entry| !names.insert(&entry.member)) {
                let member = &twice.member;
                return Err(Error::invalid(format!(
                    "moss: {member:?} is asked for twice, which a .zip cannot hold: ask for a .tar"
                )));
            }
        }
        let mut new = NewJob { kind: kind::GET_BATCH, bck: default.cloned(), ..NewJob::default() };
        new.workers = 1;
        let job = self.jobs().join(new);
        let inside = job.enter();
        Ok(Batch { engine: Arc::clone(self), job, inside, format, entries, go_on: request.coer })
    }

    fn batch_entry(
        &self,
        default: Option<&Bck>,
        ask: In,
        only_names: bool,
        shared: bool,
        last: Option<&Entry>,
    ) -> Result<Entry> {
        let mut ask = ask;
        // Most batches are of one bucket.
        let bucket = match last.filter(|last| is_of_same_bucket(&last.ask, &ask)) {
            Some(last) => last.bucket.clone(),
            None => {
                let (bck, name) = place(default, &ask)?;
                ask.objname = name;
                self.bucket(&bck)?
            }
        };
        check_object(&ask.objname)?;
        let (start, length) = (ask.start.unwrap_or(0), ask.length);
        let bad_length = length.is_some_and(|length| length == 0 || length < -1);
        if start < 0 || bad_length {
            let (name, length) = (&ask.objname, length.unwrap_or(-1));
            return Err(Error::invalid(format!(
                "moss: invalid range [start={start},length={length}] of {name:?}: expecting a start of at least 0, and \
                 a positive length or -1"
            )));
        }
        let mut member = String::new();
        if !only_names {
            member.push_str(&bucket.bck().name);
            member.push('/');
        }
        member.push_str(&ask.objname);
        if !ask.archpath.is_empty() {
            member.push('/');
            member.push_str(ask.archpath.trim_start_matches('/'));
        }
        Ok(Entry { bucket, ask, member, shared })
    }
}

impl Batch {
    /// The archive's format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The id of the job.
    pub fn id(&self) -> &str {
        self.job.id()
    }

    /// The archive, at once. What goes wrong later breaks the stream off.
    ///
    /// # Errors
    ///
    /// What is known to be wrong before anything is read.
    pub async fn stream(self) -> Result<Archive> {
        let (begun, answer) = oneshot::channel();
        let engine = Arc::clone(&self.engine);
        let work = move || match self.check() {
            // Who asked is gone, or gets the error.
            Err(error) => drop(begun.send(Err(error))),
            Ok(()) => {
                let (chunks, stream) = pipe::channel();
                if begun.send(Ok(stream)).is_ok() {
                    self.write(chunks, None);
                }
            }
        };
        engine.produce(work);
        let ended = |_| Error::internal("the reading thread ended abnormally");
        Ok(answer.await.map_err(ended)??.boxed())
    }

    /// What there is of each entry, and then the archive.
    ///
    /// # Errors
    ///
    /// What is wrong with any entry, unless the request is to go on after it.
    pub async fn describe(self) -> Result<(Reply, Archive)> {
        let engine = Arc::clone(&self.engine);
        // Objects may have to be brought here first, which takes long.
        let (outs, batch) = if self.entries.iter().any(|entry| entry.bucket.is_remote()) {
            engine.heavy(move |_| Ok((self.look()?, self))).await?
        } else {
            engine.blocking(move |_| Ok((self.look()?, self))).await?
        };
        let reply = Reply { uuid: batch.id().to_owned(), out: outs.clone() };
        let (chunks, stream) = pipe::channel();
        engine.produce(move || batch.write(chunks, Some(&outs)));
        Ok((reply, stream.boxed()))
    }

    /// Whether there is an error that can be told before anything is sent: what is found only later breaks the stream
    /// off, and clients take that for a broken connection. Members of archives are looked for only where one that is
    /// missing is an error.
    fn check(&self) -> Result<()> {
        let mut soft = 0;
        for group in self.entries.chunks(LOOKUPS) {
            // Of those that are wanted whole, that is all that can be wrong.
            let whole = |entry: &Entry| entry.ask.archpath.is_empty() && is_whole(&entry.ask);
            if group.iter().all(whole) && self.are_here(group)? {
                self.job.check()?;
                continue;
            }
            for (entry, known) in group.iter().zip(self.look_up(group)?) {
                self.job.check()?;
                let in_archive = !entry.ask.archpath.is_empty();
                let checked = if in_archive && !self.go_on {
                    self.open(entry, known).map(drop)
                } else {
                    self.check_object(entry, known, in_archive)
                };
                if let Err(error) = checked {
                    self.soft(&error, &mut soft)?;
                }
            }
        }
        Ok(())
    }

    /// Whether all entries are here, and no backend has others.
    fn are_here(&self, entries: &[Entry]) -> Result<bool> {
        let is_ours = entries.iter().all(|entry| !entry.bucket.is_remote());
        Ok(is_ours && self.engine.storage().meta().has_objects(places(entries))?)
    }

    /// What is here of each entry; none of those that a backend has.
    fn look_up(&self, entries: &[Entry]) -> Result<Vec<Option<ObjectMeta>>> {
        let mut known = self.engine.storage().meta().objects(places(entries))?;
        for (known, entry) in known.iter_mut().zip(entries) {
            known.take_if(|_| entry.bucket.is_remote());
        }
        Ok(known)
    }

    fn check_object(
        &self,
        entry: &Entry,
        known: Option<ObjectMeta>,
        in_archive: bool,
    ) -> Result<()> {
        let (bucket, name) = (&entry.bucket, &entry.ask.objname);
        let meta = if known.is_some() {
            known
        } else {
            self.engine.bring_blocking(bucket, name)?;
            self.engine.storage().meta().object(bucket.bid(), name)?
        };
        let meta = meta.ok_or_else(|| self.engine.no_object(bucket, name))?;
        if in_archive { Ok(()) } else { range(&entry.ask, meta.size).map(drop) }
    }

    /// What there is of each entry.
    fn look(&self) -> Result<Vec<Out>> {
        let mut soft = 0;
        let mut outs = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            self.job.check()?;
            let In { objname, archpath, opaque, .. } = &entry.ask;
            let mut out = Out {
                objname: objname.clone(),
                archpath: archpath.clone(),
                bucket: entry.bucket.bck().name.clone(),
                provider: entry.bucket.bck().provider.to_string(),
                opaque: opaque.clone(),
                ..Out::default()
            };
            match self.open(entry, None) {
                Ok(opened) => out.size = i64::try_from(opened.size).unwrap_or(i64::MAX),
                Err(error) => {
                    self.soft(&error, &mut soft)?;
                    out.err_msg = error.message().to_owned();
                }
            }
            outs.push(out);
        }
        Ok(outs)
    }

    /// Writes the archive. An error is the stream's end.
    fn write(self, chunks: pipe::ChunkWriter, described: Option<&[Out]>) {
        match self.write_entries(chunks, described) {
            Ok(()) => {}
            // The client went away.
            Err(error) if is_broken_pipe(&error) => {}
            Err(error) => {
                tracing::warn!(job = self.job.id(), %error, "a batch broke off");
                self.job.record(&error);
            }
        }
        drop(self.inside);
    }

    fn write_entries(&self, chunks: pipe::ChunkWriter, described: Option<&[Out]>) -> Result<()> {
        let failed = |error: holdall_archive::Error| Error::from(io::Error::from(error));
        let mut writer = Writer::new(chunks, self.format).map_err(failed)?;
        let mut soft = 0;
        let mut known = VecDeque::new();
        for (index, entry) in self.entries.iter().enumerate() {
            self.job.check()?;
            if known.is_empty() {
                let rest = &self.entries[index..];
                known = self.look_up(&rest[..rest.len().min(LOOKUPS)])?.into();
            }
            let opened = self.open(entry, known.pop_front().flatten());
            if let Some(out) = described.and_then(|outs| outs.get(index)) {
                let size = opened.as_ref().map_or(0, |opened| opened.size);
                if i64::try_from(size) != Ok(out.size) || opened.is_err() == out.err_msg.is_empty()
                {
                    let text = format!("moss: {:?} was changed while it was read", entry.member);
                    return Err(Error::new(ErrorKind::Conflict, text));
                }
            }
            match opened {
                Ok(Opened { size, modified, content }) => {
                    let member = Member::file(&entry.member, size).modified_at(modified);
                    let content: Box<dyn Read + Send> = match content {
                        Wanted::Whole(content) if size <= PIECE as u64 => {
                            let bytes = content.read_range(0..size)?;
                            writer.append_bytes(&member, &bytes).map_err(failed)?;
                            self.job.count(size);
                            continue;
                        }
                        Wanted::Whole(content) => Box::new(content.reader()),
                        Wanted::Part(content) => content,
                    };
                    let mut content = Stoppable { content, job: &self.job };
                    writer.append(&member, &mut content).map_err(failed)?;
                    self.job.count(size);
                }
                Err(error) => {
                    self.soft(&error, &mut soft)?;
                    let name = format!("{MISSING_DIR}/{}", entry.member);
                    writer.append(&Member::file(name, 0), &mut io::empty()).map_err(failed)?;
                }
            }
        }
        let chunks = writer.finish().map_err(failed)?;
        // Who does not read on is not to be told.
        drop(chunks.finish());
        Ok(())
    }

    fn is_soft(&self, error: &Error) -> bool {
        self.go_on && error.kind() == ErrorKind::NotFound
    }

    /// Counts an entry that is missing.
    ///
    /// # Errors
    ///
    /// When it must not be, or there are too many.
    fn soft(&self, error: &Error, count: &mut usize) -> Result<()> {
        if !self.is_soft(error) {
            return Err(Error::new(error.kind(), error.message()).with_code(error.code()));
        }
        *count += 1;
        if *count > MAX_SOFT_ERRORS {
            return Err(Error::invalid(format!(
                "x-get-batch[{}]: exceeded soft-errors limit: {count} (max: {MAX_SOFT_ERRORS})",
                self.job.id()
            )));
        }
        Ok(())
    }

    fn open(&self, entry: &Entry, known: Option<ObjectMeta>) -> Result<Opened> {
        let Entry { bucket, ask, shared, .. } = entry;
        self.engine.bring_blocking(bucket, &ask.objname)?;
        let (meta, content) = self.engine.open_known_blocking(bucket, &ask.objname, known)?;
        let modified = u64::try_from(meta.mtime / 1_000_000_000).unwrap_or(0);
        if ask.archpath.is_empty() {
            let (start, size) = range(ask, meta.size)?;
            let content = if size == meta.size {
                Wanted::Whole(content)
            } else {
                Wanted::Part(Box::new(holdall_archive::read_at(Arc::new(content), start, size)?))
            };
            return Ok(Opened { size, modified, content });
        }
        let place = (bucket, ask.objname.as_str());
        let format = format_of("", &ask.objname, &content)?;
        let opened = (&meta, &content);
        let found =
            self.engine.find_member_blocking(place, opened, format, &ask.archpath, *shared)?;
        let (start, size) = range(ask, found.size())?;
        Ok(Opened { size, modified, content: Wanted::Part(found.reader(&content, start, size)?) })
    }
}

/// Where the objects of entries are, as the metadata has them.
fn places(entries: &[Entry]) -> impl Iterator<Item = (u64, &str)> {
    entries.iter().map(|entry| (entry.bucket.bid(), entry.ask.objname.as_str()))
}

/// Which entries are members of archives of which others are wanted, too.
fn shared(entries: &[In]) -> Vec<bool> {
    fn key(entry: &In) -> [&str; 4] {
        [&entry.bucket, &entry.provider, &entry.uname, &entry.objname]
    }
    let mut seen = HashSet::new();
    let mut shared = HashSet::new();
    for entry in entries.iter().filter(|entry| !entry.archpath.is_empty()) {
        if !seen.insert(key(entry)) {
            shared.insert(key(entry));
        }
    }
    entries.iter().map(|entry| !shared.is_empty() && shared.contains(&key(entry))).collect()
}

fn is_of_same_bucket(one: &In, other: &In) -> bool {
    let by_name = one.uname.is_empty() && other.uname.is_empty();
    by_name && one.bucket == other.bucket && one.provider == other.provider
}

fn is_whole(ask: &In) -> bool {
    ask.start.is_none() && ask.length.is_none()
}

/// First byte and length of what is asked for, of something with `size` bytes.
fn range(ask: &In, size: u64) -> Result<(u64, u64)> {
    let start = u64::try_from(ask.start.unwrap_or(0)).unwrap_or(0);
    let rest = size.checked_sub(start);
    let wanted = ask.length.and_then(|length| u64::try_from(length).ok());
    match (rest, wanted) {
        (Some(rest), None) if rest > 0 || is_whole(ask) => Ok((start, rest)),
        (Some(rest), Some(wanted)) if wanted <= rest => Ok((start, wanted)),
        _ => {
            let length = ask.length.unwrap_or(-1);
            let text =
                format!("size={size}: not satisfiable range [start={start},length={length}]");
            // AIStore answers 400 here.
            Err(Error::invalid(text).with_code(code::RANGE))
        }
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}

/// Content that ends with an error when the job is stopped.
struct Stoppable<'a> {
    content: Box<dyn Read + Send>,
    job: &'a Job,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.job.check()?;
        self.content.read(buffer)
    }
}
