//! The command as its users see it: arguments in; output, files and exit status out.

mod suite;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn holdall(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdall"));
    command.current_dir(dir).args(arguments).env_remove("AWS_PROFILE");
    command
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", err(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A directory with files of unusual names.
fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("data/a.txt", "one"),
        ("data/b c.txt", "two"),
        ("data/deep/ü%20.bin", "three"),
        ("data/deep/.hidden", ""),
        ("data/deep/x#y", "four"),
    ] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

const KEYS: &str = "a.txt\nb c.txt\ndeep/.hidden\ndeep/x#y\ndeep/ü%20.bin\n";

#[test]
fn lists_levels_trees_and_single_objects() {
    let dir = tree();
    assert_eq!(out(&holdall(dir.path(), &["ls", "data"])), "deep/\na.txt\nb c.txt\n");
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "data"])), KEYS);
    assert_eq!(out(&holdall(dir.path(), &["ls", "data/a.txt"])), "a.txt\n");
    assert_eq!(
        out(&holdall(dir.path(), &["ls", "-r", "data", "--exclude", "*.txt"])),
        "deep/.hidden\ndeep/x#y\ndeep/ü%20.bin\n"
    );
    assert_eq!(
        out(&holdall(dir.path(), &["find", "data", "**/*.{txt,bin}"])),
        "a.txt\nb c.txt\ndeep/ü%20.bin\n"
    );
    let entries = json(&holdall(dir.path(), &["ls", "data", "--json"]));
    assert_eq!(
        (entries[0]["type"].as_str(), entries[1]["size"].as_u64()),
        (Some("prefix"), Some(3))
    );
    let missing = holdall(dir.path(), &["ls", "nothing"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(err(&missing).contains("nothing is there"), "{}", err(&missing));
}

#[test]
fn printed_urls_lead_back_to_their_objects() {
    let dir = tree();
    for (name, content) in [("end", "1"), ("end ", "22"), ("back\\slash", "333")] {
        fs::write(dir.path().join("data").join(name), content).unwrap();
    }
    for entry in json(&holdall(dir.path(), &["ls", "-r", "data", "--json"])) {
        let again = json(&holdall(dir.path(), &["stat", entry["url"].as_str().unwrap(), "--json"]));
        assert_eq!((&again[0]["url"], &again[0]["size"]), (&entry["url"], &entry["size"]));
    }
    // As it is written in a shell that quotes it.
    let written = format!("file://{}/data/end ", dir.path().display());
    assert_eq!(out(&holdall(dir.path(), &["cat", &written])), "22");
}

#[test]
fn cat_stat_and_du() {
    let dir = tree();
    assert_eq!(out(&holdall(dir.path(), &["cat", "data/a.txt", "data/b c.txt"])), "onetwo");
    for (range, wanted) in [("0-1", "on"), ("1-", "ne"), ("-1", "e")] {
        assert_eq!(out(&holdall(dir.path(), &["cat", "data/a.txt", "--range", range])), wanted);
    }
    let stat = json(&holdall(dir.path(), &["stat", "data/a.txt", "--json", "--tags"]));
    assert_eq!((stat[0]["size"].as_u64(), stat[0]["tags"].is_object()), (Some(3), true));
    let du = json(&holdall(dir.path(), &["du", "data", "-d", "1", "--json"]));
    let totals: Vec<_> = du.iter().map(|d| (d["size"].as_u64(), d["objects"].as_u64())).collect();
    assert_eq!(totals, [(Some(15), Some(5)), (Some(9), Some(3))]);
    let partly = holdall(dir.path(), &["cat", "data/a.txt", "data/missing"]);
    assert_eq!((partly.status.code(), &partly.stdout[..]), (Some(3), &b"one"[..]));
}

#[test]
fn copies_follow_the_rules_of_slashes() {
    let dir = tree();
    let run = |arguments: &[&str]| out(&holdall(dir.path(), arguments));
    run(&["cp", "data/a.txt", "copy.txt"]);
    run(&["cp", "data/a.txt", "new/"]);
    run(&["cp", "-r", "data", "all"]);
    run(&["cp", "data/b c.txt", "new"]);
    run(&["get", "data/deep/x#y"]);
    for (path, wanted) in [
        ("copy.txt", "one"),
        ("new/a.txt", "one"),
        ("all/deep/x#y", "four"),
        ("new/b c.txt", "two"),
        ("x#y", "four"),
    ] {
        assert_eq!(fs::read_to_string(dir.path().join(path)).unwrap(), wanted, "{path}");
    }
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "all"])), KEYS);
    for (arguments, says) in [
        (&["cp", "data", "x"][..], "--recursive"),
        (&["cp", "data/a.txt", "data/a.txt"], "same object"),
        (&["cp", "-r", "data", "data/deep/inside"], "inside it"),
        (&["cp", "data/missing", "x"], "not found"),
        (&["cp", "s3://b/k", "x", "--config", "regoin=x"], "'region'"),
        (&["ls", "ftp://host/x"], "unknown scheme"),
    ] {
        let failed = holdall(dir.path(), arguments);
        assert!(
            !failed.status.success() && err(&failed).contains(says),
            "{arguments:?}: {}",
            err(&failed)
        );
    }
}

#[test]
fn moves_and_keeps_what_exists() {
    let dir = tree();
    out(&holdall(dir.path(), &["mv", "data/a.txt", "moved.txt"]));
    assert!(!dir.path().join("data/a.txt").exists() && dir.path().join("moved.txt").exists());
    let kept = holdall(dir.path(), &["cp", "data/b c.txt", "moved.txt", "--no-clobber"]);
    assert_eq!(kept.status.code(), Some(3));
    assert!(err(&kept).contains("already exists"), "{}", err(&kept));
    assert_eq!(fs::read_to_string(dir.path().join("moved.txt")).unwrap(), "one");
    // A dry run knows it, too.
    fs::create_dir(dir.path().join("some")).unwrap();
    fs::write(dir.path().join("some/b c.txt"), "kept").unwrap();
    let planned = holdall(dir.path(), &["cp", "-rn", "data", "some", "--no-clobber"]);
    assert_eq!(planned.status.code(), Some(3));
    assert!(err(&planned).contains("some/b c.txt: already exists"), "{}", err(&planned));
    let listed = String::from_utf8_lossy(&planned.stdout);
    assert!(listed.contains("deep/.hidden") && !listed.contains("b c.txt"), "{listed}");
}

#[test]
fn files_that_may_not_be_so_long_are_told_of() {
    let dir = tree();
    fs::write(dir.path().join("long"), vec![1; 100_000]).unwrap();
    let limited = Command::new("sh")
        .args(["-c", "ulimit -f 16; exec \"$0\" cp long copy", env!("CARGO_BIN_EXE_holdall")])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(limited.status.code(), Some(3), "{}", err(&limited));
    assert!(err(&limited).contains("cannot write it: File too large"), "{}", err(&limited));
    let mut left: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["data", "long"]);
}

#[test]
fn standard_input_and_output() {
    let dir = tree();
    let large = "0123456789".repeat(2_000_000);
    for content in ["", "small", large.as_str()] {
        let mut child =
            command(dir.path(), &["put", "-", "from/stdin"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(out(&holdall(dir.path(), &["get", "from/stdin", "-"])), content);
    }
}

#[test]
fn deletes_what_was_asked_for_only() {
    let dir = tree();
    assert!(err(&holdall(dir.path(), &["rm", "data/deep"])).contains("--recursive"));
    assert!(err(&holdall(dir.path(), &["rm", "data/missing"])).contains("not found"));
    out(&holdall(dir.path(), &["rm", "--force", "data/missing"]));
    let partial = holdall(dir.path(), &["rm", "data/missing", "data/deep", "data/a.txt"]);
    assert_eq!(partial.status.code(), Some(3));
    assert!(err(&partial).contains("not found") && err(&partial).contains("--recursive"));
    assert!(!dir.path().join("data/a.txt").exists() && dir.path().join("data/deep").exists());
    let dry = out(&holdall(dir.path(), &["rm", "-r", "-n", "data/deep"]));
    assert_eq!(dry.lines().count(), 3);
    out(&holdall(dir.path(), &["rm", "-r", "data/deep", "--exclude", "*#*"]));
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "data"])), "b c.txt\ndeep/x#y\n");
}

#[test]
fn sync_copies_what_differs_and_then_nothing() {
    let dir = tree();
    let sync = |more: &[&str]| {
        let arguments = [&["sync", "data", "mirror", "--json"], more].concat();
        json(&holdall(dir.path(), &arguments))
    };
    assert_eq!(sync(&["--dry-run"]).len(), 5);
    assert!(!dir.path().join("mirror").exists());
    assert_eq!(sync(&[]).len(), 5);
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "mirror"])), KEYS);
    assert!(sync(&[]).is_empty() && sync(&["--checksum"]).is_empty());

    fs::write(dir.path().join("mirror/a.txt"), "ONE").unwrap();
    assert!(sync(&["--size-only"]).is_empty());
    assert_eq!(sync(&["--checksum"]).len(), 1);
    fs::write(dir.path().join("mirror/extra"), "x").unwrap();
    fs::write(dir.path().join("mirror/extra.log"), "x").unwrap();
    assert!(sync(&[]).is_empty());
    let deleted = sync(&["--delete", "--exclude", "*.log"]);
    assert_eq!((deleted.len(), deleted[0]["action"].as_str()), (1, Some("delete")));
    assert!(
        dir.path().join("mirror/extra.log").exists() && !dir.path().join("mirror/extra").exists()
    );
}

#[test]
fn a_misspelt_source_deletes_nothing() {
    let dir = tree();
    let failed = holdall(dir.path(), &["sync", "dtaa", "data", "--delete"]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "data"])), KEYS);
}

#[test]
fn partial_failure_has_its_own_status_and_deletes_nothing() {
    let dir = tree();
    out(&holdall(dir.path(), &["sync", "data", "mirror"]));
    fs::write(dir.path().join("mirror/extra"), "").unwrap();
    fs::write(dir.path().join("data/a.txt"), "changed").unwrap();
    // A directory stands where the file has to go, with something in it that is not to be deleted.
    fs::remove_file(dir.path().join("mirror/a.txt")).unwrap();
    fs::create_dir_all(dir.path().join("mirror/a.txt/in/the")).unwrap();
    fs::write(dir.path().join("mirror/a.txt/in/the/way.log"), "").unwrap();
    let sync = ["sync", "data", "mirror", "--delete", "--exclude", "*.log"];
    let partly = holdall(dir.path(), &sync);
    assert_eq!(partly.status.code(), Some(3), "{}", err(&partly));
    assert!(dir.path().join("mirror/extra").exists());
    assert!(err(&partly).contains("kept 1 objects"), "{}", err(&partly));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("big"), vec![b'x'; 3_000_000]).unwrap();
    let mut child = command(dir.path(), &["cat", "big"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", err(&output));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error_which_says_so() {
    let dir = tree();
    for arguments in [&["ls", "."][..], &["cat", "data/a.txt"], &["ls", "--json", "."]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = command(dir.path(), arguments).stdout(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(err(&ended).starts_with("error: write to standard output: No space"), "{ended:?}");
    }
}

#[test]
fn wrong_usage_and_completions() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(holdall(dir.path(), &["nonsense"]).status.code(), Some(2));
    assert_eq!(holdall(dir.path(), &["ls", "x", "--config", "novalue"]).status.code(), Some(2));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(out(&holdall(dir.path(), &["completions", shell])).contains("holdall"));
    }
}

#[test]
fn recursion_on_a_single_object_takes_it() {
    let dir = tree();
    out(&holdall(dir.path(), &["cp", "-r", "data/a.txt", "into/"]));
    assert_eq!(fs::read_to_string(dir.path().join("into/a.txt")).unwrap(), "one");
    out(&holdall(dir.path(), &["mv", "-r", "data/a.txt", "moved"]));
    assert!(!dir.path().join("data/a.txt").exists() && dir.path().join("moved").is_file());
    let du = json(&holdall(dir.path(), &["du", "moved", "--json"]));
    assert_eq!((du[0]["size"].as_u64(), du[0]["objects"].as_u64()), (Some(3), Some(1)));
    out(&holdall(dir.path(), &["rm", "-r", "moved"]));
    assert!(!dir.path().join("moved").exists());
}

#[cfg(unix)]
#[test]
fn a_file_is_not_moved_onto_itself_by_another_name() {
    let dir = tree();
    std::os::unix::fs::symlink("data", dir.path().join("link")).unwrap();
    for arguments in [
        &["mv", "data/a.txt", "link/a.txt"][..],
        &["mv", "data/a.txt", "link"],
        &["mv", "-r", "data", "link"],
        &["cp", "-r", "data", "link/inside"],
        &["sync", "data", "link"],
    ] {
        let failed = holdall(dir.path(), arguments);
        assert_eq!(failed.status.code(), Some(1), "{arguments:?}: {}", err(&failed));
    }
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "data"])), KEYS);
}

#[test]
fn urls_name_what_they_say_or_nothing() {
    let dir = tree();
    fs::write(dir.path().join("data/deep/x"), "kept").unwrap();
    let cut = format!("file://{}/data/deep/x#y", dir.path().display());
    let signed = "https://bucket.s3.eu-west-1.amazonaws.com/key?X-Amz-Signature=hunter2";
    for url in [cut.as_str(), "s3://bucket/key?x", "http://127.0.0.1:1/x#y", signed] {
        let failed = holdall(dir.path(), &["rm", url, "--config", "allow_http=true"]);
        assert_eq!(failed.status.code(), Some(1));
        assert!(err(&failed).contains("%23"), "{url}: {}", err(&failed));
        assert!(!err(&failed).contains("hunter2"), "{}", err(&failed));
    }
    out(&holdall(dir.path(), &["rm", &cut.replace('#', "%23")]));
    out(&holdall(dir.path(), &["rm", "data/deep/ü%20.bin"]));
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "data/deep"])), ".hidden\nx\n");
}

#[test]
fn standard_input_minds_the_options_of_copies() {
    let dir = tree();
    let put = |more: &[&str]| {
        let arguments = [&["put", "-", "data/a.txt"][..], more].concat();
        command(dir.path(), &arguments).stdin(Stdio::null()).output().unwrap()
    };
    assert_eq!(json(&put(&["--dry-run", "--json"]))[0]["dry_run"].as_bool(), Some(true));
    assert!(err(&put(&["--no-clobber"])).contains("already exists"));
    assert_eq!(put(&["--recursive"]).status.code(), Some(1));
    assert_eq!(fs::read_to_string(dir.path().join("data/a.txt")).unwrap(), "one");
    assert_eq!(json(&put(&["--json"]))[0]["size"].as_u64(), Some(0));
    assert_eq!(fs::read_to_string(dir.path().join("data/a.txt")).unwrap(), "");
}

#[test]
fn recursion_on_nothing_fails() {
    let dir = tree();
    for arguments in [
        &["cp", "-r", "missing", "x"][..],
        &["mv", "-r", "missing/", "x"],
        &["rm", "-r", "missing"],
        &["du", "missing"],
        &["find", "missing"],
    ] {
        let failed = holdall(dir.path(), arguments);
        assert_eq!(failed.status.code(), Some(1), "{arguments:?}");
        assert!(err(&failed).contains("nothing is there"), "{arguments:?}: {}", err(&failed));
    }
    out(&holdall(dir.path(), &["rm", "-rf", "missing"]));
    assert!(
        err(&holdall(dir.path(), &["rm", "-r", "-n", "/"])).contains("root of the file system")
    );
}

#[test]
fn errors_are_one_line_and_keep_secrets() {
    let dir = tree();
    let secrets = ["--config=secret_access_key=hunter2", "--config=access_key_id=AKIAHUNTER"];
    // Plain HTTP is refused before anything is sent.
    let more = ["--config=endpoint=http://127.0.0.1:1", "--config=region=r"];
    let arguments = [&["cat", "s3://bucket/key"][..], &secrets, &more].concat();
    let failed = holdall(dir.path(), &arguments);
    let said = err(&failed);
    assert_eq!((failed.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("get s3://bucket/key"), "{said}");
    assert!(!said.contains("hunter2") && !said.contains("AKIAHUNTER"), "{said}");
    let missing = holdall(dir.path(), &["cat", "data/missing"]);
    assert_eq!(err(&missing).lines().count(), 1, "{}", err(&missing));
}

#[test]
fn outcomes_for_programs_have_a_fixed_shape() {
    let dir = tree();
    let run = |arguments: &[&str]| json(&holdall(dir.path(), &[arguments, &["--json"]].concat()));
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let copy = run(&["cp", "data/a.txt", "x/"]);
    let wanted = ["action", "dry_run", "error", "ok", "server_side", "size", "source", "target"];
    let mut found = fields(&copy[0]);
    found.sort();
    assert_eq!(found, wanted);
    let delete = run(&["rm", "x/a.txt", "-n"]);
    assert_eq!(
        (delete[0]["dry_run"].as_bool(), delete[0]["ok"].as_bool()),
        (Some(true), Some(true))
    );
    assert!(dir.path().join("x/a.txt").exists());
    let failed = run(&["cp", "data/b c.txt", "x/a.txt", "--no-clobber"]);
    assert_eq!(failed[0]["ok"].as_bool(), Some(false));
    assert!(failed[0]["error"].as_str().unwrap().contains("already exists"));
    let dry = run(&["mv", "-r", "data", "y", "-n"]);
    assert_eq!((dry.len(), dry[0]["action"].as_str()), (5, Some("move")));
    assert!(!dir.path().join("y").exists());
}

#[cfg(unix)]
#[test]
fn deletion_stays_on_this_side_of_symbolic_links() {
    use std::os::unix::fs::symlink;
    let dir = tree();
    fs::create_dir(dir.path().join("precious")).unwrap();
    fs::write(dir.path().join("precious/kept"), "").unwrap();
    for place in ["data", "mirror"] {
        fs::create_dir_all(dir.path().join(place)).unwrap();
        symlink("../precious", dir.path().join(place).join("link")).unwrap();
    }
    fs::create_dir(dir.path().join("empty")).unwrap();
    for arguments in [&["rm", "-r", "data"][..], &["sync", "empty", "mirror", "--delete"]] {
        let partly = holdall(dir.path(), arguments);
        assert_eq!(partly.status.code(), Some(3), "{}", err(&partly));
        assert!(err(&partly).contains("symbolic link"), "{}", err(&partly));
        assert!(dir.path().join("precious/kept").exists());
    }
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "data"])), "link/kept\n");
}

#[cfg(unix)]
#[test]
fn links_that_go_round_are_not_followed() {
    use std::os::unix::fs::symlink;
    let dir = tree();
    symlink(".", dir.path().join("data/here")).unwrap();
    symlink("..", dir.path().join("data/deep/up")).unwrap();
    symlink("../data", dir.path().join("data/deep/round")).unwrap();
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "data"])), KEYS);
}

#[test]
fn work_goes_on_when_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("many")).unwrap();
    for number in 0..2000 {
        fs::write(dir.path().join(format!("many/{number}")), "").unwrap();
    }
    let closed = |arguments: &[&str]| {
        let mut child = command(dir.path(), arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", err(&output));
        output
    };
    closed(&["cp", "-r", "-v", "many", "copies"]);
    assert_eq!(fs::read_dir(dir.path().join("copies")).unwrap().count(), 2000);
    closed(&["rm", "-r", "--json", "copies"]);
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "copies/"])), "");
    for arguments in [&["ls", "-r", "many"][..], &["completions", "bash"]] {
        assert!(closed(arguments).stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_empty_source_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "empty"])), "");
    out(&holdall(dir.path(), &["cp", "-r", "empty", "copy"]));
    out(&holdall(dir.path(), &["sync", "empty", "copy"]));
}

/// The settings of the S3 service as arguments, and a prefix of this test's own; says so when there is none.
#[expect(clippy::print_stderr, reason = "what did not run has to be said")]
fn s3(test: &str) -> Option<(Vec<String>, String)> {
    let Ok(endpoint) = std::env::var("HOLDALL_TEST_S3_ENDPOINT") else {
        eprintln!(
            "SKIPPED cli::{test}: HOLDALL_TEST_S3_ENDPOINT is not set (run services/up and source .services/env)"
        );
        return None;
    };
    let settings = [
        format!("endpoint={endpoint}"),
        "allow_http=true".to_owned(),
        "region=us-east-1".to_owned(),
        "access_key_id=holdall".to_owned(),
        "secret_access_key=holdall-secret".to_owned(),
    ];
    let settings = settings.into_iter().map(|setting| format!("--config={setting}")).collect();
    let prefix = test.replace("::", "-");
    Some((settings, format!("s3://test-bucket/cli-{prefix}-{}", std::process::id())))
}

fn with<'a>(arguments: &[&'a str], settings: &'a [String]) -> Vec<&'a str> {
    arguments.iter().copied().chain(settings.iter().map(String::as_str)).collect()
}

#[test]
fn s3_both_ways() {
    let Some((settings, url)) = s3("s3_both_ways") else { return };
    let dir = tree();
    let run = |arguments: &[&str]| out(&holdall(dir.path(), &with(arguments, &settings)));
    run(&["sync", "data", &url]);
    assert_eq!(run(&["ls", "-r", &url]), KEYS);
    assert_eq!(run(&["sync", "data", &url, "--json"]), "");
    out(&holdall(dir.path(), &["cp", "-r", "data", "typo"]));
    let misspelt = ["sync", "s3://test-bucket/no-such-prefix", "typo", "--delete"];
    let failed = holdall(dir.path(), &with(&misspelt, &settings));
    assert_eq!(failed.status.code(), Some(1), "{}", err(&failed));
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "typo"])), KEYS);
    run(&["sync", &url, "back"]);
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "back"])), KEYS);
    assert_eq!(run(&["sync", &url, "back", "--json"]), "");
    assert_eq!(run(&["cat", &format!("{url}/deep/ü%20.bin").replace('%', "%25")]), "three");
    let versions = run(&["ls", "--versions", &format!("{url}/a.txt"), "--json"]);
    assert!(versions.contains("\"path\":\"a.txt\""), "{versions}");
    let signed = run(&["sign", &format!("{url}/a.txt")]);
    assert!(signed.contains("X-Amz-Signature="), "{signed}");
    run(&["mv", "-r", &url, "moved"]);
    assert_eq!(out(&holdall(dir.path(), &["ls", "-r", "moved"])), KEYS);
    assert_eq!(run(&["ls", "-r", &format!("{url}/")]), "");
}
