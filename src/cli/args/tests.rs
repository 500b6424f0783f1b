//! Tests that walk the whole tree of commands.

use super::*;
use std::collections::BTreeMap;

fn walk(command: &clap::Command, path: &str, visit: &mut dyn FnMut(&str, &clap::Command)) {
    visit(path, command);
    for child in command.get_subcommands() {
        walk(child, &format!("{path} {}", child.get_name()), visit);
    }
}

fn each(visit: &mut dyn FnMut(&str, &clap::Command)) {
    walk(&tree(), "awsideman", visit);
}

fn examples(command: &clap::Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let from = text.split_once("Examples:\n").map(|(_, from)| from.to_owned()).unwrap_or_default();
    let lines = from.lines().take_while(|line| !line.trim().is_empty());
    lines.map(|line| line.trim().to_owned()).collect()
}

/// The words of the part of an example that is our own command.
fn words(example: &str) -> Vec<String> {
    let own = &example[example.find("awsideman").expect("names awsideman")..];
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), None);
    for c in own.chars() {
        match (c, quoted) {
            ('\'', None) => quoted = Some('\''),
            ('\'', Some(_)) => quoted = None,
            (' ', None) => words.push(std::mem::take(&mut word)),
            ('|' | ')', None) => break,
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_same_flag_means_the_same_everywhere() {
    let mut longs: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut shorts: BTreeMap<char, (String, String)> = BTreeMap::new();
    let mut wrong = Vec::new();
    each(&mut |path, command| {
        for argument in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
            let long = argument.get_long().expect("filtered").to_owned();
            let meaning = if ["help", "version"].contains(&long.as_str()) {
                String::new()
            } else {
                format!(
                    "{} {:?} {:?} {:?}",
                    argument.get_help().map(ToString::to_string).unwrap_or_default(),
                    argument.get_action(),
                    argument.get_value_parser().type_id(),
                    argument.get_value_names(),
                )
            };
            for short in argument.get_short_and_visible_aliases().unwrap_or_default() {
                let first = shorts.entry(short).or_insert_with(|| (long.clone(), path.to_owned()));
                if first.0 != long {
                    wrong.push(format!("-{short} is --{} in `{}` and --{long} in `{path}`", first.0, first.1));
                }
            }
            let names = argument.get_visible_aliases().unwrap_or_default().into_iter().map(str::to_owned);
            for name in names.chain([long.clone()]) {
                // The sizes of a made-up organization are named after what there is in it.
                if path == "awsideman sandbox serve" && name == "accounts" {
                    continue;
                }
                let first = longs.entry(name.clone()).or_insert_with(|| (meaning.clone(), path.to_owned()));
                if first.0 != meaning {
                    wrong.push(format!("--{name}: `{}` in `{}`, `{meaning}` in `{path}`", first.0, first.1));
                }
            }
        }
    });
    assert!(wrong.is_empty(), "one flag, one meaning:\n{}", wrong.join("\n"));
    assert!(longs.contains_key("limit") && shorts.contains_key(&'p'));
}

#[test]
fn every_command_has_an_example_and_every_example_is_understood() {
    let mut wrong = Vec::new();
    each(&mut |path, command| {
        let examples = examples(command);
        if examples.is_empty() && (!command.has_subcommands() || path == "awsideman") {
            wrong.push(format!("{path}: no example"));
        }
        for example in examples {
            if let Err(error) = Cli::try_parse_from(words(&example)) {
                wrong.push(format!("{path}: {example}\n{error}"));
            }
            let name = path.split(' ').next_back().unwrap_or_default();
            let aliased = command.get_visible_aliases().any(|alias| example.contains(alias));
            if path != "awsideman" && !example.contains(name) && !aliased {
                wrong.push(format!("{path}: the example is of another command: {example}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_and_flag_is_explained_in_one_imperative_line() {
    let mut wrong = Vec::new();
    each(&mut |path, command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        if about.is_empty() || about.ends_with('.') || !about.starts_with(char::is_uppercase) {
            wrong.push(format!("{path}: {about:?}"));
        }
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            if help.is_empty() || help.ends_with('.') {
                wrong.push(format!("{path} {}: {help:?}", argument.get_id()));
            }
            if argument.is_hide_set() {
                wrong.push(format!("{path} {}: hidden", argument.get_id()));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn help_fits_eighty_columns_and_breaks_no_example() {
    let mut wrong = Vec::new();
    each(&mut |path, command| {
        for text in [
            command.clone().term_width(80).render_help().to_string(),
            command.clone().term_width(80).render_long_help().to_string(),
        ] {
            for line in text.lines().filter(|line| line.chars().count() > 80) {
                wrong.push(format!("{path}: too wide: {line}"));
            }
            for example in examples(command) {
                if !text.lines().any(|line| line.trim() == example) {
                    wrong.push(format!("{path}: broken over lines: {example}"));
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn singular_and_plural_are_understood() {
    for line in
        ["users list", "groups list", "permission-sets list", "permission_set list", "accounts list", "job list"]
    {
        let words = std::iter::once("awsideman").chain(line.split(' '));
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    for (line, names) in [
        ("user list --no-cache --refresh", ["--no-cache", "--refresh"]),
        ("user list --cache-only --refresh", ["--cache-only", "--refresh"]),
        ("user get x --no-cache --max-age 5m", ["--no-cache", "--max-age"]),
        ("jobs run warm --all", ["[NAME]...", "--all"]),
    ] {
        let words = std::iter::once("awsideman").chain(line.split(' '));
        let error = Cli::try_parse_from(words).unwrap_err().to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{line}: {error}");
    }
    for line in ["--output csv user list --json", "-q user list -v", "--color always version --no-color"] {
        let words = std::iter::once("awsideman").chain(line.split(' '));
        let failure = Cli::try_parse_from(words).unwrap().globals.check().unwrap_err();
        assert_eq!(failure.code, exit_code::Code::Usage, "{line}");
        assert!(failure.message.contains("cannot be used with"), "{line}: {}", failure.message);
    }
}

#[test]
fn a_sandbox_may_have_a_seed() {
    let parse = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().globals.sandbox;
    assert_eq!(parse("awsideman version"), None);
    assert_eq!(parse("awsideman --sandbox user list"), Some(None));
    assert_eq!(parse("awsideman user list --sandbox=7"), Some(Some(7)));
}

#[test]
fn wrong_durations_say_what_a_duration_is() {
    let error = Cli::try_parse_from("awsideman user list --max-age soon".split(' ')).unwrap_err().to_string();
    assert!(error.contains("`soon` is not a duration") && error.contains("--max-age"), "{error}");
}

#[test]
fn the_long_help_of_a_command_is_not_replaced_by_its_short_one() {
    let tree = super::tree();
    for path in ["cache recover", "cache warm", "alerts silence", "jobs run", "doctor"] {
        let mut command = &tree;
        for name in path.split(' ') {
            command = command.find_subcommand(name).unwrap();
        }
        let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
        assert!(long.lines().count() > 2, "{path}: {long}");
    }
}
