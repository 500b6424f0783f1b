//! Decides how long the holder of a lock is waited for: as long as it makes progress and is not stopped.

use super::holder::RunState;
use crate::model::format_duration;
use std::time::{Duration, Instant};

/// The pause between two observations of the holder.
const INTERVAL: Duration = Duration::from_millis(200);
/// The longest time without progress.
const PATIENCE: Duration = Duration::from_secs(30);
/// A stopped holder can continue within this time.
const GRACE: Duration = Duration::from_secs(1);

/// The observations of one holder.
#[derive(Debug)]
pub struct HolderWatch {
    progress: Option<u64>,
    moved: Instant,
    observed: Option<Instant>,
    stopped: Option<Instant>,
}

impl HolderWatch {
    /// Starts at `now`.
    pub fn new(now: Instant) -> HolderWatch {
        HolderWatch { progress: None, moved: now, observed: None, stopped: None }
    }

    /// Whether it is time for the next observation.
    pub fn is_due(&self, now: Instant) -> bool {
        self.observed.is_none_or(|at| now.duration_since(at) >= INTERVAL)
    }

    /// Records the progress and the state of the holder; returns the reason if the wait must end.
    pub fn observe(&mut self, now: Instant, progress: u64, state: Option<RunState>) -> Option<String> {
        self.observed = Some(now);
        if self.progress != Some(progress) {
            (self.progress, self.moved) = (Some(progress), now);
        }
        if state.is_some_and(|state| state != RunState::Runs) {
            let since = *self.stopped.get_or_insert(now);
            return (now.duration_since(since) >= GRACE).then(|| "it is stopped".to_owned());
        }
        self.stopped = None;
        let idle = now.duration_since(self.moved);
        (idle >= PATIENCE).then(|| format!("it made no progress for {}", format_duration(PATIENCE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_waited_for_as_long_as_it_makes_progress() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut watch = HolderWatch::new(begun);
        for page in 0..100_u64 {
            assert_eq!(watch.observe(at(page * 29), page, Some(RunState::Runs)), None);
        }
        let last = 99 * 29;
        assert_eq!(watch.observe(at(last + 29), 99, Some(RunState::Runs)), None);
        let reason = watch.observe(at(last + 30), 99, Some(RunState::Runs));
        assert_eq!(reason.as_deref(), Some("it made no progress for 30s"));
        assert!(watch.observe(at(last + 30), 99, None).is_some(), "also one that the kernel does not show");
    }

    #[test]
    fn a_stopped_holder_is_left_after_a_second_and_one_that_continues_is_not() {
        let begun = Instant::now();
        let at = |millis: u64| begun + Duration::from_millis(millis);
        let mut watch = HolderWatch::new(begun);
        assert_eq!(watch.observe(at(0), 1, Some(RunState::Stopped)), None);
        assert_eq!(watch.observe(at(900), 1, Some(RunState::Runs)), None);
        assert_eq!(watch.observe(at(1_000), 1, Some(RunState::Stopped)), None);
        assert_eq!(watch.observe(at(2_000), 1, Some(RunState::Stopped)).as_deref(), Some("it is stopped"));
    }
}
