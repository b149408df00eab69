//! Transfers that are killed: nothing torn under a final name, and nothing left after the next run.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use holdall::ais::{Bucket, Client, ClientConfig};
use holdall::ais_server::{Options, Server};
use holdall::store::{OpenOptions, Registry};
use tempfile::TempDir;

use crate::{command, err, out};

/// How often each kind of transfer is killed; `HOLDALL_KILL_ROUNDS` sets another number.
fn rounds() -> u64 {
    std::env::var("HOLDALL_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

const MIB: usize = 1024 * 1024;

fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

struct Scene {
    dir: TempDir,
    settings: [(&'static str, String); 5],
    url: String,
}

impl Scene {
    #[expect(clippy::print_stderr, reason = "what did not run has to be said")]
    fn new(name: &str) -> Option<Self> {
        let Ok(endpoint) = std::env::var("HOLDALL_TEST_S3_ENDPOINT") else {
            eprintln!(
                "SKIPPED cli::kill::{name}: HOLDALL_TEST_S3_ENDPOINT is not set (run services/up and source .services/env)"
            );
            return None;
        };
        let settings = [
            ("endpoint", endpoint),
            ("allow_http", "true".to_owned()),
            ("region", "us-east-1".to_owned()),
            ("access_key_id", "holdall".to_owned()),
            ("secret_access_key", "holdall-secret".to_owned()),
        ];
        let url = format!("s3://test-bucket/kill-{name}-{}", std::process::id());
        Some(Self { dir: tempfile::tempdir().unwrap(), settings, url })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = command(self.dir.path(), arguments);
        command.args(self.settings.iter().map(|(key, value)| format!("--config={key}={value}")));
        command.env("HOLDALL_STATE_DIR", self.path("state"));
        command
    }

    /// Runs a command and kills it after a while.
    fn kill(&self, arguments: &[&str], after: Duration) {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        drop(child.kill());
        child.wait().unwrap();
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", err(&output));
        out(&output)
    }

    /// The service has no upload to `key` that was begun and has not ended.
    fn check_uploads(&self, key: &str) {
        let options = OpenOptions::default();
        let options = self.settings.iter().fold(options, |all, (key, value)| all.with(*key, value));
        let url = format!("{}/{key}", self.url);
        let (store, path) = Registry::default().open(&url, &options).unwrap();
        let open = async { store.provider().open_uploads(&store.full_path(&path)).await };
        let open = tokio::runtime::Runtime::new().unwrap().block_on(open).unwrap();
        assert!(open.is_empty(), "{open:?}");
    }

    /// Nothing is remembered, and no hidden file is left.
    fn check_clean(&self, dir: &str) {
        let uploads = fs::read_dir(self.path("state/uploads"));
        let uploads = uploads.map(|entries| entries.flatten().count()).unwrap_or(0);
        assert_eq!(uploads, 0, "journals of uploads are left");
        let left = hidden(&self.path(dir));
        assert!(left.is_empty(), "{left:?}");
    }
}

fn hidden(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().unwrap().is_dir() {
            found.extend(hidden(&entry.path()));
        } else if name.contains("holdall-") || name.contains('#') {
            found.push(name);
        }
    }
    found
}

#[test]
fn uploads_and_downloads() {
    let Some(scene) = Scene::new("files") else { return };
    let bytes = content(40 * MIB, 1);
    fs::write(scene.path("file"), &bytes).unwrap();
    fs::create_dir(scene.path("back")).unwrap();
    let key = format!("{}/k", scene.url);
    for round in 0..rounds() {
        let after = Duration::from_millis(20 + round * 97 % 400);
        let resume: &[&str] = if round % 2 == 0 { &["--resume"] } else { &[] };
        let slow = [resume, &["--limit-rate=150MiB"]].concat();
        scene.kill(&[&["put", "file", &key], &slow[..]].concat(), after);
        scene.run(&[&["put", "file", &key], resume].concat());
        scene.check_clean("back");
        scene.check_uploads("k");
        scene.kill(&[&["get", &key, "back/file"], &slow[..]].concat(), after);
        let torn = fs::read(scene.path("back/file"));
        assert!(torn.is_err() || torn.unwrap() == bytes, "a torn file after round {round}");
        scene.run(&[&["get", &key, "back/file"], resume].concat());
        assert!(fs::read(scene.path("back/file")).unwrap() == bytes, "round {round}");
        scene.check_clean("back");
        fs::remove_file(scene.path("back/file")).unwrap();
    }
    scene.run(&["rm", &key]);
}

#[test]
fn synchronisations() {
    let Some(scene) = Scene::new("trees") else { return };
    for i in 0..200 {
        let path = scene.path(&format!("tree/d{}/f{i}", i % 7));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(1000 + i * 37, i as u64)).unwrap();
    }
    fs::write(scene.path("tree/large"), content(20 * MIB, 99)).unwrap();
    fs::create_dir(scene.path("back")).unwrap();
    for round in 0..rounds() {
        let after = Duration::from_millis(10 + round * 61 % 250);
        scene.kill(&["sync", "tree", &scene.url, "--limit-rate=100MiB"], after);
        scene.run(&["sync", "tree", &scene.url]);
        // Killed while the service put the parts together, `large` is there already: the journal waits for who writes it next.
        scene.run(&["put", "tree/large", &format!("{}/large", scene.url)]);
        scene.check_uploads("large");
        scene.kill(&["sync", &scene.url, "back", "--limit-rate=100MiB"], after);
        for entry in fs::read_dir(scene.path("back")).unwrap().flatten() {
            if entry.file_name() == "large" {
                let (found, whole) = (fs::read(entry.path()), fs::read(scene.path("tree/large")));
                assert!(found.unwrap() == whole.unwrap(), "a torn file after round {round}");
            }
        }
        scene.run(&["sync", &scene.url, "back"]);
        scene.check_clean("back");
        let compared = scene.run(&["sync", "tree", "back", "--checksum", "--dry-run", "--json"]);
        assert_eq!(compared, "", "round {round}");
        scene.run(&["rm", "-r", &scene.url]);
        fs::remove_dir_all(scene.path("back")).unwrap();
        fs::create_dir(scene.path("back")).unwrap();
    }
}

/// The port of a server that answers like the one at `to`, but nobody hears which upload it began.
fn that_hides_uploads(to: &str) -> u16 {
    const BEGINS: &[u8] = b"mpt-upload";
    let to = to.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut server = TcpStream::connect(&to).unwrap();
            let (mut replies, mut heard) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            let hides = Arc::new(AtomicBool::new(false));
            let hidden = hides.clone();
            std::thread::spawn(move || {
                pass_on(&mut replies, |bytes| {
                    hidden.load(Ordering::Acquire) || heard.write_all(bytes).is_ok()
                });
            });
            std::thread::spawn(move || {
                pass_on(&mut client, |bytes| {
                    if bytes.windows(BEGINS.len()).any(|text| text == BEGINS) {
                        hides.store(true, Ordering::Release);
                    }
                    server.write_all(bytes).is_ok()
                });
            });
        }
    });
    port
}

fn pass_on(from: &mut TcpStream, mut to: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer)
        && to(&buffer[..length])
    {}
}

#[test]
fn uploads_to_aistore_that_nobody_knows_the_name_of() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(Options::default())).unwrap();
    let client = Client::new(ClientConfig::new(server.url())).unwrap();
    let bucket = client.bucket("b");
    runtime.block_on(bucket.create(Default::default())).unwrap();
    let begun =
        |bucket: &Bucket| runtime.block_on(bucket.object("k").open_uploads()).unwrap().len();
    let dir = tempfile::tempdir().unwrap();
    let bytes = content(20 * MIB, 5);
    fs::write(dir.path().join("file"), &bytes).unwrap();
    let run = |endpoint: &str| {
        let endpoint = format!("--config=endpoint={endpoint}");
        let mut run = command(dir.path(), &["cp", "file", "ais://b/k", &endpoint]);
        run.env("HOLDALL_STATE_DIR", dir.path().join("state"));
        run
    };
    let hiding = format!("http://127.0.0.1:{}", that_hides_uploads(&server.url()));
    let mut killed = run(&hiding).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while begun(&bucket) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let output = run(&server.url()).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(begun(&bucket), 0, "what was killed has left an upload");
    let found = runtime.block_on(bucket.object("k").read(&Default::default())).unwrap();
    assert!(found == bytes);
}
