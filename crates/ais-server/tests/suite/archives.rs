//! Members of archives: read, selected and added.

use std::{io::Read as _, sync::Arc};

use holdall_archive::{Format, Member, Reader, Writer};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::support::{Ais, header};

/// Names and contents of members.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

pub(crate) fn files(list: &[(&str, &str)]) -> Files {
    list.iter().map(|(name, content)| ((*name).into(), (*content).into())).collect()
}

pub(crate) fn pack(name: &str, files: &Files) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Format::of_name(name).unwrap()).unwrap();
    for (name, content) in files {
        let member = Member::file(name, content.len() as u64);
        writer.append(&member, &mut &content[..]).unwrap();
    }
    writer.finish().unwrap()
}

pub(crate) fn unpack(format: Format, bytes: &[u8]) -> Files {
    let mut reader = Reader::open(Arc::new(bytes.to_vec()), format).unwrap();
    let mut files = Files::new();
    while let Some(member) = reader.next_file().unwrap() {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        files.push((member.name, content));
    }
    files
}

fn sample() -> Files {
    let mut all =
        files(&[("in/one.txt", "1"), ("in/two.txt", "22"), ("in/two.cls", "c"), ("top", "")]);
    all.push(("big.bin".into(), (0..300_000_u32).map(|n| (n % 253) as u8).collect()));
    all
}

const NAMES: [&str; 5] = ["s.tar", "s.tgz", "s.tar.gz", "s.tar.lz4", "s.zip"];

pub(crate) async fn message(reply: Response) -> (StatusCode, String) {
    let status = reply.status();
    let body: Value = reply.json().await.unwrap();
    (status, body["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn one_member_of_every_format() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("b").await;
        for name in NAMES {
            ais.put(&format!("b/{name}"), pack(name, &sample())).await;
            // Several times: the third comes from an index.
            for _ in 0..3 {
                for (member, content) in sample() {
                    let reply = ais.get(&format!("b/{name}?archpath=/{member}&archregx=")).await;
                    assert_eq!(reply.status(), 200, "{name} {member}");
                    assert_eq!(header(&reply, "content-length"), content.len().to_string());
                    assert_eq!(header(&reply, "ais-checksum-value"), "");
                    assert_eq!(reply.bytes().await.unwrap(), content);
                }
                let (status, text) =
                    message(ais.get(&format!("b/{name}?archpath=none")).await).await;
                assert_eq!(status, 404);
                assert!(
                    text.ends_with(&format!("none in ais://b/{name} does not exist")),
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_index_follows_the_object() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    for round in 0..3 {
        let content = format!("{round}").repeat(round * 600 + 1);
        ais.put("b/s.tar", pack("s.tar", &files(&[("first", &content), ("m", &content)]))).await;
        for _ in 0..3 {
            assert_eq!(ais.get("b/s.tar?archpath=m").await.text().await.unwrap(), content);
        }
    }
}

#[tokio::test]
async fn selections_are_tars() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    for name in NAMES {
        ais.put(&format!("b/{name}"), pack(name, &sample())).await;
        for (mode, pattern, expected) in [
            ("prefix", "in/t", vec!["in/two.txt", "in/two.cls"]),
            ("suffix", ".txt", vec!["in/one.txt", "in/two.txt"]),
            ("substr", "two", vec!["in/two.txt", "in/two.cls"]),
            ("wdskey", "in/two", vec!["in/two.txt", "in/two.cls"]),
            ("regexp", ".*cls$", vec!["in/two.cls"]),
            ("", "big", vec!["big.bin"]),
            ("*", "in/o", vec!["in/one.txt"]),
            ("prefix", "", vec!["in/one.txt", "in/two.txt", "in/two.cls", "top", "big.bin"]),
        ] {
            let reply =
                ais.get(&format!("b/{name}?archpath=&archmode={mode}&archregx={pattern}")).await;
            assert_eq!(header(&reply, "content-type"), "application/x-tar", "{mode} {pattern}");
            let found = unpack(Format::Tar, &reply.bytes().await.unwrap());
            let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, expected, "{name} {mode} {pattern}");
            for (name, content) in &found {
                assert!(sample().contains(&(name.clone(), content.clone())));
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_asked_of_an_archive() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    ais.put("b/s.tar", pack("s.tar", &sample())).await;
    ais.put("b/plain", "not an archive").await;
    ais.put("b/bad.tar", "not an archive either".repeat(100)).await;
    for (path, status, fragment) in [
        ("s.tar?archpath=../x", 400, "invalid archpath \"../x\""),
        ("s.tar?archpath=a&archmode=prefix&archregx=in", 400, "mutually exclusive"),
        (
            "s.tar?archmode=nope&archregx=x",
            400,
            "expecting one of: [regexp prefix suffix substr wdskey]",
        ),
        ("s.tar?archmode=regexp&archregx=(", 400, "error parsing regexp"),
        (
            "s.tar?archmode=prefix&archregx=none",
            404,
            "(archregx=none, archmode=prefix) in ais://b/s.tar does not exist",
        ),
        ("s.tar?archpath=in/none.txt", 404, "does not exist"),
        ("s.tar?archpath=in/none.txt", 404, "does not exist"),
        // After there is an index of the tar.
        ("s.tar?archpath=in/one.txt&archmime=.zip", 400, "failed to open ais://b/s.tar"),
        ("s.tar?archpath=in/one.txt&archmime=.nope", 400, "unknown mime type"),
        ("plain?archpath=x", 400, "unrecognized or unsupported file format: \"plain\""),
        ("bad.tar?archpath=x", 400, "failed to open ais://b/bad.tar: not a valid tar archive"),
        ("bad.tar?archmode=prefix&archregx=x", 400, "not a valid tar archive"),
        ("none.tar?archpath=x", 404, "ais://b/none.tar does not exist"),
    ] {
        let (found, text) = message(ais.get(&format!("b/{path}")).await).await;
        assert_eq!(found, status, "{path}: {text}");
        assert!(text.contains(fragment), "{path}: {text}");
    }
    let ranged = ais.request(Method::GET, "/v1/objects/b/s.tar?archpath=in/one.txt");
    let reply = ranged.header("Range", "bytes=0-0").send().await.unwrap();
    assert!(message(reply).await.1.contains("cannot range-read archived content"));
    // Empty parameters mean nothing, as does a pattern without a mode.
    for path in ["b/plain?archpath=&archregx=", "b/plain?archregx=in"] {
        assert_eq!(ais.get(path).await.text().await.unwrap(), "not an archive");
    }
}

#[tokio::test]
async fn formats_are_recognised_without_their_extension() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    for name in ["s.tar", "s.tgz", "s.tar.lz4", "s.zip"] {
        ais.put("b/shard", pack(name, &sample())).await;
        assert_eq!(
            ais.get("b/shard?archpath=in/two.txt").await.text().await.unwrap(),
            "22",
            "{name}"
        );
    }
}

async fn add(ais: &Ais, name: &str, member: &str, flags: &str, content: &str) -> Response {
    let request = ais.request(Method::PUT, &format!("/v1/objects/b/{name}?archpath={member}"));
    request.header("Ais-Pine", flags).body(content.to_owned()).send().await.unwrap()
}

#[tokio::test]
async fn members_are_added() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("b").await;
        for name in NAMES {
            let path = format!("b/{name}");
            assert_eq!(add(&ais, name, "a", "1", "1").await.status(), 404, "it has to be there");
            assert_eq!(add(&ais, name, "a", "2", "1").await.status(), 200);
            assert_eq!(add(&ais, name, "d/b", "1", "22").await.status(), 200);
            assert_eq!(add(&ais, name, &format!("{name}/c"), "2", "333").await.status(), 200);
            let format = Format::of_name(name).unwrap();
            let bytes = ais.get(&path).await.bytes().await.unwrap();
            assert_eq!(unpack(format, &bytes), files(&[("a", "1"), ("d/b", "22"), ("c", "333")]));
            assert_eq!(header(&ais.get(&path).await, "ais-version"), "3");
            assert_eq!(add(&ais, name, "only", "0", "4").await.status(), 200);
            let bytes = ais.get(&path).await.bytes().await.unwrap();
            assert_eq!(unpack(format, &bytes), files(&[("only", "4")]), "flags 0 replace");
        }
        ais.put("b/bad.tar", "x".repeat(600)).await;
        assert_eq!(add(&ais, "bad.tar", "a", "1", "1").await.status(), 400);
        assert_eq!(add(&ais, "s.tar", "a", "x", "1").await.status(), 400);
        assert_eq!(add(&ais, "s.tar", "a", "1", "").await.status(), 400, "nothing to add");
        assert_eq!(add(&ais, "plain", "a", "2", "1").await.status(), 400, "no format");
        let bytes = ais.get("b/bad.tar").await.text().await.unwrap();
        assert_eq!(bytes, "x".repeat(600), "a failed append changes nothing");
    }
}

#[tokio::test]
async fn members_added_at_the_same_time_are_all_there() {
    let (servers, _folder) = Ais::both().await;
    for ais in servers {
        ais.create("b").await;
        let adding = (0..20).map(|i| {
            let ais = &ais;
            async move {
                let reply = add(ais, "s.tar", &format!("m{i}"), "2", "x").await;
                assert_eq!(reply.status(), 200);
            }
        });
        futures::future::join_all(adding).await;
        let bytes = ais.get("b/s.tar").await.bytes().await.unwrap();
        assert_eq!(unpack(Format::Tar, &bytes).len(), 20);
    }
}

#[tokio::test]
async fn an_append_that_breaks_off_changes_nothing() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    ais.put("b/s.tar", pack("s.tar", &sample())).await;
    let before = ais.get("b/s.tar").await.bytes().await.unwrap();
    // A body that is shorter than it says, on a connection that is closed then.
    let url = ais.server.url();
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = "PUT /v1/objects/b/s.tar?archpath=m HTTP/1.1\r\nHost: x\r\nAis-Pine: 1\r\nContent-Length: 100\r\n\r\nhalf";
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    drop(stream);
    let reply = add(&ais, "s.tar", "later", "1", "x").await;
    assert_eq!(reply.status(), 200, "its turn comes");
    let after = ais.get("b/s.tar").await.bytes().await.unwrap();
    let names: Vec<_> = unpack(Format::Tar, &after).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), unpack(Format::Tar, &before).len() + 1);
    assert_eq!(names.last().unwrap(), "later");
}

#[tokio::test]
async fn listings_look_into_archives() {
    let ais = Ais::memory().await;
    ais.create("b").await;
    for name in ["s.tar", "s.zip", "t.tar.lz4"] {
        ais.put(&format!("b/{name}"), pack(name, &files(&[("in/2", "22"), ("in/1", "1")]))).await;
    }
    ais.put("b/bad.tar", "damaged").await;
    ais.put("b/plain", "x").await;
    let list = async |prefix: &str, size: usize, token: &str| -> (Vec<String>, String) {
        let value = serde_json::json!({
            "flags": "8", "prefix": prefix, "pagesize": size, "continuation_token": token, "props": "name,size",
        });
        let reply = ais.act(Method::GET, "/v1/buckets/b", "list", value).await;
        let page: Value = reply.json().await.unwrap();
        let entries = page["entries"].as_array().cloned().unwrap_or_default();
        let names = entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned());
        (names.collect(), page["continuation_token"].as_str().unwrap_or_default().to_owned())
    };
    let all = [
        "bad.tar",
        "plain",
        "s.tar",
        "s.tar/in/1",
        "s.tar/in/2",
        "s.zip",
        "s.zip/in/1",
        "s.zip/in/2",
        "t.tar.lz4",
        "t.tar.lz4/in/1",
        "t.tar.lz4/in/2",
    ];
    assert_eq!(list("", 0, "").await.0, all);
    assert_eq!(list("s.zip", 0, "").await.0, all[5..8]);
    assert_eq!(list("s.tar/in/2", 0, "").await.0, ["s.tar/in/2"]);
    for size in 1..5 {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let (names, next) = list("", size, &token).await;
            found.extend(names);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, all, "pages of {size}");
    }
}
