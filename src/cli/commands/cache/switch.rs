//! `cache disable`, `cache enable`: the kill switch.
//!
//! Needs neither AWS nor a valid configuration.

use crate::app::KillSwitch;
use crate::cli::args::GlobalArgs;
use crate::cli::args::read_flags::positive_duration;
use crate::cli::commands::cache::open::open_to_change_state;
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};
use crate::cli::times;
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// `cache disable`
#[derive(Debug, Clone, Args)]
pub struct DisableArgs {
    /// End by itself after this long, as in 30m or 4h
    #[arg(long = "for", value_name = "DURATION", value_parser = positive_duration)]
    pub duration: Option<Duration>,
    /// The reason; shown next to it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

pub(super) fn disable(args: &DisableArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    if args.duration.is_some_and(|duration| duration.is_zero()) {
        return Err(CliError::new(Code::Usage, "--for: 0 would end immediately, so nothing was changed")
            .hint("name how long, as in 30m or 4h; `awsideman cache enable` ends it sooner"));
    }
    let session = open_to_change_state(globals, output)?;
    let replaced = session.app.disabled().filter(|earlier| earlier.until != i64::MAX);
    let (disabled, notice) = KillSwitch::new(&session.app).disable(args.duration, args.reason.as_deref())?;
    if let Some(notice) = notice {
        output.talk().warning(&notice);
    }
    if let Some(earlier) = replaced {
        let reason = earlier.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let until = times::local(earlier.until);
        output.talk().note(&format!("this replaces what {} set until {until}{reason}", earlier.by));
    }
    let end = disabled.end();
    let document = json!({
        "schema_version": 1,
        "enabled": false,
        "disabled_until": end.map(times::utc),
        "disabled_reason": disabled.reason,
        "by": disabled.by,
    });
    let page = TextReport::new()
        .line("Cache disabled. All operations will bypass cache.")
        .line(end.map_or_else(
            || "It does not end by itself".to_owned(),
            |end| format!("It ends by itself at {} (in {})", times::local(end), times::left(end, disabled.since)),
        ))
        .line("To re-enable: awsideman cache enable");
    output.report(&document, &page)
}

pub(super) fn enable(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change_state(globals, output)?;
    let was = KillSwitch::new(&session.app).enable()?;
    let document = json!({
        "schema_version": 1,
        "enabled": !session.app.config().cache.disabled,
        "was_disabled_by": was.as_ref().map(|was| &was.by),
        "was_disabled_reason": was.as_ref().and_then(|was| was.reason.as_ref()),
    });
    let mut page = TextReport::new();
    page = match &was {
        Some(was) => {
            let reason = was.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            page.line(format!("Cache enabled. It had been disabled by {}{reason}", was.by))
        }
        None => page.line("The cache was not disabled by the switch"),
    };
    if session.app.config().cache.disabled {
        let origin = session.app.loaded().origins.get("cache.disabled").cloned().unwrap_or_default();
        page = page.line(format!("It is still disabled by the configuration: {origin}"));
    }
    output.report(&document, &page)
}
