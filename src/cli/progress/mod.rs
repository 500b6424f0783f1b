//! Progress for people who wait: bars on a terminal, nothing elsewhere.
//!
//! Work shorter than half a second draws nothing, and a notice never tears a bar apart.

mod jobs;

pub use jobs::JobLines;

use super::output::Stderr;
use crate::model::format_duration;
use crate::progress::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(120);

/// Draws on stderr when that is a terminal, and says notices in any case.
pub struct ProgressDisplay {
    talk: Stderr,
    bars: MultiProgress,
    draws: bool,
    patience: Duration,
    running: Mutex<HashMap<String, ActiveBar>>,
}

struct ActiveBar {
    bar: ProgressBar,
    /// Steps a second at the quota; 0 when that is not known.
    a_second: f64,
    /// Dropped at the end, so that a bar that still waits to be drawn is not.
    _waiting: Option<Sender<()>>,
}

impl ProgressDisplay {
    /// Progress on the stream of this talk.
    pub fn new(talk: Stderr) -> ProgressDisplay {
        let draws = talk.is_terminal() && !talk.is_quiet();
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        if draws {
            bars.set_draw_target(ProgressDrawTarget::stderr());
        }
        ProgressDisplay { talk, bars, draws, patience: PATIENCE, running: Mutex::default() }
    }

    /// Whether a user may be at the terminal.
    pub fn is_terminal(&self) -> bool {
        self.talk.is_terminal()
    }

    /// Prints a line below the progress bar, unless `--quiet`.
    pub fn line(&self, text: &str) {
        self.bars.suspend(|| self.talk.line(text));
    }

    /// Asks something, on a line that stays open for the answer.
    pub fn prompt(&self, question: &str) {
        self.bars.suspend(|| self.talk.write(question));
    }

    /// Removes every bar: the work has ended or was interrupted, and what it leaves is printed next.
    pub fn clear(&self) {
        for (_, running) in self.running().drain() {
            running.bar.finish_and_clear();
            self.bars.remove(&running.bar);
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, ActiveBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws the bar when `patience` has passed and the work is not done.
    fn draw_later(&self, bar: &ProgressBar) -> Option<Sender<()>> {
        if !self.draws {
            return None;
        }
        let (sender, receiver) = channel();
        let (bars, bar, patience) = (self.bars.clone(), bar.clone(), self.patience);
        let waiting = std::thread::Builder::new().name("progress".into()).spawn(move || {
            if receiver.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) && !bar.is_finished() {
                bars.add(bar).enable_steady_tick(TICK);
            }
        });
        waiting.ok().map(|_| sender)
    }
}

impl Progress for ProgressDisplay {
    fn started(&self, what: &str, total: Option<u64>) {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = match total {
            Some(_) => "{msg:<24} [{bar:30}] {pos}/{len} {eta}",
            None => "{msg:<24} {spinner} {pos} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        let waiting = self.draw_later(&bar);
        self.running().insert(what.to_owned(), ActiveBar { bar, a_second: 0.0, _waiting: waiting });
    }

    fn paced(&self, what: &str, a_second: f64) {
        if let Some(running) = self.running().get_mut(what).filter(|_| a_second.is_finite() && a_second > 0.0) {
            running.a_second = a_second;
        }
    }

    fn advanced(&self, what: &str, by: u64) {
        if let Some(running) = self.running().get(what) {
            running.bar.inc(by);
            if let (Some(total), true) = (running.bar.length(), running.a_second > 0.0) {
                #[expect(clippy::cast_precision_loss, reason = "counts of steps are far below 2^52")]
                let left = total.saturating_sub(running.bar.position()) as f64 / running.a_second;
                let left = Duration::try_from_secs_f64(left.ceil()).unwrap_or_default();
                running.bar.set_message(format!("{what}, {} left at the quota", format_duration(left)));
            }
        }
    }

    fn notice(&self, text: &str) {
        self.bars.suspend(|| self.talk.note(text));
    }

    fn finished(&self, what: &str) {
        if let Some(running) = self.running().remove(what) {
            running.bar.finish_and_clear();
            self.bars.remove(&running.bar);
        }
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Progress that keeps the notices, for reports that carry them in their document.
#[derive(Debug, Default)]
pub struct Notices(Mutex<Vec<String>>);

impl Notices {
    /// All notices so far, each once.
    pub fn take(&self) -> Vec<String> {
        let mut kept = Vec::new();
        for notice in std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            if !kept.contains(&notice) {
                kept.push(notice);
            }
        }
        kept
    }
}

impl Progress for Notices {
    fn started(&self, _: &str, _: Option<u64>) {}
    fn advanced(&self, _: &str, _: u64) {}
    fn notice(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }
    fn finished(&self, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::Captured;

    #[test]
    fn off_a_terminal_only_notices_are_said() {
        let said = Captured::default();
        let progress = ProgressDisplay::new(Stderr::new(Box::new(said.clone()), false, false));
        progress.started("users", Some(10));
        progress.advanced("users", 10);
        progress.notice("the cache is disabled");
        progress.finished("users");
        progress.finished("never started");
        drop(progress);
        assert_eq!(said.text(), "note: the cache is disabled\n");
    }

    #[test]
    fn a_bar_counts_before_it_is_drawn() {
        let progress = ProgressDisplay::new(Stderr::new(Box::new(Captured::default()), false, false));
        progress.started("users", Some(10));
        progress.advanced("users", 4);
        assert_eq!(progress.running()["users"].bar.position(), 4);
        assert!(progress.running()["users"].bar.is_hidden());
    }

    #[test]
    fn notices_are_kept_once_each() {
        let notices = Notices::default();
        for text in ["a", "b", "a"] {
            notices.notice(text);
        }
        assert_eq!(notices.take(), ["a", "b"]);
        assert!(notices.take().is_empty());
    }
}
