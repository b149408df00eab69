//! An object through a chain of transformers.
//!
//! What went wrong with the transformer (it crashed, it was killed, it could not deliver) is tried again with the same
//! object: results count only when they are whole, so nothing is lost and nothing comes twice. What the transformer says
//! about the object is final, and so is a time that has run out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;

use super::callback::Delivery;
use super::spool::Spool;
use super::supervisor::{CRASHES, Etl, FAILED, Turn};
use super::talk::{Answer, Ask, Failure, Pieces, talk};
use super::{Allowed, Engine};
use crate::engine::pour::{Source, pour};
use crate::engine::writer::Sealed;
use crate::engine::{Bucket, Content, PutOptions, Work as _};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::ObjectMeta;

/// Tries of one object.
const ATTEMPTS: u32 = CRASHES;
/// Failures after which an object is tried with no other beside it.
const SUSPECT: u32 = 2;
/// Bytes of a result that are read before a reply begins: up to here, a failure is an error, or is tried again.
const AHEAD: usize = 1 << 20;

/// Transformers, one after the other.
#[derive(Clone)]
pub(crate) struct Chain {
    allowed: Arc<Allowed>,
    stages: Vec<Arc<Etl>>,
    args: String,
    /// Time for one object and transformer, if it is shorter than the transformer's own.
    timeout: Option<Duration>,
}

/// A result that is sent to a client.
pub(crate) struct Inline {
    /// Its beginning, or all of it.
    pub(crate) first: Bytes,
    /// What follows.
    pub(crate) rest: Option<std::pin::Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>,
}

/// What to do with a result.
#[derive(Clone, Copy)]
enum Want<'a> {
    /// Send it to a client.
    Reply,
    /// Make it an object.
    Object(&'a Bucket, &'a str),
    /// Give it to the next transformer.
    Next,
    /// Look whether there is one.
    Nothing,
}

enum Got {
    Reply(Inline),
    Sealed(Sealed),
    Next(Content),
    Size(u64),
}

impl Got {
    fn size(&self) -> u64 {
        match self {
            Self::Reply(reply) => reply.first.len() as u64,
            Self::Sealed(sealed) => sealed.meta().size,
            Self::Next(content) => content.size(),
            Self::Size(size) => *size,
        }
    }
}

impl Engine {
    /// The ETL of this name and those that follow, with these arguments.
    ///
    /// # Errors
    ///
    /// When one is not there.
    pub(crate) fn etl_chain(&self, name: &str, pipeline: &[String], args: &str) -> Result<Chain> {
        let allowed = Arc::clone(self.etl_allowed()?);
        let target = self.target_id();
        let find = |name: &String| {
            let found = allowed.known().get(name).cloned();
            found.ok_or_else(|| Error::not_found(format!("t[{target}]: {name} does not exist")))
        };
        let first = name.to_owned();
        let stages = std::iter::once(&first).chain(pipeline).map(find).collect::<Result<_>>()?;
        Ok(Chain { allowed, stages, args: args.to_owned(), timeout: None })
    }
}

impl Chain {
    /// The same with less time for each object.
    #[must_use]
    pub(crate) fn within(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout.filter(|timeout| !timeout.is_zero());
        self
    }

    /// Fails when one of the transformers does not run any more.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub(crate) fn check(&self) -> Result<()> {
        let stopped = |etl: &&Arc<Etl>| etl.stage() == holdall_ais_wire::etl::Stage::Aborted;
        self.stages.iter().find(stopped).map_or(Ok(()), |etl| Err(etl.gone()))
    }

    /// Records an object that was not transformed: in a job, or inline when the job's id is empty.
    pub(crate) fn failed(&self, job: &str, bucket: &Bucket, name: &str, error: &Error) {
        if let Some(etl) = self.stages.first() {
            etl.failed(job, format!("{}/{name}", bucket.bck().cname()), error);
        }
    }

    /// Transforms an object for a client.
    ///
    /// # Errors
    ///
    /// When it is not there, or is not transformed.
    pub(crate) async fn reply(
        &self,
        engine: &Arc<Engine>,
        bucket: &Bucket,
        name: &str,
    ) -> Result<Inline> {
        match self.run(engine, bucket, name, Want::Reply).await {
            Ok(Got::Reply(reply)) => Ok(reply),
            Ok(_) => Err(Error::internal("a result of another kind")),
            Err(error) => {
                self.failed("", bucket, name, &error);
                Err(error)
            }
        }
    }

    /// Transforms an object into another.
    ///
    /// # Errors
    ///
    /// When it is not there, is not transformed, or the result cannot be written.
    pub(crate) async fn write(
        &self,
        engine: &Arc<Engine>,
        (from, name): (&Bucket, &str),
        (to, to_name): (&Bucket, &str),
    ) -> Result<ObjectMeta> {
        match self.run(engine, from, name, Want::Object(to, to_name)).await? {
            Got::Sealed(sealed) => sealed.commit().await,
            _ => Err(Error::internal("a result of another kind")),
        }
    }

    /// Transforms an object and forgets the result; its size.
    ///
    /// # Errors
    ///
    /// When it is not there, or is not transformed.
    pub(crate) async fn try_out(
        &self,
        engine: &Arc<Engine>,
        bucket: &Bucket,
        name: &str,
    ) -> Result<u64> {
        Ok(self.run(engine, bucket, name, Want::Nothing).await?.size())
    }

    async fn run(
        &self,
        engine: &Arc<Engine>,
        bucket: &Bucket,
        name: &str,
        want: Want<'_>,
    ) -> Result<Got> {
        let (_, mut content) = engine.open(bucket, name).await?;
        let mut got = None;
        for (number, etl) in self.stages.iter().enumerate() {
            let last = number + 1 == self.stages.len();
            let step = Step {
                chain: self,
                engine,
                etl,
                object: (bucket, name),
                content: &content,
                stored: number == 0,
            };
            match step.run(if last { want } else { Want::Next }).await? {
                Got::Next(next) if !last => content = next,
                other => got = Some(other),
            }
        }
        got.ok_or_else(|| Error::internal("a chain without transformers"))
    }
}

/// One object at one transformer.
struct Step<'a> {
    chain: &'a Chain,
    engine: &'a Arc<Engine>,
    etl: &'a Arc<Etl>,
    object: (&'a Bucket, &'a str),
    content: &'a Content,
    stored: bool,
}

impl Step<'_> {
    async fn run(&self, want: Want<'_>) -> Result<Got> {
        let mut failures = 0;
        loop {
            let (_beside, _alone) = if failures < SUSPECT {
                (Some(self.etl.alone.read().await), None)
            } else {
                (None, Some(self.etl.alone.write().await))
            };
            let turn = Arc::new(self.etl.turn().await?);
            let time = self.time();
            let deadline = Instant::now() + time;
            let tried =
                tokio::time::timeout_at(deadline, self.attempt(&turn, want, deadline)).await;
            let (why, crashed) = match tried {
                Ok(Ok(got)) => {
                    self.etl.done(self.content.size(), got.size());
                    return Ok(got);
                }
                Ok(Err(Failure::Final(error))) => return Err(self.named(error)),
                Ok(Err(Failure::Lost(why))) => (why, true),
                Ok(Err(Failure::Again(why))) => (why, false),
                Err(_) => return Err(self.too_slow(time)),
            };
            failures += 1;
            if failures >= ATTEMPTS {
                let what = if crashed {
                    "the transformer went away"
                } else {
                    "the transformer could not deliver"
                };
                let text = format!(
                    "ETL error: {what} {failures} times while it had the object, last: {why}"
                );
                return Err(self.named(Error::new(ErrorKind::Transformer(FAILED), text)));
            }
            turn.settle(Duration::from_millis(100) * failures).await;
        }
    }

    fn time(&self) -> Duration {
        let own = self.etl.plan().object_timeout;
        self.chain.timeout.map_or(own, |timeout| timeout.min(own))
    }

    fn too_slow(&self, time: Duration) -> Error {
        let text = format!(
            "ETL error: timeout: the object was not transformed within {time:?} (obj_timeout)"
        );
        self.named(Error::new(ErrorKind::Transformer(408), text))
    }

    /// The error, with the names of the object and the transformer.
    fn named(&self, error: Error) -> Error {
        let (bucket, name) = self.object;
        match error.kind() {
            ErrorKind::Transformer(_) => {
                let text = format!(
                    "[etl={:?}] {}/{name}: {}",
                    self.etl.name(),
                    bucket.bck().cname(),
                    error.message()
                );
                Error::new(error.kind(), text)
            }
            _ => error,
        }
    }

    async fn attempt(
        &self,
        turn: &Arc<Turn>,
        want: Want<'_>,
        deadline: Instant,
    ) -> Result<Got, Failure> {
        let (bucket, name) = self.object;
        let allowed = &self.chain.allowed;
        let file = if self.etl.plan().as_file && self.stored {
            Some(File::of(self.engine, &allowed.place.folder, name, self.content).await?)
        } else {
            None
        };
        let delivery = match want {
            Want::Object(to, to_name) if self.etl.plan().direct_put => {
                Some(Delivery::expect(allowed, self.etl.name(), to, to_name)?)
            }
            _ => None,
        };
        let url =
            delivery.as_ref().map(|delivery| format!("{}/{}", allowed.place.url, delivery.token()));
        let ask = Ask {
            path: &format!("{}/{name}", bucket.bck().name),
            name,
            uname: &bucket.bck().uname(name),
            args: &self.chain.args,
            content: self.content,
            file: file.as_ref().map(File::path),
            stored: self.stored,
            deliver: url.as_deref(),
        };
        let answer = talk(self.etl, allowed, turn, &ask).await?;
        match (answer, delivery) {
            (Answer::Delivered, Some(delivery)) => {
                let sealed = delivery.take().ok_or_else(|| {
                    Failure::Again(
                        "the transformer says that it has delivered, and nothing came".into(),
                    )
                })?;
                Ok(Got::Sealed(sealed))
            }
            (Answer::Delivered, None) => {
                self.consume(Box::pin(futures::stream::empty()), want).await
            }
            (Answer::Result(pieces), Some(delivery)) => {
                let mut pieces = pieces.peekable();
                // Some say 200 for "delivered".
                if std::pin::Pin::new(&mut pieces).peek().await.is_none()
                    && let Some(sealed) = delivery.take()
                {
                    return Ok(Got::Sealed(sealed));
                }
                self.consume(Box::pin(pieces), want).await
            }
            (Answer::Result(pieces), None) if matches!(want, Want::Reply) => {
                reply(pieces, Arc::clone(turn), deadline, file).await.map(Got::Reply)
            }
            (Answer::Result(pieces), None) => self.consume(pieces, want).await,
        }
    }

    async fn consume(&self, pieces: Pieces, want: Want<'_>) -> Result<Got, Failure> {
        match want {
            Want::Reply => Ok(Got::Reply(Inline { first: gather(pieces).await?, rest: None })),
            Want::Nothing => {
                let mut pieces = pieces;
                let mut size = 0;
                while let Some(piece) = pieces.next().await {
                    size += piece?.len() as u64;
                }
                Ok(Got::Size(size))
            }
            Want::Object(to, name) => {
                let (engine, to, name) = (Arc::clone(self.engine), to.clone(), name.to_owned());
                let begin = move || engine.write_blocking(&to, &name, PutOptions::default());
                let writer = pour(&mut Streamed(pieces), begin).await?;
                Ok(Got::Sealed(self.engine.blocking(|_| writer.seal()).await?))
            }
            Want::Next => {
                // A content that is not an object's, and goes away with its last reader.
                let engine = Arc::clone(self.engine);
                let writer = pour(&mut Streamed(pieces), move || Spool::new(&engine)).await?;
                Ok(Got::Next(self.engine.blocking(move |_| writer.finish()).await?))
            }
        }
    }
}

async fn gather(mut pieces: Pieces) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all.freeze())
}

/// Reads ahead; what is longer comes as a stream, which breaks when the transformer does.
async fn reply(
    mut pieces: Pieces,
    turn: Arc<Turn>,
    deadline: Instant,
    file: Option<File>,
) -> Result<Inline, Failure> {
    let mut first = BytesMut::new();
    while first.len() < AHEAD {
        match pieces.next().await {
            Some(piece) => first.extend_from_slice(&piece?),
            None => return Ok(Inline { first: first.freeze(), rest: None }),
        }
    }
    let rest =
        futures::stream::unfold((pieces, turn, file), move |(mut pieces, turn, file)| async move {
            let next = tokio::time::timeout_at(deadline, pieces.next()).await;
            let piece = match next {
                Ok(None) => return None,
                Ok(Some(Ok(piece))) => Ok(piece),
                Ok(Some(Err(Failure::Final(error)))) => Err(error.into()),
                Ok(Some(Err(Failure::Lost(why) | Failure::Again(why)))) => {
                    Err(io::Error::other(why))
                }
                Err(_) => {
                    Err(io::Error::new(io::ErrorKind::TimedOut, "the transformer was too slow"))
                }
            };
            Some((piece, (pieces, turn, file)))
        });
    Ok(Inline { first: first.freeze(), rest: Some(Box::pin(rest)) })
}

/// Pieces of a stream.
pub(super) struct Streamed<S>(pub(super) S);

impl<S, E> Source for Streamed<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin + Send,
    E: From<Error>,
{
    type Error = E;

    async fn next(&mut self) -> Result<Option<Bytes>, E> {
        self.0.next().await.transpose()
    }
}

/// Where files for transformers are.
const FILES: &str = "files";

/// Removes what a server that was killed left.
pub(super) fn clean(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder.join(FILES)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// An object as a file under its own name: a copy, because whoever gets a file may write to it.
struct File(PathBuf);

impl File {
    async fn of(
        engine: &Arc<Engine>,
        folder: &Path,
        name: &str,
        content: &Content,
    ) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = folder.join(FILES).join(format!("{:x}-{number}", std::process::id()));
        let base = name.rsplit('/').next().unwrap_or(name);
        // File systems take names of 255 bytes.
        let start = (base.len().saturating_sub(255)..base.len())
            .find(|&at| base.is_char_boundary(at))
            .unwrap_or_default();
        let file = Self(folder.join(&base[start..]));
        let (path, content) = (file.0.clone(), content.clone());
        engine
            .heavy(move |_| {
                std::fs::create_dir_all(&folder)?;
                io::copy(&mut content.reader(), &mut std::fs::File::create(path)?)?;
                Ok(())
            })
            .await?;
        Ok(file)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(folder) = self.0.parent() {
            // What stays is removed when the server starts.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
