//! Jobs on many objects.

use std::time::Duration;

use holdall_archive::Format;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    archives::{Files, files, message, pack, unpack},
    support::Ais,
};

impl Ais {
    /// Starts a job; its id.
    async fn start(&self, method: Method, path: &str, action: &str, value: Value) -> String {
        let reply = self.act(method, path, action, value).await;
        let status = reply.status();
        let text = reply.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        text
    }

    pub(crate) async fn ask(&self, what: &str, id: &str) -> Value {
        let request = self.request(Method::GET, &format!("/v1/cluster?what={what}"));
        let args = json!({"ID": id, "Kind": "", "DaemonID": "", "Bck": null, "Buckets": null});
        request.json(&args).send().await.unwrap().json().await.unwrap()
    }

    /// Waits until the job has ended; its snapshot.
    pub(crate) async fn wait(&self, id: &str) -> Value {
        while self.ask("status", id).await["end_time"] == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let snaps = self.ask("qryxstats", id).await;
        snaps.as_object().unwrap().values().next().unwrap()[0].clone()
    }

    async fn job(&self, method: Method, path: &str, action: &str, value: Value) -> Value {
        let id = self.start(method, path, action, value).await;
        self.wait(&id).await
    }

    async fn fill(&self, bucket: &str, names: &[&str]) {
        self.create(bucket).await;
        for name in names {
            self.put(&format!("{bucket}/{name}"), format!("content of {name}")).await;
        }
    }

    async fn there(&self, bucket: &str, names: &[&str]) -> Vec<bool> {
        let mut there = Vec::new();
        for name in names {
            there.push(self.get(&format!("{bucket}/{name}")).await.status() == 200);
        }
        there
    }
}

const TEN: [&str; 10] = ["a-0", "a-1", "a-2", "a-3", "a-4", "b/0", "b/1", "b/2", "b/c/0", "d"];

#[tokio::test]
async fn deleting() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        let delete = |value| ais.job(Method::DELETE, "/v1/buckets/b", "delete-listrange", value);
        ais.fill("b", &TEN).await;
        let snap = delete(json!({"objnames": ["a-0", "none", "a-1", "nil"]})).await;
        assert_eq!(ais.there("b", &["a-0", "a-1", "a-2"]).await, [false, false, true]);
        assert_eq!(snap["stats"]["loc-objs"], "2");
        assert_eq!(snap["stats"]["loc-bytes"], "28");
        let error = snap["err"].as_str().unwrap();
        assert!(error.contains("ais://b/none does not exist (and 1 more error)"), "{error}");
        assert_eq!(
            (snap["kind"].as_str(), &snap["is_idle"]),
            (Some("delete-listrange"), &json!(true))
        );

        let snap = delete(json!({"template": "a-{2..9}"})).await;
        assert_eq!(
            (snap["stats"]["loc-objs"].as_str(), snap["err"].as_str()),
            (Some("3"), Some(""))
        );
        let snap = delete(json!({"template": "b/", "non-recurs": true})).await;
        assert_eq!(snap["stats"]["loc-objs"], "3");
        assert_eq!(ais.there("b", &["b/0", "b/c/0", "d"]).await, [false, true, true]);
        let snap = delete(json!({"template": ""})).await;
        assert_eq!(snap["stats"]["loc-objs"], "2", "the whole bucket");
    }
}

#[tokio::test]
async fn templates_that_are_none() {
    let ais = Ais::memory().await;
    ais.fill("b", &["a"]).await;
    for template in ["{5..3}", "{1..x}", "{1..3", "a-%03d"] {
        for (method, action) in [
            (Method::DELETE, "delete-listrange"),
            (Method::POST, "copy-listrange"),
            (Method::PUT, "archive"),
        ] {
            let value = json!({"template": template, "tobck": {"name": "b"}, "archname": "x.tar"});
            let (status, text) =
                message(ais.act(method, "/v1/buckets/b", action, value).await).await;
            assert_eq!(status, 400, "{action} {template}");
            assert!(text.contains(template), "{text}");
        }
    }
}

fn copy(more: Value) -> Value {
    let mut value = json!({
        "prefix": "", "prepend": "", "dry_run": false, "force": false, "latest-ver": false, "synchronize": false,
    });
    for (key, more) in more.as_object().unwrap() {
        value[key] = more.clone();
    }
    value
}

#[tokio::test]
async fn copying_buckets() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.fill("b", &TEN).await;
        let bucket = |to: &str| format!("/v1/buckets/b?bck_to=ais/@%23/{to}/");
        let copy_to = async |to: &str, value: Value| {
            ais.job(Method::POST, &bucket(to), "copy-bck", copy(value)).await
        };
        let snap = copy_to("dry", json!({"dry_run": true})).await;
        assert_eq!(snap["stats"]["loc-objs"], "10");
        assert_eq!(
            ais.send(Method::HEAD, "/v1/buckets/dry").await.status(),
            404,
            "nothing is made"
        );

        let snap = copy_to("c", json!({"num-workers": 3})).await;
        assert_eq!(
            (snap["stats"]["loc-objs"].as_str(), snap["err"].as_str()),
            (Some("10"), Some(""))
        );
        assert_eq!(snap["src-bck"]["name"], "b");
        assert_eq!(snap["glob.id"], (3 << 10).to_string());
        assert_eq!(ais.get("c/b/c/0").await.text().await.unwrap(), "content of b/c/0");
        // Again: everything is there.
        assert_eq!(copy_to("c", json!({})).await["stats"]["loc-objs"], "10");
        assert_eq!(crate::support::header(&ais.get("c/d").await, "ais-version"), "1");

        ais.put("b/x.jpg", "x").await;
        copy_to("p", json!({"prefix": "x", "prepend": "new/", "ext": {"jpg": "txt"}})).await;
        assert_eq!(ais.there("p", &["new/x.txt", "new/d", "x.jpg"]).await, [true, false, false]);

        ais.put("c/stray", "x").await;
        ais.send(Method::DELETE, "/v1/objects/b/d").await;
        copy_to("c", json!({"synchronize": true})).await;
        assert_eq!(
            ais.there("c", &["stray", "d", "a-0", "x.jpg"]).await,
            [false, false, true, true]
        );

        for (path, value, status, fragment) in [
            (bucket("b"), json!({}), 400, "cannot copy-bck bucket \"ais://b\" onto itself"),
            (
                bucket("c"),
                json!({"synchronize": true, "prepend": "x"}),
                400,
                "prepend option (\"x\") is incompatible",
            ),
            ("/v1/buckets/b".to_owned(), json!({}), 400, "missing \"bck_to\""),
            ("/v1/buckets/none?bck_to=ais/@%23/c/".to_owned(), json!({}), 404, "does not exist"),
            (bucket("bad name"), json!({}), 400, "bucket name is invalid"),
        ] {
            let reply = ais.act(Method::POST, &path, "copy-bck", copy(value)).await;
            let (found, text) = message(reply).await;
            assert_eq!(found, status, "{text}");
            assert!(text.contains(fragment), "{text}");
        }
        let itself =
            ais.job(Method::POST, &bucket("b"), "copy-bck", copy(json!({"dry_run": true}))).await;
        assert_eq!(itself["stats"]["loc-objs"], "10");
    }
}

#[tokio::test]
async fn copying_objects() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.fill("b", &TEN).await;
        let copy_some = async |value: Value| {
            let mut value = copy(value);
            value["tobck"] = value
                .get("tobck")
                .cloned()
                .unwrap_or(json!({"name": "c", "provider": "ais", "namespace": null}));
            ais.job(Method::POST, "/v1/buckets/b", "copy-listrange", value).await
        };
        let snap = copy_some(json!({"objnames": ["a-0", "b/0"], "prepend": "p-"})).await;
        assert!(snap["id"].as_str().unwrap().starts_with("tco-"));
        assert_eq!(ais.there("c", &["p-a-0", "p-b/0", "a-0"]).await, [true, true, false]);
        let snap = copy_some(json!({"template": "a-{1..7}"})).await;
        assert_eq!(
            (snap["stats"]["loc-objs"].as_str(), snap["err"].as_str()),
            (Some("4"), Some(""))
        );

        let snap = copy_some(json!({"objnames": ["none", "d"], "coer": true})).await;
        assert!(snap["err"].as_str().unwrap().contains("ais://b/none does not exist"));
        assert_eq!(ais.there("c", &["d"]).await, [true]);
        let snap = copy_some(json!({"objnames": ["none"]})).await;
        assert!(snap["err"].as_str().unwrap().contains("ais://b/none does not exist"));

        // Into the same bucket: what is copied is not copied again.
        let same = json!({"template": "", "prepend": "z-", "tobck": {"name": "b"}});
        let snap = copy_some(same).await;
        assert_eq!(snap["stats"]["loc-objs"], "10");
        assert_eq!(ais.there("b", &["z-a-0", "z-z-a-0"]).await, [true, false]);

        // An idle kind counts as running for a while, and can be stopped.
        let id = snap["id"].as_str().unwrap();
        let running = ais.ask("running_all", "").await;
        assert!(running.as_array().unwrap().contains(&json!(format!("copy-listrange[{id}]"))));
        let stop = json!({"ID": id, "Kind": "", "DaemonID": "", "Bck": null, "Buckets": null});
        ais.act(Method::PUT, "/v1/cluster", "stop", stop).await;
        assert_eq!(ais.ask("status", id).await["aborted"], true);
    }
}

#[tokio::test]
async fn archiving() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.fill("b", &TEN).await;
        ais.create("c").await;
        let archive = async |value: Value| {
            let mut value = value;
            value["tobck"] = json!({"name": "c", "provider": "ais", "namespace": null});
            ais.job(Method::PUT, "/v1/buckets/b", "archive", value).await
        };
        let content = async |name: &str| -> Files {
            let bytes = ais.get(&format!("c/{name}")).await.bytes().await.unwrap();
            unpack(Format::of_name(name).unwrap(), &bytes)
        };
        for name in ["x.tar", "x.tgz", "x.tar.gz", "x.tar.lz4", "x.zip"] {
            let snap = archive(json!({"objnames": ["d", "a-0"], "archname": name})).await;
            assert_eq!(
                (snap["stats"]["loc-objs"].as_str(), snap["err"].as_str()),
                (Some("2"), Some(""))
            );
            let expected = files(&[("d", "content of d"), ("a-0", "content of a-0")]);
            assert_eq!(content(name).await, expected, "{name}");

            archive(json!({"template": "b/", "archname": name, "aate": true, "isbn": true})).await;
            let names: Vec<_> = content(name).await.into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["d", "a-0", "b/b/0", "b/b/1", "b/b/2", "b/b/c/0"]);
            archive(json!({"objnames": ["b/c/0"], "archname": name, "bnonly": true})).await;
            assert_eq!(content(name).await, files(&[("0", "content of b/c/0")]), "it is replaced");
        }
        let snap =
            archive(json!({"objnames": ["none", "d"], "archname": "y.tar", "coer": true})).await;
        assert!(snap["err"].as_str().unwrap().contains("none does not exist"));
        assert_eq!(content("y.tar").await.len(), 1);
        let snap = archive(json!({"objnames": ["none", "d"], "archname": "z.tar"})).await;
        assert!(snap["err"].as_str().unwrap().contains("none does not exist"));
        assert_eq!(ais.get("c/z.tar").await.status(), 404, "what failed is not there");
        for (archname, mime, fragment) in [
            ("a.nope", "", "unknown filename extension (\"a.nope\", \".nope\")"),
            ("", "", "unknown filename extension"),
            ("a.tar", ".zip", "mime mismatch"),
            ("../a.tar", "", "invalid object name"),
        ] {
            let value = json!({"objnames": ["d"], "archname": archname, "mime": mime, "tobck": {"name": "c"}});
            let reply = ais.act(Method::PUT, "/v1/buckets/b", "archive", value).await;
            let (status, text) = message(reply).await;
            assert_eq!(status, 400);
            assert!(text.contains(fragment), "{text}");
        }
    }
}

#[tokio::test]
async fn an_archive_in_the_bucket_it_is_made_of() {
    let ais = Ais::memory().await;
    ais.fill("b", &["x-0", "x-1"]).await;
    for _ in 0..2 {
        let value = json!({"template": "", "archname": "x.tar"});
        let snap = ais.job(Method::PUT, "/v1/buckets/b", "archive", value).await;
        assert_eq!(
            (snap["stats"]["loc-objs"].as_str(), snap["err"].as_str()),
            (Some("2"), Some(""))
        );
    }
    // A member of a damaged archive cannot be added; the archive stays as it is.
    ais.put("b/bad.tar", "damaged".repeat(200)).await;
    let value = json!({"objnames": ["x-0"], "archname": "bad.tar", "aate": true});
    let snap = ais.job(Method::PUT, "/v1/buckets/b", "archive", value).await;
    assert!(snap["err"].as_str().unwrap().contains("not a valid tar archive"));
    assert_eq!(ais.get("b/bad.tar").await.text().await.unwrap(), "damaged".repeat(200));
}

#[tokio::test]
async fn what_remote_buckets_are_for() {
    let ais = Ais::memory().await;
    ais.fill("b", &["a"]).await;
    let value = json!({"objnames": ["a"]});
    let reply = ais.act(Method::POST, "/v1/buckets/b", "prefetch-listrange", value.clone()).await;
    let expected = "prefetch-listrange: expecting remote bucket (have ais://b)";
    assert_eq!(message(reply).await, (reqwest::StatusCode::BAD_REQUEST, expected.to_owned()));
    let reply = ais.act(Method::DELETE, "/v1/buckets/b", "evict-listrange", value.clone()).await;
    assert_eq!(message(reply).await.0, 400);
    let reply =
        ais.act(Method::POST, "/v1/buckets/b?provider=aws", "prefetch-listrange", value).await;
    let (status, text) = message(reply).await;
    assert_eq!(status, 404);
    assert!(text.contains("aws bucket \"s3://b\" does not exist"), "{text}");
    let etl = json!({"id": "nope", "tobck": {"name": "c"}});
    let reply = ais.act(Method::POST, "/v1/buckets/b?bck_to=ais/@%23/c/", "etl-bck", etl).await;
    assert_eq!(reply.status(), 404);
}

#[tokio::test]
async fn a_destroyed_bucket_ends_its_jobs() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    ais.put("b/s.tar", pack("s.tar", &files(&[("m", "x")]))).await;
    let value = json!({"template": "", "tobck": {"name": "c"}});
    let id = ais.start(Method::POST, "/v1/buckets/b", "copy-listrange", copy(value)).await;
    ais.act(Method::DELETE, "/v1/buckets/b", "destroy-bck", Value::Null).await;
    ais.wait(&id).await;
    assert_eq!(ais.get("b/s.tar?archpath=m").await.status(), 404);
}
