//! Which file of a module imports which: paths that begin with `crate`, `super`, `self` or a child module, resolved to files.

use super::Source;
use std::collections::{BTreeMap, BTreeSet};

/// A path in the code of a file: its segments, and the name that a `use` gives it.
#[derive(Debug)]
struct Import {
    segments: Vec<String>,
    /// The local name, for a `use`; `*` for all names.
    name: Option<String>,
    is_public: bool,
}

/// The modules of a crate by path (`gateway::plan`).
pub(crate) struct Modules {
    by_path: BTreeMap<String, Module>,
}

struct Module {
    file: String,
    imports: Vec<Import>,
    /// Words of the code outside of `use`.
    words: BTreeSet<String>,
    /// Structs, enums, traits and type aliases that it defines.
    types: BTreeSet<String>,
}

/// The module that defines what a path names.
struct Target {
    module: String,
    name: String,
    /// The modules that re-export the name on the way.
    through: Vec<String>,
}

/// What the imports of a crate show.
#[derive(Default)]
pub(crate) struct Graph {
    /// Imports between files of one top module: from, to.
    pub edges: BTreeSet<(String, String)>,
    /// Imports of a name from the root of the file's own folder, which only re-exports it: file, name, path by file.
    pub re_exports: BTreeSet<(String, String, String)>,
}

impl Modules {
    pub(crate) fn of(sources: &[Source]) -> Modules {
        let hidden = test_modules(sources);
        let by_path = sources
            .iter()
            .filter(|source| !matches!(source.path.as_str(), "lib.rs" | "main.rs"))
            .map(|source| (module_path(&source.path), source))
            .filter(|(path, _)| !hidden.iter().any(|test| path == test || path.starts_with(&format!("{test}::"))))
            .collect::<Vec<_>>();
        let paths: BTreeSet<String> = by_path.iter().map(|(path, _)| path.clone()).collect();
        let by_path = by_path
            .into_iter()
            .map(|(path, source)| {
                let tokens = tokens(&without_tests(&source.text));
                let (imports, words) = read(&tokens, |name| paths.contains(&format!("{path}::{name}")));
                let types = tokens
                    .windows(2)
                    .filter(|pair| matches!(pair[0].as_str(), "struct" | "enum" | "trait" | "type"))
                    .map(|pair| pair[1].clone())
                    .collect();
                (path, Module { file: source.path.clone(), imports, words, types })
            })
            .collect();
        Modules { by_path }
    }

    /// Resolves every import to the file that defines the name. Two imports are none: what a root re-exports for outsiders, and
    /// the type of a root (the only type that its files import from it).
    pub(crate) fn graph(&self) -> Graph {
        let mut graph = Graph::default();
        let mut from_root: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
        for (path, module) in &self.by_path {
            for import in module.imports.iter().filter(|import| !module.only_re_exports(import)) {
                let Some(target) = self.resolve(path, &import.segments, 0) else { continue };
                let Some(defining) = self.by_path.get(&target.module) else { continue };
                if defining.file == module.file || top(&defining.file) != top(&module.file) {
                    continue;
                }
                if target.through.iter().any(|root| is_inside(path, root)) {
                    let outside = target.through.iter().find(|root| !is_inside(path, root)).unwrap_or(&target.module);
                    let by_file = format!("crate::{outside}::{}", target.name);
                    graph.re_exports.insert((module.file.clone(), import.segments.join("::"), by_file));
                }
                if is_inside(path, &target.module) {
                    from_root.entry(target.module).or_default().insert((module.file.clone(), target.name));
                } else {
                    graph.edges.insert((module.file.clone(), defining.file.clone()));
                }
            }
        }
        for (root, imports) in from_root {
            let root = &self.by_path[&root];
            let types: BTreeSet<_> =
                imports.iter().map(|(_, name)| name).filter(|name| root.types.contains(*name)).collect();
            let its_type = (types.len() == 1).then(|| types.first()).flatten();
            for (file, _) in imports.iter().filter(|(_, name)| its_type != Some(&name)) {
                graph.edges.insert((file.clone(), root.file.clone()));
            }
        }
        graph
    }

    /// The module whose file defines what the path names.
    fn resolve(&self, from: &str, segments: &[String], depth: usize) -> Option<Target> {
        let mut at = from.to_owned();
        let mut rest = segments;
        match rest.first()?.as_str() {
            "crate" => {
                at.clone_from(rest.get(1)?);
                rest = &rest[2..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    at.truncate(at.rfind("::")?);
                    rest = &rest[1..];
                }
            }
            _ => {}
        }
        while let Some(next) = rest.first() {
            let child = format!("{at}::{next}");
            if !self.by_path.contains_key(&child) {
                break;
            }
            at = child;
            rest = &rest[1..];
        }
        let module = self.by_path.get(&at)?;
        let mut found = Target { module: at.clone(), name: String::new(), through: Vec::new() };
        let Some(name) = rest.first().filter(|name| *name != "self") else { return Some(found) };
        found.name.clone_from(name);
        let passed = module.imports.iter().find(|import| import.name.as_ref() == Some(name));
        if let Some(import) = passed
            && at != from
            && depth < 8
            && let Some(target) = self.resolve(&at, &import.segments, depth + 1)
        {
            found.through.push(at);
            found.through.extend(target.through);
            found.module = target.module;
            found.name = target.name;
        }
        Some(found)
    }
}

impl Module {
    fn only_re_exports(&self, import: &Import) -> bool {
        let Some(name) = &import.name else { return false };
        import.is_public && self.file.ends_with("/mod.rs") && (name == "*" || !self.words.contains(name))
    }
}

/// The files that reach each other, per group; the largest group first.
pub(crate) fn cycles(edges: &BTreeSet<(String, String)>) -> Vec<Vec<String>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges {
        next.entry(from).or_default().push(to);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = next
        .keys()
        .map(|&start| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
            while let Some(file) = open.pop() {
                open.extend(next.get(file).into_iter().flatten().filter(|file| seen.insert(**file)));
            }
            (start, seen)
        })
        .collect();
    let mut groups = BTreeSet::new();
    for (file, reached) in reach.iter().filter(|(file, reached)| reached.contains(*file)) {
        let group: Vec<String> = reached
            .iter()
            .filter(|other| reach.get(*other).is_some_and(|r| r.contains(file)))
            .map(|f| (*f).to_owned())
            .collect();
        groups.insert(group);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

fn top(file: &str) -> &str {
    file.split('/').next().unwrap_or_default()
}

fn is_inside(path: &str, root: &str) -> bool {
    path.starts_with(&format!("{root}::"))
}

fn module_path(file: &str) -> String {
    file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
}

/// The modules that only tests have.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for declared in source.text.split("#[cfg(test)]").skip(1) {
            let declared = declared.trim_start();
            let declared =
                declared.strip_prefix("pub(crate) ").or(declared.strip_prefix("pub(super) ")).unwrap_or(declared);
            let Some(rest) = declared.strip_prefix("mod ") else { continue };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if rest[name.len()..].starts_with(';') {
                found.push(format!("{}::{name}", module_path(&source.path)));
            }
        }
    }
    found
}

/// The text before the tests that it has inline, and without single imports of tests.
fn without_tests(text: &str) -> String {
    let mut parts = text.split("#[cfg(test)]");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.trim_start();
        if code.starts_with("mod ") && !code.lines().next().unwrap_or_default().ends_with(';') {
            break;
        }
        // One item: up to its end on the first level.
        let (mut depth, mut end) = (0_i32, part.len());
        for (at, c) in part.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => {
                    end = at + 1;
                    break;
                }
                '}' => depth -= 1,
                ';' if depth == 0 => {
                    end = at + 1;
                    break;
                }
                _ => {}
            }
        }
        kept.push_str(&part[end..]);
    }
    kept
}

/// Words, `::`, and single signs; no comments and no texts.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' {
            string_length(rest)
        } else if rest.starts_with("r\"") || rest.starts_with("r#\"") {
            let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            rest[hashes + 2..].find(&end).map_or(rest.len(), |at| hashes + 2 + at + end.len())
        } else if c == '\'' {
            char_length(rest)
        } else if c.is_alphanumeric() || c == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            2
        } else {
            if !c.is_whitespace() {
                found.push(c.to_string());
            }
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character, or one sign for a lifetime.
fn char_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(1, |at| at + 4),
        Some((at, c)) if text[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 1,
    }
}

/// The paths of a file, and the words of its code outside of `use`.
fn read(tokens: &[String], is_child: impl Fn(&str) -> bool) -> (Vec<Import>, BTreeSet<String>) {
    let (mut imports, mut words) = (Vec::new(), BTreeSet::new());
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at].as_str();
        let follows_path = at > 0 && tokens[at - 1] == "::";
        let opens_path = tokens.get(at + 1).is_some_and(|next| next == "::");
        if token == "use" {
            let is_public = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
            let mut tree = Vec::new();
            at = use_tree(tokens, at + 1, &[], &mut tree);
            imports.extend(tree.into_iter().map(|(segments, name)| Import { segments, name: Some(name), is_public }));
            continue;
        }
        if !follows_path && opens_path && (matches!(token, "crate" | "super" | "self") || is_child(token)) {
            let mut segments = vec![token.to_owned()];
            while tokens.get(at + 1).is_some_and(|next| next == "::")
                && tokens.get(at + 2).is_some_and(|next| next.chars().all(|c| c.is_alphanumeric() || c == '_'))
            {
                segments.push(tokens[at + 2].clone());
                at += 2;
            }
            imports.push(Import { segments, name: None, is_public: false });
        } else {
            words.insert(token.to_owned());
        }
        at += 1;
    }
    // A `use` of a child without `self::`, or of an outside crate: only the first is a path of ours.
    imports.retain(|import| {
        import
            .segments
            .first()
            .is_some_and(|first| matches!(first.as_str(), "crate" | "super" | "self") || is_child(first))
    });
    (imports, words)
}

/// Reads one tree of a `use` from `at`: each path with its local name. Returns the place after it.
fn use_tree(tokens: &[String], mut at: usize, prefix: &[String], into: &mut Vec<(Vec<String>, String)>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = use_tree(tokens, at, &path, into);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            Some("::") => at += 1,
            Some("as") => {
                into.push((path, tokens.get(at + 1).cloned().unwrap_or_default()));
                return at + 2;
            }
            Some("," | "}" | ";") | None => {
                let last = path.iter().rev().find(|segment| *segment != "self").cloned().unwrap_or_default();
                if path.len() > 1 && path.last().is_some_and(|segment| segment == "self") {
                    path.pop();
                }
                into.push((path, last));
                return at;
            }
            Some(word) => {
                path.push(word.to_owned());
                at += 1;
            }
        }
    }
}
