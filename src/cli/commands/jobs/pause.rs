//! `jobs pause` and `jobs resume`.
//!
//! Emergency commands: they need neither AWS nor a valid configuration or job file.

use crate::app::{App, JobFiles};
use crate::cli::args::GlobalArgs;
use crate::cli::args::jobs::PauseArgs;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use crate::cli::times;
use crate::clock::{self, millis};
use crate::config::Format;
use crate::jobs::{JobError, Ledger};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// `jobs pause`
pub(crate) fn pause(arguments: &PauseArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let (app, ledger, notices) = open(globals, output)?;
    let now = app.clock().now();
    let name = arguments.name.as_deref();
    check_name(&app, &ledger, name, output)?;
    let until = match (&arguments.until, arguments.duration) {
        (Some(moment), _) => Some(moment.at(now, &times::zone()?).filter(|until| *until > now).ok_or_else(|| {
            CliError::new(Code::Usage, "--until is in the past")
                .hint("`awsideman jobs resume` ends a pause immediately")
        })?),
        (None, Some(duration)) => Some(now.saturating_add(millis(duration))),
        (None, None) => None,
    };
    let reason = arguments.reason.as_deref().unwrap_or_default();
    ledger.pause(name, until, reason, now)?;
    let of_job = name.map_or_else(String::new, |name| format!(" {name}"));
    let what = name.map_or_else(|| "all jobs".to_owned(), |name| format!("job {name}"));
    let end = until.map_or_else(|| "until it is resumed".to_owned(), |until| format!("until {}", times::local(until)));
    let page = TextReport::new()
        .line(format!("Paused {what} {end}"))
        .line(format!("Runs in progress continue; `awsideman jobs resume{of_job}` ends the pause."));
    output.report(
        &json!({
            "schema_version": 1,
            "job": name,
            "paused": true,
            "until": until.map(clock::utc_exact),
            "reason": arguments.reason,
            "notices": notices,
        }),
        &page,
    )
}

/// `jobs resume`
pub(crate) fn resume(name: Option<&str>, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let (app, ledger, mut notices) = open(globals, output)?;
    let now = app.clock().now();
    check_name(&app, &ledger, name, output)?;
    let ended = ledger.resume(name, now)?;
    let still = name.map(|name| ledger.paused(name, now)).transpose()?.flatten();
    let what = name.map_or_else(|| "all jobs".to_owned(), |name| format!("job {name}"));
    let mut page = TextReport::new().line(match ended {
        0 => format!("Nothing was paused: {what} can begin"),
        _ => format!("Resumed {what}"),
    });
    if let Some(pause) = &still {
        let notice = format!("all jobs are {pause}");
        page = TextReport::new().line(&notice);
        notices.push(notice);
    }
    let document = json!({
        "schema_version": 1, "job": name, "paused": still.is_some(), "ended": ended, "notices": notices,
    });
    output.report(&document, &page)
}

fn open(globals: &GlobalArgs, output: &mut Output) -> Result<(Arc<App>, Ledger, Vec<String>), CliError> {
    let session = Session::open_to_change_state(globals, Need::Anything, output)?;
    let (database, notice) = session.app.database()?;
    let mut notices = session.notices.clone();
    notices.extend(notice);
    if output.format() == Format::Table {
        for notice in &notices {
            output.talk().note(notice);
        }
    }
    Ok((session.app.clone(), Ledger::new(Arc::new(Mutex::new(database))), notices))
}

/// A slip of the finger is no pause. Where the job files cannot be read, a name is taken as it stands.
fn check_name(app: &App, ledger: &Ledger, name: Option<&str>, output: &Output) -> Result<(), CliError> {
    let Some(name) = name else { return Ok(()) };
    let (jobs, broken) = match JobFiles::new(app).valid() {
        Ok(found) => found,
        Err(error) => {
            output.talk().note(&format!("the job files could not be read, so the name is not checked: {error}"));
            return Ok(());
        }
    };
    let mut known: Vec<String> = jobs.into_iter().map(|job| job.name).collect();
    known.extend(broken.into_iter().map(|broken| broken.name));
    if known.iter().any(|known| known == name) || !ledger.history(Some(name), 1)?.is_empty() {
        return Ok(());
    }
    Err(JobError::unknown(name, known).into())
}
