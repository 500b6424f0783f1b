//! Asking back before something is changed that nobody can take back at once.
//!
//! Neighbours: commands that change a host or a directory ask here; `--yes` answers ahead. Promise: who cannot be asked (no
//! terminal) is told how to answer ahead, and nothing is done.

use super::exit::{Code, Failure};
use super::output::Output;
use std::io::{IsTerminal, stdin};

/// Gives back when the answer is yes, with a failure otherwise.
pub(super) fn ask(question: &str, yes: bool, output: &Output) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() || !output.talk().is_terminal() {
        return Err(Failure::new(Code::Usage, format!("{question}: nobody is there to answer"))
            .hint("`--yes` answers ahead, `--dry-run` only shows"));
    }
    output.talk().write(&format!("{question}? [y/N] "));
    let mut answer = String::new();
    // What cannot be read is no yes.
    let _ = stdin().read_line(&mut answer);
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(Code::Failed, "nothing was done"))
}
