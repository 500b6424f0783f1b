//! `cache why`: explains why a key is or is not served from the cache.

use crate::app::{Inspector, Reasons};
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::inspect::fields;
use crate::cli::commands::cache::named;
use crate::cli::commands::cache::open::open_loudly;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, Style, TextReport};
use crate::model::format_size;
use crate::progress::Progress;
use clap::Args;

/// Explain why a key is or is not served from the cache
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Explain why a key is or is not served from the cache.\n\n\
        One sentence, then the facts: the entry, the changes in the log that cover it, and its eviction. Changes \
        are remembered for an hour, evictions for some thousand entries.",
    after_help = "Examples:\n  awsideman cache why user:list:all\n  awsideman cache why group:list:all --json"
)]
pub struct WhyArgs {
    /// The key of one entry
    #[arg(value_name = "KEY")]
    pub key: String,
}

pub(super) fn why(args: &WhyArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    let key = named::key(&session.app, &args.key, &mut |text| session.progress.notice(text))?;
    let reasons: Reasons = Inspector::new(&session.app).why(key.as_str())?;
    let (style, mark) = if reasons.hit { (Style::Good, "hit") } else { (Style::Warn, "no hit") };
    let mut page = TextReport::new().marked(style, mark, &reasons.why);
    if let Some(entry) = &reasons.entry {
        page = fields(page.title("Entry"), entry);
    }
    if !reasons.invalidations.is_empty() {
        let rows = reasons.invalidations.iter().map(|one| {
            let fence = match (&one.fence_until, one.stands) {
                (Some(until), true) => format!("until {until}"),
                (Some(_), false) => "ended".to_owned(),
                (None, _) => String::new(),
            };
            vec![one.at.clone(), one.number.to_string(), one.what.clone(), fence]
        });
        page = page.title("Changes").table(&["At", "Number", "What", "Fence"], rows.collect());
    }
    if !reasons.evictions.is_empty() {
        let rows = reasons
            .evictions
            .iter()
            .map(|one| vec![one.at.clone(), one.reason.to_owned(), one.last_used.clone(), format_size(one.held_bytes)]);
        page = page.title("Removed by sweeps").table(&["At", "Reason", "Last used", "Size"], rows.collect());
    }
    if let (Some(since), Some(began)) = (&reasons.log_since, &reasons.began) {
        page = page.title("Memory").field("Changes known since", since).field("This cache began", began);
    }
    output.report(&reasons, &page)
}
