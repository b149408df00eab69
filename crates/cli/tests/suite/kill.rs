//! Transfers that are killed: nothing torn under a final name, and nothing left after the next run.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

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
    settings: Vec<String>,
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
            ("endpoint", endpoint.as_str()),
            ("allow_http", "true"),
            ("region", "us-east-1"),
            ("access_key_id", "holdall"),
            ("secret_access_key", "holdall-secret"),
        ];
        let settings = settings.map(|(key, value)| format!("--config={key}={value}")).to_vec();
        let url = format!("s3://test-bucket/kill-{name}-{}", std::process::id());
        Some(Self { dir: tempfile::tempdir().unwrap(), settings, url })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = command(self.dir.path(), arguments);
        command.args(&self.settings).env("HOLDALL_STATE_DIR", self.path("state"));
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
