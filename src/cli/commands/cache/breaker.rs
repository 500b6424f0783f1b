//! `cache breaker reset`: probes the store and closes the circuit breaker.
//!
//! Needs neither AWS nor a valid configuration.

use crate::app::BreakerAdmin;
use crate::cli::args::GlobalArgs;
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use clap::Subcommand;

/// `cache breaker ...`
#[derive(Debug, Clone, Subcommand)]
pub enum BreakerCommand {
    /// Close the circuit breaker after a probe of the store
    #[command(
        long_about = "Close the circuit breaker after a probe of the store.\n\n\
            The probe stores, reads, expires and deletes one entry past the breaker. When it passes, reads and writes are \
            CLOSED for every process of this state directory. When it fails, the breaker is unchanged and the exit code \
            is 1.",
        after_help = "Examples:\n  awsideman cache breaker reset\n  awsideman cache breaker reset --json"
    )]
    Reset,
}

pub(super) fn reset(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open_to_change_state(globals, Need::Anything, output)?;
    session.say_notices();
    let reset = BreakerAdmin::new(&session.app).reset()?;
    let mut page = TextReport::new();
    page = page.line(format!(
        "It was {}, writes {} ({} {} in a row)",
        reset.was,
        reset.writes_were,
        reset.failure_count,
        if reset.failure_count == 1 { "failure" } else { "failures" }
    ));
    page = match reset.probe.steps.iter().find(|step| !step.ok) {
        None => page.line("The probe passed: the circuit breaker is CLOSED"),
        Some(failed) => {
            let error = failed.error.as_deref().unwrap_or("no reason given");
            page.line(format!("The probe failed at `{}`: {error}", failed.step))
                .line("The circuit breaker is unchanged. Next: awsideman doctor, or awsideman cache recover")
        }
    };
    output.report(&reset, &page)?;
    if reset.closed { Ok(()) } else { Err(CliError::quiet(Code::Failed)) }
}
