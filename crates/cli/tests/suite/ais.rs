//! `holdall ais`, against a server in this process.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use holdall::ais_server::{EtlOptions, Options, Server};
use serde_json::Value;
use tempfile::TempDir;

/// A server, a directory to run in, and what is run there.
pub(super) struct Session {
    pub(super) url: String,
    pub(super) dir: TempDir,
    _server: Server,
    _runtime: tokio::runtime::Runtime,
}

impl Session {
    fn new() -> Self {
        Self::with(Options::default())
    }

    pub(super) fn with(options: Options) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(Server::start(options)).unwrap();
        Self {
            url: server.url(),
            dir: tempfile::tempdir().unwrap(),
            _server: server,
            _runtime: runtime,
        }
    }

    pub(super) fn output(&self, words: &str) -> std::process::Output {
        let endpoint = format!("--endpoint={}", self.url);
        let arguments: Vec<&str> =
            ["ais", &endpoint].into_iter().chain(words.split_whitespace()).collect();
        crate::holdall(self.dir.path(), &arguments)
    }

    pub(super) fn out(&self, words: &str) -> String {
        crate::out(&self.output(words))
    }

    pub(super) fn json(&self, words: &str) -> Vec<Value> {
        let output = self.output(&format!("--json {words}"));
        assert!(output.status.success(), "{}", crate::err(&output));
        crate::json(&output)
    }

    pub(super) fn fails(&self, words: &str, text: &str) {
        let output = self.output(words);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(crate::err(&output).contains(text), "{}", crate::err(&output));
    }
}

#[test]
fn buckets_are_made_shown_changed_and_deleted() {
    let ais = Session::new();
    ais.out("bucket create one ais://two --set versioning.enabled=false");
    assert_eq!(ais.out("bucket ls"), "Bucket\nais://one\nais://two\n");
    let names: Vec<_> = ais.json("bucket ls ais").iter().map(|b| b["name"].clone()).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(ais.json("bucket show two")[0]["versioning"]["enabled"], false);
    ais.out("bucket set two versioning.enabled=true");
    assert!(ais.out("bucket show two").contains("versioning.enabled"));
    assert_eq!(ais.json("bucket show two")[0]["versioning"]["enabled"], true);
    ais.fails("bucket create one", "already exists");
    ais.out("bucket create one --exist-ok");
    ais.out("bucket mv one three --wait");
    ais.out("bucket rm two three");
    ais.fails("bucket rm two", "does not exist");
    ais.out("bucket rm two --missing-ok");
    assert_eq!(ais.out("bucket ls"), "");
    ais.fails("bucket show a/b", "a bucket is wanted");
}

#[test]
fn objects_are_written_read_and_described() {
    let ais = Session::new();
    ais.out("bucket create b");
    fs::write(ais.dir.path().join("f"), "content").unwrap();
    ais.out("object put f b/deep/o --custom who=me");
    ais.out("object put f ais://b/p");
    assert_eq!(ais.out("object ls b"), "deep/o\np\n");
    assert_eq!(ais.out("object ls b/deep"), "deep/o\n");
    assert_eq!(ais.json("object ls b -l")[1]["size"], 7);
    assert_eq!(ais.out("object ls b --start-after deep/o --limit 5"), "p\n");
    let known = &ais.json("object show b/deep/o")[0];
    assert_eq!((&known["size"], &known["custom"]["who"]), (&7.into(), &"me".into()));
    assert_eq!(ais.out("object get b/p"), "content");
    assert_eq!(ais.out("object get b/p --range 3-"), "tent");
    ais.out("object get b/p there");
    ais.out("object get b/p part --range 0-2");
    assert_eq!(fs::read_to_string(ais.dir.path().join("there")).unwrap(), "content");
    assert_eq!(fs::read_to_string(ais.dir.path().join("part")).unwrap(), "con");
    ais.out("object set b/p a=1 b=2 --replace");
    assert_eq!(ais.json("object show b/p")[0]["custom"]["b"], "2");
    ais.out("object cp b/p b/q");
    ais.out("object rm b/p");
    ais.fails("object get b/p file", "not found");
    assert!(!ais.dir.path().join("file").exists());
    assert_eq!(fs::read_dir(ais.dir.path()).unwrap().count(), 3);
    ais.fails("object show b", "an object is wanted");
}

#[test]
fn what_is_named_beside_something_missing_is_done() {
    let ais = Session::new();
    ais.out("bucket create one two");
    fs::write(ais.dir.path().join("f"), "content").unwrap();
    ais.out("object put f one/a");
    ais.out("object put f one/c");
    let partly = |words: &str, missing: &str| {
        let output = ais.output(words);
        assert_eq!(output.status.code(), Some(3), "{words}");
        assert!(crate::err(&output).contains(missing), "{}", crate::err(&output));
    };
    partly("object rm one/a one/b one/c", "one/b");
    assert_eq!(ais.out("object ls one"), "");
    partly("bucket create one three", "ais://one");
    partly("bucket rm one none two three", "ais://none");
    assert_eq!(ais.out("bucket ls"), "");
    // A name that cannot be one is found before anything is done.
    ais.out("bucket create one");
    ais.fails("bucket rm one a/b", "a bucket is wanted");
    assert_eq!(ais.out("bucket ls"), "Bucket\nais://one\n");
}

#[test]
fn objects_are_written_from_standard_input() {
    let ais = Session::new();
    ais.out("bucket create b");
    let endpoint = format!("--endpoint={}", ais.url);
    let words = ["ais", &endpoint, "object", "put", "-", "b/o", "--custom", "who=me"];
    let mut put = crate::command(ais.dir.path(), &words).stdin(Stdio::piped()).spawn().unwrap();
    put.stdin.take().unwrap().write_all(b"from a pipe").unwrap();
    assert!(put.wait().unwrap().success());
    assert_eq!(ais.out("object get b/o"), "from a pipe");
    assert_eq!(ais.json("object show b/o")[0]["custom"]["who"], "me");
}

#[test]
fn jobs_are_started_watched_and_listed() {
    let ais = Session::new();
    ais.out("bucket create b");
    fs::write(ais.dir.path().join("f"), "content").unwrap();
    for name in ["s-1", "s-2", "s-3"] {
        ais.out(&format!("object put f b/{name}"));
    }
    assert!(ais.out("bucket cp b c --prepend x/ --wait").ends_with(": done\n"));
    assert_eq!(ais.out("object ls c"), "x/s-1\nx/s-2\nx/s-3\n");
    assert_eq!(ais.json("bucket summary c")[0]["objects"]["present"], 3);
    assert!(ais.out("bucket ls --summary").contains("ais://c"));
    ais.out("object archive b --template s-{1..2} c/a.tar --wait");
    assert_eq!(ais.out("object get c/a.tar --archpath s-2"), "content");
    assert_eq!(ais.out("object ls c/a.tar --archive"), "a.tar\na.tar/s-1\na.tar/s-2\n");
    let id = ais.out("object delete-many b --list s-1,s-2");
    let watched = ais.json(&format!("job watch {}", id.trim()));
    let last = watched.last().unwrap();
    assert_eq!((&last["job"], &last["success"]), (&id.trim().into(), &true.into()));
    assert_eq!(ais.out("object ls b"), "s-3\n");
    assert!(ais.out(&format!("job wait {}", id.trim())).contains("done"));
    let shown = &ais.json(&format!("job show {}", id.trim()))[0];
    assert_eq!((&shown["kind"], &shown["state"]), (&"delete-listrange".into(), &"done".into()));
    assert!(ais.json("job ls delete-listrange").iter().any(|job| job["job"] == id.trim()));
    assert!(ais.out("job start lru --wait").contains("done"));
    ais.fails("job show none-such-job", "");
    // What was asked for is not there: the job says so, and so does the exit status.
    let failed = ais.output("object delete-many b --list none --wait");
    assert_eq!(failed.status.code(), Some(3), "{}", crate::err(&failed));
}

#[test]
fn the_cluster_is_described() {
    let ais = Session::new();
    let nodes = ais.json("cluster show");
    let roles: Vec<_> = nodes.iter().map(|node| node["role"].clone()).collect();
    assert_eq!(roles, ["primary", "target"]);
    assert_eq!(nodes[1]["url"], ais.url.as_str());
    assert_eq!(ais.out("cluster health"), "ready\n");
    assert!(!ais.json("cluster performance").is_empty());
    assert!(!ais.out("cluster log --severity error").is_empty());
    let nobody = crate::holdall(
        ais.dir.path(),
        &["ais", "--endpoint=http://127.0.0.1:1", "cluster", "health"],
    );
    assert_eq!(nobody.status.code(), Some(1));
}

#[test]
fn shards_are_sorted() {
    let ais = Session::new();
    ais.out("bucket create b");
    for name in ["b.txt", "a.txt"] {
        fs::write(ais.dir.path().join(name), name).unwrap();
        ais.out(&format!("object put {name} b/{name}"));
    }
    ais.out("object archive b --list b.txt,a.txt b/in-0.tar --wait");
    fs::write(
        ais.dir.path().join("spec.json"),
        r#"{"input_bck": {"name": "b", "provider": "ais"}, "input_format": {"template": "in-{0..0}"},
            "input_extension": ".tar", "output_format": "out-{0..9}", "output_shard_size": "1MB"}"#,
    )
    .unwrap();
    ais.out("dsort start spec.json --wait");
    let jobs = ais.json("dsort ls");
    assert_eq!((jobs.len(), &jobs[0]["state"]), (1, &"done".into()));
    let id = jobs[0]["job"].as_str().unwrap();
    assert_eq!(
        ais.json(&format!("dsort show {id}"))[0]["metrics"]["shard_creation"]["finished"],
        true
    );
    assert_eq!(ais.out("object get b/out-0.tar --archpath a.txt"), "a.txt");
    ais.out(&format!("dsort rm {id}"));
    assert_eq!(ais.out("dsort ls"), "");
}

#[test]
fn etls_are_made_shown_stopped_and_deleted() {
    let ais = Session::with(Options { etl: Some(EtlOptions::default()), ..Options::default() });
    ais.out("bucket create b");
    fs::write(ais.dir.path().join("f"), "content").unwrap();
    ais.out("object put f b/o");
    let image = "--image aistorage/transformer_md5:latest";
    let job = ais.json(&format!("etl init etl-md5 {image} --env KEY=secret --direct-put"));
    assert_eq!(job[0]["etl"], "etl-md5");
    let listed = ais.json("etl ls");
    assert_eq!((&listed[0]["stage"], &listed[0]["job"]), (&"Running".into(), &job[0]["job"]));
    assert_eq!(ais.out("object get b/o --etl etl-md5"), "9a0364b9e99bb480dd25e1f0284c8555");
    // The names of variables are shown, their values are not.
    let shown = ais.out("etl show etl-md5");
    assert!(shown.contains("aistorage/transformer_md5") && shown.contains("KEY"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    ais.out("etl logs etl-md5");
    ais.fails(&format!("etl init etl-md5 {image}"), "already exists");
    ais.fails(&format!("etl init other-etl {image} --env KEY"), "expected NAME=VALUE");
    ais.out("etl stop etl-md5");
    assert_eq!(ais.json("etl ls")[0]["stage"], "Aborted");
    ais.out("etl start etl-md5");
    assert_eq!(ais.json("etl ls")[0]["stage"], "Running");
    ais.out("etl rm etl-md5");
    assert!(ais.json("etl ls").is_empty());
    ais.fails("etl show etl-md5", "etl-md5");
    Session::new().fails(&format!("etl init etl-md5 {image}"), "allow-etl");
}
