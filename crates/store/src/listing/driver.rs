//! Who asks for which page next.

use std::collections::VecDeque;
use std::sync::Arc;

use object_store::Result;
use object_store::list::{PaginatedListOptions, PaginatedListResult};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::alphabet::Alphabet;
use super::span::{Checked, Span, Start, State, corrupt};
use super::{OddKeys, Page, ParallelOptions, page};
use crate::provider::Provider;

/// Cuts of one span asked for at once.
const MOST_CUTS: usize = 16;

/// Requests in addition to twice those of a plain listing.
const FREE_REQUESTS: usize = 24;

/// Spans per worker that are kept apart after they are done.
const SPANS_PER_WORKER: usize = 8;

/// The keys to be listed, as the service has them.
#[derive(Debug, Clone)]
pub(super) struct Space {
    pub(super) prefix: String,
    /// Exclusive.
    pub(super) after: Option<String>,
    /// Inclusive; who asked leaves the last key out.
    pub(super) until: Option<String>,
}

/// What a page was asked for.
#[derive(Debug)]
enum Purpose {
    /// To go on with a span.
    Next { span: u64, from: Start },
    /// To cut the span, now of this number, at a key.
    Cut { span: u64, key: String },
}

type Arrived = (Purpose, Result<PaginatedListResult>);

/// A listing in progress.
pub(super) struct Driver {
    provider: Arc<dyn Provider>,
    space: Space,
    how: ParallelOptions,
    /// In the order of their keys; each begins where the one before it ends.
    spans: VecDeque<Span>,
    /// The service lists in no order, and nobody asked for one: pages come one after the other.
    unordered: bool,
    alphabet: Alphabet,
    asked: JoinSet<Arrived>,
    /// Keys that wait for the consumer.
    buffered: usize,
    /// Keys of the longest page seen; before the first comes, of those that services give.
    page_keys: usize,
    /// Pages that have come.
    arrived: usize,
    /// Keys that have come.
    keys: usize,
    next_id: u64,
    /// Where the spans that are gone ended.
    joined: Option<String>,
}

impl Driver {
    pub(super) fn new(provider: Arc<dyn Provider>, space: Space, how: ParallelOptions) -> Self {
        let after = space.after.clone().filter(|after| *after >= space.prefix);
        let spans = VecDeque::from([Span::new(0, after.clone(), space.until.clone())]);
        Self {
            provider,
            space,
            how,
            spans,
            unordered: false,
            alphabet: Alphabet::default(),
            asked: JoinSet::new(),
            buffered: 0,
            page_keys: 1000,
            arrived: 0,
            keys: 0,
            next_id: 1,
            joined: after,
        }
    }

    /// Lists until everything is sent, something fails, or nobody listens.
    pub(super) async fn run(mut self, sender: mpsc::Sender<Page>) {
        loop {
            if let Err(error) = self.retire() {
                drop(sender.send(Err(error)).await);
                return;
            }
            if self.spans.is_empty() {
                return;
            }
            self.ask();
            let ready = self.ready();
            tokio::select! {
                arrived = self.asked.join_next(), if !self.asked.is_empty() => {
                    let outcome = match arrived {
                        Some(Ok(arrived)) => self.take(arrived),
                        Some(Err(error)) => Err(error.into()),
                        None => Ok(()),
                    };
                    if let Err(error) = outcome {
                        drop(sender.send(Err(error)).await);
                        return;
                    }
                }
                permit = sender.reserve(), if ready.is_some() => {
                    let (Ok(permit), Some(at)) = (permit, ready) else { return };
                    if let Some(page) = self.spans[at].pages.pop_front() {
                        self.buffered -= page.len();
                        permit.send(Ok(page));
                    }
                }
                // Not reachable while a span waits: it is always asked for, or has something ready.
                else => return drop(sender.send(Err(corrupt("the listing cannot go on".to_owned()))).await),
            }
        }
    }

    /// The span whose page can be sent.
    fn ready(&self) -> Option<usize> {
        match self.how.sorted {
            true => self.spans.front().filter(|span| !span.pages.is_empty()).map(|_| 0),
            false => self.spans.iter().position(|span| !span.pages.is_empty()),
        }
    }

    /// Lets go of spans at the front of which nothing is left, and checks that the next one begins where they ended.
    fn retire(&mut self) -> Result<()> {
        while let Some(span) = self.spans.front() {
            if span.after != self.joined {
                return Err(corrupt("two parts of the listing do not meet".to_owned()));
            }
            if !span.is_done() || !span.pages.is_empty() {
                break;
            }
            self.joined = self.spans.pop_front().and_then(|span| span.until);
        }
        if self.spans.len() > SPANS_PER_WORKER * self.how.workers {
            self.join_done()?;
        }
        Ok(())
    }

    /// Makes one span of neighbours of which nothing is left.
    fn join_done(&mut self) -> Result<()> {
        let is_gone = |span: &Span| span.is_done() && span.pages.is_empty();
        let mut joined: VecDeque<Span> = VecDeque::new();
        for span in std::mem::take(&mut self.spans) {
            match joined.back_mut() {
                Some(before) if before.until != span.after => {
                    return Err(corrupt("two parts of the listing do not meet".to_owned()));
                }
                Some(before) if is_gone(before) && is_gone(&span) => before.join(span),
                _ => joined.push_back(span),
            }
        }
        self.spans = joined;
        Ok(())
    }

    /// Asks for as many pages as there are workers and room, those near the consumer first.
    fn ask(&mut self) {
        self.read_on();
        self.cut();
    }

    /// Keys that wait or are on their way.
    fn expected(&self) -> usize {
        self.buffered + self.asked.len() * self.page_keys
    }

    /// How many keys before the consumer a page may be asked for to go on with a span; cuts, which bring pages of places
    /// further away, have as much room again.
    fn window(&self) -> usize {
        self.how.buffered_keys / 2
    }

    /// Keys of a span that wait or are on their way.
    fn held(&self, span: &Span) -> usize {
        span.waiting() + (usize::from(span.is_asked()) + span.cutting) * self.page_keys
    }

    fn read_on(&mut self) {
        let mut before = 0;
        for at in 0..self.spans.len() {
            let near = before + self.spans[at].waiting() + self.page_keys <= self.window();
            // The first span can always go on, or the consumer would wait for ever.
            let first = at == 0 && self.spans[0].pages.is_empty();
            if self.asked.len() >= self.how.workers || !(near || first) {
                return;
            }
            if let Some(from) = self.spans[at].ask() {
                let span = self.spans[at].id;
                self.spawn(from.clone(), Purpose::Next { span, from });
            }
            before += self.held(&self.spans[at]);
        }
    }

    fn cut(&mut self) {
        if self.unordered {
            return;
        }
        let mut before = 0;
        for at in 0..self.spans.len() {
            let idle = self.how.workers.saturating_sub(self.asked.len());
            let room = self.how.buffered_keys.saturating_sub(self.expected()) / self.page_keys;
            // Effort grows with the listing, so that short ones stay cheap.
            let most = idle.min(room).min(self.arrived.clamp(4, MOST_CUTS));
            let plain = self.keys / self.page_keys;
            let spent = self.arrived + self.asked.len() > FREE_REQUESTS + 2 * plain;
            if most == 0 || spent || before > self.window() {
                return;
            }
            let cuts = self.spans[at].cuts(&self.space.prefix, &self.alphabet, most);
            for key in cuts {
                self.spans[at].cutting += 1;
                let span = self.spans[at].id;
                self.spawn(Start::Key(Some(key.clone())), Purpose::Cut { span, key });
            }
            before += self.held(&self.spans[at]);
        }
    }

    fn spawn(&mut self, from: Start, purpose: Purpose) {
        let (provider, prefix) = (self.provider.clone(), self.space.prefix.clone());
        self.asked.spawn(async move {
            let (offset, page_token) = match from {
                Start::Key(key) => (key, None),
                Start::Token(token) => (None, Some(token)),
            };
            let options = PaginatedListOptions { offset, page_token, ..Default::default() };
            (purpose, page(&*provider, &prefix, options).await)
        });
    }

    fn take(&mut self, (purpose, page): Arrived) -> Result<()> {
        let page = page?;
        self.arrived += 1;
        let odd = page.result.extensions.get::<OddKeys>().map_or(0, |odd| odd.objects.len());
        let keys = (page.result.objects.len() + odd).max(1);
        self.page_keys = if self.arrived == 1 { keys } else { self.page_keys.max(keys) };
        match purpose {
            Purpose::Next { span, from } => self.take_next(span, &from, page),
            Purpose::Cut { span, key } => self.take_cut(span, &key, page),
        }
    }

    fn take_next(&mut self, span: u64, from: &Start, page: PaginatedListResult) -> Result<()> {
        let Some(at) = self.spans.iter().position(|s| s.id == span) else { return Ok(()) };
        let span = &mut self.spans[at];
        let (prefix, until) = (&self.space.prefix, span.until.as_deref());
        let needs_order = self.how.sorted && !self.how.own_order;
        if self.arrived == 1 && !needs_order && !Checked::is_ordered(&page) {
            self.unordered = true;
        }
        let page = match self.unordered {
            true => Checked::unordered(page, prefix, from)?,
            false => Checked::new(page, prefix, from, span.reached(), until)?,
        };
        self.alphabet.learn(page.keys());
        let proved = page.is_empty() && matches!(from, Start::Key(_));
        let enough = proved || self.arrived == 1 || self.unordered;
        self.buffered += page.len();
        self.keys += page.len();
        span.add(page);
        if !enough && self.said_too_early(at) {
            self.spans[at].ask_again();
        }
        Ok(())
    }

    /// Whether the service said that nothing follows a span, while keys are known that do, or while there is no other
    /// proof that the listing is whole. A page that begins after the last key tells.
    fn said_too_early(&self, at: usize) -> bool {
        let mut behind = self.spans.iter().skip(at + 1);
        self.spans[at].state == State::Done { said_so: true }
            && (at + 1 == self.spans.len() || behind.any(Span::has_keys))
    }

    fn take_cut(&mut self, span: u64, key: &str, page: PaginatedListResult) -> Result<()> {
        if let Some(asker) = self.spans.iter_mut().find(|s| s.id == span) {
            asker.cutting -= 1;
        }
        // A span that was read beyond the cut meanwhile has all that the page has.
        let Some(at) = self.spans.iter().position(|s| s.is_ahead(key)) else { return Ok(()) };
        let until = self.spans[at].until.as_deref();
        let from = Start::Key(Some(key.to_owned()));
        let page = Checked::new(page, &self.space.prefix, &from, Some(key), until)?;
        self.alphabet.learn(page.keys());
        if !page.is_empty() || !page.is_end() {
            self.buffered += page.len();
            self.keys += page.len();
            let right = self.spans[at].split(self.next_id, key, page);
            self.next_id += 1;
            self.spans.insert(at + 1, right);
            if self.said_too_early(at + 1) {
                self.spans[at + 1].ask_again();
            }
        } else if !page.said_so() || !self.spans.iter().skip(at + 1).any(Span::has_keys) {
            self.spans[at].end_at(key);
            // What is proved to be empty is part of the span behind it from now on.
            if let Some(next) = self.spans.get_mut(at + 1) {
                next.after = Some(key.to_owned());
            }
        }
        Ok(())
    }
}
