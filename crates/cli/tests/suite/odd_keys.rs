//! A bucket with keys that no path can hold: everything else is done, and each of them is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::{err, holdall, json, out};

/// In the order of their bytes.
const KEYS: [&str; 4] = ["a", "d/../up", "d//double", "d/b"];

/// A bucket, as settings.
fn bucket(keys: &'static [&'static str]) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("--config=endpoint=http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            answer(keys, socket.unwrap());
        }
    });
    let rest = ["allow_http=true", "region=us-east-1", "skip_signature=true"];
    std::iter::once(endpoint).chain(rest.map(|one| format!("--config={one}"))).collect()
}

fn answer(keys: &[&str], mut socket: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
    });
    let mut sent = vec![0; length.unwrap_or(0)];
    socket.read_exact(&mut sent).unwrap();
    let body = match head.split(' ').next() {
        Some("HEAD") => return reply(&mut socket, "404 Not Found", ""),
        Some("GET") if head.contains("versions") => versions(),
        Some("GET") if head.contains("list-type=2") => listing(keys, head.contains("prefix=d%2F")),
        Some("POST") => {
            let text = String::from_utf8(sent).unwrap();
            let deleted = text.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next());
            let deleted: String =
                deleted.map(|key| format!("<Deleted><Key>{key}</Key></Deleted>")).collect();
            format!("<DeleteResult>{deleted}</DeleteResult>")
        }
        _ => "content".to_owned(),
    };
    reply(&mut socket, "200 OK", &body);
}

fn listing(keys: &[&str], only_d: bool) -> String {
    let keys = keys.iter().filter(|key| !only_d || key.starts_with("d/"));
    let objects: String = keys
        .map(|key| {
            let size = if key.ends_with('/') { 0 } else { 7 };
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
                 <Size>{size}</Size></Contents>"
            )
        })
        .collect();
    format!("<ListBucketResult>{objects}</ListBucketResult>")
}

/// Two of each object, the older one of which is a deletion.
fn versions() -> String {
    let versions: String = KEYS
        .map(|key| {
            format!(
                "<Version><Key>{key}</Key><VersionId>2</VersionId><IsLatest>true</IsLatest>\
                 <LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>7</Size></Version>\
                 <DeleteMarker><Key>{key}</Key><VersionId>1</VersionId><IsLatest>false</IsLatest>\
                 <LastModified>2026-01-01T03:04:05.000Z</LastModified></DeleteMarker>"
            )
        })
        .concat();
    format!("<ListVersionsResult>{versions}</ListVersionsResult>")
}

fn reply(socket: &mut TcpStream, status: &str, body: &str) {
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\nETag: \"e\"\r\n\
         Last-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(reply.as_bytes()).unwrap();
}

#[test]
fn recursive_commands_do_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let settings = bucket(&KEYS);
    let run = |arguments: &[&str]| {
        let settings = settings.iter().map(String::as_str);
        holdall(dir.path(), &arguments.iter().copied().chain(settings).collect::<Vec<_>>())
    };
    assert_eq!(out(&run(&["ls", "-r", "s3://b/"])), "a\nd/../up\nd//double\nd/b\n");
    let versions = run(&["ls", "--versions", "--json", "s3://b/"]);
    let versions: Vec<_> = json(&versions)
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().map(str::to_owned);
            (text("path").unwrap(), text("url"), text("version").unwrap(), line["size"].as_u64())
        })
        .collect();
    let wanted = KEYS.map(|key| {
        let url = ["a", "d/b"].contains(&key).then(|| format!("s3://b/{key}"));
        ["2", "1"].map(|id| {
            (key.to_owned(), url.clone(), id.to_owned(), Some(if id == "2" { 7 } else { 0 }))
        })
    });
    assert_eq!(versions, wanted.concat());
    let long = out(&run(&["ls", "--versions", "s3://b/"]));
    let states: Vec<_> = long.lines().filter(|line| line.ends_with("d//double")).collect();
    assert!(states[0].contains("latest") && states[1].contains("deleted"), "{long}");
    let total = json(&run(&["du", "--json", "s3://b/"]));
    assert_eq!((total[0]["objects"].as_u64(), total[0]["size"].as_u64()), (Some(4), Some(28)));

    let copied = run(&["cp", "-r", "--json", "s3://b/", "copy"]);
    assert_eq!(copied.status.code(), Some(3), "{copied:?}");
    let mut told: Vec<_> = json(&copied)
        .iter()
        .map(|line| (line["source"].as_str().unwrap().to_owned(), line["ok"].as_bool().unwrap()))
        .collect();
    told.sort();
    let url = |key: &str| format!("s3://b/{key}");
    let wanted = KEYS.map(|key| (url(key), ["a", "d/b"].contains(&key)));
    assert_eq!(told, wanted);
    assert!(dir.path().join("copy/a").exists() && dir.path().join("copy/d/b").exists());
    assert!(err(&copied).contains("has an empty segment"), "{}", err(&copied));

    let patterns = ["--exclude", "**//**", "--exclude", "**/../**"];
    out(&run(&[&["cp", "-r", "s3://b/", "without"][..], &patterns].concat()));

    let old = dir.path().join("copy/old");
    std::fs::write(&old, "old").unwrap();
    let planned = run(&["sync", "--delete", "--dry-run", "--json", "s3://b/", "copy"]);
    assert_eq!(planned.status.code(), Some(3), "{planned:?}");
    let refused: Vec<_> = json(&planned)
        .iter()
        .filter(|line| line["ok"] == false)
        .map(|line| (line["action"].as_str().unwrap().to_owned(), line["source"].clone()))
        .collect();
    let wanted = ["d/../up", "d//double"].map(|key| ("copy".to_owned(), url(key).into()));
    assert_eq!(refused, wanted);
    let synced = run(&["sync", "--delete", "s3://b/", "copy"]);
    assert_eq!(synced.status.code(), Some(3), "{synced:?}");
    assert!(old.exists(), "nothing is deleted when something could not be copied");

    let removed = run(&["rm", "-r", "-v", "s3://b/d/"]);
    assert_eq!(removed.status.code(), Some(3), "{removed:?}");
    assert_eq!(String::from_utf8_lossy(&removed.stdout), "deleted s3://b/d/b\n");
    assert_eq!(err(&removed).matches("error: delete s3://b/d/").count(), 2, "{}", err(&removed));
}

#[test]
fn markers_of_directories_stand_for_no_object() {
    let dir = tempfile::tempdir().unwrap();
    let settings = bucket(&["a", "a/", "d/", "d/b", "d/empty/"]);
    let run = |arguments: &[&str]| {
        let settings = settings.iter().map(String::as_str);
        holdall(dir.path(), &arguments.iter().copied().chain(settings).collect::<Vec<_>>())
    };
    assert_eq!(out(&run(&["ls", "-r", "s3://b/"])), "a\na/\nd/\nd/b\nd/empty/\n");
    assert_eq!(out(&run(&["ls", "-r", "s3://b/d/"])), "b\nempty/\n");
    let copied = run(&["cp", "-r", "--json", "s3://b/", "copy"]);
    out(&copied);
    let mut sources: Vec<_> =
        json(&copied).iter().map(|line| line["source"].as_str().unwrap().to_owned()).collect();
    sources.sort();
    assert_eq!(sources, ["s3://b/a", "s3://b/d/b"]);
    assert_eq!(std::fs::read_to_string(dir.path().join("copy/a")).unwrap(), "content");
    let plan = run(&["sync", "--delete", "--dry-run", "--json", "copy", "s3://b/"]);
    assert!(json(&plan).iter().all(|line| line["action"] != "delete"), "{plan:?}");
    out(&plan);

    let would = out(&run(&["rm", "-r", "--dry-run", "s3://b/d/"]));
    let removed = out(&run(&["rm", "-r", "-v", "s3://b/d/"]));
    assert_eq!(removed, "deleted s3://b/d/b\ndeleted s3://b/d/\ndeleted s3://b/d/empty/\n");
    let sorted = |lines: &str| {
        let mut lines: Vec<_> = lines.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&would), sorted(&removed.replace("deleted", "would delete")));
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_are_told_where_everything_was_to_be_copied() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(path("data/d")).unwrap();
    std::fs::create_dir(path("only")).unwrap();
    std::fs::write(path("data/a"), "a").unwrap();
    for link in ["data/d/broken", "only/broken"] {
        std::os::unix::fs::symlink("nowhere", path(link)).unwrap();
    }
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "data"])), "a\n");

    let copied = holdall(dir.path(), &["cp", "-r", "--json", "data", "copy"]);
    assert_eq!(copied.status.code(), Some(3), "{copied:?}");
    let failed: Vec<_> = json(&copied).into_iter().filter(|line| line["ok"] == false).collect();
    let url = format!("file://{}", path("data/d/broken").display());
    assert_eq!((failed.len(), failed[0]["source"].as_str()), (1, Some(&*url)));
    let told = err(&copied);
    assert!(told.contains(&format!("copy {url}: not found: the symbolic link leads")), "{told}");
    assert!(path("copy/a").exists());
    assert_eq!(holdall(dir.path(), &["mv", "-r", "only", "moved"]).status.code(), Some(3));

    std::fs::create_dir(path("copy/d")).unwrap();
    std::fs::write(path("copy/d/broken"), "from when the link led somewhere").unwrap();
    let sync = |more: &[&str]| {
        holdall(dir.path(), &[&["sync", "--delete", "data", "copy"][..], more].concat())
    };
    assert_eq!(sync(&["--dry-run"]).status.code(), Some(3));
    assert_eq!(sync(&[]).status.code(), Some(3));
    assert!(path("copy/d/broken").exists());
    out(&sync(&["--exclude", "broken"]));
    assert!(path("copy/d/broken").exists(), "what the filters leave out is not deleted");
}
