//! The first phase: going through the input.

use std::{
    io::{self, Read as _, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use holdall_archive::{Format, Member, Reader};

use super::{
    plan::{Order, Plan, Shards},
    progress::Progress,
    records::{Part, Record, ShardRecords, content_key, react, split},
    sources::Sources,
    store::{Shard, Spool, Store},
};
use crate::{
    error::{Error, Result},
    jobs::Job,
};

/// Longest content of a key file.
const KEY_LIMIT: u64 = 1 << 20;

/// One shard's records, with sources 0 (the shard) and 1 (what was written out).
struct Extracted {
    records: ShardRecords,
    shard: Box<dyn Shard>,
    spool: Option<Box<dyn Shard>>,
    duplicates: Vec<String>,
}

/// Reads all shards; their records are in the order of the input.
pub(super) fn run(
    plan: &Plan,
    store: &dyn Store,
    job: &Job,
    progress: &Progress,
    warnings: &mut Vec<String>,
) -> Result<(Vec<Record>, Sources)> {
    let names = input_names(plan, store)?;
    progress.extraction_begins(names.len());
    let memory = AtomicU64::new(0);
    let work = |name: &String| -> Result<Option<Extracted>> {
        job.check()?;
        let Some(shard) = store.shard(name)? else { return Ok(None) };
        let size = shard.size();
        let extracted = extract(plan, store, job, name, shard)?;
        let taken = extracted.records.memory();
        let needed = memory.fetch_add(taken, Ordering::Relaxed) + taken;
        if needed > plan.memory {
            return Err(Error::invalid(format!(
                "dsort: descriptions of records need more than max_mem_usage ({} bytes): raise it, or sort fewer \
                 shards at once",
                plan.memory
            )));
        }
        let spooled = extracted.spool.as_ref().map(|spool| spool.size());
        progress.extracted(size, extracted.records.records.len(), spooled);
        Ok(Some(extracted))
    };
    let all = in_parallel(plan.readers, &names, work)?;
    let (mut records, mut sources) = (Vec::new(), Vec::new());
    for (extracted, name) in all.into_iter().zip(&names) {
        let Some(Extracted { records: of_shard, shard, spool, duplicates }) = extracted else {
            react(plan.missing_shards, warnings, format!("shard {name:?} is missing"))?;
            continue;
        };
        for text in duplicates {
            react(plan.duplicated_records, warnings, text)?;
        }
        let base = u32::try_from(sources.len()).unwrap_or(u32::MAX);
        sources.push(shard);
        sources.extend(spool);
        for mut record in of_shard.records {
            for part in &mut record.parts {
                part.source += base;
            }
            records.push(record);
        }
    }
    progress.extraction_ends();
    Ok((records, Sources::new(sources)))
}

fn input_names(plan: &Plan, store: &dyn Store) -> Result<Vec<String>> {
    let full = |name: String| match Format::of_name(&name) {
        Some(_) => name,
        None => name + &plan.input_extension,
    };
    Ok(match &plan.shards {
        Shards::List(names) => names.iter().cloned().map(full).collect(),
        Shards::Ranges(ranges) => ranges.names().map(full).collect(),
        Shards::Prefix(prefix) => {
            let wanted = |name: &String| match plan.input_extension.as_str() {
                "" => Format::of_name(name).is_some(),
                extension => name.ends_with(extension),
            };
            store.list(prefix)?.into_iter().filter(wanted).collect()
        }
    })
}

fn extract(
    plan: &Plan,
    store: &dyn Store,
    job: &Job,
    name: &str,
    shard: Box<dyn Shard>,
) -> Result<Extracted> {
    let failed =
        |error: holdall_archive::Error| Error::invalid(format!("dsort: shard {name:?}: {error}"));
    let format = Format::of_name(name)
        .ok_or_else(|| Error::invalid(format!("dsort: {name:?} has no extension of an archive")))?;
    let mut reader = Reader::open(shard.open()?, format).map_err(failed)?;
    let mut records = ShardRecords::default();
    let mut duplicates = Vec::new();
    let mut spool: Option<(Box<dyn Spool>, u64)> = None;
    while let Some(member) = reader.next_file().map_err(failed)? {
        job.check()?;
        let mut key_content = None;
        let is_key = matches!(&plan.order, Order::Content { extension, .. } if split(&member.name).1 == extension);
        if is_key {
            key_content = Some(read_key(&mut reader, &member).map_err(|error| match error {
                Ok(io) => failed(reader.explain(io)),
                Err(error) => error,
            })?);
        }
        let (source, offset) = match member.offset {
            Some(offset) => (0, offset),
            None => {
                let (writer, written) = match &mut spool {
                    Some(spool) => spool,
                    none => none.insert((store.spool()?, 0)),
                };
                let offset = *written;
                match &key_content {
                    Some(content) => writer.write_all(content)?,
                    None => copy(&mut reader, writer.as_mut()).map_err(|error| match error {
                        Ok(io) => failed(reader.explain(io)),
                        Err(error) => error.into(),
                    })?,
                }
                *written += member.size;
                (1, offset)
            }
        };
        let key = match (&plan.order, &key_content) {
            (Order::Content { key, .. }, Some(content)) => {
                Some(content_key(&member.name, content, *key)?)
            }
            _ => None,
        };
        let by_content = matches!(plan.order, Order::Content { .. });
        let part = Part {
            name: member.name.clone().into_boxed_str(),
            source,
            mode: member.mode,
            offset,
            size: member.size,
            modified: member.modified,
        };
        if records.add(part, key, by_content) {
            duplicates.push(format!("record {:?} is duplicated in shard {name:?}", member.name));
        }
    }
    let spool = spool.map(|(writer, _)| writer.finish()).transpose()?;
    Ok(Extracted { records, shard, spool, duplicates })
}

fn read_key(reader: &mut Reader, member: &Member) -> Result<Vec<u8>, Result<io::Error, Error>> {
    if member.size > KEY_LIMIT {
        return Err(Err(Error::invalid(format!(
            "dsort: key file {:?} has {} bytes; a key has no more than {KEY_LIMIT}",
            member.name, member.size
        ))));
    }
    let mut content = Vec::new();
    reader.read_to_end(&mut content).map_err(Ok)?;
    Ok(content)
}

/// Copies the content; errors of reading are told from errors of writing.
fn copy(reader: &mut Reader, writer: &mut dyn Spool) -> Result<(), Result<io::Error, io::Error>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer).map_err(Ok)? {
            0 => return Ok(()),
            count => writer.write_all(&buffer[..count]).map_err(Err)?,
        }
    }
}

/// Runs `work` on every item by so many threads; results are in the order of the items. The first error ends all.
pub(super) fn in_parallel<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    // Backends are waited for with it.
    let runtime = tokio::runtime::Handle::try_current().ok();
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let _context = runtime.as_ref().map(tokio::runtime::Handle::enter);
            let mut mine = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return mine };
                match work(item) {
                    Ok(result) => mine.push((index, result)),
                    Err(error) => {
                        next.store(items.len(), Ordering::Relaxed);
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        return mine;
                    }
                }
            }
        };
        let workers: Vec<_> =
            (0..threads.clamp(1, items.len().max(1))).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| {
                worker.join().unwrap_or_else(|_| {
                    let ended = Error::internal("dsort: a worker ended abnormally");
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(ended);
                    Vec::new()
                })
            })
            .collect()
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
