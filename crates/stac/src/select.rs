//! Which assets are meant.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::asset::AssetView;
use crate::error::{Error, ErrorKind, Result};

/// Which assets are meant: all, unless something here says less. What is said about several subjects must all hold.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    include: Option<Keys>,
    exclude: Option<Keys>,
    roles: Vec<String>,
    media_types: Option<GlobSet>,
    bands: Vec<String>,
    max_size_bytes: Option<u64>,
}

/// Keys, exact or as globs: keys may hold brackets and stars themselves, so what is equal fits always.
#[derive(Debug, Clone)]
struct Keys {
    exact: Vec<String>,
    globs: GlobSet,
}

impl Keys {
    fn new(patterns: &[String]) -> Result<Option<Self>> {
        let wild = |pattern: &&String| pattern.contains(['*', '?', '[', '{']);
        let globs = globs(patterns.iter().filter(wild).map(String::as_str))?;
        Ok((!patterns.is_empty()).then(|| Self { exact: patterns.to_vec(), globs }))
    }

    fn hold(&self, key: &str) -> bool {
        self.exact.iter().any(|exact| exact == key) || self.globs.is_match(key)
    }
}

fn globs<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = Glob::new(pattern).map_err(|e| {
            Error::new(ErrorKind::Config, "select", pattern, format!("it is not a pattern: {e}"))
        })?;
        set.add(glob);
    }
    set.build().map_err(|e| Error::new(ErrorKind::Config, "select", "", e.to_string()))
}

impl Selection {
    /// Assets by key: those that `include` names, all when it names none, but those that `exclude` names. Names may be
    /// patterns (`B*`).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when both are given, or for a malformed pattern.
    pub fn keys(include: &[String], exclude: &[String]) -> Result<Self> {
        if !include.is_empty() && !exclude.is_empty() {
            let detail = "include and exclude are mutually exclusive: give one of them";
            return Err(Error::new(ErrorKind::Config, "select", "", detail));
        }
        Ok(Self { include: Keys::new(include)?, exclude: Keys::new(exclude)?, ..Self::default() })
    }

    /// Only assets with one of these roles; none means any.
    #[must_use]
    pub fn with_roles(mut self, roles: Vec<String>) -> Self {
        self.roles = roles;
        self
    }

    /// Only assets whose media type fits one of these patterns (`image/*`), with or without its parameters.
    /// Letter case does not count (RFC 2045, 5.1).
    pub fn with_media_types(mut self, patterns: &[String]) -> Result<Self> {
        if !patterns.is_empty() {
            let patterns: Vec<_> = patterns.iter().map(|p| p.to_ascii_lowercase()).collect();
            self.media_types = Some(globs(patterns.iter().map(String::as_str))?);
        }
        Ok(self)
    }

    /// Only assets with a band of one of these names or common names.
    #[must_use]
    pub fn with_bands(mut self, bands: Vec<String>) -> Self {
        self.bands = bands;
        self
    }

    /// Only assets whose `file:size` is at most this, in bytes; assets that do not say count as small enough.
    #[must_use]
    pub fn with_max_size_bytes(mut self, bytes: Option<u64>) -> Self {
        self.max_size_bytes = bytes;
        self
    }

    /// Whether assets of this key are meant, whatever else is said.
    pub fn has_key(&self, key: &str) -> bool {
        self.include.as_ref().is_none_or(|keys| keys.hold(key))
            && !self.exclude.as_ref().is_some_and(|keys| keys.hold(key))
    }

    /// Whether an asset is meant.
    pub fn holds(&self, key: &str, asset: &AssetView) -> bool {
        let media_type = asset.media_type.as_deref().unwrap_or_default().to_ascii_lowercase();
        let bare = media_type.split(';').next().unwrap_or_default();
        self.has_key(key)
            && (self.roles.is_empty() || asset.roles.iter().any(|role| self.roles.contains(role)))
            && (self.bands.is_empty() || asset.bands.iter().any(|band| self.bands.contains(band)))
            && self
                .media_types
                .as_ref()
                .is_none_or(|set| set.is_match(&media_type) || set.is_match(bare))
            && !matches!((self.max_size_bytes, asset.size), (Some(most), Some(size)) if size > most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    fn asset(text: &str) -> AssetView {
        AssetView::of(&Json::parse(text).unwrap())
    }

    #[test]
    fn everything_that_is_said_must_hold() {
        let keys = |list: &[&str]| list.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let cog = asset(
            r#"{"type": "image/tiff; application=geotiff", "roles": ["data"], "file:size": 10, "bands": [{"name": "B1"}]}"#,
        );
        let all = Selection::default();
        assert!(all.holds("x", &cog));
        let some = Selection::keys(&keys(&["B*", "odd[1]"]), &[]).unwrap();
        assert!(some.holds("B10", &cog) && some.holds("odd[1]", &cog) && !some.holds("MTL", &cog));
        assert!(!Selection::keys(&[], &keys(&["MTL"])).unwrap().holds("MTL", &cog));
        assert!(Selection::keys(&keys(&["a"]), &keys(&["b"])).is_err());
        for pattern in ["image/*", "IMAGE/Tiff"] {
            assert!(all.clone().with_media_types(&keys(&[pattern])).unwrap().holds("x", &cog));
        }
        assert!(!all.clone().with_roles(keys(&["thumbnail"])).holds("x", &cog));
        assert!(all.clone().with_bands(keys(&["B1"])).holds("x", &cog));
        assert!(!all.with_max_size_bytes(Some(9)).holds("x", &cog));
    }
}
