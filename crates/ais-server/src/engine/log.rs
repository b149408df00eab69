//! The server's own short memory of what happened, for clients that ask for a node's log.
//!
//! The lines also go to `tracing`, for whoever runs the server.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use holdall_archive::{Format, Member, Writer};

use crate::error::{Error, Result};

/// Most lines that are kept.
const LINES: usize = 20_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What happens.
    Info,
    /// What may need a look.
    Warning,
    /// What went wrong.
    Error,
}

impl Severity {
    /// Reads a severity by its first letter, as AIStore does.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self> {
        match text.bytes().next().map(|byte| byte.to_ascii_lowercase()) {
            None | Some(b'i') => Ok(Self::Info),
            Some(b'w') => Ok(Self::Warning),
            Some(b'e') => Ok(Self::Error),
            Some(_) => Err(Error::invalid(format!(
                "unknown log severity \"{text}\": expecting info, warning or error"
            ))),
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Info => 'I',
            Self::Warning => 'W',
            Self::Error => 'E',
        }
    }
}

struct Line {
    at: DateTime<Utc>,
    severity: Severity,
    text: String,
}

/// The last lines.
#[derive(Default)]
pub struct Log(Mutex<VecDeque<Line>>);

impl Log {
    /// Adds a line.
    pub fn add(&self, severity: Severity, text: impl Into<String>) {
        let text = text.into();
        match severity {
            Severity::Info => tracing::info!("{text}"),
            Severity::Warning => tracing::warn!("{text}"),
            Severity::Error => tracing::error!("{text}"),
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(Line { at: Utc::now(), severity, text });
    }

    /// The lines that are at least this bad, oldest first.
    pub fn text(&self, severity: Severity) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = format!(
            "Log of holdall's AIS server, {}, severity {severity:?} and up\n",
            env!("CARGO_PKG_VERSION")
        );
        for line in lines.iter().filter(|line| line.severity >= severity) {
            let time = line.at.format("%Y-%m-%d %H:%M:%S%.6f");
            all.push_str(&format!("{} {time} {}\n", line.severity.letter(), line.text));
        }
        all
    }

    /// [`text`](Self::text) as a compressed archive of one file.
    ///
    /// # Errors
    ///
    /// None that a log can cause.
    pub fn archive(&self, severity: Severity, node: &str) -> Result<Vec<u8>> {
        let text = self.text(severity);
        let now = u64::try_from(Utc::now().timestamp()).unwrap_or(0);
        let member =
            Member::file(format!("{node}/aisnode.log"), text.len() as u64).modified_at(now);
        let written = || {
            let mut archive = Writer::new(Vec::new(), Format::TarGz)?;
            archive.append(&member, &mut text.as_bytes())?;
            archive.finish()
        };
        written().map_err(|e| Error::internal("the log cannot be archived").with_source(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_by_severity() {
        let log = Log::default();
        log.add(Severity::Info, "started");
        log.add(Severity::Error, "broken");
        let lines = |severity| log.text(severity).lines().count() - 1;
        assert_eq!(
            (lines(Severity::Info), lines(Severity::Warning), lines(Severity::Error)),
            (2, 1, 1)
        );
        assert!(Severity::parse("x").is_err());
        assert!(log.archive(Severity::Info, "t").unwrap().starts_with(&[0x1f, 0x8b]));
    }
}
