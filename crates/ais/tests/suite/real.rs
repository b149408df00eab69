//! What AIStore 5.0 does and our own server does not, played back.

use std::sync::{Arc, OnceLock};

use futures::TryStreamExt;
use holdall_ais::authn::AuthnClient;
use holdall_ais::wire::cluster::Smap;
use holdall_ais::wire::hrw;
use holdall_ais::{
    BatchEntry, BatchOptions, Client, ClientConfig, CopyOptions, ErrorKind, GetOptions,
    ListRequest, PutOptions,
};
use http::Method;
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore, PutMultipartOptions};
use serde_json::json;

use crate::faults::node;
use crate::script::{Script, redirect, reply};

fn client(server: &Script) -> Client {
    Client::new(ClientConfig::new(&server.url)).unwrap()
}

#[tokio::test]
async fn odd_characters_of_names_survive_redirects() {
    let target = Script::start(|_| reply(200, "content")).await;
    let to = target.url.clone();
    let proxy = Script::start(move |seen| match seen.uri.contains("what=smap") {
        true => reply(404, ""),
        false => {
            let uri = seen.uri.replace("%5C", "\\").replace("%09", "\t").replace("%0A", " ");
            redirect(307, &format!("{to}{uri}&pid=p"))
        }
    })
    .await;
    let bucket = client(&proxy).bucket("b");
    for (name, path) in [(r"a\(b\)", "a%5C%28b%5C%29"), ("a\tb", "a%09b"), ("a\nb\\c", "a%0Ab%5Cc")]
    {
        let content = bucket.object(name).get(GetOptions::default()).await.unwrap().bytes().await;
        assert_eq!(content.unwrap(), "content");
        let uri = target.seen().pop().unwrap().uri;
        assert_eq!(uri, format!("/v1/objects/b/{path}?provider=ais&pid=p"));
    }
}

#[tokio::test]
async fn who_may_not_see_the_map_can_write() {
    let target = Script::start(|_| reply(200, "")).await;
    let to = target.url.clone();
    let proxy = Script::start(move |seen| match seen.uri.contains("what=smap") {
        true => reply(403, ""),
        false => redirect(307, &format!("{to}{}", seen.uri)),
    })
    .await;
    let client = Client::new(ClientConfig::new(&proxy.url).with_token("hush")).unwrap();
    client.bucket("b").object("o").put("content", &PutOptions::default()).await.unwrap();
    let seen = target.seen();
    assert_eq!((seen[0].body.as_ref(), seen[0].token.as_deref()), (&b"content"[..], None));
}

#[tokio::test]
async fn copies_that_would_arrive_under_another_name_go_through_the_client() {
    let map = Arc::new(OnceLock::<String>::new());
    let told = map.clone();
    let cluster = Script::start(move |seen| match seen.uri.contains("what=smap") {
        true => reply(200, told.get().unwrap().clone()),
        false => {
            let mut object = reply(200, "content");
            object.headers_mut().insert("ais-atime", "1795403601545166280".parse().unwrap());
            object
        }
    })
    .await;
    let node = |id, kind| node(id, kind, &cluster.url);
    let smap = json!({
        "pmap": {"p": node("p", "proxy")}, "proxy_si": node("p", "proxy"), "version": "1",
        "tmap": {"t1": node("t1", "target"), "t2": node("t2", "target")},
    });
    map.set(smap.to_string()).unwrap();
    let bucket = client(&cluster).bucket("b");
    let nodes: Smap = serde_json::from_value(smap).unwrap();
    let target = |name: &str| hrw::target(&nodes, bucket.bck(), name).unwrap().daemon_id.clone();
    let mut moved = 0;
    for n in 0..12 {
        let (from, to) = (format!("a{n}"), format!("{n}%20?"));
        let stays = target(&from) == target(&to);
        let before = cluster.seen().len();
        bucket.object(&from).copy(&bucket.object(&to), &CopyOptions::default()).await.unwrap();
        let seen = &cluster.seen()[before..];
        let puts: Vec<_> = seen.iter().filter(|seen| seen.method == Method::PUT).collect();
        assert_eq!(puts.len(), 1, "{seen:?}");
        assert_eq!(puts[0].uri.contains("object_to="), stays, "{seen:?}");
        if stays {
            continue;
        }
        moved += 1;
        assert!(puts[0].uri.starts_with(&format!("/v1/objects/b/{n}%2520%3F?")), "{seen:?}");
        assert_eq!(puts[0].body, "content");
        let latest = CopyOptions { latest: true, ..CopyOptions::default() };
        let error = bucket.object(&from).copy(&bucket.object(&to), &latest).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        bucket.object(&from).rename(&to).await.unwrap();
        let last = cluster.seen().last().unwrap().clone();
        assert_eq!(last.method, Method::DELETE);
        assert!(last.uri.starts_with(&format!("/v1/objects/b/{from}?")), "{last:?}");
    }
    assert!((1..12).contains(&moved), "{moved}");
}

#[tokio::test]
async fn a_target_that_is_gone_is_no_fault_of_the_request() {
    let server = Script::start(|seen| match seen.uri.contains("what=smap") {
        true => reply(404, ""),
        false => {
            let words = "p[p]: failed to call t[t] list[x], err: Get \\\"http://127.0.0.1:9083/v1/buckets/b\\\": dial tcp \
                         127.0.0.1:9083: connect: connection refused";
            let text = format!(r#"{{"tcode":"ErrFailedTo","message":"{words}","status":400}}"#);
            reply(400, text)
        }
    })
    .await;
    let bucket = client(&server).bucket("b");
    let error = bucket.list(ListRequest::default()).try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, Some(400)));
    assert!(error.is_retryable() && error.detail().contains("t[t]"), "{error}");
    let store = bucket.as_store();
    let listed = store.list(None).try_collect::<Vec<_>>().await.unwrap_err();
    let error = store.error("list", &Path::default(), listed);
    assert_eq!(error.kind(), holdall_store::ErrorKind::Connection, "{error}");
}

#[tokio::test]
async fn a_cluster_that_authn_does_not_know_is_no_job() {
    let words = r#"{"message":"AuthN: cluster none does not exist","status":404}"#;
    let server = Script::start(move |_| reply(404, words)).await;
    let authn = AuthnClient::new(ClientConfig::new(&server.url)).unwrap();
    let error = authn.clusters().get("none").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn a_directory_of_other_names_is_no_object() {
    let server = Script::start(|seen| match seen.uri.contains("what=smap") {
        true => reply(404, ""),
        false => reply(500, r#"{"message":"ais://b/dir, err: no data available","status":500}"#),
    })
    .await;
    let error = client(&server).bucket("b").object("dir").get(GetOptions::default()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::ObjectNotFound);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn custom_properties_that_an_upload_forgot_are_set_at_its_end() {
    let server = Script::start(|seen| match (&seen.method, seen.uri.as_str()) {
        (_, uri) if uri.contains("what=smap") => reply(404, ""),
        (&Method::POST, uri) if !uri.contains("uploadId") => reply(200, "abc-1"),
        _ => reply(200, ""),
    })
    .await;
    let store = client(&server).bucket("b").as_store();
    let attributes: Attributes = [(Attribute::ContentType, "text/csv")].into_iter().collect();
    let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
    let mut upload = store.put_multipart_opts(&"o".into(), options).await.unwrap();
    upload.put_part("part".into()).await.unwrap();
    upload.complete().await.unwrap();
    let seen = server.seen();
    let ids = seen.iter().filter(|seen| seen.uri.contains("uploadId"));
    assert!(ids.into_iter().all(|seen| seen.uri.contains("uploadId=abc-1")), "{seen:?}");
    let last = seen.last().unwrap();
    assert_eq!(last.method, Method::PATCH);
    assert!(last.body.windows(10).any(|text| text == b"\"text/csv\""), "{last:?}");
}

#[tokio::test]
async fn a_strict_batch_ends_at_what_is_missing() {
    let server = Script::start(|seen| {
        if seen.uri.contains("what=smap") {
            return reply(404, "");
        }
        let mut tar = vec![0; 3 * 512];
        tar[..16].copy_from_slice(b"__404__/b/none\0\0");
        tar[100..107].copy_from_slice(b"0000644");
        tar[124..135].copy_from_slice(b"00000000000");
        tar[156] = b'0';
        tar[257..265].copy_from_slice(b"ustar\x0000");
        tar[148..156].fill(b' ');
        let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
        tar[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        reply(200, tar)
    })
    .await;
    let bucket = client(&server).bucket("b");
    let batch = |continue_on_error| {
        let options = BatchOptions { continue_on_error, ..BatchOptions::default() };
        bucket.client().batch(Some(&bucket)).with_options(options).with([BatchEntry::new("none")])
    };
    assert!(batch(true).collect().await.unwrap()[0].content.is_err());
    let error = batch(false).collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ObjectNotFound);
    // What is missing is named without the member that was wanted of it.
    let member = BatchEntry::new("none").with_member("m");
    let items = bucket.client().batch(Some(&bucket)).with([member]).collect().await.unwrap();
    assert!(items[0].content.is_err() && items[0].out.archpath == "m");
}
