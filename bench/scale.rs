//! The AIS server with very many names, and with very many connections.
//!
//! `cargo run --release -p holdall-ais-server --example bench-scale [-- NAMES [CONNECTIONS [SECONDS [FOLDER]]]]`
//!
//! The names are written to the metadata store directly, as empty objects; then a process of its own serves the folder,
//! so that its memory can be told apart: the start, all pages of a list, PUTs into the full bucket, and a mix of requests on
//! all connections, each of whose answers is checked. With `serve FOLDER` as arguments it is that process.

#![expect(clippy::print_stdout, reason = "the numbers are what the program is for")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use holdall_ais_server::storage::{ObjectMeta, Storage};
use holdall_ais_server::{Fsync, Options, Server};
use holdall_ais_wire::Bck;
use reqwest::{Client, Method};
use serde_json::{Value, json};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Names written in one transaction.
const SLICE: u64 = 100_000;
/// PUTs whose times are taken.
const PUTS: usize = 300;
/// The bucket.
const BUCKET: &str = "scale";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, folder] = arguments.as_slice()
        && command == "serve"
    {
        return serve(Path::new(folder)).await;
    }
    let number = |at: usize, otherwise: u64| {
        arguments.get(at).map_or(Ok(otherwise), |text: &String| text.parse())
    };
    let (names, connections, seconds) = (number(0, 1_000_000)?, number(1, 2000)?, number(2, 60)?);
    let temporary = tempfile::tempdir()?;
    let folder = arguments.get(3).map_or(temporary.path(), Path::new).to_owned();

    let mut server = Running::start(&folder).await?;
    server.act(Method::POST, "create-bck", Value::Null).await?;
    server.stop()?;
    let started = Instant::now();
    fill(&folder, names)?;
    println!("{names} names written in {:.1} s", started.elapsed().as_secs_f64());

    let started = Instant::now();
    let server = Running::start(&folder).await?;
    println!(
        "start: {:.0} ms, {} resident",
        started.elapsed().as_secs_f64() * 1e3,
        server.memory()
    );
    server.list(names).await?;
    server.put().await?;
    server.load(connections, Duration::from_secs(seconds)).await
}

async fn serve(folder: &Path) -> Result<(), Error> {
    let options = Options { data: Some(folder.to_owned()), ..Options::default() };
    let server = Server::start(options).await?;
    println!("{}", server.url());
    std::future::pending().await
}

fn fill(folder: &Path, names: u64) -> Result<(), Error> {
    let storage = Storage::open(folder, Fsync::Never)?;
    let buckets = storage.meta().buckets()?;
    let uname = Bck::ais(BUCKET).uname("");
    let bid = buckets.get(&uname).ok_or("the bucket is not there")?.props.bid;
    let meta = ObjectMeta {
        checksum_type: "xxhash2".into(),
        checksum: "ef46db3751d8e999".into(),
        version: 1,
        ..ObjectMeta::default()
    };
    for first in (0..names).step_by(SLICE as usize) {
        let meta = meta.clone();
        storage.meta().write_blocking(move |tx| {
            for number in first..(first + SLICE).min(names) {
                tx.put_object(bid, &name(number), &meta)?;
            }
            Ok(())
        })?;
    }
    storage.meta().close();
    Ok(())
}

fn name(number: u64) -> String {
    format!("folder-{:04}/object-{number:010}.bin", number / 10_000)
}

/// A process that serves.
struct Running {
    child: Child,
    url: String,
    client: Client,
}

impl Running {
    async fn start(folder: &Path) -> Result<Self, Error> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut url)?;
        Ok(Self { child, url: url.trim().to_owned(), client: Client::new() })
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn memory(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let field = |name: &str| {
            let status = status.as_deref().unwrap_or_default();
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let mib = |name| field(name).map_or_else(|| "?".into(), |kib| (kib / 1024).to_string());
        format!("{} MiB (most: {} MiB)", mib("VmRSS:"), mib("VmHWM:"))
    }

    async fn act(&self, method: Method, action: &str, value: Value) -> Result<Value, Error> {
        let message = json!({"action": action, "name": "", "value": value});
        let target = format!("{}/v1/buckets/{BUCKET}", self.url);
        let reply = self.client.request(method, target).json(&message).send().await?;
        let text = reply.error_for_status()?.text().await?;
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// Lists all names, by pages.
    async fn list(&self, names: u64) -> Result<(), Error> {
        let started = Instant::now();
        let (mut token, mut uuid, mut pages, mut seen) = (String::new(), String::new(), 0, 0);
        loop {
            let message = json!({
                "props": "name,size", "flags": "0", "prefix": "", "pagesize": 10000,
                "continuation_token": token, "uuid": uuid,
            });
            let page = self.act(Method::GET, "list", message).await?;
            let entries = page["entries"].as_array().map_or(&[][..], Vec::as_slice);
            for entry in entries {
                let expected = name(seen);
                if entry["name"] != expected.as_str() {
                    return Err(format!("{entry} was listed in place of {expected}").into());
                }
                seen += 1;
            }
            pages += 1;
            page["uuid"].as_str().unwrap_or_default().clone_into(&mut uuid);
            page["continuation_token"].as_str().unwrap_or_default().clone_into(&mut token);
            if token.is_empty() {
                break;
            }
        }
        if seen != names {
            return Err(format!("{seen} names were listed, and not {names}").into());
        }
        let seconds = started.elapsed().as_secs_f64();
        let rate = seen as f64 / seconds;
        println!(
            "list: {seen} names, {pages} pages in {seconds:.1} s, {rate:.0}/s; {}",
            self.memory()
        );
        Ok(())
    }

    /// PUTs of 1 KiB, one after another.
    async fn put(&self) -> Result<(), Error> {
        let mut times = Vec::with_capacity(PUTS);
        for number in 0..PUTS {
            let target = format!("{}/v1/objects/{BUCKET}/folder-0500/put-{number}", self.url);
            let started = Instant::now();
            let reply = self.client.put(target).body(vec![7; 1024]).send().await?;
            reply.error_for_status()?;
            times.push(started.elapsed());
        }
        times.sort();
        let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
        println!("PUT of 1 KiB: median {:.2} ms, 99 % within {:.2} ms", at(50), at(99));
        Ok(())
    }

    /// A mix of requests on all connections.
    async fn load(&self, connections: u64, span: Duration) -> Result<(), Error> {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut workers = tokio::task::JoinSet::new();
        for worker in 0..connections {
            let (stop, done, url) = (Arc::clone(&stop), Arc::clone(&done), self.url.clone());
            // It keeps a connection for each.
            let client = self.client.clone();
            workers.spawn(async move {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    mixed(&client, &url, worker, round).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                    round += 1;
                }
                Ok::<(), Error>(())
            });
        }
        let (started, mut before) = (Instant::now(), 0);
        let step = (span / 4).max(Duration::from_secs(1));
        while started.elapsed() < span && workers.len() == connections as usize {
            tokio::time::sleep(step).await;
            let all = done.load(Ordering::Relaxed);
            let rate = (all - before) as f64 / step.as_secs_f64();
            before = all;
            let seconds = started.elapsed().as_secs();
            println!(
                "{connections} connections, {seconds} s: {rate:.0} rounds/s, {}",
                self.memory()
            );
            while let Some(worker) = workers.try_join_next() {
                worker??;
            }
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(worker) = workers.join_next().await {
            worker??;
        }
        println!("no request failed, no answer was wrong; {}", self.memory());
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            println!("the server was not stopped: {error}");
        }
    }
}

/// PUT, GET, HEAD, a page of names, DELETE.
async fn mixed(client: &Client, url: &str, worker: u64, round: u64) -> Result<(), Error> {
    let target = format!("{url}/v1/objects/{BUCKET}/mixed/{worker}");
    let content = format!("{worker} {round} ").repeat(1 + (round % 100) as usize);
    client.put(&target).body(content.clone()).send().await?.error_for_status()?;
    let back = client.get(&target).send().await?.error_for_status()?.text().await?;
    if back != content {
        return Err(format!("{target}: {back:?} was read in place of {content:?}").into());
    }
    client.head(&target).send().await?.error_for_status()?;
    let list = json!({"action": "list", "value": {"props": "name", "flags": "0", "pagesize": 20,
        "prefix": format!("mixed/{worker}")}});
    let page = client.get(format!("{url}/v1/buckets/{BUCKET}")).json(&list).send().await?;
    let page: Value = page.error_for_status()?.json().await?;
    if page["entries"][0]["name"] != format!("mixed/{worker}").as_str() {
        return Err(format!("{target} is not in the list: {page}").into());
    }
    if round % 3 == 2 {
        client.delete(&target).send().await?.error_for_status()?;
    }
    Ok(())
}
