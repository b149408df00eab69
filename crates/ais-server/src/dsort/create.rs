//! The last phase: writing the new shards.

use std::io::{self, Write};

use holdall_archive::{ErrorKind, Member, Writer, read_at};

use super::{
    extract::in_parallel,
    pack::OutShard,
    plan::Plan,
    progress::Progress,
    records::{Part, Record},
    sources::Sources,
    store::{Output, Pending, Store},
};
use crate::{
    error::{Error, Result},
    jobs::Job,
};

/// Writes all shards; then makes them visible, one after the other.
pub(super) fn run(
    plan: &Plan,
    store: &dyn Store,
    job: &Job,
    progress: &Progress,
    records: &[Record],
    sources: &Sources,
    shards: &[OutShard],
) -> Result<()> {
    progress.creation_begins(shards.len());
    let work = |shard: &OutShard| -> Result<Option<Box<dyn Pending>>> {
        job.check()?;
        if plan.dry_run {
            let counter = write(plan, job, records, sources, shard, Counter(0))?;
            progress.created(counter.0);
            return Ok(None);
        }
        let output: Box<dyn Output> = store.create(&shard.name)?;
        let pending = write(plan, job, records, sources, shard, output)?.finish()?;
        progress.created(pending.size());
        Ok(Some(pending))
    };
    let written = in_parallel(plan.writers, shards, work)?;
    job.check()?;
    for pending in written.into_iter().flatten() {
        let size = pending.size();
        pending.commit()?;
        job.count(size);
    }
    Ok(())
}

fn write<W: Write>(
    plan: &Plan,
    job: &Job,
    records: &[Record],
    sources: &Sources,
    shard: &OutShard,
    output: W,
) -> Result<W> {
    let failed = |error: holdall_archive::Error| match error.kind() {
        ErrorKind::Io => io::Error::from(error).into(),
        _ => Error::invalid(format!("dsort: shard {:?}: {error}", shard.name)),
    };
    let mut writer = Writer::new(output, plan.output_format).map_err(failed)?;
    for index in &shard.records {
        for part in &records[*index].parts {
            job.check()?;
            let Part { name, source, mode, offset, size, modified } = part;
            let mut content = read_at(sources.get(*source)?, *offset, *size)?;
            let member =
                Member { mode: *mode, ..Member::file(&**name, *size).modified_at(*modified) };
            writer.append(&member, &mut content).map_err(failed)?;
        }
    }
    writer.finish().map_err(failed)
}

/// Counts what would be written.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
