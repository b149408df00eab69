//! Get-batch.

use holdall_archive::Format;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    archives::{files, message, pack, unpack},
    support::{Ais, header},
};

impl Ais {
    async fn batch(&self, bucket: &str, entries: Value, more: Value) -> Response {
        let mut body =
            json!({"in": entries, "mime": ".tar", "coer": true, "onob": false, "strm": true});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        let path = format!("/v1/ml/moss{bucket}");
        self.request(Method::GET, &path).json(&body).send().await.unwrap()
    }
}

async fn sample() -> (Vec<Ais>, tempfile::TempDir) {
    let (servers, folder) = Ais::both().await;
    for ais in &servers {
        for bucket in ["b", "c"] {
            ais.create(bucket).await;
            for name in ["0", "d/1", "2"] {
                ais.put(&format!("{bucket}/{name}"), format!("{bucket} {name}")).await;
            }
            for name in ["s.tar", "s.tgz", "s.zip"] {
                let members = files(&[("m/1", "member one"), ("m/2", "member two")]);
                ais.put(&format!("{bucket}/{name}"), pack(name, &members)).await;
            }
        }
    }
    (servers, folder)
}

/// The parts of a multipart reply: the JSON, and the archive.
pub(crate) async fn parts(reply: Response) -> (Value, Vec<u8>) {
    let kind = header(&reply, "content-type").to_owned();
    let boundary = kind.strip_prefix("multipart/mixed; boundary=").expect("multipart").to_owned();
    let body = reply.bytes().await.unwrap().to_vec();
    let find = |what: &[u8], from: usize| {
        from + body[from..].windows(what.len()).position(|window| window == what).unwrap()
    };
    let first = find(b"\r\n\r\n", 0) + 4;
    let first_end = find(format!("\r\n--{boundary}").as_bytes(), first);
    let second = find(b"\r\n\r\n", first_end + 4) + 4;
    let end = body.len() - format!("\r\n--{boundary}--\r\n").len();
    assert!(body.ends_with(format!("\r\n--{boundary}--\r\n").as_bytes()));
    let head = String::from_utf8_lossy(&body[first_end..second]).into_owned();
    assert!(head.contains("name=\"archive\"; filename=\"get-batch[gbt-"), "{head}");
    (serde_json::from_slice(&body[first..first_end]).unwrap(), body[second..end].to_vec())
}

#[tokio::test]
async fn everything_in_the_order_of_the_request() {
    let (servers, _folder) = sample().await;
    let entries = json!([
        {"objname": "2", "bucket": "b", "provider": "ais"},
        {"objname": "s.tar", "bucket": "b", "provider": "ais", "archpath": "m/2"},
        {"objname": "0", "bucket": "c", "provider": "ais", "opaque": "b3BhcXVl"},
        {"objname": "s.tgz", "archpath": "m/1", "start": 7},
        {"objname": "s.tar", "archpath": "m/1", "start": 1, "length": 3},
        {"objname": "d/1", "start": 2, "length": -1},
        {"objname": "s.zip", "archpath": "/m/1"},
        {"uname": "ais/@#/c/2"},
        {"objname": "2", "bucket": "b", "provider": "ais"},
    ]);
    let expected = files(&[
        ("b/2", "b 2"),
        ("b/s.tar/m/2", "member two"),
        ("c/0", "c 0"),
        ("b/s.tgz/m/1", "one"),
        ("b/s.tar/m/1", "emb"),
        ("b/d/1", "d/1"),
        ("b/s.zip/m/1", "member one"),
        ("c/2", "c 2"),
        ("b/2", "b 2"),
    ]);
    for ais in servers {
        for (mime, kind) in [
            (".tar", "application/x-tar"),
            ("", "application/x-tar"),
            (".tgz", "application/gzip"),
            (".tar.gz", "application/gzip"),
            (".tar.lz4", "application/x-lz4"),
        ] {
            let reply = ais.batch("/b?provider=ais", entries.clone(), json!({"mime": mime})).await;
            assert_eq!((reply.status().as_u16(), header(&reply, "content-type")), (200, kind));
            let format = if mime.is_empty() { Format::Tar } else { Format::of_mime(mime).unwrap() };
            assert_eq!(unpack(format, &reply.bytes().await.unwrap()), expected, "{mime}");

            let more = json!({"mime": mime, "strm": false});
            let (described, archive) = parts(ais.batch("/b", entries.clone(), more).await).await;
            assert_eq!(unpack(format, &archive), expected, "{mime}");
            let out = described["out"].as_array().unwrap();
            assert_eq!(out.len(), expected.len());
            for (out, (_, content)) in out.iter().zip(&expected) {
                assert_eq!(out["size"], content.len());
                assert!(out.get("err_msg").is_none());
            }
            assert_eq!(
                (out[2]["opaque"].as_str(), out[2]["bucket"].as_str()),
                (Some("b3BhcXVl"), Some("c"))
            );
            assert_eq!(out[1]["archpath"], "m/2");
            assert!(described["uuid"].as_str().unwrap().starts_with("gbt-"));
        }
        let once = json!([{"objname": "0", "bucket": "b"}, {"objname": "2", "bucket": "b"}]);
        let reply = ais.batch("", once, json!({"mime": ".zip", "onob": true})).await;
        assert_eq!(header(&reply, "content-type"), "application/zip");
        let found = unpack(Format::Zip, &reply.bytes().await.unwrap());
        assert_eq!(found, files(&[("0", "b 0"), ("2", "b 2")]));
    }
}

#[tokio::test]
async fn entries_that_are_missing() {
    let (servers, _folder) = sample().await;
    let entries = json!([
        {"objname": "none", "bucket": "b"},
        {"objname": "0", "bucket": "b"},
        {"objname": "s.tar", "bucket": "b", "archpath": "none"},
    ]);
    let expected = files(&[("__404__/b/none", ""), ("b/0", "b 0"), ("__404__/b/s.tar/none", "")]);
    for ais in servers {
        let reply = ais.batch("", entries.clone(), json!({})).await;
        assert_eq!(unpack(Format::Tar, &reply.bytes().await.unwrap()), expected);
        let (described, archive) =
            parts(ais.batch("", entries.clone(), json!({"strm": false})).await).await;
        assert_eq!(unpack(Format::Tar, &archive), expected);
        let error = described["out"][0]["err_msg"].as_str().unwrap();
        assert!(error.contains("ais://b/none does not exist"), "{error}");
        assert_eq!(described["out"][0]["size"], 0);

        for streaming in [true, false] {
            let more = json!({"strm": streaming, "coer": false});
            let (status, text) = message(ais.batch("", entries.clone(), more).await).await;
            assert_eq!(status, 404, "{text}");
            assert!(text.contains("ais://b/none does not exist"));
        }
        let later = json!([{"objname": "0", "bucket": "b"}, {"objname": "none", "bucket": "b"}]);
        for streaming in [true, false] {
            let more = json!({"coer": false, "strm": streaming});
            assert_eq!(ais.batch("", later.clone(), more).await.status(), 404);
        }
        // What is found out later breaks the stream off, so that it does not look whole.
        ais.put("b/big", vec![1; 4 << 20]).await;
        ais.put("b/bad.tar", "damaged".repeat(100)).await;
        let damaged = json!([{"objname": "big", "bucket": "b"}, {"objname": "bad.tar", "bucket": "b", "archpath": "m"}]);
        let reply = ais.batch("", damaged.clone(), json!({})).await;
        assert_eq!(reply.status(), 200);
        assert!(reply.bytes().await.is_err());
        assert_eq!(ais.batch("", damaged, json!({"strm": false})).await.status(), 400);

        let many: Vec<Value> =
            (0..9).map(|i| json!({"objname": format!("no{i}"), "bucket": "b"})).collect();
        let reply = ais.batch("", json!(many[..8]), json!({})).await;
        assert_eq!(unpack(Format::Tar, &reply.bytes().await.unwrap()).len(), 8);
        let (status, text) =
            message(ais.batch("", json!(many), json!({"strm": false})).await).await;
        assert_eq!(status, 400);
        assert!(text.contains("exceeded soft-errors limit: 9 (max: 8)"), "{text}");
    }
}

#[tokio::test]
async fn what_is_refused() {
    let (servers, _folder) = sample().await;
    let one = json!([{"objname": "0", "bucket": "b"}]);
    let ais = &servers[0];
    for (path, entries, more, status, fragment) in [
        ("", json!([]), json!({}), 400, "moss: empty input"),
        ("/none", one.clone(), json!({}), 404, "bucket \"ais://none\" does not exist"),
        (
            "",
            json!([{"objname": "0", "bucket": "none"}]),
            json!({}),
            404,
            "bucket \"ais://none\" does not exist",
        ),
        ("", json!([{"objname": "0"}]), json!({}), 400, "missing bucket specification"),
        ("/b", json!([{"objname": "../0"}]), json!({}), 400, "invalid object name"),
        ("/b", json!([{"objname": "0", "start": -1}]), json!({}), 400, "invalid range"),
        ("/b", json!([{"objname": "0", "length": 0}]), json!({}), 400, "invalid range"),
        (
            "/b",
            json!([{"objname": "0", "start": 2, "length": 300}]),
            json!({}),
            400,
            "size=3: not satisfiable range [start=2,length=300]",
        ),
        ("/b", json!([{"objname": "0", "start": 3}]), json!({}), 400, "not satisfiable"),
        ("/b", one.clone(), json!({"mime": ".nope"}), 400, "unknown mime type \".nope\""),
        ("/b?coloc=3", one.clone(), json!({}), 400, "invalid 'coloc=3' (expecting 0, 1, or 2)"),
        ("/b", json!([{"objname": "0"}, {"objname": "0"}]), json!({"mime": ".zip"}), 400, "twice"),
        ("/b/more", one.clone(), json!({}), 400, "invalid request URI"),
    ] {
        for streaming in [true, false] {
            let mut more = more.clone();
            more["strm"] = json!(streaming);
            let (found, text) = message(ais.batch(path, entries.clone(), more).await).await;
            assert_eq!(found, status, "{path} {entries}: {text}");
            assert!(text.contains(fragment), "{text}");
        }
    }
    let reply =
        ais.request(Method::POST, "/v1/ml/moss/b").json(&json!({"in": one})).send().await.unwrap();
    assert_eq!(reply.status(), 405);
    let reply = ais.request(Method::GET, "/v1/ml/moss/b").body("{bad").send().await.unwrap();
    assert_eq!(message(reply).await.0, 400);
}

#[tokio::test]
async fn requests_are_one_job_while_it_idles() {
    let (servers, _folder) = sample().await;
    for ais in servers {
        let one = json!([{"objname": "0"}]);
        for _ in 0..2 {
            ais.batch("/b", one.clone(), json!({})).await.bytes().await.unwrap();
        }
        let request = ais.request(Method::GET, "/v1/cluster?what=qryxstats");
        let snaps: Value =
            request.json(&json!({"Kind": "get-batch"})).send().await.unwrap().json().await.unwrap();
        let snaps = snaps.as_object().unwrap().values().next().unwrap().as_array().unwrap().clone();
        assert_eq!(snaps.len(), 1);
        assert_eq!(snaps[0]["stats"]["loc-objs"], "2");
        let id = snaps[0]["id"].as_str().unwrap().to_owned();
        ais.wait(&id).await;
        ais.act(Method::PUT, "/v1/cluster", "stop", json!({"ID": id})).await;
        assert_eq!(ais.ask("status", &id).await["err"], "user abort");
    }
}

#[tokio::test]
async fn a_stopped_batch_breaks_off() {
    let (servers, _folder) = sample().await;
    for ais in servers {
        let big = vec![7_u8; 8 << 20];
        ais.put("b/big", big).await;
        let entries: Vec<Value> = (0..16).map(|_| json!({"objname": "big"})).collect();
        let mut reply = ais.batch("/b", json!(entries), json!({})).await;
        reply.chunk().await.unwrap().unwrap();
        ais.act(Method::PUT, "/v1/cluster", "stop", json!({"Kind": "get-batch"})).await;
        let mut read = 0;
        let broken = loop {
            match reply.chunk().await {
                Ok(Some(bytes)) => read += bytes.len(),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken && read < 16 * (8 << 20), "{read}");
    }
}
