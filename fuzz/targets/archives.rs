//! Archives of every format, read member by member from bytes and from a stream, and continued.

#![no_main]

use std::io::{Cursor, Read as _};
use std::sync::Arc;

use holdall_archive::{Format, Reader, Result, Writer};
use libfuzzer_sys::fuzz_target;

const FORMATS: [Format; 4] = [Format::Tar, Format::TarGz, Format::TarLz4, Format::Zip];
/// Bytes of contents that are read: compressed noise may be very long, which is no mistake of the reader.
const ENOUGH: u64 = 1 << 20;

fn read(reader: Result<Reader>) {
    let Ok(mut reader) = reader else { return };
    let mut left = ENOUGH;
    while let Ok(Some(_)) = reader.next_member() {
        match std::io::copy(&mut (&mut reader).take(left), &mut std::io::sink()) {
            Ok(bytes) if bytes < left => left -= bytes,
            _ => return,
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let format = FORMATS[usize::from(*first) % FORMATS.len()];
    read(Reader::open(Arc::new(bytes.to_vec()), format));
    read(Reader::stream(Cursor::new(bytes.to_vec()), format));
    // What cannot be continued is refused.
    let _ = Writer::resume(Arc::new(bytes.to_vec()), format, &[], Vec::new());
});
