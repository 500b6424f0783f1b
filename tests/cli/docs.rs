//! README.md and docs/: every command in them parses, and every generated table equals that of the program.
//!
//! An outdated document fails here; `UPDATE=1 cargo nextest run -j 1 --test cli docs::` rewrites the tables.

use awsideman::aws::ErrorClass;
use awsideman::cli::args;
use awsideman::cli::exit_code::Code;
use awsideman::config::{DEFAULT, Sources, load, load_jobs, schedule_warnings};
use awsideman::daemon::metrics;
use awsideman::jobs::{For, InstalledService, longest};
use awsideman::lock::Guard;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 19] = [
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/alerts.md",
    "docs/architecture.md",
    "docs/aws-access.md",
    "docs/changes.md",
    "docs/ci.md",
    "docs/coherence.md",
    "docs/commands.md",
    "docs/configuration.md",
    "docs/daemon.md",
    "docs/encryption.md",
    "docs/glossary.md",
    "docs/jobs.md",
    "docs/library.md",
    "docs/locks.md",
    "docs/sandbox.md",
    "docs/troubleshooting.md",
];
/// They show no command to run.
const WITHOUT_COMMANDS: [&str; 2] = ["CONTRIBUTING.md", "docs/glossary.md"];

fn place(document: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(document)
}

fn read(document: &str) -> String {
    std::fs::read_to_string(place(document)).unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// The part of a document between `<!-- NAME -->` and `<!-- /NAME -->`: where it begins and ends.
fn between(text: &str, name: &str) -> (usize, usize) {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let begin = text.find(&open).unwrap_or_else(|| panic!("there is no `{}`", open.trim())) + open.len();
    let length = text[begin..].find(&close).unwrap_or_else(|| panic!("there is no `{close}`"));
    (begin, begin + length)
}

/// Compares one table of a document with the program.
fn held_in(document: &str, name: &str, expected: &str) {
    let text = read(document);
    let (begin, end) = between(&text, name);
    if text[begin..end] == *expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some_and(|value| value == "1"),
        "the table `{name}` of {document} is outdated: run `UPDATE=1 cargo nextest run -j 1 --test cli docs::` \
         and read what changed.\nIt is:\n{}\nIt should be:\n{expected}",
        &text[begin..end]
    );
    std::fs::write(place(document), [&text[..begin], expected, &text[end..]].concat()).unwrap();
}

fn rows(command: &clap::Command, path: &str, into: &mut String) {
    if !command.has_subcommands() {
        let mut usage = path.trim_start().to_owned();
        for argument in command.get_positionals() {
            let name = argument.get_value_names().unwrap_or_default().first().map(ToString::to_string);
            let name = name.unwrap_or_else(|| argument.get_id().to_string()).to_uppercase();
            let several = if argument.get_num_args().is_some_and(|n| n.max_values() > 1) { "..." } else { "" };
            let _ =
                if argument.is_required_set() { write!(usage, " {name}") } else { write!(usage, " [{name}]{several}") };
        }
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(into, "| `{usage}` | {about} |");
    }
    for child in command.get_subcommands() {
        rows(child, &format!("{path} {}", child.get_name()), into);
    }
}

#[test]
fn the_manual_of_commands_lists_every_command() {
    let mut table = "| Command | What it does |\n|---|---|\n".to_owned();
    rows(&args::tree(), "", &mut table);
    assert!(table.contains("| `cache status` |") && table.contains("| `user get USER` |"), "{table}");
    held_in("docs/commands.md", "commands", &table);
}

#[test]
fn the_manual_of_commands_lists_every_exit_code() {
    let mut table = "| Code | In JSON | Meaning |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let _ = writeln!(table, "| {} | `{}` | {} |", code.number(), code.name(), code.meaning());
    }
    held_in("docs/commands.md", "exit-codes", &table);
}

#[test]
fn the_troubleshooting_guide_lists_the_exit_code_of_each_error_of_aws() {
    let mut table = "| AWS answers | Meaning | Exit |\n|---|---|---|\n".to_owned();
    for class in ErrorClass::ALL {
        let _ = writeln!(table, "| {} | {} | {} |", class.answers(), class.meaning(), class.exit_code());
    }
    held_in("docs/troubleshooting.md", "aws-errors", &table);
}

#[test]
fn the_manual_of_the_daemon_lists_every_figure() {
    let mut table = "| Metric | What it is |\n|---|---|\n".to_owned();
    for (name, help) in metrics::NAMES {
        let _ = writeln!(table, "| `{name}` | {help} |");
    }
    held_in("docs/daemon.md", "metrics", &table);
}

#[test]
fn the_manual_of_configuration_lists_every_ttl() {
    let defaults: toml::Table = toml::from_str(DEFAULT).unwrap();
    let cache = defaults["cache"].as_table().unwrap();
    let mut table = "| Key in `[cache.ttl]` | Fresh for |\n|---|---|\n".to_owned();
    for (key, time) in cache["ttl"].as_table().unwrap() {
        let key = if key.contains(':') { format!("\"{key}\"") } else { key.clone() };
        let _ = writeln!(table, "| `{key}` | {} |", time.as_str().unwrap());
    }
    let _ = writeln!(table, "| any other (`cache.default_ttl`) | {} |", cache["default_ttl"].as_str().unwrap());
    let _ = writeln!(
        table,
        "| \"does not exist\" (`cache.not_found_ttl`) | {} |",
        cache["not_found_ttl"].as_str().unwrap()
    );
    held_in("docs/configuration.md", "ttl", &table);
}

/// The code blocks of a document in this language: the line each begins on, and its text.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let (mut found, mut open): (Vec<(usize, String)>, Option<bool>) = (Vec::new(), None);
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(name), None) => {
                open = Some(name == language);
                if name == language {
                    found.push((number + 2, String::new()));
                }
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(true)) => {
                let (_, block) = found.last_mut().expect("an open block was pushed");
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    assert_eq!(open, None, "a code block is not closed");
    found
}

/// Every command of ours in a document, with its line: after `$ ` in console blocks, in shell blocks, and in running text.
fn commands(document: &str) -> Vec<(usize, Vec<String>)> {
    let text = read(document);
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (first, block) in blocks(&text, "console") {
        let typed = block.lines().enumerate().filter_map(|(at, line)| Some((first + at, line.strip_prefix("$ ")?)));
        lines.extend(typed.map(|(number, line)| (number, line.to_owned())));
    }
    for (first, block) in blocks(&text, "sh") {
        lines.extend(block.lines().enumerate().map(|(at, line)| (first + at, line.to_owned())));
    }
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        fenced ^= line.starts_with("```");
        let spans = line.split('`').skip(1).step_by(2).filter(|span| !fenced && span.contains(' '));
        let own = spans.filter(|span| span.starts_with("awsideman ") || span.starts_with("cargo run "));
        lines.extend(own.map(|span| (number + 1, span.to_owned())));
    }
    lines.iter().flat_map(|(number, line)| split(line).into_iter().map(|words| (*number, words))).collect()
}

/// The words of each command of ours in a line of shell.
fn split(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word, mut quoted) = (Vec::new(), Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quoted) {
            (quote, Some(open)) if quote == open => quoted = None,
            ('\'' | '"', None) => quoted = Some(c),
            ('#', None) if word.is_empty() => break,
            (' ' | '|' | '&' | ';' | '>' | '(' | ')', None) => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                if c != ' ' {
                    commands.push(std::mem::take(&mut words));
                }
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    commands.push(words);
    commands.into_iter().filter_map(|words| own(&words)).collect()
}

/// A command from our name on, if it is one of ours: variables before it and `cargo run --release --` are left out.
fn own(words: &[String]) -> Option<Vec<String>> {
    let words: Vec<&str> = words.iter().map(String::as_str).skip_while(|word| word.contains('=')).collect();
    let ours = [["awsideman"].as_slice(), &["/usr/local/bin/awsideman"], &["cargo", "run", "--release", "--"]];
    let arguments = ours.into_iter().find_map(|start| words.strip_prefix(start))?;
    Some(std::iter::once("awsideman").chain(arguments.iter().copied()).map(ToOwned::to_owned).collect())
}

#[test]
fn the_table_of_locks_is_that_of_the_program() {
    let mut expected = "| File | Guards | Waits for it | At most | Then |\n|---|---|---|---|---|\n".to_owned();
    for guard in Guard::ALL {
        let (file, name, who) = (guard.file(), guard.name(), guard.who());
        writeln!(expected, "| `{file}` | {name} | {who} | {} | {} |", guard.bound(), guard.then()).unwrap();
    }
    held_in("docs/locks.md", "locks", &expected);
}

#[test]
fn the_library_manual_lists_every_test_of_a_python_block_in_order() {
    let text = read("docs/library.md");
    let (begin, end) = between(&text, "blocks");
    let rows = text[begin..end].lines().skip(2);
    let named: Vec<&str> = rows.map(|row| row.rsplit('`').nth(1).unwrap_or_default()).collect();
    let blocks = read("tests/modules/library/blocks.rs");
    let tests: Vec<&str> = blocks.split("#[test]\nfn ").skip(1).map(|rest| rest.split('(').next().unwrap()).collect();
    assert_eq!(named, tests);
    assert_eq!(tests.len(), 16, "the guide has sixteen blocks");
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let commands = commands(document);
        let has_none = WITHOUT_COMMANDS.contains(&document);
        assert_eq!(commands.is_empty(), has_none, "{document}: the commands were not found");
        for (number, words) in commands {
            if let Err(error) = args::tree().try_get_matches_from(&words)
                && error.kind() != clap::error::ErrorKind::DisplayHelp
            {
                wrong.push(format!("{document}:{number}: {}\n{error}", words.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_are_found_behind_variables_pipes_and_quotes() {
    let found =
        split("AWS_PROFILE=a awsideman user list --filter 'UserName=a b' | jq . && awsideman cache path # awsideman");
    let expected =
        vec![vec!["awsideman", "user", "list", "--filter", "UserName=a b"], vec!["awsideman", "cache", "path"]];
    assert_eq!(found, expected);
    assert_eq!(split("cargo run --release -- --sandbox user list"), [["awsideman", "--sandbox", "user", "list"]]);
    assert_eq!(split("grep awsideman /var/log/syslog"), Vec::<Vec<String>>::new());
}

#[test]
fn every_file_in_the_documents_can_be_used() {
    let (mut jobs_seen, mut configurations_seen) = (0, 0);
    for document in DOCUMENTS {
        for (number, block) in blocks(&read(document), "toml") {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("shown.toml");
            let is_job = block.contains("\nkind = ");
            std::fs::write(&file, block).unwrap();
            let sources = Sources {
                environment: [("HOME".to_owned(), folder.path().display().to_string())].into(),
                explicit: (!is_job).then_some(file),
                overrides: Vec::new(),
                system_file: folder.path().join("none.toml"),
                working_directory: folder.path().to_owned(),
            };
            let loaded = load(&sources).unwrap_or_else(|error| panic!("{document}:{number}: {error}"));
            if !is_job {
                configurations_seen += 1;
                continue;
            }
            let jobs = load_jobs(Some(folder.path())).unwrap_or_else(|error| panic!("{document}:{number}: {error}"));
            let warnings = schedule_warnings(&jobs, &loaded.config.cache.ttl);
            assert!(warnings.is_empty(), "{document}:{number}: {warnings:?}");
            jobs_seen += jobs.len();
        }
    }
    assert!(jobs_seen > 0 && configurations_seen > 0, "no job file or no configuration is shown");
}

#[test]
fn every_link_leads_to_a_file() {
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = read(document);
        let folder = place(document).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if !link.contains("://") && !path.is_empty() && !folder.join(path).exists() {
                wrong.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file to copy: it is what `jobs install` writes for the shipped jobs and a program in `/usr/local/bin`.
fn held_file(path: &str, expected: &str) {
    let file = place(path);
    if std::fs::read_to_string(&file).unwrap_or_default() == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some_and(|value| value == "1"),
        "{path} is not what `jobs install` writes: run `UPDATE=1 cargo nextest run -j 1 --test cli docs::` and read what changed"
    );
    std::fs::write(file, expected).unwrap();
}

#[test]
fn the_files_to_copy_are_those_that_jobs_install_writes() {
    let home = tempfile::tempdir().unwrap();
    let sources = Sources {
        environment: [("HOME".to_owned(), home.path().display().to_string())].into(),
        explicit: None,
        overrides: Vec::new(),
        system_file: home.path().join("none.toml"),
        working_directory: home.path().to_owned(),
    };
    let grace = load(&sources).unwrap().config.jobs.grace;
    let longest = longest(&load_jobs(None).unwrap(), grace);
    let command = ["/usr/local/bin/awsideman", "jobs", "run"].map(str::to_owned).to_vec();
    let service = InstalledService { command, longest, grace, whom: For::Host, path: Vec::new() };
    for file in service.systemd() {
        held_file(&format!("scripts/systemd/{}", file.name), &file.text);
    }
    let command =
        ["/usr/local/bin/awsideman", "jobs", "daemon", "--listen", "127.0.0.1:9464"].map(str::to_owned).to_vec();
    let daemon = InstalledService { command, ..service.clone() }.daemon();
    held_file(&format!("scripts/systemd/{}", daemon.name), &daemon.text);
    held_file("scripts/awsideman.cron", &service.cron_file().text);
}

#[test]
fn the_daemon_unit_is_as_hardened_as_the_installed_one() {
    let hardening = |unit: &str| -> Vec<String> {
        let text = read(&format!("scripts/systemd/{unit}"));
        let starts = [
            "NoNew",
            "Protect",
            "Private",
            "Restrict",
            "Remove",
            "Lock",
            "Memory",
            "SystemCall",
            "Capability",
            "UMask",
        ];
        let is_one = |line: &&str| starts.iter().any(|start| line.starts_with(start)) && !line.starts_with("RestartP");
        let mut found: Vec<String> = text.lines().filter(is_one).map(str::to_owned).collect();
        found.sort();
        found
    };
    let expected = hardening("awsideman-jobs.service");
    assert!(expected.len() > 18, "{expected:?}");
    assert_eq!(hardening("awsideman-daemon.service"), expected);
}
