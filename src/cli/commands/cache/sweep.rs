//! `cache cleanup`, `cache enforce-limits`: remove expired entries, or entries over the limits.

use crate::app::{Maintenance, StoreStack};
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::{entries, open_to_change};
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::Session;
use crate::model::format_size;
use crate::store::Swept;
use clap::Args;
use serde_json::json;

/// `cache cleanup`, `cache enforce-limits`
#[derive(Debug, Clone, Args)]
pub struct SweepArgs {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cache cleanup`
pub(super) fn cleanup(args: &SweepArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change(globals, output)?;
    let swept = Maintenance::new(&session.app).cleanup(args.dry_run)?;
    report(&session, &swept, args.dry_run, output)
}

/// `cache enforce-limits`
pub(super) fn enforce_limits(args: &SweepArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change(globals, output)?;
    let swept = Maintenance::new(&session.app).enforce_limits(args.dry_run)?;
    report(&session, &swept, args.dry_run, output)
}

fn report(session: &Session, swept: &Swept, dry_run: bool, output: &mut Output) -> Result<(), CliError> {
    StoreStack::new(&session.app).finish();
    if let Some(notice) = swept.notice() {
        output.talk().warning(&notice);
    }
    let document = json!({"schema_version": 1, "dry_run": dry_run, "removed": swept});
    output.report(&document, &TextReport::new().line(swept_line(swept, dry_run)))
}

/// What a sweep removed, in one line.
pub(super) fn swept_line(swept: &Swept, dry_run: bool) -> String {
    let verb = if dry_run { "Would remove" } else { "Removed" };
    let no_room = if swept.no_room > 0 { format!(", {} for want of room", swept.no_room) } else { String::new() };
    format!(
        "{verb} {} ({} expired, {} too old, {} least recently used{no_room}), {} freed",
        entries(swept.entries()),
        swept.expired,
        swept.aged,
        swept.evicted,
        format_size(swept.bytes)
    )
}
