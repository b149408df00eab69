//! The document with the tags of an object, which S3 and Azure share but for the name of its root.

use object_store::Result;
use quick_xml::escape::escape;
use serde::Deserialize;

use super::send::Reply;
use crate::provider::Tags;

pub(crate) fn from_document(store: &'static str, reply: &Reply) -> Result<Tags> {
    let document: Document = reply.xml(store)?;
    Ok(document.set.tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

pub(crate) fn to_document(root: &str, tags: &Tags) -> String {
    let mut text = format!("<{root}><TagSet>");
    for (key, value) in tags {
        let (key, value) = (escape(key.as_str()), escape(value.as_str()));
        text.push_str(&format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"));
    }
    text.push_str(&format!("</TagSet></{root}>"));
    text
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "TagSet", default)]
    set: Set,
}

#[derive(Default, Deserialize)]
struct Set {
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Value", default)]
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_round_trip() {
        let tags: Tags = vec![("a<b".into(), "1 & 2".into()), ("empty".into(), String::new())];
        let text = to_document("Tagging", &tags);
        let reply = Reply { headers: Default::default(), body: text.into() };
        assert_eq!(from_document("S3", &reply).unwrap(), tags);
        let reply =
            Reply { headers: Default::default(), body: "<Tagging><TagSet/></Tagging>".into() };
        assert!(from_document("S3", &reply).unwrap().is_empty());
    }
}
