//! People: words in, words out.
//!
//! [`run`] can be called any number of times in one process, prints through its environment alone and never ends
//! the process.

pub mod args;
pub mod commands;
mod confirm;
pub mod environment;
mod error;
pub mod exit_code;
mod interrupts;
mod invocation;
pub mod man;
pub mod output;
pub mod progress;
mod session;
pub mod times;

use args::{Cli, Command, GlobalArgs};
use clap::Parser;
use clap::error::ErrorKind;
use environment::Environment;
use exit_code::CliError;
use exit_code::Code;
pub use interrupts::{Exit, Interrupts};
use output::Output;
use std::ffi::OsString;
use std::process::ExitCode;

/// The whole program: the process's words in, its exit code out. A signal ends it with `exit`.
pub fn main(exit: Exit) -> ExitCode {
    crate::host::fail_instead_of_ending_at_the_file_size_limit();
    ExitCode::from(run(std::env::args_os(), Environment::process(exit)))
}

/// One run: the words (the program's name first) and what it finds around it; gives the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>, environment: Environment) -> u8 {
    let words: Vec<OsString> = words.into_iter().collect();
    environment.interrupts.set_command(&words);
    let (output, result) = match Cli::try_parse_from(&words) {
        Ok(cli) => {
            let mut output = Output::open(&cli.globals, environment);
            let result = cli.globals.check().and_then(|()| carry_out(cli.command, &cli.globals, &mut output));
            (output, result)
        }
        Err(error) => {
            let globals = GlobalArgs { json: asks_for_json(&words), ..GlobalArgs::default() };
            let mut output = Output::open(&globals, environment);
            let result = misunderstood(&error, globals.json, &mut output);
            (output, result)
        }
    };
    let talk = output.talk().clone();
    // A check with a separate exit code has printed everything, and part of an answer is better than none: their
    // `--out` counts too.
    let ended = match result {
        Ok(()) => output.finish(),
        Err(failure) if failure.is_quiet() || failure.code == Code::Partial || output.has_reported() => {
            output.finish().and(Err(failure))
        }
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(()) => Code::Ok.number(),
        Err(failure) => {
            talk.failure(&failure);
            failure.code.number()
        }
    }
}

fn carry_out(command: Command, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    if let Some((done, hint)) = if_interrupted(&command) {
        output.interrupts().leaves(done, hint);
        output.interrupts().watch();
    }
    match command {
        Command::Version => commands::meta::version(output),
        Command::Completions(arguments) => commands::meta::completions(&arguments, args::tree(), output),
        Command::Man(arguments) => commands::meta::manual(&arguments, args::tree(), output),
        Command::User(command) => commands::directory::user(command, globals, output),
        Command::Group(command) => commands::directory::group(command, globals, output),
        Command::PermissionSet(command) => commands::directory::permission_set(command, globals, output),
        Command::Account(command) => commands::directory::account(command, globals, output),
        Command::Ou(command) => commands::directory::ou(command, globals, output),
        Command::Assignment(command) => commands::assignments::assignment(command, globals, output),
        Command::Instance(command) => commands::directory::instance(command, globals, output),
        Command::Cache(command) => commands::cache::cache(command, globals, output),
        Command::Jobs(command) => commands::jobs::jobs(command, globals, output),
        Command::Journal(command) => commands::journal::journal(&command, globals, output),
        Command::Config(command) => commands::config::config(command, globals, output),
        Command::Alerts(command) => commands::alerts::alerts(&command, globals, output),
        Command::Sandbox(command) => commands::sandbox::sandbox(&command, globals, output),
        Command::Info(freshness) => commands::info::info(&freshness, globals, output),
        Command::Doctor(arguments) => commands::doctor::doctor(&arguments, globals, output),
    }
}

/// What an interruption leaves, for commands that may take long before they wait for AWS. A read handles signals from its
/// first call to AWS on, so that a cached answer needs no thread; `jobs run` and the servers handle them themselves.
fn if_interrupted(command: &Command) -> Option<(&'static str, Option<&'static str>)> {
    use args::jobs::JobsCommand as Jobs;
    use commands::cache::CacheCommand as Cache;
    Some(match command {
        Command::Cache(Cache::Warm(_)) => ("", Some("what was fetched is kept: `COMMAND` continues")),
        Command::Cache(Cache::Verify(_)) => {
            ("", Some("wrong entries found so far were corrected; run it again: `COMMAND`"))
        }
        Command::Cache(Cache::Export(_)) => ("no complete archive was written", None),
        Command::Cache(Cache::Import(_)) => ("", Some("what was imported is kept: `COMMAND` imports the rest")),
        Command::Cache(Cache::Encryption(_)) => ("", Some("what was converted is kept: `COMMAND` continues")),
        Command::Cache(Cache::Recover(_)) => ("", Some("the earlier database is kept; run it again: `COMMAND`")),
        Command::Cache(Cache::Clear(_) | Cache::Cleanup(_) | Cache::EnforceLimits(_)) => {
            ("part of the entries may have been removed", None)
        }
        Command::Jobs(Jobs::Run(_) | Jobs::Daemon(_)) => return None,
        Command::Cache(_) | Command::Jobs(_) | Command::Journal(_) | Command::Alerts(_) | Command::Doctor(_) => {
            ("", None)
        }
        _ => return None,
    })
}

/// Words that are no command: help and version go to stdout, the rest is a failure in the parser's own words.
fn misunderstood(error: &clap::Error, json: bool, output: &mut Output) -> Result<(), CliError> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output.text(&text),
        _ if json => {
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
            let rest = rest.trim();
            let failure = CliError::new(Code::Usage, message.trim());
            Err(if rest.is_empty() { failure } else { failure.hint(rest) })
        }
        _ => {
            output.talk().write(&text);
            Err(CliError::quiet(Code::Usage))
        }
    }
}

/// Whether `--json` or `--output json` is among words that were not understood.
fn asks_for_json(words: &[OsString]) -> bool {
    let words: Vec<&str> = words.iter().skip(1).filter_map(|word| word.to_str()).take_while(|&w| w != "--").collect();
    let json = |value: &str| matches!(value, "json" | "jsonl");
    words.iter().any(|word| {
        *word == "--json"
            || ["--output=", "--format=", "-o=", "-o"].iter().any(|flag| word.strip_prefix(flag).is_some_and(json))
    }) || words.windows(2).any(|pair| matches!(pair[0], "--output" | "--format" | "-o") && json(pair[1]))
}

#[cfg(test)]
mod tests;
