//! Files of a module do not import each other in a circle: the root of a folder declares and re-exports, siblings import
//! each other by file.

use super::imports::{Modules, cycles};
use super::{Source, sources};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Files that still break a rule, one `rule file` a line. The list only shrinks: `UPDATE=1` removes what is fixed.
fn allowed_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file!()).with_file_name("allowed_cycles.txt")
}

/// Compares what breaks a rule with the files that may: a new one fails, and one that is fixed leaves the list.
fn only_shrinks(rule: &str, found: &BTreeMap<String, Vec<String>>) {
    let text = fs::read_to_string(allowed_path()).expect("the list of allowed files");
    let is_fixed = |line: &&str| line.split_once(' ').is_some_and(|(r, file)| r == rule && !found.contains_key(file));
    let fixed: Vec<&str> = text.lines().filter(is_fixed).collect();
    let new: Vec<String> = found
        .iter()
        .filter(|(file, _)| !text.lines().any(|line| line == format!("{rule} {file}")))
        .map(|(file, why)| format!("src/{file}\n    {}", why.join("\n    ")))
        .collect();
    if !fixed.is_empty() && env::var_os("UPDATE").is_some() {
        let kept: Vec<&str> = text.lines().filter(|line| !is_fixed(line)).collect();
        let kept = kept.into_iter().fold(String::new(), |kept, line| kept + line + "\n");
        fs::write(allowed_path(), kept).expect("the list is written");
    } else {
        assert!(fixed.is_empty(), "remove these lines from {} (UPDATE=1 does): {fixed:#?}", allowed_path().display());
    }
    assert!(new.is_empty(), "{rule}:\n{}", new.join("\n"));
}

/// What each file of a cycle imports of the others.
fn files_in_cycles(sources: &[Source]) -> BTreeMap<String, Vec<String>> {
    let edges = Modules::of(sources).graph().edges;
    let mut found = BTreeMap::new();
    for group in cycles(&edges) {
        for file in &group {
            let others = edges.iter().filter(|(from, to)| from == file && group.contains(to));
            found.insert(
                file.clone(),
                others.map(|(_, to)| format!("imports {to}, which imports it in the end")).collect(),
            );
        }
    }
    found
}

fn re_exports_used_inside(sources: &[Source]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, path, by_file) in Modules::of(sources).graph().re_exports {
        found.entry(file).or_default().push(format!("{path} -> {by_file}"));
    }
    found
}

#[test]
fn files_of_a_module_do_not_import_each_other_in_a_circle() {
    only_shrinks("cycle", &files_in_cycles(&sources()));
}

#[test]
fn siblings_import_each_other_by_file() {
    only_shrinks("re-export", &re_exports_used_inside(&sources()));
}

#[test]
fn a_planted_cycle_is_noticed() {
    let planted = |files: &[(&str, &str)]| -> Vec<Source> {
        files
            .iter()
            .map(|(path, text)| Source { path: (*path).into(), module: "jobs".into(), text: (*text).into() })
            .collect()
    };
    let in_cycles = |files: &[(&str, &str)]| files_in_cycles(&planted(files)).into_keys().collect::<Vec<_>>();
    let by_root = |files: &[(&str, &str)]| re_exports_used_inside(&planted(files)).into_keys().collect::<Vec<_>>();

    let circle = [
        ("jobs/mod.rs", "mod a; mod b;"),
        ("jobs/a.rs", "use super::b::{self, B};"),
        ("jobs/b.rs", "fn f() { super::a::g() }"),
    ];
    assert_eq!(in_cycles(&circle), ["jobs/a.rs", "jobs/b.rs"]);

    let helper_in_the_root = [("jobs/mod.rs", "mod a; pub fn help() { a::run() }"), ("jobs/a.rs", "use super::help;")];
    assert_eq!(in_cycles(&helper_in_the_root), ["jobs/a.rs", "jobs/mod.rs"]);

    let type_of_the_root =
        [("jobs/mod.rs", "mod a; pub struct Jobs { a: a::A }"), ("jobs/a.rs", "use super::Jobs; impl Jobs {}")];
    assert!(in_cycles(&type_of_the_root).is_empty());

    let two_types = [
        ("jobs/mod.rs", "mod a; pub struct Jobs { a: a::A } pub enum Kind {}"),
        ("jobs/a.rs", "use super::{Jobs, Kind};"),
    ];
    assert_eq!(in_cycles(&two_types), ["jobs/a.rs", "jobs/mod.rs"]);

    let re_export =
        [("jobs/mod.rs", "mod a; mod b; pub use b::B;"), ("jobs/a.rs", "use crate::jobs::B;"), ("jobs/b.rs", "")];
    assert_eq!(by_root(&re_export), ["jobs/a.rs"]);
    assert!(in_cycles(&re_export).is_empty());

    let by_file = [
        ("jobs/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("jobs/a.rs", "use super::b::B; // use super::A\n#[cfg(test)]\nmod tests { use super::super::A; }"),
        ("jobs/b.rs", "const TEXT: &str = \"super::a::A\";"),
    ];
    assert!(in_cycles(&by_file).is_empty() && by_root(&by_file).is_empty());
}
