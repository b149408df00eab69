//! Shows how a transfer goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use holdall::stac::{Error, Event, Observer, Plan};
use indicatif::ProgressBar;

use crate::printer::Printer;

/// What has happened so far.
pub(super) struct Progress {
    bar: ProgressBar,
    names: Vec<String>,
    done: AtomicUsize,
    errors: AtomicUsize,
    skips: AtomicUsize,
    messages: Mutex<Vec<String>>,
}

impl Progress {
    pub(super) fn new(printer: &Printer, plan: &Plan) -> Arc<Self> {
        let bar = printer.byte_bar();
        bar.set_length(plan.known_bytes().0);
        let progress = Arc::new(Self {
            bar,
            names: plan.jobs.iter().map(name).collect(),
            done: AtomicUsize::new(0),
            errors: AtomicUsize::new(0),
            skips: AtomicUsize::new(0),
            messages: Mutex::default(),
        });
        progress.show();
        progress
    }

    pub(super) fn observer(self: &Arc<Self>) -> Observer {
        let progress = self.clone();
        Arc::new(move |at, event| progress.event(at, event))
    }

    fn event(&self, at: usize, event: Event) {
        match event {
            // Lengths that the document did not tell show up one by one.
            Event::Open(_, Some(size)) => self.bar.inc_length(size),
            Event::Write(bytes) if bytes >= 0 => self.bar.inc(bytes.unsigned_abs()),
            Event::Write(bytes) => self.bar.dec(bytes.unsigned_abs()),
            Event::Finish => self.count(&self.done),
            Event::Skip => self.count(&self.skips),
            Event::Error(error) => {
                let text = format!("{} - {error}", self.names[at]);
                self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                self.count(&self.errors);
            }
            _ => {}
        }
    }

    fn count(&self, counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
        self.show();
    }

    fn show(&self) {
        if self.bar.is_hidden() {
            return;
        }
        let get = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let (done, errors, skips) = (get(&self.done), get(&self.errors), get(&self.skips));
        self.bar.set_message(format!(
            "{}/{} assets, {errors} errors, {skips} skips",
            done + errors + skips,
            self.names.len()
        ));
    }

    /// The same where one failure ended everything: it is told by the name of its asset, and once.
    pub(super) fn ended_by(&self, printer: &Printer, error: Error) -> anyhow::Error {
        let end = format!(" - {error}");
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let at = messages.iter().position(|message| message.ends_with(&end));
        let told = at.map(|at| messages.remove(at));
        drop(messages);
        self.finish(printer);
        told.map_or_else(|| error.into(), anyhow::Error::msg)
    }

    /// Takes the bar away and says what went wrong.
    pub(super) fn finish(&self, printer: &Printer) {
        self.bar.finish_and_clear();
        for message in self.messages.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            printer.error(&message);
        }
    }
}

/// How messages name a job: `item[key]`.
pub(super) fn name(job: &holdall::stac::Job) -> String {
    format!("{}[{}]", job.owner.as_deref().unwrap_or_default(), job.key)
}
