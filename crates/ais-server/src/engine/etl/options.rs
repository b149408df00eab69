//! How transformers may run.

use std::path::PathBuf;

/// How transformers run, where they may.
///
/// Whoever may make an ETL runs programs on the server's machine, with the server's rights: the limits keep a
/// transformer that goes wrong from taking the machine along, not one that means harm.
#[derive(Debug, Clone)]
pub struct EtlOptions {
    /// The Python for classes; when not told, the one of the client's version on the `PATH`.
    pub python: Option<PathBuf>,
    /// Container images by name, without a tag, and the commands that stand for them on this machine.
    pub images: Vec<(String, Vec<String>)>,
    /// Most bytes of memory (data) that a process of a transformer may have.
    pub memory_bytes: Option<u64>,
    /// Most seconds of processor time of a process; one that has had them is killed and started anew.
    pub cpu_seconds: Option<u64>,
    /// Most open files of a process.
    pub open_files: u64,
    /// Variables of the server's environment that transformers see, beside the few that programs need.
    pub pass_env: Vec<String>,
}

impl Default for EtlOptions {
    fn default() -> Self {
        Self {
            python: None,
            images: Vec::new(),
            memory_bytes: None,
            cpu_seconds: None,
            open_files: 4096,
            pass_env: Vec::new(),
        }
    }
}

impl EtlOptions {
    /// The command that stands for an image, whose tag does not count.
    pub(super) fn image(&self, image: &str) -> Option<&[String]> {
        let name = without_tag(image);
        let found = self.images.iter().find(|(known, _)| known == image || known == name);
        found.map(|(_, command)| command.as_slice())
    }
}

/// `registry:5000/name:tag` without `:tag`.
pub(super) fn without_tag(image: &str) -> &str {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// The tag of an image; empty when it has none.
pub(super) fn tag(image: &str) -> &str {
    image[without_tag(image).len()..].trim_start_matches(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_with_and_without_their_tag() {
        let command = vec!["run".to_owned()];
        let options =
            EtlOptions { images: vec![("reg:5000/a".into(), command)], ..EtlOptions::default() };
        assert!(options.image("reg:5000/a:latest").is_some());
        assert!(options.image("reg:5000/a").is_some());
        assert!(options.image("reg:5000/b:latest").is_none());
        assert_eq!((tag("a/python:3.12"), tag("reg:5000/a"), tag("a")), ("3.12", "", ""));
    }
}
