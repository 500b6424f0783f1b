//! What became of changes: a line for each, one document, one exit code.
//!
//! Every change that was asked for is in the report with its end; when some were made and others not, the exit code
//! is 3 and each of the others is named.

use crate::cache::CacheError;
use crate::cli::commands::changes::executor::CREATES;
use crate::cli::commands::changes::executor::ChangeEnd;
use crate::cli::commands::changes::executor::ChangeLine;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Style, TextReport};
use serde_json::{Map, Value, json};

/// At most this many completed steps are listed with the failure; the report has all of them.
const MOST_DONE: usize = 5;
/// The ids that changes give to what they create.
const NEW_IDS: &[&str] = &["UserId", "GroupId", "PermissionSetArn"];

/// What became of changes.
pub(super) struct ChangeReport {
    lines: Vec<ChangeLine>,
    dry_run: bool,
    interrupted: bool,
    notices: Vec<String>,
}

impl ChangeReport {
    pub(super) fn new(lines: Vec<ChangeLine>, dry_run: bool, interrupted: bool, notices: Vec<String>) -> ChangeReport {
        ChangeReport { lines, dry_run, interrupted, notices }
    }

    pub(super) fn lines(&self) -> &[ChangeLine] {
        &self.lines
    }

    /// Notices for the user: about the run, then about single changes.
    pub(super) fn notices(&self) -> Vec<&str> {
        let of_lines = self.lines.iter().filter_map(|line| line.notice.as_deref());
        self.notices.iter().map(String::as_str).chain(of_lines).collect()
    }

    /// Takes the error of an invalidation that failed after a change.
    pub(super) fn take_cache_error(&mut self) -> Option<CacheError> {
        self.lines.iter_mut().find_map(|line| line.untold.take())
    }

    /// Whether there was one change, and it failed.
    pub(super) fn is_failure_alone(&self) -> bool {
        matches!(self.lines.as_slice(), [ChangeLine { ended: ChangeEnd::Failed(_) | ChangeEnd::Unknown(_), .. }])
    }

    /// The failure that the run ends with.
    pub(super) fn failure(&self) -> Option<CliError> {
        let failed: Vec<(&ChangeLine, &CliError)> =
            self.lines.iter().filter_map(|line| line.failure().map(|failure| (line, failure))).collect();
        if let ([(_, failure)], [_]) = (failed.as_slice(), self.lines.as_slice()) {
            let line = &self.lines[0];
            let id = line.request_id.as_ref().map(|id| format!("request id {id}"));
            let id = id.filter(|id| !failure.details.contains(id));
            let journal = line.journal.map(|number| format!("journal {number}"));
            return Some((*failure).clone().details(id.into_iter().chain(journal)));
        }
        if failed.is_empty() && !self.interrupted {
            return None;
        }
        let skipped: Vec<&ChangeLine> =
            self.lines.iter().filter(|line| matches!(line.ended, ChangeEnd::Skipped)).collect();
        let total = self.lines.iter().filter(|line| !matches!(line.ended, ChangeEnd::LeftOut(_))).count();
        let made = total - failed.len() - skipped.len();
        let code = match (self.interrupted, made) {
            (true, _) => Code::Interrupted,
            (false, 0) => Code::of_several(failed.iter().map(|(_, failure)| failure.code)),
            (false, _) => Code::Partial,
        };
        let open = failed.len() + skipped.len();
        let message = if self.interrupted {
            format!("interrupted: {open} of {total} changes are not confirmed")
        } else {
            format!("{open} of {total} changes were not made or are not confirmed")
        };
        let mut hints: Vec<&str> = failed.iter().filter_map(|(_, failure)| failure.hint.as_deref()).collect();
        hints.dedup();
        hints.truncate(3);
        let done = self.lines.iter().filter(|line| made <= MOST_DONE && matches!(line.ended, ChangeEnd::Done));
        let done = done.map(|line| format!("done: {}{}", line.phrase, line.numbers()));
        let details = done.chain(failed.iter().map(|(line, failure)| {
            // The request id is among the numbers.
            let details = failure.details.iter().filter(|detail| !detail.starts_with("request id"));
            let why: Vec<&str> = std::iter::once(&failure.message).chain(details).map(String::as_str).collect();
            format!("{}: {}: {}{}", line.word(), line.phrase, why.join("; "), line.numbers())
        }));
        let skipped = skipped.iter().map(|line| format!("skipped: {}: not begun", line.phrase));
        let again =
            "run it again: targets in the requested state do not change, and a permission set is provisioned again"
                .to_owned();
        let hint = hints.iter().map(|hint| (*hint).to_owned()).chain([again]).collect::<Vec<_>>().join("\n");
        Some(CliError::new(code, message).details(details.chain(skipped).collect::<Vec<_>>()).hint(hint))
    }

    pub(super) fn document(&self) -> Value {
        let count = |word: &str| self.lines.iter().filter(|line| line.word() == word).count();
        json!({
            "schema_version": 1,
            "dry_run": self.dry_run,
            "results": self.lines.iter().map(ChangeLine::document).collect::<Vec<_>>(),
            "counts": {
                "done": count("done"), "already": count("already"), "would": count("would"),
                "failed": count("failed"), "unknown": count("unknown"), "skipped": count("skipped"),
            },
            "invalidated": self.lines.iter().map(|line| line.invalidated).sum::<u64>(),
            "notices": self.notices(),
        })
    }
}

impl ChangeLine {
    fn failure(&self) -> Option<&CliError> {
        match &self.ended {
            ChangeEnd::Failed(failure) | ChangeEnd::Unknown(failure) => Some(failure),
            _ => None,
        }
    }

    /// ` (request id ..., journal 7)`: where to find more about it.
    fn numbers(&self) -> String {
        let id = self.request_id.as_ref().filter(|_| self.failure().is_some()).map(|id| format!("request id {id}"));
        let journal = self.journal.map(|number| format!("journal {number}"));
        let parts: Vec<String> = id.into_iter().chain(journal).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    }

    fn word(&self) -> &'static str {
        match self.ended {
            ChangeEnd::Done => "done",
            ChangeEnd::Already => "already",
            ChangeEnd::Would => "would",
            ChangeEnd::Skipped | ChangeEnd::LeftOut(_) => "skipped",
            ChangeEnd::Failed(_) => "failed",
            ChangeEnd::UnderWay | ChangeEnd::Unknown(_) => "unknown",
        }
    }

    /// Adds its line to a page.
    pub(super) fn on(&self, page: TextReport) -> TextReport {
        let style = match self.ended {
            ChangeEnd::Done => Style::Good,
            ChangeEnd::Already | ChangeEnd::Would => Style::Faint,
            ChangeEnd::Skipped | ChangeEnd::LeftOut(_) | ChangeEnd::UnderWay | ChangeEnd::Unknown(_) => Style::Warn,
            ChangeEnd::Failed(_) => Style::Bad,
        };
        let mut ids = NEW_IDS.iter().filter_map(|name| self.fields.get(*name)?.as_str());
        let made = CREATES.contains(&self.operation.as_str()) && matches!(self.ended, ChangeEnd::Done);
        let id = ids.find(|id| made && !self.phrase.contains(*id)).map(|id| format!(" ({id})"));
        let why = match &self.ended {
            ChangeEnd::LeftOut(why) => Some(format!(": {why}")),
            _ => self.failure().map(|failure| format!(": {}", failure.message)),
        };
        let text = format!("{}{}{}{}", self.phrase, id.unwrap_or_default(), why.unwrap_or_default(), self.numbers());
        page.marked(style, self.word(), text)
    }

    fn document(&self) -> Value {
        let failure = self.failure();
        let mut document = Map::from_iter([
            ("outcome".to_owned(), json!(self.word())),
            ("operation".to_owned(), json!(self.operation)),
        ]);
        document.extend(self.fields.clone());
        document.insert("journal".into(), json!(self.journal));
        document.insert("request_id".into(), json!(self.request_id));
        if let ChangeEnd::LeftOut(why) = &self.ended {
            document.insert("reason".into(), json!(why));
        }
        document.insert("error".into(), json!(failure.map(|failure| &failure.message)));
        document.insert("hint".into(), json!(failure.and_then(|failure| failure.hint.as_ref())));
        Value::Object(document)
    }
}
