//! Random operations on a store and on a map give the same results.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use futures::executor::block_on;
use holdall_store::local::{LocalOptions, LocalStore};
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use holdall_store::{ListOptions, Provider, Store};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Put(Path, Vec<u8>),
    Create(Path, Vec<u8>),
    Get(Path),
    Range(Path, u64, u64),
    Delete(Path),
    Copy(Path, Path),
    RenameNew(Path, Path),
    List(Option<Path>),
    After(Path),
    Substring(String),
}

fn key() -> impl Strategy<Value = Path> {
    // Few segments, so that keys meet; with characters around the slash, which decide the order of keys.
    let segment = prop::sample::select(vec!["a", "b", "a.b", "a-", "a0", "ü", "%20"]);
    prop::collection::vec(segment, 2..4).prop_map(|segments| {
        // A file cannot be a directory too: the depth tells them apart.
        let depth = segments.len();
        Path::parse(format!("{}/f{depth}", segments.join("/"))).unwrap()
    })
}

fn step() -> impl Strategy<Value = Step> {
    let data = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        4 => (key(), data()).prop_map(|(k, d)| Step::Put(k, d)),
        2 => (key(), data()).prop_map(|(k, d)| Step::Create(k, d)),
        2 => key().prop_map(Step::Get),
        2 => (key(), 0u64..50, 1u64..50).prop_map(|(k, s, l)| Step::Range(k, s, l)),
        2 => key().prop_map(Step::Delete),
        1 => (key(), key()).prop_map(|(a, b)| Step::Copy(a, b)),
        1 => (key(), key()).prop_map(|(a, b)| Step::RenameNew(a, b)),
        1 => prop::option::of(prop::sample::select(vec!["a", "a.b", "b/a", "zz"]))
            .prop_map(|p| Step::List(p.map(Path::from))),
        1 => key().prop_map(Step::After),
        1 => prop::sample::select(vec!["", "a", "a.", "a/b", "a/b/f"]).prop_map(|s| Step::Substring(s.into())),
    ]
}

fn outcome<T>(result: Result<T, Error>) -> Result<T, &'static str> {
    result.map_err(|error| match error {
        Error::NotFound { .. } => "missing",
        Error::AlreadyExists { .. } => "exists",
        _ => "other",
    })
}

fn run(store: &Store, steps: &[Step]) {
    let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let keys = |metas: Vec<holdall_store::object_store::ObjectMeta>| {
        metas.into_iter().map(|meta| (meta.location.to_string(), meta.size)).collect::<Vec<_>>()
    };
    let expected = |model: &BTreeMap<String, Vec<u8>>, wanted: &dyn Fn(&str) -> bool| {
        model
            .iter()
            .filter(|(k, _)| wanted(k))
            .map(|(k, v)| (k.clone(), v.len() as u64))
            .collect::<Vec<_>>()
    };
    for step in steps {
        match step {
            Step::Put(key, data) => {
                block_on(store.put(key, data.clone().into())).unwrap();
                model.insert(key.to_string(), data.clone());
            }
            Step::Create(key, data) => {
                let options = PutOptions::from(PutMode::Create);
                let got = outcome(block_on(store.put_opts(key, data.clone().into(), options)));
                match model.contains_key(key.as_ref()) {
                    true => assert_eq!(got.map(drop), Err("exists")),
                    false => {
                        got.unwrap();
                        model.insert(key.to_string(), data.clone());
                    }
                }
            }
            Step::Get(key) => {
                let got = outcome(block_on(async { store.get(key).await?.bytes().await }));
                let wanted = model.get(key.as_ref()).cloned().ok_or("missing");
                assert_eq!(got.map(|data| data.to_vec()), wanted);
            }
            Step::Range(key, start, length) => {
                let got = outcome(block_on(store.get_range(key, *start..start + length)));
                let wanted = match model.get(key.as_ref()) {
                    None => Err("missing"),
                    Some(data) if *start >= data.len() as u64 => Err("other"),
                    Some(data) => {
                        let end = data.len().min((start + length) as usize);
                        Ok(data[*start as usize..end].to_vec())
                    }
                };
                assert_eq!(got.map(|b| b.to_vec()), wanted);
            }
            Step::Delete(key) => {
                // Whether a missing object is an error differs between stores; its absence afterwards does not.
                drop(block_on(store.delete(key)));
                model.remove(key.as_ref());
            }
            Step::Copy(from, to) => {
                let got = outcome(block_on(store.copy(from, to)));
                match model.get(from.as_ref()).cloned() {
                    Some(data) => {
                        got.unwrap();
                        model.insert(to.to_string(), data);
                    }
                    None => assert_eq!(got, Err("missing")),
                }
            }
            Step::RenameNew(from, to) => {
                let got = outcome(block_on(store.rename_if_not_exists(from, to)));
                match (model.get(from.as_ref()).cloned(), model.contains_key(to.as_ref())) {
                    (Some(data), false) => {
                        got.unwrap();
                        model.remove(from.as_ref());
                        model.insert(to.to_string(), data);
                    }
                    (Some(_), true) => assert_eq!(got, Err("exists")),
                    (None, _) => assert_eq!(got, Err("missing")),
                }
            }
            Step::List(prefix) => {
                let got = block_on(store.list(prefix.as_ref()).try_collect::<Vec<_>>()).unwrap();
                let below = prefix.as_ref().map(|p| format!("{p}/")).unwrap_or_default();
                assert_eq!(keys(got), expected(&model, &|k| k.starts_with(&below)));
            }
            Step::After(offset) => {
                let got =
                    block_on(store.list_with_offset(None, offset).try_collect::<Vec<_>>()).unwrap();
                assert_eq!(keys(got), expected(&model, &|k| k > offset.as_ref()));
            }
            Step::Substring(prefix) => {
                let options = ListOptions::default().with_prefix(prefix);
                let got = block_on(store.list_with(options).try_collect::<Vec<_>>()).unwrap();
                assert_eq!(keys(got), expected(&model, &|k| k.starts_with(prefix)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory(steps in prop::collection::vec(step(), 1..60)) {
        run(&Store::new(Arc::new(MemoryStore::new())), &steps);
    }

    #[test]
    fn memory_below_a_prefix(steps in prop::collection::vec(step(), 1..60)) {
        run(&Store::new(Arc::new(MemoryStore::new())).with_prefix(&"p/q".into()), &steps);
    }

    #[test]
    fn local(steps in prop::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), LocalOptions::default().with_automatic_cleanup(true)).unwrap();
        run(&Store::new(store.inline().unwrap()), &steps);
    }
}
