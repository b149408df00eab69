//! JSON as every message, and text as everything that is a text.

#![no_main]

#[path = "../../crates/ais-wire/tests/suite/messages.rs"]
mod messages;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    messages::every_text(text);
    if let Ok(value) = serde_json::from_str(text) {
        messages::every_message(&value);
    }
});
