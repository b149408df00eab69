//! What is written is what is read.

use std::{collections::HashSet, io::Cursor, io::Read as _, sync::Arc};

use holdall_archive::{
    ErrorKind, Format, MatchMode, Member, Reader, Selector, Source, Writer, read_at,
};
use proptest::{collection::vec, prelude::*};

use super::{FORMATS, Files, add, files, read, read_all, write};

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9._-]{1,12}(/[a-zé ]{1,20}x){0,3}",
        "[a-z]{90,110}",
        "([a-z]{40}/){2,6}[a-z]{1,120}",
        r"\PC{1,40}x",
    ]
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..3),
        vec(any::<u8>(), 500..530),
        vec(any::<u8>(), 0..5000),
        (any::<u8>(), 60_000usize..200_000).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

fn unique(files: Files) -> Files {
    let mut seen = HashSet::new();
    files
        .into_iter()
        .filter(|(name, _)| !name.ends_with('/') && seen.insert(name.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_files(files in vec((names(), contents()), 0..8), more in vec((names(), contents()), 0..4)) {
        let files = unique(files);
        for format in FORMATS {
            let bytes = write(format, &files);
            prop_assert_eq!(&read(&bytes, format).unwrap(), &files);
            let streamed = Reader::stream(Cursor::new(bytes.clone()), format).unwrap();
            prop_assert_eq!(&read_all(streamed).unwrap(), &files);
            if !files.is_empty() {
                prop_assert_eq!(Format::of_content(&bytes), Some(format));
            }

            let both = unique(files.iter().chain(&more).cloned().collect());
            let new = both[files.len()..].to_vec();
            let mut writer = Writer::resume(Arc::new(bytes), format, &[], Vec::new()).unwrap();
            add(&mut writer, &new);
            prop_assert_eq!(read(&writer.finish().unwrap(), format).unwrap(), both);
        }
    }

    #[test]
    fn members_are_found_and_selected(count in 1usize..20, wanted in 0usize..20) {
        let all: Files = (0..count).map(|i| (format!("d/{i}.txt"), vec![b'x'; i * 100])).collect();
        for format in FORMATS {
            let bytes = Arc::new(write(format, &all));
            let mut reader = Reader::open(bytes.clone(), format).unwrap();
            let found = reader.find(&format!("/d/{wanted}.txt")).unwrap();
            prop_assert_eq!(found.is_some(), wanted < count);
            let selector = Selector::new(MatchMode::Substr, "1").unwrap();
            let mut reader = Reader::open(bytes, format).unwrap();
            let mut selected = 0;
            while let Some(member) = reader.next_selected(&selector).unwrap() {
                prop_assert!(member.name.contains('1'));
                selected += 1;
            }
            prop_assert_eq!(selected, (0..count).filter(|i| i.to_string().contains('1')).count());
        }
    }
}

#[test]
fn contents_of_a_plain_tar_can_be_read_in_place() {
    let all = files(&[("a", b"first"), (&"long/".repeat(60), b""), (&"x".repeat(150), b"second")]);
    let source: Arc<dyn Source> = Arc::new(write(Format::Tar, &all));
    let mut reader = Reader::open(Arc::clone(&source), Format::Tar).unwrap();
    let mut seen = Vec::new();
    while let Some(member) = reader.next_file().unwrap() {
        let mut text = String::new();
        let offset = member.offset.unwrap();
        read_at(Arc::clone(&source), offset, member.size)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        seen.push(text);
    }
    assert_eq!(seen, ["first", "second"], "the name that ends in a slash is a directory");
}

#[test]
fn a_replaced_member_of_a_zip_appears_once() {
    let bytes = write(Format::Zip, &files(&[("a", b"old"), ("b", b"kept")]));
    let mut writer = Writer::resume(Arc::new(bytes), Format::Zip, &["a"], Vec::new()).unwrap();
    add(&mut writer, &files(&[("a", b"new")]));
    let read = read(&writer.finish().unwrap(), Format::Zip).unwrap();
    assert_eq!(read, files(&[("b", b"kept"), ("a", b"new")]));
}

#[test]
fn the_first_of_two_members_of_a_name_is_found() {
    let bytes = write(Format::Tar, &files(&[("a", b"one"), ("a", b"two")]));
    let mut reader = Reader::open(Arc::new(bytes), Format::Tar).unwrap();
    reader.find("a").unwrap().unwrap();
    assert_eq!(std::io::read_to_string(reader).unwrap(), "one");

    let mut writer = Writer::new(Vec::new(), Format::Zip).unwrap();
    add(&mut writer, &files(&[("a", b"one")]));
    let error = writer.append(&Member::file("a", 0), &mut &b""[..]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidMember);
}

#[test]
fn a_content_of_another_length_is_refused() {
    for format in FORMATS {
        for content in [&b"abc"[..], b"abcde"] {
            let mut writer = Writer::new(Vec::new(), format).unwrap();
            let error = writer.append(&Member::file("n", 4), &mut &content[..]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidMember);
            assert!(error.to_string().contains("4 bytes"), "{error}");
        }
        let mut writer = Writer::new(Vec::new(), format).unwrap();
        for name in ["", "a\0b"] {
            let error = writer.append(&Member::file(name, 0), &mut &b""[..]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidMember);
        }
    }
}

#[test]
fn huge_members_have_headers_that_others_can_read() {
    // Only the header is looked at: nobody has 9 GiB to spare in a test.
    struct Header(Vec<u8>);
    impl std::io::Write for Header {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0.len() > 4096 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut header = Header(Vec::new());
    let mut writer = Writer::new(&mut header, Format::Tar).unwrap();
    let error = writer.append(&Member::file("huge", 9 << 30), &mut std::io::repeat(0)).unwrap_err();
    drop(writer);
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::StorageFull));
    let mut reader = Reader::stream(Cursor::new(header.0), Format::Tar).unwrap();
    assert_eq!(reader.next_file().unwrap().unwrap().size, 9 << 30);
}
