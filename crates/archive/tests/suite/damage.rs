//! Damaged archives give errors: no panic, no endless loop, no content that passes for whole.

use std::{
    io::{self, Read},
    sync::Arc,
};

use holdall_archive::{ErrorKind, Format, Reader, Source, Writer};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{FORMATS, files, read, read_all, write};

fn sample(format: Format) -> Vec<u8> {
    let noise: Vec<u8> =
        (0..70_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let name = "deep/".repeat(30) + "name";
    write(format, &files(&[("a.txt", b"hello"), (&name, &noise), ("c", &[7; 3000])]))
}

fn survive(bytes: &[u8]) {
    for format in FORMATS {
        let _ = read(bytes, format);
        let _ = Reader::stream(io::Cursor::new(bytes.to_vec()), format).and_then(read_all);
        let _ = Writer::resume(Arc::new(bytes.to_vec()), format, &[], Vec::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn noise_is_survived(bytes in vec(any::<u8>(), 0..3000)) {
        survive(&bytes);
    }

    #[test]
    fn flipped_bytes_are_survived(at in vec((any::<Index>(), any::<u8>()), 1..6), which in 0usize..4) {
        let mut bytes = sample(FORMATS[which]);
        for (index, value) in at {
            let place = index.index(bytes.len());
            bytes[place] = value;
        }
        survive(&bytes);
    }

    #[test]
    fn flipped_headers_are_survived(at in vec((0usize..1024, any::<u8>()), 1..6), which in 0usize..4) {
        let mut bytes = sample(FORMATS[which]);
        for (place, value) in at {
            bytes[place] = value;
        }
        survive(&bytes);
    }

    #[test]
    fn cuts_are_noticed(cut in any::<Index>(), which in 0usize..4) {
        let format = FORMATS[which];
        let whole = sample(format);
        let all = read(&whole, format).unwrap();
        let kept = cut.index(whole.len());
        match read(&whole[..kept], format) {
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Malformed),
            // A tar that ends between two members, or within its end mark, is a tar.
            Ok(files) => {
                prop_assert!(format != Format::Zip);
                prop_assert_eq!(&files[..], &all[..files.len()]);
            }
        }
    }
}

#[test]
fn headers_with_valid_checksums_and_wild_fields_are_survived() {
    let fields: [(usize, &[u8]); 9] = [
        (124, b"77777777777\0"),
        (124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        (124, b"\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"),
        (124, b"not a size.."),
        (136, b"xxxxxxxxxxx\0"),
        (156, b"L"),
        (156, b"x"),
        (156, b"S"),
        (100, b"\xff\xff\xff\xff"),
    ];
    for (at, value) in fields {
        let mut bytes = write(Format::Tar, &files(&[("a", &[b'1'; 600]), ("b", b"2")]));
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        survive(&bytes);
    }
}

#[test]
fn an_extension_record_of_gigabytes_is_not_read() {
    let mut bytes = write(Format::Tar, &files(&[("a", b"")]));
    bytes[156] = b'L';
    bytes[124..136].copy_from_slice(b"77777777777\0");
    bytes[148..156].fill(b' ');
    let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let error = read(&bytes, Format::Tar).unwrap_err();
    assert!(error.to_string().contains("limit"), "{error}");
}

#[test]
fn another_format_is_an_error() {
    for format in FORMATS {
        for other in FORMATS {
            let result = read(&sample(format), other);
            assert_eq!(result.is_ok(), format == other, "{format} as {other}");
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Malformed);
                let name = other.extension().trim_start_matches('.');
                assert!(
                    error.to_string().starts_with(&format!("not a valid {name} archive")),
                    "{error}"
                );
            }
        }
    }
}

/// A disk that fails after some bytes.
struct Failing(Vec<u8>, u64);

impl Source for Failing {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.1 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the disk went away"));
        }
        let wanted = buffer.len().min(usize::try_from(self.1 - offset).unwrap());
        self.0.read_at(&mut buffer[..wanted], offset)
    }
}

#[test]
fn a_failing_disk_is_not_a_damaged_archive() {
    for format in FORMATS {
        let bytes = sample(format);
        let half = bytes.len() as u64 / 2;
        let result = Reader::open(Arc::new(Failing(bytes, half)), format).and_then(read_all);
        let error = result.unwrap_err();
        assert_eq!(error.io_kind(), Some(io::ErrorKind::TimedOut), "{format}: {error}");
        assert!(error.to_string().contains("the disk went away"));
    }
}

#[test]
fn a_changed_content_of_a_zip_fails_its_checksum() {
    let mut bytes = write(Format::Zip, &files(&[("a", &[b'a'; 10])]));
    // Where the deflated content begins: after a local header of 30 bytes and the name.
    let at = 31;
    let mut changed = 0;
    for bit in 0..8 {
        bytes[at + 2] ^= 1 << bit;
        let mut reader = Reader::open(Arc::new(bytes.clone()), Format::Zip).unwrap();
        reader.next_file().unwrap();
        changed += usize::from(reader.read_to_end(&mut Vec::new()).is_err());
        bytes[at + 2] ^= 1 << bit;
    }
    assert_eq!(changed, 8);
}
