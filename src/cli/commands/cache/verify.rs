//! `cache verify`: compares entries with AWS and corrects those that differ.
//!
//! Guarantee: every wrong entry is named with its differences.

use crate::app::{EntryVerifier, VerifyRequest};
use crate::cache::pattern;
use crate::cli::args::GlobalArgs;
use crate::cli::args::read_flags::count;
use crate::cli::commands::cache::named;
use crate::cli::commands::cache::open::entries;
use crate::cli::exit_code;
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport, text};
use crate::cli::session::{Need, Session};
use crate::config::{Format, nearest};
use crate::gateway::{Difference, EntrySelection, Flaw, Repair, Verified, Wrong};
use crate::model::{Resource, format_duration};
use crate::progress::{Calls, Progress};
use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use std::time::Duration;

/// Compare entries with AWS and replace wrong ones
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("which").required(true).multiple(true).args(["key", "pattern", "sample"]),
    long_about = "Compare entries with AWS and replace wrong ones.\n\n\
        Each entry costs the calls that its answer takes. The order of a list does not count, and expired \
        entries are left out. A wrong entry is replaced by the answer of AWS; it is removed if the object no \
        longer exists, or while the cache is disabled. The exit code is 6 if an entry was wrong, 5 if KEY is not \
        there, 3 if AWS could not be asked about some.",
    after_help = "Examples:\n  awsideman cache verify user:list:all\n  \
        awsideman cache verify --pattern 'group:members:*' --budget 200\n  awsideman cache verify --sample 50 --json"
)]
pub struct VerifyArgs {
    /// The key of one entry
    #[arg(value_name = "KEY", conflicts_with_all = ["pattern", "sample"])]
    pub key: Option<String>,
    /// Only the keys that this glob matches; `*` crosses colons
    #[arg(long, value_name = "GLOB")]
    pub pattern: Option<String>,
    /// Compare so many entries, taken at random
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub sample: Option<u64>,
    /// Take the sample that an earlier run with this seed took
    #[arg(long, value_name = "SEED", requires = "sample")]
    pub sample_seed: Option<u64>,
    /// Make at most this many calls to AWS
    #[arg(long, value_name = "CALLS", value_parser = count, allow_negative_numbers = true)]
    pub budget: Option<u64>,
}

/// Longest value in the table, in characters; JSON has whole values.
const SHOWN: usize = 100;

pub(super) fn verify(args: &VerifyArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open(globals, Need::Sound, output)?;
    let which = match (&args.key, &args.pattern) {
        (Some(key), _) => {
            let key = named::key(&session.app, key, &mut |text| session.progress.notice(text))?;
            EntrySelection::Key(key.to_string())
        }
        (None, Some(glob)) => EntrySelection::Glob(pattern(glob)?),
        (None, None) => EntrySelection::All,
    };
    let comparison = VerifyRequest {
        which,
        sample: args.sample.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
        seed: args.sample_seed.unwrap_or_else(|| fastrand::u64(0..1_000_000)),
        budget: args.budget,
    };
    if session.app.disabled().is_some() {
        session.progress.notice("the cache is disabled: wrong entries are removed, none is stored");
    }
    let done = session.wait(EntryVerifier::new(&session.app).verify(&comparison, session.progress.as_ref()))?;
    let (verified, calls, faults) = done.map_err(|error| absent(error.into()))?;
    session.close(faults);
    if let (true, EntrySelection::Glob(glob)) = (is_empty(&verified), &comparison.which) {
        return Err(unmatched(args.pattern.as_deref().unwrap_or(glob)));
    }
    if output.format() == Format::Table {
        output.report(&Value::Null, &page(&verified, &calls))?;
    } else {
        output.report(&document(&verified, &calls, &comparison), &TextReport::new())?;
    }
    ending(verified, &session)
}

/// Whether no stored entry was selected.
fn is_empty(verified: &Verified) -> bool {
    let Verified { checked, wrong, failed, skipped, ended } = verified;
    *checked == 0 && wrong.is_empty() && failed.is_empty() && skipped.is_empty() && ended.is_none()
}

/// A pattern that no stored key matches is most likely mistyped.
fn unmatched(pattern: &str) -> CliError {
    let typed = pattern.split(':').next().unwrap_or_default().trim_matches(['*', '?']);
    let near = nearest(typed, Resource::ALL.map(Resource::as_str)).filter(|near| *near != typed);
    let near = near.map(|near| format!("did you mean `{near}:*`? ")).unwrap_or_default();
    let resources = Resource::ALL.map(Resource::as_str).join(", ");
    CliError::new(Code::NotFound, format!("no stored entry matches `{pattern}`: nothing was compared")).hint(format!(
        "{near}keys begin with a resource ({resources}); `awsideman cache status --recent-entries 20` lists keys"
    ))
}

/// A named entry that is not there is a thing that does not exist.
fn absent(failure: CliError) -> CliError {
    if failure.code != Code::CacheNeeded {
        return failure;
    }
    CliError { code: Code::NotFound, ..failure }.hint(
        "`awsideman cache status --recent-entries 20` lists keys, `awsideman cache verify --pattern GLOB` takes many",
    )
}

/// A wrong entry outweighs what could not be asked: it is what was looked for.
fn ending(verified: Verified, session: &Session) -> Result<(), CliError> {
    let Verified { wrong, failed, ended, checked, .. } = verified;
    let (count, failures) = (failed.len(), exit_code::failed::lines(&failed));
    let unasked = match (ended, failures.is_empty()) {
        (Some(error), _) => Some(session.failed(error).details(failures)),
        (None, false) => {
            let total = checked + count as u64;
            let message = format!("{count} of {total} entries could not be compared");
            Some(CliError::new(Code::Partial, message).details(failures))
        }
        (None, true) => None,
    };
    match (wrong.is_empty(), unasked) {
        (true, None) => Ok(()),
        (true, Some(failure)) => Err(failure),
        (false, None) => Err(CliError::quiet(Code::Critical)),
        (false, Some(failure)) => Err(CliError { code: Code::Critical, ..failure }),
    }
}

fn document(verified: &Verified, calls: &Calls, comparison: &VerifyRequest) -> Value {
    let wrong = |wrong: &Wrong| {
        json!({
            "key": wrong.key, "flaw": wrong.flaw, "age_seconds": wrong.age_ms / 1000, "mended": wrong.repair,
            "differences": wrong.differences.first, "more_differences": wrong.differences.more,
        })
    };
    json!({
        "schema_version": 1,
        "checked": verified.checked,
        "wrong": verified.wrong.iter().map(wrong).collect::<Vec<_>>(),
        "failed": verified.failed,
        "skipped": verified.skipped,
        "seed": comparison.sample.map(|_| comparison.seed),
        "calls": calls.total,
        "complete": verified.failed.is_empty() && verified.ended.is_none(),
    })
}

fn page(verified: &Verified, calls: &Calls) -> TextReport {
    let mut page = TextReport::new();
    for wrong in &verified.wrong {
        page = page.line(line(wrong));
        page = wrong.differences.first.iter().fold(page, |page, difference| page.line(difference_line(difference)));
        if wrong.differences.more > 0 {
            page = page.line(format!("    and {} more", wrong.differences.more));
        }
    }
    for (reason, n) in &verified.skipped {
        page = page.line(format!("Not compared: {n} ({reason})"));
    }
    if verified.checked == 0 && verified.failed.is_empty() && verified.ended.is_none() {
        return page.line("Nothing was compared: no stored entry is a fresh answer of AWS");
    }
    page.line(format!(
        "Compared {} with AWS: {} right, {} wrong ({} calls)",
        entries(verified.checked),
        verified.checked - verified.wrong.len() as u64,
        verified.wrong.len(),
        calls.total
    ))
}

fn line(wrong: &Wrong) -> String {
    let flaw = match wrong.flaw {
        Flaw::Differs => "AWS has a different value",
        Flaw::Gone => "it no longer exists in AWS",
        Flaw::Exists => "cached as not found, but it exists in AWS",
        Flaw::Unreadable => "the stored value cannot be read",
    };
    let repair = match wrong.repair {
        Repair::Replaced => "replaced",
        Repair::Removed => "removed",
        Repair::Left => "not removed",
    };
    let age = format_duration(Duration::from_millis(wrong.age_ms.unsigned_abs()));
    format!("wrong  {}: {flaw} ({age} old, {repair})", wrong.key)
}

fn difference_line(difference: &Difference) -> String {
    let side = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        value => {
            let whole = text(value);
            let short: String = whole.chars().take(SHOWN).collect();
            if short.len() < whole.len() { format!("{short}...") } else { short }
        }
    };
    format!("    {}: {} in the cache, {} at AWS", difference.at, side(&difference.cached), side(&difference.aws))
}
