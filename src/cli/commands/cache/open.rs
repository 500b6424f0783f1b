//! Opens the session of a `cache` command, which needs neither AWS nor a valid configuration.

use crate::cli::args::GlobalArgs;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use std::collections::BTreeMap;

/// The same for one that changes something.
pub(super) fn open_to_change(globals: &GlobalArgs, output: &mut Output) -> Result<Session, CliError> {
    let session = Session::open_to_change(globals, Need::Anything, output)?;
    session.say_notices();
    Ok(session)
}

pub(super) fn open_to_change_state(globals: &GlobalArgs, output: &mut Output) -> Result<Session, CliError> {
    let session = Session::open_to_change_state(globals, Need::Anything, output)?;
    session.say_notices();
    Ok(session)
}

/// A session of an emergency command that reports configuration problems immediately.
pub(super) fn open_loudly(globals: &GlobalArgs, output: &mut Output) -> Result<Session, CliError> {
    let session = Session::open(globals, Need::Anything, output)?;
    session.say_notices();
    Ok(session)
}

pub(super) fn entries(n: u64) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") }
}

pub(super) fn left_out(page: TextReport, skipped: &BTreeMap<&'static str, u64>) -> TextReport {
    skipped.iter().fold(page, |page, (reason, n)| page.line(format!("Left out: {n} ({reason})")))
}
