//! What is kept for charts and counters as work goes by: the size after a job run, the calls that were made of AWS.
//!
//! What cannot be kept costs a point of a chart and nothing else; a cached answer keeps nothing.

use crate::app::core::App;
use crate::app::stack::StoreStack;
use crate::progress::Calls;
use crate::sqlite::{self, Synchronous};
use crate::state::{
    CallCount, StateDir, StateError, THROTTLED, UsageSample, add_calls, add_sample, add_throttles, note_contact,
};
use std::time::Duration;

/// The longest wait for a statistic.
const PATIENCE: Duration = Duration::from_millis(250);

/// Records sizes and calls for charts and counters.
pub(super) struct UsageSamples<'a> {
    app: &'a App,
}

impl<'a> UsageSamples<'a> {
    /// The same operations for this application.
    pub(super) fn new(app: &'a App) -> UsageSamples<'a> {
        UsageSamples { app }
    }

    /// Keeps how large the cache is now.
    pub(super) fn take(&self) {
        let Ok(Some(store)) = StoreStack::new(self.app).existing_store() else { return };
        let Ok(size) = store.size() else { return };
        let sample = UsageSample { at: self.app.clock().now(), entries: size.entries, held: size.held };
        let kept =
            self.app.database().and_then(|(mut database, _)| add_sample(&mut database, self.app.cache_dir(), &sample));
        if let Err(error) = kept {
            tracing::debug!(%error, "no sample of the size was kept");
        }
    }

    /// What keeps the calls of one source when it is done.
    pub(super) fn call_counter(&self) -> impl Fn(&Calls) + Send + Sync + 'static {
        let state = StateDir::new(self.app.state_dir(), self.app.access(), PATIENCE);
        let clock = self.app.clock().clone();
        move |calls| {
            if let Err(error) = keep(&state, calls, clock.now()) {
                tracing::debug!(%error, "the calls were not counted");
            }
        }
    }
}

fn keep(state: &StateDir, calls: &Calls, now: i64) -> Result<(), StateError> {
    let (mut database, _) = state.database(now)?;
    // A count that a power cut takes is not worth a wait for the disk at the end of a command.
    sqlite::synchronize(database.reader(), Synchronous::Normal)?;
    let count = |operation: &str, sent| CallCount { operation: operation.into(), sent };
    let mut counts: Vec<CallCount> = calls.by_operation.iter().map(|(name, sent)| count(name, *sent)).collect();
    if calls.throttled > 0 {
        counts.push(count(THROTTLED, calls.throttled));
        add_throttles(&mut database, calls.throttled, now)?;
    }
    note_contact(&mut database, calls.unreachable.as_deref(), now)?;
    add_calls(&mut database, &counts, now)
}
