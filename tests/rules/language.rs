//! Words that have a standard term, or that only the authors of a text understand, appear in no text, comment or name.
//!
//! CONTRIBUTING.md states the rules of language; docs/glossary.md lists the terms.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Each word with the terms to use. A phrase has single spaces.
const BANNED: &[(&str, &str)] = &[
    ("told", "reported, notified, printed"),
    ("tells", "reports, states, shows"),
    ("nobody", "no process, no user, none"),
    ("somebody", "a user, another process"),
    ("everybody", "every user, all processes"),
    ("whoever", "the process that, a user who"),
    ("mend", "fix, repair"),
    ("mends", "fixes, repairs"),
    ("mended", "fixed, repaired"),
    ("seal", "encrypt; checksum"),
    ("seals", "encrypts"),
    ("sealed", "encrypted"),
    ("reseal", "re-encrypt"),
    ("resealed", "re-encrypted"),
    ("sealing", "encrypting"),
    ("tongue", "key id"),
    ("tongues", "key ids"),
    ("soundness", "integrity"),
    ("anew", "again"),
    ("beside", "next to, besides"),
    ("heir", "target"),
    ("elder", "predecessor"),
    ("elders", "predecessors"),
    ("estate", "carried state"),
    ("vain", "timed out, failed"),
    ("lets go", "releases"),
    ("at once", "immediately; at a time"),
    ("in clear", "in plaintext"),
    ("of ours", "our"),
    ("of its own", "its own"),
    ("of his own", "their own"),
    ("what is so", "the requested state"),
    ("held back", "suppressed, inhibited"),
    ("stands on", "covers"),
    ("without a word", "without a result, interrupted"),
];

/// Where a file may still use such words: `count file` a line. The list only shrinks: `UPDATE=1` rewrites it.
const ALLOWED: &str = "tests/rules/allowed_words.txt";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(path: &Path, into: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        let kinds = ["rs", "md", "toml", "sh", "py", "yml", "service", "timer", "cron", "html"];
        if path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)) {
            into.push(path.to_owned());
        }
        return;
    }
    for entry in fs::read_dir(path).expect("a folder") {
        collect(&entry.expect("an entry").path(), into);
    }
}

/// The words of a line: letters in lower case, names split at underscores and capitals.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut was_small = false;
    for letter in line.chars() {
        if !letter.is_alphabetic() || (letter.is_uppercase() && was_small) {
            words.push(std::mem::take(&mut word));
        }
        was_small = letter.is_lowercase();
        if letter.is_alphabetic() {
            word.extend(letter.to_lowercase());
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn is_in(words: &[String], phrase: &str) -> bool {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    words.windows(phrase.len()).any(|window| window.iter().map(String::as_str).eq(phrase.iter().copied()))
}

/// The banned words of a text, one description for each use.
fn uses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words = words(line);
        for (word, instead) in BANNED.iter().filter(|(word, _)| is_in(&words, word)) {
            found.push(format!("{}: `{word}` ({instead}): {}", number + 1, line.trim()));
        }
    }
    found
}

#[test]
fn no_word_is_used_that_has_a_standard_term() {
    let mut files = Vec::new();
    for place in
        ["README.md", "SECURITY.md", "CONTRIBUTING.md", "docs", "config", "jobs", "scripts", "src", "sandbox/src"]
    {
        collect(&root().join(place), &mut files);
    }
    assert!(files.len() > 300, "the files were not found");
    files.sort();
    let list = fs::read_to_string(root().join(ALLOWED)).unwrap_or_default();
    let allowed: BTreeMap<&str, usize> = list
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(count, file)| Some((file, count.parse().ok()?)))
        .collect();
    let (mut wrong, mut rest) = (String::new(), String::new());
    for file in files {
        let name = file.strip_prefix(root()).expect("below the root").display().to_string();
        let found = uses(&fs::read_to_string(&file).expect("a readable file"));
        let limit = allowed.get(name.as_str()).copied().unwrap_or(0);
        if found.len() > limit {
            let _ = writeln!(wrong, "{name} ({} allowed):\n  {}", limit, found.join("\n  "));
        }
        if !found.is_empty() && limit > 0 {
            let _ = writeln!(rest, "{} {name}", found.len().min(limit));
        }
    }
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(root().join(ALLOWED), rest).expect("the list is written");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn names_are_split_into_words() {
    assert_eq!(words("let told_by = SealKey::of(x1);"), ["let", "told", "by", "seal", "key", "of", "x"]);
    assert!(is_in(&words("It is kept at once."), "at once") && !is_in(&words("at most once"), "at once"));
}
