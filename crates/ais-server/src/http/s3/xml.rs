//! XML out, element by element, and in, through serde.

use quick_xml::escape::escape;
use serde::de::DeserializeOwned;

use super::fault::{Fault, Result};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A document being written.
pub(crate) struct Xml {
    out: String,
    root: &'static str,
}

impl Xml {
    /// A document with this root.
    pub(crate) fn new(root: &'static str) -> Self {
        Self { out: format!("{HEAD}<{root} xmlns=\"{NAMESPACE}\">"), root }
    }

    /// The same without a namespace, as errors are.
    pub(crate) fn bare(root: &'static str) -> Self {
        Self { out: format!("{HEAD}<{root}>"), root }
    }

    /// An element with a text.
    pub(crate) fn text(&mut self, name: &'static str, text: impl AsRef<str>) -> &mut Self {
        self.out.push_str(&format!("<{name}>{}</{name}>", clean(text.as_ref())));
        self
    }

    /// An element with a number or a boolean.
    pub(crate) fn value(&mut self, name: &'static str, value: impl std::fmt::Display) -> &mut Self {
        self.out.push_str(&format!("<{name}>{value}</{name}>"));
        self
    }

    /// An element with elements in it.
    pub(crate) fn within(
        &mut self,
        name: &'static str,
        inside: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.out.push_str(&format!("<{name}>"));
        inside(self);
        self.out.push_str(&format!("</{name}>"));
        self
    }

    /// A piece of XML as it is.
    pub(crate) fn raw(&mut self, xml: &'static str) -> &mut Self {
        self.out.push_str(xml);
        self
    }

    /// The owner of everything: there is one only.
    pub(crate) fn owner(&mut self, name: &'static str) -> &mut Self {
        self.within(name, |xml| {
            xml.text("ID", "holdall").text("DisplayName", "holdall");
        })
    }

    /// The document.
    pub(crate) fn finish(mut self) -> String {
        self.out.push_str(&format!("</{}>", self.root));
        self.out
    }
}

/// Escaped text. XML has no form for most control characters, not even as references: clients that expect such keys ask
/// for `encoding-type=url`, to others they show as replacement characters.
fn clean(text: &str) -> String {
    let escaped = escape(text);
    let odd = |c: char| {
        (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if !escaped.contains(|c: char| c == '\r' || odd(c)) {
        return escaped.into_owned();
    }
    let mut out = String::with_capacity(escaped.len());
    for c in escaped.chars() {
        match c {
            // Parsers make a line feed of it.
            '\r' => out.push_str("&#13;"),
            c if odd(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// Reads a document.
///
/// # Errors
///
/// When it is none, or another one.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(body).map_err(Fault::malformed)?;
    quick_xml::de::from_str(text).map_err(Fault::malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_parsers_read() {
        let mut xml = Xml::new("Root");
        xml.text("A", "<&>\"'\u{1}\r").value("N", 3).within("In", |xml| {
            xml.text("B", "é");
        });
        let text = xml.finish();
        #[derive(serde::Deserialize, Debug)]
        #[serde(rename_all = "PascalCase")]
        struct Root {
            a: String,
            n: u64,
            r#in: Inside,
        }
        #[derive(serde::Deserialize, Debug)]
        #[serde(rename_all = "PascalCase")]
        struct Inside {
            b: String,
        }
        let read: Root = parse(text.as_bytes()).unwrap();
        assert_eq!((read.a.as_str(), read.n, read.r#in.b.as_str()), ("<&>\"'\u{fffd}\r", 3, "é"));
        assert!(parse::<Root>(b"<Root>").is_err());
    }
}
