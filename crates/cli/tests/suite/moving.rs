//! What is special about moving many bytes: measuring, plans, interrupts, going on.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::{s3, with};

const QUICK: [&str; 8] =
    ["--sizes", "1KiB,100KiB", "--concurrency", "1,4", "--duration", "50ms", "--max-bytes", "1MiB"];

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdall"));
    command.current_dir(dir).args(arguments).env("HOLDALL_STATE_DIR", dir.join("state"));
    command.env_remove("AWS_PROFILE");
    command
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(dir: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// How a command is told to end, and the status that it ends with.
const SIGNALS: [(&str, i32); 2] = [("-INT", 130), ("-TERM", 143)];

fn interrupt(child: &Child) {
    tell(child, "-INT");
}

fn tell(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_store_is_measured_and_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    let table = out(&run(dir.path(), &[&["bench", "data"], &QUICK[..]].concat()));
    let first: Vec<_> = table.lines().map(|l| l.split_whitespace().next().unwrap()).collect();
    let of_a_size = ["put", "put", "get", "get"];
    let expected = [&["operation"], &of_a_size[..], &of_a_size[..], &["list", "delete"]].concat();
    assert_eq!(first, expected, "{table}");
    assert!(names(dir.path().join("data")).is_empty());

    let rows = lines(&run(dir.path(), &[&["bench", "memory:///", "--json"], &QUICK[..]].concat()));
    assert_eq!(rows.len(), 10);
    assert_eq!(
        (rows[4]["size"].as_u64(), rows[5]["concurrency"].as_u64()),
        (Some(102_400), Some(4))
    );
    for row in &rows[..8] {
        assert!(row["objects"].as_u64().unwrap() > 0, "{row}");
        assert!(row["bytes_per_second"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["latency_seconds"]["p50"].as_f64() <= row["latency_seconds"]["max"].as_f64());
    }
    let written: u64 = [0, 1, 4, 5].iter().map(|i| rows[*i]["objects"].as_u64().unwrap()).sum();
    assert_eq!(rows[8]["objects"].as_u64(), Some(written));
    assert_eq!(rows[9]["objects"].as_u64(), Some(written));
}

#[test]
fn a_service_is_measured_and_left_as_it_was() {
    let Some((settings, url)) = s3("moving::bench") else { return };
    let dir = tempfile::tempdir().unwrap();
    let arguments = [&["bench", &url, "--json"], &QUICK[..]].concat();
    assert_eq!(lines(&run(dir.path(), &with(&arguments, &settings))).len(), 10);
    let left = run(dir.path(), &with(&["ls", "-r", &format!("{url}/")], &settings));
    assert_eq!(out(&left), "");
}

#[test]
fn an_interrupted_measurement_cleans_up() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    let arguments = ["bench", "data", "--duration", "1h", "--max-bytes", "1G", "--sizes", "1KiB"];
    let mut child = command(dir.path(), &arguments).stderr(Stdio::null()).spawn().unwrap();
    wait_until(|| !names(dir.path().join("data")).is_empty());
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(names(dir.path().join("data")).is_empty());
}

#[test]
fn a_store_that_cannot_be_written_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let failed = run(dir.path(), &["bench", "file/below"]);
    assert_eq!(failed.status.code(), Some(1));
}

fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in
        [("from/a", "1"), ("from/b/c", "22"), ("to/a", "other"), ("to/old/x", "333")]
    {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

#[test]
fn the_plan_of_a_synchronisation_is_data() {
    let dir = tree();
    let arguments = ["sync", "from", "to", "--delete", "--dry-run", "--json"];
    let plan = lines(&run(dir.path(), &arguments));
    let told = |line: &Value| {
        let place = line.get("target").or(line.get("url")).unwrap().as_str().unwrap();
        let key = place.rsplit_once("/to/").unwrap().1.to_owned();
        let reason = line.get("reason").and_then(Value::as_str).map(ToOwned::to_owned);
        let action = line["action"].as_str().unwrap().to_owned();
        (action, key, line["size"].as_u64().unwrap(), reason)
    };
    let expected = |action: &str, key: &str, size, reason: Option<&str>| {
        (action.to_owned(), key.to_owned(), size, reason.map(ToOwned::to_owned))
    };
    assert_eq!(
        plan.iter().map(told).collect::<Vec<_>>(),
        [
            expected("copy", "a", 1, Some("different")),
            expected("copy", "b/c", 2, Some("missing")),
            expected("delete", "old/x", 3, None),
        ]
    );
    assert!(plan.iter().all(|line| line["dry_run"].as_bool() == Some(true)));
    assert_eq!(fs::read_to_string(dir.path().join("to/a")).unwrap(), "other");
}

#[test]
fn a_source_inside_the_target_is_not_deleted() {
    let dir = tree();
    let failed = run(dir.path(), &["sync", "from", ".", "--delete"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("--delete would delete it"));
    assert!(dir.path().join("from/a").exists());
}

#[test]
fn places_that_overlap_in_a_service_keep_what_they_have() {
    let Some((settings, url)) = s3("moving::overlap") else { return };
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("up/data/data")).unwrap();
    for (name, content) in [("data/a", "one"), ("data/b", "two"), ("data/data/a", "three")] {
        fs::write(dir.path().join("up").join(name), content).unwrap();
    }
    let put = |arguments: &[&str]| run(dir.path(), &with(arguments, &settings));
    let data = format!("{url}/data");
    out(&put(&["cp", "-r", "up", &url]));
    for (arguments, said) in [
        (&["sync", "--delete", &data, &url][..], "--delete would delete it"),
        (&["sync", "--delete", &url, &data], "lies inside the source"),
        (&["sync", &url, &data], "lies inside the source"),
        (&["cp", "-r", &url, &data], "lies inside it"),
    ] {
        let refused = put(arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains(said), "{told}");
    }
    // Nothing is written where something may still have to be read.
    for command in ["cp", "mv"] {
        let planned = put(&[command, "-rn", &data, &url]);
        let moved = put(&[command, "-r", &data, &url]);
        for partial in [planned, moved] {
            assert_eq!(partial.status.code(), Some(3), "{command}");
            let told = String::from_utf8_lossy(&partial.stderr).into_owned();
            assert!(told.contains("data/a: invalid argument: it lies in the source"), "{told}");
        }
    }
    let content = |key: &str| out(&put(&["cat", &format!("{url}/{key}")]));
    assert_eq!(["a", "b", "data/data/a"].map(content), ["one", "two", "three"]);
    out(&put(&["rm", "-r", &url]));
}

#[test]
fn the_summary_tells_the_rate() {
    let dir = tree();
    let copied = run(dir.path(), &["cp", "-r", "from", "new"]);
    let summary = String::from_utf8_lossy(&copied.stderr).into_owned();
    assert!(summary.contains("copied 2 objects, 3 B in "), "{summary}");
    assert!(summary.contains("B/s)"), "{summary}");
}

const SLOW: [&str; 4] = ["--part-size=5MiB", "--limit-rate=8MiB", "--parts=2", "--resume"];

#[test]
fn killed_transfers_are_resumed() {
    let Some((settings, url)) = s3("moving::resume") else { return };
    let dir = tempfile::tempdir().unwrap();
    let data: Vec<u8> =
        (0..12u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(dir.path().join("file"), &data).unwrap();
    let has_a_part =
        |journal: &Path| fs::read_to_string(journal).is_ok_and(|text| text.lines().count() > 1);
    let key = format!("{url}/k");

    let mut child =
        command(dir.path(), &with(&[&["put", "file", &key], &SLOW[..]].concat(), &settings))
            .spawn()
            .unwrap();
    let journals = dir.path().join("state/uploads");
    wait_until(|| {
        let found = fs::read_dir(&journals).into_iter().flatten();
        found.flatten().any(|entry| has_a_part(&entry.path()))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let again = ["put", "file", &key, "--part-size=5MiB", "--resume"];
    let resumed = run(dir.path(), &with(&again, &settings));
    assert!(String::from_utf8_lossy(&resumed.stderr).contains("MiB of it before"), "{resumed:?}");
    assert!(resumed.status.success());
    assert!(names(&journals).is_empty());

    fs::create_dir(dir.path().join("down")).unwrap();
    let mut child =
        command(dir.path(), &with(&[&["get", &key, "down/file"], &SLOW[..]].concat(), &settings))
            .spawn()
            .unwrap();
    let down = dir.path().join("down");
    wait_until(|| {
        let found = names(&down);
        found.iter().any(|n| n.ends_with(".holdall-journal") && has_a_part(&down.join(n)))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!down.join("file").exists());
    let again = ["get", &key, "down/file", "--part-size=5MiB", "--resume"];
    let resumed = run(dir.path(), &with(&again, &settings));
    assert!(String::from_utf8_lossy(&resumed.stderr).contains("MiB of it before"), "{resumed:?}");
    assert_eq!(fs::read(down.join("file")).unwrap(), data);
    assert_eq!(names(&down), ["file"]);
    out(&run(dir.path(), &with(&["rm", &key], &settings)));
}

#[test]
fn a_download_that_is_told_to_end_leaves_nothing() {
    for (signal, status) in SIGNALS {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("down")).unwrap();
        fs::write(dir.path().join("file"), vec![7; 12 << 20]).unwrap();
        let arguments = ["cp", "file", "down/file", "--limit-rate=4MiB", "--json"];
        let child = command(dir.path(), &arguments).stderr(Stdio::piped()).spawn().unwrap();
        wait_until(|| !names(dir.path().join("down")).is_empty());
        tell(&child, signal);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
        assert!(names(dir.path().join("down")).is_empty(), "{signal}");
    }
}

#[test]
fn an_interrupted_upload_is_aborted() {
    for (signal, status) in SIGNALS {
        upload_and_tell(signal, status);
    }
}

fn upload_and_tell(signal: &str, status: i32) {
    let Some((settings, url)) = s3("moving::abort") else { return };
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), vec![7; 12 << 20]).unwrap();
    let key = format!("{url}/k");
    let arguments = ["put", "file", &key, "--part-size=5MiB", "--limit-rate=4MiB"];
    let mut child =
        command(dir.path(), &with(&arguments, &settings)).stderr(Stdio::null()).spawn().unwrap();
    let journals = dir.path().join("state/uploads");
    // Noted twice: before it begins, and when the service has named it.
    let is_open = |entry: std::io::Result<fs::DirEntry>| {
        let text = entry.and_then(|entry| fs::read_to_string(entry.path())).unwrap_or_default();
        text.ends_with('\n') && !text.contains(r#""upload":"""#)
    };
    wait_until(|| fs::read_dir(&journals).into_iter().flatten().any(is_open));
    tell(&child, signal);
    assert_eq!(child.wait().unwrap().code(), Some(status));
    // The journal of an upload goes when the service has forgotten it.
    assert!(names(&journals).is_empty());
    let missing = run(dir.path(), &with(&["stat", &key], &settings));
    assert_eq!(missing.status.code(), Some(1));
}

/// A bucket with one object, of seven bytes that are not those of its entity tag; as settings.
fn damaged() -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("endpoint=http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let body = if head.starts_with(b"HEAD") { "" } else { "content" };
            let reply = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: 7\r\nContent-Range: bytes 0-6/7\r\n\
                 ETag: \"00000000000000000000000000000000\"\r\nConnection: close\r\n\
                 Last-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n\r\n{body}"
            );
            socket.write_all(reply.as_bytes()).unwrap();
        }
    });
    let rest = ["allow_http=true", "region=us-east-1", "skip_signature=true"];
    std::iter::once(endpoint).chain(rest.map(str::to_owned)).collect()
}

#[test]
fn damaged_bytes_on_standard_output_show_in_the_status() {
    let dir = tempfile::tempdir().unwrap();
    let settings: Vec<String> = damaged().iter().map(|one| format!("--config={one}")).collect();
    for command in [&["cat", "s3://b/k"][..], &["cp", "s3://b/k", "-"]] {
        let output = run(dir.path(), &with(command, &settings));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("corrupt reply"), "{output:?}");
    }
    let range = run(dir.path(), &with(&["cat", "s3://b/k", "--range", "0-6"], &settings));
    assert_eq!(out(&range), "content");
}
