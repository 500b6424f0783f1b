//! The output of a running command: its waits, the locks that it did not get, and each request to AWS.

use crate::http::REQUESTS;
use crate::lock::LOCKS;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// The target of events about waits.
pub const WAITS: &str = "awsideman::waits";
/// While requests end at this rate, nothing waits.
const MOVING: Duration = Duration::from_secs(2);
/// An ongoing wait is printed again at this interval.
const AGAIN: Duration = Duration::from_secs(10);

/// Prints a line.
pub type Print = Box<dyn Fn(&str) + Send + Sync>;

/// The kinds of output while a command runs, in addition to failed locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shows {
    /// Each request to AWS.
    pub requests: bool,
    /// Waits.
    pub waits: bool,
    /// Waits for other processes.
    pub processes: bool,
}

/// The output while a command runs.
pub struct LiveOutput {
    shows: Shows,
    print: Print,
    state: Mutex<LiveState>,
}

#[derive(Default)]
struct LiveState {
    moved: Option<Instant>,
    printed: Option<Instant>,
}

impl LiveOutput {
    /// Printed by `print`.
    pub fn new(shows: Shows, print: Print) -> LiveOutput {
        LiveOutput { shows, print, state: Mutex::default() }
    }

    /// Whether an event is printed.
    pub(super) fn takes(shows: Shows, event: &Metadata<'_>) -> bool {
        match event.target() {
            LOCKS => *event.level() <= Level::WARN || (shows.processes && *event.level() <= Level::INFO),
            WAITS => shows.waits,
            REQUESTS => shows.waits || shows.requests,
            _ => false,
        }
    }

    pub(super) fn shows(&self) -> Shows {
        self.shows
    }

    /// Whether a line about a wait is printed now.
    fn is_worth_a_line(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: Option<Instant>, span| at.is_some_and(|at| now.duration_since(at) < span);
        if recent(state.moved, MOVING) || recent(state.printed, AGAIN) {
            return false;
        }
        state.printed = Some(now);
        true
    }

    fn request(&self, line: &str, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.moved, state.printed) = (Some(now), None);
        drop(state);
        if self.shows.requests {
            (self.print)(line);
        }
    }

    fn wait(&self, line: &str, now: Instant) {
        if self.is_worth_a_line(now) {
            (self.print)(line);
        }
    }
}

impl<S: Subscriber> Layer<S> for LiveOutput {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        match event.metadata().target() {
            REQUESTS => self.request(&message.0, Instant::now()),
            LOCKS if *event.metadata().level() <= Level::WARN => (self.print)(&message.0),
            _ => self.wait(&message.0, Instant::now()),
        }
    }
}

/// The text of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn waits_are_printed_when_nothing_moves_and_not_at_every_turn() {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&lines);
        let live = LiveOutput::new(Shows::default(), Box::new(move |line| kept.lock().unwrap().push(line.to_owned())));
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        for second in [2, 4, 6, 8, 10, 12] {
            live.wait(&format!("wait {second}"), at(second));
        }
        live.request("request", at(13));
        live.wait("wait 14", at(14));
        live.wait("wait 15", at(15));
        assert_eq!(*lines.lock().unwrap(), ["wait 2", "wait 12", "wait 15"]);
    }
}
