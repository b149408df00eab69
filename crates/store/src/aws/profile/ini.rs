//! The file format of `~/.aws/config` and `~/.aws/credentials`.

use std::collections::BTreeMap;

/// The settings of one section, and one level of settings nested below some of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    values: BTreeMap<String, String>,
    nested: BTreeMap<String, BTreeMap<String, String>>,
}

impl Section {
    /// The value of a setting; an empty one counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of `key` in the indented lines below `outer =`.
    pub(super) fn nested(&self, outer: &str, key: &str) -> Option<&str> {
        self.nested.get(outer)?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Takes every setting of `stronger` in place of the present one.
    pub(super) fn overlay(&mut self, stronger: Self) {
        self.values.extend(stronger.values);
        self.nested.extend(stronger.nested);
    }
}

/// Reads the sections of a file by their names, as they stand between the brackets with single spaces.
///
/// Lines that are neither a section, a setting nor a comment are skipped, as the tools of the provider do.
pub(super) fn parse(text: &str) -> BTreeMap<String, Section> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut section: Option<String> = None;
    let mut outer: Option<String> = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let indented = line.starts_with([' ', '\t']);
        let line = without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.split(']').next().unwrap_or_default();
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ").replace('"', "");
            sections.entry(name.clone()).or_default();
            (section, outer) = (Some(name), None);
            continue;
        }
        let Some(section) = section.as_ref().and_then(|name| sections.get_mut(name)) else {
            continue;
        };
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().to_owned());
        match (&outer, indented) {
            (Some(outer), true) => {
                section.nested.entry(outer.clone()).or_default().insert(key, value);
            }
            _ => {
                outer = value.is_empty().then(|| key.clone());
                section.values.insert(key, value);
            }
        }
    }
    sections
}

/// Comments fill their line, or follow white space.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let end = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| line.find(mark)).min();
    &line[..end.unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sections_values_nesting_and_comments() {
        let sections = parse(
            "# top\n[default]\nRegion = eu-west-1 ; where\n\n[profile  \"a b\"]\nregion=us-east-2\n\
             s3 =\n  max_concurrent_requests = 20\n  endpoint_url = http://x\nrole_arn = arn#1\nnonsense\n",
        );
        assert_eq!(sections["default"].get("region"), Some("eu-west-1"));
        let profile = &sections["profile a b"];
        assert_eq!(profile.get("region"), Some("us-east-2"));
        assert_eq!(profile.nested("s3", "endpoint_url"), Some("http://x"));
        assert_eq!(profile.get("role_arn"), Some("arn#1"));
        assert_eq!(profile.get("endpoint_url"), None);
    }

    #[test]
    fn settings_outside_a_section_do_not_count() {
        assert!(parse("region = x\n= y\n").is_empty());
    }
}
