//! How a file lays its JSON out.

use super::Members;

/// Layout of what is written anew: that of the file it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// One level of indentation; `None` writes everything on one line.
    indent: Option<String>,
    /// After the comma between elements on one line.
    after_comma: &'static str,
    /// After the colon.
    after_colon: &'static str,
    /// Write characters beyond ASCII as escapes.
    ascii: bool,
    /// End the file with a line break.
    final_newline: bool,
}

impl Style {
    /// Everything on one line without spaces.
    pub fn compact() -> Self {
        Self { indent: None, after_comma: "", after_colon: "", ascii: false, final_newline: false }
    }

    /// Two spaces per level and a line break at the end.
    pub fn pretty() -> Self {
        Self {
            indent: Some("  ".to_owned()),
            after_comma: "",
            after_colon: " ",
            ascii: false,
            final_newline: true,
        }
    }

    /// The layout of `text`: its first line break, comma and colon tell.
    pub fn detect(text: &str) -> Self {
        let body = text.trim_start();
        let first = body.get(1..).unwrap_or_default();
        let white: &str = &first[..first.len() - first.trim_start().len()];
        let indent = white.rsplit_once('\n').map(|(_, indent)| indent.to_owned());
        let (comma, colon) = separators(body);
        let space = |wide: bool| if wide { " " } else { "" };
        Self {
            after_comma: if indent.is_some() { "" } else { space(comma) },
            after_colon: space(colon),
            indent,
            ascii: text.is_ascii() && text.contains("\\u"),
            final_newline: text.ends_with('\n'),
        }
    }

    /// Whether files end with a line break.
    pub fn has_final_newline(&self) -> bool {
        self.final_newline
    }

    pub(super) fn object(
        &self,
        depth: usize,
        out: &mut String,
        members: &Members,
        mut value: impl FnMut(&super::Json, usize, &mut String),
    ) {
        out.push('{');
        for (at, (name, member)) in members.iter().enumerate() {
            self.before(at, depth + 1, out);
            self.string(name, out);
            out.push(':');
            out.push_str(self.after_colon);
            value(member, depth + 1, out);
        }
        if !members.is_empty() {
            self.line(depth, out);
        }
        out.push('}');
    }

    pub(super) fn array(
        &self,
        depth: usize,
        out: &mut String,
        values: &[super::Json],
        mut value: impl FnMut(&super::Json, usize, &mut String),
    ) {
        out.push('[');
        for (at, element) in values.iter().enumerate() {
            self.before(at, depth + 1, out);
            value(element, depth + 1, out);
        }
        if !values.is_empty() {
            self.line(depth, out);
        }
        out.push(']');
    }

    fn before(&self, at: usize, depth: usize, out: &mut String) {
        if at > 0 {
            out.push(',');
            out.push_str(self.after_comma);
        }
        self.line(depth, out);
    }

    fn line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            for _ in 0..depth {
                out.push_str(indent);
            }
        }
    }

    fn string(&self, text: &str, out: &mut String) {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if text.bytes().all(is_plain) {
            out.push('"');
            out.push_str(text);
            out.push('"');
            return;
        }
        let quoted = serde_json::Value::from(text).to_string();
        if !self.ascii || quoted.is_ascii() {
            out.push_str(&quoted);
            return;
        }
        let mut units = [0; 2];
        for c in quoted.chars() {
            if c.is_ascii() {
                out.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
}

/// Whether the first comma and the first colon outside of strings are followed by a space.
fn separators(text: &str) -> (bool, bool) {
    let bytes = text.as_bytes();
    let (mut comma, mut colon) = (None, None);
    let mut at = 0;
    while at < bytes.len() && (comma.is_none() || colon.is_none()) {
        let followed = bytes.get(at + 1) == Some(&b' ');
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b',' => {
                comma.get_or_insert(followed);
            }
            b':' => {
                colon.get_or_insert(followed);
            }
            _ => {}
        }
        at += 1;
    }
    (comma.unwrap_or(true), colon.unwrap_or(true))
}
