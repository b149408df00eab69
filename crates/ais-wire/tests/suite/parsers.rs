//! Every parser gets what nobody sends: values of any shape under the names that messages have, and plain noise.
//!
//! `PROPTEST_CASES` says how many; 256 by default.

use holdall_ais_wire::list;
use proptest::prelude::*;
use serde_json::Value;

use crate::messages::{every_message, every_text};

/// Names of fields, so that generated objects mean something to the messages.
const NAMES: &[&str] = &[
    "ID",
    "Kind",
    "DaemonID",
    "Bck",
    "Buckets",
    "id",
    "kind",
    "name",
    "provider",
    "namespace",
    "uuid",
    "action",
    "value",
    "objnames",
    "template",
    "ext",
    "num-workers",
    "coer",
    "prefix",
    "prepend",
    "dry_run",
    "tobck",
    "pipeline",
    "request_timeout",
    "archname",
    "mime",
    "isbn",
    "props",
    "flags",
    "pagesize",
    "uuid",
    "continuation_token",
    "start_after",
    "entries",
    "checksum",
    "versioning",
    "mirror",
    "type",
    "enabled",
    "copies",
    "in",
    "out",
    "objname",
    "bucket",
    "archpath",
    "size",
    "err_msg",
    "start-time",
    "end-time",
    "glob.id",
    "stats",
    "loc-objs",
    "aborted",
    "is_idle",
    "init_msg",
    "runtime",
    "image",
    "env",
    "command",
    "communication",
    "stage",
    "algorithm",
    "output_format",
    "permissions",
    "clusters",
    "buckets",
    "users",
    "roles",
    "token",
    "perm",
    "tmap",
    "pmap",
    "proxy_si",
    "public_net",
    "n",
    "s",
    "cs",
    "v",
    "part-number",
    "etag",
    "input_bck",
    "input_format",
    "shard_size",
    "part",
    "obj_name",
    "ecode",
    "msg",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("ais"),
            Just("aws"),
            Just("1"),
            Just("5m"),
            Just("1GiB"),
            Just("hpush://"),
            Just("copy-bck"),
            Just("2026-11-21T02:24:05.25Z"),
            Just("0001-01-01T00:00:00Z"),
            Just("@u#n"),
            Just("Running"),
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let object = prop::collection::vec((prop::sample::select(NAMES), inner.clone()), 0..8)
            .prop_map(|pairs| {
                pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            });
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::Array),
            object.prop_map(Value::Object),
        ]
    })
}

proptest! {
    #[test]
    fn json(value in any_json()) {
        every_message(&value);
    }

    #[test]
    fn pages_in_msgpack(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0..400_usize, byte in any::<u8>()) {
        let _ = list::Page::from_msgpack(&noise);
        // A page that is damaged in one place, or cut.
        let page = list::Page { uuid: "u".into(), continuation_token: "t".into(), ..list::Page::default() };
        let mut bytes = page.to_msgpack().expect("a page can be written");
        prop_assert!(list::Page::from_msgpack(&bytes).is_ok());
        let at = at % bytes.len();
        let _ = list::Page::from_msgpack(&bytes[..at]);
        bytes[at] = byte;
        let _ = list::Page::from_msgpack(&bytes);
    }

    #[test]
    fn texts(text in prop_oneof!["\\PC{0,60}", "[@#/{}0-9a-z.%*-]{0,40}", "[0-9.]{1,24}[a-zA-Zµ]{0,4}"]) {
        every_text(&text);
    }
}
