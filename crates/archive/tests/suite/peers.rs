//! Archives of Python's `tarfile` and `zipfile` are read, and ours are read by them.

use std::{process::Command, sync::Arc};

use holdall_archive::{ErrorKind, Format, Kind, Reader};

use super::{files, read, write};

#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
/// Runs a program with its arguments; what it printed, or `None` (and a line that says so) where there is no Python.
fn python(program: &str, arguments: &[&str]) -> Option<String> {
    let output = match Command::new("python3").arg("-c").arg(program).args(arguments).output() {
        Ok(output) => output,
        Err(error) => {
            println!("SKIPPED archives of tarfile and zipfile: no python3 ({error})");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

const WRITE_TAR: &str = r#"
import io, sys, tarfile
path, mode, form = sys.argv[1:]
with tarfile.open(path, mode, format=getattr(tarfile, form + "_FORMAT")) as tar:
    def add(name, data=b"", **more):
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = len(data), 1700000000.5, 0o640
        for key, value in more.items():
            setattr(info, key, value)
        tar.addfile(info, io.BytesIO(data))
    add("plain.txt", b"one")
    add("dir", type=tarfile.DIRTYPE)
    add("dir/link", type=tarfile.SYMTYPE, linkname="../plain.txt")
    if form != "USTAR":
        add("long/" * 40 + "x" * 120, b"two")
        add("ümlaut-\u65e5\u672c.txt", b"three")
    add("p" * 80 + "/" + "q" * 90, b"four" * 1000)
    add("empty")
"#;

#[test]
fn tars_of_python_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for form in ["USTAR", "GNU", "PAX"] {
        for (mode, format) in [("w", Format::Tar), ("w:gz", Format::TarGz)] {
            let path = folder.path().join(format!("{form}{format}"));
            let name = path.to_str().unwrap();
            let Some(_) = python(WRITE_TAR, &[name, mode, form]) else { return };
            let bytes = std::fs::read(&path).unwrap();
            let all = read(&bytes, format).unwrap();
            let long = "long/".repeat(40) + &"x".repeat(120);
            let split = "p".repeat(80) + "/" + &"q".repeat(90);
            let mut expected = files(&[
                ("plain.txt", b"one"),
                (&long, b"two"),
                ("ümlaut-日本.txt", b"three"),
                (&split, &b"four".repeat(1000)),
                ("empty", b""),
            ]);
            if form == "USTAR" {
                expected.drain(1..3);
            }
            assert_eq!(all, expected, "{form} {format}");

            let mut reader =
                Reader::open(Arc::new(std::fs::File::open(&path).unwrap()), format).unwrap();
            let first = reader.next_member().unwrap().unwrap();
            assert_eq!((first.modified, first.mode), (1_700_000_000, 0o640));
            let kinds = [(); 2].map(|()| reader.next_member().unwrap().unwrap().kind);
            assert_eq!(kinds, [Kind::Directory, Kind::Other]);
        }
    }
}

const WRITE_ZIP: &str = r#"
import sys, zipfile
path, how = sys.argv[1:]
method = zipfile.ZIP_BZIP2 if how == "bzip2" else zipfile.ZIP_DEFLATED
class Unseekable:
    def __init__(self, file): self.file = file
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()
with open(path, "wb") as file:
    with zipfile.ZipFile(Unseekable(file) if how == "stream" else file, "w", method) as archive:
        archive.writestr("plain.txt", b"one")
        archive.writestr("dir/", b"")
        archive.writestr(zipfile.ZipInfo("stored.bin"), b"\0" * 3000, zipfile.ZIP_STORED)
        archive.writestr("ümlaut.txt", b"three" * 5000)
        with archive.open("big", "w", force_zip64=True) as member:
            member.write(b"four")
"#;

#[test]
fn zips_of_python_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for how in ["seek", "stream", "bzip2"] {
        let path = folder.path().join(how);
        let Some(_) = python(WRITE_ZIP, &[path.to_str().unwrap(), how]) else { return };
        let result = read(&std::fs::read(&path).unwrap(), Format::Zip);
        if how == "bzip2" {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("Bzip2"), "{error}");
            continue;
        }
        let expected = files(&[
            ("plain.txt", b"one"),
            ("stored.bin", &[0; 3000]),
            ("ümlaut.txt", &b"three".repeat(5000)),
            ("big", b"four"),
        ]);
        assert_eq!(result.unwrap(), expected);
    }
}

const READ: &str = r#"
import sys, tarfile, zipfile
path = sys.argv[1]
if path.endswith(".zip"):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            print(ascii(info.filename), archive.read(info)[:5], info.file_size, info.date_time[0])
else:
    for mode in ("r:*", "r|*"):
        with tarfile.open(path, mode) as tar:
            lines = [(ascii(i.name), tar.extractfile(i).read()[:5], i.size, i.mtime, i.mode) for i in tar]
    for line in lines:
        print(*line)
"#;

#[test]
fn ours_are_read_by_python() {
    let folder = tempfile::tempdir().unwrap();
    let long = "long/".repeat(40) + &"x".repeat(120);
    let split = "p".repeat(80) + "/" + &"q".repeat(90);
    let all = files(&[
        ("a.txt", b"hello"),
        (&long, b"two"),
        (&split, b""),
        ("日本.txt", b"three"),
        ("a//b", &[b'z'; 100_000]),
    ]);
    for format in [Format::Tar, Format::TarGz, Format::Zip] {
        let path = folder.path().join(format!("x{format}"));
        std::fs::write(&path, write(format, &all)).unwrap();
        let Some(printed) = python(READ, &[path.to_str().unwrap()]) else { return };
        let rest = if format == Format::Zip { " 2023" } else { " 1700000000 420" };
        let expected = [
            format!("'a.txt' b'hello' 5{rest}"),
            format!("'{long}' b'two' 3{rest}"),
            format!("'{split}' b'' 0{rest}"),
            format!("'\\u65e5\\u672c.txt' b'three' 5{rest}"),
            format!("'a//b' b'zzzzz' 100000{rest}"),
        ];
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{format}");
    }
}

#[test]
fn lz4_holds_a_plain_tar() {
    let all = files(&[("a.txt", b"hello"), ("b", &[1; 5000])]);
    let mut plain = Vec::new();
    let bytes = write(Format::TarLz4, &all);
    std::io::Read::read_to_end(&mut lz4_flex::frame::FrameDecoder::new(&bytes[..]), &mut plain)
        .unwrap();
    assert_eq!(plain, write(Format::Tar, &all));
}
