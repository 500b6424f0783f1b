//! `cache test`: stores, reads, expires and deletes a private entry.

use crate::app::{SelfTester, StoreStack};
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::open_loudly;
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};

pub(super) fn test(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    // Whatever the reason is, the test has failed.
    let trial = SelfTester::new(&session.app).run().map_err(|error| CliError { code: Code::Failed, ..error.into() })?;
    StoreStack::new(&session.app).finish();
    let rows = trial.steps.iter().map(|step| {
        let outcome = step.error.clone().unwrap_or_else(|| "ok".to_owned());
        vec![step.step.to_owned(), outcome, format!("{} µs", step.took_us)]
    });
    let mut page = TextReport::new().table(&["Step", "Outcome", "Took"], rows.collect());
    if !trial.enabled {
        page = page.line("The cache is disabled; the store was tested all the same");
    }
    page = page.line(format!("Cache test {} ({})", if trial.ok { "passed" } else { "failed" }, trial.backend));
    output.report(&trial, &page)?;
    if trial.ok { Ok(()) } else { Err(CliError::quiet(Code::Failed)) }
}
