//! Which records go into which output shards.

use std::collections::BTreeMap;

use holdall_ais_wire::template::Ranges;
use holdall_archive::Format;

use super::{
    ekm::KeyMap,
    plan::{Plan, output_template},
    records::{Record, react},
};
use crate::error::{Error, Result};

/// An output shard.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutShard {
    pub(super) name: String,
    /// Positions of its records.
    pub(super) records: Vec<usize>,
    size: u64,
}

/// Packs records in their order: a shard is closed once it has the wanted size.
///
/// # Errors
///
/// When there are more shards than names.
pub(super) fn by_template(
    plan: &Plan,
    names: &Ranges,
    records: &[Record],
) -> Result<Vec<OutShard>> {
    let total: u64 = records.iter().map(Record::size).sum();
    let limit = match plan.shard_size {
        // Evenly over all names.
        0 => total.div_ceil(names.count().max(1)).max(1),
        size => size,
    };
    let mut shards = Vec::new();
    let mut left = names.names();
    let mut present: Vec<usize> = Vec::new();
    let mut size = 0;
    for (index, record) in records.iter().enumerate() {
        present.push(index);
        size += record.size();
        if size < limit && index + 1 < records.len() {
            continue;
        }
        let name = left.next().ok_or_else(|| too_many(names))?;
        shards.push(OutShard {
            name: full_name(name, plan)?,
            records: std::mem::take(&mut present),
            size,
        });
        size = 0;
    }
    Ok(shards)
}

/// Packs records as an external key map says.
///
/// # Errors
///
/// When a record leads nowhere and that is to be an error; when there are more shards than names; when a format of
/// the map makes no names.
pub(super) fn by_key_map(
    plan: &Plan,
    map: &KeyMap,
    records: &[Record],
    warnings: &mut Vec<String>,
) -> Result<Vec<OutShard>> {
    let templates: Vec<Ranges> =
        map.formats.iter().map(|format| output_template(format)).collect::<Result<_>>()?;
    let mut names: Vec<_> = templates.iter().map(Ranges::names).collect();
    // By format, in the order of the map, so that the outcome does not depend on hashing.
    let mut shards: BTreeMap<usize, Vec<OutShard>> = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        let key = record.key_text();
        let format = match map.lookup(&key) {
            Ok(format) => format,
            Err(reason) => {
                let text = format!("error on lookup record {key:?} in external key map: {reason}");
                react(plan.ekm_missing_key, warnings, text)?;
                continue;
            }
        };
        // As AIStore counts here: with the headers.
        let size = record.size() + 512 * record.parts.len() as u64;
        let of_format = shards.entry(format).or_default();
        match of_format.last_mut() {
            Some(last) if last.size <= plan.shard_size => {
                last.size += size;
                last.records.push(index);
            }
            _ => {
                let name = names[format].next().ok_or_else(|| too_many(&templates[format]))?;
                let name = full_name(name, plan)?;
                of_format.push(OutShard { name, records: vec![index], size });
            }
        }
    }
    Ok(shards.into_values().flatten().collect())
}

fn too_many(names: &Ranges) -> Error {
    Error::invalid(format!(
        "dsort: number of shards to be created exceeds expected number of shards ({}): give {names} more names, or a \
         larger output_shard_size",
        names.count()
    ))
}

fn full_name(name: String, plan: &Plan) -> Result<String> {
    match Format::of_name(&name) {
        None => Ok(name + &plan.output_extension),
        Some(format) if format == plan.output_format => Ok(name),
        Some(_) => Err(Error::invalid(format!(
            "dsort: {name:?} does not end in {}, the output's extension",
            plan.output_extension
        ))),
    }
}
