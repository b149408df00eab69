//! The rate of one host.

use std::time::Duration;

use tokio::time::Instant;

use super::OutOfOrder;
use super::replies::{Habit, Recent};

/// How long replies are counted before the first rate is set.
const MEASURE: Duration = Duration::from_millis(250);

/// Longest stop that a host can ask for.
const MOST_HOLD: Duration = Duration::from_secs(60);

/// Fewer accepted requests than this tell no rate.
const FEW: f64 = 8.0;

/// In a shorter time, a host that counts by the second tells no rate either.
const WINDOW: Duration = Duration::from_secs(1);

/// What was accepted for so long, stops apart, is a rate that the host can keep up.
const LASTING: Duration = Duration::from_secs(2);

/// What of an allowed rate is used at first.
const CAUTION: f64 = 0.95;

/// Steepness of the cubic curve: a share of the rate, per second cubed. From 95 % to 100 % takes 2.3 s, from 100 % to 200 %
/// another 6.3 s.
const STEEPNESS: f64 = 0.004;

/// Refusals in a row after which a host that names a time is taken at its word.
const CLOSED: u32 = 3;

/// When it is asked again all the same, for the first time; each pause is twice as long as the one before.
const FIRST_ASKED: Duration = Duration::from_millis(50);

/// For so many times as long as it was closed, its rate does not go beyond what was too much.
const CALM: u32 = 40;

/// A host that accepts this share of what it is asked allows nearly that much: its rate goes down by steps of this kind.
const KEEPS_UP: f64 = 0.6;
const NEXT_LOWER: f64 = 0.95;

/// Perhaps more is allowed than was found in a hurry.
const UNTRIED: f64 = 2.0;

/// Requests per second, at least; at a host that accepts nothing, somebody has to try.
const LEAST_RATE: f64 = 1.0;

/// Requests per second when nothing is known; doubles after a time.
const FIRST_RATE: f64 = 16.0;

/// That time after a stop, when the host may have saved something up; and while it refuses: requests that are refused too
/// often fail.
const DOUBLE: Duration = Duration::from_millis(100);
const DOUBLE_WARILY: Duration = Duration::from_millis(250);

/// A host that neither refuses nor makes anybody wait for so long has no pace any more.
const FORGET: Duration = Duration::from_secs(15);

/// A host that has refused everything for so long is out of order, if it was asked within the longest stop and a little.
const OUT_OF_ORDER: Duration = Duration::from_secs(180);
const ASKED_WITHIN: Duration = Duration::from_secs(90);

/// Unused time that can be made up for: timers wake late.
const CREDIT: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Counting replies, without a pace.
    Measuring { until: Instant },
    /// Looking for a rate: it doubles again and again.
    Rising { since: Instant, double: Duration },
    /// On the curve that reaches `top` after `inflection` seconds.
    Cubic { since: Instant, top: f64, inflection: f64, calm_until: Instant },
    /// Nothing to pace.
    Over,
}

/// While a host refuses everything and has named a time. Now and then one request finds out whether it still does.
#[derive(Debug)]
struct Stop {
    since: Instant,
    until: Instant,
    ask_at: Instant,
    pause: Duration,
}

impl Stop {
    fn new(now: Instant, until: Instant) -> Self {
        Self { since: now, until, ask_at: now + FIRST_ASKED, pause: FIRST_ASKED }
    }

    /// Whether a request may go: how long to wait if not.
    fn ask(&mut self, now: Instant) -> Option<Duration> {
        if now < self.ask_at {
            return Some(self.until.min(self.ask_at) - now);
        }
        self.pause *= 2;
        self.ask_at = now + self.pause;
        None
    }
}

/// The rate of one host. Time is an argument everywhere, so that it can be tested without waiting.
#[derive(Debug)]
pub(super) struct Control {
    phase: Phase,
    /// Tickets given out; requests go in their order.
    tickets: u64,
    /// Tickets whose turn has come, with the part of the next one, and when that was so.
    turns: f64,
    turns_at: Instant,
    stop: Option<Stop>,
    /// Refusals since something was accepted.
    in_a_row: u32,
    /// The first and the last refusal since something was accepted.
    refusing: Option<(Instant, Instant)>,
    /// Counts reductions and stops.
    epoch: u64,
    /// When the host last had nothing more to give, and what it gave since.
    exhausted: Instant,
    accepted_since: f64,
    recent: Recent,
    habit: Habit,
    /// When somebody last had to wait.
    waited: Instant,
}

impl Control {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Measuring { until: now + MEASURE },
            tickets: 0,
            turns: 0.0,
            turns_at: now,
            stop: None,
            in_a_row: 0,
            refusing: None,
            epoch: 0,
            exhausted: now,
            accepted_since: 0.0,
            recent: Recent::new(now),
            habit: Habit::new(now),
            waited: now,
        }
    }

    pub(super) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Takes a turn: the epoch, or how long to wait.
    pub(super) fn take(&mut self, now: Instant, ticket: u64) -> Result<u64, Duration> {
        if let Some(stop) = &mut self.stop {
            if now < stop.until {
                self.waited = now;
                return match stop.ask(now) {
                    None => Ok(self.epoch),
                    Some(wait) => Err(wait),
                };
            }
            self.resume(now);
        }
        self.advance(now);
        let Some(rate) = self.rate(now) else {
            (self.turns, self.turns_at) = (self.tickets as f64, now);
            return Ok(self.epoch);
        };
        let gained = now.saturating_duration_since(self.turns_at).as_secs_f64() * rate;
        // Turns that nobody takes are lost, but for those of a moment: timers wake late.
        let most = (self.tickets - 1) as f64 + (CREDIT.as_secs_f64() * rate).max(1.0);
        (self.turns, self.turns_at) = ((self.turns + gained).min(most), now);
        let missing = ticket as f64 - self.turns;
        if missing <= 0.0 {
            return Ok(self.epoch);
        }
        self.waited = now;
        Err(Duration::from_secs_f64(missing / rate))
    }

    /// Requests per second; `None` while there is no pace.
    fn rate(&self, now: Instant) -> Option<f64> {
        let since = |begin: Instant| now.saturating_duration_since(begin).as_secs_f64();
        match self.phase {
            Phase::Measuring { .. } | Phase::Over => None,
            Phase::Rising { since: begin, double } => {
                let doublings = (since(begin) / double.as_secs_f64()).min(16.0);
                Some(FIRST_RATE * doublings.exp2())
            }
            Phase::Cubic { since: begin, top, inflection, calm_until } => {
                // After a stop the curve stays at its flat part until the calm is over.
                let calm = calm_until.saturating_duration_since(begin).as_secs_f64();
                let past = since(begin) - inflection;
                let time =
                    if past > 0.0 { (since(begin) - calm.max(inflection)).max(0.0) } else { past };
                Some((top + STEEPNESS * top * time.powi(3)).max(LEAST_RATE))
            }
        }
    }

    pub(super) fn accepted(&mut self, now: Instant, epoch: u64) {
        self.recent.accepted(now);
        self.accepted_since += 1.0;
        if self.is_of_now(epoch) {
            self.habit.accepted(now);
        }
        (self.in_a_row, self.refusing) = (0, None);
        if self.stop.is_none() {
            self.advance(now);
        } else if epoch == self.epoch {
            self.resume(now);
        }
    }

    pub(super) fn refused(&mut self, now: Instant, epoch: u64, retry_after: Option<Duration>) {
        self.recent.refused(now);
        if self.is_of_now(epoch) {
            self.habit.refused();
        }
        self.in_a_row += 1;
        let since = self.refusing(now).unwrap_or(now);
        self.refusing = Some((since, now));
        let until = now + retry_after.map(|hold| hold.min(MOST_HOLD)).unwrap_or_default();
        if let Some(stop) = &mut self.stop {
            // Of one that asked whether it is open again: some hosts always name the same time.
            if epoch < self.epoch {
                stop.until = stop.until.max(until);
            }
            return;
        }
        self.advance(now);
        if epoch < self.epoch {
            return;
        }
        let is_closed = self.in_a_row >= self.habit.closed_after(CLOSED);
        if until > now && is_closed {
            if matches!(self.phase, Phase::Measuring { .. }) {
                self.phase = Phase::Rising { since: now, double: DOUBLE };
            }
            self.epoch += 1;
            self.stop = Some(Stop::new(now, until));
            return;
        }
        let is_tolerable = self.is_tolerable(now);
        match self.phase {
            Phase::Measuring { .. } | Phase::Over => {}
            _ if now.saturating_duration_since(self.exhausted) < WINDOW => {}
            _ if is_tolerable => {}
            _ => self.reduce(now, is_closed.then_some(Duration::ZERO)),
        }
    }

    /// Whether a reply tells of requests as they go now: those that were on their way when the host closed do, too.
    fn is_of_now(&self, epoch: u64) -> bool {
        epoch + u64::from(self.stop.is_some()) >= self.epoch
    }

    /// Whether so little was refused that it is no reason to go slower.
    fn is_tolerable(&mut self, now: Instant) -> bool {
        self.recent.is_within(now, self.habit.tolerated())
    }

    /// Since when the host has refused everything, if it was asked of late.
    fn refusing(&self, now: Instant) -> Option<Instant> {
        let (since, last) = self.refusing?;
        (now.saturating_duration_since(last) <= ASKED_WITHIN).then_some(since)
    }

    pub(super) fn out_of_order(&self, now: Instant) -> Option<OutOfOrder> {
        let refused = now.saturating_duration_since(self.refusing(now)?);
        (refused >= OUT_OF_ORDER).then_some(OutOfOrder(refused))
    }

    /// Leaves a turn that has not come to who is next.
    pub(super) fn renounce(&mut self) {
        self.turns += 1.0;
    }

    /// Goes on after a stop, during which no time has passed for the curve. From one such moment to the next a host that
    /// counts by the second has given whole seconds' worth.
    fn resume(&mut self, now: Instant) {
        let Some(stop) = self.stop.take() else { return };
        let stopped = now - stop.since;
        (self.in_a_row, self.turns_at) = (0, now);
        let mut has_begun = false;
        if let Phase::Rising { since, .. } | Phase::Cubic { since, .. } = &mut self.phase {
            has_begun = *since == stop.since;
            *since += stopped;
        }
        let elapsed = now - self.exhausted;
        if has_begun {
            self.begin_epoch(now);
            return;
        }
        if self.habit.is_known() && self.is_tolerable(now) {
            return;
        }
        if self.habit.shows(now) {
            self.rise(now);
            return;
        }
        // A host that was closed all the time has told nothing of its rate.
        if elapsed < WINDOW || self.accepted_since < FEW.min(elapsed.as_secs_f64()) {
            return;
        }
        self.reduce(now, Some(stopped));
        if let Phase::Cubic { calm_until, .. } = &mut self.phase
            && elapsed > LASTING
        {
            *calm_until = now + stopped * CALM;
        }
    }

    /// Ends a phase whose time is up.
    fn advance(&mut self, now: Instant) {
        match self.phase {
            Phase::Measuring { until } if now >= until => {
                if self.is_tolerable(now) {
                    self.phase = Phase::Over;
                    return;
                }
                self.habit.shows(now);
                if self.accepted_since < FEW {
                    self.rise(now);
                    return;
                }
                let allowed = self.accepted_since / (now - self.exhausted).as_secs_f64();
                // Who was refused waits and does not ask: perhaps more is allowed than was taken.
                self.set(now, allowed * CAUTION, allowed * UNTRIED);
                self.begin_epoch(now);
            }
            Phase::Rising { since, .. } | Phase::Cubic { since, .. } => {
                let idle = |begin: Instant| now.saturating_duration_since(begin) > FORGET;
                let is_idle = idle(since) && idle(self.waited) && idle(self.exhausted);
                if is_idle && self.recent.is_within(now, 0.0) {
                    self.phase = Phase::Over;
                }
            }
            Phase::Measuring { .. } | Phase::Over => {}
        }
    }

    /// The host refuses some, or has refused all for a time. Between two such moments it gave what it allows. What was saved
    /// up long ago says nothing about the rate, and neither does a time that is longer than those of hosts that count by the
    /// second: it is a penalty, or the rest of a quota's.
    fn reduce(&mut self, now: Instant, closed: Option<Duration>) {
        if self.habit.is_known() {
            self.habit.forget(now);
        } else if self.habit.shows(now) {
            self.rise(now);
            return;
        }
        let penalty = closed.filter(|closed| *closed > WINDOW * 2);
        let elapsed = now - self.exhausted - penalty.unwrap_or_default();
        let accepted = match elapsed > LASTING && penalty.is_none() {
            true => self.recent.rate(now),
            false => self.accepted_since / elapsed.as_secs_f64().max(0.1),
        };
        let allowed = match (self.phase, self.rate(now)) {
            // A host that saves nothing up gives less the more it refuses: the truth is just below what was asked.
            (Phase::Cubic { .. }, Some(asked))
                if closed.is_none() && accepted > KEEPS_UP * asked =>
            {
                accepted.max(NEXT_LOWER * asked)
            }
            _ => accepted,
        };
        let top = match self.phase {
            // Each attempt at more costs as much again.
            _ if penalty.is_some() => allowed * CAUTION,
            Phase::Rising { .. } => allowed * UNTRIED,
            _ => allowed,
        };
        self.set(now, top.min(allowed) * CAUTION, top);
        self.begin_epoch(now);
    }

    /// Looks for a rate.
    fn rise(&mut self, now: Instant) {
        self.phase = Phase::Rising { since: now, double: DOUBLE_WARILY };
        self.begin_epoch(now);
    }

    /// Goes on at `rate`, on a curve that is flat around `top`.
    fn set(&mut self, now: Instant, rate: f64, top: f64) {
        let top = top.max(LEAST_RATE);
        let rate = rate.clamp(LEAST_RATE.min(top * CAUTION), top * CAUTION);
        let inflection = ((top - rate) / (STEEPNESS * top)).cbrt();
        self.phase = Phase::Cubic { since: now, top, inflection, calm_until: now };
    }

    fn begin_epoch(&mut self, now: Instant) {
        self.epoch += 1;
        self.exhausted = now;
        self.accepted_since = 0.0;
        self.recent = Recent::new(now);
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over && self.stop.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LEAST_SLEEP, RECONSIDER};
    use super::*;

    /// A host that allows so many requests per second, and saves up some or gives them anew with each second.
    struct Bucket {
        rate: f64,
        burst: f64,
        by_second: bool,
        tokens: f64,
        last: Instant,
        /// How long it refuses everything once too much was asked.
        penalty: Duration,
        /// Share that it refuses anyway, and what the next one depends on.
        ill: f64,
        chance: u64,
    }

    impl Bucket {
        fn new(rate: f64, burst: f64, now: Instant) -> Self {
            let penalty = Duration::ZERO;
            let (by_second, ill, chance) = (false, 0.0, 7);
            Self { rate, burst, by_second, tokens: burst, last: now, penalty, ill, chance }
        }

        fn ill(share: f64, now: Instant) -> Self {
            Self { ill: share, ..Self::new(f64::MAX, f64::MAX, now) }
        }

        fn by_second(rate: f64, now: Instant) -> Self {
            // Its seconds do not begin with ours.
            let last = now - Duration::from_millis(370);
            Self { by_second: true, last, ..Self::new(rate, rate, now) }
        }

        fn take(&mut self, now: Instant) -> bool {
            self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if ((self.chance >> 33) as f64) < self.ill * (1u64 << 31) as f64 {
                return false;
            }
            let gained = now.saturating_duration_since(self.last).as_secs_f64() * self.rate;
            match self.by_second {
                false => {
                    self.tokens = (self.tokens + gained).min(self.burst);
                    self.last = self.last.max(now);
                }
                true if gained >= self.rate => {
                    self.tokens = self.rate;
                    self.last += Duration::from_secs((now - self.last).as_secs());
                }
                true => {}
            }
            let enough = self.tokens >= 1.0 && now >= self.last;
            if !enough && now >= self.last && !self.penalty.is_zero() {
                self.last += self.penalty;
                self.tokens = self.burst / 2.0;
            }
            self.tokens -= if enough { 1.0 } else { 0.0 };
            enough
        }
    }

    /// Lets 24 workers send for `seconds`, and repeat after 100 ms; returns the accepted and refused ones of each second.
    fn simulate(
        bucket: &mut Bucket,
        control: &mut Control,
        begin: Instant,
        seconds: u64,
        retry_after: Option<Duration>,
    ) -> Vec<(u32, u32)> {
        let latency = Duration::from_millis(5);
        let mut free = vec![begin; 24];
        let mut tickets: Vec<u64> = free.iter().map(|_| control.ticket()).collect();
        let mut outcomes = vec![(0, 0); seconds as usize];
        let end = begin + Duration::from_secs(seconds);
        loop {
            let (worker, at) = free.iter().copied().enumerate().min_by_key(|(_, at)| *at).unwrap();
            if at >= end {
                return outcomes;
            }
            match control.take(at, tickets[worker]) {
                Err(wait) => free[worker] = at + wait.clamp(LEAST_SLEEP, RECONSIDER),
                Ok(epoch) => {
                    let second = &mut outcomes[(at - begin).as_secs() as usize];
                    free[worker] = at + latency;
                    tickets[worker] = control.ticket();
                    match bucket.take(at) {
                        true => {
                            control.accepted(at, epoch);
                            second.0 += 1;
                        }
                        false => {
                            if control.is_over() {
                                *control = Control::new(at);
                                tickets.iter_mut().for_each(|ticket| *ticket = control.ticket());
                            }
                            control.refused(at, epoch, retry_after);
                            free[worker] += Duration::from_millis(100);
                            second.1 += 1;
                        }
                    }
                }
            }
        }
    }

    fn accepted(outcomes: &[(u32, u32)]) -> f64 {
        outcomes.iter().map(|(accepted, _)| f64::from(*accepted)).sum::<f64>()
            / outcomes.len() as f64
    }

    /// Hosts that save up nothing, a little, much, or that count by the second.
    fn hosts(rate: f64, now: Instant) -> impl Iterator<Item = Bucket> {
        let bursts = [1.0, 2.0, rate / 4.0, rate, 2.0 * rate];
        let buckets = bursts.map(|burst| Bucket::new(rate, burst, now));
        buckets.into_iter().chain([Bucket::by_second(rate, now)])
    }

    #[test]
    fn takes_nearly_all_that_a_host_allows() {
        let now = Instant::now();
        for retry_after in [None, Some(1_000), Some(30_000)] {
            let after = retry_after.map(Duration::from_millis);
            for rate in [10.0, 150.0] {
                for mut bucket in hosts(rate, now) {
                    let mut control = Control::new(now);
                    let outcomes = simulate(&mut bucket, &mut control, now, 70, after);
                    let (burst, by_second) = (bucket.burst, bucket.by_second);
                    let host = format!("{rate}/s, {burst}, {by_second}, {after:?}");
                    let goodput = accepted(&outcomes[20..]) / rate;
                    assert!(goodput > 0.9, "{host}: {goodput}, {outcomes:?}");
                    // Where nothing is saved up, the rate is found slowly.
                    let begin = accepted(&outcomes[..30]) / rate;
                    assert!(begin > 0.85 || burst == 1.0, "{host}: {begin}, {outcomes:?}");
                    let refused: u32 = outcomes[20..].iter().map(|(_, refused)| refused).sum();
                    let share = f64::from(refused) / (50.0 * rate);
                    assert!(share < 0.08, "{host}: {share} refused, {outcomes:?}");
                }
            }
        }
    }

    #[test]
    fn a_host_that_refuses_a_share_of_however_many_is_asked_as_ever() {
        let now = Instant::now();
        for retry_after in [None, Some(1), Some(30)] {
            let after = retry_after.map(Duration::from_secs);
            for share in [0.1, 0.3, 0.5, 0.7] {
                let (mut bucket, mut control) = (Bucket::ill(share, now), Control::new(now));
                let outcomes = simulate(&mut bucket, &mut control, now, 80, after);
                // As many as 24 workers have of it that repeat after 100 ms.
                let free = 24.0 / (0.005 + 0.1 * share) * (1.0 - share);
                let goodput = accepted(&outcomes[40..]) / free;
                assert!(goodput > 0.9, "{share}, {after:?}: {goodput}, {outcomes:?}");
            }
        }
    }

    #[test]
    fn a_host_that_is_well_again_is_forgotten() {
        let now = Instant::now();
        let (mut bucket, mut control) = (Bucket::ill(0.5, now), Control::new(now));
        simulate(&mut bucket, &mut control, now, 30, None);
        assert!(control.habit.is_known() && !control.is_over());
        bucket.ill = 0.0;
        simulate(&mut bucket, &mut control, now + Duration::from_secs(30), 20, None);
        assert!(control.is_over());
    }

    #[test]
    fn finds_out_that_a_host_allows_more_or_less() {
        let now = Instant::now();
        let (mut bucket, mut control) = (Bucket::new(50.0, 10.0, now), Control::new(now));
        simulate(&mut bucket, &mut control, now, 20, None);
        bucket.rate = 200.0;
        let later = now + Duration::from_secs(20);
        let more = simulate(&mut bucket, &mut control, later, 30, None);
        assert!(accepted(&more[20..]) > 180.0, "{more:?}");
        bucket.rate = 25.0;
        let less = simulate(&mut bucket, &mut control, later + Duration::from_secs(30), 30, None);
        assert!(accepted(&less[5..]) > 22.0, "{less:?}");
        assert!(less[5..].iter().all(|(_, refused)| *refused < 20), "{less:?}");
    }

    #[test]
    fn one_refusal_is_an_accident() {
        let now = Instant::now();
        let mut control = Control::new(now);
        control.refused(now, 0, None);
        for i in 0..300 {
            let at = now + Duration::from_millis(i);
            let ticket = control.ticket();
            assert!(control.take(at, ticket).is_ok());
            control.accepted(at, 0);
        }
        assert!(control.is_over());
    }

    #[test]
    fn a_burst_reduces_once() {
        let now = Instant::now();
        let mut control = Control::new(now);
        for i in 0..100 {
            control.accepted(now + Duration::from_millis(2 * i), 0);
            control.refused(now + Duration::from_millis(2 * i), 0, None);
        }
        let later = now + MEASURE + Duration::from_millis(1);
        control.advance(later);
        let rate = control.rate(later).unwrap();
        assert!((300.0..500.0).contains(&rate), "{rate}");
        for _ in 0..100 {
            control.refused(later, 0, None);
        }
        assert_eq!(control.rate(later), Some(rate), "they were sent before the reduction");
    }

    #[test]
    fn a_host_that_is_left_alone_is_forgotten() {
        let now = Instant::now();
        let (mut bucket, mut control) = (Bucket::new(100.0, 20.0, now), Control::new(now));
        simulate(&mut bucket, &mut control, now, 5, None);
        let later = now + Duration::from_secs(5) + FORGET * 2;
        let ticket = control.ticket();
        assert!(control.take(later, ticket).is_ok());
        assert!(control.is_over());
    }

    /// Lets one worker ask until `end`; when the requests went, which are all refused.
    fn refusals(control: &mut Control, begin: Instant, end: Instant) -> Vec<Instant> {
        let (mut now, mut went) = (begin, Vec::new());
        let mut ticket = control.ticket();
        while now < end {
            match control.take(now, ticket) {
                Err(wait) => now += wait.min(RECONSIDER),
                Ok(epoch) => {
                    control.refused(now, epoch, Some(end - now));
                    went.push(now);
                    ticket = control.ticket();
                }
            }
        }
        went
    }

    #[test]
    fn a_host_that_is_closed_is_asked_seldom() {
        let begin = Instant::now();
        let mut control = Control::new(begin);
        let went = refusals(&mut control, begin, begin + Duration::from_secs(30));
        assert!(went.len() <= CLOSED as usize + 10, "{went:?}");
        let last = went.windows(2).next_back().unwrap();
        assert!(last[1] - last[0] > Duration::from_secs(5), "{went:?}");
    }

    #[test]
    fn a_host_that_names_too_long_a_time_is_found_to_be_open() {
        let begin = Instant::now();
        let mut control = Control::new(begin);
        for _ in 0..CLOSED {
            control.refused(begin, 0, Some(Duration::from_secs(30)));
        }
        let ticket = control.ticket();
        assert_eq!(control.take(begin, ticket), Err(FIRST_ASKED));
        // Sent before it closed.
        control.accepted(begin, 0);
        assert!(control.stop.is_some());
        let epoch = control.take(begin + FIRST_ASKED, ticket).unwrap();
        control.accepted(begin + FIRST_ASKED, epoch);
        assert!(control.stop.is_none());
    }

    #[test]
    fn nobody_closes_a_host_for_longer_than_a_minute() {
        let begin = Instant::now();
        let mut control = Control::new(begin);
        for _ in 0..CLOSED {
            control.refused(begin, 0, Some(Duration::from_secs(86_400)));
        }
        assert_eq!(control.stop.as_ref().unwrap().until, begin + MOST_HOLD);
    }

    #[test]
    fn a_host_with_penalties_is_not_provoked() {
        let now = Instant::now();
        let (mut bucket, mut control) = (Bucket::new(50.0, 25.0, now), Control::new(now));
        let penalty = Duration::from_secs(30);
        bucket.penalty = penalty;
        let outcomes = simulate(&mut bucket, &mut control, now, 600, Some(penalty));
        let goodput = accepted(&outcomes[100..]) / 50.0;
        assert!(goodput > 0.8, "{goodput}, {outcomes:?}");
    }

    #[test]
    fn a_host_that_was_closed_for_long_has_its_rate_again() {
        let now = Instant::now();
        let (mut bucket, mut control) = (Bucket::new(50.0, 25.0, now), Control::new(now));
        let after = Some(Duration::from_secs(30));
        simulate(&mut bucket, &mut control, now, 20, after);
        bucket.rate = 0.0;
        let closed = now + Duration::from_secs(20);
        let refused = simulate(&mut bucket, &mut control, closed, 300, after);
        assert!(refused[5..].iter().map(|(_, refused)| refused).sum::<u32>() < 200, "{refused:?}");
        bucket.rate = 50.0;
        let open =
            simulate(&mut bucket, &mut control, closed + Duration::from_secs(300), 60, after);
        assert!(accepted(&open[30..]) > 45.0, "{open:?}");
    }

    #[test]
    fn a_host_that_refuses_everything_is_out_of_order_until_it_accepts_something() {
        let begin = Instant::now();
        let mut control = Control::new(begin);
        let after = |seconds| begin + Duration::from_secs(seconds);
        for second in 0..=200 {
            control.refused(after(second), control.epoch, None);
            assert_eq!(control.out_of_order(after(second)).is_some(), second >= 180, "{second}");
        }
        control.accepted(after(201), control.epoch);
        control.refused(after(202), control.epoch, None);
        assert_eq!(control.out_of_order(after(202)), None);
        // What was so long ago says nothing of now.
        control.refused(after(900), control.epoch, None);
        assert_eq!(control.out_of_order(after(900)), None);
    }

    #[test]
    fn a_host_that_accepts_others_is_not_stopped() {
        let now = Instant::now();
        let mut control = Control::new(now);
        for i in 0..200 {
            let at = now + Duration::from_millis(i);
            control.accepted(at, control.epoch);
            control.refused(at, control.epoch, Some(Duration::from_secs(30)));
        }
        assert!(control.stop.is_none());
    }
}
