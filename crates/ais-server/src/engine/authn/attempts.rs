//! Logins that failed: whoever guesses has to wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that cost nothing: people mistype.
const FREE: u32 = 5;
/// Wait after the first failure that costs; it doubles with each.
const FIRST: Duration = Duration::from_millis(250);
/// Longest wait between two tries, and until failures are forgotten.
const LONGEST: Duration = Duration::from_secs(30);
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);
/// Most pairs of users and addresses that are remembered.
const MOST: usize = 10_000;

#[derive(Clone, Copy)]
struct Failures {
    number: u32,
    last: Instant,
}

impl Failures {
    /// Time from the last failure to the next try.
    fn pause(self) -> Duration {
        match self.number.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(beyond) => FIRST.saturating_mul(1 << beyond.min(16)).min(LONGEST),
        }
    }
}

/// Failures in a row by user and address, so that nobody is locked out by guesses from elsewhere.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<(String, IpAddr), Failures>>);

impl Attempts {
    /// How long this user has to wait at this address; a try that may go on is counted as failed until it
    /// [succeeds](Self::succeeded), so that many at once are not one.
    pub(super) fn try_now(&self, user: &str, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, failures| now.duration_since(failures.last) < FORGOTTEN);
            if all.len() >= MOST {
                all.clear();
            }
        }
        let failures =
            all.entry((user.to_owned(), from)).or_insert(Failures { number: 0, last: now });
        let since = now.duration_since(failures.last);
        if since >= FORGOTTEN {
            failures.number = 0;
        }
        if let Some(left) = failures.pause().checked_sub(since).filter(|left| !left.is_zero()) {
            return Err(left);
        }
        *failures = Failures { number: failures.number.saturating_add(1), last: now };
        Ok(())
    }

    /// The password was right: nothing is held against the user.
    pub(super) fn succeeded(&self, user: &str, from: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(user.to_owned(), from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_takes_longer_and_longer() {
        let (attempts, mut now) = (Attempts::default(), Instant::now());
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for _ in 0..=FREE {
            assert_eq!(attempts.try_now("u", here, now), Ok(()));
        }
        for seconds in [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let pause = Duration::from_secs_f64(seconds);
            assert_eq!(attempts.try_now("u", here, now), Err(pause));
            now += pause;
            assert_eq!(attempts.try_now("u", here, now), Ok(()));
        }
        assert!(attempts.try_now("u", here, now).is_err());
        assert_eq!(attempts.try_now("u", there, now), Ok(()), "from elsewhere");
        assert_eq!(attempts.try_now("v", here, now), Ok(()), "another user");
        now += FORGOTTEN;
        assert_eq!(attempts.try_now("u", here, now), Ok(()));
        assert_eq!(attempts.try_now("u", here, now), Ok(()), "all is forgotten");
    }

    #[test]
    fn the_right_password_clears_the_slate() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let here = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..100 {
            assert_eq!(attempts.try_now("u", here, now), Ok(()));
            attempts.succeeded("u", here);
        }
    }
}
