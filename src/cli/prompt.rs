//! Asking back: a question on stderr, the answer from the terminal.
//!
//! Neighbours: the commands that destroy something or take long ask here. Promise: nobody is asked who cannot see the
//! question or cannot answer; what cannot be read is no yes.

use super::output::Talk;
use std::io::{IsTerminal, stdin};

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// Nobody is there.
    Nobody,
}

/// Asks `question`, which ends with a question mark.
pub(super) fn ask(talk: &Talk, question: &str) -> Answer {
    if !stdin().is_terminal() || !talk.is_terminal() {
        return Answer::Nobody;
    }
    talk.write(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    match (read, answer.trim().to_ascii_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Answer::Yes,
        _ => Answer::No,
    }
}
