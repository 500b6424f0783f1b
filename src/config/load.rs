//! Merges the layers into one checked configuration: defaults, files, variables, flags.
//!
//! [`load`] reports all problems and returns no invalid configuration. [`load_leniently`] always returns one, from
//! the valid values, and reports the same problems.

use super::file::{self, Layer};
use super::keys::CONFIG;
use super::schema::{Config, Origins};
use super::sources::{self, DEFAULT_ORIGIN, Sources};
use crate::config::diagnostic::ConfigError;
use crate::config::diagnostic::Problem;
use crate::config::env;
use crate::config::types::BaseDirs;
use crate::config::types::Setting;
use crate::config::validate;
use crate::config::validate::Contradiction;
use crate::limits;
use crate::secure_fs::bounded;
use figment::value::{Dict, Map, Num, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Every key with its default and a description.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// A configuration and its origins.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The checked values.
    pub config: Config,
    /// The origin of each dotted key: `default`, a file's path, a variable's name, or `flag`.
    pub origins: Origins,
    /// The merged value of each dotted key; keys without a value are absent.
    pub values: BTreeMap<String, toml::Value>,
    /// Values that were accepted with a warning, one line each.
    pub warnings: Vec<String>,
    /// The files of the layers in order, and whether each exists.
    pub files: Vec<(PathBuf, bool)>,
}

/// Reads every layer; an error contains all problems.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let (loaded, problems) = assemble(sources);
    if problems.is_empty() { Ok(loaded) } else { Err(ConfigError { problems }) }
}

/// Reads every layer for emergency commands: uses valid values, defaults for the rest, and returns the problems. A
/// notifier with contradicting settings is disabled.
pub fn load_leniently(sources: &Sources) -> (Loaded, Vec<Problem>) {
    let (mut loaded, problems) = assemble(sources);
    let wrong = |section: &str| problems.iter().any(|problem| problem.key.starts_with(section));
    let alerts = &mut loaded.config.alerts;
    alerts.email.enabled &= !wrong("alerts.email");
    alerts.webhook.enabled &= !wrong("alerts.webhook");
    alerts.command.enabled &= !wrong("alerts.command");
    (loaded, problems)
}

fn assemble(sources: &Sources) -> (Loaded, Vec<Problem>) {
    let base = BaseDirs { directory: Path::new("/"), home: sources.home() };
    let (defaults, mut problems) = file::read(DEFAULT, DEFAULT_ORIGIN, &CONFIG, base);
    let mut layers = vec![defaults];
    let (directories, homeless) = sources::directories(sources);
    layers.extend(directories);
    let mut files = Vec::new();
    for place in sources::paths(sources) {
        let (layer, found, mut wrong) = read_file(&place.path, place.role, sources);
        layers.extend(layer);
        problems.append(&mut wrong);
        files.push((place.path, found));
    }
    let outside = env::read(sources);
    layers.extend(outside.layers);
    problems.extend(outside.problems);
    let chosen = |key: &str| layers.iter().filter(|l| l.entries.iter().any(|entry| entry.key == key)).count() > 1;
    problems.extend(homeless.into_iter().filter(|problem| !chosen(&problem.key)));

    let merged = merge(&layers);
    let (mut values, mut origins) = (BTreeMap::new(), Origins::new());
    let dict = merged.data().ok().and_then(|mut data| data.remove(&Profile::Default)).unwrap_or_default();
    leaves("", &dict, &mut |key, value| {
        let origin = merged.get_metadata(value.tag()).map_or(DEFAULT_ORIGIN, |found| &found.name);
        origins.insert(key.clone(), origin.to_owned());
        values.insert(key, toml_value(value));
    });
    let mut config: Config = Value::from(dict)
        .deserialize()
        .expect("every value was checked by its type, and default.toml has every key that must be set: tested");
    config.cache.ttl.default = config.cache.default_ttl;

    for found in validate::check(&config) {
        problems.push(place(found, &layers, &origins));
    }
    (Loaded { config, origins, values, warnings: outside.warnings, files }, problems)
}

/// The problem of a contradiction, at the first of its keys that a layer sets.
fn place(found: Contradiction, layers: &[Layer], origins: &Origins) -> Problem {
    let origin = |key: &str| origins.get(key).filter(|origin| *origin != DEFAULT_ORIGIN);
    let set = found.keys.iter().find_map(|key| Some((*key, origin(key)?.clone())));
    let (key, source) = set.unwrap_or((found.keys[0], DEFAULT_ORIGIN.into()));
    let layer = layers.iter().rev().find(|layer| layer.source == source);
    let line = layer.and_then(|layer| layer.entries.iter().find(|entry| entry.key == key)?.line);
    Problem { source, line, key: found.keys[0].into(), what: found.fault.what, hint: found.fault.hint }
}

/// The layer of a file, whether the file exists, and its problems.
fn read_file(path: &Path, role: &str, sources: &Sources) -> (Option<Layer>, bool, Vec<Problem>) {
    let source = path.display().to_string();
    let must_exist = !matches!(role, "system" | "user");
    match text(path, role == "--config") {
        Ok(text) => {
            let base = BaseDirs { directory: path.parent().unwrap_or(Path::new("/")), home: sources.home() };
            let (layer, problems) = file::read(&text, &source, &CONFIG, base);
            (Some(layer), true, problems)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => (None, false, Vec::new()),
        Err(error) => (None, error.kind() != io::ErrorKind::NotFound, vec![unreadable(source, &error)]),
    }
}

/// The text of a configuration file. A path from a flag may be a pipe.
fn text(path: &Path, is_typed: bool) -> io::Result<String> {
    let read = if is_typed { bounded::bounded_named } else { bounded::bounded };
    read(path, bounded::CONFIG_FILE).and_then(bounded::text)
}

/// The problem of an unreadable file.
pub(super) fn unreadable(source: String, error: &io::Error) -> Problem {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "name a file that exists",
        io::ErrorKind::PermissionDenied => "give this user read permission",
        io::ErrorKind::InvalidData => "save it as UTF-8",
        io::ErrorKind::FileTooLarge => "name the right file: this one is too large for a configuration",
        _ => limits::hint(error).unwrap_or("name a regular file that can be read"),
    };
    Problem { source, line: None, key: String::new(), what: format!("cannot be read: {error}"), hint: hint.into() }
}

fn merge(layers: &[Layer]) -> Figment {
    layers.iter().fold(Figment::new(), |merged, layer| merged.merge(layer))
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut dict = Dict::new();
        for entry in &self.entries {
            insert(&mut dict, &entry.key, figment_value(&entry.setting));
        }
        Ok(Profile::Default.collect(dict))
    }
}

/// Inserts `value` under a dotted key; the last part may be quoted.
fn insert(dict: &mut Dict, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, rest)) => {
            let inner = dict.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
        None => {
            dict.insert(key.trim_matches('"').to_owned(), value);
        }
    }
}

fn leaves(prefix: &str, dict: &Dict, visit: &mut impl FnMut(String, &Value)) {
    for (name, value) in dict {
        let key = file::path(prefix, name);
        match value {
            Value::Dict(_, inner) => leaves(&key, inner, visit),
            leaf => visit(key, leaf),
        }
    }
}

fn figment_value(setting: &Setting) -> Value {
    match setting {
        Setting::Text(text) => Value::from(text.clone()),
        Setting::Flag(value) => Value::from(*value),
        Setting::Number(number) => Value::from(*number),
        Setting::Whole(number) => Value::from(*number),
        Setting::Time(duration) => Value::from(Setting::time_text(*duration)),
        Setting::Words(words) => Value::from(words.clone()),
    }
}

fn toml_value(value: &Value) -> toml::Value {
    match value {
        Value::String(_, text) => text.as_str().into(),
        Value::Bool(_, value) => (*value).into(),
        Value::Num(_, Num::F64(number)) => (*number).into(),
        Value::Num(_, number) => number.to_u128().and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX).into(),
        Value::Array(_, items) => items.iter().map(toml_value).collect::<Vec<_>>().into(),
        other => format!("{other:?}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::ConfigKey;
    use super::*;
    use std::collections::BTreeSet;

    /// The fields that the schema has in a section, as serde names them when it meets one that is not there.
    fn fields(whole: &Dict, section: &str) -> BTreeSet<String> {
        let mut dict = whole.clone();
        let path = if section.is_empty() { "zz".to_owned() } else { format!("{section}.zz") };
        insert(&mut dict, &path, Value::from(true));
        let error = Value::from(dict).deserialize::<Config>().expect_err("zz is no field");
        match error.kind {
            figment::error::Kind::UnknownField(_, fields) => fields.iter().map(|field| (*field).to_owned()).collect(),
            other => panic!("{section}: {other:?}"),
        }
    }

    #[test]
    fn the_list_of_keys_and_the_schema_have_the_same_fields() {
        let sources = Sources {
            environment: [("HOME".to_owned(), "/home/ann".to_owned())].into(),
            explicit: None,
            overrides: Vec::new(),
            system_file: "/nowhere/config.toml".into(),
            working_directory: "/".into(),
        };
        let (defaults, _) = file::read(DEFAULT, "default", &CONFIG, sources.base());
        let mut layers = vec![defaults];
        layers.extend(sources::directories(&sources).0);
        let whole = merge(&layers).data().unwrap().remove(&Profile::Default).unwrap();

        let section_of = |key: &ConfigKey| key.name.rsplit_once('.').map_or("", |(section, _)| section);
        for section in CONFIG.keys.iter().map(section_of).collect::<BTreeSet<_>>() {
            let within = |name: &str| match section {
                "" => Some(name.to_owned()),
                _ => name.strip_prefix(section)?.strip_prefix('.').map(str::to_owned),
            };
            let listed = CONFIG.keys.iter().map(|key| key.name).chain(CONFIG.ttl_section).filter_map(within);
            let expected: BTreeSet<_> = listed.map(|rest| rest.split('.').next().unwrap_or("").to_owned()).collect();
            assert_eq!(fields(&whole, section), expected, "[{section}]");
        }
    }
}
