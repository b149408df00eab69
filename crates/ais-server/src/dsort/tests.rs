//! Whole runs on a store in memory.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write},
    sync::{Arc, Mutex},
};

use holdall_ais_wire::job::{JobArgs, kind};
use holdall_archive::{Format, Member, Reader, Source, Writer};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Output, Pending, Plan, Progress, Shard, Spool, Store, run};
use crate::{
    error::Result,
    jobs::{Jobs, NewJob},
};

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

#[derive(Default)]
struct Memory {
    input: BTreeMap<String, Vec<u8>>,
    output: Objects,
    map: Vec<u8>,
}

impl Store for Memory {
    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.input.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    fn shard(&self, name: &str) -> Result<Option<Box<dyn Shard>>> {
        Ok(self.input.get(name).map(|bytes| Box::new(Bytes(bytes.clone())) as _))
    }

    fn spool(&self) -> Result<Box<dyn Spool>> {
        Ok(Box::new(Writing { bytes: Vec::new(), name: String::new(), output: Objects::default() }))
    }

    fn create(&self, name: &str) -> Result<Box<dyn Output>> {
        let output = Arc::clone(&self.output);
        Ok(Box::new(Writing { bytes: Vec::new(), name: name.to_owned(), output }))
    }

    fn key_map(&self, _: &str) -> Result<Vec<u8>> {
        Ok(self.map.clone())
    }
}

struct Bytes(Vec<u8>);

impl Shard for Bytes {
    fn open(&self) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(self.0.clone()))
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }
}

struct Writing {
    bytes: Vec<u8>,
    name: String,
    output: Objects,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Spool for Writing {
    fn finish(self: Box<Self>) -> Result<Box<dyn Shard>> {
        Ok(Box::new(Bytes(self.bytes)))
    }
}

impl Output for Writing {
    fn finish(self: Box<Self>) -> Result<Box<dyn Pending>> {
        Ok(self)
    }
}

impl Pending for Writing {
    fn commit(self: Box<Self>) -> Result<()> {
        self.output.lock().unwrap().insert(self.name, self.bytes);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Names and contents.
type Files = Vec<(String, String)>;

fn archive(name: &str, files: &[(String, String)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Format::of_name(name).unwrap()).unwrap();
    for (name, content) in files {
        let member = Member::file(name, content.len() as u64).modified_at(1_700_000_000);
        writer.append(&member, &mut content.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

fn members(name: &str, bytes: &[u8]) -> Files {
    let mut reader =
        Reader::open(Arc::new(bytes.to_vec()), Format::of_name(name).unwrap()).unwrap();
    let mut all = Vec::new();
    while let Some(member) = reader.next_file().unwrap() {
        let mut content = String::new();
        reader.read_to_string(&mut content).unwrap();
        all.push((member.name, content));
    }
    all
}

/// A store with `count` shards of three records of two files, `<shard>-<record>.txt` and `.key`.
fn store(extension: &str, count: usize) -> Memory {
    let mut memory = Memory::default();
    for shard in 0..count {
        let mut files = Vec::new();
        for record in 0..3 {
            let stem = format!("d/{shard}-{record}");
            files.push((format!("{stem}.txt"), format!("text of {stem}")));
            files.push((format!("{stem}.key"), (100 - 10 * shard - record).to_string()));
        }
        let name = format!("in-{shard}{extension}");
        memory.input.insert(name.clone(), archive(&name, &files));
    }
    memory
}

fn sort(memory: &Memory, change: Value) -> Result<Vec<(String, Files)>> {
    let mut spec = json!({
        "input_bck": {"name": "in", "provider": "ais"},
        "output_bck": {"name": "out", "provider": "ais"},
        "input_format": {"template": "in-{0..9}"},
        "input_extension": ".tar",
        "output_format": "out-%02d",
        "output_shard_size": "1MB",
    });
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let plan = Plan::new(serde_json::from_value(spec).unwrap())?;
    let jobs = Jobs::default();
    let job = jobs.begin(NewJob::between(kind::DSORT, plan.input(), plan.output()));
    let progress = Progress::new(&plan, &job);
    let result = run(&plan, memory, &job, &progress);
    progress.end(result.as_ref().err());
    result?;
    let info = progress.info();
    let metrics = info.metrics.unwrap();
    assert!(metrics.shard_creation.phase.finished && info.archived && !info.aborted);
    let output = memory.output.lock().unwrap();
    if !plan.dry_run {
        assert_eq!(metrics.shard_creation.created_count as usize, output.len());
    }
    Ok(output.iter().map(|(name, bytes)| (name.clone(), members(name, bytes))).collect())
}

fn names(shards: &[(String, Files)]) -> Vec<&str> {
    shards.iter().flat_map(|(_, files)| files).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn every_format_into_every_format() {
    for from in [".tar", ".tgz", ".tar.lz4", ".zip"] {
        for to in [".tar", ".tar.gz", ".tar.lz4", ".zip"] {
            let memory = store(from, 3);
            let shards =
                sort(&memory, json!({"input_extension": from, "output_extension": to})).unwrap();
            assert_eq!(shards.len(), 1);
            assert_eq!(shards[0].0, format!("out-00{to}"));
            assert_eq!(shards[0].1.len(), 18);
            assert!(names(&shards).is_sorted_by_key(|name| name.split('.').next()));
            for (name, content) in &shards[0].1 {
                if let Some(stem) = name.strip_suffix(".txt") {
                    assert_eq!(content, &format!("text of {stem}"));
                }
            }
        }
    }
}

#[test]
fn orders() {
    let memory = || store(".tar", 3);
    let content = json!({"kind": "content", "extension": ".key", "content_key_type": "int"});
    let shards = sort(&memory(), json!({"algorithm": content})).unwrap();
    let keys: Vec<u32> = shards[0]
        .1
        .iter()
        .filter(|(name, _)| name.ends_with(".key"))
        .map(|(_, content)| content.parse().unwrap())
        .collect();
    assert!(keys.is_sorted() && keys.len() == 9);

    let shuffled = |seed: &str| {
        let algorithm = json!({"kind": "shuffle", "seed": seed});
        let shards = sort(&memory(), json!({"algorithm": algorithm})).unwrap();
        names(&shards).join(" ")
    };
    assert_eq!(shuffled("3"), shuffled("3"));
    assert_ne!(shuffled("3"), shuffled("4"));

    let shards = sort(&memory(), json!({"algorithm": {"kind": "none"}})).unwrap();
    assert_eq!(names(&shards)[..3], ["d/0-0.txt", "d/0-0.key", "d/0-1.txt"]);
    let decreasing = json!({"kind": "alphanumeric", "decreasing": true});
    let shards = sort(&memory(), json!({"algorithm": decreasing})).unwrap();
    assert_eq!(names(&shards)[0], "d/2-2.txt");

    let missing = json!({"kind": "content", "extension": ".cls", "content_key_type": "int"});
    let error = sort(&memory(), json!({"algorithm": missing})).unwrap_err();
    assert!(error.message().contains("key is missing"), "{error}");
}

#[test]
fn sizes_and_names_of_shards() {
    // A record has 13 and some bytes.
    let shards = sort(&store(".tar", 3), json!({"output_shard_size": "30B"})).unwrap();
    assert_eq!(shards.len(), 5);
    assert!(shards[..4].iter().all(|(_, files)| files.len() == 4), "two records each");
    let spread = json!({"output_shard_size": "", "output_format": "o-{0..2}"});
    let shards = sort(&store(".tar", 3), spread).unwrap();
    assert_eq!(shards.len(), 3);
    let few = json!({"output_shard_size": "30B", "output_format": "o-{0..2}"});
    let error = sort(&store(".tar", 3), few).unwrap_err();
    assert!(error.message().contains("exceeds expected number of shards (3)"), "{error}");
    let memory = store(".tar", 3);
    assert!(sort(&memory, json!({"dry_run": true})).unwrap().is_empty());
}

#[test]
fn an_external_key_map() {
    let mut memory = store(".tar", 3);
    memory.map = br#"{"first-%d.tar": ["d/0-.*"], "rest-{0..9}.tar": ["d/[12]-.*"]}"#.to_vec();
    let map = json!({"ekm_file": "http://x/map.json", "output_format": ""});
    let shards = sort(&memory, map.clone()).unwrap();
    let by_name: Vec<_> = shards.iter().map(|(name, files)| (name.as_str(), files.len())).collect();
    assert_eq!(by_name, [("first-0.tar", 6), ("rest-0.tar", 12)]);

    memory.map = br#"{"first-%d.tar": ["d/0-.*"]}"#.to_vec();
    memory.output.lock().unwrap().clear();
    assert!(sort(&memory, map.clone()).unwrap_err().message().contains("no match found"));
    let mut lenient = map;
    lenient["ekm_missing_key"] = json!("ignore");
    assert_eq!(sort(&memory, lenient).unwrap().len(), 1);
}

#[test]
fn what_is_missing_or_broken() {
    let memory = store(".tar", 3);
    assert!(sort(&memory, json!({"missing_shards": "abort"})).is_err());
    let error = sort(&memory, json!({"max_mem_usage": "100B"})).unwrap_err();
    assert!(error.message().contains("max_mem_usage"));
    let mut memory = store(".tar", 3);
    memory.input.get_mut("in-1.tar").unwrap().truncate(900);
    let error = sort(&memory, json!({})).unwrap_err();
    assert!(
        error.message().contains("in-1.tar") && error.message().contains("cut short"),
        "{error}"
    );
    assert!(memory.output.lock().unwrap().is_empty(), "nothing of a failed job is seen");

    let twice = [("a.x".to_owned(), "1".to_owned()), ("a.x".to_owned(), "22".to_owned())];
    let mut memory = Memory::default();
    memory.input.insert("in-0.tar".into(), archive("in-0.tar", &twice));
    let shards = sort(&memory, json!({})).unwrap();
    assert_eq!(shards[0].1, [("a.x".to_owned(), "22".to_owned())]);
    assert!(sort(&memory, json!({"duplicated_records": "abort"})).is_err());
}

#[test]
fn a_stopped_job_leaves_nothing() {
    let memory = store(".tar", 5);
    let spec = json!({
        "input_bck": {"name": "in"}, "input_format": {"template": "in-{0..9}.tar"},
        "output_format": "o-%d", "output_shard_size": "10B",
    });
    let plan = Plan::new(serde_json::from_value(spec).unwrap()).unwrap();
    let jobs = Jobs::default();
    let job = jobs.begin(NewJob::on(kind::DSORT, plan.input()));
    jobs.stop(&JobArgs { id: job.id().to_owned(), ..JobArgs::default() }).unwrap();
    let progress = Progress::new(&plan, &job);
    let error = run(&plan, &memory, &job, &progress).unwrap_err();
    progress.end(Some(&error));
    assert!(progress.info().aborted);
    assert!(memory.output.lock().unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the shards, sizes and order: every file comes out once, with its content.
    #[test]
    fn nothing_is_lost(
        shards in proptest::collection::vec(proptest::collection::btree_map("[a-c]{1,3}\\.[xy]", "[0-9]{1,40}", 0..6), 1..6),
        size in 1u32..200, order in 0usize..4, readers in 1i64..4,
    ) {
        let mut memory = Memory::default();
        let mut all = Vec::new();
        for (number, files) in shards.into_iter().enumerate() {
            let name = format!("in-{number}.tar");
            let files: Vec<_> = files.into_iter().map(|(n, c)| (format!("{number}/{n}"), c)).collect();
            memory.input.insert(name.clone(), archive(&name, &files));
            all.extend(files);
        }
        let kind = ["alphanumeric", "none", "md5", "shuffle"][order];
        let change = json!({
            "algorithm": {"kind": kind}, "output_shard_size": format!("{size}B"),
            "extract_concurrency_max_limit": readers, "create_concurrency_max_limit": readers,
        });
        let shards = sort(&memory, change).unwrap();
        let mut found: Vec<_> = shards.into_iter().flat_map(|(_, files)| files).collect();
        found.sort();
        all.sort();
        prop_assert_eq!(found, all);
    }
}
