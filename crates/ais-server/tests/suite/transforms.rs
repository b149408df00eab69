//! ETL: transformers as processes of this machine.

use std::time::Duration;

use holdall_ais_server::{EtlOptions, Options};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Ais, header};

const TRANSFORMER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transformer.py");

fn allowed() -> Options {
    Options { etl: Some(EtlOptions::default()), ..Options::default() }
}

impl Ais {
    async fn transforming() -> Self {
        let ais = Self::with(allowed()).await;
        ais.create("from").await;
        ais
    }

    /// Asks for an ETL that runs the transformer of these tests.
    async fn ask_for(&self, name: &str, change: Value) -> (u16, String) {
        let mut message = json!({
            "name": name,
            "communication": "hpush://",
            "init_timeout": "60s",
            "obj_timeout": "30s",
            "runtime": {"image": "local", "command": ["python3", TRANSFORMER]},
        });
        for (key, value) in change.as_object().expect("an object") {
            message[key] = value.clone();
        }
        let reply = self.request(Method::PUT, "/v1/etl").json(&message).send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    /// How many objects the ETL has transformed.
    async fn transformed(&self, etl: &str) -> i64 {
        let all = self.json("/v1/etl").await;
        let all = all.as_array().expect("a list");
        let found = all.iter().find(|info| info["id"] == etl).expect("the ETL");
        found["obj_count"].as_i64().expect("a number")
    }

    async fn init(&self, name: &str, change: Value) {
        let (status, text) = self.ask_for(name, change).await;
        assert_eq!(status, 200, "{text}");
        assert!(text.starts_with("etl-"), "{text}");
    }

    async fn json(&self, path: &str) -> Value {
        self.send(Method::GET, path).await.json().await.unwrap()
    }

    async fn stage(&self, name: &str) -> String {
        let list = self.json("/v1/etl").await;
        let found = list.as_array().unwrap().iter().find(|etl| etl["id"] == name).unwrap().clone();
        found["stage"].as_str().unwrap().to_owned()
    }

    /// Transforms a bucket; the snapshot of the job, and its id.
    async fn transform(&self, to: &str, value: Value) -> (Value, String) {
        let path = format!("/v1/buckets/from?bck_to=ais/@%23/{to}/");
        let reply = self.act(Method::POST, &path, "etl-bck", value).await;
        let status = reply.status();
        let id = reply.text().await.unwrap();
        assert_eq!(status, 200, "{id}");
        (self.wait(&id).await, id)
    }

    async fn text(&self, path: &str) -> (u16, String) {
        let reply = self.get(path).await;
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    /// Names and versions of a bucket's objects.
    async fn versions(&self, bucket: &str) -> Vec<(String, String)> {
        let list = json!({"action": "list", "value": {"props": "name,version", "pagesize": 0}});
        let request = self.request(Method::GET, &format!("/v1/buckets/{bucket}")).json(&list);
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = page["entries"].as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| (text(&entry["name"]), text(&entry["version"]))).collect()
    }
}

#[tokio::test]
async fn they_are_refused_where_they_are_not_allowed() {
    let ais = Ais::memory().await;
    ais.create("from").await;
    ais.put("from/a", "x").await;
    let (status, text) = ais.ask_for("etl-test", json!({})).await;
    assert_eq!(status, 501);
    assert!(text.contains("cannot use ETL in a build without ETL support"), "{text}");
    assert!(text.contains("--allow-etl"), "{text}");
    assert_eq!(ais.send(Method::GET, "/v1/etl").await.status(), 501);
    assert_eq!(ais.get("from/a?etl_name=etl-test").await.status(), 501);
    let path = "/v1/buckets/from?bck_to=ais/@%23/to/";
    let reply = ais.act(Method::POST, path, "etl-bck", json!({"id": "etl-test"})).await;
    assert_eq!(reply.status(), 404);
    assert!(reply.text().await.unwrap().contains("--allow-etl"));
}

#[tokio::test]
async fn what_needs_kubernetes_says_so() {
    let ais = Ais::transforming().await;
    let runtime = json!({"runtime": {"image": "someone/image:1"}});
    let (status, text) = ais.ask_for("etl-test", runtime).await;
    assert_eq!(status, 501);
    assert!(text.contains("the operation requires Kubernetes"), "{text}");
    assert!(text.contains("--etl-image"), "{text}");
    let none = json!({"runtime": {"image": "local", "command": ["no-such-program"]}});
    let (_, text) = ais.ask_for("etl-none", none).await;
    assert!(text.contains("there is no program") && text.contains("no-such-program"), "{text}");
    assert_eq!(ais.ask_for("bad", json!({})).await.0, 400);
}

#[tokio::test]
async fn the_life_of_an_etl() {
    let ais = Ais::transforming().await;
    ais.put("from/dir/a", "some text").await;
    ais.init("etl-test", json!({})).await;
    assert_eq!(ais.stage("etl-test").await, "Running");
    let (status, text) = ais.ask_for("etl-test", json!({})).await;
    assert_eq!(status, 409);
    assert!(text.contains("etl job etl-test already exists"), "{text}");

    let found = ais.text("from/dir/a?etl_name=etl-test&etl_args=%20%2B%20more").await;
    assert_eq!(found, (200, "SOME TEXT + more".to_owned()));
    let info = &ais.json("/v1/etl").await[0];
    assert_eq!(
        (&info["obj_count"], &info["in_bytes"], &info["out_bytes"]),
        (&json!(1), &json!(9), &json!(16))
    );

    let details = ais.json("/v1/etl/etl-test").await;
    assert_eq!(details["init_msg"]["runtime"]["command"][1], TRANSFORMER);
    let logs = ais.json("/v1/etl/etl-test/logs").await;
    let target = logs[0]["target_id"].as_str().unwrap().to_owned();
    assert_eq!(ais.json(&format!("/v1/etl/etl-test/logs/{target}")).await, logs);
    assert_eq!(ais.send(Method::GET, "/v1/etl/etl-test/logs/other").await.status(), 400);
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.decode(logs[0]["logs"].as_str().unwrap());
    assert!(String::from_utf8(text.unwrap()).unwrap().contains("the transformer starts"));
    assert_eq!(ais.json("/v1/etl/etl-test/health").await[0]["health_status"], "Running");
    assert!(ais.json("/v1/etl/etl-test/metrics").await[0]["mem"].as_i64().unwrap() > 1_000_000);

    assert_eq!(ais.send(Method::POST, "/v1/etl/etl-test/start").await.status(), 400);
    assert_eq!(ais.send(Method::POST, "/v1/etl/etl-test/stop").await.status(), 200);
    assert_eq!(ais.stage("etl-test").await, "Aborted");
    let (status, text) = ais.text("from/dir/a?etl_name=etl-test").await;
    assert_eq!(status, 404);
    assert!(text.contains("user abort"), "{text}");
    assert_eq!(ais.send(Method::POST, "/v1/etl/etl-test/start").await.status(), 200);
    assert_eq!(ais.text("from/dir/a?etl_name=etl-test").await.0, 200);
    assert_eq!(ais.send(Method::DELETE, "/v1/etl/etl-test").await.status(), 200);
    assert_eq!(ais.json("/v1/etl").await, json!([]));
    let (status, text) = ais.text("from/dir/a?etl_name=etl-test").await;
    assert!(status == 404 && text.contains("try starting new ETL"), "{text}");
    assert_eq!(ais.send(Method::DELETE, "/v1/etl/etl-test").await.status(), 404);
}

#[tokio::test]
async fn every_way_to_talk_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data: Some(folder.path().to_owned()), ..allowed() };
    let ais = Ais::with(options).await;
    ais.create("from").await;
    let contents = [
        ("empty", String::new()),
        ("small one", "käse % text".to_owned()),
        ("a/b&c=%d", "x".repeat(70_000)),
        ("large", "abcdefgh".repeat(400_000)),
    ];
    for (name, content) in &contents {
        let path = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        assert_eq!(ais.put(&format!("from/{path}"), content.clone()).await.status(), 200);
    }
    let file = json!([{"name": "ETL_DIRECT_FQN", "value": "true"}]);
    let ways = [
        ("etl-push", json!({"communication": "hpush://"})),
        ("etl-pull", json!({"communication": "hpull://"})),
        ("etl-socket", json!({"communication": "ws://"})),
        ("etl-push-put", json!({"communication": "hpush://", "support_direct_put": true})),
        ("etl-pull-put", json!({"communication": "hpull://", "support_direct_put": true})),
        ("etl-socket-put", json!({"communication": "ws://", "support_direct_put": true})),
        ("etl-file", json!({"env": file})),
        ("etl-file-put", json!({"env": file, "support_direct_put": true})),
    ];
    for (etl, change) in ways {
        ais.init(etl, change).await;
        let to = format!("to-{etl}");
        let (snap, _) = ais.transform(&to, json!({"id": etl})).await;
        assert_eq!((&snap["err"], &snap["stats"]["loc-objs"]), (&json!(""), &json!("4")), "{etl}");
        for (name, content) in &contents {
            // What Python's and Rust's upper cases agree on.
            let expected: Vec<u8> = content.bytes().map(|byte| byte.to_ascii_uppercase()).collect();
            let path =
                percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            let inline = ais.get(&format!("from/{path}?etl_name={etl}")).await;
            assert_eq!(inline.status(), 200, "{etl} {name}");
            assert!(inline.bytes().await.unwrap() == expected, "{etl} {name}");
            let written = ais.get(&format!("{to}/{path}")).await;
            assert_eq!(header(&written, "ais-version"), "1", "{etl} {name}");
            assert!(written.bytes().await.unwrap() == expected, "{etl} {name}");
        }
        assert_eq!(ais.send(Method::DELETE, &format!("/v1/etl/{etl}")).await.status(), 200);
    }
    let left = std::fs::read_dir(folder.path().join("etl/files")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "files for transformers stay behind");
}

#[tokio::test]
async fn chains() {
    let ais = Ais::transforming().await;
    ais.put("from/a.txt", "text").await;
    for (name, way) in [("etl-one", "hpull://"), ("etl-two", "ws://"), ("etl-three", "hpush://")] {
        ais.init(name, json!({"communication": way, "support_direct_put": true})).await;
    }
    let path = "from/a.txt?etl_name=etl-one&etl_pipeline=etl-two,etl-three&etl_args=a";
    assert_eq!(ais.text(path).await, (200, "TEXTAAa".to_owned()));
    let value = json!({"id": "etl-one", "pipeline": ["etl-two", "etl-three"], "prepend": "new/", "ext": {"txt": "up"}});
    let (snap, _) = ais.transform("to", value).await;
    assert_eq!(snap["err"], "");
    assert_eq!(ais.text("to/new/a.up").await, (200, "TEXT".to_owned()));

    let to = "object_to=ais/@%23/to/copy";
    let copied = ais.send(Method::PUT, &format!("/v1/objects/{path}&{to}")).await;
    assert_eq!(copied.status(), 200);
    assert_eq!(ais.text("to/copy").await, (200, "TEXTAAa".to_owned()));

    let (status, text) = ais.text("from/a.txt?etl_name=etl-one&etl_pipeline=etl-none").await;
    assert!(status == 404 && text.contains("etl-none"), "{text}");
    let bad = json!({"id": "etl-one", "pipeline": ["etl-none"]});
    let reply = ais.act(Method::POST, "/v1/buckets/from?bck_to=ais/@%23/to/", "etl-bck", bad).await;
    assert_eq!(reply.status(), 404);
    let onto = json!({"id": "etl-one"});
    let reply =
        ais.act(Method::POST, "/v1/buckets/from?bck_to=ais/@%23/from/", "etl-bck", onto).await;
    assert_eq!(reply.status(), 400);
}

#[tokio::test]
async fn objects_that_are_refused_are_told() {
    let ais = Ais::transforming().await;
    for number in 0..20 {
        let name =
            if number % 2 == 0 { format!("good-{number}") } else { format!("refuse-{number}") };
        ais.put(&format!("from/{name}"), "text").await;
    }
    ais.init("etl-half", json!({"support_direct_put": true})).await;
    let (status, text) = ais.text("from/refuse-1?etl_name=etl-half").await;
    assert!(
        status == 422 && text.contains("ETL error: /from/refuse-1 is refused"),
        "{status} {text}"
    );
    let errors = ais.json("/v1/etl/etl-half").await["obj_errors"].clone();
    assert_eq!(
        (&errors[0]["obj_name"], &errors[0]["ecode"]),
        (&json!("ais://from/refuse-1"), &json!(422))
    );

    let (snap, id) = ais.transform("to", json!({"id": "etl-half", "coer": true})).await;
    let error = snap["err"].as_str().unwrap();
    assert!(error.contains("is refused") && error.contains("(and 9 more errors)"), "{error}");
    assert_eq!(snap["stats"]["loc-objs"], "10");
    assert_eq!(ais.versions("to").await.len(), 10);
    let errors = ais.json(&format!("/v1/etl/etl-half?uuid={id}")).await["obj_errors"].clone();
    assert_eq!(errors.as_array().unwrap().len(), 10);

    // A trial run writes nothing, and tells of errors all the same.
    let trial = json!({"id": "etl-half", "coer": true, "dry_run": true});
    let (snap, id) = ais.transform("from", trial).await;
    assert_eq!(snap["stats"]["loc-objs"], "10");
    let errors = ais.json(&format!("/v1/etl/etl-half?uuid={id}")).await["obj_errors"].clone();
    assert_eq!(errors.as_array().unwrap().len(), 10);
    assert_eq!(ais.text("from/good-0").await.1, "text");

    // Without "continue on error", the first one ends the job.
    let (snap, _) = ais.transform("other", json!({"id": "etl-half"})).await;
    assert!(snap["err"].as_str().unwrap().contains("is refused"));
}

/// The processes of the transformers that run with this word among their arguments.
fn processes(word: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.split('\0').any(|argument| argument == word) {
            found.push(id);
        }
    }
    found
}

fn kill(id: i32) {
    let id = rustix::process::Pid::from_raw(id).expect("a process");
    // It may have ended.
    let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_transformers_lose_and_double_nothing() {
    let ais = Ais::transforming().await;
    let names: Vec<String> = (0..150).map(|number| format!("object-{number:03}")).collect();
    for name in &names {
        ais.put(&format!("from/{name}"), format!("text of {name}")).await;
    }
    for (etl, way) in [("etl-kill-push", "hpush://"), ("etl-kill-sock", "ws://")] {
        let mark = format!("--mark={etl}");
        let runtime = json!({
            "image": "local", "command": ["python3", TRANSFORMER, mark],
            "env": [{"name": "NUM_WORKERS", "value": "2"}],
        });
        ais.init(
            etl,
            json!({"runtime": runtime, "communication": way, "support_direct_put": true}),
        )
        .await;
        let ended = std::cell::Cell::new(false);
        let killing = async {
            let mut kills = 0;
            // As objects get done. An object is given up after five tries, so no object can fail by these.
            for done in [10, 30, 50, 70] {
                while !ended.get() && ais.transformed(etl).await < done {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                // One of the two, while it starts or works; none may be there for a moment.
                let victim = loop {
                    match processes(&mark).last() {
                        None if !ended.get() => tokio::time::sleep(Duration::from_millis(20)).await,
                        found => break found.copied(),
                    }
                };
                kills += u32::from(!ended.get());
                victim.into_iter().for_each(kill);
            }
            kills
        };
        // Slow enough for kills in between: every object costs the transformer 50 ms.
        let to = format!("to-{etl}");
        let read = futures::future::join_all(names[..40].iter().map(|name| {
            let ais = &ais;
            async move { ais.text(&format!("from/{name}?etl_name={etl}&etl_args=sleep")).await }
        }));
        let work = async {
            let done = tokio::join!(ais.transform(&to, json!({"id": etl, "num-workers": 8})), read);
            ended.set(true);
            done
        };
        let (((snap, _), read), kills) = tokio::join!(work, killing);
        assert!(kills > 0);
        assert_eq!((&snap["err"], &snap["stats"]["loc-objs"]), (&json!(""), &json!("150")));
        for (name, (status, text)) in names.iter().zip(read) {
            assert_eq!((status, text), (200, format!("TEXT OF {}", name.to_uppercase())));
        }
        let expected: Vec<_> = names.iter().map(|name| (name.clone(), "1".to_owned())).collect();
        assert_eq!(ais.versions(&to).await, expected);
        for name in &names {
            let expected = format!("TEXT OF {}", name.to_uppercase());
            assert_eq!(ais.text(&format!("{to}/{name}")).await, (200, expected));
        }
        assert_eq!(ais.send(Method::DELETE, &format!("/v1/etl/{etl}")).await.status(), 200);
        assert_eq!(processes(&mark), Vec::<i32>::new());
    }
}

#[tokio::test]
async fn an_object_that_kills_its_transformer_is_told_and_the_rest_goes_on() {
    let ais = Ais::transforming().await;
    for number in 0..30 {
        ais.put(&format!("from/object-{number}"), "text").await;
    }
    ais.put("from/object-15-poison", "text").await;
    ais.put("from/object-16-late", "text").await;
    ais.init("etl-poison", json!({})).await;
    let (snap, id) =
        ais.transform("to", json!({"id": "etl-poison", "coer": true, "num-workers": 4})).await;
    let errors = ais.json(&format!("/v1/etl/etl-poison?uuid={id}")).await["obj_errors"].clone();
    let mut names: Vec<_> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["obj_name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["ais://from/object-15-poison", "ais://from/object-16-late"], "{snap}");
    assert!(errors[0]["msg"].as_str().unwrap().contains("the transformer went away"), "{errors}");
    assert_eq!(snap["stats"]["loc-objs"], "30");
    assert_eq!(ais.versions("to").await.len(), 30);
    assert_eq!(ais.stage("etl-poison").await, "Running");
}

#[tokio::test]
async fn one_that_only_crashes_is_given_up() {
    let ais = Ais::transforming().await;
    ais.put("from/poison", "text").await;
    ais.init("etl-crash", json!({})).await;
    let (status, text) = ais.text("from/poison?etl_name=etl-crash").await;
    assert!(status == 424 || status == 404, "{status} {text}");
    while ais.stage("etl-crash").await != "Aborted" {
        ais.text("from/poison?etl_name=etl-crash").await;
    }
    let health = ais.json("/v1/etl/etl-crash/health").await[0]["health_status"].clone();
    let health = health.as_str().unwrap();
    assert!(health.contains("was killed by signal 9, the 5th time"), "{health}");
}

#[tokio::test]
async fn times_that_run_out() {
    let ais = Ais::transforming().await;
    ais.put("from/slow", "text").await;
    ais.init("etl-slow", json!({"obj_timeout": "500ms"})).await;
    let (status, text) = ais.text("from/slow?etl_name=etl-slow").await;
    assert!(status == 408 && text.contains("timeout"), "{status} {text}");

    let command = |flag: &str| json!({"runtime": {"image": "local", "command": ["python3", TRANSFORMER, flag]}});
    let mut never = command("--never");
    never["init_timeout"] = json!("1s");
    let (status, text) = ais.ask_for("etl-never", never).await;
    assert!(status == 424 && text.contains("init_timeout"), "{status} {text}");
    assert_eq!(ais.stage("etl-never").await, "Aborted");
    let (status, text) = ais.ask_for("etl-broken", command("--broken")).await;
    assert!(status == 424 && text.contains("this transformer is broken"), "{status} {text}");
    assert_eq!(ais.send(Method::DELETE, "/v1/etl/etl-broken").await.status(), 200);
}

#[tokio::test]
async fn limits_hold() {
    let limits =
        EtlOptions { open_files: 64, memory_bytes: Some(512 << 20), ..EtlOptions::default() };
    let ais = Ais::with(Options { etl: Some(limits), ..Options::default() }).await;
    ais.create("from").await;
    let print = "import resource, os, http.server as h\n\
        print('files', resource.getrlimit(resource.RLIMIT_NOFILE), 'data', resource.getrlimit(resource.RLIMIT_DATA),\
        'secret', os.environ.get('HOLDALL_SECRET'), flush=True)\n\
        h.SimpleHTTPRequestHandler.log_message = lambda *_: None\n\
        h.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler).serve_forever()";
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("limits.py");
    std::fs::write(&script, print).unwrap();
    let spec = json!({
        "runtime": {"image": "local", "command": ["python3", script]},
        "resources": {"limits": {"memory": "256Mi"}},
    });
    // It serves files, and has none of the name "health".
    let (_, text) = ais
        .ask_for("etl-limits", {
            let mut spec = spec;
            spec["init_timeout"] = json!("3s");
            spec
        })
        .await;
    assert!(text.contains("files (64, 64)"), "{text}");
    assert!(text.contains(&format!("data ({0}, {0})", 256 << 20)), "{text}");
    assert!(text.contains("secret None"), "{text}");
}

#[tokio::test]
async fn they_run_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { data: Some(folder.path().to_owned()), ..allowed() };
    let ais = Ais::with(options()).await;
    ais.create("from").await;
    ais.put("from/a", "text").await;
    ais.init("etl-runs", json!({})).await;
    ais.init("etl-stopped", json!({})).await;
    assert_eq!(ais.send(Method::POST, "/v1/etl/etl-stopped/stop").await.status(), 200);
    ais.server.shutdown().await;

    let ais = Ais::with(options()).await;
    assert_eq!(ais.stage("etl-stopped").await, "Aborted");
    // It waits until the transformer is ready.
    assert_eq!(ais.text("from/a?etl_name=etl-runs").await, (200, "TEXT".to_owned()));
    assert_eq!(ais.stage("etl-runs").await, "Running");
    ais.server.shutdown().await;

    // Not allowed any more: nothing starts, nothing is forgotten.
    let refusing = Ais::with(Options { etl: None, ..options() }).await;
    assert_eq!(refusing.send(Method::GET, "/v1/etl").await.status(), 501);
    refusing.server.shutdown().await;
    let ais = Ais::with(options()).await;
    assert_eq!(ais.json("/v1/etl").await.as_array().unwrap().len(), 2);
    ais.server.shutdown().await;
}

/// The process that is killed, as in the tests of crashes.
#[tokio::test]
async fn serves_transformers_until_it_is_killed() {
    let Ok(url_file) = std::env::var("HOLDALL_ETL_TEST_URL") else { return };
    let server = holdall_ais_server::Server::start(allowed()).await.expect("the server starts");
    std::fs::write(url_file, server.url()).expect("written");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_outlives_a_server_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let url_file = folder.path().join("url");
    let mut server = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "transforms::serves_transformers_until_it_is_killed"])
        .env("HOLDALL_ETL_TEST_URL", &url_file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let url = loop {
        match std::fs::read_to_string(&url_file) {
            Ok(url) if url.starts_with("http") => break url,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let mark = format!("--child={}", std::process::id());
    let message = json!({
        "name": "etl-orphans", "init_timeout": "60s",
        "runtime": {"image": "local", "command": ["python3", TRANSFORMER, mark]},
    });
    let reply =
        reqwest::Client::new().put(format!("{url}/v1/etl")).json(&message).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    // The transformer, a child in its group, and one that has left the group.
    assert!(processes(&mark).len() >= 3, "{:?}", processes(&mark));
    let has_namespaces = processes(&mark).len() > 3;
    server.kill().unwrap();
    server.wait().unwrap();
    let left = |allowed| async move {
        while processes(&mark).len() > allowed {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        processes(&mark)
    };
    // Where the server may not make namespaces, what leaves the group leaves the server, too.
    let left = left(usize::from(!has_namespaces)).await;
    left.into_iter().for_each(kill);
}
