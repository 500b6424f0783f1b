//! `version`, `completions` and `man`: the program about itself.
//!
//! None of them needs configuration, cache or AWS.

use crate::cli::args::meta::CompletionsArgs;
use crate::cli::args::meta::ManArgs;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::man;
use crate::cli::output::{Output, TextReport};
use crate::model::Zone;
use serde_json::json;

/// `awsideman 0.1.0`
pub(crate) fn version(output: &mut Output) -> Result<(), CliError> {
    let version = env!("CARGO_PKG_VERSION");
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let zones = Zone::source();
    let zones = json!({ "folder": zones.folder, "version": zones.version });
    let document = json!({ "name": "awsideman", "version": version, "target": target, "time_zones": zones });
    output.report(&document, &TextReport::new().line(format!("awsideman {version}")))
}

/// The completion script of a shell.
pub(crate) fn completions(
    arguments: &CompletionsArgs,
    tree: clap::Command,
    output: &mut Output,
) -> Result<(), CliError> {
    output.text(&String::from_utf8_lossy(&man::completions(tree, arguments.shell)))
}

/// The manual page, or all of them in a directory.
pub(crate) fn manual(arguments: &ManArgs, tree: clap::Command, output: &mut Output) -> Result<(), CliError> {
    let Some(folder) = &arguments.dir else {
        let page =
            man::page(tree).map_err(|error| CliError::new(Code::Failed, format!("cannot make the page: {error}")))?;
        return output.text(&page);
    };
    let written = man::write_all(&tree, folder).map_err(|error| {
        CliError::new(Code::Failed, format!("--dir: cannot write to {}: {error}", folder.display()))
            .hint("name a directory that you may write")
    })?;
    let paths: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    let page = TextReport::new().line(format!("{} pages written to {}", paths.len(), folder.display()));
    output.report(&json!({ "written": paths }), &page)
}
