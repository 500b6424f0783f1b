//! `cache clear`: removes entries of one instance or of all.

use crate::app::{Cleared, Maintenance, Scope, StoreStack};
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::{entries, open_to_change};
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, TextReport};
use crate::model::format_size;
use clap::Args;

/// Remove entries of this profile's instance, or all
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Remove entries of this profile's instance, or all.\n\n\
        Without flags, every entry of the Identity Center of this profile is removed; if that instance is not \
        known, all entries are removed, with a notice. AWS is not called, and no confirmation is asked.",
    after_help = "Examples:\n  awsideman cache clear\n  awsideman cache clear --pattern 'user:*'\n  \
        awsideman cache clear --pattern '*:list:*' --dry-run\n  awsideman cache clear --all"
)]
pub struct ClearArgs {
    /// Only the keys that this glob matches; `*` crosses colons
    #[arg(long, value_name = "GLOB")]
    pub pattern: Option<String>,
    /// Take all there are, not only those chosen by default
    #[arg(long)]
    pub all: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

pub(super) fn clear(args: &ClearArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change(globals, output)?;
    let scope = Maintenance::new(&session.app).scope(args.all);
    let cleared: Cleared = Maintenance::new(&session.app).clear(&scope, args.pattern.as_deref(), args.dry_run)?;
    StoreStack::new(&session.app).finish();
    let of = match (&scope, &args.pattern) {
        (Scope::Space(space), _) => format!("of {space}"),
        (Scope::Everything { asked: true }, _) => "of every instance".to_owned(),
        (Scope::Everything { asked: false }, _) => {
            "of every instance, since it is not known which one this profile belongs to".to_owned()
        }
    };
    let matching = args.pattern.as_ref().map(|pattern| format!(" that match {pattern}")).unwrap_or_default();
    let verb = if args.dry_run { "Would remove" } else { "Removed" };
    let line = format!("{verb} {} {of}{matching} ({})", entries(cleared.removed), format_size(cleared.bytes));
    output.report(&cleared, &TextReport::new().line(line))
}
