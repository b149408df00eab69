//! dSort on the objects of this server.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use holdall_ais_wire::{
    Bck,
    dsort::{JobInfo, Spec},
    job::{JobArgs, kind},
};
use holdall_archive::Source;
use regex::Regex;

use super::{
    Bucket, Content, Engine, PutOptions,
    multi::Names,
    remote::{Admission, wait_blocking},
    writer::Sealed,
};
use crate::{
    dsort::{self, Output, Pending, Plan, Progress, Shard, Spool, Store},
    error::{Error, ErrorKind, Result},
    jobs::{Job, NewJob},
    storage::{BlobId, BlobWriter, Blobs, ObjectMeta},
};

mod key_map;

/// Runs that are remembered, from the oldest to the newest.
#[derive(Default)]
pub(super) struct Sorts(Mutex<BTreeMap<String, Run>>);

#[derive(Clone)]
struct Run {
    job: Job,
    progress: Arc<Progress>,
}

impl Sorts {
    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Starts a run; its id. The output bucket is made if it is not there.
    ///
    /// # Errors
    ///
    /// When the specification is wrong, or the input bucket is not there.
    pub async fn start_sort(self: &Arc<Self>, spec: Spec) -> Result<String> {
        let plan = Plan::new(spec)?;
        let input = self.admit(plan.input(), &Admission::default()).await?;
        let output = self.bucket_or_create(plan.output(), &input).await?;
        let new = NewJob::between(kind::DSORT, input.bck(), output.bck());
        let job = self.jobs().begin(new);
        let progress = Arc::new(Progress::new(&plan, &job));
        let run = Run { job: job.clone(), progress: Arc::clone(&progress) };
        let id = job.id().to_owned();
        self.sorts().runs().insert(id.clone(), run);
        let store = Objects { engine: Arc::clone(self), input, output };
        let (worker_job, worker_progress) = (job.clone(), Arc::clone(&progress));
        let work = tokio::task::spawn_blocking(move || {
            dsort::run(&plan, &store, &worker_job, &worker_progress)
        });
        tokio::spawn(async move {
            let ended = |e| Error::internal("the job ended abnormally").with_source(e);
            let result = work.await.map_err(ended).and_then(|result| result);
            progress.end(result.as_ref().err());
            job.finish(result);
        });
        Ok(id)
    }

    /// How far a run is.
    ///
    /// # Errors
    ///
    /// When there is none with this id.
    pub fn sort_info(&self, id: &str) -> Result<JobInfo> {
        self.sort_run(id).map(|run| run.progress.info())
    }

    /// All runs whose descriptions match; or only those that are not finished.
    ///
    /// # Errors
    ///
    /// When the expression is none.
    pub fn list_sorts(&self, description: &str, only_active: bool) -> Result<Vec<JobInfo>> {
        let pattern = Regex::new(description)
            .map_err(|error| Error::invalid(format!("invalid regex {description:?}: {error}")))?;
        let mut infos: Vec<JobInfo> =
            self.sorts().runs().values().map(|run| run.progress.info()).collect();
        infos.retain(|info| {
            let text = info.metrics.as_ref().map_or("", |metrics| metrics.description.as_str());
            pattern.is_match(text) && !(only_active && info.archived)
        });
        infos.sort_by_key(|info| info.started_time);
        // A list shows no details.
        for info in &mut infos {
            info.metrics = None;
        }
        Ok(infos)
    }

    /// Stops a run.
    ///
    /// # Errors
    ///
    /// When there is none with this id.
    pub fn abort_sort(&self, id: &str) -> Result<()> {
        self.sort_run(id)?;
        self.jobs().stop(&JobArgs { id: id.to_owned(), ..JobArgs::default() })
    }

    /// Forgets a run that has ended.
    ///
    /// # Errors
    ///
    /// When there is none with this id, or it goes on.
    pub fn remove_sort(&self, id: &str) -> Result<()> {
        if !self.sort_info(id)?.archived {
            let text = format!(
                "dsort process {id} still in progress and cannot be removed: abort it first"
            );
            return Err(Error::invalid(text));
        }
        self.sorts().runs().remove(id);
        Ok(())
    }

    fn sort_run(&self, id: &str) -> Result<Run> {
        let missing = || {
            let target = self.target_id();
            Error::not_found(format!("t[{target}]: [dsort] {id} does not exist"))
        };
        let run = self.sorts().runs().get(id).cloned();
        run.filter(|run| run.job.id() == id).ok_or_else(missing)
    }
}

struct Objects {
    engine: Arc<Engine>,
    input: Bucket,
    output: Bucket,
}

impl Store for Objects {
    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        if self.input.is_remote() {
            return self.list_there(prefix);
        }
        const PAGE: usize = 1024;
        let mut names: Vec<String> = Vec::new();
        loop {
            let from = names.last().map_or(Bound::Unbounded, |last| Bound::Excluded(last.as_str()));
            let meta = self.engine.storage().meta();
            let page = meta.scan(self.input.bid(), from, prefix, PAGE)?;
            let ended = page.len() < PAGE;
            names.extend(page.into_iter().map(|(name, _)| name));
            if ended {
                return Ok(names);
            }
        }
    }

    fn shard(&self, name: &str) -> Result<Option<Box<dyn Shard>>> {
        match self.engine.bring_blocking(&self.input, name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            brought => brought?,
        }
        let meta = self.engine.storage().meta().object(self.input.bid(), name)?;
        Ok(meta.map(|meta| {
            let cname = format!("{}/{name}", self.input.bck());
            Box::new(InputShard { engine: Arc::clone(&self.engine), meta, cname }) as _
        }))
    }

    fn spool(&self) -> Result<Box<dyn Spool>> {
        let blobs = Arc::clone(self.engine.storage().blobs());
        let blob = blobs.create()?;
        Ok(Box::new(SpoolWriter { blobs, blob, size: 0 }))
    }

    fn create(&self, name: &str) -> Result<Box<dyn Output>> {
        let writer = self.engine.write_blocking(&self.output, name, PutOptions::default())?;
        Ok(Box::new(OutputShard(writer)))
    }

    fn key_map(&self, url: &str) -> Result<Vec<u8>> {
        match key_map::own_object(self.engine.url(), url)? {
            Some((bck, name)) => self.read_object(&bck, &name),
            None => key_map::fetch(url),
        }
    }
}

impl Objects {
    fn list_there(&self, prefix: &str) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let mut names = Names::prefix(prefix, true)?;
        loop {
            let (page, rest) = wait_blocking(names.page(&self.engine, &self.input))?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
            names = rest;
        }
    }

    fn read_object(&self, bck: &Bck, name: &str) -> Result<Vec<u8>> {
        let bucket = self.engine.bucket(bck)?;
        self.engine.bring_blocking(&bucket, name)?;
        let (meta, content) = self.engine.open_blocking(&bucket, name)?;
        key_map::check_size(meta.size)?;
        Ok(content.read_range(0..meta.size)?.to_vec())
    }
}

/// A shard as it was when it was looked up.
struct InputShard {
    engine: Arc<Engine>,
    meta: ObjectMeta,
    cname: String,
}

impl Shard for InputShard {
    fn open(&self) -> Result<Arc<dyn Source>> {
        match Content::open(&self.meta, self.engine.storage().blobs()) {
            Ok(content) => Ok(Arc::new(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let cname = &self.cname;
                Err(Error::invalid(format!(
                    "dsort: {cname} was replaced or deleted while it was read"
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn size(&self) -> u64 {
        self.meta.size
    }
}

/// Room for contents of compressed shards.
struct SpoolWriter {
    blobs: Arc<dyn Blobs>,
    blob: Box<dyn BlobWriter>,
    size: u64,
}

impl Write for SpoolWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blob.write(bytes)?;
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Spool for SpoolWriter {
    fn finish(self: Box<Self>) -> Result<Box<dyn Shard>> {
        let Self { blobs, blob, size } = *self;
        let id = blob.id();
        blob.finish()?;
        Ok(Box::new(Spooled { blobs, id, size }))
    }
}

/// Contents of a compressed shard, until this is dropped.
struct Spooled {
    blobs: Arc<dyn Blobs>,
    id: BlobId,
    size: u64,
}

impl Shard for Spooled {
    fn open(&self) -> Result<Arc<dyn Source>> {
        let meta = ObjectMeta {
            content: vec![crate::storage::Chunk { blob: self.id, size: self.size }],
            ..ObjectMeta::default()
        };
        Ok(Arc::new(Content::open(&meta, &self.blobs)?))
    }

    fn size(&self) -> u64 {
        self.size
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        if let Err(error) = self.blobs.remove(self.id) {
            // The next start sweeps it.
            tracing::warn!(%error, "a temporary file could not be removed");
        }
    }
}

/// A shard that is being written.
struct OutputShard(super::Writer);

impl Write for OutputShard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.0, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for OutputShard {
    fn finish(self: Box<Self>) -> Result<Box<dyn Pending>> {
        Ok(Box::new(SealedShard(self.0.seal()?)))
    }
}

/// A shard that only needs to be named.
struct SealedShard(Sealed);

impl Pending for SealedShard {
    fn commit(self: Box<Self>) -> Result<()> {
        self.0.commit_blocking().map(drop)
    }

    fn size(&self) -> u64 {
        self.0.meta().size
    }
}
