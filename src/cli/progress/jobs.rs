//! Jobs that run, for people who watch: one line for each, with what it does, how far it is and what is left at the quota.
//!
//! A job has one line however many stretches it has and however narrow the terminal is, the newest stretch is
//! shown, the line is gone when the job ends, and off a terminal nothing is drawn.

use super::super::output::Stderr;
use super::super::output::escape::visible;
use crate::model::format_duration;
use crate::progress::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(120);
/// From so many columns on there is room for a bar.
const WIDE: u16 = 80;
const COUNTED: &str = "{spinner} {prefix:<20} [{bar:20}] {wide_msg} {elapsed}";
const UNCOUNTED: &str = "{spinner} {prefix:<20} {wide_msg} {elapsed}";
/// What does not fit is cut off at the end: a line that the terminal breaks in two cannot be drawn over.
const NARROW: &str = "{spinner} {wide_msg} {elapsed}";
/// A longer name gets the line without a bar.
const NAME: usize = 20;

/// One line for each job that runs.
pub struct JobLines {
    talk: Stderr,
    bars: MultiProgress,
    width: u16,
    jobs: Mutex<BTreeMap<String, ProgressLine>>,
}

struct ProgressLine {
    bar: ProgressBar,
    name: String,
    /// What it does now, the newest last.
    stretches: Vec<ProgressSegment>,
}

struct ProgressSegment {
    name: String,
    total: Option<u64>,
    done: u64,
    /// Steps a second at the quota; 0 when that is not known.
    a_second: f64,
}

impl JobLines {
    /// Drawn on stderr when `talk` goes to a terminal; notices are always printed.
    pub fn new(talk: Stderr) -> JobLines {
        let draws = talk.is_terminal() && !talk.is_quiet();
        let target = if draws { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let asked = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| size.ws_col);
        let width = if asked == 0 { WIDE } else { asked };
        JobLines { talk, bars: MultiProgress::with_draw_target(target), width, jobs: Mutex::default() }
    }

    /// Takes all lines away and draws no more, whatever still goes on: what follows is printed where they stood.
    pub fn end(&self) {
        for line in std::mem::take(&mut *self.jobs()).values() {
            line.bar.finish_and_clear();
        }
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, ProgressLine>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the stretch that `what` names, and shows it.
    fn stretch(&self, what: &str, change: impl FnOnce(&mut ProgressSegment)) {
        let mut jobs = self.jobs();
        let Some((job, name)) = parts(what, &jobs) else { return };
        let Some(line) = jobs.get_mut(&job) else { return };
        if let Some(stretch) = line.stretches.iter_mut().rev().find(|stretch| stretch.name == name) {
            change(stretch);
        }
        line.show(self.width);
    }
}

impl ProgressLine {
    fn show(&self, width: u16) {
        let newest = self.stretches.last();
        let words = newest.map(ProgressSegment::words).unwrap_or_default();
        let counted = newest.and_then(|stretch| stretch.total.map(|total| (stretch.done, total)));
        let is_wide = width >= WIDE && self.name.chars().count() <= NAME;
        let (template, message) = match (is_wide, counted) {
            (true, Some(_)) => (COUNTED, words),
            (true, None) => (UNCOUNTED, words),
            (false, _) if words.is_empty() => (NARROW, self.name.clone()),
            (false, _) => (NARROW, format!("{}: {words}", self.name)),
        };
        self.bar.set_style(style(template));
        let (done, total) = counted.unwrap_or_default();
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.set_message(message);
    }
}

impl ProgressSegment {
    /// `users 100/300, 12s left at the quota`.
    fn words(&self) -> String {
        let name = visible(&self.name);
        match self.total {
            Some(total) if self.a_second > 0.0 => {
                #[expect(clippy::cast_precision_loss, reason = "counts of steps are far below 2^52")]
                let seconds = total.saturating_sub(self.done) as f64 / self.a_second;
                let left = format_duration(Duration::try_from_secs_f64(seconds.ceil()).unwrap_or_default());
                format!("{name} {}/{total}, {left} left at the quota", self.done)
            }
            Some(total) => format!("{name} {}/{total}", self.done),
            None if self.done > 0 => format!("{name} {}", self.done),
            None => name.into_owned(),
        }
    }
}

impl Progress for JobLines {
    fn started(&self, what: &str, total: Option<u64>) {
        let mut jobs = self.jobs();
        let Some((job, name)) = parts(what, &jobs) else {
            let name = visible(what).into_owned();
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_prefix(name.clone());
            let line = ProgressLine { bar, name, stretches: Vec::new() };
            line.show(self.width);
            // Dressed first, so that the bar is never seen in another style.
            self.bars.add(line.bar.clone()).enable_steady_tick(TICK);
            jobs.insert(what.to_owned(), line);
            return;
        };
        if let Some(line) = jobs.get_mut(&job) {
            line.stretches.push(ProgressSegment { name, total, done: 0, a_second: 0.0 });
            line.show(self.width);
        }
    }

    fn paced(&self, what: &str, a_second: f64) {
        self.stretch(what, |stretch| stretch.a_second = if a_second.is_finite() { a_second } else { 0.0 });
    }

    fn advanced(&self, what: &str, by: u64) {
        self.stretch(what, |stretch| stretch.done += by);
    }

    fn notice(&self, text: &str) {
        self.bars.suspend(|| self.talk.note(text));
    }

    fn finished(&self, what: &str) {
        let mut jobs = self.jobs();
        match parts(what, &jobs) {
            Some((job, name)) => {
                if let Some(line) = jobs.get_mut(&job) {
                    line.stretches.retain(|stretch| stretch.name != name);
                    line.show(self.width);
                }
            }
            None => {
                if let Some(line) = jobs.remove(what) {
                    line.bar.finish_and_clear();
                    self.bars.remove(&line.bar);
                }
            }
        }
    }
}

impl Drop for JobLines {
    fn drop(&mut self) {
        self.end();
    }
}

/// The job that runs and the stretch of it that `what` names; `None` when it names no stretch.
fn parts(what: &str, jobs: &BTreeMap<String, ProgressLine>) -> Option<(String, String)> {
    let of = |job: &&String| what.strip_prefix(job.as_str()).is_some_and(|rest| rest.starts_with(": "));
    // A profile may be named like anything: the longest name that fits is meant.
    let job = jobs.keys().filter(of).max_by_key(|job| job.len())?;
    Some((job.clone(), what[job.len() + 2..].to_owned()))
}

fn style(template: &str) -> ProgressStyle {
    // The templates are above, and a test draws them.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::Captured;

    #[test]
    fn every_template_is_understood() {
        for template in [COUNTED, UNCOUNTED, NARROW] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_job_has_one_line_that_shows_its_newest_stretch() {
        let said = Captured::default();
        let mut lines = JobLines::new(Stderr::new(Box::new(said.clone()), false, false));
        lines.width = WIDE;
        let message = |lines: &JobLines, job: &str| {
            let jobs = lines.jobs();
            (jobs[job].bar.message(), jobs[job].bar.position())
        };
        lines.started("warm", None);
        lines.started("warm (prod)", None);
        lines.started("warm: users", Some(300));
        lines.advanced("warm: users", 100);
        assert_eq!(message(&lines, "warm"), ("users 100/300".to_owned(), 100));
        lines.paced("warm: users", 20.0);
        lines.started("warm (prod): groups", None);
        lines.advanced("warm (prod): groups", 7);
        assert_eq!(message(&lines, "warm"), ("users 100/300, 10s left at the quota".to_owned(), 100));
        assert_eq!(message(&lines, "warm (prod)").0, "groups 7");
        lines.notice("warm: throttled");
        lines.finished("warm: users");
        assert_eq!(message(&lines, "warm").0, "");
        lines.finished("warm");
        lines.finished("nothing of that name");
        assert_eq!(lines.jobs().keys().collect::<Vec<_>>(), ["warm (prod)"]);
        drop(lines);
        assert_eq!(said.text(), "note: warm: throttled\n");
    }

    #[test]
    fn without_room_for_a_bar_the_name_stands_in_the_words_and_nothing_in_it_moves_the_cursor() {
        let mut lines = JobLines::new(Stderr::new(Box::new(Captured::default()), false, false));
        for (width, job) in [(WIDE - 1, "warm"), (WIDE, "warm (a profile of a very long name)"), (40, "x\u{1b}[2J")] {
            lines.width = width;
            lines.started(job, None);
            lines.started(&format!("{job}: users\u{202e}"), Some(3));
            let words = lines.jobs()[job].bar.message();
            assert_eq!(words, format!("{}: users\\u{{202e}} 0/3", visible(job)));
        }
    }
}
