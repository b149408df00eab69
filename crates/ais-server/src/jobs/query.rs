//! What clients ask about jobs.

use holdall_ais_wire::{
    Bck, id,
    job::{JobArgs, JobStatus, Kind, Snap, find_kind, kind},
};

use super::{Job, Jobs, job::USER_ABORT};
use crate::error::{Error, ErrorKind, Result};

impl Jobs {
    /// `what=status`: what became of the job with this id, or of the last one of this kind (on this bucket).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] when neither id nor kind is given, or the job is of another kind;
    /// [`ErrorKind::NotFound`] when there is none.
    pub fn status(&self, args: &JobArgs) -> Result<JobStatus> {
        let kind = find_kind(&args.kind);
        if args.id.is_empty() && kind.is_none() {
            return Err(Error::invalid("invalid x-: expecting the id or the kind of a job"));
        }
        if args.id.is_empty() {
            let name = kind.map_or("", |kind| kind.name);
            let matching = self.matching(args, kind);
            let last = matching.last();
            let missing = || Error::not_found(format!("nl [x-{name}] does not exist"));
            return last.map(|job| job.status(self.0.idle_time)).ok_or_else(missing);
        }
        let missing = || Error::not_found(format!("x-[{}] does not exist", args.id));
        let job = self.get(&args.id).ok_or_else(missing)?;
        if let Some(kind) = kind
            && kind.name != job.kind().name
        {
            let (has, said) = (job.kind().name, kind.name);
            return Err(Error::invalid(format!(
                "kind mismatch: job {} is {has}, not {said}",
                args.id
            )));
        }
        Ok(job.status(self.0.idle_time))
    }

    /// `what=status_all`: the same of all that match; nothing when none does, which clients get as `null`.
    pub fn status_all(&self, args: &JobArgs) -> Option<Vec<JobStatus>> {
        let statuses: Vec<_> = self
            .matching(args, find_kind(&args.kind))
            .iter()
            .map(|job| job.status(self.0.idle_time))
            .collect();
        (!statuses.is_empty()).then_some(statuses)
    }

    /// `what=running_all`: those that run or idle, as `kind[id]`.
    pub fn running(&self, args: &JobArgs) -> Vec<String> {
        let mut names: Vec<_> = self
            .matching(args, find_kind(&args.kind))
            .iter()
            .filter(|job| self.is_running(job))
            .map(|job| format!("{}[{}]", job.kind().name, job.id()))
            .collect();
        names.sort();
        names
    }

    /// `what=qryxstats`: everything about those that match.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] when the id cannot be one; [`ErrorKind::NotFound`] when an id is given and there is no
    /// such job.
    pub fn snapshots(&self, args: &JobArgs) -> Result<Vec<Snap>> {
        if !args.id.is_empty() {
            if !id::is_valid(&args.id) {
                return Err(Error::invalid(format!("invalid xaction (job) UUID {:?}", args.id)));
            }
            let missing =
                || Error::new(ErrorKind::NotFound, format!("\"x-[{}]\" not found", args.id));
            return Ok(vec![self.get(&args.id).ok_or_else(missing)?.snap()]);
        }
        Ok(self.matching(args, find_kind(&args.kind)).iter().map(Job::snap).collect())
    }

    /// `stop`: stops the job with this id, or all of this kind (on this bucket). None there to be stopped is fine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] when neither a possible id nor a kind is given.
    pub fn stop(&self, args: &JobArgs) -> Result<()> {
        if !args.id.is_empty() {
            if !id::is_valid(&args.id) {
                let text = format!("invalid xaction (job) UUID {:?}: xa-[{}]", args.id, args.id);
                return Err(Error::invalid(text));
            }
            if let Some(job) = self.get(&args.id) {
                job.stop(self.0.idle_time, USER_ABORT);
            }
            return Ok(());
        }
        let kind = find_kind(&args.kind);
        if kind.is_none() {
            let text = "cannot stop xaction given 'xa-[]' - expecting a valid kind and/or UUID";
            return Err(Error::invalid(text));
        }
        for job in self.matching(args, kind) {
            job.stop(self.0.idle_time, USER_ABORT);
        }
        Ok(())
    }

    fn matching(&self, args: &JobArgs, kind: Option<Kind>) -> Vec<Job> {
        let buckets: Vec<&Bck> = args
            .bck
            .iter()
            .chain(args.buckets.iter().flatten())
            .filter(|bck| !bck.is_empty())
            .collect();
        let wanted = |job: &Job| {
            kind.is_none_or(|kind| kind.name == job.kind().name)
                && (buckets.is_empty() || job.bck().is_some_and(|bck| buckets.contains(&bck)))
                && (args.show_active != Some(true) || self.is_running(job))
        };
        self.all().into_iter().filter(wanted).collect()
    }
}

/// What `start` is asked to start, and on which buckets.
///
/// # Errors
///
/// As AIStore: [`ErrorKind::Invalid`] for no kind, for a kind that needs a bucket and has none, for kinds with a call of
/// their own; [`ErrorKind::Unsupported`] for those that only the system starts.
pub fn startable(args: &JobArgs) -> Result<(Kind, Vec<Bck>)> {
    let Some(kind) = find_kind(&args.kind) else {
        return Err(Error::invalid(format!("invalid xaction (job) kind {:?}", args.kind)));
    };
    let buckets: Vec<Bck> = args
        .bck
        .iter()
        .chain(args.buckets.iter().flatten())
        .filter(|bck| !bck.is_empty())
        .cloned()
        .collect();
    let name = kind.name;
    if matches!(name, kind::DOWNLOAD | kind::DSORT) {
        let text = format!("initiating \"{name}\" must be done via a separate documented API");
        return Err(Error::invalid(text));
    }
    let by_system =
        matches!(name, kind::GET_BATCH | kind::SUMMARY_BCK | kind::ELECTION | kind::ETL_INLINE);
    if by_system || (!kind.startable && !buckets.is_empty()) {
        return Err(Error::unsupported(format!(
            "cannot start xaction {name} - operation not supported"
        )));
    }
    if kind.bucket && buckets.is_empty() {
        return Err(Error::invalid(format!("xaction \"{name}\" requires a bucket to start")));
    }
    match name {
        kind::RESILVER if args.node.is_empty() => Err(Error::unsupported(
            "cannot run resilver on all targets in the cluster - operation not supported",
        )),
        kind::REBALANCE => Err(Error::invalid("not enough targets: need 2, have 1")),
        _ => Ok((kind, buckets)),
    }
}
