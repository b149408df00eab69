//! What metadata promises, in a file and in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use tempfile::TempDir;

use super::disk::Disk;
use super::memory::Memory;
use super::table::{Store, Table, number};
use crate::error::{Error, Result};
use crate::storage::{Fsync, ObjectMeta, Storage};

/// Neighbours in the order of their bytes, and the last one that there can be.
const BUCKETS: [u64; 4] = [1, 2, 256, u64::MAX];

/// A store in a file and one in memory, and the folder of the former.
fn both() -> (TempDir, [Storage; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Storage::open(folder.path(), Fsync::Never).unwrap();
    (folder, [disk, Storage::memory().unwrap()])
}

fn sized(size: u64) -> ObjectMeta {
    ObjectMeta { size, ..ObjectMeta::default() }
}

fn put(storage: &Storage, bid: u64, name: &str, size: u64) {
    let name = name.to_owned();
    storage.meta().write_blocking(move |tx| tx.put_object(bid, &name, &sized(size))).unwrap();
}

/// Names and sizes of all objects of a bucket.
fn all(storage: &Storage, bid: u64) -> Vec<(String, u64)> {
    let rows = storage.meta().scan(bid, Bound::Unbounded, "", usize::MAX).unwrap();
    rows.into_iter().map(|(name, meta)| (name, meta.size)).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Put(u64, String, u64),
    Delete(u64, String),
    Move((u64, String), (u64, String)),
    PutFact(String, u8),
    RemoveFact(String),
    /// A change that looks and refuses.
    Refuse(u64, String),
}

/// What a store should hold.
#[derive(Default)]
struct Model {
    objects: BTreeMap<(u64, String), u64>,
    facts: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn step(&mut self, storage: &Storage, step: Step) {
        let meta = storage.meta();
        match step {
            Step::Put(bid, name, size) => {
                put(storage, bid, &name, size);
                self.objects.insert((bid, name), size);
            }
            Step::Delete(bid, name) => {
                let old = self.objects.remove(&(bid, name.clone()));
                let gone = meta.write_blocking(move |tx| tx.delete_object(bid, &name)).unwrap();
                assert_eq!(gone.map(|meta| meta.size), old);
            }
            Step::Move(from, to) => {
                let Some(size) = self.objects.remove(&from) else { return };
                self.objects.insert(to.clone(), size);
                let change = move |tx: &mut super::Tx<'_>| {
                    tx.move_object((from.0, &from.1), (to.0, &to.1), &sized(size))
                };
                meta.write_blocking(change).unwrap();
            }
            Step::PutFact(name, value) => {
                self.facts.insert(name.clone(), vec![value]);
                meta.write_blocking(move |tx| tx.put_fact(&name, &[value])).unwrap();
            }
            Step::RemoveFact(name) => {
                let there = self.facts.remove(&name).is_some();
                let was = meta.write_blocking(move |tx| tx.remove_fact(&name)).unwrap();
                assert_eq!(was, there);
            }
            Step::Refuse(bid, name) => {
                let known = self.objects.get(&(bid, name.clone())).copied();
                let refuse = move |tx: &mut super::Tx<'_>| -> Result<()> {
                    assert_eq!(tx.object(bid, &name)?.map(|meta| meta.size), known);
                    Err(Error::invalid("no"))
                };
                assert_eq!(meta.write_blocking(refuse).unwrap_err().to_string(), "no");
            }
        }
    }

    fn check(&self, storage: &Storage, from: Bound<&str>, prefix: &str, limit: usize) {
        let meta = storage.meta();
        for bid in BUCKETS {
            let expected: Vec<_> = self
                .objects
                .iter()
                .filter(|((of, name), _)| *of == bid && name.starts_with(prefix))
                .filter(|((_, name), _)| match from {
                    Bound::Included(from) => name.as_str() >= from,
                    Bound::Excluded(from) => name.as_str() > from,
                    Bound::Unbounded => true,
                })
                .map(|((_, name), size)| (name.clone(), sized(*size)))
                .take(limit)
                .collect();
            assert_eq!(meta.scan(bid, from, prefix, limit).unwrap(), expected);
        }
        let places = self.objects.keys().map(|(bid, name)| (*bid, name.as_str()));
        let sizes: Vec<_> = self.objects.values().map(|size| Some(sized(*size))).collect();
        assert_eq!(meta.objects(places).unwrap(), sizes);
        assert_eq!(meta.facts("").unwrap(), self.facts);
        let some = |(name, value): (&String, &Vec<u8>)| {
            name.strip_prefix(prefix).map(|rest| (rest.to_owned(), value.clone()))
        };
        assert_eq!(meta.facts(prefix).unwrap(), self.facts.iter().filter_map(some).collect());
        assert_eq!(meta.fact(prefix).unwrap(), self.facts.get(prefix).cloned());
    }
}

fn place() -> impl Strategy<Value = (u64, String)> {
    (prop::sample::select(&BUCKETS[..]), "[abé/\u{10ffff}]{0,3}")
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (place(), any::<u64>()).prop_map(|((bid, name), size)| Step::Put(bid, name, size)),
        2 => place().prop_map(|(bid, name)| Step::Delete(bid, name)),
        1 => (place(), place()).prop_map(|(from, to)| Step::Move(from, to)),
        2 => ("[ab]{0,3}", any::<u8>()).prop_map(|(name, value)| Step::PutFact(name, value)),
        1 => "[ab]{0,3}".prop_map(Step::RemoveFact),
        1 => place().prop_map(|(bid, name)| Step::Refuse(bid, name)),
    ]
}

fn bound() -> impl Strategy<Value = Bound<String>> {
    prop_oneof![
        Just(Bound::Unbounded),
        "[abé/]{0,3}".prop_map(Bound::Included),
        "[abé/]{0,3}".prop_map(Bound::Excluded),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn both_kinds_hold_what_a_simple_map_would(
        steps in prop::collection::vec(step(), 0..80),
        from in bound(),
        prefix in "[abé]{0,2}",
        limit in 0..20_usize,
    ) {
        let (_folder, stores) = both();
        for storage in stores {
            let mut model = Model::default();
            for step in steps.clone() {
                model.step(&storage, step);
            }
            model.check(&storage, from.as_ref().map(String::as_str), &prefix, limit);
            model.check(&storage, Bound::Unbounded, "", usize::MAX);
        }
    }
}

#[test]
fn a_walk_is_of_one_moment() {
    let (_folder, stores) = both();
    for storage in stores {
        for name in ["a", "b", "c"] {
            put(&storage, 1, name, 0);
        }
        let mut seen = Vec::new();
        storage
            .meta()
            .walk(1, Bound::Unbounded, "", |name, bytes| {
                put(&storage, 1, "bb", 1);
                put(&storage, 1, "c", 1);
                storage.meta().write_blocking(|tx| tx.delete_object(1, "b"))?;
                seen.push((name, ObjectMeta::decode(bytes)?.size));
                Ok(true)
            })
            .unwrap();
        assert_eq!(seen, [("a".to_owned(), 0), ("b".to_owned(), 0), ("c".to_owned(), 0)]);
        let now = [("a".to_owned(), 0), ("bb".to_owned(), 1), ("c".to_owned(), 1)];
        assert_eq!(all(&storage, 1), now);
    }
}

#[test]
fn readers_see_changes_whole() {
    let (_folder, stores) = both();
    for storage in stores {
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..200 {
                            let count = |tx: &mut super::Tx<'_>| {
                                let next = tx.object(1, "a")?.map_or(0, |meta| meta.size) + 1;
                                tx.put_object(1, "a", &sized(next))?;
                                tx.put_object(1, "b", &sized(next))
                            };
                            storage.meta().write_blocking(count).unwrap();
                        }
                    })
                })
                .collect();
            while !writers.iter().all(|writer| writer.is_finished()) {
                let two = storage.meta().objects([(1, "a"), (1, "b")]).unwrap();
                assert_eq!(two[0], two[1]);
            }
        });
        // None of two writers' changes was lost.
        assert_eq!(all(&storage, 1), [("a".to_owned(), 400), ("b".to_owned(), 400)]);
    }
}

#[test]
fn the_objects_of_destroyed_buckets_go() {
    let (_folder, stores) = both();
    for storage in stores {
        let fill = |tx: &mut super::Tx<'_>| {
            (0..2500).try_for_each(|number| tx.put_object(2, &number.to_string(), &sized(number)))
        };
        storage.meta().write_blocking(fill).unwrap();
        put(&storage, 1, "before", 0);
        put(&storage, 3, "after", 0);
        storage.meta().write_blocking(|tx| tx.doom_objects(2)).unwrap();
        while !all(&storage, 2).is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(all(&storage, 1), [("before".to_owned(), 0)]);
        assert_eq!(all(&storage, 3), [("after".to_owned(), 0)]);
    }
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(&folder.path().join("file"), Fsync::Never).unwrap();
    for store in [Store::Disk(disk), Store::Memory(Memory::default())] {
        store.change(|tables| tables.rows_mut(Table::Facts)?.insert(b"a", b"1")).unwrap();
        store.change(|tables| tables.rows_mut(Table::Doomed)?.insert(&number(7), b"")).unwrap();
        let fail = store.change(|tables| {
            let facts = tables.rows_mut(Table::Facts)?;
            assert_eq!(facts.insert(b"a", b"2")?.as_deref(), Some(&b"1"[..]));
            assert_eq!(facts.insert(b"b", b"2")?, None);
            assert_eq!(facts.get(b"a")?.as_deref(), Some(&b"2"[..]));
            assert!(tables.rows_mut(Table::Doomed)?.remove(&number(7))?.is_some());
            Err::<(), _>(Error::invalid("no"))
        });
        assert_eq!(fail.unwrap_err().to_string(), "no");
        let facts = store.rows(Table::Facts).unwrap();
        assert_eq!(facts.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(facts.get(b"b").unwrap(), None);
        let doomed = store.rows(Table::Doomed).unwrap();
        assert_eq!(doomed.get(&number(7)).unwrap().as_deref(), Some(&b""[..]));
    }
}

#[test]
fn a_change_in_memory_that_panics_leaves_nothing_and_stops_nobody() {
    let storage = Storage::memory().unwrap();
    put(&storage, 1, "a", 1);
    let panicking = |tx: &mut super::Tx<'_>| -> Result<()> {
        tx.put_object(1, "a", &sized(2))?;
        tx.put_fact("b", b"2")?;
        panic!("on purpose");
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| storage.meta().write_blocking(panicking)));
    assert!(outcome.is_err());
    assert_eq!(all(&storage, 1), [("a".to_owned(), 1)]);
    assert_eq!(storage.meta().fact("b").unwrap(), None);
    put(&storage, 1, "c", 3);
    assert_eq!(all(&storage, 1), [("a".to_owned(), 1), ("c".to_owned(), 3)]);
}

#[test]
fn a_closed_store_takes_no_changes() {
    let (_folder, stores) = both();
    for storage in stores {
        put(&storage, 1, "a", 1);
        storage.meta().close();
        let late = storage.meta().write_blocking(|tx| tx.put_fact("b", b"2"));
        assert_eq!(late.unwrap_err().to_string(), "the server is shutting down");
        assert_eq!(all(&storage, 1), [("a".to_owned(), 1)]);
    }
}
