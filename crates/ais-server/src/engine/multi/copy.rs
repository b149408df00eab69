//! Copying many objects, and whole buckets; transforming them on the way.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use holdall_ais_wire::{
    Bck,
    job::kind,
    multi::{CopyMsg, EtlMsg, Selection},
    value::parse_duration,
};
use holdall_store::OddKey;

use super::names::{Names, describe};
use crate::{
    engine::{Bucket, Engine, etl::Chain, now, remote::Want},
    error::{Error, ErrorKind, Result},
    jobs::{Job, NewJob},
};

/// Objects copied at once, where the request does not say. More does not make one disk faster.
const WORKERS: usize = 4;
/// Most that a request can have.
const MOST_WORKERS: usize = 64;

/// One copying job.
struct Copying {
    engine: Arc<Engine>,
    job: Job,
    from: Bucket,
    /// None for a trial run into a bucket that is not there.
    to: Option<Bucket>,
    message: CopyMsg,
    /// What transforms the objects; none for copies.
    by: Option<Chain>,
    /// Whether a name that is not there is an error.
    strict: bool,
}

impl Engine {
    /// Starts to copy a bucket; the id of the job. The destination is made if it is not there.
    ///
    /// # Errors
    ///
    /// As [`check_copy`]; when the destination cannot be made.
    pub async fn copy_bucket(
        self: &Arc<Self>,
        from: &Bucket,
        to: &Bck,
        message: CopyMsg,
    ) -> Result<String> {
        check_copy(&message)?;
        // Onto itself, what is here of a remote bucket becomes what is there.
        if from.bck() == to && !message.dry_run && !from.is_remote() {
            return Err(Error::invalid(format!("cannot copy-bck bucket \"{to}\" onto itself")));
        }
        let names = Names::prefix(&message.prefix, !message.non_recursive)?;
        let destination = self.destination(from, to, &message).await?;
        let mut new = NewJob::between(kind::COPY_BCK, from.bck(), to);
        new.about = about(from.bck(), to, &message);
        Ok(self.start_copy(new, from, destination, message, names, None))
    }

    /// Starts to copy objects; the id of the job. The destination is made if it is not there.
    ///
    /// # Errors
    ///
    /// As [`check_copy`]; when the template is none or the destination cannot be made.
    pub async fn copy_objects(
        self: &Arc<Self>,
        from: &Bucket,
        to: &Bck,
        selection: &Selection,
        message: CopyMsg,
    ) -> Result<String> {
        check_copy(&message)?;
        let names = Names::new(selection, !message.non_recursive)?;
        let destination = self.destination(from, to, &message).await?;
        let mut new = NewJob::between(kind::COPY_OBJECTS, from.bck(), to);
        new.about = format!("{} [{}]", about(from.bck(), to, &message), describe(selection));
        Ok(self.start_copy(new, from, destination, message, names, None))
    }

    /// Starts to transform a bucket into another; the id of the job. The destination is made if it is not there.
    ///
    /// # Errors
    ///
    /// As [`copy_bucket`](Self::copy_bucket); when an ETL is not there.
    pub async fn transform_bucket(
        self: &Arc<Self>,
        from: &Bucket,
        to: &Bck,
        message: CopyMsg,
        etl: &EtlMsg,
    ) -> Result<String> {
        check_copy(&message)?;
        if from.bck() == to && !message.dry_run && message.prepend.is_empty() {
            return Err(Error::invalid(format!("cannot etl-bck bucket \"{to}\" onto itself")));
        }
        let by = self.chain(etl)?;
        let names = Names::prefix(&message.prefix, !message.non_recursive)?;
        let destination = self.destination(from, to, &message).await?;
        let mut new = NewJob::between(kind::ETL_BCK, from.bck(), to);
        new.about = format!("etl {}: {}", chain_name(etl), about(from.bck(), to, &message));
        Ok(self.start_copy(new, from, destination, message, names, Some(by)))
    }

    /// Starts to transform objects; the id of the job. The destination is made if it is not there.
    ///
    /// # Errors
    ///
    /// As [`copy_objects`](Self::copy_objects); when an ETL is not there.
    pub async fn transform_objects(
        self: &Arc<Self>,
        from: &Bucket,
        to: &Bck,
        selection: &Selection,
        message: CopyMsg,
        etl: &EtlMsg,
    ) -> Result<String> {
        check_copy(&message)?;
        let by = self.chain(etl)?;
        let names = Names::new(selection, !message.non_recursive)?;
        let destination = self.destination(from, to, &message).await?;
        let mut new = NewJob::between(kind::ETL_OBJECTS, from.bck(), to);
        let what = format!("{} [{}]", about(from.bck(), to, &message), describe(selection));
        new.about = format!("etl {}: {what}", chain_name(etl));
        Ok(self.start_copy(new, from, destination, message, names, Some(by)))
    }

    fn chain(&self, etl: &EtlMsg) -> Result<Chain> {
        let time = etl.request_timeout.as_str();
        let time = if time.is_empty() { None } else { Some(parse_duration(time)) };
        let time = time.transpose().map_err(|e| Error::invalid(format!("request_timeout: {e}")))?;
        if etl.id.is_empty() {
            return Err(Error::invalid("the name of the ETL is missing"));
        }
        let chain =
            self.etl_chain(&etl.id, &etl.pipeline, "").map_err(|error| match error.kind() {
                ErrorKind::NotFound => {
                    Error::not_found(format!("ETL {} doesn't exist", chain_name(etl)))
                }
                _ => error,
            })?;
        chain.check()?;
        Ok(chain.within(time))
    }

    async fn destination(
        self: &Arc<Self>,
        from: &Bucket,
        to: &Bck,
        message: &CopyMsg,
    ) -> Result<Option<Bucket>> {
        if message.dry_run {
            return Ok(self.bucket(to).ok());
        }
        self.bucket_or_create(to, from).await.map(Some)
    }

    fn start_copy(
        self: &Arc<Self>,
        mut new: NewJob,
        from: &Bucket,
        to: Option<Bucket>,
        message: CopyMsg,
        names: Names,
        by: Option<Chain>,
    ) -> String {
        let workers = match usize::try_from(message.num_workers) {
            Ok(0) => WORKERS,
            Ok(workers) => workers.min(MOST_WORKERS),
            // Negative: none beside the job's own.
            Err(_) => 1,
        };
        new.workers = workers as u64;
        let (engine, from) = (Arc::clone(self), from.clone());
        self.jobs().spawn(new, |job| async move {
            let same = to.as_ref().is_some_and(|to| to.bid() == from.bid());
            // Or else the copies would be copied, and so on.
            let names = if same { names.before(now()) } else { names };
            let strict = names.is_list();
            let copying = Copying { engine, job, from, to, message, by, strict };
            copying.run(names, workers).await
        })
    }
}

impl Copying {
    async fn run(self, mut names: Names, workers: usize) -> Result<()> {
        let whole = !self.strict;
        loop {
            let (page, rest) = names.page(&self.engine, &self.from).await?;
            names = rest;
            if page.is_empty() {
                break;
            }
            futures::stream::iter(page)
                .map(|name| self.one(name))
                .buffer_unordered(workers)
                .try_for_each(|()| async { Ok(()) })
                .await?;
        }
        if whole && self.message.synchronize {
            self.prune().await?;
        }
        Ok(())
    }

    /// Copies an object. Errors end the job, unless it is to go on.
    async fn one(&self, name: String) -> Result<()> {
        match self.copy(&name).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && !self.strict => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound && self.message.synchronize => {
                self.delete(vec![self.message.destination(&name)]).await
            }
            // As in AIStore: what is gone at its backend leaves the copies of before alone.
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && self.message.latest
                    && self.from.is_remote() =>
            {
                Ok(())
            }
            // A name that only the listing of a backend can tell keeps no other object from being copied.
            Err(error) if self.from.is_remote() && !self.strict && OddKey::is_odd(&name) => {
                self.job.record(&error);
                Ok(())
            }
            // Without its transformers, the rest would fail like this one.
            Err(error)
                if self.message.coer && self.by.as_ref().is_none_or(|by| by.check().is_ok()) =>
            {
                self.job.record(&error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn transform(&self, by: &Chain, name: &str) -> Result<()> {
        let size = match self.to.as_ref().filter(|_| !self.message.dry_run) {
            None => by.try_out(&self.engine, &self.from, name).await,
            Some(to) => {
                let destination = self.message.destination(name);
                let written = by.write(&self.engine, (&self.from, name), (to, &destination)).await;
                written.map(|meta| meta.size)
            }
        };
        match size {
            Ok(size) => self.job.count(size),
            Err(error) => {
                by.failed(self.job.id(), &self.from, name, &error);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn copy(&self, name: &str) -> Result<()> {
        if let Some(by) = &self.by {
            return self.transform(by, name).await;
        }
        let Some(to) = self.to.as_ref().filter(|_| !self.message.dry_run) else {
            self.job.count(self.engine.head(&self.from, name).await?.size);
            return Ok(());
        };
        let destination = self.message.destination(name);
        let want = Want::of(&self.from, self.message.latest, self.message.synchronize);
        let copied = self.engine.copy_wanted((&self.from, name), (to, &destination), &want).await?;
        let size = match copied {
            Some(meta) => meta.size,
            // It is there already.
            None => self.engine.head(to, &destination).await?.size,
        };
        self.job.count(size);
        Ok(())
    }

    /// Deletes what the source does not have.
    async fn prune(&self) -> Result<()> {
        let Some(to) = self.to.as_ref().filter(|_| !self.message.dry_run) else { return Ok(()) };
        // Extensions may have been changed on the way, so what there should be is collected from the source.
        let renamed = !self.message.ext.is_empty();
        let mut names = Names::prefix(&self.message.prefix, !self.message.non_recursive)?;
        let mut expected = std::collections::HashSet::new();
        if renamed {
            let mut source = Names::prefix(&self.message.prefix, !self.message.non_recursive)?;
            loop {
                let (page, rest) = source.page(&self.engine, &self.from).await?;
                source = rest;
                if page.is_empty() {
                    break;
                }
                expected.extend(page.iter().map(|name| self.message.destination(name)));
            }
        }
        loop {
            let (page, rest) = names.page(&self.engine, to).await?;
            names = rest;
            if page.is_empty() {
                return Ok(());
            }
            let mut gone = Vec::new();
            for name in page {
                let there =
                    if renamed { expected.contains(&name) } else { self.is_there(&name).await? };
                if !there {
                    gone.push(name);
                }
            }
            self.delete(gone).await?;
        }
    }

    async fn is_there(&self, name: &str) -> Result<bool> {
        if self.from.is_remote() {
            return Ok(self.engine.head_backend(&self.from, name).await?.is_some());
        }
        Ok(self.engine.find(&self.from, name).await?.is_some())
    }

    async fn delete(&self, names: Vec<String>) -> Result<()> {
        let Some(to) = self.to.as_ref().filter(|_| !self.message.dry_run) else { return Ok(()) };
        self.engine.delete_many(to, names).await.map(drop)
    }
}

/// Checks what cannot be asked for together.
///
/// # Errors
///
/// A new prefix together with synchronisation.
pub fn check_copy(message: &CopyMsg) -> Result<()> {
    if message.synchronize && !message.prepend.is_empty() {
        let prepend = &message.prepend;
        return Err(Error::invalid(format!(
            "prepend option ({prepend:?}) is incompatible with the request to synchronize buckets"
        )));
    }
    Ok(())
}

fn about(from: &Bck, to: &Bck, message: &CopyMsg) -> String {
    let with = |bck: &Bck, prefix: &str| {
        if prefix.is_empty() { bck.to_string() } else { format!("{bck}/{prefix}") }
    };
    let dry = if message.dry_run { ", dry-run" } else { "" };
    format!("cp {}=>{}{dry}", with(from, &message.prefix), with(to, &message.prepend))
}

fn chain_name(etl: &EtlMsg) -> String {
    let all: Vec<&str> =
        std::iter::once(&etl.id).chain(&etl.pipeline).map(String::as_str).collect();
    all.join(" >> ")
}
