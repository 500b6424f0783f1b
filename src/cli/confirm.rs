//! Asks for confirmation before a change that cannot be undone easily.
//!
//! Guarantee: without a terminal nothing is done; the error names the flag that confirms in advance.

use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::model::visible_lines;
use std::io::{IsTerminal, stdin};

/// Whether a prompt is possible: input and output are a terminal.
pub(super) fn can_ask(output: &Output) -> bool {
    stdin().is_terminal() && output.talk().is_terminal()
}

/// The answer to a question whose default is yes; only for [`can_ask`].
pub(super) fn choose(question: &str, output: &Output) -> Result<bool, CliError> {
    output.talk().write(&format!("{}? [Y/n] ", visible_lines(question)));
    match answer().as_deref() {
        Some("" | "y" | "yes") => Ok(true),
        Some("n" | "no") => Ok(false),
        _ => Err(CliError::new(Code::Failed, "nothing was done")),
    }
}

/// The typed line; `None` at the end of the input.
fn answer() -> Option<String> {
    let mut line = String::new();
    let read = stdin().read_line(&mut line).unwrap_or(0);
    (read > 0).then(|| line.trim().to_ascii_lowercase())
}

/// Gives back when the answer is yes, with a failure otherwise.
pub(super) fn ask(question: &str, yes: bool, output: &Output) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !can_ask(output) {
        return Err(CliError::new(Code::Usage, format!("{question}: cannot ask for confirmation: not a terminal"))
            .hint("pass --yes to confirm, or --dry-run to see what would be done"));
    }
    output.talk().write(&format!("{}? [y/N] ", visible_lines(question)));
    // What cannot be read is no yes.
    if matches!(answer().as_deref(), Some("y" | "yes")) {
        return Ok(());
    }
    Err(CliError::new(Code::Failed, "nothing was done"))
}
