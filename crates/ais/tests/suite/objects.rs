//! One object: write, read, look, append, copy, rename, delete.

use futures::TryStreamExt;
use holdall_ais::{ArchiveAppend, CopyOptions, ErrorKind, GetOptions, Lock, Members, PutOptions};
use holdall_store::transfer::Transfer;

use crate::support::{Ais, content};

#[tokio::test]
async fn round_trip() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    for name in ["a", "dir/a b#1?x=%25.txt", "ü/\\日本"] {
        let object = bucket.object(name);
        let options = PutOptions { custom: vec![("k".into(), "v=w".into())], checksum: None };
        let written = object.put("hello", &options).await.unwrap();
        assert_eq!((written.version.as_str(), written.size), ("1", 5));
        let of = object.head("checksum,version,custom,last-modified,etag,atime").await.unwrap();
        assert_eq!(of.identity(), written.identity());
        assert_eq!((of.size, of.custom.clone()), (5, options.custom.clone()));
        assert!(of.modified().is_some() && of.accessed().is_some() && !of.e_tag.is_empty());
        let reader = object.get(GetOptions::default()).await.unwrap();
        assert_eq!(reader.attributes().identity(), written.identity());
        assert_eq!(reader.bytes().await.unwrap(), "hello");
        let range = GetOptions { range: Some("bytes=1-3".into()), ..GetOptions::default() };
        let reader = object.get(range).await.unwrap();
        assert_eq!(reader.attributes().size, 5);
        assert_eq!(reader.bytes().await.unwrap(), "ell");
        assert_eq!(object.check_lock().await.unwrap(), Lock::Free);
        object.delete().await.unwrap();
        assert_eq!(object.delete().await.unwrap_err().kind(), ErrorKind::ObjectNotFound);
    }
}

#[tokio::test]
async fn what_is_wrong_is_typed() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let kind = |error: holdall_ais::Error| error.kind();
    let object = bucket.object("none");
    let error = object.get(GetOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::ObjectNotFound, Some(404)));
    let begin = format!("get ais://{}/none: object not found:", bucket.bck().name);
    assert!(error.to_string().starts_with(&begin), "{error}");
    assert!(error.refusal().unwrap().wire.is_some());
    assert_eq!(kind(object.head("size").await.unwrap_err()), ErrorKind::ObjectNotFound);
    let nowhere = ais.other("nowhere").object("x");
    let read = nowhere.get(GetOptions::default()).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::BucketNotFound);
    assert_eq!(kind(nowhere.head("size").await.unwrap_err()), ErrorKind::BucketNotFound);
    let put = nowhere.put("x", &PutOptions::default()).await.unwrap_err();
    assert_eq!(put.kind(), ErrorKind::BucketNotFound);
    let options = PutOptions { checksum: Some(("xxhash2".into(), "00".into())), custom: vec![] };
    assert_eq!(kind(object.put("x", &options).await.unwrap_err()), ErrorKind::Corrupt);
    object.put("abc", &PutOptions::default()).await.unwrap();
    let range = GetOptions { range: Some("bytes=7-".into()), ..GetOptions::default() };
    assert_eq!(kind(object.get(range).await.unwrap_err()), ErrorKind::Range);
}

#[tokio::test]
async fn appends_become_visible_when_they_are_flushed() {
    let ais = Ais::start().await;
    let object = ais.bucket().await.object("log");
    object.put("a", &PutOptions::default()).await.unwrap();
    let mut handle = String::new();
    for piece in ["b", "c"] {
        handle = object.append(piece, &handle).await.unwrap();
    }
    let read = || async { object.get(GetOptions::default()).await.unwrap().bytes().await.unwrap() };
    assert_eq!(read().await, "a");
    object.flush(&handle).await.unwrap();
    assert_eq!(read().await, "abc");
}

#[tokio::test]
async fn properties_copies_and_names() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let (a, b) = (bucket.object("a"), bucket.object("d/b"));
    a.put("x", &PutOptions::default()).await.unwrap();
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    a.set_custom(&[pair("k", "1")], false).await.unwrap();
    a.set_custom(&[pair("l", "2")], false).await.unwrap();
    let mut custom = a.head("custom").await.unwrap().custom;
    custom.sort();
    assert_eq!(custom, [pair("k", "1"), pair("l", "2")]);
    a.set_custom(&[pair("m", "3")], true).await.unwrap();
    assert_eq!(a.head("custom").await.unwrap().custom, [pair("m", "3")]);
    a.copy(&b, &CopyOptions::default()).await.unwrap();
    b.rename("c").await.unwrap();
    let c = bucket.object("c").get(GetOptions::default()).await.unwrap();
    assert_eq!(c.bytes().await.unwrap(), "x");
    assert_eq!(b.head("").await.unwrap_err().kind(), ErrorKind::ObjectNotFound);
    let name = &bucket.bck().name;
    let opened = ais.client.object_from_url(&format!("ais://{name}/d/b")).unwrap();
    assert_eq!(opened.uname(), format!("ais/@#/{name}/d/b"));
}

#[tokio::test]
async fn copies_have_the_names_that_they_were_given() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    // Several of each, so that some belong to another target than what they are copied of.
    let names = ["100%", "a%20b", "a%2Fb", "a?b=c", "a#b", "a b#c", "a+b&c", "a b"];
    for (kind, n) in names.iter().flat_map(|kind| (0..6).map(move |n| (kind, n))) {
        let [from, copy, renamed] = ["from", "copy", "renamed"].map(|at| format!("{at}/{n}{kind}"));
        let object = bucket.object(&from);
        let options = PutOptions { custom: vec![("k".into(), "v".into())], ..Default::default() };
        object.put(from.clone(), &options).await.unwrap();
        object.copy(&bucket.object(&copy), &CopyOptions::default()).await.unwrap();
        object.rename(&renamed).await.unwrap();
        for name in [copy, renamed] {
            let arrived = bucket.object(&name);
            let content = arrived.get(GetOptions::default()).await.unwrap().bytes().await.unwrap();
            assert_eq!(content, from, "{name}");
            assert_eq!(arrived.head("custom").await.unwrap().custom, options.custom, "{name}");
        }
        assert_eq!(object.head("").await.unwrap_err().kind(), ErrorKind::ObjectNotFound, "{from}");
    }
}

#[tokio::test]
async fn what_transfers_are_refused_is_told_as_the_server_told_it() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    for (object, kind) in [
        (bucket.object("none"), ErrorKind::ObjectNotFound),
        (ais.other("none").object("none"), ErrorKind::BucketNotFound),
    ] {
        let error = object.download(&file, &Transfer::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(404)), "{error}");
        assert!(error.refusal().is_some_and(|reply| reply.wire.is_some()), "{error}");
    }
}

#[tokio::test]
async fn members_of_archives() {
    let ais = Ais::start().await;
    let archive = ais.bucket().await.object("a.tar");
    archive.put_member("m/1", "one", ArchiveAppend::Replace).await.unwrap();
    archive.put_member("m/2", "two", ArchiveAppend::Append).await.unwrap();
    let get = |members| GetOptions { members: Some(members), ..GetOptions::default() };
    let one = archive.get(get(Members::Path("m/2".into()))).await.unwrap();
    assert_eq!(one.bytes().await.unwrap(), "two");
    let matching = Members::Matching { mode: "prefix".into(), pattern: "m/".into() };
    let tar = archive.get(get(matching)).await.unwrap().bytes().await.unwrap();
    assert_eq!(tar.len() % 512, 0);
    let none = archive.get(get(Members::Path("m/3".into()))).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::ObjectNotFound);
    let names: Vec<_> = archive
        .bucket()
        .list_archive("a.tar", "", false)
        .map_ok(|entry| entry.name)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(names, ["a.tar/m/1", "a.tar/m/2"]);
}

#[tokio::test]
async fn large_objects_move_in_parts() {
    let ais = Ais::start().await;
    let object = ais.bucket().await.object("large");
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let bytes = content(40 << 20);
    std::fs::write(&from, &bytes).unwrap();
    let transfer = Transfer::new();
    object.put_file(&from, &transfer).await.unwrap();
    assert!(object.head("chunked").await.unwrap().chunks.unwrap().0 > 1);
    assert!(object.read(&transfer).await.unwrap() == bytes);
    object.download(&to, &transfer).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == bytes);
}
