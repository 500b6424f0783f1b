//! The arithmetic of one shared limit: when the next call may leave.
//!
//! Neighbours: `rows.rs` keeps rows where all processes see them, `mod.rs` asks. Promise: calls that leave at the
//! slots given out here never exceed the rate in any second, whoever asked; after a throttle the rate drops at once
//! and comes back little by little. Times are microseconds since the epoch.

/// How much longer than exact each step is: clocks count milliseconds, timers and threads wake late, and 5 ms in a
/// second must not make one call too many.
const SLACK: f64 = 1.005;
/// The share of the rate that is left after a throttle.
const CUT: f64 = 0.7;
/// The least share that throttles can leave.
const FLOOR: f64 = 0.1;
/// The share of the rate that comes back in a second.
const RECOVERY: f64 = 0.05;
/// Throttles closer together than this are one: they answer calls that left before the first was known.
const ONE_CUT: i64 = 1_000_000;
/// Background calls reserve slots no further ahead than this: an interactive call waits no longer behind them.
const HORIZON: i64 = 250_000;
/// The most slots that a background call reserves at once.
const BATCH: usize = 5;
/// The longest that AWS can make us wait.
const LONGEST: i64 = 300_000_000;
/// A row further ahead than this was written before the clock was set back.
const ABSURD: i64 = 600_000_000;

/// How fast calls may go, and who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Calls a second for everyone together; above zero.
    pub(super) rate: f64,
    /// The part of it (0 to 1) that background calls may use; `None` for an interactive call.
    pub(super) background: Option<f64>,
}

/// A moment at which one call may leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slot {
    /// Not before this.
    pub(super) at: i64,
    /// A reserved slot is void after this: the calls behind it count on the gap.
    pub(super) until: i64,
}

/// What is remembered of one limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// The first moment that nobody has taken yet.
    pub(super) next: i64,
    /// The share of the rate that was left after the last throttle.
    pub(super) factor: f64,
    /// When that was.
    pub(super) cut_at: i64,
    /// AWS asked for silence until then.
    pub(super) not_before: i64,
}

impl Default for Row {
    fn default() -> Self {
        Self { next: 0, factor: 1.0, cut_at: 0, not_before: 0 }
    }
}

impl Row {
    /// Takes one slot for an interactive call, up to five for a background call; `Err` is the moment to ask again.
    pub(super) fn reserve(&mut self, now: i64, limit: Limit) -> Result<Vec<Slot>, i64> {
        let start = now.max(sane(self.next, now, ABSURD)).max(self.silent_until(now));
        let rate = limit.rate * self.share(now) / SLACK;
        let Some(background) = limit.background else {
            self.next = start.saturating_add(micros(1.0 / rate));
            return Ok(vec![Slot { at: start, until: i64::MAX }]);
        };
        if start > now + HORIZON {
            return Err(start - HORIZON);
        }
        // A background call takes more of the time line than an interactive one: that is the share it leaves. By as
        // much it may be late without coming too close to the next.
        let (full, gap) = (micros(1.0 / rate), micros(1.0 / (rate * background)));
        let slots: Vec<Slot> = (0..)
            .map(|nth: i64| start.saturating_add(gap.saturating_mul(nth)))
            .take(BATCH)
            .take_while(|at| *at <= now + HORIZON)
            .map(|at| Slot { at, until: at + (gap - full) })
            .collect();
        self.next = slots.last().map_or(start, |last| last.at).saturating_add(gap);
        Ok(slots)
    }

    /// AWS refused a call because of its quota.
    pub(super) fn throttled(&mut self, now: i64, retry_after: Option<i64>) {
        if sane(self.cut_at, now, ONE_CUT).saturating_add(ONE_CUT) <= now || self.cut_at == 0 {
            self.factor = (self.share(now) * CUT).max(FLOOR);
            self.cut_at = now;
        }
        if let Some(wait) = retry_after {
            self.not_before = self.silent_until(now).max(now + wait.clamp(0, LONGEST));
        }
    }

    /// Until when AWS asked for silence; in the past when it did not.
    pub(super) fn silent_until(&self, now: i64) -> i64 {
        sane(self.not_before, now, LONGEST)
    }

    /// The share of the configured rate in effect.
    pub(super) fn share(&self, now: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "seconds since a throttle; a rounded microsecond is nothing")]
        let seconds = (now - sane(self.cut_at, now, ONE_CUT)).max(0) as f64 / 1e6;
        (self.factor + seconds * RECOVERY).clamp(FLOOR, 1.0)
    }
}

/// A time from the row, or long ago when it lies so far ahead that the clock must have been set back since.
fn sane(at: i64, now: i64, furthest: i64) -> i64 {
    if at > now.saturating_add(furthest) { 0 } else { at }
}

fn micros(seconds: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates; rates are checked to be positive"
    )]
    let whole = (seconds * 1e6).ceil() as i64;
    whole.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERACTIVE: Limit = Limit { rate: 20.0, background: None };
    const BACKGROUND: Limit = Limit { rate: 20.0, background: Some(0.75) };
    const START: i64 = 1_700_000_000_000_000;
    const SECOND: i64 = 1_000_000;

    fn busiest_second(times: &[i64]) -> usize {
        times.iter().map(|from| times.iter().filter(|at| (*from..*from + SECOND).contains(at)).count()).max().unwrap()
    }

    #[test]
    fn whoever_asks_no_second_holds_more_than_the_rate() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..50 {
            let (mut row, mut now, mut sent) = (Row::default(), START, Vec::new());
            while now < START + 10 * SECOND {
                let limit = if random.bool() { INTERACTIVE } else { BACKGROUND };
                // Late by as much as is allowed: the worst that a caller may do.
                let late = |slot: &Slot| if slot.until == i64::MAX { slot.at } else { slot.until };
                match row.reserve(now, limit) {
                    Ok(slots) => sent.extend(slots.iter().map(late)),
                    Err(again) => now = again,
                }
                now += random.i64(0..60_000);
            }
            let busiest = busiest_second(&sent);
            assert!((15..=20).contains(&busiest), "{busiest}");
        }
    }

    #[test]
    fn background_calls_alone_leave_their_share() {
        let (mut row, mut now, mut sent) = (Row::default(), START, Vec::new());
        while now < START + 10 * SECOND {
            match row.reserve(now, BACKGROUND) {
                Ok(slots) => {
                    assert!(slots.len() <= BATCH && slots.iter().all(|slot| slot.at <= now + HORIZON));
                    sent.extend(slots.iter().map(|slot| slot.at));
                }
                Err(again) => now = again,
            }
        }
        assert_eq!(busiest_second(&sent), 15);
        assert!(sent.len() >= 148, "the share is used up: {}", sent.len());
    }

    #[test]
    fn an_interactive_call_waits_at_most_a_third_of_a_second_behind_background_calls() {
        let mut row = Row::default();
        while row.reserve(START, BACKGROUND).is_ok() {}
        let slots = row.reserve(START, INTERACTIVE).unwrap();
        assert!(slots[0].at <= START + 334_000, "{}", slots[0].at - START);
    }

    #[test]
    fn a_throttle_cuts_the_rate_once_and_it_comes_back_little_by_little() {
        let mut row = Row::default();
        row.throttled(START, None);
        row.throttled(START + 10, None);
        assert!((row.share(START) - 0.7).abs() < 1e-9, "two throttles of one burst are one");
        assert!((row.share(START + 2 * SECOND) - 0.8).abs() < 1e-9);
        assert!((row.share(START + 60 * SECOND) - 1.0).abs() < 1e-9);
        let first = row.reserve(START, INTERACTIVE).unwrap()[0].at;
        let second = row.reserve(START, INTERACTIVE).unwrap()[0].at;
        assert!((71_000..72_000).contains(&(second - first)), "1 / (20 x 0.7) s: {}", second - first);
        for nth in 1..100 {
            row.throttled(START + nth * SECOND, None);
        }
        assert!(row.share(START + 99 * SECOND) >= FLOOR);
    }

    #[test]
    fn nobody_calls_before_aws_said_to_come_back() {
        let mut row = Row::default();
        row.throttled(START, Some(3 * SECOND));
        row.throttled(START, Some(SECOND));
        assert_eq!(row.reserve(START, INTERACTIVE).unwrap()[0].at, START + 3 * SECOND);
        assert_eq!(row.reserve(START, BACKGROUND), Err(row.next - HORIZON));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lock_everyone_out() {
        let mut row = Row { next: START, factor: 0.1, cut_at: START, not_before: START };
        let earlier = START - 86_400 * SECOND;
        assert_eq!(row.reserve(earlier, INTERACTIVE).unwrap()[0].at, earlier);
        assert!((row.share(earlier) - 1.0).abs() < 1e-9);
    }
}
