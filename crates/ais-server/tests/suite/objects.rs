//! Buckets and objects.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Ais, header};

#[tokio::test]
async fn an_object_comes_back_with_its_headers() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("b").await;
        let reply = ais.put("b/dir/a%20b%231.txt", "abc").await;
        assert_eq!((reply.status().as_u16(), header(&reply, "ais-version")), (200, "1"));
        assert_eq!(header(&reply, "ais-checksum-type"), "xxhash2");
        assert_eq!(header(&reply, "ais-checksum-value"), "44bc2cf5ad770999");
        let reply = ais.get("b/dir/a%20b%231.txt").await;
        assert_eq!(header(&reply, "content-type"), "application/octet-stream");
        assert_eq!(reply.text().await.unwrap(), "abc");
        let reply = ais.put("b/dir/a%20b%231.txt", "abcd").await;
        assert_eq!(header(&reply, "ais-version"), "2");
    }
}

#[tokio::test]
async fn long_objects_stream_both_ways() {
    let (servers, _folder) = Ais::both().await;
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    for ais in servers {
        ais.create("b").await;
        assert_eq!(ais.put("b/o", content.clone()).await.status(), 200);
        assert_eq!(ais.get("b/o").await.bytes().await.unwrap(), content);
        let request =
            ais.request(Method::GET, "/v1/objects/b/o").header("Range", "bytes=1000000-4999998");
        let reply = request.send().await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), header(&reply, "content-range")),
            (206, "bytes 1000000-4999998/5000000")
        );
        assert_eq!(reply.bytes().await.unwrap(), &content[1_000_000..4_999_999]);
    }
}

#[tokio::test]
async fn heads_tell_the_length_and_what_was_asked_for() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    ais.put("b/o", "abc").await;
    ais.put("b/empty", "").await;
    let all = ais.send(Method::HEAD, "/v1/objects/b/o").await;
    assert_eq!((header(&all, "content-length"), header(&all, "ais-name")), ("3", "o"));
    assert_eq!((header(&all, "ais-bucket-name"), header(&all, "ais-present")), ("b", "true"));
    let some = ais.send(Method::HEAD, "/v1/objects/b/empty?props=name,size,checksum").await;
    assert_eq!(
        (header(&some, "content-length"), header(&some, "ais-checksum-type")),
        ("0", "xxhash2")
    );
    assert_eq!((header(&some, "ais-version"), header(&some, "ais-name")), ("", ""));
    let odd = ais.send(Method::HEAD, "/v1/objects/b/o?props=nope").await;
    assert_eq!(odd.status(), 400);
    assert!(header(&odd, "hdr-error").contains("invalid property \\\"nope\\\" in props list"));
}

#[tokio::test]
async fn errors_have_the_words_that_clients_look_for() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    let error = |reply: reqwest::Response| async move {
        (reply.status().as_u16(), reply.json::<Value>().await.unwrap())
    };
    let (status, body) = error(ais.get("none/o").await).await;
    assert_eq!(
        (status, body["message"].as_str().unwrap()),
        (404, "bucket \"ais://none\" does not exist")
    );
    let (status, body) = error(ais.get("b/o").await).await;
    assert_eq!((status, body["tcode"].as_str().unwrap()), (404, "ErrNotFound"));
    assert!(body["message"].as_str().unwrap().ends_with("ais://b/o does not exist"));
    let (status, body) =
        error(ais.act(Method::POST, "/v1/buckets/b", "create-bck", Value::Null).await).await;
    assert_eq!(
        (status, body["message"].as_str().unwrap()),
        (409, "bucket \"ais://b\" already exists")
    );
    let (status, body) =
        error(ais.act(Method::POST, "/v1/buckets/b", "nope", Value::Null).await).await;
    assert_eq!((status, body["message"].as_str().unwrap()), (400, "invalid action \"nope\""));
    let (status, body) = error(ais.send(Method::DELETE, "/v1/objects/b/o").await).await;
    assert_eq!((status, body["message"].as_str().unwrap()), (404, "ais://b/o doesn't exist"));
    let (status, _) = error(ais.put("b/..%2F..%2Fx", "x").await).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_wrong_checksum_leaves_nothing() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("b").await;
        let put = |sum: &'static str| {
            ais.request(Method::PUT, "/v1/objects/b/o")
                .header("Ais-Checksum-Type", "md5")
                .header("Ais-Checksum-Value", sum)
                .body("abc")
        };
        let reply = put("00000000000000000000000000000000").send().await.unwrap();
        assert_eq!(reply.status(), 500);
        assert!(reply.text().await.unwrap().contains("BAD DATA CHECKSUM:"));
        assert_eq!(ais.get("b/o").await.status(), 404);
        assert_eq!(put("900150983cd24fb0d6963f7d28e17f72").send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn custom_properties_are_merged_or_replaced() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    ais.put("b/o", "abc").await;
    let all = || async {
        let reply = ais.send(Method::HEAD, "/v1/objects/b/o?props=custom").await;
        let mut all: Vec<_> = reply
            .headers()
            .get_all("ais-custom-md")
            .iter()
            .map(|v| v.to_str().unwrap().to_owned())
            .collect();
        all.sort();
        all
    };
    ais.act(Method::PATCH, "/v1/objects/b/o", "", json!({"a": "1", "b": "2"})).await;
    ais.act(Method::PATCH, "/v1/objects/b/o", "", json!({"b": "3"})).await;
    assert_eq!(all().await, ["a=1", "b=3"]);
    ais.act(Method::PATCH, "/v1/objects/b/o?set-new-custom=true", "", json!({"c": "4"})).await;
    assert_eq!(all().await, ["c=4"]);
    let large = json!({"big": "x".repeat(3000)});
    assert_eq!(ais.act(Method::PATCH, "/v1/objects/b/o", "", large).await.status(), 400);
}

#[tokio::test]
async fn renamed_and_copied_objects() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("b").await;
        ais.create("c").await;
        ais.put("b/o", "abc").await;
        let renamed = ais
            .request(Method::POST, "/v1/objects/b/o")
            .json(&json!({"action": "rename-obj", "name": "p"}));
        assert_eq!(renamed.send().await.unwrap().status(), 200);
        assert_eq!(ais.get("b/o").await.status(), 404);
        assert_eq!(
            ais.send(Method::PUT, "/v1/objects/b/p?object_to=ais%2F%40%23%2Fc%2Fq").await.status(),
            200
        );
        assert_eq!(ais.get("c/q").await.text().await.unwrap(), "abc");
        let missing =
            ais.send(Method::PUT, "/v1/objects/b/p?object_to=ais%2F%40%23%2Fnone%2Fq").await;
        assert_eq!(missing.status(), 404);
    }
}

#[tokio::test]
async fn destroyed_buckets_are_empty_when_they_come_back() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("b").await;
        ais.put("b/o", "abc").await;
        assert_eq!(
            ais.act(Method::DELETE, "/v1/buckets/b", "destroy-bck", Value::Null).await.status(),
            200
        );
        assert_eq!(ais.get("b/o").await.status(), 404);
        ais.create("b").await;
        assert_eq!(ais.get("b/o").await.status(), 404);
    }
}
