//! Messages on stderr, separate from the data.
//!
//! Notes never mix into a line of progress, `--quiet` suppresses all but errors, and a closed
//! stderr is not a failure.

use crate::cli::exit_code::CliError;
use crate::cli::output::escape::visible_lines;
use crate::model::Invocation;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where talk goes; clones share it.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts about the listener")]
pub struct Stderr {
    stream: Arc<Mutex<Box<dyn Write + Send>>>,
    on_terminal: bool,
    color: bool,
    quiet: bool,
    json: bool,
    invocation: Invocation,
}

/// The colors of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// What to type.
    Hint,
    /// Of less weight.
    Faint,
    /// Headings.
    Bold,
}

impl Style {
    /// The text with the escape sequences of a terminal around it.
    pub fn apply(self, text: &str) -> String {
        let number = match self {
            Style::Good => "32",
            Style::Warn => "33",
            Style::Bad => "1;31",
            Style::Hint => "36",
            Style::Faint => "2",
            Style::Bold => "1",
        };
        format!("\u{1b}[{number}m{text}\u{1b}[0m")
    }
}

impl Stderr {
    /// Talk to this stream.
    pub fn new(stream: Box<dyn Write + Send>, on_terminal: bool, color: bool) -> Stderr {
        Stderr {
            stream: Arc::new(Mutex::new(stream)),
            on_terminal,
            color,
            quiet: false,
            json: false,
            invocation: Invocation::default(),
        }
    }

    /// Whether people read it as it is written.
    pub fn is_terminal(&self) -> bool {
        self.on_terminal
    }

    /// Whether only errors are printed.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(super) fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// The flags that suggested commands get.
    pub(super) fn set_invocation(&mut self, invocation: Invocation) {
        self.invocation = invocation;
    }

    pub(super) fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    /// The text with the flags of this call in each command that it names.
    pub fn copyable(&self, text: &str) -> String {
        self.invocation.copyable(text).into_owned()
    }

    pub(super) fn set_json(&mut self, json: bool) {
        self.json = json;
    }

    /// Says `note: ...`, unless `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.lines("note", Style::Faint, text);
        }
    }

    /// Says `warning: ...`, unless `--quiet`.
    pub fn warning(&self, text: &str) {
        if !self.quiet {
            self.lines("warning", Style::Warn, text);
        }
    }

    /// Says a line as it is, unless `--quiet`.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            self.write(&format!("{}\n", visible_lines(&self.invocation.copyable(text))));
        }
    }

    /// Prints a minor line, unless `--quiet`.
    pub fn faint(&self, text: &str) {
        if !self.quiet {
            let text = visible_lines(text);
            let shown = if self.color { Style::Faint.apply(&text) } else { text };
            self.write(&format!("{shown}\n"));
        }
    }

    /// Says why the run failed: `error:` and `hint:` lines, or a JSON document.
    pub fn failure(&self, failure: &CliError) {
        if failure.is_quiet() {
            return;
        }
        let copyable = |text: &str| self.invocation.copyable(text).into_owned();
        let failure = CliError {
            message: copyable(&failure.message),
            details: failure.details.iter().map(|detail| copyable(detail)).collect(),
            hint: failure.hint.as_deref().map(copyable),
            ..failure.clone()
        };
        if self.json {
            return self.write(&format!("{}\n", failure.document()));
        }
        self.lines("error", Style::Bad, &failure.message);
        for detail in &failure.details {
            self.write(&format!("  {}\n", visible_lines(detail)));
        }
        for hint in failure.hint.iter().flat_map(|hint| hint.lines()) {
            self.lines("hint", Style::Hint, hint);
        }
    }

    fn lines(&self, label: &str, style: Style, text: &str) {
        let shown = if self.color { style.apply(&format!("{label}:")) } else { format!("{label}:") };
        let mut said = String::new();
        for (index, line) in visible_lines(&self.invocation.copyable(text)).lines().enumerate() {
            let _ = if index == 0 { writeln!(said, "{shown} {line}") } else { writeln!(said, "  {line}") };
        }
        self.write(&said);
    }

    /// One write for each message, so that those of several processes do not mix. A closed stderr is not a failure.
    pub(crate) fn write(&self, text: &str) {
        let mut stream: MutexGuard<'_, _> = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::Captured;
    use crate::cli::exit_code::Code;

    fn talk(color: bool) -> (Stderr, Captured) {
        let captured = Captured::default();
        (Stderr::new(Box::new(captured.clone()), false, color), captured)
    }

    fn failure() -> CliError {
        CliError::new(Code::Usage, "`x\u{1b}` is ambiguous").details(["id-1".to_owned()]).hint("one\ntwo")
    }

    #[test]
    fn errors_have_their_details_and_hints() {
        let (talk, said) = talk(false);
        talk.failure(&failure());
        assert_eq!(said.text(), "error: `x\\u{1b}` is ambiguous\n  id-1\nhint: one\nhint: two\n");
    }

    #[test]
    fn under_json_an_error_is_one_document() {
        let (mut talk, said) = talk(false);
        talk.set_json(true);
        talk.failure(&failure());
        let document: serde_json::Value = serde_json::from_str(&said.text()).unwrap();
        assert_eq!(document["error"]["code"], 2);
        assert_eq!(document["error"]["details"][0], "id-1");
    }

    #[test]
    fn quiet_silences_notes_but_not_errors() {
        let (mut talk, said) = talk(true);
        talk.set_quiet(true);
        talk.note("n");
        talk.warning("w");
        talk.line("l");
        talk.failure(&CliError::quiet(Code::Critical));
        assert_eq!(said.text(), "");
        talk.failure(&CliError::new(Code::Failed, "e"));
        assert_eq!(said.text(), "\u{1b}[1;31merror:\u{1b}[0m e\n");
    }
}
