//! Captures the output of one run: forwards it labeled with the job name, and keeps it for `jobs logs`.
//!
//! Everything is passed on as it comes; what is kept is bounded, and when more was said that is said too.

use crate::clock::{self, Clock, UnixMillis};
use crate::jobs::live::LiveRun;
use crate::progress::Progress;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many lines of one run are kept.
const LINES: usize = 200;
/// Of each line so many characters.
const LENGTH: usize = 500;
/// The most parts of work that are named together.
const STRETCHES: usize = 3;

/// The minutes of one run.
pub(super) struct Minutes {
    label: String,
    heard: Arc<dyn Progress>,
    clock: Arc<dyn Clock>,
    kept: Mutex<StoredRunLog>,
}

#[derive(Default)]
struct StoredRunLog {
    lines: Vec<OutputLine>,
    dropped: u64,
    /// The ongoing parts of work: what, how far, of how much.
    open: Vec<(String, u64, Option<u64>)>,
    calls: u64,
    waits_for: Option<String>,
}

/// One thing that was said.
#[derive(Serialize)]
struct OutputLine {
    #[serde(serialize_with = "clock::serialize")]
    at: UnixMillis,
    text: String,
}

impl Minutes {
    /// Those of a run of `job` for `profile`; `heard` is told all of it too, and that the run begins.
    pub(super) fn of(job: &str, profile: Option<&str>, heard: Arc<dyn Progress>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let label = profile.map_or_else(|| job.to_owned(), |profile| format!("{job} ({profile})"));
        heard.started(&label, None);
        Arc::new(Self { label, heard, clock, kept: Mutex::default() })
    }

    /// The progress of the run.
    pub(super) fn live(&self) -> LiveRun {
        let kept = self.kept();
        let stretch = |(what, done, total): &(String, u64, Option<u64>)| match (done, total) {
            (done, Some(total)) => format!("{what}, {done} of {total}"),
            (0, None) => what.clone(),
            (done, None) => format!("{what}, {done}"),
        };
        let doing: Vec<String> = kept.open.iter().rev().take(STRETCHES).map(stretch).collect();
        let doing = (!doing.is_empty()).then(|| doing.join("; "));
        LiveRun { calls: kept.calls, doing, waits_for: kept.waits_for.clone() }
    }

    fn kept(&self) -> MutexGuard<'_, StoredRunLog> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run is over: what was said goes into its figures.
    pub(super) fn close(&self, detail: &mut Map<String, Value>) {
        self.heard.finished(&self.label);
        let kept = std::mem::take(&mut *self.kept());
        if !kept.lines.is_empty() {
            detail.insert("log".into(), json!(kept.lines));
        }
        if kept.dropped > 0 {
            detail.insert("log_dropped".into(), json!(kept.dropped));
        }
    }

    /// A stretch of work of this run, as everybody else is told of it: two jobs may do the same at once.
    fn under(&self, what: &str) -> String {
        format!("{}: {what}", self.label)
    }
}

impl Progress for Minutes {
    fn started(&self, what: &str, total: Option<u64>) {
        self.heard.started(&self.under(what), total);
        self.kept().open.push((what.to_owned(), 0, total));
    }

    fn paced(&self, what: &str, a_second: f64) {
        self.heard.paced(&self.under(what), a_second);
    }

    fn advanced(&self, what: &str, by: u64) {
        self.heard.advanced(&self.under(what), by);
        if let Some((_, done, _)) = self.kept().open.iter_mut().find(|(name, ..)| name == what) {
            *done += by;
        }
    }

    fn notice(&self, text: &str) {
        self.heard.notice(&self.under(text));
        let mut kept = self.kept();
        if kept.lines.len() < LINES {
            let text = text.chars().take(LENGTH).collect();
            kept.lines.push(OutputLine { at: self.clock.now(), text });
        } else {
            kept.dropped += 1;
        }
    }

    fn finished(&self, what: &str) {
        self.heard.finished(&self.under(what));
        self.kept().open.retain(|(name, ..)| name != what);
    }

    fn counted(&self, calls: u64, waits_for: Option<&str>) {
        let mut kept = self.kept();
        (kept.calls, kept.waits_for) = (calls, waits_for.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Heard {
        fn note(&self, text: String) {
            self.0.lock().unwrap().push(text);
        }
    }

    impl Progress for Heard {
        fn started(&self, what: &str, total: Option<u64>) {
            self.note(format!("{what} begins {total:?}"));
        }
        fn paced(&self, what: &str, a_second: f64) {
            self.note(format!("{what} at {a_second}"));
        }
        fn advanced(&self, what: &str, by: u64) {
            self.note(format!("{what} +{by}"));
        }
        fn notice(&self, text: &str) {
            self.note(text.to_owned());
        }
        fn finished(&self, what: &str) {
            self.note(format!("{what} ends"));
        }
    }

    #[test]
    fn everything_is_passed_on_under_the_name_of_the_job_and_notices_are_kept() {
        let heard = Arc::new(Heard::default());
        let minutes = Minutes::of("warm", Some("prod"), heard.clone(), Arc::new(ManualClock::at(1_500)));
        minutes.started("users", Some(3));
        minutes.paced("users", 15.0);
        minutes.advanced("users", 2);
        minutes.counted(7, Some("the rate limit"));
        let live = LiveRun { calls: 7, doing: Some("users, 2 of 3".into()), waits_for: Some("the rate limit".into()) };
        assert_eq!(minutes.live(), live);
        minutes.notice("throttled; tried again in 30s");
        minutes.finished("users");
        assert_eq!(minutes.live().doing, None);
        let mut detail = Map::new();
        minutes.close(&mut detail);
        let said = [
            "warm (prod) begins None",
            "warm (prod): users begins Some(3)",
            "warm (prod): users at 15",
            "warm (prod): users +2",
            "warm (prod): throttled; tried again in 30s",
            "warm (prod): users ends",
            "warm (prod) ends",
        ];
        assert_eq!(*heard.0.lock().unwrap(), said);
        let kept = json!([{ "at": "1970-01-01T00:00:01.500Z", "text": "throttled; tried again in 30s" }]);
        assert_eq!(Value::Object(detail), json!({ "log": kept }));
    }

    #[test]
    fn a_run_that_talks_without_end_is_kept_to_a_bound_and_that_is_counted() {
        let minutes = Minutes::of("a", None, Arc::new(crate::progress::NoProgress), Arc::new(ManualClock::at(0)));
        for _ in 0..LINES + 7 {
            minutes.notice(&"x".repeat(2 * LENGTH));
        }
        let mut detail = Map::new();
        minutes.close(&mut detail);
        assert_eq!(detail["log"].as_array().unwrap().len(), LINES);
        assert_eq!(detail["log"][0]["text"].as_str().unwrap().len(), LENGTH);
        assert_eq!(detail["log_dropped"], 7);
    }
}
