//! The one place that writes to standard output (data) and standard error (everything else).

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::PoisonError;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::args::Common;

/// Writes what commands have to say, in the form that was asked for.
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    pub(crate) verbose: bool,
    /// Whether someone watches: then each line goes out at once.
    watched: bool,
    out: Mutex<std::io::BufWriter<std::io::Stdout>>,
}

impl Printer {
    pub(crate) fn new(common: &Common) -> Self {
        Self {
            json: common.json,
            quiet: common.quiet,
            verbose: common.verbose,
            watched: std::io::stdout().is_terminal(),
            out: Mutex::new(std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout())),
        }
    }

    /// Whether programs read the output.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A piece of data: a line for people, or a JSON object for programs.
    pub(crate) fn data(
        &self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<()> {
        let line = if self.json { json().to_string() } else { text() };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "{line}")?;
        if self.watched {
            out.flush()?;
        }
        Ok(())
    }

    /// What became of one object, as data. The work goes on when nobody reads about it any more.
    pub(crate) fn outcome(
        &self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<()> {
        match self.data(text, json) {
            Err(error) if is_closed_pipe(&error) => Ok(()),
            other => other,
        }
    }

    /// Raw bytes of an object.
    pub(crate) fn bytes(&self, data: &[u8]) -> Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(out.write_all(data)?)
    }

    /// Everything that was written so far goes out.
    pub(crate) fn flush(&self) -> Result<()> {
        Ok(self.out.lock().unwrap_or_else(PoisonError::into_inner).flush()?)
    }

    /// Something worth knowing that is not data.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.to_stderr(text);
        }
    }

    /// Why something failed.
    pub(crate) fn error(&self, text: &str) {
        drop(self.flush());
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        self.to_stderr(&format!("{red}error:{red:#} {text}"));
    }

    fn to_stderr(&self, text: &str) {
        // Nobody is left to be told when standard error is gone.
        drop(writeln!(anstream::stderr(), "{text}"));
    }

    /// A bar of bytes on a terminal, nothing elsewhere.
    pub(crate) fn progress(&self) -> ProgressBar {
        if self.quiet || self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let template = "{spinner} {bytes}/{total_bytes} {binary_bytes_per_sec} eta {eta} {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(0).with_style(style)
    }
}

/// Whether an error only says that the reader of our output has gone.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A size for people.
pub(crate) fn human(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A size in the form that was asked for.
pub(crate) fn size(bytes: u64, is_human: bool) -> String {
    if is_human { human(bytes) } else { bytes.to_string() }
}
