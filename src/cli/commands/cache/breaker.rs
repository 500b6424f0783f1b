//! `cache breaker reset`: probes the store and closes the circuit breaker.
//!
//! Needs neither AWS nor a valid configuration.

use crate::app::BreakerAdmin;
use crate::cli::args::GlobalArgs;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};

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
