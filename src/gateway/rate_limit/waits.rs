//! The current waits of one source's calls, to show in a long run.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Everything that is waited for.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// By number, so that the first one began first.
    open: BTreeMap<u64, (String, Instant)>,
}

/// One wait; it ends with this value.
pub(crate) struct Wait<'a> {
    waits: &'a Waits,
    number: u64,
}

impl Waits {
    /// A wait for `what` begins.
    pub(crate) fn begin(&self, what: String) -> Wait<'_> {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.open.insert(number, (what, Instant::now()));
        Wait { waits: self, number }
    }

    /// What has been waited for longest, and for how long.
    pub(crate) fn longest(&self) -> Option<(String, Duration)> {
        self.lock().open.values().next().map(|(what, since)| (what.clone(), since.elapsed()))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.waits.lock().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_that_began_first_is_told_until_it_ends() {
        let waits = Waits::default();
        let first = waits.begin("AWS".into());
        let second = waits.begin("the rate limit".into());
        assert_eq!(waits.longest().unwrap().0, "AWS");
        drop(first);
        assert_eq!(waits.longest().unwrap().0, "the rate limit");
        drop(second);
        assert_eq!(waits.longest(), None);
    }
}
