//! The arithmetic of one shared limit: when the next call may leave.
//!
//! Calls that leave within the slots given out here never exceed the rate in any second, whichever process asked and however
//! late each is; after a throttle the rate drops immediately and comes back little by little. Times are microseconds
//! since the epoch.
//!
//! The proof: every slot has a moment in it that is [`SLACK`] / rate or more after that of the slot before, and its call
//! leaves [`LATE`] after that moment at most. So of rate + 1 calls in a row the last leaves 1 s x [`SLACK`] - [`LATE`] =
//! 1.015 s or more after the first. A call that comes later still pays for it: all free slots move
//! by as much, and it may leave if that is soon enough to be before the last of the rate + 1. What is above a second is
//! left to the way from here to AWS, which may take one call 15 ms longer than another.
//!
//! The host's clock is good enough for this. Set forward, it skips slots, which then stay unused; set back, it makes
//! everyone wait until it has caught up, and where that is longer than a queue can be, the row is not believed.

/// How much longer than exact each step is.
const SLACK: f64 = 1.03;
/// How late a call may use its slot for nothing: timers wake by the millisecond, other threads and processes have their
/// turn first.
const LATE: i64 = 15_000;
/// A call that is later pays only where no call has taken a slot that begins so long after its own: short of the second
/// in which they are counted together.
const SOON: i64 = 1_000_000;
/// What a slot is wider at most for a call that has missed several.
const WIDEST: i64 = 1_000_000;
/// The share of the rate that is left after a throttle.
const CUT: f64 = 0.7;
/// The least share that throttles can leave.
const FLOOR: f64 = 0.1;
/// The share of the rate that comes back in a second.
const RECOVERY: f64 = 0.05;
/// Throttles closer together than this are one: they answer calls that left before the first was known.
const ONE_CUT: i64 = 1_000_000;
/// Background calls take slots no further ahead than this: an interactive call waits no longer behind them.
const HORIZON: i64 = 250_000;
/// The longest that AWS can make us wait.
const LONGEST: i64 = 300_000_000;
/// No queue of callers reaches further ahead than so many steps and this: a row that does was written before the clock
/// was set back.
const QUEUE: (f64, i64) = (100.0, 60_000_000);

/// How fast calls may go, and who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimit {
    /// Calls a second for everyone together; above zero.
    pub(crate) rate: f64,
    /// The part of it (0 to 1) that background calls may use; `None` for an interactive call.
    pub(crate) background: Option<f64>,
}

/// A time in which one call may leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slot {
    /// Not before this.
    pub(crate) at: i64,
    /// Not after this, unless it is paid for: the calls behind it count on the gap.
    pub(crate) until: i64,
}

/// What is remembered of one limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LimiterState {
    /// The first free moment.
    pub(crate) next: i64,
    /// The share of the rate that was left after the last throttle.
    pub(crate) factor: f64,
    /// When that was.
    pub(crate) cut_at: i64,
    /// AWS asked for silence until then.
    pub(crate) not_before: i64,
}

impl Default for LimiterState {
    fn default() -> Self {
        Self { next: 0, factor: 1.0, cut_at: 0, not_before: 0 }
    }
}

impl LimiterState {
    /// Takes the next slot for a call that has `missed` so many; `Err` is the moment to ask again.
    pub(crate) fn reserve(&mut self, now: i64, limit: RateLimit, missed: u32) -> Result<Slot, i64> {
        let rate = limit.rate * self.share(now);
        let step = micros(SLACK / rate);
        let furthest = micros(QUEUE.0 * SLACK / rate).saturating_add(QUEUE.1).saturating_add(self.silence(now));
        let at = now.max(sane(self.next, now, furthest)).max(self.silent_until(now));
        if limit.background.is_some() && at > now + HORIZON {
            return Err(at - HORIZON);
        }
        // A background call takes more of the time line than an interactive one: that is the share it leaves. A call that is
        // always late (a host that is busy with something else) takes more of it too, and then comes to his turn. By as
        // much as a slot is longer, its call may be later.
        let longer = micros(SLACK / (rate * limit.background.unwrap_or(1.0))) - step;
        let wider = if missed < 2 { 0 } else { (LATE.max(step / 2) << (missed - 2).min(16)).min(WIDEST) };
        self.next = at.saturating_add(step + longer + wider);
        Ok(Slot { at, until: at + LATE + longer + wider })
    }

    /// Whether a call may use its slot now although it is late for it. Beyond a step that would cost more than another
    /// slot does.
    pub(crate) fn pay(&mut self, now: i64, slot: Slot, limit: RateLimit) -> bool {
        let over = now - slot.until;
        let step = micros(SLACK / (limit.rate * self.share(now)));
        let may = over <= step && self.next <= slot.at + SOON;
        if may {
            self.next += over.max(0);
        }
        may
    }

    /// AWS refused a call because of its quota.
    pub(crate) fn throttled(&mut self, now: i64, retry_after: Option<i64>) {
        if sane(self.cut_at, now, ONE_CUT).saturating_add(ONE_CUT) <= now || self.cut_at == 0 {
            self.factor = (self.share(now) * CUT).max(FLOOR);
            self.cut_at = now;
        }
        if let Some(wait) = retry_after {
            self.not_before = self.silent_until(now).max(now + wait.clamp(0, LONGEST));
        }
    }

    /// Until when AWS asked for silence; in the past when it did not.
    pub(crate) fn silent_until(&self, now: i64) -> i64 {
        sane(self.not_before, now, LONGEST)
    }

    /// How much longer AWS wants silence.
    pub(crate) fn silence(&self, now: i64) -> i64 {
        (self.silent_until(now) - now).max(0)
    }

    /// The share of the configured rate in effect.
    pub(crate) fn share(&self, now: i64) -> f64 {
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
    use proptest::prelude::*;

    const INTERACTIVE: RateLimit = RateLimit { rate: 20.0, background: None };
    const BACKGROUND: RateLimit = RateLimit { rate: 20.0, background: Some(0.75) };
    const EVERYTHING: RateLimit = RateLimit { rate: 20.0, background: Some(1.0) };
    const START: i64 = 1_700_000_000_000_000;
    const SECOND: i64 = 1_000_000;

    /// The most that left in any second, whenever it began. `times` are in order.
    fn busiest_second(times: &[i64]) -> usize {
        let mut first = 0;
        let within = times.iter().enumerate().map(|(nth, at)| {
            while at - times[first] >= SECOND {
                first += 1;
            }
            nth + 1 - first
        });
        within.max().unwrap_or(0)
    }

    /// One that asks, waits for its slot and leaves.
    struct Process {
        limit: RateLimit,
        /// When it does the next of these.
        now: i64,
        slot: Option<Slot>,
        missed: u32,
    }

    /// Processes at work for ten seconds: `lateness` says how long after its slot began each call would leave. What left,
    /// in order, and how many slots were missed.
    fn run(limits: &[RateLimit], mut lateness: impl FnMut() -> i64) -> (Vec<i64>, usize) {
        let (mut row, mut sent, mut missed) = (LimiterState::default(), Vec::new(), 0);
        let mut processes: Vec<Process> =
            limits.iter().map(|limit| Process { limit: *limit, now: START, slot: None, missed: 0 }).collect();
        loop {
            let process = processes.iter_mut().min_by_key(|process| process.now).unwrap();
            let now = process.now;
            if now >= START + 10 * SECOND {
                return (sent, missed);
            }
            match process.slot.take() {
                Some(slot) if now <= slot.until || row.pay(now, slot, process.limit) => {
                    sent.push(now);
                    process.missed = 0;
                }
                Some(_) => {
                    process.missed += 1;
                    missed += 1;
                }
                None => match row.reserve(now, process.limit, process.missed) {
                    Ok(slot) => {
                        process.now = slot.at + lateness();
                        process.slot = Some(slot);
                    }
                    Err(again) => process.now = again,
                },
            }
        }
    }

    proptest! {
        #[test]
        fn however_late_and_whoever_asks_no_second_holds_more_than_the_rate(
            rate in prop_oneof![Just(1.0), Just(20.0), Just(200.0), 0.5..300.0],
            shares in proptest::collection::vec(prop_oneof![Just(None), Just(Some(1.0)), (0.1..1.0).prop_map(Some)], 1..12),
            (seed, most) in (any::<u64>(), prop_oneof![Just(1), Just(5_000), Just(LATE), Just(2 * LATE), Just(200_000)]),
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let limits: Vec<RateLimit> = shares.iter().map(|share| RateLimit { rate, background: *share }).collect();
            let (sent, missed) = run(&limits, || random.i64(0..=most));
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let busiest = busiest_second(&sent) as f64;
            prop_assert!(busiest <= rate.ceil(), "{busiest} at {rate}");
            prop_assert!(!sent.is_empty() || rate < 5.0);
            prop_assert!(most > LATE || missed == 0);
        }
    }

    #[test]
    fn several_processes_that_are_late_as_usual_use_all_of_it() {
        for rate in [20.0, 200.0] {
            let mut random = fastrand::Rng::with_seed(7);
            let limit = RateLimit { rate, background: Some(1.0) };
            // Once in a hundred calls a thread was busy with something else.
            let (sent, _) = run(&[limit; 32], || if random.u8(0..100) == 0 { 30_000 } else { random.i64(0..4_000) });
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let used = sent.len() as f64 / (10.0 * rate);
            assert!((0.95..=1.0).contains(&used), "{used} at {rate}");
        }
    }

    #[test]
    fn background_calls_alone_leave_their_share() {
        let (sent, _) = run(&[BACKGROUND; 4], || 0);
        assert_eq!(busiest_second(&sent), 15);
        assert!(sent.len() >= 145, "the share is used up: {}", sent.len());
    }

    #[test]
    fn whoever_is_always_late_comes_to_his_turn_all_the_same() {
        let (sent, missed) = run(&[EVERYTHING], || 90_000);
        assert!(sent.len() >= 10 && missed > 10, "{} left, {missed} slots were missed", sent.len());
        assert!(busiest_second(&sent) <= 20);
    }

    #[test]
    fn an_interactive_call_waits_at_most_a_third_of_a_second_behind_background_calls() {
        for limit in [BACKGROUND, EVERYTHING] {
            let mut row = LimiterState::default();
            let mut ahead = 0;
            while let Ok(slot) = row.reserve(START, limit, 0) {
                assert!(slot.at <= START + HORIZON);
                ahead += 1;
            }
            assert!(ahead <= 5, "{ahead}");
            let slot = row.reserve(START, INTERACTIVE, 0).unwrap();
            assert!(slot.at <= START + 320_000, "{}", slot.at - START);
        }
    }

    #[test]
    fn a_throttle_cuts_the_rate_once_and_it_comes_back_little_by_little() {
        let mut row = LimiterState::default();
        row.throttled(START, None);
        row.throttled(START + 10, None);
        assert!((row.share(START) - 0.7).abs() < 1e-9, "two throttles of one burst are one");
        assert!((row.share(START + 2 * SECOND) - 0.8).abs() < 1e-9);
        assert!((row.share(START + 60 * SECOND) - 1.0).abs() < 1e-9);
        let first = row.reserve(START, INTERACTIVE, 0).unwrap().at;
        let second = row.reserve(START, INTERACTIVE, 0).unwrap().at;
        assert!((73_000..74_000).contains(&(second - first)), "1.03 / (20 x 0.7) s: {}", second - first);
        for nth in 1..100 {
            row.throttled(START + nth * SECOND, None);
        }
        assert!(row.share(START + 99 * SECOND) >= FLOOR);
    }

    #[test]
    fn nobody_calls_before_aws_said_to_come_back() {
        let mut row = LimiterState::default();
        row.throttled(START, Some(3 * SECOND));
        row.throttled(START, Some(SECOND));
        assert_eq!(row.silence(START), 3 * SECOND);
        assert_eq!(row.reserve(START, INTERACTIVE, 0).unwrap().at, START + 3 * SECOND);
        assert_eq!(row.reserve(START, BACKGROUND, 0), Err(row.next - HORIZON));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lock_everyone_out() {
        for seconds in [90, 86_400] {
            let earlier = START - seconds * SECOND;
            let not_before = if seconds > 300 { START } else { 0 };
            let mut row = LimiterState { next: START, factor: 0.1, cut_at: START, not_before };
            assert_eq!(row.reserve(earlier, INTERACTIVE, 0).unwrap().at, earlier);
            assert!((row.share(earlier) - 1.0).abs() < 1e-9);
        }
    }
}
