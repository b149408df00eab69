//! dSort: shards of records sorted, or shuffled, into new shards.
//!
//! 1. *Extraction* goes through the input shards and describes their records. Contents stay where they are, in plain tars; of
//!    other formats they are written once, uncompressed, to a temporary file.
//! 2. *Sorting* orders the descriptions, and packing says which go into which new shard.
//! 3. *Creation* writes the new shards, reading each file from its place. They become visible together at the end: a job
//!    that fails or is stopped leaves nothing behind, and may write to the bucket that it reads.
//!
//! Memory holds descriptions only (the size of a name and some 60 bytes for a file), within `max_mem_usage`; and one buffer per
//! worker. Each phase has as many workers as its concurrency limit says.

mod create;
mod ekm;
mod extract;
mod pack;
mod plan;
mod progress;
mod records;
mod sources;
mod store;

use holdall_ais_wire::Bck;
pub(crate) use plan::Plan;
pub(crate) use progress::Progress;
pub(crate) use store::{Output, Pending, Shard, Spool, Store};

use plan::Names;

use crate::{
    error::{Error, Result},
    jobs::Job,
};

/// Does the work. Blocks; for a thread of its own.
///
/// # Errors
///
/// When something is missing, malformed or does not fit; and when the job is stopped.
pub(crate) fn run(plan: &Plan, store: &dyn Store, job: &Job, progress: &Progress) -> Result<()> {
    let mut warnings = Vec::new();
    let map = match &plan.names {
        Names::KeyMap { url, separator } => {
            let content = store.key_map(url)?;
            let path = url.split(['?', '#']).next().unwrap_or(url);
            let malformed = plan.ekm_malformed_line;
            let is_json = path.ends_with(".json");
            Some(ekm::KeyMap::parse(&content, is_json, separator, malformed, &mut warnings)?)
        }
        Names::Template(_) => None,
    };

    let (mut records, sources) = extract::run(plan, store, job, progress, &mut warnings)?;
    job.check()?;
    progress.sorting(true);
    records::sort(&mut records, &plan.order)?;
    let shards = match (&plan.names, &map) {
        (Names::Template(names), _) => pack::by_template(plan, names, &records)?,
        (Names::KeyMap { .. }, Some(map)) => pack::by_key_map(plan, map, &records, &mut warnings)?,
        (Names::KeyMap { .. }, None) => return Err(Error::internal("the key map was not read")),
    };
    progress.sorting(false);
    progress.warn(warnings);
    create::run(plan, store, job, progress, &records, &sources, &shards)
}

/// The buckets of a plan, for who has to look them up.
impl Plan {
    /// Where shards are read.
    pub(crate) fn input(&self) -> &Bck {
        &self.input
    }

    /// Where shards are written.
    pub(crate) fn output(&self) -> &Bck {
        &self.output
    }
}

#[cfg(test)]
mod tests;
