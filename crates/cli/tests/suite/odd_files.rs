//! Files that are not what files usually are: pipes, what the system makes, names that no key can have.

use std::ffi::OsStr;
use std::fs;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{command, err, holdall, out};

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn trees_are_copied_without_what_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("tree")).unwrap();
    fs::write(dir.path().join("tree/file"), "content").unwrap();
    pipe(&dir.path().join("tree/pipe"));
    fs::write(dir.path().join("tree").join(OsStr::from_bytes(b"latin-\xe9")), "1").unwrap();
    fs::write(dir.path().join("tree/two\nlines"), "1").unwrap();
    fs::create_dir(dir.path().join("tree/a\tb")).unwrap();
    fs::write(dir.path().join("tree/a\tb/inside"), "1").unwrap();
    let copied = holdall(dir.path(), &["cp", "-r", "tree", "copy"]);
    assert_eq!(copied.status.code(), Some(3), "{copied:?}");
    let said = err(&copied);
    assert_eq!(said.matches("error: copy file://").count(), 3, "{said}");
    assert!(said.contains("latin-") && said.contains("two\\nlines"), "{said}");
    assert!(said.contains("is not UTF-8") && said.contains("a\\tb/inside"), "{said}");
    let names = fs::read_dir(dir.path().join("copy")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file"]);
    let listed = out(&holdall(dir.path(), &["ls", "-r", "tree"]));
    assert_eq!(listed, "a\\tb/inside\nfile\nlatin-\u{fffd}\ntwo\\nlines\n");
    let level = out(&holdall(dir.path(), &["ls", "tree"]));
    assert_eq!(level, "a\\tb/\nfile\nlatin-\u{fffd}\ntwo\\nlines\n");
    let patterns = ["--exclude", "latin-*", "--exclude", "two*", "--exclude", "a?b/*"];
    let without = [&["cp", "-r", "tree", "copy"][..], &patterns].concat();
    out(&holdall(dir.path(), &without));
    // Nothing is deleted of which nobody knows whether it was copied.
    fs::write(dir.path().join("copy/old"), "old").unwrap();
    let synced = holdall(dir.path(), &["sync", "--delete", "tree", "copy"]);
    assert_eq!(synced.status.code(), Some(3), "{synced:?}");
    assert!(dir.path().join("copy/old").exists());
    let removed = holdall(dir.path(), &["rm", "-r", "tree"]);
    assert_eq!(removed.status.code(), Some(3), "{removed:?}");
    assert!(!dir.path().join("tree/file").exists() && dir.path().join("tree/two\nlines").exists());
}

#[test]
fn pipes_are_read_to_their_end() {
    let dir = tempfile::tempdir().unwrap();
    pipe(&dir.path().join("pipe"));
    let mut copies = command(dir.path(), &["cp", "-v", "pipe", "copy"]);
    let copies = copies.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    fs::write(dir.path().join("pipe"), "what came").unwrap();
    let said = out(&copies.wait_with_output().unwrap());
    assert!(said.contains("pipe to file://"), "{said}");
    assert_eq!(fs::read(dir.path().join("copy")).unwrap(), b"what came");
    let moved = holdall(dir.path(), &["mv", "pipe", "moved"]);
    assert!(!moved.status.success() && err(&moved).contains("not moved"), "{}", err(&moved));
    assert!(dir.path().join("pipe").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_system_makes_has_its_content() {
    let dir = tempfile::tempdir().unwrap();
    out(&holdall(dir.path(), &["cp", "/proc/version", "version"]));
    let copied = fs::read(dir.path().join("version")).unwrap();
    assert_eq!(copied, fs::read("/proc/version").unwrap());
}

#[test]
fn a_pipe_is_not_replaced_by_a_file() {
    let dir = tempfile::tempdir().unwrap();
    pipe(&dir.path().join("pipe"));
    fs::write(dir.path().join("file"), "content").unwrap();
    for command in ["cp", "mv"] {
        let said = holdall(dir.path(), &[command, "file", "pipe"]);
        assert!(!said.status.success(), "{said:?}");
        assert!(err(&said).contains("write to it as a stream"), "{}", err(&said));
    }
    assert!(!fs::metadata(dir.path().join("pipe")).unwrap().is_file());
    assert!(dir.path().join("file").exists());
}

/// A command of a user for whom permissions count: not of root, as whom tests may run.
#[cfg(target_os = "linux")]
fn command_of_a_user(dir: &Path, arguments: &[&str]) -> Command {
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
        return command(dir, arguments);
    }
    // Where the program is, only root may get.
    let program = dir.join("holdall");
    if !program.exists() {
        let built = env!("CARGO_BIN_EXE_holdall");
        fs::hard_link(built, &program).or_else(|_| fs::copy(built, &program).map(drop)).unwrap();
    }
    let mut command = Command::new(program);
    command.current_dir(dir).args(arguments).uid(NOBODY).gid(NOBODY);
    command
}

#[cfg(target_os = "linux")]
const NOBODY: u32 = 65534;

#[cfg(target_os = "linux")]
#[test]
fn what_nobody_may_look_into_keeps_nothing_else_from_being_copied() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mode =
        |name: &str, mode| fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
    for directory in ["tree/closed/in", "tree/blind", "tree/z", "copy/closed"] {
        fs::create_dir_all(path(directory)).unwrap();
    }
    for file in ["a", "closed/in/b", "blind/c", "no", "z/d"] {
        fs::write(path("tree").join(file), file).unwrap();
    }
    fs::write(path("copy/closed/old"), "from when it was open").unwrap();
    for directory in ["", "copy", "copy/closed"] {
        mode(directory, 0o777);
    }
    // One can be neither listed nor entered, the other one listed only.
    let closed = [("tree/closed", 0o000), ("tree/blind", 0o444), ("tree/no", 0o000)];
    closed.iter().for_each(|(name, bits)| mode(name, *bits));
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--json"]].concat();
        command_of_a_user(dir.path(), &arguments).output().unwrap()
    };
    let copied = run(&["cp", "-r", "tree", "copy"]);
    let listed = run(&["ls", "-r", "tree"]);
    let synced = run(&["sync", "--delete", "tree", "copy"]);
    let patterns = ["closed/**", "blind/**", "no"].map(|pattern| format!("--exclude={pattern}"));
    let patterns = patterns.each_ref().map(String::as_str);
    let without = run(&[&["sync", "--delete", "tree", "copy"][..], &patterns].concat());
    closed.iter().for_each(|(name, _)| mode(name, 0o777));

    assert_eq!(copied.status.code(), Some(3), "{copied:?}");
    let told = err(&copied);
    for (name, _) in closed {
        let url = format!("file://{}", path(name).display());
        assert!(told.contains(&format!(" {url}")), "{name}: {told}");
    }
    assert_eq!(told.matches("permission denied").count(), 3, "{told}");
    assert!(path("copy/a").exists() && path("copy/z/d").exists());
    // A listing that is asked for alone ends there, and says where.
    assert_eq!(listed.status.code(), Some(1), "{listed:?}");
    assert!(err(&listed).contains("tree/blind/c: permission denied"), "{}", err(&listed));
    assert_eq!(synced.status.code(), Some(3), "{synced:?}");
    out(&without);
    assert!(path("copy/closed/old").exists(), "what cannot be seen may be there");
}
