//! `jobs cancel`: requests another process to end its run.

use crate::cli::args::GlobalArgs;
use crate::cli::commands::jobs::JobsSession;
use crate::cli::commands::jobs::say;
use crate::cli::commands::jobs::with_profile;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, Style, TextReport};
use crate::host;
use crate::jobs;
use serde_json::json;

/// `jobs cancel`
pub(crate) fn cancel(name: &str, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let JobsSession { jobs, context, notices, .. } = JobsSession::back(globals, output)?;
    let by = format!("{}@{}", host::user_name(), host::host_name());
    let ended = jobs::cancel(name, &jobs, &by, &context)?;
    let mut page = TextReport::new();
    for run in &ended {
        let job = with_profile(&run.job, Some(&run.profile));
        page = match run.outcome {
            Some(outcome) => page.line(format!("{job}: {}, {}", outcome.as_str(), run.reason)),
            None => page.marked(Style::Bad, job, &run.reason),
        };
        page = match (run.is_held, run.kill, &run.host) {
            (true, Some(pid), _) => page.marked(Style::Hint, "next", format!("kill -KILL {pid}")),
            (true, None, Some(host)) => {
                page.marked(Style::Hint, "next", format!("stop its container or process on {host}"))
            }
            _ => page,
        };
    }
    if ended.is_empty() {
        page = page.line(format!("{name} is not running: nothing to cancel"));
    }
    say(&notices, output);
    output.report(&json!({ "schema_version": 1, "runs": ended, "notices": notices }), &page)?;
    if ended.iter().any(|run| run.outcome.is_none()) { Err(CliError::quiet(Code::Failed)) } else { Ok(()) }
}
