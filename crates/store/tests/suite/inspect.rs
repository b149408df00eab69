//! Somebody sees every byte in order and has the last word.

use std::sync::{Arc, Mutex};

use holdall_store::local::{LocalOptions, LocalStore};
use holdall_store::memory::MemoryStore;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{Attributes, ObjectMeta, ObjectStoreExt};
use holdall_store::transfer::{Inspect, Inspector, Transfer, TransferOptions};
use holdall_store::{Error, ErrorKind, Result, Store};

const PART: usize = 64 * 1024;

#[derive(Default)]
struct Seen {
    begun: usize,
    content: Vec<u8>,
    ended: bool,
}

/// Notes what it sees, and refuses where it is told to.
struct Notes {
    seen: Arc<Mutex<Seen>>,
    refuses: Option<&'static str>,
}

impl Notes {
    fn refuse(&self, at: &str) -> Result<()> {
        if self.refuses == Some(at) {
            return Err(Error::new(ErrorKind::Corrupt, "inspect", "it", "not wanted"));
        }
        Ok(())
    }
}

impl Inspector for Notes {
    fn begin(&mut self, _: &ObjectMeta, _: &Attributes) -> Result<()> {
        let mut seen = self.seen.lock().unwrap();
        seen.begun += 1;
        seen.content.clear();
        self.refuse("begin")
    }

    fn update(&mut self, data: &[u8]) {
        self.seen.lock().unwrap().content.extend_from_slice(data);
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.seen.lock().unwrap().ended = true;
        self.refuse("finish")
    }
}

fn engine(refuses: Option<&'static str>) -> (Transfer, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let own = seen.clone();
    let inspect: Inspect = Arc::new(move || Box::new(Notes { seen: own.clone(), refuses }));
    let options = TransferOptions::default().with_part_bytes(PART as u64).with_resume(true);
    (Transfer::new().with_options(options).with_inspection(inspect), seen)
}

async fn sources(content: &[u8], dir: &std::path::Path) -> [Store; 2] {
    let local = LocalStore::open(dir, LocalOptions::default()).unwrap();
    let stores = [Store::new(Arc::new(MemoryStore::new())), Store::new(Arc::new(local))];
    for store in &stores {
        store.put(&Path::from("from"), content.to_vec().into()).await.unwrap();
    }
    stores
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_is_seen_in_order() {
    for length in [0, 1, PART, PART + 1, 40 * PART + 7] {
        let content: Vec<u8> = (0..length).map(|at| ((at * 31) >> 8) as u8).collect();
        let dir = tempfile::tempdir().unwrap();
        for source in sources(&content, dir.path()).await {
            let (engine, seen) = engine(None);
            let check = |what: &str| {
                let seen = std::mem::take(&mut *seen.lock().unwrap());
                assert!(seen.content == content && seen.ended, "{what}, {length} bytes");
            };
            let target = dir.path().join("to");
            engine.download(&source, &Path::from("from"), &target).await.unwrap();
            assert!(std::fs::read(&target).unwrap() == content);
            check("download");
            let memory = Store::new(Arc::new(MemoryStore::new()));
            engine.copy(&source, &Path::from("from"), &memory, &Path::from("to")).await.unwrap();
            let found = memory.get(&Path::from("to")).await.unwrap().bytes().await.unwrap();
            assert!(found == content);
            check("copy");
            // The same store, which would make the copy by itself.
            engine.copy(&source, &Path::from("from"), &source, &Path::from("again")).await.unwrap();
            check("copy inside a store");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_published() {
    let dir = tempfile::tempdir().unwrap();
    for (refuses, length) in
        [("begin", 1), ("begin", 9 * PART), ("finish", 1), ("finish", 9 * PART)]
    {
        for source in sources(&vec![7; length], dir.path()).await {
            let (engine, seen) = engine(Some(refuses));
            let target = dir.path().join("to");
            let error = engine.download(&source, &Path::from("from"), &target).await.unwrap_err();
            assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, "inspect"));
            let names = std::fs::read_dir(dir.path()).unwrap();
            let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["from"], "nothing is left for later either");
            let memory = Store::new(Arc::new(MemoryStore::new()));
            let (from, to) = (Path::from("from"), Path::from("to"));
            assert!(engine.copy(&source, &from, &memory, &to).await.is_err());
            assert!(!memory.exists(&to).await.unwrap());
            assert_eq!(seen.lock().unwrap().ended, refuses == "finish");
        }
    }
}
