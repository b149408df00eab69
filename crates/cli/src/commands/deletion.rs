//! What `rm` and `sync` tell of deletions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use holdall::store::Error;
use holdall::store::object_store::path::Path;
use serde_json::json;

use super::Context;
use crate::Exit;
use crate::place::Place;

/// A deletion that was tried, or would be.
pub(super) struct Told<'a> {
    pub(super) url: &'a str,
    /// What would go with it, where the plan says that.
    pub(super) size: Option<u64>,
    pub(super) dry_run: bool,
    pub(super) result: Result<(), &'a Error>,
}

impl<'a> Told<'a> {
    /// Of what no path can name.
    pub(super) fn refused(error: &'a Error, dry_run: bool) -> Self {
        Self { url: error.target(), size: None, dry_run, result: Err(error) }
    }

    /// Tells it, and whether it counts as done.
    pub(super) fn tell(&self, context: &Context<'_>) -> Result<Exit> {
        if let Err(error) = self.result {
            context.printer.error(&error.to_string());
        }
        let is_shown = self.result.is_ok() && (self.dry_run || context.printer.verbose);
        if context.printer.is_json() || is_shown {
            let done = if self.dry_run { "would delete" } else { "deleted" };
            context.printer.outcome(|| format!("{done} {}", self.url), || self.json())?;
        }
        Ok(if self.result.is_ok() { Exit::Done } else { Exit::Partial })
    }

    fn json(&self) -> serde_json::Value {
        let mut line = json!({
            "action": "delete", "url": self.url, "dry_run": self.dry_run, "ok": self.result.is_ok(),
            "error": self.result.err().map(ToString::to_string),
        });
        if let Some(size) = self.size {
            line["size"] = json!(size);
        }
        line
    }
}

/// The symbolic links behind which nothing is deleted, each told once.
#[derive(Default)]
pub(super) struct Links(BTreeSet<PathBuf>);

impl Links {
    /// Whether a deletion lies behind a link.
    pub(super) fn keep(&mut self, context: &Context<'_>, place: &Place, key: &Path) -> bool {
        let Some(link) = place.link_above(key) else { return false };
        if self.0.insert(link.clone()) {
            context.printer.error(&format!(
                "kept what is behind the symbolic link {}; remove the link itself first",
                link.display()
            ));
        }
        true
    }

    pub(super) fn exit(&self, otherwise: Exit) -> Exit {
        if self.0.is_empty() { otherwise } else { Exit::Partial }
    }
}
