//! The account and configuration of this call, as flags of the commands that its hints name.
//!
//! A hint is copied into a shell. Without the flags of the failing call its command would use another account.

use super::args::GlobalArgs;
use crate::model::{Invocation, shell_word};
use std::path::Path;

/// The flags of a call, for hints that are printed in its directory.
pub(super) fn of(globals: &GlobalArgs) -> Invocation {
    with_config(globals, globals.config.as_deref())
}

/// The same for commands that are read elsewhere (in mails, on the status page): the configuration file is absolute.
pub(super) fn elsewhere(globals: &GlobalArgs) -> Invocation {
    let absolute = globals.config.as_deref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    with_config(globals, absolute.as_deref())
}

fn with_config(globals: &GlobalArgs, config: Option<&Path>) -> Invocation {
    let mut flags = Vec::new();
    if let Some(seed) = globals.sandbox {
        let seed = seed.map_or_else(String::new, |seed| format!("={seed}"));
        flags.push(("--sandbox", format!("--sandbox{seed}")));
    }
    let mut with_value = |name: &'static str, value: Option<String>| {
        flags.extend(value.map(|value| (name, format!("{name} {}", shell_word(&value)))));
    };
    with_value("--profile", globals.profile.clone());
    with_value("--region", globals.region.clone());
    with_value("--config", config.map(|path| path.display().to_string()));
    Invocation::new(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use crate::model::COMMANDS;
    use clap::{CommandFactory, Parser};
    use serde_json::json;

    fn of(words: &str) -> Invocation {
        super::of(&Cli::try_parse_from(words.split(' ')).expect("a command line").globals)
    }

    #[test]
    fn commands_get_the_flags_of_the_call_and_prose_gets_none() {
        let call = of("awsideman --sandbox=7 --profile prod --config /tmp/a.toml user list");
        let flags = "--sandbox=7 --profile prod --config /tmp/a.toml";
        for (text, expected) in [
            ("`awsideman doctor` checks", format!("`awsideman {flags} doctor` checks")),
            ("awsideman jobs run warm", format!("awsideman {flags} jobs run warm")),
            ("x\nnext: awsideman cache health", format!("x\nnext: awsideman {flags} cache health")),
            ("one\nawsideman user find TEXT", format!("one\nawsideman {flags} user find TEXT")),
            ("`sudo -u x awsideman cache warm`", format!("`sudo -u x awsideman {flags} cache warm`")),
            ("use the newer awsideman here, or cache", "use the newer awsideman here, or cache".into()),
            ("`awsideman --sandbox user list` needs no AWS", "`awsideman --sandbox user list` needs no AWS".into()),
            ("`awsideman sandbox serve`", "`awsideman sandbox serve`".into()),
            (
                "`awsideman user list --profile dev` or `awsideman info`",
                format!(
                    "`awsideman --sandbox=7 --config /tmp/a.toml user list --profile dev` or `awsideman {flags} info`"
                ),
            ),
        ] {
            assert_eq!(call.copyable(text), expected);
            assert_eq!(Invocation::default().copyable(text), text);
        }
        assert_eq!(of("awsideman --sandbox info").copyable("`awsideman info`"), "`awsideman --sandbox info`");
        let spaced = super::of(&GlobalArgs { profile: Some("it's".into()), ..GlobalArgs::default() });
        assert_eq!(spaced.copyable("awsideman info"), r"awsideman --profile 'it'\''s' info");
    }

    #[test]
    fn documents_get_them_where_commands_are() {
        let row = |doctor: &str| json!({"hint": doctor, "notices": [doctor], "DisplayName": "awsideman doctor"});
        let mut document = json!({"findings": [row("awsideman doctor")]});
        of("awsideman --profile p info").copyable_in(&mut document);
        assert_eq!(document, json!({"findings": [row("awsideman --profile p doctor")]}));
    }

    #[test]
    fn the_list_has_every_command_that_reads_an_account_or_a_configuration() {
        let tree = Cli::command();
        let others = ["sandbox", "completions", "man", "version", "help"];
        let mut names: Vec<&str> =
            tree.get_subcommands().map(clap::Command::get_name).filter(|name| !others.contains(name)).collect();
        names.sort_unstable();
        assert_eq!(names, COMMANDS);
    }

    /// Every text of the code that names a command in backquotes: the command exists, and gets the flags of its call.
    #[test]
    fn every_command_that_a_hint_names_exists_and_is_copyable() {
        let (tree, call) = (Cli::command(), of("awsideman --sandbox=7 --profile p --config c info"));
        let (mut files, mut seen) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")], 0);
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let code = std::fs::read_to_string(&path).unwrap();
            // A text continues on the next line after a backslash.
            let code: String = code.split("\\\n").map(str::trim_start).collect();
            for (_, after) in code.match_indices("`awsideman ").map(|(at, start)| code.split_at(at + start.len())) {
                let command = after.split('`').next().unwrap_or_default();
                let words: Vec<&str> = command.split_whitespace().collect();
                if command.contains(['\n', '"', '{']) && !words.first().is_some_and(|word| COMMANDS.contains(word)) {
                    continue;
                }
                let mut here = &tree;
                for word in words.iter().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-')) {
                    match here.find_subcommand(word) {
                        Some(found) => here = found,
                        None if here.has_subcommands() && !word.starts_with('-') => {
                            panic!("{}: `awsideman {command}` is no command", path.display())
                        }
                        None => break,
                    }
                }
                if words.first().is_some_and(|word| COMMANDS.contains(word)) {
                    seen += 1;
                    let text = format!("`awsideman {command}`");
                    let shown = call.copyable(&text);
                    assert!(shown.contains("--sandbox=7") && shown.contains("--profile"), "{text}: {shown}");
                    assert!(shown.contains("--config"), "{text}: {shown}");
                }
            }
        }
        assert!(seen > 60, "{seen} hints were found");
    }
}
