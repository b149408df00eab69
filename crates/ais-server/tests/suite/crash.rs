//! Kills: the server is killed under load, again and again, and afterwards everything that it acknowledged is there.
//!
//! `HOLDALL_CRASH_ROUNDS` says how many kills; a few by default.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use holdall_ais_server::{Fsync, Options, Server};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// Tells the child where its folder is.
const FOLDER: &str = "HOLDALL_CRASH_FOLDER";
const WORKERS: usize = 6;
const KEYS: usize = 8;

/// The process that is killed. It is a test, so that it is in this program; it does nothing unless it is told to.
#[tokio::test]
async fn serves_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let fsync = std::env::var("HOLDALL_CRASH_FSYNC")
        .expect("set with the folder")
        .parse()
        .expect("a policy");
    let options = Options { data: Some(folder.into()), fsync, ..Options::default() };
    let server = Server::start(options).await.expect("the server starts");
    std::fs::write(std::env::var("HOLDALL_CRASH_URL").expect("set with the folder"), server.url())
        .expect("written");
    std::future::pending::<()>().await;
}

pub(crate) fn start(folder: &Path, url_file: &Path, fsync: &str) -> (Child, String) {
    let _ = std::fs::remove_file(url_file);
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::serves_until_it_is_killed"])
        .env(FOLDER, folder)
        .env("HOLDALL_CRASH_URL", url_file)
        .env("HOLDALL_CRASH_FSYNC", fsync)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut child = child;
    loop {
        if let Ok(url) = std::fs::read_to_string(url_file)
            && url.starts_with("http")
        {
            return (child, url);
        }
        if let Some(status) = child.try_wait().expect("a state") {
            let lines =
                BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
            panic!("the server ended with {status}: {}", lines.collect::<Vec<_>>().join("\n"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What an object may be: none, or a content by its number.
type State = Option<u64>;

/// What a worker knows of its objects: the states that each may have.
type Known = BTreeMap<String, Vec<State>>;

/// The content with this number; a short or a long one.
fn content(number: u64) -> Vec<u8> {
    let len = if number.is_multiple_of(7) { 1_500_000 } else { 10 + (number % 5000) as usize };
    let line = format!("{number} ");
    line.bytes().cycle().take(len).collect()
}

/// Changes objects until the server is gone. A change that got no answer may have happened or not.
async fn work(url: String, worker: usize, mut known: Known, mut number: u64) -> (Known, u64) {
    let client = Client::new();
    loop {
        number += 1;
        let name = format!("w{worker}/k{}", fastrand::usize(..KEYS));
        let target = format!("{url}/v1/objects/b/{name}");
        if fastrand::u8(..10) == 0 {
            let states = known.entry(name).or_insert_with(|| vec![None]);
            states.push(Some(number));
            if upload(&client, &target, &content(number)).await.is_err() {
                return (known, number);
            }
            *states = vec![Some(number)];
            continue;
        }
        let (request, after) = match fastrand::u8(..10) {
            0..2 => (client.delete(&target), None),
            2 => {
                // A copy of another object of this worker, when its state is known.
                let from = format!("w{worker}/k{}", fastrand::usize(..KEYS));
                let Some([Some(source)]) = known.get(&from).map(Vec::as_slice) else { continue };
                if from == name {
                    continue;
                }
                let to = format!("ais/@%23/b/{name}");
                (client.put(format!("{url}/v1/objects/b/{from}?object_to={to}")), Some(*source))
            }
            _ => (client.put(&target).body(content(number)), Some(number)),
        };
        let states = known.entry(name).or_insert_with(|| vec![None]);
        states.push(after);
        match request.send().await {
            Ok(reply) if reply.status() == 404 && after.is_none() => *states = vec![None],
            Ok(reply) => {
                assert_eq!(reply.status(), 200, "{}", reply.text().await.unwrap_or_default());
                *states = vec![after];
            }
            Err(_) => return (known, number),
        }
    }
}

/// Writes an object in parts; an error when the server is gone.
async fn upload(client: &Client, target: &str, content: &[u8]) -> reqwest::Result<()> {
    let checked = async |request: reqwest::RequestBuilder| {
        let reply = request.send().await?;
        let (status, text) = (reply.status(), reply.text().await?);
        assert_eq!(status, 200, "{text}");
        Ok::<_, reqwest::Error>(text)
    };
    let id = checked(client.post(target).json(&json!({"action": "mpt-upload"}))).await?;
    let (one, two) = content.split_at(content.len() / 2);
    for (number, part) in [(2, two), (1, one)] {
        let target = format!("{target}?partNumber={number}&uploadId={id}");
        checked(client.put(target).body(part.to_vec())).await?;
    }
    let all = json!([{"part-number": 1, "etag": ""}, {"part-number": 2, "etag": ""}]);
    let message = json!({"action": "mpt-complete", "value": all});
    checked(client.post(format!("{target}?uploadId={id}")).json(&message)).await.map(drop)
}

/// Checks all objects, and that the list has them and no others.
async fn verify(url: &str, known: &mut Known, round: usize) {
    let client = Client::new();
    let list = json!({"action": "list", "value": {"props": "name,size", "flags": "0"}});
    let page: Value = client
        .request(Method::GET, format!("{url}/v1/buckets/b"))
        .json(&list)
        .send()
        .await
        .expect("a page")
        .json()
        .await
        .expect("JSON");
    let mut listed: BTreeMap<String, u64> = BTreeMap::new();
    for entry in page["entries"].as_array().into_iter().flatten() {
        let size = entry["size"].as_str().map_or(0, |size| size.parse().expect("a number"));
        listed.insert(entry["name"].as_str().expect("a name").to_owned(), size);
    }
    for (name, bytes) in verify_own(url, known, round).await {
        assert_eq!(listed.remove(&name), Some(bytes), "round {round}: {name} in the list");
    }
    assert!(listed.is_empty(), "round {round}: listed, but nobody wrote it: {listed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() {
    let rounds =
        std::env::var("HOLDALL_CRASH_ROUNDS").map_or(4, |rounds| rounds.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let (data, url_file) = (folder.path().join("data"), folder.path().join("url"));
    let policies = ["commit", "never", "always"];
    let mut known: Vec<(Known, u64)> =
        (0..WORKERS).map(|worker| (Known::new(), worker as u64 * 1_000_000_000)).collect();
    for round in 0..rounds {
        let (mut child, url) = start(&data, &url_file, policies[round % policies.len()]);
        if round == 0 {
            let made = json!({"action": "create-bck"});
            let reply = Client::new()
                .post(format!("{url}/v1/buckets/b"))
                .json(&made)
                .send()
                .await
                .expect("an answer");
            assert_eq!(reply.status(), 200);
        }
        for (known, _) in &mut known {
            verify_own(&url, known, round).await;
        }
        let workers: Vec<_> = known
            .drain(..)
            .enumerate()
            .map(|(worker, (known, number))| tokio::spawn(work(url.clone(), worker, known, number)))
            .collect();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(30..400))).await;
        child.kill().expect("killed");
        child.wait().expect("ended");
        for worker in workers {
            known.push(worker.await.expect("a worker"));
        }
    }
    let (mut child, url) = start(&data, &url_file, "commit");
    let mut all: Known = known.into_iter().flat_map(|(known, _)| known).collect();
    verify(&url, &mut all, rounds).await;
    child.kill().expect("killed");
    child.wait().expect("ended");
    tidy(&data).await;
}

/// Checks each object against the states that it may have, and tells the sizes of those that are there.
async fn verify_own(url: &str, known: &mut Known, round: usize) -> BTreeMap<String, u64> {
    let client = Client::new();
    let mut sizes = BTreeMap::new();
    for (name, states) in known {
        let reply =
            client.get(format!("{url}/v1/objects/b/{name}")).send().await.expect("an answer");
        let state = if reply.status() == 404 {
            None
        } else {
            let bytes = reply.bytes().await.expect("a body");
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]).into_owned();
            let number: u64 =
                text.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
            assert!(bytes == content(number), "round {round}: {name} is a mix");
            sizes.insert(name.clone(), bytes.len() as u64);
            Some(number)
        };
        assert!(
            states.contains(&state),
            "round {round}: {name} is {state:?}, which is none of {states:?}"
        );
        *states = vec![state];
    }
    sizes
}

/// After a proper start and end, there is one file for each object and none besides.
async fn tidy(data: &Path) {
    let options =
        Options { data: Some(data.to_owned()), fsync: Fsync::Commit, ..Options::default() };
    let server = Server::start(options).await.expect("the server starts");
    let bucket = server.engine().bucket(&holdall_ais_wire::Bck::ais("b")).expect("the bucket");
    for begun in server.engine().uploads(&bucket).await.expect("uploads") {
        let aborted = server.engine().abort_upload(&bucket, &begun.name, &begun.id).await;
        aborted.expect("an upload that was listed is there");
    }
    let objects = server.engine().scan(&bucket, "", None, 10_000).await.expect("objects");
    server.shutdown().await;
    let mut files = 0;
    let mut folders = vec![data.join("blobs"), data.join("tmp")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
            }
        }
    }
    let chunks: usize = objects.iter().map(|(_, meta)| meta.content.len()).sum();
    assert_eq!(files, chunks, "files that no object has");
}
