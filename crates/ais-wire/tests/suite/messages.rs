//! Every parser, for tests and fuzzing: what is read is written, and what is written is read again.

use holdall_ais_wire::{
    action, authn, batch, bucket, cluster, dsort, etl, job, list, multi, name, object, props,
};
use holdall_ais_wire::{hrw, id, summary, template, value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads the value as a message, and once more what the message is written as.
fn reads<T: DeserializeOwned + Serialize>(value: &Value) {
    let Ok(message) = serde_json::from_value::<T>(value.clone()) else { return };
    let written = serde_json::to_value(&message).expect("messages can be written");
    let again = serde_json::from_value::<T>(written.clone());
    let again = again.unwrap_or_else(|e| panic!("{}: {written}: {e}", std::any::type_name::<T>()));
    assert_eq!(serde_json::to_value(&again).expect("as above"), written);
}

/// Reads a value as every message that there is.
pub(crate) fn every_message(value: &Value) {
    reads::<action::ActMsg>(value);
    reads::<authn::Role>(value);
    reads::<authn::User>(value);
    reads::<authn::Cluster>(value);
    reads::<batch::Request>(value);
    reads::<batch::Reply>(value);
    reads::<bucket::Bck>(value);
    reads::<cluster::Smap>(value);
    reads::<cluster::Snode>(value);
    reads::<dsort::Spec>(value);
    reads::<etl::Details>(value);
    reads::<etl::Info>(value);
    reads::<etl::InitMsg>(value);
    reads::<etl::SocketControl>(value);
    reads::<job::JobArgs>(value);
    reads::<job::JobStatus>(value);
    reads::<job::Snap>(value);
    reads::<list::LsoMsg>(value);
    reads::<multi::ArchiveMsg>(value);
    reads::<multi::BucketCopyMsg>(value);
    reads::<multi::EvdMsg>(value);
    reads::<multi::ObjectsCopyMsg>(value);
    reads::<multi::PrefetchMsg>(value);
    reads::<object::PromoteMsg>(value);
    reads::<object::Part>(value);
    reads::<props::BucketProps>(value);
    reads::<summary::SummaryMsg>(value);
    reads::<summary::Summary>(value);
}

/// Reads a text as everything that is a text.
pub(crate) fn every_text(text: &str) {
    let _ = text.parse::<bucket::Provider>();
    let namespace = bucket::Namespace::parse(text);
    assert_eq!(bucket::Namespace::parse(&namespace.uname()), namespace);
    if let Ok((bck, object)) = bucket::Bck::parse_uname(text) {
        let again = bucket::Bck::parse_uname(&bck.uname(&object));
        assert_eq!(again.expect("what was read is written"), (bck, object));
    }
    let _ = template::Template::parse(text);
    let _ = value::parse_duration(text);
    let _ = value::parse_size(text);
    let _ = value::truthy(text);
    let _ = name::check_bucket(text);
    let _ = name::check_object(text);
    let _ = name::check_prefix(text);
    let _ = id::is_valid(text);
    let _ = etl::check_name(text);
    let _ = hrw::node_digest(text);
    let _ = value::go_layout(text, value::from_nanos(1));
}
