//! The profiles of this machine: `~/.aws/config` and `~/.aws/credentials`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ini::{self, Section};
use crate::error::{Error, ErrorKind, Result};

/// What both files say.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    profiles: BTreeMap<String, Section>,
    sessions: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
}

impl Profiles {
    /// Reads both files; a file that does not exist is empty.
    pub(super) fn read(config: &Path, credentials: &Path) -> Result<Self> {
        let mut all = Self::default();
        for (name, section) in ini::parse(&text(config)?) {
            let (map, name) = match name.split_once(' ') {
                Some(("profile", name)) => (&mut all.profiles, name.to_owned()),
                Some(("sso-session", name)) => (&mut all.sessions, name.to_owned()),
                Some(("services", name)) => (&mut all.services, name.to_owned()),
                None if name == "default" => (&mut all.profiles, name),
                _ => continue,
            };
            map.insert(name, section);
        }
        // Keys in the file for keys win over those that stand in the other file.
        for (name, section) in ini::parse(&text(credentials)?) {
            all.profiles.entry(name).or_default().overlay(section);
        }
        Ok(all)
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Section> {
        self.profiles.get(name)
    }

    pub(super) fn session(&self, name: &str) -> Option<&Section> {
        self.sessions.get(name)
    }

    /// The URL of a service (`s3`, `sts`, `sso`, `sso_oidc`) for a profile.
    pub(super) fn endpoint(&self, profile: &Section, service: &str) -> Option<&str> {
        let section = profile.get("services").and_then(|name| self.services.get(name));
        section.and_then(|section| section.nested(service, "endpoint_url"))
    }

    /// The names of all profiles, for error texts.
    pub(super) fn names(&self) -> String {
        self.profiles.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// The path of a file below `~/.aws`.
pub(super) fn home(file: &str) -> Option<PathBuf> {
    Some(std::env::home_dir()?.join(".aws").join(file))
}

/// A path of a configuration, in which `~` stands for the home directory.
pub(super) fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

fn text(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(e)
            if matches!(
                e.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(String::new())
        }
        Err(e) => {
            let detail = format!("cannot read the file of AWS profiles: {e}");
            Err(Error::new(ErrorKind::Config, "open", path.display().to_string(), detail))
        }
    }
}
