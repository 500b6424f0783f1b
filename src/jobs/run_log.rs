//! Captures the output of one run: forwards it labeled with the job name, and keeps it for `jobs logs`.
//!
//! Guarantee: everything is forwarded immediately. The kept part is bounded, and counts the lines that it drops.

use crate::clock::{self, Clock, UnixMillis};
use crate::jobs::live::LiveRun;
use crate::progress::Progress;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most lines that are kept of one run.
const LINES: usize = 200;
/// The most characters that are kept of each line.
const LENGTH: usize = 500;
/// The most parts of work in the live progress.
const STRETCHES: usize = 3;

/// The log of one run.
pub(super) struct RunLog {
    label: String,
    observer: Arc<dyn Progress>,
    clock: Arc<dyn Clock>,
    kept: Mutex<StoredRunLog>,
}

#[derive(Default)]
struct StoredRunLog {
    lines: Vec<OutputLine>,
    dropped: u64,
    /// The ongoing parts of work: name, done, total.
    open: Vec<(String, u64, Option<u64>)>,
    calls: u64,
    waits_for: Option<String>,
}

/// One line.
#[derive(Serialize)]
struct OutputLine {
    #[serde(serialize_with = "clock::serialize")]
    at: UnixMillis,
    text: String,
}

impl RunLog {
    /// The log of a run of `job` for `profile`. `observer` receives everything, and that the run starts.
    pub(super) fn of(
        job: &str,
        profile: Option<&str>,
        observer: Arc<dyn Progress>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let label = profile.map_or_else(|| job.to_owned(), |profile| format!("{job} ({profile})"));
        observer.started(&label, None);
        Arc::new(Self { label, observer, clock, kept: Mutex::default() })
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

    /// Adds the lines to the figures of the run.
    pub(super) fn close(&self, detail: &mut Map<String, Value>) {
        self.observer.finished(&self.label);
        let kept = std::mem::take(&mut *self.kept());
        if !kept.lines.is_empty() {
            detail.insert("log".into(), json!(kept.lines));
        }
        if kept.dropped > 0 {
            detail.insert("log_dropped".into(), json!(kept.dropped));
        }
    }

    /// The name of a part of work with the job in front: two jobs may do the same part at the same time.
    fn under(&self, what: &str) -> String {
        format!("{}: {what}", self.label)
    }
}

impl Progress for RunLog {
    fn started(&self, what: &str, total: Option<u64>) {
        self.observer.started(&self.under(what), total);
        self.kept().open.push((what.to_owned(), 0, total));
    }

    fn paced(&self, what: &str, a_second: f64) {
        self.observer.paced(&self.under(what), a_second);
    }

    fn advanced(&self, what: &str, by: u64) {
        self.observer.advanced(&self.under(what), by);
        if let Some((_, done, _)) = self.kept().open.iter_mut().find(|(name, ..)| name == what) {
            *done += by;
        }
    }

    fn notice(&self, text: &str) {
        self.observer.notice(&self.under(text));
        let mut kept = self.kept();
        if kept.lines.len() < LINES {
            let text = text.chars().take(LENGTH).collect();
            kept.lines.push(OutputLine { at: self.clock.now(), text });
        } else {
            kept.dropped += 1;
        }
    }

    fn finished(&self, what: &str) {
        self.observer.finished(&self.under(what));
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
    fn output_is_forwarded_with_the_job_name_and_notices_are_kept() {
        let observer = Arc::new(Heard::default());
        let run_log = RunLog::of("warm", Some("prod"), observer.clone(), Arc::new(ManualClock::at(1_500)));
        run_log.started("users", Some(3));
        run_log.paced("users", 15.0);
        run_log.advanced("users", 2);
        run_log.counted(7, Some("the rate limit"));
        let live = LiveRun { calls: 7, doing: Some("users, 2 of 3".into()), waits_for: Some("the rate limit".into()) };
        assert_eq!(run_log.live(), live);
        run_log.notice("throttled; tried again in 30s");
        run_log.finished("users");
        assert_eq!(run_log.live().doing, None);
        let mut detail = Map::new();
        run_log.close(&mut detail);
        let said = [
            "warm (prod) begins None",
            "warm (prod): users begins Some(3)",
            "warm (prod): users at 15",
            "warm (prod): users +2",
            "warm (prod): throttled; tried again in 30s",
            "warm (prod): users ends",
            "warm (prod) ends",
        ];
        assert_eq!(*observer.0.lock().unwrap(), said);
        let kept = json!([{ "at": "1970-01-01T00:00:01.500Z", "text": "throttled; tried again in 30s" }]);
        assert_eq!(Value::Object(detail), json!({ "log": kept }));
    }

    #[test]
    fn the_log_of_a_verbose_run_is_bounded_and_dropped_lines_are_counted() {
        let run_log = RunLog::of("a", None, Arc::new(crate::progress::NoProgress), Arc::new(ManualClock::at(0)));
        for _ in 0..LINES + 7 {
            run_log.notice(&"x".repeat(2 * LENGTH));
        }
        let mut detail = Map::new();
        run_log.close(&mut detail);
        assert_eq!(detail["log"].as_array().unwrap().len(), LINES);
        assert_eq!(detail["log"][0]["text"].as_str().unwrap().len(), LENGTH);
        assert_eq!(detail["log_dropped"], 7);
    }
}
