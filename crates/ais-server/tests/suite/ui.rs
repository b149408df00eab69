//! The pages' files and data. What they look like in a browser is tested in `python/tests/test_ui.py`.

use holdall_ais_server::Options;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Ais, header};

async fn data(ais: &Ais, what: &str) -> Value {
    let reply = ais.send(Method::GET, &format!("/ui/api/{what}")).await;
    assert_eq!(reply.status(), 200, "{what}");
    reply.json().await.expect("JSON")
}

#[tokio::test]
async fn files_say_what_browsers_must_not_do() {
    let ais = Ais::memory().await;
    for (path, kind) in [
        ("/ui/", "text/html"),
        ("/ui/main.js", "text/javascript"),
        ("/ui/style.css", "text/css"),
        ("/ui/icon.svg", "image/svg+xml"),
    ] {
        let reply = ais.send(Method::GET, path).await;
        assert_eq!(reply.status(), 200, "{path}");
        assert!(header(&reply, "content-type").starts_with(kind), "{path}");
        let policy = header(&reply, "content-security-policy").to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&reply, "x-content-type-options"), "nosniff");
        // Whatever a page names is one of the files.
        let text = reply.text().await.expect("text");
        for name in
            text.split("/ui/").skip(1).filter_map(|rest| rest.split(['"', '`', '$', '?']).next())
        {
            let known = name.starts_with("api/") || name.is_empty();
            let found = ais.send(Method::GET, &format!("/ui/{name}")).await.status();
            assert!(known || found == 200, "{path} names {name}");
        }
    }
    assert_eq!(ais.send(Method::GET, "/ui/none.js").await.status(), 404);
    assert_eq!(ais.send(Method::GET, "/ui/../Cargo.toml").await.status(), 400);
    assert_eq!(ais.send(Method::POST, "/ui/").await.status(), 405);
}

#[tokio::test]
async fn browsers_are_led_to_the_pages_and_others_are_not() {
    let ais = Ais::memory().await;
    let request = ais.request(Method::GET, "/").header("accept", "text/html,*/*");
    let reply = request.send().await.expect("an answer");
    assert!(reply.url().path().starts_with("/ui/"));
    assert_eq!(ais.send(Method::GET, "/").await.status(), 400);
}

#[tokio::test]
async fn data_of_buckets_and_objects() {
    let ais = Ais::memory().await;
    ais.create("bucket").await;
    for name in ["a/1", "a/2", "b", "%3Cimg%3E"] {
        assert_eq!(ais.put(&format!("bucket/{name}"), "hello").await.status(), 200);
    }
    let buckets = data(&ais, "buckets").await;
    assert_eq!((&buckets[0]["name"], &buckets[0]["provider"]), (&json!("bucket"), &json!("ais")));
    let size = data(&ais, "size?bucket=bucket&provider=ais").await;
    assert_eq!(size, json!({"objects": 4, "bytes": 20, "is_more": false}));
    let page = data(&ais, "objects?bucket=bucket&limit=2").await;
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("a list");
        items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!((names(&page), &page["after"]), (vec!["<img>".into(), "a/".into()], &json!("a/")));
    let page = data(&ais, "objects?bucket=bucket&limit=2&after=a/").await;
    assert_eq!((names(&page), &page["after"]), (vec!["b".into()], &Value::Null));
    let page = data(&ais, "objects?bucket=bucket&prefix=a/").await;
    assert_eq!(names(&page), ["a/1", "a/2"]);
    let object = data(&ais, "object?bucket=bucket&name=b").await;
    assert_eq!((&object["size"], &object["version"]), (&json!(5), &json!(1)));
    for (url, status) in [
        ("objects?bucket=none", 404),
        ("object?bucket=bucket&name=none", 404),
        ("objects?bucket=bucket&provider=nobody", 400),
        ("none", 404),
    ] {
        let reply = ais.send(Method::GET, &format!("/ui/api/{url}")).await;
        assert_eq!(reply.status(), status, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_a_bucket_of_a_backend() {
    let folder = tempfile::tempdir().expect("a folder");
    let (control, mut options) = crate::standin::options();
    options.data = Some(folder.path().to_owned());
    for key in ["a/1", "b", "c"] {
        control.put("b", key, "hello").await;
    }
    let ais = Ais::with(options).await;
    assert_eq!(ais.get("b/b?provider=aws").await.status(), 200);
    let size = data(&ais, "size?bucket=b&provider=aws").await;
    assert_eq!(size, json!({"objects": 3, "bytes": 15, "is_more": false}));
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let url = format!("objects?bucket=b&provider=aws&limit=1&after={after}");
        let page = data(&ais, &url).await;
        for item in page["items"].as_array().expect("a list") {
            seen.push((item["name"].clone(), item["is_kept"].clone()));
        }
        match page["after"].as_str() {
            Some(token) => token.clone_into(&mut after),
            None => break,
        }
        assert!(seen.len() < 4, "{seen:?}");
    }
    let all = [(json!("a/"), json!(null)), (json!("b"), json!(true)), (json!("c"), json!(false))];
    assert_eq!(seen, all);
    let object = data(&ais, "object?bucket=b&provider=aws&name=c").await;
    assert_eq!(object["size"], json!(5));
    ais.server.shutdown().await;

    // A later start without the backend knows what was kept, and says that this is a part.
    let options = Options { data: Some(folder.path().to_owned()), ..Options::default() };
    let ais = Ais::with(options).await;
    let page = data(&ais, "objects?bucket=b&provider=aws").await;
    assert_eq!((&page["items"][0]["name"], &page["is_part"]), (&json!("b"), &json!(true)));
    assert_eq!(page["items"].as_array().expect("a list").len(), 1);
}

#[tokio::test]
async fn data_of_jobs_and_activity() {
    let ais = Ais::memory().await;
    ais.create("bucket").await;
    ais.put("bucket/o", "hello").await;
    ais.get("bucket/o").await;
    let status = data(&ais, "status").await;
    assert_eq!(status["url"], json!(ais.server.url()));
    assert_eq!(
        (&status["now"]["read_bytes"], &status["now"]["written_bytes"]),
        (&json!(5), &json!(5))
    );
    // The first sample is of the start.
    assert!(!status["samples"].as_array().expect("a list").is_empty());
    let later = data(&ais, "status?since=9999999999999").await;
    assert_eq!(later["samples"], json!([]));
    assert_eq!(data(&ais, "jobs").await, json!([]));
    let copied = ais
        .act(Method::POST, "/v1/buckets/bucket?bck_to=ais/@%23/other/", "copy-bck", json!({}))
        .await;
    let id = copied.text().await.expect("an id");
    let jobs = data(&ais, "jobs").await;
    assert_eq!((&jobs[0]["id"], &jobs[0]["from"]), (&json!(id), &json!("ais://bucket")));
    assert_eq!(jobs[0]["to"], json!("ais://other"));
}
