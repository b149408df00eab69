//! Pages of listings in msgpack: what is read is written, and read again as the same.

#![no_main]

use holdall_ais_wire::list::Page;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(page) = Page::from_msgpack(bytes) else { return };
    let written = page.to_msgpack().expect("a page that was read can be written");
    assert_eq!(Page::from_msgpack(&written).expect("what was written can be read"), page);
});
