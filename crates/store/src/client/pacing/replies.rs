//! What a host's replies tell.

use tokio::time::Instant;

/// Share of refusals that is no sign of anything.
const TOLERATED: f64 = 0.03;

/// Refusals that tell a share.
const ENOUGH: f64 = 12.0;

/// Refusals to be expected of a host, fewer than half of which tell that it is well again.
const EXPECTED: f64 = 32.0;

/// How much fewer requests are fewer: a share of those before.
const FEWER: f64 = 0.7;

/// How often fewer requests have to change nothing until that is a habit.
const IN_VAIN: u32 = 2;

/// Of what a host accepts out of habit, how much less is still usual.
const SOME_MORE: f64 = 0.5;

/// A host that refuses so many is closed, whatever it does with the others.
const NEARLY_ALL: f64 = 0.95;

/// Probability that a host with a habit refuses so many in a row by chance.
const CHANCE: f64 = 1e-6;

/// The share that a host refuses however few requests it gets, for it is ill, or others ask too much of it. To go slower
/// helps nobody then.
#[derive(Debug)]
pub(super) struct Habit {
    /// Zero while there is none.
    share: f64,
    /// Replies since a moment.
    since: Instant,
    accepted: f64,
    refused: f64,
    /// What the replies before told.
    before: Option<Told>,
    in_vain: u32,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    /// Requests per second.
    asked: f64,
    /// Of them refused.
    share: f64,
}

impl Told {
    /// Whether neither of the two outcomes has become half as frequent as in `other`.
    fn is_like(self, other: Self) -> bool {
        self.share >= other.share / 2.0 && 1.0 - self.share >= (1.0 - other.share) / 2.0
    }
}

impl Habit {
    pub(super) fn new(now: Instant) -> Self {
        Self { share: 0.0, since: now, accepted: 0.0, refused: 0.0, before: None, in_vain: 0 }
    }

    /// Whether refusals are a habit.
    pub(super) fn is_known(&self) -> bool {
        self.share > 0.0
    }

    pub(super) fn accepted(&mut self, now: Instant) {
        self.accepted += 1.0;
        // It is well again.
        if self.is_known() && self.count() * self.share >= EXPECTED {
            if self.refused < EXPECTED / 2.0 {
                self.share = 0.0;
            }
            self.begin(now);
        }
    }

    pub(super) fn refused(&mut self) {
        self.refused += 1.0;
    }

    /// Whether the host has refused a share out of habit, as its replies show that now: it had fewer requests, again and
    /// again, and refused as many of them as before.
    pub(super) fn shows(&mut self, now: Instant) -> bool {
        if self.is_known() || self.refused < ENOUGH {
            return false;
        }
        let seconds = now.saturating_duration_since(self.since).as_secs_f64().max(0.1);
        let told = Told { asked: self.count() / seconds, share: self.refused / self.count() };
        self.begin(now);
        let Some(before) = self.before.replace(told) else { return false };
        if told.asked > FEWER * before.asked {
            self.before = Some(before);
            return false;
        }
        let is_in_vain = told.is_like(before) && told.share < NEARLY_ALL;
        self.in_vain = if is_in_vain { self.in_vain + 1 } else { 0 };
        if self.in_vain < IN_VAIN {
            return false;
        }
        *self = Self { share: f64::midpoint(told.share, before.share), ..Self::new(now) };
        true
    }

    /// The share of refusals that is no reason to go slower: out of habit, and some more.
    pub(super) fn tolerated(&self) -> f64 {
        match self.is_known() {
            true => self.share + SOME_MORE * (1.0 - self.share),
            false => TOLERATED,
        }
    }

    /// After how many refusals in a row, of no fewer than `least`, a host is closed.
    pub(super) fn closed_after(&self, least: u32) -> u32 {
        match self.is_known() {
            true => least.max((CHANCE.ln() / self.share.ln()).ceil() as u32),
            false => least,
        }
    }

    /// It refuses more than usual: that does depend on how many there are.
    pub(super) fn forget(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    fn count(&self) -> f64 {
        self.accepted + self.refused
    }

    fn begin(&mut self, now: Instant) {
        (self.since, self.accepted, self.refused) = (now, 0.0, 0.0);
    }
}

/// Replies of the last three seconds, in tenths.
#[derive(Debug)]
pub(super) struct Recent {
    begin: Instant,
    tenth: u64,
    accepted: [f64; TENTHS],
    refused: [f64; TENTHS],
}

const TENTHS: usize = 30;

impl Recent {
    pub(super) fn new(now: Instant) -> Self {
        Self { begin: now, tenth: 0, accepted: [0.0; TENTHS], refused: [0.0; TENTHS] }
    }

    fn slot(&mut self, now: Instant) -> usize {
        let tenth = now.saturating_duration_since(self.begin).as_millis() as u64 / 100;
        for gone in (self.tenth + 1..=tenth).rev().take(TENTHS) {
            let slot = (gone % TENTHS as u64) as usize;
            (self.accepted[slot], self.refused[slot]) = (0.0, 0.0);
        }
        self.tenth = self.tenth.max(tenth);
        (self.tenth % TENTHS as u64) as usize
    }

    pub(super) fn accepted(&mut self, now: Instant) {
        let slot = self.slot(now);
        self.accepted[slot] += 1.0;
    }

    pub(super) fn refused(&mut self, now: Instant) {
        let slot = self.slot(now);
        self.refused[slot] += 1.0;
    }

    /// Accepted requests per second.
    pub(super) fn rate(&mut self, now: Instant) -> f64 {
        self.slot(now);
        // The present tenth is not over yet.
        let part = now.saturating_duration_since(self.begin).as_secs_f64() * 10.0 % 1.0;
        let seconds = (self.tenth.min(TENTHS as u64 - 1) as f64 + part.max(0.1)) / 10.0;
        self.accepted.iter().sum::<f64>() / seconds
    }

    /// Whether no more than this share was refused, but for one.
    pub(super) fn is_within(&mut self, now: Instant, share: f64) -> bool {
        self.slot(now);
        let (accepted, refused) =
            (self.accepted.iter().sum::<f64>(), self.refused.iter().sum::<f64>());
        refused <= 1.0 + share * (accepted + refused)
    }
}
