//! The one place that writes to standard output (data) and standard error (everything else).

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::PoisonError;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use holdall::store::transfer::{Events, Snapshot};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::args::Common;

/// Writes what commands have to say, in the form that was asked for.
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    notes: bool,
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
            notes: true,
            verbose: common.verbose,
            watched: std::io::stdout().is_terminal(),
            out: Mutex::new(std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout())),
        }
    }

    /// From now on only data and errors are printed.
    pub(crate) fn errors_only(&mut self) {
        self.notes = false;
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
        let mut written = writeln!(out, "{line}");
        if self.watched {
            written = written.and_then(|()| out.flush());
        }
        written.context(WRITING)
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
        out.write_all(data).context(WRITING)
    }

    /// Everything that was written so far goes out.
    pub(crate) fn flush(&self) -> Result<()> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).flush().context(WRITING)
    }

    /// Whether more than data and errors is printed.
    pub(crate) fn tells_notes(&self) -> bool {
        !self.quiet && self.notes
    }

    /// Something worth knowing that is not data.
    pub(crate) fn note(&self, text: &str) {
        if self.tells_notes() {
            self.to_stderr(text);
        }
    }

    /// Something that is not data and is told once only, whatever was said about notes.
    pub(crate) fn once(&self, text: &str) {
        self.to_stderr(text);
    }

    /// Why something failed.
    pub(crate) fn error(&self, text: &str) {
        drop(self.flush());
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        self.to_stderr(&format!("{red}error:{red:#} {text}"));
    }

    fn to_stderr(&self, text: &str) {
        ask(text);
    }

    /// A bar of bytes on a terminal, nothing elsewhere, for commands that count on their own.
    pub(crate) fn byte_bar(&self) -> ProgressBar {
        if self.quiet || self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let template = "{spinner} {bytes}/{total_bytes} {binary_bytes_per_sec} eta {eta} {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(0).with_style(style)
    }

    /// A line with a turning sign on a terminal, nothing elsewhere.
    pub(crate) fn spinner(&self) -> ProgressBar {
        if self.quiet || self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        ProgressBar::new_spinner().with_style(style)
    }

    /// A bar on a terminal that follows `events`, nothing elsewhere.
    pub(crate) fn progress(&self, events: &Events) -> Bar {
        if self.quiet || self.json || !std::io::stderr().is_terminal() {
            return Bar { bar: ProgressBar::hidden(), follower: None };
        }
        let template = "{spinner} {msg}";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style);
        let (events, shown) = (events.clone(), bar.clone());
        let follower = tokio::spawn(async move {
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
            loop {
                tick.tick().await;
                shown.set_message(progress_line(&events.snapshot()));
                shown.tick();
            }
        });
        Bar { bar, follower: Some(follower.abort_handle()) }
    }
}

/// What stands on a terminal while bytes move.
pub(crate) struct Bar {
    bar: ProgressBar,
    follower: Option<tokio::task::AbortHandle>,
}

impl Bar {
    /// Runs `print` with the bar out of the way.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes the bar off the terminal.
    pub(crate) fn clear(&self) {
        if let Some(follower) = &self.follower {
            follower.abort();
        }
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What failed when data does not go out.
const WRITING: &str = "write to standard output";

/// `12/40 objects  1.2 GiB/4.0 GiB  310.0 MiB/s  eta 9s  2 failed`
fn progress_line(now: &Snapshot) -> String {
    let mut line = format!(
        "{}/{} objects  {}/{}  {}/s",
        now.objects_done,
        now.objects,
        human(now.bytes_done),
        human(now.bytes),
        human(now.rate() as u64),
    );
    if let Some(left) = now.remaining().filter(|left| !left.is_zero()) {
        line.push_str(&format!("  eta {}", indicatif::HumanDuration(left)));
    }
    if now.objects_failed > 0 {
        line.push_str(&format!("  {} failed", now.objects_failed));
    }
    line
}

/// What somebody has to do before anything goes on; shown even when nothing else is.
pub(crate) fn ask(text: &str) {
    // Nobody is left to be told when standard error is gone.
    drop(writeln!(anstream::stderr(), "{text}"));
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
