//! `cache path`: prints the cache directory.

use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::open_loudly;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, TextReport};
use serde_json::json;

pub(super) fn path(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    let path = session.app.cache_dir().display().to_string();
    output.report(&json!({"path": path}), &TextReport::new().line(path.clone()))
}
