//! No two types of `src/` have one name, apart from a short list with reasons.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Names that two modules share, and why. The list only shrinks.
const SHARED: &[(&str, &str)] = &[
    ("Checked", "a listing checked by the gateway; a login file checked by aws"),
    ("End", "the end of a job row; the end of an interrupted command"),
    ("Environment", "variables of a child program; variables of this process"),
    ("Heard", "lines of one run; notices of the event loop"),
    ("InMemory", "readers over bytes, private to their modules"),
    ("Process", "a client of the rate limiter; the holder of a lock"),
    ("Stored", "an answer of the single sign-on cache; a result of the store"),
    ("Verified", "a result of `cache verify`; a verified archive"),
    ("Wait", "a wait for a rate limit; a wait for a lock"),
    ("Writer", "the changes of the gateway; an associated type of a trait of `tracing`"),
    ("Wire", "a stream of HTTP; a stream of SMTP"),
];

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.push(path);
        }
    }
}

/// The type that a line declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ")?.1,
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| line.strip_prefix(kind))?;
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    let is_associated = rest.contains("= Result<") || rest.starts_with("Value =");
    (end > 0 && !is_associated).then(|| &rest[..end])
}

#[test]
fn no_two_types_have_one_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable file");
        for name in text.lines().filter_map(declared) {
            let place = file.strip_prefix(&root).expect("below the root").display().to_string();
            places.entry(name.to_owned()).or_default().push(place);
        }
    }
    assert!(places.len() > 500, "the types were not found");
    places.retain(|_, places| places.len() > 1);
    let unknown: Vec<_> = places.iter().filter(|(name, _)| !SHARED.iter().any(|(known, _)| known == name)).collect();
    assert!(unknown.is_empty(), "give these types distinct names: {unknown:#?}");
    assert!(SHARED.len() <= 20, "at most 20 names are shared");
}

#[test]
fn a_declaration_is_recognized() {
    assert_eq!(declared("pub(super) struct Guard<'a> {"), Some("Guard"));
    assert_eq!(declared("    type Value = String;"), None);
    assert_eq!(declared("let structure = 1;"), None);
}
