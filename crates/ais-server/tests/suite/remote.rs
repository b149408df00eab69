//! Buckets of backends: cold reads, writes through, listings, eviction, prefetching, inventories, limits of space.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt as _;
use holdall_ais_server::{CacheLimits, Options};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::archives::{files, pack};
use crate::standin::{Control, options};
use crate::support::{Ais, header};

const LARGE: usize = 3 << 20;
/// Of several requests, each of which brings 4 MiB to those who read along.
const STREAMED: usize = 14 << 20;

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

async fn server() -> (Arc<Control>, Ais) {
    let (control, options) = options();
    (control, Ais::with(options).await)
}

impl Ais {
    async fn text_of(reply: Response) -> String {
        assert_eq!(reply.status(), 200, "{}", reply.url());
        reply.text().await.expect("text")
    }

    async fn on_bucket(&self, method: Method, action: &str, value: Value) -> Response {
        self.act(method, "/v1/buckets/b?provider=aws", action, value).await
    }

    /// Starts a job on the bucket, waits for its end, and gives its snapshot.
    async fn bucket_job(&self, method: Method, action: &str, value: Value) -> Value {
        let id = Self::text_of(self.on_bucket(method, action, value).await).await;
        self.ended(&id).await
    }

    pub(crate) async fn ended(&self, id: &str) -> Value {
        loop {
            let asked = self.request(Method::GET, "/v1/cluster?what=qryxstats");
            let reply = asked.json(&json!({"ID": id})).send().await.expect("an answer");
            let all: Value = reply.json().await.expect("JSON");
            let snap = all.as_object().expect("targets").values().next().expect("one")[0].clone();
            if snap["end-time"] != "0001-01-01T00:00:00Z" {
                return snap;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn is_here(&self, name: &str) -> bool {
        let reply = self
            .send(Method::HEAD, &format!("/v1/objects/b/{name}?provider=aws&props=size&presence=2"))
            .await;
        reply.status() == 200
    }

    async fn list(&self, value: Value) -> Value {
        let reply = self.on_bucket(Method::GET, "list", value).await;
        assert_eq!(reply.status(), 200);
        reply.json().await.expect("JSON")
    }

    async fn set_props(&self, value: Value) {
        let reply = self.on_bucket(Method::PATCH, "set-bprops", value).await;
        assert_eq!(reply.status(), 200, "{}", reply.text().await.expect("text"));
    }
}

fn names(page: &Value) -> Vec<&str> {
    page["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| entry["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_readers_cause_one_download() {
    for disk in [false, true] {
        let (control, mut options) = options();
        let folder = tempfile::tempdir().expect("a folder");
        options.data = disk.then(|| folder.path().to_owned());
        let ais = Ais::with(options).await;
        let whole = content(LARGE);
        let lock = "/v1/objects/b/large?provider=aws";
        control.put("b", "large", whole.clone()).await;
        control.wait_after.store(1 << 20, Ordering::SeqCst);
        let readers = (0..40).map(|n| {
            let (client, url) = (ais.client.clone(), ais.server.url());
            tokio::spawn(async move {
                let request = client.get(format!("{url}/v1/objects/b/large?provider=aws"));
                // Some want a part only.
                let request =
                    if n % 4 == 0 { request.header("Range", "bytes=5-1000004") } else { request };
                let reply = request.send().await.expect("an answer");
                (n, reply.status().as_u16(), reply.bytes().await.expect("bytes"))
            })
        });
        let readers: Vec<_> = readers.collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!ais.is_here("large").await, "nothing half is visible");
        while ais.act(Method::POST, lock, "check-lock", Value::Null).await.status() != 423 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.go();
        for reader in readers {
            let (n, status, bytes) = reader.await.expect("no panic");
            match n % 4 {
                0 => assert_eq!((status, &bytes[..]), (206, &whole[5..1_000_005])),
                _ => assert_eq!((status, &bytes[..]), (200, &whole[..])),
            }
        }
        assert_eq!(control.reads(), 1);
        assert!(ais.is_here("large").await);
        assert_eq!(ais.get("b/large?provider=aws").await.bytes().await.expect("bytes"), whole);
        assert_eq!(control.reads(), 1, "a warm read asks nobody");
        // What was sent in several pieces is over soon after its last one.
        while ais.act(Method::POST, lock, "check-lock", Value::Null).await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_nobody_waits_for_ends_and_leaves_nothing() {
    let (control, ais) = server().await;
    control.put("b", "large", content(LARGE)).await;
    control.wait_after.store(1 << 20, Ordering::SeqCst);
    let reading = ais.request(Method::GET, "/v1/objects/b/large?provider=aws");
    let read = reading.timeout(Duration::from_millis(200)).send().await;
    assert!(read.is_err(), "it waits for the whole object");
    // The server learns that the client has gone.
    tokio::time::sleep(Duration::from_millis(500)).await;
    control.go();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!ais.is_here("large").await);
    // The next reader begins anew.
    assert_eq!(ais.get("b/large?provider=aws").await.bytes().await.expect("bytes").len(), LARGE);
    assert_eq!(control.reads(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streaming_cold_reads_answer_before_the_object_is_here() {
    let (control, ais) = server().await;
    let whole = content(STREAMED);
    control.put("b", "large", whole.clone()).await;
    assert_eq!(ais.send(Method::HEAD, "/v1/buckets/b?provider=aws").await.status(), 200);
    ais.set_props(json!({"features": "4096"})).await;
    control.wait_after.store(10 << 20, Ordering::SeqCst);
    let reply = ais.get("b/large?provider=aws").await;
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.content_length(), Some(STREAMED as u64));
    let mut body = reply.bytes_stream();
    let first = body.next().await.expect("a piece").expect("bytes");
    assert!(!ais.is_here("large").await);
    control.go();
    let mut all = first.to_vec();
    while let Some(piece) = body.next().await {
        all.extend_from_slice(&piece.expect("bytes"));
    }
    assert_eq!(all, whole);
    assert!(ais.is_here("large").await, "the last byte comes when the object is here");
    assert_eq!(control.reads(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_is_not_an_object() {
    let (control, ais) = server().await;
    control.put("b", "large", content(STREAMED)).await;
    assert_eq!(ais.send(Method::HEAD, "/v1/buckets/b?provider=aws").await.status(), 200);
    ais.set_props(json!({"features": "4096"})).await;
    control.wait_after.store(10 << 20, Ordering::SeqCst);
    control.fail_after.store(10 << 20, Ordering::SeqCst);
    let reply = ais.get("b/large?provider=aws").await;
    assert_eq!(reply.status(), 200);
    control.go();
    assert!(reply.bytes().await.is_err(), "the client sees that something is missing");
    assert!(!ais.is_here("large").await);
    ais.set_props(json!({"features": "0"})).await;
    assert_eq!(ais.get("b/large?provider=aws").await.status(), 501);
    control.fail_after.store(0, Ordering::SeqCst);
    assert_eq!(ais.get("b/large?provider=aws").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_latest_version_is_read_when_it_is_asked_for() {
    let (control, ais) = server().await;
    control.put("b", "o", "one").await;
    let read = async |query: &str| {
        let reply = ais.get(&format!("b/o?provider=aws{query}")).await;
        (reply.status().as_u16(), reply.text().await.expect("text"))
    };
    assert_eq!(read("").await, (200, "one".into()));
    control.put("b", "o", "three").await;
    assert_eq!(read("").await, (200, "one".into()), "what is here");
    assert_eq!(read("&latest-ver=true").await, (200, "three".into()));
    assert_eq!(read("").await, (200, "three".into()));
    let reads = control.reads();
    assert_eq!(read("&latest-ver=true").await.0, 200);
    assert_eq!(control.reads(), reads, "it is the latest: nothing was downloaded");

    control.put("b", "o", "four").await;
    let head = async |query: &str| {
        ais.send(Method::HEAD, &format!("/v1/objects/b/o?provider=aws&props=size{query}"))
            .await
            .status()
    };
    assert_eq!(head("&latest-ver=true").await, 409);
    control.delete("b", "o").await;
    assert_eq!(head("&latest-ver=true").await, 410);
    assert_eq!(read("&latest-ver=true").await.0, 404);
    assert_eq!(read("").await, (200, "three".into()), "the copy stays");
    ais.set_props(json!({"versioning": {"validate_warm_get": true, "synchronize": true}})).await;
    assert_eq!(read("").await.0, 404);
    ais.set_props(json!({"versioning": {"validate_warm_get": false, "synchronize": false}})).await;
    assert_eq!(read("").await.0, 404, "the copy went, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_and_deletions_go_to_the_backend() {
    let (control, ais) = server().await;
    let reply = ais.put("b/o?provider=aws", "hello").await;
    assert_eq!(reply.status(), 200);
    assert_eq!(control.content("b", "o").await.as_deref(), Some(&b"hello"[..]));
    assert!(ais.is_here("o").await);
    assert_eq!(ais.get("b/o?provider=aws").await.text().await.expect("text"), "hello");
    assert_eq!(control.reads(), 0, "what was written is kept");

    let large = content(20 << 20);
    assert_eq!(ais.put("b/large?provider=aws", large.clone()).await.status(), 200);
    assert_eq!(control.content("b", "large").await, Some(large));

    // A wrong checksum goes nowhere.
    let wrong = ais.request(Method::PUT, "/v1/objects/b/wrong?provider=aws");
    let wrong = wrong.header("Ais-Checksum-Type", "md5").header("Ais-Checksum-Value", "00");
    assert_eq!(wrong.body("x").send().await.expect("an answer").status(), 500);
    assert_eq!(control.content("b", "wrong").await, None);

    // In parts.
    let id =
        ais.act(Method::POST, "/v1/objects/b/parts?provider=aws", "mpt-upload", Value::Null).await;
    let id = Ais::text_of(id).await;
    for (number, part) in [(2, "world"), (1, "hello ")] {
        let path = format!("b/parts?provider=aws&uploadId={id}&partNumber={number}");
        assert_eq!(ais.put(&path, part).await.status(), 200);
    }
    let parts = json!([{"part-number": 1, "etag": ""}, {"part-number": 2, "etag": ""}]);
    let path = format!("/v1/objects/b/parts?provider=aws&uploadId={id}");
    assert_eq!(ais.act(Method::POST, &path, "mpt-complete", parts).await.status(), 200);
    assert_eq!(control.content("b", "parts").await.as_deref(), Some(&b"hello world"[..]));

    // Copies, from this server and to it.
    ais.create("local").await;
    ais.put("local/l", "from here").await;
    let to = "/v1/objects/local/l?object_to=aws%2F%40%23%2Fb%2Fcopied";
    assert_eq!(ais.send(Method::PUT, to).await.status(), 200);
    assert_eq!(control.content("b", "copied").await.as_deref(), Some(&b"from here"[..]));
    control.put("b", "cold", "from there").await;
    let to = "/v1/objects/b/cold?provider=aws&object_to=ais%2F%40%23%2Flocal%2Fcold";
    assert_eq!(ais.send(Method::PUT, to).await.status(), 200);
    assert_eq!(ais.get("local/cold").await.text().await.expect("text"), "from there");
    assert!(!ais.is_here("cold").await, "a copy passes by");

    assert_eq!(ais.send(Method::DELETE, "/v1/objects/b/o?provider=aws").await.status(), 200);
    assert_eq!(control.content("b", "o").await, None);
    assert_eq!(ais.get("b/o?provider=aws").await.status(), 404);
    let gone = ais
        .bucket_job(Method::DELETE, "delete-listrange", json!({"objnames": ["large", "parts"]}))
        .await;
    assert_eq!(gone["stats"]["loc-objs"], "2", "{gone}");
    assert_eq!(control.content("b", "large").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_refuses_a_write_leaves_nothing_here() {
    let (control, ais) = server().await;
    ais.put("b/o?provider=aws", "before").await;
    control.refuse_writes.store(true, Ordering::SeqCst);
    let reply = ais.put("b/o?provider=aws", "after").await;
    assert_eq!(reply.status(), 502);
    let text = reply.text().await.expect("text");
    assert!(text.contains("aws-error") && text.contains("out of order"), "{text}");
    assert_eq!(ais.get("b/o?provider=aws").await.text().await.expect("text"), "before");
    assert_eq!(ais.send(Method::DELETE, "/v1/objects/b/o?provider=aws").await.status(), 502);
    assert!(ais.is_here("o").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_download_does_not_replace_a_new_object() {
    let (control, ais) = server().await;
    control.put("b", "o", content(LARGE)).await;
    control.wait_after.store(1 << 20, Ordering::SeqCst);
    let (client, url) = (ais.client.clone(), ais.server.url());
    let reader = tokio::spawn(async move {
        client.get(format!("{url}/v1/objects/b/o?provider=aws")).send().await.expect("an answer")
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(ais.put("b/o?provider=aws", "new").await.status(), 200);
    control.go();
    let read = reader.await.expect("no panic");
    assert_eq!(read.status(), 200);
    assert_eq!(read.text().await.expect("text"), "new");
    assert_eq!(ais.get("b/o?provider=aws").await.text().await.expect("text"), "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_tell_what_is_there_and_what_is_here() {
    let (control, ais) = server().await;
    for n in 0..25 {
        control.put("b", &format!("d{}/o{n:02}", n % 3), "x").await;
    }
    ais.get("b/d0/o00?provider=aws").await;
    ais.get("b/d1/o01?provider=aws").await;
    let all = ais.list(json!({"props": "name,size,cached"})).await;
    assert_eq!(names(&all).len(), 25);
    let cached: Vec<_> =
        all["entries"].as_array().expect("a list").iter().filter(|e| e["flags"] == 64).collect();
    assert_eq!(cached.len(), 2);
    assert_eq!(all["entries"][3]["size"], "1");

    let (mut token, mut paged, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let page = ais.list(json!({"pagesize": 7, "continuation_token": token})).await;
        assert!(names(&page).len() <= 7);
        paged.extend(names(&page).into_iter().map(str::to_owned));
        pages += 1;
        token = page["continuation_token"].as_str().expect("a token").to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, 4);
    assert_eq!(paged, names(&all));

    assert_eq!(names(&ais.list(json!({"prefix": "d2/"})).await).len(), 8);
    assert_eq!(names(&ais.list(json!({"flags": "1"})).await), ["d0/o00", "d1/o01"]);
    assert_eq!(names(&ais.list(json!({"flags": "512"})).await).len(), 23);
    assert_eq!(names(&ais.list(json!({"flags": "2048"})).await), ["d0/", "d1/", "d2/"]);
    let refused = ais.on_bucket(Method::GET, "list", json!({"start_after": "d1"})).await;
    assert_eq!(refused.status(), 400);

    control.put("b", "d0/o00", "longer").await;
    let diff =
        ais.list(json!({"flags": "4096", "props": "name,size,custom", "prefix": "d0/o0"})).await;
    assert_eq!(diff["entries"][0]["flags"], 64 | 1 << 10, "{diff}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_nothing_can_fetch_are_listed_and_keep_no_other_from_coming() {
    let (control, ais) = server().await;
    for name in ["a", "d/b", "z"] {
        control.put("b", name, "x").await;
    }
    *control.odd.lock().expect("no panic") = vec!["c\t", "d//double"];
    let all = ais.list(json!({"props": "name,size"})).await;
    assert_eq!(names(&all), ["a", "c\t", "d//double", "d/b", "z"]);
    assert_eq!(all["entries"][2]["size"], "7");
    let inside = ais.list(json!({"flags": "2048", "prefix": "d/"})).await;
    assert_eq!(names(&inside), ["d//", "d/b"]);

    let refused = ais.get("b/d%2F%2Fdouble?provider=aws").await;
    assert_eq!(refused.status(), 400);
    let fetched = ais.bucket_job(Method::POST, "prefetch-listrange", json!({"template": ""})).await;
    assert!(fetched["err"].as_str().expect("text").contains("no backend can hold"), "{fetched}");
    assert_eq!(fetched["stats"]["loc-objs"], "3", "{fetched}");
    assert!(ais.is_here("a").await && ais.is_here("d/b").await && ais.is_here("z").await);

    assert_eq!(
        ais.act(Method::POST, "/v1/buckets/to", "create-bck", Value::Null).await.status(),
        200
    );
    let path = "/v1/buckets/b?provider=aws&bck_to=ais/@%23/to/";
    let copy = ais.act(Method::POST, path, "copy-bck", json!({})).await;
    let copied = ais.ended(&Ais::text_of(copy).await).await;
    assert!(copied["err"].as_str().expect("text").contains("no backend can hold"), "{copied}");
    let there = ais.act(Method::GET, "/v1/buckets/to", "list", json!({})).await;
    assert_eq!(names(&there.json().await.expect("JSON")), ["a", "d/b", "z"]);

    let archive = |coer: bool, mut what: Value| {
        what["archname"] = json!("all.tar");
        what["coer"] = json!(coer);
        what["tobck"] = json!({"name": "to", "provider": "ais"});
        ais.bucket_job(Method::PUT, "archive", what)
    };
    let archived = archive(false, json!({"template": ""})).await;
    let said = archived["err"].as_str().expect("text");
    assert!(said.contains("no backend can hold") && said.contains("1 more"), "{archived}");
    assert_eq!(archived["stats"]["loc-objs"], "3", "{archived}");
    for member in ["a", "d/b", "z"] {
        assert_eq!(ais.get(&format!("to/all.tar?archpath={member}")).await.status(), 200);
    }
    // Those that are asked for by name have to be there, as those that are missing do.
    let named = json!({"objnames": ["z", "d//double"]});
    let failed = archive(false, named.clone()).await;
    assert!(failed["err"].as_str().expect("text").contains("no backend can hold"), "{failed}");
    assert_eq!(ais.get("to/all.tar?archpath=a").await.status(), 200, "the archive of before");
    let archived = archive(true, named).await;
    assert_eq!(archived["stats"]["loc-objs"], "1", "{archived}");
    assert_eq!(ais.get("to/all.tar?archpath=a").await.status(), 404, "the new archive");

    // dSort fetches its shards too, and says which one it cannot have.
    let shard = pack("shard.tar", &files(&[("x.txt", "x"), ("y.txt", "y")]));
    control.put("b", "shard.tar", shard).await;
    let spec = json!({
        "input_bck": {"name": "b", "provider": "aws"}, "output_bck": {"name": "to", "provider": "ais"},
        "input_format": {"template": ""}, "output_format": "out-{0..9}", "output_shard_size": "1KB",
        "input_extension": ".tar",
    });
    let sort = async || {
        let begun = ais.request(Method::POST, "/v1/sort").json(&spec).send().await;
        ais.ended(&Ais::text_of(begun.expect("a reply")).await).await
    };
    let sorted = sort().await;
    assert_eq!(sorted["err"], "", "{sorted}");
    assert_eq!(ais.get("to/out-0.tar?archpath=y.txt").await.text().await.expect("text"), "y");
    *control.odd.lock().expect("no panic") = vec!["d//double.tar"];
    let sorted = sort().await;
    let said = sorted["err"].as_str().expect("text");
    assert!(said.contains("no backend can hold") && said.contains("d//double.tar"), "{sorted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn summaries_count_both() {
    let (control, ais) = server().await;
    for n in 0..5 {
        control.put("b", &format!("o{n}"), "four").await;
    }
    ais.get("b/o1?provider=aws").await;
    let value = |id: &str| json!({"uuid": id, "prefix": "", "cached": false, "present": true});
    let begun = ais.on_bucket(Method::GET, "summary-bck", value("")).await;
    assert_eq!(begun.status(), 202);
    let id = begun.text().await.expect("text");
    ais.ended(&id).await;
    let all: Value =
        ais.on_bucket(Method::GET, "summary-bck", value(&id)).await.json().await.expect("JSON");
    assert_eq!(all[0]["ObjCount"], json!({"obj_count_present": "1", "obj_count_remote": "5"}));
    assert_eq!(all[0]["TotalSize"]["size_all_remote_objs"], "20");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_prefetched_and_evicted() {
    let (control, ais) = server().await;
    for n in 0..12 {
        control.put("b", &format!("o{n:02}"), content(1000 + n * 100)).await;
    }
    let list = ais
        .bucket_job(Method::POST, "prefetch-listrange", json!({"objnames": ["o00", "o01"]}))
        .await;
    assert_eq!((&list["err"], &list["stats"]["loc-objs"]), (&json!(""), &json!("2")));
    assert!(ais.is_here("o00").await && !ais.is_here("o02").await);
    let again =
        ais.bucket_job(Method::POST, "prefetch-listrange", json!({"template": "o{00..03}"})).await;
    assert_eq!(again["stats"]["loc-objs"], "2", "what is here does not count: {again}");
    let missing = ais
        .bucket_job(Method::POST, "prefetch-listrange", json!({"objnames": ["o04", "nope"]}))
        .await;
    assert!(missing["err"].as_str().expect("text").contains("does not exist"));
    assert!(ais.is_here("o04").await);

    let blobs = json!({"template": "", "blob-threshold": 2000});
    ais.bucket_job(Method::POST, "prefetch-listrange", blobs).await;
    assert!(ais.is_here("o11").await && ais.is_here("o05").await);
    let asked = ais.request(Method::GET, "/v1/cluster?what=qryxstats");
    let jobs: Value = asked
        .json(&json!({"Kind": "blob-download"}))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let jobs = jobs.as_object().expect("targets").values().next().expect("one").clone();
    assert_eq!(jobs.as_array().expect("jobs").len(), 2, "o10 and o11");
    assert_eq!(jobs[0]["stats"]["loc-objs"], "1");

    let gone =
        ais.bucket_job(Method::DELETE, "evict-listrange", json!({"template": "o{00..05}"})).await;
    assert_eq!(gone["stats"]["loc-objs"], "6");
    assert!(!ais.is_here("o03").await && ais.is_here("o06").await);
    assert!(control.content("b", "o03").await.is_some(), "it stays there");

    let path = "/v1/buckets/b?provider=aws&keep_bck_md=";
    let evict = async |keep: &str| {
        ais.act(Method::DELETE, &format!("{path}{keep}"), "evict-remote-bck", Value::Null)
            .await
            .status()
    };
    ais.set_props(json!({"features": "4096"})).await;
    assert_eq!(evict("True").await, 200);
    assert!(!ais.is_here("o06").await);
    let props = ais.send(Method::HEAD, "/v1/buckets/b?provider=aws").await;
    assert!(header(&props, "ais-bucket-props").contains(r#""features":"4096""#));
    assert_eq!(evict("False").await, 200);
    let known = ais.send(Method::HEAD, "/v1/buckets/b?provider=aws&presence=2").await;
    assert_eq!(known.status(), 404);
    assert_eq!(evict("False").await, 200, "an unknown bucket is fine");
    assert_eq!(ais.get("b/o06?provider=aws").await.status(), 200, "it is known again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_are_downloaded_in_parts() {
    let (control, ais) = server().await;
    let whole = content(LARGE);
    control.put("b", "large", whole.clone()).await;
    let message = json!({"action": "blob-download", "name": "large", "value": {"chunk-size": 1 << 20, "num-workers": 2}});
    let begun = ais.request(Method::POST, "/v1/objects/b?provider=aws").json(&message).send().await;
    let snap = ais.ended(&Ais::text_of(begun.expect("an answer")).await).await;
    assert_eq!(
        (&snap["stats"]["loc-objs"], &snap["stats"]["loc-bytes"]),
        (&json!("1"), &json!(LARGE.to_string()))
    );
    assert_eq!(control.reads(), 3);
    assert_eq!(ais.get("b/large?provider=aws").await.bytes().await.expect("bytes"), whole);

    control.put("b", "other", whole.clone()).await;
    let asked = ais.request(Method::GET, "/v1/objects/b/other?provider=aws");
    let asked = asked
        .header("Ais-Blob-Download", "true")
        .header("Ais-Blob-Chunk", "1MiB")
        .header("Ais-Blob-Workers", "4");
    assert_eq!(asked.send().await.expect("an answer").bytes().await.expect("bytes"), whole);
    let asked = ais
        .request(Method::GET, "/v1/objects/b/other?provider=aws")
        .header("Ais-Blob-Download", "true");
    assert_eq!(
        asked.header("Ais-Blob-Workers", "999").send().await.expect("an answer").status(),
        400
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inventories_are_listed_without_the_backend() {
    let (control, ais) = server().await;
    for n in 0..10 {
        control.put("b", &format!("p/o{n}"), "x").await;
    }
    let create = |value: Value| ais.on_bucket(Method::POST, "create-inventory", value);
    let id =
        Ais::text_of(create(json!({"name": "inv", "prefix": "p/", "names_per_chunk": 3})).await)
            .await;
    assert!(id.starts_with("inv-"));
    ais.ended(&id).await;
    let shown: Value =
        ais.on_bucket(Method::GET, "show-inventory", Value::Null).await.json().await.expect("JSON");
    let info = &shown["aws/@#/b/inv"];
    assert_eq!(
        (&info["ntotal"], &info["chunks"], &info["prefix"]),
        (&json!(10), &json!(4), &json!("p/"))
    );
    assert_eq!(create(json!({"name": "second"})).await.status(), 400);

    let lists = control.lists.load(Ordering::SeqCst);
    let (mut token, mut all) = (String::new(), Vec::new());
    loop {
        let page =
            ais.list(json!({"flags": "32768", "pagesize": 4, "continuation_token": token})).await;
        all.extend(names(&page).into_iter().map(str::to_owned));
        token = page["continuation_token"].as_str().expect("a token").to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(all.len(), 10);
    assert_eq!(control.lists.load(Ordering::SeqCst), lists);
    assert_eq!(names(&ais.list(json!({"flags": "32768", "prefix": "p/o7"})).await), ["p/o7"]);
    assert_eq!(names(&ais.list(json!({"flags": "34816"})).await), ["p/"]);

    let id = Ais::text_of(create(json!({"name": "new", "force": true})).await).await;
    ais.ended(&id).await;
    let shown: Value =
        ais.on_bucket(Method::GET, "show-inventory", Value::Null).await.json().await.expect("JSON");
    assert_eq!(shown.as_object().expect("a map").keys().collect::<Vec<_>>(), ["aws/@#/b/new"]);
    assert_eq!(ais.on_bucket(Method::DELETE, "destroy-inventory", Value::Null).await.status(), 200);
    assert_eq!(ais.on_bucket(Method::GET, "list", json!({"flags": "32768"})).await.status(), 404);
    let buckets =
        ais.act(Method::GET, "/v1/buckets", "list", json!({})).await.text().await.expect("text");
    assert!(!buckets.contains("sys-inventory"), "{buckets}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_longest_ago_goes_when_space_is_short() {
    let (control, mut options) = options();
    options.cache = CacheLimits { bytes: Some(10_000), high: 90, low: 50 };
    let ais = Ais::with(options).await;
    for n in 0..9 {
        control.put("b", &format!("o{n}"), content(1000)).await;
        assert_eq!(ais.get(&format!("b/o{n}?provider=aws")).await.status(), 200);
    }
    assert!(ais.is_here("o0").await, "there is room");
    ais.put("b/new?provider=aws", content(2000)).await;
    // Above the limit even what was read just now goes, the oldest first.
    let mut left = 9;
    for _ in 0..500 {
        left = 0;
        for n in 0..9 {
            left += usize::from(ais.is_here(&format!("o{n}")).await);
        }
        if left < 9 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(left < 9, "something went");
    assert!(!ais.is_here("o0").await && ais.is_here("new").await);
    assert_eq!(ais.get("b/o0?provider=aws").await.status(), 200, "it comes again");

    // Asked for, it does what there is to do, and no more.
    let begun = ais.act(Method::PUT, "/v1/cluster", "start", json!({"Kind": "lru"})).await;
    let snap = ais.ended(&Ais::text_of(begun).await).await;
    assert_eq!(snap["err"], "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_this_server_can_have_a_backend() {
    let (control, ais) = server().await;
    control.put("b", "o", "there").await;
    ais.create("front").await;
    let path = "/v1/buckets/front";
    let back = |name: &str| json!({"backend_bck": {"name": name, "provider": "aws"}});
    assert_eq!(ais.act(Method::PATCH, path, "set-bprops", back("nope")).await.status(), 404);
    assert_eq!(ais.act(Method::PATCH, path, "set-bprops", back("b")).await.status(), 200);
    assert_eq!(ais.get("front/o").await.text().await.expect("text"), "there");
    assert_eq!(ais.put("front/new", "x").await.status(), 200);
    assert!(control.content("b", "new").await.is_some());
    let evicted =
        ais.act(Method::DELETE, path, "evict-listrange", json!({"objnames": ["o"]})).await;
    ais.ended(&Ais::text_of(evicted).await).await;
    assert_eq!(ais.get("front/o").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_that_are_nowhere_are_not_found() {
    let (_, ais) = server().await;
    let missing = ais.get("nope/o?provider=aws").await;
    assert_eq!(missing.status(), 404);
    assert!(
        missing.text().await.expect("text").contains("aws bucket \\\"s3://nope\\\" does not exist")
    );
    assert_eq!(ais.get("b/nope?provider=aws").await.status(), 404);
    let create =
        ais.act(Method::POST, "/v1/buckets/nope?provider=aws", "create-bck", Value::Null).await;
    assert_eq!(create.status(), 501);
    let destroy = ais.on_bucket(Method::DELETE, "destroy-bck", Value::Null).await;
    assert_eq!(destroy.status(), 405);
    // Another provider was not enabled.
    assert_eq!(ais.get("b/o?provider=gcp").await.status(), 404);
    let none = Ais::with(Options::default()).await;
    assert_eq!(none.get("b/o?provider=aws").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_times_move_when_objects_are_read() {
    let ais = Ais::memory().await;
    ais.create("a").await;
    ais.put("a/o", "x").await;
    let engine = ais.server.engine();
    let bucket = engine.bucket(&holdall_ais_wire::Bck::ais("a")).expect("a bucket");
    let before = engine.head(&bucket, "o").await.expect("there");
    let mut old = before.clone();
    old.atime -= 3_600_000_000_000;
    engine.accessed(bucket.bid(), "o", &old);
    let told: i64 = header(&ais.send(Method::HEAD, "/v1/objects/a/o").await, "ais-atime")
        .parse()
        .expect("a time");
    assert!(told > before.atime);
    engine.flush_accesses().await.expect("written");
    assert_eq!(engine.head(&bucket, "o").await.expect("there").atime, told);
}
