//! Descriptions of records: what they are called, what orders them, and where their files are.
//!
//! A record is the files of one shard whose names differ only in what follows the first dot of the last component
//! (`0001.jpg`, `0001.cls`). Contents stay where they are; a file's description takes [`PART_BYTES`] and its name.

use std::collections::HashMap;

use md5::{Digest as _, Md5};

use super::plan::{KeyType, Order, Reaction};
use crate::error::{Error, Result};

/// Bytes that the description of a file takes besides its name.
pub(super) const PART_BYTES: u64 = size_of::<Part>() as u64;

/// A file of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: Box<str>,
    /// Which source it is in.
    pub(super) source: u32,
    pub(super) mode: u32,
    /// Where in the source.
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) modified: u64,
}

/// What orders a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Key {
    /// The name of its first file.
    Name,
    Int(i64),
    Float(f64),
    Text(Box<str>),
    /// Nothing was found.
    Missing,
}

/// A record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) parts: Vec<Part>,
    pub(super) key: Key,
}

impl Record {
    /// Bytes of content.
    pub(super) fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// The name of the first file, which stands for the record's.
    pub(super) fn name(&self) -> &str {
        self.parts.first().map_or("", |part| &part.name)
    }

    /// What an external key map is asked for.
    pub(super) fn key_text(&self) -> String {
        match &self.key {
            Key::Int(key) => key.to_string(),
            Key::Float(key) => key.to_string(),
            Key::Text(key) => key.to_string(),
            Key::Name | Key::Missing => self.name().to_owned(),
        }
    }
}

/// The name of a file's record, and the extension, which begins at the first dot of the last component.
pub(super) fn split(name: &str) -> (&str, &str) {
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name[start..].find('.').map_or(name.len(), |dot| start + dot);
    name.split_at(dot)
}

/// The records of one shard, in the order in which their first files appear.
#[derive(Debug, Default)]
pub(super) struct ShardRecords {
    pub(super) records: Vec<Record>,
    by_name: HashMap<String, usize>,
}

impl ShardRecords {
    /// Adds a file. One of the same name replaces the former; whether there was one.
    pub(super) fn add(&mut self, part: Part, key: Option<Key>, by_content: bool) -> bool {
        let (name, extension) = split(&part.name);
        let missing = if by_content { Key::Missing } else { Key::Name };
        let index = *self.by_name.entry(name.to_owned()).or_insert_with(|| {
            self.records.push(Record { parts: Vec::new(), key: missing });
            self.records.len() - 1
        });
        let record = &mut self.records[index];
        if let Some(key) = key {
            record.key = key;
        }
        let same = record.parts.iter().position(|other| split(&other.name).1 == extension);
        if let Some(at) = same {
            record.parts.remove(at);
        }
        record.parts.push(part);
        same.is_some()
    }

    /// Bytes of memory that the records take.
    pub(super) fn memory(&self) -> u64 {
        let parts = self.records.iter().flat_map(|record| &record.parts);
        let files: u64 = parts.map(|part| PART_BYTES + part.name.len() as u64 + 16).sum();
        files + (self.records.len() * size_of::<Record>()) as u64
    }
}

/// The key that the content of a key file is.
///
/// # Errors
///
/// When it is none of that type.
pub(super) fn content_key(name: &str, content: &[u8], kind: KeyType) -> Result<Key> {
    let wrong = |what: &str| Error::invalid(format!("dsort: key file {name:?} holds no {what}"));
    let text = std::str::from_utf8(content).map_err(|_| wrong("text"))?.trim();
    match kind {
        KeyType::Int => text.parse().map(Key::Int).map_err(|_| wrong("integer")),
        KeyType::Float => {
            let number = text.parse::<f64>().ok().filter(|number| !number.is_nan());
            number.map(Key::Float).ok_or_else(|| wrong("number"))
        }
        KeyType::Text => Ok(Key::Text(text.into())),
    }
}

/// Puts records into the order. Equal keys stay in the order in which they were read.
///
/// # Errors
///
/// When a record has no key.
pub(super) fn sort(records: &mut [Record], order: &Order) -> Result<()> {
    match order {
        Order::None => {}
        Order::Shuffle { seed } => shuffle(records, *seed),
        Order::Name { decreasing } => {
            records.sort_by(|one, other| directed(one.name().cmp(other.name()), *decreasing));
        }
        Order::Md5 { decreasing } => {
            let digest = |record: &Record| <[u8; 16]>::from(Md5::digest(record.name()));
            records.sort_by_cached_key(digest);
            if *decreasing {
                records.reverse();
            }
        }
        Order::Content { extension, decreasing, .. } => {
            if let Some(record) = records.iter().find(|record| record.key == Key::Missing) {
                return Err(Error::invalid(format!(
                    "dsort: key is missing for {:?}: it has no {extension} file",
                    split(record.name()).0
                )));
            }
            records.sort_by(|one, other| directed(compare(&one.key, &other.key), *decreasing));
        }
    }
    Ok(())
}

fn directed(ordering: std::cmp::Ordering, decreasing: bool) -> std::cmp::Ordering {
    if decreasing { ordering.reverse() } else { ordering }
}

fn compare(one: &Key, other: &Key) -> std::cmp::Ordering {
    match (one, other) {
        (Key::Int(one), Key::Int(other)) => one.cmp(other),
        (Key::Float(one), Key::Float(other)) => one.total_cmp(other),
        (Key::Text(one), Key::Text(other)) => one.cmp(other),
        // All keys of a run have the same type.
        _ => std::cmp::Ordering::Equal,
    }
}

/// Fisher–Yates with SplitMix64, written out so that a seed gives the same order in every release.
fn shuffle(records: &mut [Record], seed: u64) {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    for last in (1..records.len()).rev() {
        let wide = u128::from(next()) * (last as u128 + 1);
        let pick = usize::try_from(wide >> 64).unwrap_or(0);
        records.swap(last, pick);
    }
}

/// Acts on something odd: nothing, a warning, or an error.
///
/// # Errors
///
/// With [`Reaction::Abort`].
pub(super) fn react(reaction: Reaction, warnings: &mut Vec<String>, text: String) -> Result<()> {
    /// Warnings that are kept; every shard of thousands may give one.
    const KEPT: usize = 100;
    match reaction {
        Reaction::Ignore => {}
        Reaction::Warn if warnings.len() < KEPT => warnings.push(text),
        Reaction::Warn => {}
        Reaction::Abort => return Err(Error::invalid(format!("dsort: {text}"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(name: &str) -> Part {
        Part { name: name.into(), source: 0, mode: 0o644, offset: 0, size: 1, modified: 0 }
    }

    fn records(names: &[&str]) -> Vec<Record> {
        let mut shard = ShardRecords::default();
        for name in names {
            shard.add(part(name), None, false);
        }
        shard.records
    }

    fn order_of(records: &[Record]) -> Vec<&str> {
        records.iter().map(Record::name).collect()
    }

    #[test]
    fn names_of_records() {
        assert_eq!(split("a/b.c/0001.seg.png"), ("a/b.c/0001", ".seg.png"));
        assert_eq!(split("plain"), ("plain", ""));
        assert_eq!(split(".hidden"), ("", ".hidden"));
    }

    #[test]
    fn files_of_a_record_stay_together_and_the_last_of_a_name_counts() {
        let mut shard = ShardRecords::default();
        for name in ["b.jpg", "a.jpg", "b.cls"] {
            assert!(!shard.add(part(name), None, false));
        }
        assert!(shard.add(Part { size: 9, ..part("b.jpg") }, None, false));
        assert_eq!(order_of(&shard.records), ["b.cls", "a.jpg"]);
        assert_eq!(shard.records[0].size(), 10);
        assert!(shard.memory() > 3 * PART_BYTES);
    }

    #[test]
    fn orders() {
        let names = ["c.x", "a.x", "d.x", "b.x"];
        let sorted = |order: &Order| {
            let mut records = records(&names);
            sort(&mut records, order).unwrap();
            order_of(&records).join(" ")
        };
        assert_eq!(sorted(&Order::None), "c.x a.x d.x b.x");
        assert_eq!(sorted(&Order::Name { decreasing: false }), "a.x b.x c.x d.x");
        assert_eq!(sorted(&Order::Name { decreasing: true }), "d.x c.x b.x a.x");
        let md5 = sorted(&Order::Md5 { decreasing: false });
        let mut backwards: Vec<_> = md5.split(' ').collect();
        backwards.reverse();
        assert_eq!(sorted(&Order::Md5 { decreasing: true }), backwards.join(" "));
        // A seed means the same order for ever.
        assert_eq!(sorted(&Order::Shuffle { seed: 1 }), sorted(&Order::Shuffle { seed: 1 }));
    }

    #[test]
    fn content_keys() {
        assert_eq!(content_key("k", b" 12\n", KeyType::Int).unwrap(), Key::Int(12));
        assert_eq!(content_key("k", b"1e3", KeyType::Float).unwrap(), Key::Float(1000.0));
        assert_eq!(content_key("k", b"abc\n", KeyType::Text).unwrap(), Key::Text("abc".into()));
        for (content, kind) in [
            (&b"1.5"[..], KeyType::Int),
            (b"", KeyType::Int),
            (b"NaN", KeyType::Float),
            (b"\xff", KeyType::Text),
        ] {
            assert!(content_key("k", content, kind).is_err());
        }
        let order = Order::Content { extension: ".k".into(), key: KeyType::Int, decreasing: false };
        let mut some = records(&["a.x", "b.x"]);
        (some[0].key, some[1].key) = (Key::Int(10), Key::Int(9));
        sort(&mut some, &order).unwrap();
        assert_eq!(order_of(&some), ["b.x", "a.x"]);
        some[0].key = Key::Missing;
        assert!(sort(&mut some, &order).unwrap_err().message().contains("missing for \"b\""));
    }

    proptest! {
        #[test]
        fn shuffling_keeps_everything(count in 0usize..200, seed: u64) {
            let names: Vec<String> = (0..count).map(|i| format!("{i:03}.x")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut shuffled = records(&names);
            sort(&mut shuffled, &Order::Shuffle { seed }).unwrap();
            if count > 20 {
                prop_assert_ne!(order_of(&shuffled), names.clone());
            }
            sort(&mut shuffled, &Order::Name { decreasing: false }).unwrap();
            prop_assert_eq!(order_of(&shuffled), names);
        }
    }
}
